"""Training: the loop, what it records and shows, clipping, and files to continue from."""

from minigrad.training.checkpoint import load_checkpoint, save_checkpoint
from minigrad.training.clip import clip_by_norm, clip_by_value
from minigrad.training.evaluate import evaluate
from minigrad.training.fit import State, fit
from minigrad.training.history import History
from minigrad.training.weights import load, save

__all__ = [
    "History",
    "State",
    "clip_by_norm",
    "clip_by_value",
    "evaluate",
    "fit",
    "load",
    "load_checkpoint",
    "save",
    "save_checkpoint",
]
