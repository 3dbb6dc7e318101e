"""Stand-ins for what cannot run in a test: Ookla's program, and the service that speedtest-cli measures against."""
