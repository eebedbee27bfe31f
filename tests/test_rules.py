"""Each rule after a few steps against sums over all its gradients, which remember nothing: no recursion is repeated.

All numbers are positive, so nothing cancels and each operation adds at most a relative rounding u = 2⁻⁵³. The longest
path, Adam's, has fewer than ten roundings in a step and ten in the sum it is compared with. ε is of the size of the
root it is added to, as a small one would hide behind the tolerance.
"""

from math import sqrt

import pytest

from minigrad import rules

GRADIENTS = [0.7, 1.3, 0.25, 0.4]  # the largest is not the last: a maximum is not what was seen last
LR, BETA1, BETA2, EPS = 0.3, 0.6, 0.8, 0.5
BETAS = {"beta1": BETA1, "beta2": BETA2}


def run(rule, times, **hyper):
    """Return what the last of `times` steps returns, from zero state on."""
    state = [0.0] * len(rules.state_names(rule))
    for t, g in enumerate(GRADIENTS[:times], 1):
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
}  # fmt: skip


def test_every_rule_is_here():
    assert EXPECTED.keys() == {*rules.RULES.values(), rules.preconditioned}


@pytest.mark.parametrize("times", range(1, len(GRADIENTS) + 1))
@pytest.mark.parametrize("rule", EXPECTED, ids=lambda rule: rule.__name__)
def test_a_rule_is_a_function_of_sums_over_its_gradients(rule, times):
    hyper, expected = EXPECTED[rule]
    assert run(rule, times, **hyper) == pytest.approx(expected(GRADIENTS[:times]), rel=10 * (times + 1) * 2.0**-53)


def test_lion_weighs_the_last_gradient_against_the_momentum_by_beta1():
    """At g = −1 and m = 1 the sign turns at β₁ = ½."""
    for beta1, sign in ((0.25, -1), (0.5, 0), (0.75, 1)):
        assert rules.lion(-1.0, 1.0, lr=LR, beta1=beta1, beta2=0.5) == (sign * LR, 0.0)
