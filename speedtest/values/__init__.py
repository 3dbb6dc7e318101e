"""Readers of the texts that people configure: each returns a value, or raises ValueError."""
