"""The laboratory: the same network trained behind every door, measured, drawn and reported.

`compare` trains, `report` puts the numbers in a table and in JSON, `figure` draws them, `info` describes the machine.
The last three need the extra "lab"; importing this package does not.
"""

from minigrad.lab.compare import Results, compare
from minigrad.lab.settings import Settings
from minigrad.lab.variants import ENTRIES, FAMILIES, Entry, entries

__all__ = ["ENTRIES", "FAMILIES", "Entry", "Results", "Settings", "compare", "entries"]
