"""Products of matrices and of tensors: the value, and beside it the derivative."""

import functools
import math
import string
from typing import Any

import numpy as np

from minigrad import backend
from minigrad.autodiff import unbroadcast
from minigrad.ops.operation import op, run
from minigrad.tensor import Tensor

__all__ = ["einsum", "linear", "matmul"]

# --- matrices ---------------------------------------------------------------------------------------------------------


@op()
def matmul(xp: Any, a: Any, b: Any) -> Any:
    """Return the matrix product a @ b over the last two axes; those before broadcast, a vector is a row or a column."""
    return xp.matmul(a, b)


matmul.vjp(
    lambda xp, g, y, a, b: _matmul_by_a(xp, *_matrices(xp, g, a, b), a.shape),
    lambda xp, g, y, a, b: _matmul_by_b(xp, *_matrices(xp, g, a, b), b.shape),
)


def _matmul_by_a(xp: Any, g: Any, a: Any, b: Any, shape: Any) -> Any:
    return xp.reshape(unbroadcast(xp, xp.matmul(g, xp.swapaxes(b, -1, -2)), a), shape)


def _matmul_by_b(xp: Any, g: Any, a: Any, b: Any, shape: Any) -> Any:
    return xp.reshape(unbroadcast(xp, xp.matmul(xp.swapaxes(a, -1, -2), g), b), shape)


def _matrices(xp: Any, g: Any, a: Any, b: Any) -> tuple[Any, Any, Any]:
    """Return g, a and b with vectors written as matrices of one row (a) or one column (b)."""
    if b.ndim == 1:
        g, b = xp.expand_dims(g, -1), xp.expand_dims(b, -1)
    if a.ndim == 1:
        g, a = xp.expand_dims(g, -2), xp.expand_dims(a, 0)
    return g, a, b


@op(reads=(0, 1))
def linear(xp: Any, x: Any, weight: Any, bias: Any = None) -> Any:
    """Return x @ weight + bias.

    Shapes: x (…, inputs), weight (inputs, outputs), bias (outputs,), a number or None; the result is (…, outputs).
    PyTorch stores the transpose of this weight; Keras and Flax store this one.
    """
    if weight.ndim != 2:
        raise ValueError(f"weight must have shape (inputs, outputs), got {weight.shape}")
    y = xp.matmul(_rows(xp, x), weight)
    if x.ndim != 2:
        y = y.reshape(*x.shape[:-1], weight.shape[1])
    if bias is None:
        return y
    if not hasattr(bias, "dtype") or y.dtype != bias.dtype:
        return y + bias
    y += bias
    return y


linear.vjp(
    lambda xp, g, y, x, weight, bias: _shaped(xp, xp.matmul(_rows(xp, g), weight.T), x),
    lambda xp, g, y, x, weight, bias, out=None: product(xp, _rows(xp, x).T, _rows(xp, g), out),
    lambda xp, g, y, x, weight, bias: g,
)


def product(xp: Any, a: Any, b: Any, out: Any) -> Any:
    """Return a @ b, written to the array `out` unless that is None."""
    return xp.matmul(a, b) if out is None else xp.matmul(a, b, out=out)


def _shaped(xp: Any, rows: Any, x: Any) -> Any:
    """Return the matrix `rows` in the shape of x, whose `_rows` it has."""
    return rows if x.ndim == 2 else xp.reshape(rows, x.shape)


def _rows(xp: Any, x: Any) -> Any:
    """Return x as a matrix with the same last axis, so that one product does all the work."""
    return x if x.ndim == 2 else xp.reshape(x, (math.prod(x.shape[:-1]), x.shape[-1]))


# --- Einstein's sums --------------------------------------------------------------------------------------------------


@op(variadic=True)
def _einsum(xp: Any, *operands: Any, subscripts: str) -> Any:
    y = xp.einsum(subscripts, *operands, optimize=True)
    return xp.array(y) if len(operands) == 1 else y  # of one operand, NumPy may return a view


_einsum.operation.__name__ = "einsum"
_einsum.vjp(lambda xp, g, y, i, *operands, subscripts: _einsum_back(xp, g, i, operands, subscripts))


def einsum(subscripts: str, *operands: Any) -> Tensor:
    """Return Einstein's sum: ``einsum("...ij,jk->...ik", a, b)``.

    As in NumPy: each letter names an axis, letters missing from the result are summed over, a letter twice in one
    operand takes the diagonal, and ``...`` stands for axes that broadcast. Without ``->`` the result has the letters
    that occur once, in alphabetical order.
    """
    arrays = [x for x in operands if hasattr(x, "dtype")]
    if len(arrays) < len(operands) and arrays:  # a number beside arrays keeps their dtype
        xp, dtypes = backend.namespace(arrays[0]), [x.dtype for x in arrays]
        operands = tuple(
            xp.asarray(x, np.result_type(x, *dtypes)) if isinstance(x, int | float | complex) else x for x in operands
        )
    return _einsum(*operands, subscripts=subscripts)


def _einsum_back(xp: Any, g: Any, i: int, operands: Any, subscripts: str) -> Any:
    """Return the gradient by operand `i`: again an Einstein sum, with the result in the operand's place.

    A letter twice in the operand is a diagonal: the second becomes a new letter, tied to the first by an identity
    matrix. A letter that nothing else has at full length was summed out alone: ones bring it back.
    """
    *terms, out = _terms(subscripts, tuple(x.ndim for x in operands))
    x, wanted = operands[i], ""
    spare = (s for s in string.ascii_letters if all(s not in t for t in (*terms, out)))
    factors = [(out, g)] + [(t, p) for j, (t, p) in enumerate(zip(terms, operands, strict=True)) if j != i]
    known = {(letter, n) for t, p in factors for letter, n in zip(t, p.shape, strict=True)}
    array = backend.namespace(x)
    for letter, n in zip(terms[i], x.shape, strict=True):
        if letter in wanted:
            new = next(spare)
            factors.append((letter + new, array.eye(n, dtype=x.dtype)))
            wanted += new
        else:
            wanted += letter
            if n != 1 and (letter, n) not in known:
                factors.append((letter, array.ones(n, dtype=x.dtype)))
            elif n == 1 and letter not in "".join(t for t, _ in factors):
                factors.append((letter, array.ones(1, dtype=x.dtype)))
    written = ",".join(t for t, _ in factors) + "->" + wanted
    return run(xp, _einsum, *(p for _, p in factors), subscripts=written)


@functools.cache
def _terms(subscripts: str, ndims: tuple[int, ...]) -> list[str]:
    """Return the letters of each operand and of the result, with letters for the axes under the dots."""
    inputs, arrow, out = subscripts.replace(" ", "").partition("->")
    terms = inputs.split(",")
    free = [s for s in string.ascii_letters if s not in subscripts]
    hidden = [n - len(t.replace("...", "")) if "..." in t else 0 for t, n in zip(terms, ndims, strict=True)]
    most = max(hidden)
    if not arrow:
        letters = inputs.replace("...", "").replace(",", "")
        out = "..." * (most > 0) + "".join(sorted(s for s in set(letters) if letters.count(s) == 1))
    dots = "".join(free[:most])
    return [t.replace("...", dots[most - n :]) for t, n in zip([*terms, out], [*hidden, most], strict=True)]
