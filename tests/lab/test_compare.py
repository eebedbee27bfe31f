import json
import re

import numpy as np
import pytest

from minigrad import backend, data
from minigrad.lab import ENTRIES, Settings, compare
from minigrad.lab.partners import BoundExceededError, DivergenceError
from minigrad.lab.progress import Silent
from minigrad.lab.report import ROUNDINGS, as_json
from minigrad.lab.trial import train
from minigrad.nn import Parameter
from minigrad.proof.rounding import one_step_bound, unit_roundoff
from minigrad.regularization import L2, VARIANTS, decoupled

BY_NAME = {entry.name: entry for entry in ENTRIES}
USED = 0.3  # of the bound, at the least, by some weight of some step: met in practice, not derived
SHORT = {"epochs": 2, "batch_size": 64}


@pytest.fixture(scope="module")
def sgd():
    return compare(Settings(optimizer="sgd", **SHORT))


def trained(name, split=None, **options):
    """Train one entry alone."""
    settings = Settings(**{"epochs": 1, "batch_size": 64} | options)
    split = split or data.digits(dtype=settings.dtype)
    return train(BY_NAME[name], settings, split, lambda *_: None)


def weights(run):
    return run.points[-1]


def largest(points):
    return max(float(np.max(np.abs(p))) for p in points)


def rounding(run):
    """What the rounding of one step may amount to, in the largest weight of the run."""
    return ROUNDINGS * unit_roundoff(run.points[0].dtype) * largest(run.points)


# --- what is compared -------------------------------------------------------------------------------------------------


def test_the_fourteen_entries_are_those_of_the_list_and_partners_are_of_the_same_family():
    assert [(e.family, e.name, e.door, e.label) for e in ENTRIES] == [
        ("sgd", "sgd", "none", "none"),
        ("sgd", "sgd_loss_l2", "loss", "L2 in the loss"),
        ("sgd", "sgd_l2", "gradient", "L2 in the gradient"),
        ("sgd", "sgd_decay", "update", "weight decay"),
        ("sgd", "sgd_slips", "slips", "a loop often seen"),
        ("sgd", "sgd_loss_l1", "loss", "L1 in the loss"),
        ("sgd", "sgd_prox_l1", "update", "L1 as soft threshold"),
        ("momentum", "heavy_ball_l2", "gradient", "L2, λ = η/α"),
        ("momentum", "heavy_ball_l2_stationary", "gradient", "L2, λ = (1−β)η/α"),
        ("momentum", "heavy_ball_decay", "update", "weight decay"),
        ("adam", "adam", "none", "none"),
        ("adam", "adam_loss_l2", "loss", "L2 in the loss"),
        ("adam", "adam_l2", "gradient", "L2 in the gradient"),
        ("adam", "adam_decay", "update", "weight decay (AdamW)"),
    ]
    assert len(BY_NAME) == 14
    for entry in ENTRIES:
        assert entry.partner is None or BY_NAME[entry.partner].family == entry.family


def test_an_entry_whose_door_is_the_optimizers_has_the_name_of_its_variant():
    for entry in ENTRIES:
        assert entry.in_loss or entry.name.replace("_stationary", "") in VARIANTS


def test_every_entry_starts_from_the_same_weights_and_sees_the_same_batches(sgd):
    starts = [run.points[0] for run in sgd.runs.values()]
    assert all(np.array_equal(starts[0], s) for s in starts)
    first = [run.curve[0].data_loss for run in sgd.runs.values()]
    assert len(set(first)) == 1


def test_the_identity_holds_at_every_step_within_the_bound_which_is_not_vacuous(sgd):
    # That much of the bound is used is no theorem: an empirical check that it is not far too wide.
    for name in ("sgd_loss_l2", "sgd_l2", "sgd_decay"):
        ratio = sgd.runs[name].one_step.bound_ratio
        assert ratio <= 1, name
        assert ratio > USED, name


def test_one_step_differences_of_what_is_not_one_algorithm_are_far_beyond_rounding(sgd):
    same = sgd.runs["sgd_l2"].one_step.weights
    assert sgd.runs["sgd_slips"].one_step.weights > 100 * same
    assert sgd.runs["sgd_loss_l1"].one_step.weights > 100 * same


def test_the_loop_often_seen_acts_twice_as_strongly_and_on_biases_too():
    # α = 1, η = 0.5: λ = 0.5, so that Σp² with the coefficient λ has the gradient p, on weights and biases alike.
    run = trained("sgd_slips", lr=1.0, decay=0.5)
    # What the partner lacks after the first step is α λ w on weights.
    assert run.one_step.weights >= 0.5 * largest(run.points[:1]) - rounding(run)
    n = Settings(lr=1.0, decay=0.5).numbers("sgd", None)
    bias = Parameter(np.full(3, 2.0), role="bias")
    assert BY_NAME["sgd_slips"].penalty(n)([bias]).item() == 0.5 * 12
    assert BY_NAME["sgd_loss_l2"].penalty(n)([bias]) == 0


def test_only_the_soft_threshold_makes_exact_zeros(sgd):
    assert sgd.runs["sgd_prox_l1"].zeros > 0
    assert all(run.zeros == 0 for name, run in sgd.runs.items() if name != "sgd_prox_l1")


def test_heavy_ball_agrees_after_one_step_but_its_buffers_differ_by_l2_times_w():
    """The buffers b satisfy αb = w − w′, so |b| ≤ 2M/α, and |g| = |b − βb′| ≤ 4M/α, M the largest weight of the run."""
    run = trained("heavy_ball_l2", decay=1e-3)
    one, n, m = run.one_step, run.numbers, largest(run.points)
    start = largest(run.points[:1])
    assert run.steps == list(range(len(run.steps)))
    assert one.roundings <= ROUNDINGS
    # u each of λw, g + λw and the two buffers; and once more of λw, as the test computes it
    off = unit_roundoff("float64") * (8 / n.lr + 5 * n.l2) * m
    assert one.state_off_l2w <= off
    assert one.state >= n.l2 * start - off
    stationary = trained("heavy_ball_l2_stationary", decay=1e-3)
    # η|w| against (1 − β)η|w|
    assert stationary.one_step.weights >= n.momentum * n.decay * start - rounding(stationary)


def test_runs_of_momentum_and_adam_part_far_beyond_rounding():
    """A hundred times what ROUNDINGS of the largest weight in each step add up to."""
    for family in ("momentum", "adam"):
        results = compare(Settings(optimizer=family, epochs=1, batch_size=64))
        for name, distance in results.distances.items():
            run = results.runs[name]
            unit = np.linalg.norm(run.points[0]) / np.sqrt(run.points[0].size)
            assert distance[0] == 0
            assert distance[-1] > 100 * results.steps * rounding(run) / unit, name


@pytest.mark.parametrize("schedule", ["cosine", "step", "warmup", "restarts"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_identity_holds_under_every_schedule_that_multiplies_both(schedule, dtype):
    run = trained("sgd_loss_l2", schedule=schedule, dtype=dtype, on="all", decay=0.01)
    assert run.one_step.bound_ratio <= 1
    assert run.one_step.bound_ratio > USED  # empirical, as above


def test_the_cnn_trains_too():
    results = compare(Settings(model="cnn", optimizer="adam", epochs=1, batch_size=128))
    last = results.runs["adam"].curve
    assert last[-1].data_loss < last[0].data_loss


# --- no door is computed through another ------------------------------------------------------------------------------


def test_breaking_the_penaltys_gradient_moves_door_two_alone(monkeypatch):
    split = data.digits()
    sound = {name: weights(trained(name, split)) for name in ("sgd_loss_l2", "sgd_decay")}
    door_two = {name: trained(name, split) for name in ("adam_l2", "adam_loss_l2", "adam_decay")}
    monkeypatch.setattr(L2, "gradient", staticmethod(lambda w, *, l2: 2 * l2 * w))
    assert np.array_equal(weights(trained("sgd_loss_l2", split)), sound["sgd_loss_l2"])
    with pytest.raises(BoundExceededError, match="sgd_l2 and sgd_decay differ by .* after step 0, .* times the"):
        trained("sgd_l2", split)
    assert not np.array_equal(weights(trained("adam_l2", split)), weights(door_two["adam_l2"]))
    for name in ("adam_loss_l2", "adam_decay"):
        assert np.array_equal(weights(trained(name, split)), weights(door_two[name])), name


def test_breaking_the_penaltys_value_is_caught_at_door_one_alone(monkeypatch):
    monkeypatch.setattr(L2, "value", staticmethod(lambda w, *, l2: l2 * (w**2).sum()))
    trained("sgd_l2")
    trained("sgd_decay")
    with pytest.raises(BoundExceededError, match="sgd_loss_l2 and sgd_decay"):
        trained("sgd_loss_l2")


def test_breaking_the_shrink_is_caught_wherever_decay_takes_part(monkeypatch):
    def twice(rule):
        return decoupled(rule, lambda w, decay: (1 - 2 * decay) * w)

    monkeypatch.setattr("minigrad.optim.choice.decoupled", twice)
    for name in ("sgd_loss_l2", "sgd_l2", "sgd_decay"):
        with pytest.raises(BoundExceededError):
            trained(name)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_defect_of_four_times_the_bound_is_caught(monkeypatch, dtype):
    """With |z| ≥ (1 − η)|w| − |αg| the bound is at least u(7/2 + η)|w|: so 4·(7/2)u|w| is at most four times it."""
    n = Settings(dtype=dtype).numbers("sgd", None)
    planted = 4 * 3.5 * unit_roundoff(dtype) / n.lr
    monkeypatch.setattr(L2, "gradient", staticmethod(lambda w, *, l2: l2 * w + planted * abs(w)))
    w = np.linspace(0.5, 1, 100).astype(dtype)
    for g in (0 * w, w, -w):
        assert np.all(n.lr * planted * w <= 4 * one_step_bound(w, g, n.lr, n.decay))
    with pytest.raises(BoundExceededError) as caught:
        trained("sgd_l2", dtype=dtype)
    ratio = float(re.search(r"(\S+) times the rounding bound", str(caught.value))[1])
    assert 1 < ratio <= 4 + 1


# --- settings and results ---------------------------------------------------------------------------------------------


def test_equal_settings_give_equal_results_and_another_seed_gives_others(sgd):
    again = compare(Settings(optimizer="sgd", **SHORT))
    assert as_json(again) == as_json(sgd)
    other = compare(Settings(optimizer="sgd", seed=1, **SHORT))
    assert as_json(other) != as_json(sgd)


def test_json_holds_every_column_of_every_entry(sgd):
    read = json.loads(as_json(sgd))
    assert read["format"] == 1
    assert read["settings"]["epochs"] == 2
    assert [v["name"] for v in read["variants"]] == [e.name for e in ENTRIES if e.family == "sgd"]
    for v in read["variants"]:
        assert set(v) == {
            "name", "family", "label", "door", "lr", "decay", "l2", "l1", "momentum", "partner", "data_loss", "penalty",
            "train_accuracy", "test_accuracy", "norm", "zeros", "one_step", "whole_run", "curves",
        }  # fmt: skip
        assert v["l2"] == v["decay"] / v["lr"]
        curves = v["curves"]
        assert curves["step"][0] == 0
        assert curves["step"][-1] == read["steps"]
        lengths = {len(c) for c in curves.values() if c is not None}
        assert lengths == {len(curves["step"])}
        assert curves["data_loss"][-1] == v["data_loss"]
        if v["partner"]:
            assert curves["distance"][-1] == v["whole_run"]
            assert set(v["one_step"]) == {"weights", "state", "bound_ratio", "state_off_l2w"}
        else:
            assert v["one_step"] is v["whole_run"] is curves["distance"] is None


def test_the_penalty_is_apart_from_the_data_loss(sgd):
    plain, penalised = sgd.runs["sgd_l2"], sgd.runs["sgd_loss_l2"]
    assert np.array_equal(weights(plain), weights(penalised))  # doors 1 and 2 agree in every bit
    assert penalised.penalty == plain.penalty
    assert penalised.curve[-1].data_loss == plain.curve[-1].data_loss
    assert sgd.runs["sgd_decay"].penalty is None
    # Each side squares (u), adds n squares in some order ((n − 1) u) and scales or takes a root and squares (≤ 4u).
    rounding_of_sums = 2 * (weights(plain).size + 4) * unit_roundoff("float64") * (1 + 1e-9)
    by_norm = penalised.numbers.l2 / 2 * penalised.curve[-1].norm ** 2
    assert abs(penalised.penalty - by_norm) <= rounding_of_sums * by_norm


def test_divergence_is_named_and_nothing_is_returned():
    with pytest.raises(DivergenceError, match="adam_l2 diverged: .* choose a smaller learning rate"):
        trained("adam_l2", lr=1e35, dtype="float32")
    with pytest.raises(DivergenceError, match="sgd_l2 diverged"):
        trained("sgd_l2", lr=1e30, dtype="float32")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "mpl"}, "unknown model 'mpl'; did you mean mlp"),
        ({"optimizer": "adamw"}, "did you mean adam"),
        ({"schedule": "cosin"}, "did you mean cosine"),
        ({"dtype": "float16"}, "unknown dtype 'float16'; did you mean float"),
        ({"backend": "numpi"}, "did you mean numpy"),
        ({"on": "bias"}, "unknown choice of parameters 'bias'"),
        ({"epochs": 0}, "epochs must be an integer ≥ 1"),
        ({"batch_size": -2}, "batch size must be an integer ≥ 1"),
        ({"seed": -1}, "seed must be an integer ≥ 0"),
        ({"lr": 0.0}, "lr must be > 0"),
        ({"lr": float("nan")}, "lr must be finite"),
        ({"decay": 1.0}, "decay must be < 1"),
        ({"decay": -0.1}, "decay must be ≥ 0"),
        ({"lr": 1e-45, "decay": 0.5, "dtype": "float32"}, "beyond float32"),
    ],
)
def test_settings_that_cannot_be_trained_with_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Settings(**options)


def test_the_back_end_is_as_before_after_a_comparison():
    before = backend.current()
    told = []

    class Watch(Silent):
        def begin(self, entry, index, count, epochs):
            told.append((entry.name, index, count, epochs))

    compare(Settings(optimizer="momentum", epochs=1, batch_size=512), Watch())
    assert backend.current() is before
    assert told == [(e.name, i, 3, 1) for i, e in enumerate((e for e in ENTRIES if e.family == "momentum"), 1)]
