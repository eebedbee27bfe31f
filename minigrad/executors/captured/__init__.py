"""Steps that are recorded once and replayed (`minigrad.capture`): on a GPU as a graph, on NumPy as a list of calls.

`context` is what the rest of minigrad sees of a recording. `graphs` records on a GPU. On NumPy, arrays are `value`s
while `program` writes `line`s down, `inlined` those of an update; `storage` says where arrays lie, `names` what they
are called in the listing.
"""

from minigrad.executors.captured.context import current, number, refuse

__all__ = ["current", "number", "refuse"]
