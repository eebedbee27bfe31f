"""What is made from a rule behind a door: its trace, what is emitted from the trace, and what executes it."""

from minigrad.executors.branches import branches, trace_at
from minigrad.executors.choose import executor
from minigrad.executors.listing import listing
from minigrad.executors.show import show
from minigrad.executors.trace import Trace, UntraceableError, evaluate, trace

__all__ = ["Trace", "UntraceableError", "branches", "evaluate", "executor", "listing", "show", "trace", "trace_at"]
