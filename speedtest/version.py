"""The version of SpeedSnake, for processes that are too small to ask the installed package for it."""

VERSION = "0.1.0"
"""As in pyproject.toml: a test compares them."""
