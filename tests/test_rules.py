"""Each rule after a few steps against sums over all its gradients, which remember nothing: no recursion is repeated.

All numbers are positive and little cancels, so each operation adds about a relative rounding u = 2⁻⁵³. The longest
paths, NAdam's and RAdam's, have fewer than twenty roundings in a step and twenty in the sum they are compared with. ε
is of the size of the root it is added to, as a small one would hide behind the tolerance.
"""

from fractions import Fraction
from math import prod, sqrt

import pytest

from minigrad import rules

GRADIENTS = [0.7, 1.3, 0.25, 0.4, 0.9, 0.35, 1.1, 0.6]  # a maximum is not what was seen last
LR, BETA1, BETA2, EPS, PSI = 0.3, 0.6, 0.8, 0.5, 3
BETAS = {"beta1": BETA1, "beta2": BETA2}


def run(rule, gradients, **hyper):
    """Return what the last of the steps returns, from the first state on."""
    state = [rules.scalar_state(rule).get(name, 0.0) for name in rules.state_names(rule)]
    for t, g in enumerate(gradients, 1):
        delta, *state = rule(g, *state, **hyper, **({"t": t} if "t" in rules.hyper_names(rule) else {}))
    return delta, *state


def faded(gradients, factor, power=1):
    """Σ factorⁿ⁻ⁱ gᵢ^power."""
    return sum(factor**age * g**power for age, g in enumerate(reversed(gradients)))


def weights(times, factor):
    return sum(factor**age for age in range(times))


def largest(gradients):
    """The largest second moment so far, before its bias is corrected."""
    return max((1 - BETA2) * faded(gradients[:n], BETA2, 2) for n in range(1, len(gradients) + 1))


def strides(gradients):
    """Adadelta's steps at α = 1: each is scaled by the sum over the squares of those before."""
    found = []
    for n, g in enumerate(gradients, 1):
        before, seen = (1 - BETA2) * faded(found, BETA2, 2), (1 - BETA2) * faded(gradients[:n], BETA2, 2)
        found.append(g * sqrt((before + EPS) / (seen + EPS)))
    return found


def mu(t):
    """NAdam's momentum at step t, which grows from less than β₁ to it."""
    return BETA1 * (1 - 0.96 ** (PSI * t) / 2)


def product(times):
    return prod(mu(t) for t in range(1, times + 1))


def rectified(gradients):
    """RAdam's factor of the mean gradient: ρₜ is 1 + twice the mean age of the squares in v, ρ_∞ = 9 at β₂ = 0.8."""
    n = len(gradients)
    rho = 1 + 2 * sum(age * BETA2**age for age in range(n)) / weights(n, BETA2)
    if n < 7:  # ρ₆ = 4.74, ρ₇ = 5.29
        return 1
    r = sqrt((rho - 4) * (rho - 2) * 9 / (5 * 7 * rho))
    return r * sqrt((1 - BETA2) * weights(n, BETA2)) / (EPS + sqrt((1 - BETA2) * faded(gradients, BETA2, 2)))


def fading(gradients):
    """The largest size so far, where each, with its ε, has faded by β₂ in every step since."""
    return max(BETA2**age * (g + EPS) for age, g in enumerate(reversed(gradients)))


EXPECTED = {
    rules.sgd: ({"lr": LR}, lambda g: (LR * g[-1],)),
    rules.preconditioned: ({"lr": LR, "scale": 4.0}, lambda g: (LR / 4 * g[-1],)),
    rules.heavy_ball: ({"lr": LR, "momentum": BETA1}, lambda g: (LR * faded(g, BETA1), faded(g, BETA1))),
    rules.heavy_ball_inside: ({"lr": LR, "momentum": BETA1}, lambda g: (LR * faded(g, BETA1), LR * faded(g, BETA1))),
    rules.nesterov: (
        {"lr": LR, "momentum": BETA1},
        lambda g: (LR * (g[-1] + BETA1 * faded(g, BETA1)), faded(g, BETA1)),
    ),
    rules.adagrad: (
        {"lr": LR, "eps": EPS},
        lambda g: (LR * g[-1] / (EPS + sqrt(faded(g, 1, 2))), faded(g, 1, 2)),
    ),
    rules.rmsprop: (
        {"lr": LR, "rho": BETA2, "eps": EPS},
        lambda g: (LR * g[-1] / (EPS + sqrt((1 - BETA2) * faded(g, BETA2, 2))), (1 - BETA2) * faded(g, BETA2, 2)),
    ),
    # Corrected for bias, a moment is a mean with weights βⁿ⁻ⁱ.
    rules.adam: (
        {"lr": LR, **BETAS, "eps": EPS},
        lambda g: (
            LR * faded(g, BETA1) / weights(len(g), BETA1)
            / (EPS + sqrt(faded(g, BETA2, 2) / weights(len(g), BETA2))),
            (1 - BETA1) * faded(g, BETA1),
            (1 - BETA2) * faded(g, BETA2, 2),
        ),
    ),
    rules.amsgrad: (
        {"lr": LR, **BETAS, "eps": EPS},
        lambda g: (
            LR * faded(g, BETA1) / weights(len(g), BETA1)
            / (EPS + sqrt(largest(g) / (1 - BETA2) / weights(len(g), BETA2))),
            (1 - BETA1) * faded(g, BETA1),
            (1 - BETA2) * faded(g, BETA2, 2),
            largest(g),
        ),
    ),
    # The step sees the momentum of before: the last gradient counts 1 − β₁, whatever β₂ is.
    rules.lion: ({"lr": LR, **BETAS}, lambda g: (LR, (1 - BETA2) * faded(g, BETA2))),
    rules.adadelta: (
        {"lr": LR, "rho": BETA2, "eps": EPS},
        lambda g: (
            LR * strides(g)[-1], (1 - BETA2) * faded(g, BETA2, 2), (1 - BETA2) * faded(strides(g), BETA2, 2)
        ),
    ),
    rules.adamax: (
        {"lr": LR, **BETAS, "eps": EPS},
        lambda g: (
            LR * faded(g, BETA1) / weights(len(g), BETA1) / fading(g), (1 - BETA1) * faded(g, BETA1), fading(g)
        ),
    ),
    rules.nadam: (
        {"lr": LR, **BETAS, "eps": EPS, "psi": PSI},
        lambda g: (
            LR * (mu(len(g) + 1) * (1 - BETA1) * faded(g, BETA1) / (1 - product(len(g) + 1))
                  + (1 - mu(len(g))) * g[-1] / (1 - product(len(g))))
            / (EPS + sqrt(faded(g, BETA2, 2) / weights(len(g), BETA2))),
            (1 - BETA1) * faded(g, BETA1),
            (1 - BETA2) * faded(g, BETA2, 2),
            product(len(g)),
        ),
    ),
    rules.radam: (
        {"lr": LR, **BETAS, "eps": EPS},
        lambda g: (
            LR * faded(g, BETA1) / weights(len(g), BETA1) * rectified(g),
            (1 - BETA1) * faded(g, BETA1),
            (1 - BETA2) * faded(g, BETA2, 2),
        ),
    ),
}  # fmt: skip


def test_every_rule_is_here():
    public = [getattr(rules, name) for name in rules.__all__ if name != "RULES"]
    assert EXPECTED.keys() == {function for function in public if "lr" in rules.hyper_names(function)}


@pytest.mark.parametrize("times", range(1, len(GRADIENTS) + 1))
@pytest.mark.parametrize("rule", EXPECTED, ids=lambda rule: rule.__name__)
def test_a_rule_is_a_function_of_sums_over_its_gradients(rule, times):
    hyper, expected = EXPECTED[rule]
    gradients = GRADIENTS[:times]
    assert run(rule, gradients, **hyper) == pytest.approx(expected(gradients), rel=20 * (times + 1) * 2.0**-53)


@pytest.mark.parametrize("rule", EXPECTED, ids=lambda rule: rule.__name__)
def test_a_rule_turns_with_its_gradients(rule):
    hyper, _ = EXPECTED[rule]
    delta, *_ = run(rule, GRADIENTS, **hyper)
    assert run(rule, [-g for g in GRADIENTS], **hyper)[0] == -delta


def test_lion_weighs_the_last_gradient_against_the_momentum_by_beta1():
    """At g = −1 and m = 1 the sign turns at β₁ = ½."""
    for beta1, sign in ((0.25, -1), (0.5, 0), (0.75, 1)):
        assert rules.lion(-1.0, 1.0, lr=LR, beta1=beta1, beta2=0.5) == (sign * LR, 0.0)


def test_radam_waits_until_rho_exceeds_five():
    """At β₂ = ⅔, ρ_∞ = 5, and ρₜ is 5 when β₂ᵗ is less than the smallest number: then δ does not depend on v."""
    hyper = {"lr": LR, "beta1": BETA1, "beta2": Fraction(2, 3), "eps": EPS, "t": 1e6}
    assert rules.radam(2.0, 0.0, 0.0, **hyper)[0] == rules.radam(2.0, 0.0, 9.0, **hyper)[0] == LR * ((1 - BETA1) * 2)


def test_a_state_with_a_default_is_one_number_and_a_hyperparameter_with_a_default_is_no_state():
    def rule(g, m, count=3, *, lr, eps=0.5):
        raise NotImplementedError

    assert rules.state_names(rule) == ("m", "count")
    assert rules.scalar_state(rule) == {"count": 3}
    assert rules.hyper_names(rule) == ("lr", "eps")
    assert {r: rules.scalar_state(r) for r in EXPECTED if rules.scalar_state(r)} == {rules.nadam: {"mu_product": 1}}
