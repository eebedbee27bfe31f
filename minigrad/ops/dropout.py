"""Dropout: a mask that is a pure function of a key and a step, so that it can be made again anywhere."""

from typing import Any

from minigrad import backend, random
from minigrad.ops.operation import op

__all__ = ["dropout"]


def _mask(xp: Any, x: Any, rate: Any, key: tuple[int, int], step: int) -> Any:
    """Return where x is kept: where 32 random bits, as an integer, reach rate · 2³²."""
    if not 0 <= rate < 1:
        raise ValueError(f"rate, the share of entries that is set to 0, must lie in [0, 1), got {rate!r}")
    return random.uniform_bits(backend.namespace(x), key, step, x.shape) >= int(rate * 2**32)


@op(save=_mask, reads=())
def dropout(xp: Any, mask: Any, x: Any, rate: Any, key: tuple[int, int], step: int) -> Any:
    """Return x with a random share `rate` of its entries set to 0, the others divided by 1 − rate ("inverted").

    The rate lies in [0, 1); ValueError otherwise. The key, two 32-bit integers, chooses a sequence of masks; the step,
    a 32-bit integer, is the place in it. Key, step and an entry's place in x decide its fate, and nothing else does.

    Source: Srivastava et al., Journal of Machine Learning Research 15 (2014), §10, for the division.
    """
    return x * mask / (1 - rate)


dropout.vjp(lambda xp, g, y, mask, x, rate, key, step: g * mask / (1 - rate))
