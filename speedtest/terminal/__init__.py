"""How commands speak to a person: start, options, colours, bars and exit codes."""
