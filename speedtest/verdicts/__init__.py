"""Judge one line by the rules of a country: the row filter, the sample, the counting, and one module for each rule."""
