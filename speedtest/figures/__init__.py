"""Figures computed from rows: what happened, how often, how fast. Nothing here draws, or writes to the lake."""
