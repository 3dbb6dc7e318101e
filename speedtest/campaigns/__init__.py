"""Measuring campaigns: what a legal sample is, which tests are still to be made for it, and which ones count."""
