"""Tensor and backward(): what is computed, what is freed, and what is refused."""

import copy
import gc
import operator
import subprocess
import sys
import threading
import time
import weakref

import numpy as np
import pytest

import minigrad as mg
from minigrad.backend import to_host as host

pytestmark = pytest.mark.device


def leaf(*values):
    return mg.tensor(np.array(values), requires_grad=True)


def test_gradients_accumulate_at_leaves_only():
    x = leaf(1.0, 2.0)
    y = x * x
    z = y.sum()
    z.backward()
    (3 * x).sum().backward()
    assert np.array_equal(host(x.grad), [2.0 + 3, 4.0 + 3])
    assert y.grad is None
    assert z.grad is None


def test_gradients_of_two_leaves_share_no_memory():
    a, b = leaf(1.0), leaf(2.0)
    (a + b).backward()
    a.grad += 1
    assert b.grad == 1


def test_the_gradient_is_a_plain_array_of_the_tensors_dtype():
    for dtype in (np.float16, np.float32, np.float64):
        x = mg.tensor([1.0, 2.0], requires_grad=True, dtype=dtype)
        wide = mg.tensor([1.0, 2.0], dtype=np.float64)
        (x * wide).sum().backward()
        assert type(x.grad) is type(x.data)
        assert x.grad.dtype == dtype


def test_numpy_scalars_do_not_promote():
    x = mg.tensor([1.0, 2.0], dtype=np.float32)
    for y in (x * np.float64(2), np.float64(2) * x, x - np.float64(1), np.float64(1) / x, x ** np.float64(2)):
        assert y.dtype == np.float32


def test_an_array_on_the_left_defers_to_the_tensor():
    x = leaf(1.0, 2.0)
    y = mg.tensor([3.0, 4.0]).data * x
    assert isinstance(y, mg.Tensor)
    y.backward(np.ones(2))
    assert np.array_equal(host(x.grad), [3.0, 4.0])


def test_a_chain_of_a_million_nodes_runs_backward_and_is_dropped():
    # In a process of its own: a recursion too deep would end it.
    code = (
        "import numpy as np, minigrad as mg\n"
        "x = mg.tensor(1.0, requires_grad=True)\n"
        "y = x\n"
        "for _ in range(1_000_000): y = -y\n"
        "y.backward()\n"
        "assert x.grad == 1\n"
        "z = x\n"
        "for _ in range(1_000_000): z = -z\n"
        "del z\n"
        "print('done')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "done", done.stderr


def test_backward_frees_the_graph_without_the_garbage_collector():
    gc.disable()
    try:
        x = leaf(1.0, 2.0)
        y = mg.exp(x)
        z = mg.tanh(y).sum()
        inner = weakref.ref(y)
        del y
        assert inner() is not None
        z.backward()
        assert inner() is None
    finally:
        gc.enable()


def test_a_second_backward_says_that_the_graph_was_freed():
    y = (leaf(1.0, 2.0) ** 2).sum()
    y.backward()
    with pytest.raises(RuntimeError, match="freed by an earlier backward"):
        y.backward()


def test_a_graph_half_freed_is_refused_before_any_gradient_changes():
    x, w = leaf(1.0), leaf(2.0)
    shared = x * x
    (shared * 2).backward()
    before = x.grad.copy()
    with pytest.raises(RuntimeError, match="freed"):
        (shared * w).backward()
    assert np.array_equal(host(x.grad), host(before))
    assert w.grad is None


def test_retain_graph_allows_a_second_backward():
    x = leaf(3.0)
    y = x * x
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad == 12


def test_backward_of_several_numbers_needs_a_gradient_of_their_shape():
    y = leaf(1.0, 2.0) * 2
    with pytest.raises(ValueError, match=r"shape \(2,\) needs a gradient"):
        y.backward()
    with pytest.raises(ValueError, match=r"shape \(2,\), got \(3,\)"):
        y.backward(np.ones(3))


def test_backward_of_a_constant_is_refused():
    with pytest.raises(RuntimeError, match="requires gradients"):
        (mg.tensor([1.0]) * 2).backward()


def test_integers_have_no_gradients():
    with pytest.raises(TypeError, match="dtype int64 with requires_grad"):
        mg.tensor([1, 2], requires_grad=True)


def test_shapes_that_do_not_broadcast_are_named():
    with pytest.raises(ValueError, match=r"add of \(2,\), \(3,\)"):
        leaf(1.0, 2.0) + leaf(1.0, 2.0, 3.0)


def test_asarray_is_refused_and_names_numpy():
    with pytest.raises(TypeError, match=r"\.numpy\(\)"):
        np.asarray(leaf(1.0))


def test_no_grad_records_nothing_and_ends_with_its_block():
    x = leaf(1.0)
    with mg.no_grad():
        assert not (x * 2).requires_grad
    assert (x * 2).requires_grad

    @mg.no_grad()
    def quiet():
        return x * 2

    assert not quiet().requires_grad


def test_detach_keeps_the_value_and_forgets_the_graph():
    y = leaf(2.0) * 3
    assert y.detach().item() == 6
    assert not y.detach().requires_grad


# --- writes -----------------------------------------------------------------------------------------------------------


def written_iadd(t):
    with mg.no_grad():
        t += 1


def written_item(t):
    with mg.no_grad():
        t[0] = 5.0


def written_by_an_optimizer(t):
    t.grad = mg.tensor(np.ones(t.shape)).data
    mg.optim.SGD([t], lr=0.1).step()


@pytest.mark.parametrize("write", [written_iadd, written_item, written_by_an_optimizer])
def test_a_write_to_what_a_live_graph_needs_is_refused_at_backward(write):
    w = mg.nn.Parameter(np.array([1.0, 2.0]))
    other = leaf(3.0, 4.0)
    y = (w * other).sum()
    write(w)
    w.grad = None
    with pytest.raises(RuntimeError, match=r"operand of multiply, of shape \(2,\), was written"):
        y.backward()
    assert other.grad is None


def test_a_write_reaches_the_graph_through_a_view():
    x = mg.tensor(np.ones((2, 3)))
    w = mg.tensor(np.ones((2, 4)), requires_grad=True)
    y = (x.T @ w).sum()
    x[0] = 7.0
    with pytest.raises(RuntimeError, match="was written"):
        y.backward()


def test_a_write_to_what_no_gradient_needs_is_allowed():
    w, v = leaf(1.0), leaf(2.0)
    y = (w + v).sum()
    with mg.no_grad():
        w += 1
    y.backward()
    assert v.grad == 1


def test_a_write_is_refused_where_it_would_lose_a_gradient():
    w = leaf(1.0, 2.0)
    with pytest.raises(RuntimeError, match="not differentiable"):
        w += 1
    constant = mg.tensor([1.0, 2.0])
    with pytest.raises(RuntimeError, match="not differentiable"):
        constant += w


IN_PLACE = {
    "+=": operator.iadd, "-=": operator.isub, "*=": operator.imul, "/=": operator.itruediv, "**=": operator.ipow,
    "@=": operator.imatmul,
}  # fmt: skip


@pytest.mark.parametrize("name", IN_PLACE)
def test_every_operator_in_place_writes_a_tensor_of_ones_own(name):
    write, value = IN_PLACE[name], np.array([[1.0, 2.0], [3.0, 4.0]])
    x, other = mg.tensor(value), mg.tensor(value + 1)
    memory = x.data
    assert write(x, other) is x
    assert x.data is memory
    expected = getattr(operator, write.__name__[1:])(value, value + 1)
    np.testing.assert_allclose(host(x.data), expected, rtol=2**-50)
    w = mg.tensor(value, requires_grad=True)
    with pytest.raises(RuntimeError, match="not differentiable"):
        write(w, other)
    loss = (w * w).sum()
    with mg.no_grad():
        assert write(w, other) is w
    with pytest.raises(RuntimeError, match="was written"):
        loss.backward()
    result = w.detach() + 0
    assert write(result, other) is not result, "a result is a value: the name gets a new one"


def test_a_product_of_matrices_in_place_keeps_shape_and_dtype():
    x = mg.tensor([[1, 2], [3, 4]])
    with pytest.raises(ValueError, match=r"x @= y must keep the shape of x, \(2, 2\), and x @ y has shape \(2,\)"):
        x @= mg.tensor([1, 1])
    with pytest.raises(TypeError):
        x @= mg.tensor([[1.0, 1.0], [1.0, 1.0]])
    assert x.numpy().tolist() == [[1, 2], [3, 4]]


def test_results_are_values_and_in_place_addition_rebinds_them():
    x = leaf(1.0)
    y = x * 2
    first = y
    y += x
    assert first.item() == 2
    assert y.item() == 3
    y.backward()
    assert x.grad == 3
    with pytest.raises(RuntimeError, match="cannot be written"):
        first[0] = 1


def test_import_needs_numpy_alone():
    code = (
        "import sys, minigrad\n"
        "heavy = {'cupy', 'matplotlib', 'sklearn', 'scipy', 'rich', 'safetensors', 'hypothesis', 'torch', 'jax'}\n"
        "print(sorted(heavy & {m.partition('.')[0] for m in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_grad_as_a_decorator_is_shared_by_no_two_threads():
    both = threading.Barrier(2, timeout=10)
    x = leaf(1.0)
    seen = []

    @mg.no_grad()
    def meet(first):
        both.wait()
        if not first:
            time.sleep(0.05)  # leave after the other, having entered before or after it
        seen.append((-x).requires_grad)

    threads = [threading.Thread(target=meet, args=(i == 0,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [False, False]
    assert (-x).requires_grad


def test_repeated_indices_accumulate_in_every_spelling():
    for index in ([0, 0], mg.tensor([0, 0]).data, mg.tensor([0, 0]), ((0, 0),), (mg.tensor([0, 0]),)):
        x = leaf(1.0, 2.0)
        x[index].sum().backward()
        assert np.array_equal(host(x.grad), [2.0, 0.0])


def test_an_index_written_later_does_not_change_what_was_taken():
    for index in (mg.tensor([0, 0]), mg.tensor([0, 0]).data):
        x = leaf(1.0, 2.0)
        y = x[index].sum()
        index[0] = 1
        y.backward()
        assert np.array_equal(host(x.grad), [2.0, 0.0])


@pytest.mark.parametrize("within", [lambda i: i, lambda i: (i, slice(None))])
def test_nor_does_an_index_of_one_number(within):
    for index in (mg.tensor(0), mg.tensor(0).data):
        x = mg.tensor([[1.0], [2.0]], requires_grad=True)
        y = x[within(index)].sum()
        index[...] = 1
        y.backward()
        assert x.grad.tolist() == [[1.0], [0.0]]


def test_clip_without_bounds_shares_no_memory():
    t = mg.tensor([1.0, 2.0])
    clipped = mg.clip(t)
    t[0] = 9.0
    assert clipped.numpy()[0] == 1


def test_a_float16_mean_over_more_entries_than_float16_counts_has_a_gradient():
    g = mg.grad(lambda x: x.mean())(np.ones(100_000, np.float16))
    assert np.all(host(g) == np.float16(1e-5))


def test_no_gradient_passes_through_integers():
    x = leaf(1.0, 2.0)
    whole = x.astype(int)
    assert not whole.requires_grad
    g = mg.grad(lambda x: (x.astype(int) * 2.0 + 0 * x).sum())(np.ones(2))
    assert np.array_equal(host(g), [0.0, 0.0])


def test_options_that_are_numpy_scalars_do_not_promote():
    t = mg.tensor([0.3, 0.7], dtype=np.float32)
    one, zero = mg.tensor(np.ones(2, np.float32)), mg.tensor(np.zeros(2, np.float32))
    assert mg.clip(t, np.float64(0.1), np.float64(0.5)).dtype == np.float32
    assert mg.leaky_relu(t, np.float64(0.1)).dtype == np.float32
    assert mg.layer_norm(t, one, zero, np.float64(1e-5)).dtype == np.float32


def test_tensors_iterate_over_their_first_axis():
    assert [row.item() for row in leaf(1.0, 2.0)] == [1.0, 2.0]
    with pytest.raises(TypeError):
        list(mg.tensor(1.0))


def test_a_tensor_is_not_made_of_tensors():
    with pytest.raises(TypeError, match=r"mg\.stack"):
        mg.tensor([leaf(1.0), leaf(2.0)])


def test_a_leaf_is_copied_with_its_value_and_a_result_not_without_saying_what_is_lost():
    x = leaf(1.0, 2.0)
    with mg.no_grad():
        x += 1
    for copied in (copy.deepcopy(x), copy.copy(x)):
        assert host(copied.data).tolist() == [2.0, 3.0]
        assert copied.requires_grad
        square = (copied * copied).sum()
        mg.tensor([1.0])[0] = 2.0  # a write elsewhere: moments of the original would mean nothing here
        square.backward()
        assert host(copied.grad).tolist() == [4.0, 6.0]
    with pytest.raises(TypeError, match="take t.detach"):
        copy.deepcopy(x * x)


def test_a_second_derivative_that_there_is_none_of_is_refused_by_name_after_a_write_elsewhere_too():
    weight, images = leaf(1.0, 2.0), mg.tensor(np.ones((1, 2, 2, 2)))

    def length(w):
        slope = mg.grad(lambda v: (mg.conv2d(images, v.reshape(1, 1, 2, 1)) ** 2).sum())(w)
        mg.tensor([1.0])[0] = 2.0
        return (slope * slope).sum()

    with pytest.raises(NotImplementedError, match="the gradient of conv2d cannot itself be differentiated"):
        mg.grad(length)(weight)


def test_no_grad_refuses_to_decorate_what_runs_only_after_the_call():
    def pieces(w):
        yield (w * 2).requires_grad

    async def later(w):
        return (w * 2).requires_grad

    async def both(w):
        yield (w * 2).requires_grad

    for function in (pieces, later, both):
        with pytest.raises(
            TypeError, match=rf"no_grad cannot decorate {function.__name__}, whose body runs only after"
        ):
            mg.no_grad()(function)
    assert not mg.no_grad()(lambda w: w * 2)(leaf(1.0)).requires_grad
