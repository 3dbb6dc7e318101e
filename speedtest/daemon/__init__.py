"""The daemon: one cycle from a due slot to a saved row. It imports nothing heavy: no pandas, no Arrow."""
