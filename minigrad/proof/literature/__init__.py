"""What the literature says of decay, each property proved or measured on this library's own rules and doors.

One property a file, with its source, its conditions and functions to call on a step of one's own.
"""

from minigrad.proof.claims import Claim
from minigrad.proof.literature import (
    batch_norm,
    box,
    cautious,
    equilibrium,
    moving_average,
    proximal,
    scale_free,
)

__all__ = ["batch_norm", "box", "cautious", "claims", "equilibrium", "moving_average", "proximal", "scale_free"]


def claims(thorough: bool = False) -> list[Claim]:
    """Return the claims of every file; `thorough` simulates more weights, and runs longer."""
    files = (scale_free, moving_average, proximal, cautious, batch_norm, equilibrium, box)
    return [claim for file in files for claim in file.claims(thorough)]
