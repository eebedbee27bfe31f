"""What is made from a rule behind a door: its trace, and what is emitted from the trace."""

from minigrad.executors.listing import listing
from minigrad.executors.trace import Trace, evaluate, trace

__all__ = ["Trace", "evaluate", "listing", "trace"]
