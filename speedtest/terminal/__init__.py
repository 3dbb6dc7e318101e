"""What the commands share: start, options, colours, bars and exit codes."""
