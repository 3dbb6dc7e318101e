"""Stand-ins for what tests cannot use: Ookla's program, and the service that speedtest-cli measures against."""
