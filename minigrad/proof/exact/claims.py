"""What is claimed in rational numbers."""

import hashlib
from collections.abc import Callable
from functools import partial
from typing import Any

from minigrad.proof.claims import Claim, Evidence
from minigrad.proof.criterion import expected
from minigrad.proof.exact.entries import KINDS
from minigrad.proof.exact.grid import Grid, criterion_on_grid, identity_on_grid
from minigrad.proof.exact.network import OPTIMIZERS, first_difference, learning_rate, momentum, rate, train
from minigrad.rules import RULES, preconditioned

__all__ = ["claims"]

# Steps with both layers trained, in which lengths triple; and with the second layer fixed, in which they do not.
DEEP = {"fmpq": 11, "Fraction": 9}
DEEPER = {"fmpq": 13, "Fraction": 10}
LONG, LONGER = 100, 500

RATIONAL = ("sgd", "heavy_ball", "heavy_ball_inside", "nesterov")
# T, and how many weights the linear model has.
GRIDS = ((1, 2), (2, 2), (3, 2), (4, 1), (5, 1))


def claims(thorough: bool = False) -> list[Claim]:
    """Return the claims of this section; `thorough` takes more steps."""
    found = []
    for name in KINDS:
        both, one = (DEEPER if thorough else DEEP)[name], LONGER if thorough else LONG
        for word, steps, fixed in (("network", both, False), ("network_fixed_readout", one, True)):
            layers = "the first of two layers" if fixed else "two layers"
            found.append(
                Claim(
                    f"{word}.{name}",
                    f"{layers} with relu, squared error, backward() and SGD: doors 1, 2 and 3 are at equal weights "
                    f"(==) for {steps} steps at λ_t = η_t/α_t, and every entry is a {name}",
                    True,
                    partial(_network, name, steps, fixed),
                )
            )
    for optimizer in OPTIMIZERS:
        if not all(expected(optimizer)):
            found.append(
                Claim(
                    f"network.{optimizer}",
                    f"doors 2 and 3 train that network to equal weights with {optimizer} at λ_t = η_t/α_t",
                    False,
                    partial(_other, optimizer),
                )
            )
    found += [
        Claim(
            f"network.{optimizer}.after_two_steps",
            f"the weights of doors 3 and 2 then differ for the first time, by exactly {factor}β η₁ w₀",
            True,
            partial(_two_steps, optimizer, outside),
        )
        for optimizer, factor, outside in (("heavy_ball", "(α₂/α₁) ", True), ("heavy_ball_inside", "", False))
    ]
    rules = [*(RULES[name] for name in RATIONAL), preconditioned]
    found += [
        Claim(
            f"criterion.{rule.__name__}",
            f"{rule.__name__} admits λ = η/α for all numbers: rule(g + λw) = rule(g) + ηw, with the same state",
            all(expected(rule.__name__)),
            partial(_criterion, rule),
        )
        for rule in rules
    ]
    grids = [*GRIDS, (6, 1)] if thorough else GRIDS
    found += [
        Claim(
            f"grid.{steps}_steps",
            f"for T = {steps}, all data, weights ({n}), α_t and η_t: doors 1, 2 and 3 end at equal weights on the loss "
            "(x·w − y)²",
            True,
            partial(_grid, steps, n),
        )
        for steps, n in grids
    ]
    return found


def _network(name: str, steps: int, fixed: bool) -> Evidence:
    one, two, three = (train(KINDS[name], door, steps, fixed_readout=fixed) for door in (1, 2, 3))
    apart = first_difference(one, two) or first_difference(two, three)
    end = three.weights[-1]
    longest = max(int(max(abs(w.numerator), w.denominator)).bit_length() for w in end)
    digest = hashlib.sha256(" ".join(_hex(w) for w in end).encode()).hexdigest()[:16]
    bends = min(three.kinks) > 0
    entries = one.entries + two.entries + three.entries
    shown = (
        f"{len(end)} weights equal after each of {steps} steps, the longest number of {longest} bits; {entries} "
        f"entries read, each a {name}; relu was off {three.kinks[0]} times and on {three.kinks[1]}"
        if apart is None
        else f"the weights differ after step {apart[0]}, by {_list(apart[1])}"
    )
    data = {"steps": steps, "bits": longest, "entries": entries, "sha256 of the weights": digest}
    return Evidence(apart is None and bends, shown, data=data)


def _other(optimizer: str) -> Evidence:
    found = []
    for kind in KINDS.values():
        two, three = (train(kind, door, 3, optimizer=optimizer) for door in (2, 3))
        apart = first_difference(two, three)
        found.append(apart and (apart[0], [_text(d) for d in apart[1]]))
    apart, *others = found
    if any(other != apart for other in others):
        said = "; ".join(f"{name}: {x}" for name, x in zip(KINDS, found, strict=True))
        raise ArithmeticError(f"{optimizer} comes out differently in different rational numbers: {said}")
    if apart is None:
        return Evidence(True, "equal after 3 steps")
    step, difference = apart
    shown = f"equal until step {step}, then door 3 less door 2 is {', '.join(difference)}"
    return Evidence(False, shown, data={"step": step, "difference": difference})


def _two_steps(optimizer: str, outside: bool) -> Evidence:
    two, three = (train(KINDS["Fraction"], door, 2, optimizer=optimizer) for door in (2, 3))
    apart = first_difference(two, three)
    factor = momentum(optimizer) * rate(0) * (learning_rate(1) / learning_rate(0) if outside else 1)
    expected = [factor * w for w in two.weights[0]]
    holds = apart == (2, expected)
    shown = f"{factor} w₀ on each of {len(expected)} weights" if holds else f"expected {_list(expected)}, found {apart}"
    return Evidence(holds, shown, data={"factor": _text(factor)})


def _criterion(rule: Callable[..., Any]) -> Evidence:
    step, *state = criterion_on_grid(rule)
    kept = all(s.holds for s in state)
    answers = [f"same step: {'yes' if step.holds else 'no'}", f"same state: {'yes' if kept else 'no'}"]
    failed = next((g for g in (step, *state) if not g.holds), None)
    shown = "; ".join([*answers, _point(failed) if failed else f"{step.points} points prove it"])
    data = {"same step": step.holds, "same state": kept, "residues": [_written(g) for g in (step, *state)]}
    return Evidence(step.holds and kept, shown, data=data)


def _grid(steps: int, n: int) -> Evidence:
    grid = identity_on_grid(steps, weights=n)
    highest = ", ".join(f"{name} {d}" for name, d in grid.degrees.items())
    shown = f"{grid.points} points prove it; degrees at most {highest}" if grid.holds else _point(grid)
    return Evidence(grid.holds, shown, data=_written(grid))


def _point(grid: Grid) -> str:
    at = ", ".join(f"{name} = {x}" for name, x in (grid.counterexample or {}).items())
    return f"at {at} the difference is {_list(grid.difference)}"


def _written(grid: Grid) -> dict[str, Any]:
    found: dict[str, Any] = {"holds": grid.holds, "degrees": grid.degrees, "points": grid.points}
    if grid.counterexample is not None:
        found["counterexample"] = {name: _text(x) for name, x in grid.counterexample.items()}
        found["difference"] = [_text(x) for x in grid.difference]
    return found


def _list(numbers: Any) -> str:
    return ", ".join(map(_text, numbers))


def _text(x: Any) -> str:
    return f"{x.numerator}/{x.denominator}" if x.denominator != 1 else str(x.numerator)


def _hex(x: Any) -> str:
    return f"{int(x.numerator):x}/{int(x.denominator):x}"
