"""Alerts: what is wrong, or right again, told once to each channel. A child of the daemon does all of this."""
