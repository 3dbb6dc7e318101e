"""Probes of the line: packets, answers, and where to send them."""
