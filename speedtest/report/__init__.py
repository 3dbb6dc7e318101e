"""Figures as people see them: words, charts, and the report as text or HTML. Nothing here reads the lake."""
