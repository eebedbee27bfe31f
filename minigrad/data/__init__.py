"""Real data, and batches of it."""

from minigrad.data.batches import Batches
from minigrad.data.digits import Split, digits

__all__ = ["Batches", "Split", "digits"]
