"""A step captured on NumPy: every replay leaves the bits that the step itself would leave."""

import threading
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad as mg
from minigrad import nn, optim
from minigrad.executors.captured.program import Program
from minigrad.executors.captured.value import Value
from minigrad.training import fit
from tests.device.runs import OPTIMIZERS, Run, batches, bits, eager
from tests.device.test_capture_in_fit import WAYS, start, trained
from tests.ops.cases import CASES, Source

STEPS = 10  # RAdam changes its branch within


def same(a, b):
    return [x.tobytes() for x in a] == [x.tobytes() for x in b] and [x.shape for x in a] == [x.shape for x in b]


def turned(operands, k):
    """Operands of the same kinds and other numbers."""
    return [np.roll(x, k) if x.dtype.kind == "f" else x for x in operands]


# --- training ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_after_n_calls_everything_is_what_n_steps_leave(name, dtype):
    expected = eager(name, STEPS, dtype)
    run = Run(name, dtype)
    captured = mg.capture(run.step)
    losses = [captured(*b) for b in batches(STEPS, dtype)]
    assert ([x.item() for x in losses], run.state(), run.optimizer.hyper(STEPS)) == expected
    assert captured.launches() > 50


@pytest.mark.parametrize("executor", ["plain", "numpy", "auto"])
def test_whatever_executor_was_chosen(executor):
    run = Run("adamw", executor=executor)
    captured = mg.capture(run.step)
    for b in batches(STEPS):
        captured(*b)
    assert run.state() == eager("adamw", STEPS)[1]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_captured_run_is_the_run_bit_for_bit(name, way):
    expected = trained(start(name, decay=0.01), False, **WAYS[way])
    assert trained(start(name, decay=0.01), True, **WAYS[way]) == expected


def test_layers_of_all_kinds_train_alike():
    def network():
        rng = np.random.default_rng(0)
        return nn.Sequential(
            nn.Conv2d(3, 8, 3, rng=rng, padding=1), nn.BatchNorm(8), nn.ReLU(), nn.MaxPool2d(),
            nn.Conv2d(8, 8, 3, rng=rng, stride=2), nn.GELU(), nn.AvgPool2d(1), nn.Flatten(), nn.LayerNorm(8),
            nn.Dropout(0.3, rng=rng), nn.Linear(8, 4, rng=rng),
        )  # fmt: skip

    rng = np.random.default_rng(1)
    data = [(rng.standard_normal((5, 8, 8, 3)).astype(np.float32), rng.integers(0, 4, 5)) for _ in range(6)]
    found = []
    for capture in (False, True):
        model = network()
        optimizer = optim.RMSprop(model.parameters(), 0.01, l2=0.1)

        def step(x, y, model=model, optimizer=optimizer):
            optimizer.zero_grad()
            loss = mg.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        step = mg.capture(step) if capture else step
        losses = [step(*b).item() for b in data]
        found.append((losses, bits(model, optimizer)))
    assert found[0] == found[1]


def test_an_update_too_large_for_one_block_keeps_its_executor():
    found = []
    for capture in (False, True):
        p = nn.Parameter(np.linspace(-1, 1, 70_000))
        optimizer = optim.AdamW([p], 0.1, decay=0.01)

        def step(x, p=p, optimizer=optimizer):
            optimizer.zero_grad()
            (p * p * x).sum().backward()
            optimizer.step()

        step = mg.capture(step) if capture else step
        for k in range(4):
            step(np.float64(k + 1).reshape(1))
        found.append(bits(optimizer))
    assert found[0] == found[1]


def test_a_gradient_set_by_the_step_itself_is_what_the_update_takes():
    found = []
    for capture in (False, True):
        p = nn.Parameter(np.ones(3))
        optimizer = optim.SGD([p], 0.1)

        def step(x, p=p, optimizer=optimizer):
            optimizer.zero_grad()
            (p * x).sum().backward()
            p.grad = p.grad * 0.5
            optimizer.step()

        step = mg.capture(step) if capture else step
        for k in range(4):
            step(np.full(3, float(k)))
        found.append(p.data.tolist())
    assert found[0] == found[1]


def test_gradients_add_up_where_the_step_does_not_forget_them():
    found = []
    for capture in (False, True):
        w = mg.tensor(np.ones(3), requires_grad=True)
        step = lambda x, w=w: (w * x).sum().backward()  # noqa: E731
        step = mg.capture(step) if capture else step
        for k in range(5):
            step(np.full(3, float(k)))
        found.append(w.grad.tolist())
    assert found[0] == found[1]


# --- operations -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=str)
@given(seed=st.integers(0, 2**16))
def test_every_operation_and_its_gradient_replay_bit_for_bit(case, seed):
    call = case.make(Source(seed))
    operands = [np.asarray(x) for x in call.operands]

    def step(*xs):
        ts = [mg.tensor(x, requires_grad=x.dtype.kind == "f") for x in xs]
        y = call.f(*ts)
        if y.requires_grad:
            y.backward(np.ones(y.shape, y.dtype))
        return [y.data, *(t.grad for t in ts if t.grad is not None)]

    captured = mg.capture(step)
    for k in range(4):
        given = turned(operands, k)
        assert same(captured(*given), step(*given))


@pytest.mark.parametrize("case", [c for c in CASES if c.order == 2 and not c.flat], ids=str)
def test_so_do_gradients_of_gradients(case):
    call = case.make(Source(1))
    operands = [np.asarray(x) for x in call.operands]
    which = next(i for i, x in enumerate(operands) if x.dtype.kind == "f")

    def step(*xs):
        def inner(t):
            y = call.f(*xs[:which], t, *xs[which + 1 :])
            return (y * y).sum()

        return mg.grad(lambda t: (mg.grad(inner)(t) ** 2).sum())(xs[which])

    captured = mg.capture(step)
    for k in range(4):
        given = [mg.tensor(x) for x in turned(operands, k)]
        assert same([captured(*given).data], [step(*given).data])


# --- what a program is ------------------------------------------------------------------------------------------------


def test_a_program_is_recorded_without_running_and_runs_without_the_step():
    calls = []
    w = mg.tensor(np.zeros(3))

    def step(x):
        calls.append(x)
        with mg.no_grad():
            w.__iadd__(x)
        return mg.tanh(w)

    captured = mg.capture(step)
    for k in range(5):
        captured(mg.tensor(np.full(3, 2.0**k)))
    assert len(calls) == 2
    assert w.data.tolist() == [31.0] * 3


def test_what_an_operation_expects_of_its_numbers_is_not_warned_of_in_a_replay():
    captured = mg.capture(lambda x, y: mg.cross_entropy(x, y))
    x, y = np.array([[3e38, -3e38], [0, 0]], np.float32), np.array([1, 0])
    assert [captured(x, y).item() for _ in range(4)] == [np.inf] * 4  # overflows on its way, and warnings are errors


# --- where its arrays lie ---------------------------------------------------------------------------------------------

CALLS = {
    "tanh": lambda x, y: mg.tanh(x),
    "add": lambda x, y: x + y,
    "multiply": lambda x, y: x * y,
    "subtract from itself turned": lambda x, y: x - x.transpose(),
    "larger than its own column": lambda x, y: mg.maximum(x, x[:, :1]),
    "matmul": lambda x, y: x @ y,
    "view": lambda x, y: x.transpose(),
    "turned around": lambda x, y: x[::-1],
    "sum": lambda x, y: x.sum(axis=0, keepdims=True) + y,
    "choice": lambda x, y: mg.where(x.data > y.data, x, y),
    "rows": lambda x, y: x[[2, 0, 1, 2]],
}


@given(
    calls=st.lists(
        st.tuples(st.sampled_from(sorted(CALLS)), st.integers(0, 9), st.integers(0, 9), st.booleans()), max_size=30
    ),
    seed=st.integers(0, 9),
)
def test_no_array_is_written_over_as_long_as_anything_reads_it(calls, seed):
    def step(*xs):
        known = list(xs)
        for name, i, j, instead in calls:
            found = CALLS[name](known[i % len(known)], known[j % len(known)])
            known[i % len(known)] = found if instead else known[i % len(known)]
            known += [] if instead else [found]
        return [*known, sum(known, start=mg.tensor(0.0)).sum()]

    captured = mg.capture(step)
    rng = np.random.default_rng(seed)
    for _ in range(4):
        given = [mg.tensor(rng.standard_normal((4, 4))) for _ in range(3)]
        assert same([x.data for x in captured(*given)], [x.data for x in step(*given)])


@given(calls=st.lists(st.tuples(st.sampled_from(sorted(CALLS)), st.booleans()), min_size=1, max_size=20))
def test_nor_on_the_way_back(calls):
    def step(x, y):
        x = mg.tensor(x, requires_grad=True)
        z = x
        for name, other in calls:
            z = CALLS[name](z, y if other else x)
        (z * z).sum().backward()
        return z.data, x.grad

    captured = mg.capture(step)
    rng = np.random.default_rng(0)
    for _ in range(4):
        given = [mg.tensor(rng.uniform(-1, 1, (4, 4))) for _ in range(2)]
        assert same(captured(*given), step(*given))


def test_memory_is_free_after_the_last_line_that_reads_it():
    def step(x):
        with mg.no_grad():
            for _ in range(50):
                x = mg.tanh(x)
        return x * 1

    captured = mg.capture(step)
    x = mg.tensor(np.ones(1024))
    captured(x), captured(x)
    assert len(captured.program.lines) == 51
    assert captured.program.memory.held == 2 * x.data.nbytes, "one place for all, and the result"


def test_a_captured_step_holds_less_than_the_step_itself():
    model = nn.Sequential(*(nn.Linear(64, 64, rng=np.random.default_rng(0)), nn.ReLU()) * 4)
    optimizer = optim.SGD(model.parameters(), 0.1)

    def step(x):
        optimizer.zero_grad()
        loss = (model(x) ** 2).sum()
        loss.backward()
        optimizer.step()

    captured = mg.capture(step)
    x = np.ones((256, 64), np.float32)
    captured(x), captured(x)
    tracemalloc.start()
    step(x)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert captured.program.memory.held < 0.75 * peak


# --- what else a program is -------------------------------------------------------------------------------------------


def test_what_is_the_same_in_every_run_is_made_once():
    captured = mg.capture(lambda x: mg.tensor([0.0, 1.0, 2.0]) + x + mg.tensor([0.0] * 3))
    x = mg.tensor(np.ones(3))
    assert [captured(x * k).data.tolist() for k in range(4)] == [[k, k + 1, k + 2] for k in range(4)]
    assert captured.launches() == 2


def test_arrays_outside_of_the_step_are_read_anew():
    table = np.ones(3)
    captured = mg.capture(lambda x: mg.relu(table) * x)
    x = mg.tensor(np.ones(3))
    found = []
    for k in range(4):
        table[:] = k
        found.append(captured(x).data.tolist())
    assert found == [[k] * 3 for k in range(4)]


def test_a_write_of_a_replay_is_noticed_by_a_graph_that_needs_the_old_value():
    w = mg.tensor(np.ones(3), requires_grad=True)

    def step(x):
        with mg.no_grad():
            w.__iadd__(x)

    captured = mg.capture(step)
    for _ in range(3):
        captured(np.ones(3))
    square = (w * w).sum()
    captured(np.ones(3))
    with pytest.raises(RuntimeError, match="was written after it was used"):
        square.backward()


def test_lists_masks_and_named_tuples_are_taken_as_numpy_takes_them():
    def step(x):
        q, r = np.linalg.qr(x.data)
        y = np.add(x.data, [1, 2])
        y[y > 2] = True * x.data[0, 0]
        return q, r, y, x.data == True  # noqa: E712

    captured = mg.capture(step)
    for k in range(4):
        x = mg.tensor(np.array([[1.0, 2.0], [3.0, k]]))
        assert same(captured(x), step(x))


def test_a_captured_step_within_another_is_a_part_of_it():
    inner = mg.capture(lambda x: mg.tanh(x) * 2)
    outer = mg.capture(lambda x: inner(x) + inner(x * 3))
    x = mg.tensor(np.linspace(-1, 1, 5))
    expected = 2 * np.tanh(x.data) + 2 * np.tanh(3 * x.data)
    assert [np.array_equal(outer(x).data, expected) for _ in range(5)] == [True] * 5
    assert np.array_equal(inner(x).data, 2 * np.tanh(x.data))


def test_other_threads_compute_meanwhile():
    inside, outside = threading.Event(), threading.Event()
    found = []

    def other():
        inside.wait()
        found.append((mg.tensor(np.ones(3)) * 2).data)
        outside.set()

    thread = threading.Thread(target=other)
    thread.start()
    captured = mg.capture(lambda x: (inside.set() if warm else None, warm and outside.wait(), x + 1)[2])
    warm = False
    captured(mg.tensor(np.ones(3)))
    warm = True
    captured(mg.tensor(np.ones(3)))
    thread.join()
    assert type(found[0]) is np.ndarray
    assert found[0].tolist() == [2, 2, 2]


def test_tensors_are_as_before_after_a_recording_however_it_ends():
    def record(t):
        with Program().recording():
            assert isinstance(t.data, Value)
            raise ZeroDivisionError

    t = mg.tensor(np.ones(3))
    with pytest.raises(ZeroDivisionError):
        record(t)
    assert "data" not in vars(mg.Tensor)
    assert type(t.data) is np.ndarray


def test_a_value_that_is_kept_says_that_it_has_no_numbers():
    kept = []
    captured = mg.capture(lambda x: kept.append(x.data) or x)
    captured(mg.tensor(np.ones(3))), captured(mg.tensor(np.ones(3)))
    with pytest.raises(RuntimeError, match="belongs to a step that was captured"):
        kept[1] + 1


# --- what is refused --------------------------------------------------------------------------------------------------

READS = {
    "float()": lambda x: float(x.sum().data),
    "int()": lambda x: int(x.sum().data),
    "bool()": lambda x: bool(x.sum() > 0),
    "item()": lambda x: x.sum().item(),
    "tolist()": lambda x: x.data.tolist(),
    "to assign it": lambda x: np.zeros(3).__setitem__(slice(None), x.data),
    "array_equal()": lambda x: np.array_equal(x.data, x.data),
    "nonzero()": lambda x: x.data.nonzero(),
    "numpy()": lambda x: x.numpy(),
    "a mask as an index": lambda x: x[x.data > 0],
    "unique()": lambda x: np.unique(x.data),
    "where()": lambda x: np.where(x.data > 0),
}


@pytest.mark.parametrize("what", READS)
def test_a_step_that_reads_numbers_is_refused_when_it_is_recorded(what):
    run = Run("adamw")
    read = READS[what]

    def step(x, y):
        loss = run.step(x, y)
        read(mg.tensor(x)[0, :3])
        return loss

    captured = mg.capture(step)
    first, second = batches(2)
    captured(*first)
    before = run.state()
    with pytest.raises(RuntimeError) as refusal:
        captured(*second)
    assert str(refusal.value).startswith(what)
    assert run.state() == before, "nothing has run"


def test_a_label_out_of_range_is_found_in_every_call():
    run = Run("adamw")
    captured = mg.capture(run.step)
    for x, y in batches(3):
        captured(x, y)
    before = bits(run.optimizer)
    with pytest.raises(ValueError, match="label 3 is out of range"):
        captured(x, np.where(y == 2, 3, y))
    assert bits(run.optimizer) == before


@pytest.mark.device
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (lambda x, y: (x[:7], y[:7]), r"argument 0 had shape \(16, 6\).*got \(7, 6\)"),
        (lambda x, y: (x.astype(np.float64), y), "argument 0 had .*float32.*float64"),
        (lambda x, y: (x, y.astype(np.int32)), "argument 1 had .*int64.*int32"),
        (lambda x, y: (x,), "2 arguments, got 1"),
        (lambda x, y: (), "2 arguments, got 0"),
        (lambda x, y: (x, 3), "argument 1 was"),
    ],
)
def test_arguments_of_another_kind_are_refused_and_nothing_has_changed(changed, message):
    run = Run("adamw")
    captured = mg.capture(run.step)
    given = batches(4)
    for b in given[:3]:
        captured(*b)
    before = run.state()
    with pytest.raises(ValueError, match=message):
        captured(*changed(*given[3]))
    assert run.state() == before
    captured(*given[3])
    assert run.state() == eager("adamw", 4)[1]


def test_exact_numbers_are_refused_by_name():
    from fractions import Fraction

    captured = mg.capture(lambda x: x * 2)
    x = mg.tensor(np.array([Fraction(1, 3)], dtype=object))
    captured(x)
    with pytest.raises(TypeError, match="not with object"):
        captured(x)


def test_an_optimizer_that_no_longer_does_what_was_recorded_is_noticed():
    run = Run("adamw")
    captured = mg.capture(run.step)
    for b in batches(3):
        captured(*b)
    run.optimizer.groups[0].t[1] += 1  # as after steps in which not every parameter took part
    run.optimizer.groups[0].forget_runs()
    with pytest.raises(RuntimeError, match="capture the step anew"):
        captured(*batches(1)[0])


# --- the listing ------------------------------------------------------------------------------------------------------


def test_the_listing_is_the_step_line_by_line_under_its_source():
    run = Run("adamw")
    captured = mg.capture(run.step)
    for b in batches(3):
        captured(*b)
    listing = captured.listing()
    compile(listing, "<listing>", "exec")
    assert "# y = xp.matmul(_rows(xp, x), weight)\nnp.matmul(x, weight0, out=a" in listing
    assert "# w ← (1 − η) w − δ\n" in listing
    assert "np.subtract(out1, out0, out=w)" in listing
    assert listing.count("np.matmul(") >= 5
    assert "object at 0x" not in listing


def test_fit_captures_on_numpy_and_refuses_what_it_would_freeze():
    run = start()
    with pytest.raises(RuntimeError, match="reads numbers in a step that is captured"):
        fit(*run, epochs=1, loss=lambda p, y: mg.cross_entropy(p, y) * (1 + 0 * p.sum().item()), capture=True,
            progress=False)  # fmt: skip
