"""``minigrad prove``: every claim of the proof room decided, reported, and held against what was expected.

`run` decides claims in worker processes, `report` puts the outcomes into a table and JSON, `latex` into a document.
"""

from minigrad.lab.prove.run import SECTIONS, Outcome, Section, chosen, run, tasks

__all__ = ["SECTIONS", "Outcome", "Section", "chosen", "run", "tasks"]
