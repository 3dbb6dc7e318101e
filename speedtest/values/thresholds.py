"""From where on a test says little about the line.

Sources: Italy's official measuring program (Nemesys) refuses a test with processors above 85 %, or beside other traffic
of 10 % of the test's.
"""

CPU_PERCENT = 85.0
OTHER_SHARE = 0.1
FAR_KILOMETRES = 500.0
ABOVE_LINK = 1.1
"""A speed above this part of the link's rate cannot be."""
