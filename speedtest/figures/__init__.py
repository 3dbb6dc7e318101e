"""Figures from rows: what happened, how often, how fast. Nothing here draws, and nothing writes to the lake."""
