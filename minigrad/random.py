"""Random bits by counting: Threefry-2x32-20, the same on every machine and every back end.

A key and a counter, two 32-bit words each, are mixed by twenty rounds of additions, rotations and exclusive ors into
two words that look random. There is no state: equal arguments give equal bits, wherever and in whatever order they
are computed. It is JAX's default generator. Source: Salmon, Moraes, Dror and Shaw, Parallel random numbers: as easy as
1, 2, 3 (SC 2011), §4.2; the constants are those of their Random123.
"""

import math
from typing import Any

__all__ = ["threefry", "uniform_bits"]

_WORD = 2**32 - 1
_PARITY = 0x1BD11BDA
_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))


def threefry(key: tuple[int, int], counter: tuple[Any, Any]) -> tuple[Any, Any]:
    """Return the two words that `key` makes of `counter`.

    Args:
        key: two integers in [0, 2³²).
        counter: two uint32 arrays of one shape, of any array module; they are not written.

    Raises:
        ValueError: the key is not two 32-bit integers.
    """
    if len(key) != 2 or any(not 0 <= k <= _WORD for k in key):
        raise ValueError(f"a key is two integers in [0, 2**32), got {key!r}")
    first, second = map(int, key)
    keys = (first, second, _PARITY ^ first ^ second)
    a, b = counter[0] + keys[0], counter[1] + keys[1]
    for group in range(5):
        for rotation in _ROTATIONS[group % 2]:
            a = a + b
            b = (b << rotation | b >> 32 - rotation) ^ a
        a = a + keys[(group + 1) % 3]
        b = b + (keys[(group + 2) % 3] + group + 1 & _WORD)
    return a, b


def uniform_bits(xp: Any, key: tuple[int, int], step: Any, shape: tuple[int, ...]) -> Any:
    """Return uint32 random bits of a shape, in the array module `xp`.

    Entry i, counted row by row, is word i mod 2 of the counter (⌊i / 2⌋, step): it does not depend on the shape.

    The step is an integer, or a uint32 array on the device that holds one.

    Raises ValueError if `step` is no 32-bit integer or `key` not two of them.
    """
    n = math.prod(shape)
    index = xp.arange((n + 1) // 2, dtype=xp.uint32)
    if hasattr(step, "dtype"):
        step = xp.broadcast_to(step, index.shape)
    elif 0 <= step <= _WORD:
        step = xp.full_like(index, int(step))
    else:
        raise ValueError(f"step must be an integer in [0, 2**32), got {step!r}")
    words = xp.stack(threefry(key, (index, step)), axis=-1)
    return words.reshape(-1)[:n].reshape(shape)
