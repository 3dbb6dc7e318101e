"""Convert between text and values: read configured text, and write amounts for people.

A reader returns a value, or raises ValueError if the text is not allowed. `environment` combines the readers.
"""
