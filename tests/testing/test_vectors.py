"""The vectors are what the code computes, and what is wrong does not meet them."""

import dataclasses
import json
import subprocess
import sys
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from minigrad.proof.branches import branches
from minigrad.proof.claims import UndecidedError
from minigrad.regularization import L2, coupled, decoupled, shrink
from minigrad.regularization.variants import VARIANTS, Variant, variant
from minigrad.rules import RULES, scalar_state, state_names
from minigrad.testing import generate, vectors
from minigrad.testing.runs import PropertyError, positional, reference
from tests.testing import optimizers as opt

VISIBLE = 100
ROOT = Path(__file__).resolve().parents[2]


def test_there_is_a_file_for_every_variant_and_together_they_are_small():
    files = sorted(p.name for p in vectors.FOLDER.iterdir())
    assert files == sorted(f"{name}.json" for name in VARIANTS) == sorted(f"{name}.json" for name in vectors.names())
    assert sum(p.stat().st_size for p in vectors.FOLDER.iterdir()) < 12 * 1024 * len(files)


@pytest.mark.parametrize("name", VARIANTS)
def test_a_file_is_what_is_generated_to_the_byte(name):
    assert (vectors.FOLDER / f"{name}.json").read_bytes() == generate.text(name).encode()


def test_all_files_are_written_by_one_call(tmp_path):
    assert {p.name: p.read_bytes() for p in generate.write(tmp_path / "new")} == {
        p.name: p.read_bytes() for p in vectors.FOLDER.iterdir()
    }


@pytest.mark.parametrize("name", VARIANTS)
def test_every_claim_about_a_file_and_a_rules_two_doors_is_as_expected(name):
    for claim in vectors.claims():
        if claim.name.partition(".")[0] == name:
            assert claim.prove().holds == claim.expected, claim.name


def altered(monkeypatch, name, **changes):
    """Let the first weight of the first step on file be another."""
    found = vectors.load(name)
    found.steps[0]["w"] = dataclasses.replace(found.steps[0]["w"], **changes)
    monkeypatch.setattr(vectors, "load", lambda _: found)


@pytest.mark.parametrize("changes", [{"tolerance": 0.9}, {"error": 0.9}, {"tolerance": 0.0}])
def test_a_file_whose_float64_is_beyond_its_error_or_its_tolerance_is_not_claimed(monkeypatch, changes):
    """By a tenth, and by everything. The ball's radius is in the error stated, and not added again."""
    first = vectors.load("adam_decay").steps[0]["w"]
    (mid, radius), error = first.exact[0], first.error[0]
    assert radius
    off = float(abs(Fraction(first.float64[0]) - mid)) or error
    wrong = {name: np.full(4, share * off) for name, share in changes.items()}
    altered(monkeypatch, "adam_decay", **wrong)
    assert not vectors._reproduced("adam_decay").holds


def test_the_radius_is_not_granted_twice(monkeypatch):
    zero, one = np.zeros(4), np.ones(4)
    altered(
        monkeypatch, "sgd", float64=one, exact=[(Fraction(1), Fraction(1, 2))] * 4, error=zero + 0.25, tolerance=one
    )
    assert not vectors._reproduced("sgd").holds
    altered(
        monkeypatch, "sgd", float64=one, exact=[(Fraction(1), Fraction(1, 4))] * 4, error=zero + 0.25, tolerance=one
    )
    assert vectors._reproduced("sgd").holds


def test_balls_that_overlap_decide_nothing_about_two_doors(monkeypatch):
    altered(monkeypatch, "sgd_l2", exact=[(Fraction(1), Fraction(1, 4))] * 4)
    with pytest.raises(UndecidedError, match=r"the balls of w\[0\] overlap after step 1"):
        vectors._same_weights("sgd")


def test_only_gradient_descents_doors_share_their_weights():
    identity = {c.name: c.prove().holds for c in vectors.claims() if c.name.endswith(".identity")}
    assert identity == {f"{name}.identity": name == "sgd" for name in RULES}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_meets_its_vectors(name, dtype):
    vectors.check(reference(name), name, dtype)


@pytest.mark.parametrize("name", VARIANTS)
def test_numbers_are_exact_or_known_to_a_hundred_bits_and_float64_is_within_the_stated_error(name):
    found = vectors.load(name)
    for step in found.steps:
        for expected in step.values():
            for x, (mid, radius), error, tolerance in zip(
                expected.float64, expected.exact, expected.error, expected.tolerance, strict=True
            ):
                assert radius <= abs(mid) / 2**100
                assert abs(Fraction(x) - mid) + radius <= error <= tolerance / 4


@pytest.mark.parametrize("name", [name for name in VARIANTS if name not in RULES])
def test_what_a_door_does_is_far_beyond_the_tolerance(name):
    """By the last step, on the three weights that are pushed, and in the first on those that a penalty reaches."""
    bare = vectors.load(variant(name).rule.__name__).steps[-1]["w"]
    behind = vectors.load(name).steps[-1]["w"]
    seen = abs(bare.float64 - behind.float64) >= VISIBLE * 2**29 * (bare.tolerance + behind.tolerance)
    assert np.count_nonzero(seen) >= 2


def test_the_other_doors_rational_rules_are_in_fractions_and_roots_in_balls():
    kinds = {name: json.loads(generate.text(name))["steps"][-1]["w"]["exact"][0] for name in RULES}
    roots = {name for name, x in kinds.items() if isinstance(x, list)}
    assert roots == {"adagrad", "rmsprop", "adadelta", "adam", "amsgrad", "nadam", "radam"}


def test_radam_takes_both_of_its_branches_in_ten_steps_and_the_file_says_where():
    found = vectors.load("radam_decay")
    assert [line for line in found.formula if line.endswith(":")] == ["where ρₜ > 5:", "where ρₜ ≤ 5:"]
    rectified, _ = branches(RULES["radam"])
    assert [all(rectified.relations(beta2=generate.HYPER["beta2"], t=t)) for t in range(1, 11)] == [False] * 5 + [
        True
    ] * 5


def test_a_state_that_all_weights_share_stands_once_and_begins_where_the_rule_says():
    found = vectors.load("nadam")
    assert found.state["mu_product"].tolist() == [1]
    assert all(len(step["mu_product"].exact) == 1 for step in found.steps)
    beta1, numbers = Fraction(7, 8), [step["mu_product"].exact[0][0] for step in found.steps]
    assert numbers[0] == pytest.approx(float(beta1 * (1 - Fraction(24, 25) / 2)), rel=1e-15)


@pytest.mark.parametrize("wrong", ["the product forgotten", "the warming up left out"])
def test_what_is_wrong_with_the_number_that_all_weights_share_is_noticed(wrong):
    step = VARIANTS["nadam_decay"].step

    def mutant(w, g, m, v, product, *, psi, **hyper):
        psi = 0.0 if wrong == "the warming up left out" else psi
        *new, after = step(w, g, m, v, product, psi=psi, **hyper)
        return *new, (product if wrong == "the product forgotten" else after)

    assert fails("nadam_decay", mutant)


# --- what is wrong is found -------------------------------------------------------------------------------------------


def broken(name, step):
    v = variant(name)
    scalars = list(scalar_state(v.rule).values())
    return positional(step, states=len(state_names(v.rule)) - len(scalars), scalars=scalars, counts="t" in v.hyper)


def after(step):
    """Decay the new weight."""

    def late(w, g, *state, decay, **hyper):
        new, *state = step(w, g, *state, decay=0, **hyper)
        return shrink(new, decay), *state

    return late


def without(step, name):
    return lambda *arrays, **hyper: step(*arrays, **{**hyper, name: 0})


@pytest.mark.parametrize("rule", RULES)
def test_a_mutated_rule_or_door_does_not_meet_its_vectors(rule):
    r = RULES[rule]
    l2, decay = variant(f"{rule}_l2").step, variant(f"{rule}_decay").step
    mutants = {
        "the decay dropped": ("decay", without(decay, "decay")),
        "the decay's sign": ("decay", lambda *a, decay, **h: decoupled(r)(*a, decay=-decay, **h)),
        "the new weight decays": ("decay", after(decay)),
        "lr times the decay": ("decay", lambda *a, decay, lr, **h: decoupled(r)(*a, decay=lr * decay, lr=lr, **h)),
        "the penalty dropped": ("l2", without(l2, "l2")),
        "twice the penalty": ("l2", lambda *a, l2, **h: coupled(r, L2.gradient)(*a, l2=2 * l2, **h)),
        "the step's sign": ("decay", lambda w, g, *s, **h: decay(w, -g, *s, **h)),
    }
    for what, (door, step) in mutants.items():
        assert fails(f"{rule}_{door}", step), what


def fails(name, step):
    try:
        vectors.check(broken(name, step), name)
    except PropertyError as error:
        return str(error).startswith(f"not {name}: after step")
    return False


@pytest.mark.parametrize("number", ["lr", "momentum", "beta1", "beta2", "rho", "eps", "psi", "l2", "l1", "decay"])
def test_a_hyperparameter_that_is_off_by_a_millionth_is_noticed(number):
    """Of ε a tenth: it is a millionth itself. Of what only decides signs, the whole."""
    signs = {("lion", "beta1"), ("lion", "l2"), ("lion", "l1")}
    for v in VARIANTS.values():
        if number in v.hyper:
            only_signs = (v.rule.__name__, number) in signs and (number == "beta1" or "_prox_" not in v.name)
            off = -1 if only_signs else 0.1 if number == "eps" else 1e-6
            assert fails(v.name, partial(changed, v.step, number, off)), v.name


def changed(step, number, off, *arrays, **hyper):
    return step(*arrays, **{**hyper, number: hyper[number] * (1 + off)})


def test_a_wrong_rule_changes_the_files():
    adam = variant("adam_decay")
    wrong = Variant(adam.name, adam.summary, adam.rule, after(adam.step), adam.hyper)
    right, other = generate._exactly(adam, named(adam)), generate._exactly(wrong, named(wrong))
    assert any(x != y for x, y in zip(right[0], other[0], strict=True))


def named(v):
    return {n: generate.HYPER[n] for n in v.hyper if n != "t"}


def test_an_undecided_sign_raises():
    """√½ − √½ is a ball around zero: with L1, the sign of such a weight would be a guess."""
    step = VARIANTS["sgd_l1"].step
    ball = generate.Ball(Fraction(1, 2)).sqrt() - generate.Ball(Fraction(1, 2)).sqrt()
    with pytest.raises(UndecidedError):
        step(ball, ball, lr=generate.Ball(1), l1=generate.Ball(1))


# --- somebody else's --------------------------------------------------------------------------------------------------


def test_an_implementation_that_shows_no_state_is_held_to_its_weights():
    def make(w, lr, decay, beta1, beta2, eps):
        return opt.hand_written_adamw(w, lr, decay, beta1, beta2, eps)

    vectors.check(make, "adamw")
    with pytest.raises(PropertyError, match=r"not adam_decay: after step 1, w\[0\] = .*rounding explains"):
        vectors.check(lambda w, decay, **h: make(w, decay=decay / 2, **h), "adamw")


def test_adamw_in_other_orders_of_its_operations_meets_the_vectors():
    def lerp(w, g, m, v, *, lr, decay, beta1, beta2, eps, t):  # Keras and torch: step size and correction apart
        m, v = m + (1 - beta1) * (g - m), v + (1 - beta2) * (g * g - v)
        scale = (1 - beta2**t) ** 0.5
        return w - (decay * w + lr * scale / (1 - beta1**t) * (m / (np.sqrt(v) + eps * scale))), m, v

    def late_division(w, g, m, v, *, lr, decay, beta1, beta2, eps, t):
        m, v = g + (m - g) * beta1 if cancels else m - (m - g) * (1 - beta1), (1 - beta2) * g**2 + beta2 * v
        return w - decay * w - (lr * m) / ((1 - beta1**t) * (np.sqrt(v / (1 - beta2**t)) + eps)), m, v

    cancels = False
    for step in (lerp, late_division):
        for dtype in (np.float64, np.float32):
            vectors.check(positional(step, states=2, counts=True), "adamw", dtype)
    cancels = True  # why the tolerance is called an allowance
    with pytest.raises(PropertyError, match=r"m\[0\] = "):
        vectors.check(positional(late_division, states=2, counts=True), "adamw", np.float32)


def test_the_vectors_need_numpy_alone_and_the_rest_says_what_it_needs():
    code = """
import sys
sys.modules.update(hypothesis=None, flint=None)
from minigrad.testing import runs, vectors
vectors.check(runs.reference("adamw"), "adamw")
for module in ("properties", "strategies", "generate"):
    try:
        __import__(f"minigrad.testing.{module}")
    except ImportError as error:
        assert 'comes with the extra "proof"' in str(error)
    else:
        raise SystemExit(module)
"""
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_likely_mistakes_are_refused_by_name():
    with pytest.raises(ValueError, match="did you mean"):
        vectors.load("adam_decai")
    with pytest.raises(ValueError, match="returned 2 arrays; adam_decay has w, m, v, in this order"):
        vectors.check(lambda w, **h: lambda g: (w, w), "adam_decay")
    with pytest.raises(PropertyError, match="= nan"):
        vectors.check(lambda w, **h: lambda g: np.nan * w, "sgd")


@pytest.mark.oracle
def test_torchs_optimizers_meet_the_vectors_of_what_they_are():
    torch = pytest.importorskip("torch")

    def made(name, translate):
        def make(w, **hyper):
            p = torch.nn.Parameter(torch.tensor(w))
            optimizer = getattr(torch.optim, name)([p], **translate(**hyper))

            def step(g):
                p.grad = torch.tensor(g)
                optimizer.step()
                return p.detach().numpy()

            return step

        return make

    def adamw(lr, beta1, beta2, eps, decay):
        return {"lr": lr, "betas": (beta1, beta2), "eps": eps, "weight_decay": decay / lr}

    def adam(lr, beta1, beta2, eps, l2):
        return {"lr": lr, "betas": (beta1, beta2), "eps": eps, "weight_decay": l2}

    vectors.check(made("AdamW", adamw), "adamw")
    vectors.check(made("Adam", adam), "adam_l2")
    vectors.check(made("SGD", lambda lr, l2: {"lr": lr, "weight_decay": l2}), "sgd_l2")
    vectors.check(made("SGD", lambda lr, l2, momentum: {"lr": lr, "weight_decay": l2, "momentum": momentum}),
                  "heavy_ball_l2")  # fmt: skip
    with pytest.raises(PropertyError):
        vectors.check(made("Adam", adamw), "adamw")
