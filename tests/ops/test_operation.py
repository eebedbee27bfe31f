"""The short way of entrywise operations, and the general one."""

from contextlib import ExitStack
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad as mg
from minigrad.ops.operation import general_call, op

BINARY = [mg.add, mg.subtract, mg.multiply, mg.divide, mg.maximum, mg.minimum]
UNARY = [mg.tanh, mg.sin, mg.sigmoid, mg.relu, mg.negative, mg.abs]
SHAPES = [(), (3,), (1,), (2, 3), (2, 1)]


def result(plan, shapes, dtypes, frozen, call):
    """Compute leaves by a list of operations, each on two of what there is or with a number; return bits."""
    rng = np.random.default_rng(0)
    leaves = [
        mg.tensor(rng.uniform(0.5, 2, shape).astype(dtype), requires_grad=i not in frozen)
        for i, (shape, dtype) in enumerate(zip(shapes, dtypes, strict=True))
    ]
    found = list(leaves)
    for f, i, j in plan:
        a, b = found[i % len(found)], found[j % len(found)] if j >= 0 else 1.5
        found.append(call(f)(a) if f in UNARY else call(f)(a, b))
    total = sum((x.sum() for x in found), mg.tensor(0.0))
    if total.requires_grad:
        total.backward()
    return [x.data.tobytes() for x in found], [None if x.grad is None else x.grad.tobytes() for x in leaves]


@given(
    plan=st.lists(
        st.tuples(st.sampled_from(BINARY + UNARY), st.integers(0, 9), st.integers(-1, 9)), min_size=1, max_size=6
    ),
    shapes=st.tuples(*[st.sampled_from(SHAPES)] * 3),
    dtypes=st.tuples(*[st.sampled_from([np.float32, np.float64])] * 3),
    frozen=st.sets(st.integers(0, 2)),
)
def test_the_short_way_there_and_back_gives_the_bits_of_the_general_way(plan, shapes, dtypes, frozen):
    short = result(plan, shapes, dtypes, frozen, lambda f: f)
    with ExitStack() as stack:
        for f in BINARY + UNARY:
            stack.enter_context(patch.multiple(f.operation, unary=None, binary=None))
        assert short == result(plan, shapes, dtypes, frozen, lambda f: general_call(f.operation))


def test_a_function_of_a_and_b_that_is_not_called_entrywise_may_take_b_as_an_option():
    @op()
    def scale(xp, a, b=3.0):
        return a * b

    scale.vjp(lambda xp, g, y, a, *, b: g * b)
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    (scale(x) + scale(x, 2.0) + scale(x, b=1.0)).sum().backward()
    assert x.grad.tolist() == [6.0, 6.0]


@pytest.mark.parametrize(
    "wrong",
    [lambda xp, x, y: x, lambda xp, a, b=1: a, lambda xp, u: u, lambda xp, a, b, c: a],
    ids=["other names", "a default", "one other name", "three"],
)
def test_what_is_called_entrywise_must_be_a_function_of_x_or_of_a_and_b(wrong):
    with pytest.raises(TypeError, match="must be a function of x, or of a and b, alone"):
        op(entrywise=True)(wrong)


@pytest.mark.parametrize("f", [mg.exp, lambda x: x * 2.0, lambda x: mg.logsumexp(x, axis=0)])
def test_an_operand_that_is_frozen_after_it_was_used_gets_no_gradient(f):
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    y = f(x).sum()
    x.requires_grad = False
    y.backward()
    assert x.grad is None


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_number_among_the_operands_of_an_einsum_is_an_operand_like_any_other(dtype):
    x = mg.tensor([1.0, 2.0], requires_grad=True, dtype=dtype)
    y = mg.einsum(",i,->i", 2.0, x, 3)
    assert y.dtype == dtype
    y.sum().backward()
    assert (y.data.tolist(), x.grad.tolist()) == ([6, 12], [6, 6])
    mg.gradcheck(lambda x: mg.einsum("i,,i->", x, 0.5, x), np.array([1.0, 2.0, 3.0]))


@pytest.mark.parametrize("axes", [np.array([1, 2, 0]), [1, 2, 0], (1, -1, 0), None])
def test_axes_are_exchanged_back_in_whatever_form_they_were_given(axes):
    x = np.arange(24.0).reshape(2, 3, 4)
    g = mg.grad(lambda t: mg.sum(mg.transpose(t, axes) * np.transpose(x, axes)))(np.ones_like(x))
    np.testing.assert_array_equal(g, x)
