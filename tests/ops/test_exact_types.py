"""Object arrays keep the type of their numbers: no operation puts an int or a float beside them, forward or back."""

from fractions import Fraction

import flint
import numpy as np
import pytest

import minigrad as mg
from minigrad.proof.balls import Ball
from minigrad.proof.claims import UndecidedError
from minigrad.proof.exact import array, check

X = [[[Fraction(n, 4) for n in row] for row in part] for part in (((-3, 2), (0, 5)), ((6, 6), (-1, 7)))]
IMAGE = (1, 2, 2, 2)

# Of x, shape (2, 2, 2), and a constant c of its kind; every rational operation, with what used to leak.
RATIONAL = {
    "add": lambda x, c: x + 1 + c,
    "subtract": lambda x, c: 1 - x - c,
    "multiply": lambda x, c: 2 * x * c,
    "divide": lambda x, c: x / 2 + 1 / (x + c),
    "power": lambda x, c: x**2 + (x + c) ** -1 + x**0 + x**1,
    "negative": lambda x, c: -x,
    "abs": lambda x, c: abs(x),
    "sign": lambda x, c: x.sign() * x,
    "relu": lambda x, c: mg.relu(x),
    "leaky_relu": lambda x, c: mg.leaky_relu(x, c),
    "maximum": lambda x, c: mg.maximum(x, 0) + mg.maximum(0, x) + mg.maximum(x, x),
    "minimum": lambda x, c: mg.minimum(x, 0) + mg.minimum(0, x) + mg.minimum(x, x),
    "clip": lambda x, c: mg.clip(x, 0, 1) + mg.clip(x, max=1) + mg.clip(x, min=c),
    "where": lambda x, c: mg.where(x.data > 0, x, 0) + mg.where(x.data > 0, 1, x),
    "sum": lambda x, c: x.sum() + x.sum(axis=0),
    "mean": lambda x, c: x.mean() + x.mean(axis=(0, 2)),
    "var": lambda x, c: x.var(axis=1),
    "max": lambda x, c: x.max() + x.max(axis=0),
    "min": lambda x, c: x.min() + x.min(axis=0),
    "matmul": lambda x, c: x @ x.T,
    "linear": lambda x, c: mg.linear(x, x[0], x[1, 0]),
    "einsum": lambda x, c: mg.einsum("iij,ijk->k", x, x) + mg.einsum("ijk->k", x),
    "reshape": lambda x, c: x.reshape(4, 2) * 2,
    "getitem": lambda x, c: x[0] + x[[1, 1]].sum(axis=0) + x[:, 0],
    "concatenate": lambda x, c: mg.concatenate([x, x * 2], axis=1),
    "stack": lambda x, c: mg.stack([x, x], axis=0),
    "pad": lambda x, c: mg.pad(x, 1),
    "broadcast_to": lambda x, c: mg.broadcast_to(x, (3, 2, 2, 2)),
    "mse": lambda x, c: mg.mse(x, x.data * 2 + c),
    "conv2d": lambda x, c: mg.conv2d(x.reshape(IMAGE), x.reshape(2, 2, 2, 1), padding=1),
    "max_pool2d": lambda x, c: mg.max_pool2d(x.reshape(IMAGE), 2, 1),
    "avg_pool2d": lambda x, c: mg.avg_pool2d(x.reshape(IMAGE), 2, 1),
    "item": lambda x, c: mg.relu(x[0, 0, 1]) + mg.abs(x[0, 0, 0]) + mg.maximum(x[0, 0, 0], 0),
}  # fmt: skip

SMOOTH = {
    "exp": mg.exp, "expm1": mg.expm1, "log": lambda x: mg.log(x * x + 1), "log1p": lambda x: mg.log1p(x * x),
    "sqrt": lambda x: mg.sqrt(x * x + 1), "sin": mg.sin, "cos": mg.cos, "tanh": mg.tanh, "sigmoid": mg.sigmoid,
    "softplus": mg.softplus, "softmax": mg.softmax, "log_softmax": mg.log_softmax,
    "cross_entropy": lambda x: mg.cross_entropy(x, np.array([[0, 1], [1, 1]])), "mse": lambda x: mg.mse(x, x.data * 2),
    "layer_norm": lambda x: mg.layer_norm(x, x.data[0, 0], x.data[1, 0], eps=1),
    "linear": lambda x: mg.linear(x, x[0], x[1, 0]),
    "logsumexp": lambda x: mg.logsumexp(x) + mg.logsumexp(x, axis=1),
    "binary_cross_entropy": lambda x: mg.binary_cross_entropy_with_logits(x, x.data * x.data),
}  # fmt: skip

KINKED = {
    "abs": mg.abs, "sign": mg.sign, "relu": mg.relu, "leaky_relu": mg.leaky_relu, "sqrt": lambda x: mg.sqrt(x * x),
    "maximum": lambda x: mg.maximum(x, 0), "minimum": lambda x: mg.minimum(x, 0), "clip": lambda x: mg.clip(x, 0, 1),
    "max": mg.max, "min": mg.min,
}  # fmt: skip


@pytest.mark.parametrize("kind", [flint.fmpq, Fraction, Ball], ids=lambda k: k.__name__)
@pytest.mark.parametrize("name", RATIONAL)
def test_rational_operations_keep_the_type_of_every_entry(name, kind):
    if kind is Ball:
        given, c = np.frompyfunc(Ball, 1, 1)(np.array(X, dtype=object)), Ball(7)
    else:
        given, c = array(X, kind), kind(7)
    x = mg.tensor(given, requires_grad=True)
    y = RATIONAL[name](x, c)
    check(kind, value=y.data)
    (y * y).sum().backward()
    check(kind, gradient=x.grad)
    check(kind, gradient=mg.grad(lambda x: RATIONAL[name](x, c).sum())(mg.tensor(given)).data)


@pytest.mark.parametrize("kind", [Ball, flint.arb], ids=lambda k: k.__name__)
@pytest.mark.parametrize("name", SMOOTH)
def test_smooth_operations_keep_balls_and_enclose_the_float_values(name, kind):
    numbers = np.array(X, dtype=object).astype(float)
    exact, floats = (mg.tensor(v, requires_grad=True) for v in (np.frompyfunc(kind, 1, 1)(numbers), numbers))
    for x in (exact, floats):
        SMOOTH[name](x).sum().backward()
    check(kind, value=SMOOTH[name](exact).data, gradient=exact.grad)
    for ball, x in zip(exact.grad.flat, floats.grad.flat, strict=True):
        assert Ball(ball).distance(x) < 1e-13


@pytest.mark.parametrize("name", KINKED)
def test_balls_raise_where_a_kink_lies_within_them(name):
    x = mg.tensor(np.array([Ball(flint.arb(1, 2)), Ball(flint.arb(1, 3))]), requires_grad=True)
    with pytest.raises(UndecidedError):
        KINKED[name](x).sum().backward()


@pytest.mark.parametrize("name", ["sign", "relu", "maximum", "minimum"])
def test_bare_flint_balls_are_refused_where_their_comparisons_would_be_wrong(name):
    with pytest.raises(TypeError):
        KINKED[name](mg.tensor(np.array([flint.arb(1, 2)])))


def test_integers_divide_into_fractions():
    x = mg.tensor(np.array([1, 2, 4], dtype=object), requires_grad=True)
    (x.mean() + mg.maximum(x, x).mean()).backward()
    assert all(type(g) is Fraction for g in x.grad)
    second = mg.grad(lambda x: mg.sum(mg.grad(lambda x: mg.sum(x) * mg.mean(x))(x)))(x.data)
    assert second.tolist() == [2, 2, 2]
    assert all(type(g) is Fraction for g in second)


@pytest.mark.parametrize("f", [mg.max, mg.min])
def test_equal_integers_share_a_gradient_as_fractions(f):
    x = mg.tensor(np.array([3, 3, 3], dtype=object), requires_grad=True)
    f(x).backward()
    assert x.grad.tolist() == [Fraction(1, 3)] * 3
    assert all(type(g) is Fraction for g in x.grad)


def test_state_of_an_optimizer_begins_at_zeros_of_the_parameters_type():
    for kind in (Fraction, flint.fmpq):
        params = [mg.nn.Parameter(array([[1, 2]], kind)), mg.nn.Parameter(array([3], kind), "bias")]
        optimizer = mg.optim.Optimizer(params, mg.rules.heavy_ball, kind(1, 2), {"momentum": kind(1, 2)}, on="weights")
        check(kind, **{f"state {i}": s for i, g in enumerate(optimizer.groups) for s in (*g.state, g.grads)})


def test_second_derivatives_of_a_mean_of_fractions_are_exact():
    """∇ Σ ∇ mean(x³) = 6x/n."""
    x = np.array([Fraction(1, 2), Fraction(3), Fraction(2, 7)], dtype=object)
    found = mg.grad(lambda x: mg.sum(mg.grad(lambda x: mg.mean(x * x * x))(x)))(x)
    assert found.tolist() == [6 * v / 3 for v in x]
    assert all(type(v) is Fraction for v in found)
