"""The contenders compute the same thing: NumPy by hand against finite differences, and the others against it."""

import sys

import numpy as np
import pytest

from minigrad.lab.bench import engine, step, update
from minigrad.lab.bench.contenders import MODULES, by_hand, judge, of_minigrad, of_numpy
from minigrad.lab.bench.job import SkippedError
from minigrad.lab.bench.turns import _off

MLP = step.mlp(6, 7, 5, 10)
CNN = step._cnn(4, 8, 2, 3, 4)
DEEP = step._deep(4, 8, 2, 3, 4)
NETWORKS = pytest.mark.parametrize("case", [MLP, CNN, DEEP], ids=["mlp", "cnn", "batch norm"])


def made(name, task):
    from importlib import import_module

    try:
        return import_module(MODULES[name]).make(name, task)
    except SkippedError as skipped:
        pytest.skip(str(skipped))


@NETWORKS
def test_the_gradients_by_hand_are_those_of_central_differences(case):
    x, labels = step.batches(case.task)[0]
    x, h = x.astype(np.float64), 1e-6

    def loss_at(i, shift):
        network = by_hand.Network(case.task, np.float64)
        network.optimizer.w[i] += shift
        return network.step(x, labels)

    network = by_hand.Network(case.task, np.float64)
    network.step(x, labels)
    gradient = network.optimizer.g
    for i in np.random.default_rng(0).choice(gradient.size, 40, replace=False):
        # Central differences err by h²|f‴|/6 and by 2u|f|/h, about 10⁻¹⁰ here; a step across a kink would show.
        assert abs((loss_at(i, h) - loss_at(i, -h)) / (2 * h) - gradient[i]) < 1e-7


def test_adamw_by_hand_is_the_published_rule():
    rng = np.random.default_rng(0)
    w, g = rng.standard_normal((2, 50))
    hand = by_hand.AdamW(w.copy(), g)
    m = v = np.zeros(50)
    a = step.ADAMW
    for t in range(1, 6):
        hand.step()
        m, v = a["beta1"] * m + (1 - a["beta1"]) * g, a["beta2"] * v + (1 - a["beta2"]) * g * g
        m_hat, v_hat = m / (1 - a["beta1"] ** t), v / (1 - a["beta2"] ** t)
        w = (1 - a["decay"]) * w - a["lr"] * m_hat / (np.sqrt(v_hat) + a["eps"])
    assert np.max(np.abs(hand.w - w)) < 1e-14


@NETWORKS
@pytest.mark.parametrize("name", ["numpy", "minigrad", "minigrad-plain", "minigrad-numpy"])
def test_losses_agree_with_the_judge(case, name):
    assert off(name, case) <= 1


@pytest.mark.oracle
@NETWORKS
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["torch", "torch-fused", "torch-channels-last", "jax", "autograd", "mygrad"])
def test_losses_of_other_libraries_agree_with_the_judge(case, name):
    assert off(name, case) <= 1


def off(name, case):
    job = made(name, case.task)
    job.repeat()
    return _off(job.values, made("judge", case.task).values, case)


@NETWORKS
@pytest.mark.parametrize("number", ["lr", "beta1", "decay"])
def test_an_optimizer_with_one_wrong_number_is_caught(case, number, monkeypatch):
    right = made("judge", case.task).values
    monkeypatch.setitem(step.ADAMW, number, step.ADAMW[number] * 0.8)
    assert _off(made("minigrad-plain", case.task).values, right, case) > 1


@pytest.mark.parametrize("graph", engine.GRAPHS)
@pytest.mark.parametrize("nodes", [10, 37])
@pytest.mark.parametrize("name", ["minigrad", "torch", "autograd", "mygrad"])
@pytest.mark.filterwarnings("ignore")
def test_graphs_have_the_same_values_and_gradients_in_every_library(graph, nodes, name):
    case = engine._case(graph, nodes)
    job = made(name, case.task)
    job.repeat()
    assert _off(job.values, of_numpy.graph(case.task)(), case) <= 1


@pytest.mark.parametrize(
    "variant", ["sgd", "sgd_decay", "heavy_ball_l2", "adam_prox_l1", "lion_elastic_net", "adam_decay"]
)
@pytest.mark.parametrize("tensors", [1, 3])
def test_updates_agree_with_the_judge(variant, tensors):
    case = update._case(variant, tensors, 2000)
    assert off("minigrad-plain", case) <= 1


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("variant", update.TORCH)
@pytest.mark.parametrize("name", ["torch", "torch-foreach", "torch-fused"])
def test_updates_of_torch_agree_with_the_judge(variant, name):
    assert off(name, update._case(variant, 2, 2000)) <= 1


def test_the_judge_sees_the_same_entries_whatever_the_size():
    a, b = judge.first({}, 16), judge.first({}, 5000)
    assert all(np.array_equal(x, y[:16]) for x, y in zip(a, b, strict=True))


def test_every_variant_has_a_value_for_each_of_its_numbers():
    for case in update.cases(False):
        update.numbers(case.task["variant"])


@pytest.mark.parametrize("name", ["gemm", "gemm-torch", "roofline"])
@pytest.mark.filterwarnings("ignore")
def test_the_limits_can_be_measured(name):
    case = update._case("adam", 1, 1000) if name == "roofline" else MLP
    assert made(name, case.task).repeat() is None


def test_a_roofline_without_numba_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    assert made("roofline", update._case("adam", 1, 10**5).task).facts["kernel"] == "NumPy, in blocks"


def test_numba_is_skipped_where_it_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(SkippedError, match="numba"):
        of_minigrad.adamw("minigrad-numba", by_minigrad())


def by_minigrad():
    return of_minigrad.network(MLP.task).parameters()


def test_the_flops_of_a_step_are_those_of_its_products():
    assert MLP.facts["gemm_flops"] == 2 * 6 * (2 * 7 * 5 + 3 * 5 * 10)


@pytest.mark.parametrize("cache", ["filled", "empty"])
@pytest.mark.parametrize("name", ["numpy", "minigrad", "minigrad-numpy"])
def test_a_first_step_from_a_cold_start_has_a_clock_of_its_own(name, cache):
    job = made(name, {"kind": "cold", "what": "step", "cache": cache})
    assert job.repeat() > 0
    job.close()


@pytest.mark.oracle
@pytest.mark.parametrize("name", ["torch", "jax"])
def test_first_steps_of_other_libraries_can_be_timed(name):
    pytest.importorskip(name)
    job = made(name, {"kind": "cold", "what": "step", "cache": "empty"})
    assert job.repeat() > 0


def test_importing_minigrad_is_timed_with_numpy_and_beyond_it():
    job = made("minigrad", {"kind": "cold", "what": "import"})
    assert job.repeat() > 0
    assert job.facts["beyond_numpy"] > 0
