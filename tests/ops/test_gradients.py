"""Every operation's derivatives, against the complex step; and that this check catches every wrong one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad as mg
from minigrad import ops
from minigrad.autodiff import backpropagate
from minigrad.gradcheck import GradientError
from minigrad.ops.operation import op
from tests.ops.cases import CASES, Drawn, Source

each = pytest.mark.parametrize("case", CASES, ids=str)
SEEDS = range(4)


def leaves(operands, dtype=np.float64):
    return [
        mg.tensor(x, requires_grad=True, dtype=dtype) if x.dtype.kind == "f" else mg.tensor(x) for x in operands
    ]  # fmt: skip


def gradients(y, xs, seed=None):
    """The bare gradients, before a leaf casts them to its own dtype."""
    wanted = [x for x in xs if x.requires_grad]
    seed = np.random.default_rng(1).standard_normal(y.shape).astype(y.dtype) if seed is None else seed
    found = backpropagate(y, seed, wanted)
    return [found.get(x) for x in wanted]


def test_every_operation_has_a_case():
    covered = {c.name.split()[0] for c in CASES}
    assert set(ops.__all__) <= covered


@each
@given(data=st.data())
def test_gradients_agree_with_the_complex_step(case, data):
    call = case.make(Drawn(data.draw))
    mg.gradcheck(call.f, *call.operands, order=1)


@pytest.mark.parametrize("case", [c for c in CASES if c.order == 2], ids=str)
@given(data=st.data())
def test_gradients_of_gradients_agree_with_the_complex_step(case, data):
    call = case.make(Drawn(data.draw))

    def squared(*operands):
        y = call.f(*operands)
        return y * y

    mg.gradcheck(squared, *call.operands, order=2)


@pytest.mark.parametrize("case", [c for c in CASES if c.order == 1], ids=str)
def test_operations_without_a_second_derivative_say_so_by_name(case):
    call = case.make(Source(0))
    with pytest.raises(NotImplementedError, match=f"gradient of {case.operation.__name__} cannot itself be diff"):
        mg.gradcheck(call.f, *call.operands, order=2)
    x, v = call.operands[0], np.ones_like(call.operands[0])
    with pytest.raises(NotImplementedError, match=case.operation.__name__):
        mg.hvp(lambda x: (call.f(x, *call.operands[1:]) ** 2).sum())(x, v)


def perturbed(operation, i):
    """Return the operation's vjps, with that of operand `i` a thousandth too large."""
    if operation.variadic:
        right = operation.vjps.vjp
        wrong = lambda xp, g, y, j, *rest, **options: (  # noqa: E731
            right(xp, g, y, j, *rest, **options) * (1.001 if j == i else 1)
        )
        return type(operation.vjps)(wrong)
    vjps = list(operation.vjps)
    vjps[i] = lambda *args, right=vjps[i], **options: right(*args, **options) * 1.001
    return tuple(vjps)


@pytest.mark.parametrize("case", [c for c in CASES if not c.flat], ids=str)
def test_every_perturbed_vjp_is_caught(case, monkeypatch):
    wanted = set()
    caught = set()
    for seed in range(12):
        call = case.make(Source(seed))
        xs = leaves(call.operands)
        there = iter(gradients(call.f(*xs), xs))
        for i, x in enumerate(xs):
            if not x.requires_grad:
                continue
            wanted.add(i)
            g = next(there)
            if g is None or np.max(np.abs(g)) < 1e-9:  # the loser of a maximum, softmax of one class, x⁰
                continue
            with monkeypatch.context() as patch:
                patch.setattr(case.operation, "vjps", perturbed(case.operation, i))
                with pytest.raises(GradientError, match=f"order 1, argument {i}"):
                    mg.gradcheck(call.f, *call.operands, order=1)
            caught.add(i)
    assert caught == wanted


@pytest.mark.parametrize("case", [c for c in CASES if c.single], ids=str)
def test_vjps_read_only_what_they_declare(case):
    for seed in SEEDS:
        call = case.make(Source(seed))
        xs = leaves(call.operands)
        y = call.f(*xs)
        if not y.requires_grad:
            continue
        assert y.operation is case.operation
        expected = gradients(y, xs)
        read = {id(y.operands[i]) for i in y.operation.read(y.operands) if i < len(y.operands)}
        for x in xs:
            if id(x) not in read and x.requires_grad:
                x.data = np.full_like(x.data, np.nan)
        for g, e in zip(gradients(y, xs), expected, strict=True):
            np.testing.assert_array_equal(g, e)


@each
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtype_in_is_dtype_out(case, dtype):
    for seed in SEEDS:
        call = case.make(Source(seed))
        xs = leaves(call.operands, dtype)
        y = call.f(*xs)
        assert y.dtype == dtype
        for x, g in zip([x for x in xs if x.requires_grad], gradients(y, xs), strict=True):
            assert g is None or (g.dtype, g.shape) == (dtype, x.shape)


@pytest.mark.parametrize(
    "f", [mg.add, mg.subtract, mg.multiply, mg.divide, mg.maximum, mg.matmul, mg.mse], ids=lambda f: f.__name__
)
def test_a_gradient_has_the_dtype_of_its_operand_beside_a_wider_one_too(f):
    narrow = mg.tensor(np.array([1, 2], np.float32), requires_grad=True)
    wide = mg.tensor(np.array([3.0, 4.0]), requires_grad=True)
    assert [g.dtype for g in gradients(f(narrow, wide), [narrow, wide])] == [np.float32, np.float64]


@each
def test_results_are_the_same_recorded_or_not(case):
    call = case.make(Source(0))
    with mg.no_grad():
        bare = call.f(*leaves(call.operands))
    assert not bare.requires_grad
    np.testing.assert_array_equal(bare.data, call.f(*leaves(call.operands)).data)


def test_a_stale_save_is_caught_in_second_order():
    @op(save=lambda xp, x: np.exp(getattr(x, "data", x) if isinstance(x, mg.Tensor) else x), reads=())
    def stale_exp(xp, saved, x):
        return saved

    stale_exp.vjp(lambda xp, g, y, saved, x: g * saved)
    x = np.array([0.5, 1.0])
    mg.gradcheck(stale_exp, x, order=1)
    with pytest.raises(GradientError, match="order 2"):
        mg.gradcheck(stale_exp, x, order=2)


def test_an_option_array_beside_a_tensor_needs_no_gradient():
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    y = mg.matmul([[1.0, 2.0], [3.0, 4.0]], x)
    y.backward([1.0, 1.0])
    np.testing.assert_array_equal(x.grad, [4.0, 6.0])


@pytest.mark.parametrize(
    ("subscripts", "shapes"),
    [
        ("...ij,j", [(2, 3, 4), (4,)]),  # no arrow, and one axis under the dots: it is in the result
        ("...ij,j", [(2, 2, 3, 4), (4,)]),
        ("ij,j->...i", [(3, 4), (4,)]),  # dots with nothing under them
    ],
)
def test_einsum_goes_back_through_dots(subscripts, shapes):
    rng = np.random.default_rng(0)
    mg.gradcheck(lambda *xs: mg.einsum(subscripts, *xs), *(rng.standard_normal(s) for s in shapes))


@pytest.mark.parametrize("axes", [(0, -1, 1), (-1, 0, 1), (-2, 2, -3), (1, 2, 0)])
def test_transpose_goes_back_where_axes_are_counted_from_the_end(axes):
    x = mg.tensor(np.zeros((2, 3, 4)), requires_grad=True)
    y = mg.transpose(x, axes)
    seed = np.arange(24.0).reshape(y.shape)
    y.backward(seed)
    np.testing.assert_array_equal(np.transpose(x.grad, axes), seed)
