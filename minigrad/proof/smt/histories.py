"""Proposition 2: for a rule that adapts to its gradients, no λ gives two weights of different histories the same decay.

The paper argues with a preconditioner held fixed; here the rule is run as it is, and in the step that is decided its
state sees the penalty too. The gradients of earlier steps are given as numbers, with no penalty in them.
The first step is decided for all hyperparameters at once: of two equal weights, one with gradient 0 and one whose
gradient points as the weight does, no λ serves both. The signs matter: where a gradient opposes its weight, some λ may
happen to serve both, and z3 finds one. The second step is decided for concrete histories: there, weight and gradient
are the same for both, and only the past differs.

Source: Loshchilov and Hutter, arXiv 1711.05101, Proposition 2.
"""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from minigrad.proof.claims import Claim, Evidence
from minigrad.proof.criterion import residues
from minigrad.proof.smt.question import CounterModel, Proof, Question, not_all, reals, settle
from minigrad.proof.smt.wording import PREFER, domain, evidence, written
from minigrad.proof.symbolic.letters import rule_called
from minigrad.regularization.doors import plain
from minigrad.rules import adagrad, adam, amsgrad, hyper_names, lion, rmsprop, state_names

__all__ = ["alone", "claims", "one_for_two", "one_for_two_pasts"]

Rule = Callable[..., tuple[Any, ...]]

ADAPTIVE: tuple[Rule, ...] = (adagrad, rmsprop, adam, amsgrad)

# Numbers for the concrete histories; η is small enough that each weight alone has its λ.
EXAMPLE: dict[str, Fraction] = {
    "lr": Fraction(1), "decay": Fraction(1, 10), "eps": Fraction(1), "beta1": Fraction(1, 2), "beta2": Fraction(3, 4),
    "rho": Fraction(3, 4), "momentum": Fraction(1, 2), "w": Fraction(1),
}  # fmt: skip


def _names(rule: Rule) -> list[str]:
    return [name for name in hyper_names(rule) if name != "t"]


def _serves(rule: Rule, v: Any, g: Any, past: Sequence[Any] = ()) -> Any:
    """Return the condition that λ = ``v.l2`` gives weight ``v.w`` the decay ``v.decay`` after `past` gradients."""
    hyper = {name: getattr(v, name) for name in _names(rule)}
    timed = "t" in hyper_names(rule)
    state: list[Any] = [0 * v.w for _ in state_names(rule)]
    for t, earlier in enumerate(past, start=1):
        _, *state = plain(rule)(v.w, earlier, *state, **hyper, **({"t": t} if timed else {}))
    now = {"t": len(past) + 1} if timed else {}
    return residues(rule, v.w, g, *state, l2=v.l2, decay=v.decay, **hyper, **now)[0] == 0


def one_for_two(rule: Rule | str, signs: str = "as the weight") -> Proof | CounterModel:
    """Decide, for all hyperparameters, that no λ serves two weights w in a first step with gradients 0 and g ≠ 0.

    Args:
        rule: a function of `minigrad.rules`, its name, or a function of the same form and names.
        signs: "as the weight" (w > 0 and g > 0; the mirror image follows, every rule here being odd) or "any".
    """
    if signs not in ("as the weight", "any"):
        raise ValueError(f'signs must be "as the weight" or "any", got {signs!r}')
    rule, same = rule_called(rule), signs == "as the weight"
    histories: dict[str, Callable[[Any], Any]] = {
        "w > 0" if same else "w ≠ 0": lambda v: v.w > 0 if same else v.w != 0,
        "g > 0" if same else "g ≠ 0": lambda v: v.g > 0 if same else v.g != 0,
    }
    names = [*_names(rule), "decay"]
    return settle(
        Question(
            f"one λ for two weights under {rule.__name__}",
            reals(" ".join(["w", *names, "g", "l2"])),
            {**domain(names), "η > 0": lambda v: v.decay > 0, **histories},
            lambda v: not_all(_serves(rule, v, 0 * v.w), _serves(rule, v, v.g)),
            prefer=PREFER,
        )
    )


def one_for_two_pasts(
    rule: Rule | str, pasts: tuple[Sequence[Any], Sequence[Any]], g: Any = 1, hyper: Mapping[str, Any] = EXAMPLE
) -> Proof | CounterModel:
    """Decide, for given numbers, that no λ serves two weights that differ in their past gradients only.

    λ acts in this step alone: the past gradients contain no penalty.

    Args:
        rule: as for `one_for_two`.
        pasts: the gradients of the steps before, one sequence per weight.
        g: the gradient of this step, the same for both.
        hyper: the weight ``w``, ``decay``, and the rule's hyperparameters.
    """
    rule = rule_called(rule)
    first, second = ([Fraction(x) for x in past] for past in pasts)
    return settle(
        Question(
            f"one λ for two pasts under {rule.__name__}",
            reals(" ".join(["w", *_names(rule), "decay", "l2"])),
            _given(rule, hyper),
            lambda v: not_all(_serves(rule, v, Fraction(g), first), _serves(rule, v, Fraction(g), second)),
            prefer=PREFER,
        )
    )


def alone(rule: Rule | str, g: Any, hyper: Mapping[str, Any] = EXAMPLE) -> tuple[Fraction | None, Proof]:
    """Find the λ that serves one weight in a first step with gradient `g`, and prove that no other does.

    Returns:
        λ and the proof; or None, with the proof that there is no λ at all.
    """
    rule = rule_called(rule)
    symbols = reals(" ".join(["w", *_names(rule), "decay", "l2"]))
    given = _given(rule, hyper)

    def ask(conclusion: Callable[[Any], Any], assumptions: Mapping[str, Any]) -> Proof | CounterModel:
        return settle(Question(f"λ for one weight under {rule.__name__}", symbols, assumptions, conclusion))

    found = ask(lambda v: not_all(_serves(rule, v, Fraction(g))), given)
    if isinstance(found, Proof):
        return None, found
    l2 = found.values["l2"]
    serves = {"λ serves the weight": lambda v: _serves(rule, v, Fraction(g))}
    only = ask(lambda v: v.l2 == l2, {**given, **serves})
    if isinstance(only, CounterModel):
        raise ValueError(f"with gradient {g} both λ = {l2} and λ = {only.values['l2']} serve under {rule.__name__}")
    return l2, only


def _given(rule: Rule, hyper: Mapping[str, Any]) -> dict[str, Callable[[Any], Any]]:
    numbers = _example(rule, hyper)
    return {"the given numbers": lambda v: [getattr(v, n) == Fraction(x) for n, x in numbers.items()]}


def _example(rule: Rule, hyper: Mapping[str, Any] = EXAMPLE) -> dict[str, Any]:
    return {name: hyper[name] for name in (*_names(rule), "w", "decay")}


def none_for_one(rule: Rule = lion) -> Proof | CounterModel:
    """Decide, from any state, that no λ serves even one weight while 0 < η|w| < α: Lion's steps are ±α or 0."""
    names = [*_names(rule), *state_names(rule), "decay"]

    def serves(v: Any) -> Any:
        hyper = {name: getattr(v, name) for name in _names(rule)}
        state = [getattr(v, s) for s in state_names(rule)]
        return residues(rule, v.w, v.g, *state, l2=v.l2, decay=v.decay, **hyper)[0] == 0

    return settle(
        Question(
            f"λ for one weight under {rule.__name__}",
            reals(" ".join(["w", "g", *names, "l2"])),
            {
                **domain(names),
                "η|w| > 0": lambda v: [v.decay > 0, v.w != 0],
                "η|w| < α": lambda v: [v.decay * v.w < v.lr, -v.decay * v.w < v.lr],
            },
            lambda v: not_all(serves(v)),
            prefer=PREFER,
        )
    )


def _each_alone(rule: Rule) -> Evidence:
    (first, proof), (second, other) = alone(rule, 0), alone(rule, 1)
    shown = f"g = 0 needs λ = {first}, g = 1 needs λ = {second}"
    found = evidence(proof, other, shown=shown, latex=f"{first} \\ne {second}", coefficients=f"{first}, {second}")
    return Evidence(found.holds and first != second, found.shown, found.latex, found.data)


def claims(thorough: bool = False) -> list[Claim]:
    """Return Proposition 2 for each adaptive rule: all first steps, each weight alone, and different pasts."""
    found = []
    pasts = [((0,), (2,))]
    if thorough:
        pasts += [((0,), (1,)), ((0,), (-1,))]
    for rule in ADAPTIVE:
        name = rule.__name__
        found += [
            Claim(
                f"{name}.one_for_two",
                f"In a first step of {name} no λ decays two equal weights w > 0 of gradients 0 and g > 0, for any "
                "hyperparameters and η > 0",
                True,
                lambda rule=rule: evidence(one_for_two(rule)),  # type: ignore[misc]
            ),
            Claim(
                f"{name}.each_alone",
                f"In a first step of {name} each of two weights has exactly one λ, and the two differ",
                True,
                lambda rule=rule: _each_alone(rule),  # type: ignore[misc]
            ),
            Claim(
                f"{name}.one_for_two.any_signs",
                f"In a first step of {name} no λ decays two weights of gradients 0 and g ≠ 0, whatever the sign of g",
                False,
                lambda rule=rule: evidence(one_for_two(rule, "any")),  # type: ignore[misc]
            ),
        ]
        found += [
            Claim(
                f"{name}.past.{'_'.join(map(str, first))}.{'_'.join(map(str, second))}",
                f"In step {len(first) + 1} of {name}, at {written(_example(rule))} and g = 1, no λ decays two equal "
                f"weights whose earlier gradients, without a penalty, were {', '.join(map(str, first))} and "
                f"{', '.join(map(str, second))}",
                True,
                lambda rule=rule, both=(first, second): evidence(one_for_two_pasts(rule, both)),  # type: ignore[misc]
            )
            for first, second in pasts
        ]
    found.append(
        Claim(
            "lion.none_for_one",
            "Under lion no λ decays even one weight, in any state, while 0 < η|w| < α",
            True,
            lambda: evidence(none_for_one()),
        )
    )
    return found
