"""Differentiable operations, with NumPy's names and broadcasting.

Each takes tensors, arrays and numbers and returns a tensor. As a module this is also the namespace against which
vector–Jacobian products are written when gradients are themselves to be differentiated.
"""

from minigrad.ops import (
    convolution,
    elementwise,
    linalg,
    losses,
    normalization,
    reductions,
    shaping,
)
from minigrad.ops import methods as _methods  # noqa: F401  -- gives Tensor its operators
from minigrad.ops.convolution import *  # noqa: F403
from minigrad.ops.dropout import dropout
from minigrad.ops.elementwise import *  # noqa: F403
from minigrad.ops.linalg import *  # noqa: F403
from minigrad.ops.losses import *  # noqa: F403
from minigrad.ops.normalization import *  # noqa: F403
from minigrad.ops.reductions import *  # noqa: F403
from minigrad.ops.shaping import *  # noqa: F403

__all__ = ["dropout"]
__all__ += convolution.__all__
__all__ += elementwise.__all__
__all__ += linalg.__all__
__all__ += losses.__all__
__all__ += normalization.__all__
__all__ += reductions.__all__
__all__ += shaping.__all__
