"""Values as texts: readers of what people configure, and the words for amounts that people read.

A reader returns a value, or raises ValueError for a text that it does not allow; `environment` puts them together.
"""
