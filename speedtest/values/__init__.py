"""Readers of the texts that people configure: each returns a value, or raises ValueError for a text it does not allow.

`environment` puts them together. They know no variable by its name but where one depends on another (`targets`).
"""
