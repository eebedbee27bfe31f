"""Proof by agreement on a grid: a polynomial identity checked at finitely many points holds everywhere.

**Theorem.** Let p be a polynomial over ℚ in x₁, …, xₙ, of degree at most dᵢ in xᵢ, and S₁, …, Sₙ sets of at least
dᵢ + 1 rational numbers. If p vanishes on S₁ × … × Sₙ, then p = 0.

Proof, by induction over n. Write p = Σ c_k(x₁, …, xₙ₋₁) xₙᵏ with k ≤ dₙ. For a point of S₁ × … × Sₙ₋₁ this is a
polynomial in xₙ alone, of degree at most dₙ, with dₙ + 1 roots, hence zero: every c_k vanishes on that grid, and is
zero by induction. (Interpolation in several variables; the lemma of Schwartz and Zippel without its chance. Source:
Alon, "Combinatorial Nullstellensatz", Combinatorics, Probability and Computing 8, 1999, Lemma 2.1.)

An identity of two rational functions N₁/D₁ = N₂/D₂ is the polynomial identity N₁D₂ − N₂D₁ = 0, of degree at most
max(deg N₁ + deg D₂, deg N₂ + deg D₁) in each variable, as long as no D vanishes at a point of the grid (flint would
raise). The degrees are SymPy's: each side is computed on the generators of a field of rational functions. The grid is
flint's. What runs in both is the code that trains: rules, doors and, where there is a loss, the engine.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from minigrad import ops
from minigrad.extras import need
from minigrad.proof.criterion import residues
from minigrad.proof.exact.entries import check, fmpq
from minigrad.regularization.checks import integer
from minigrad.regularization.doors import coupled, decoupled, plain
from minigrad.regularization.penalties import L2
from minigrad.rules import Rule, hyper_names, sgd, state_names
from minigrad.tensor import Tensor

__all__ = ["Grid", "criterion_on_grid", "degrees", "identity_on_grid", "vanishes"]

sympy: Any = need("sympy", "proof")

Functions = Callable[..., Sequence[Any]]


@dataclass(frozen=True)
class Grid:
    """What came of an agreement.

    Attributes:
        holds: whether the functions vanish at every point.
        degrees: of the numerator, at most, by variable.
        points: how many points were tried: all of the grid if it holds.
        counterexample: the first point at which they do not vanish, by variable, or None.
        difference: what stands there instead of zero, one number per function.
    """

    holds: bool
    degrees: dict[str, int]
    points: int
    counterexample: dict[str, Any] | None = None
    difference: tuple[Any, ...] = ()


def degrees(one: Functions, other: Functions, names: Sequence[str]) -> list[dict[str, int]]:
    """Return, for each pair of values, the degree by variable that the numerator of their difference cannot exceed.

    SymPy finds them: both functions are called with the generators of a field of rational functions, by name. Each
    side counts by itself, so nothing rests on SymPy finding the difference to be zero.
    """
    _, *generators = sympy.field(list(names), sympy.QQ)
    symbols = {name: _array([x]) for name, x in zip(names, generators, strict=True)}
    found = []
    sides = ([np.ravel(value)[0] for value in side(**symbols)] for side in (one, other))
    for a, b in zip(*sides, strict=True):
        pairs = zip(a.numer.degrees(), a.denom.degrees(), b.numer.degrees(), b.denom.degrees(), strict=True)
        found.append({name: max(n + e, m + d, 0) for name, (n, d, m, e) in zip(names, pairs, strict=True)})
    return found


def vanishes(functions: Functions, sizes: Mapping[str, int], numbers: Iterable[str] = ()) -> Grid:
    """Return whether `functions` are zero at every point of a grid; `sizes` says how many values a variable takes.

    Arrays take 1, 2, …; numbers, which are hyperparameters, lie evenly between 0 and 1.

    Args:
        functions: takes the variables by name, as object arrays of flint's rationals, and returns arrays as long.
        sizes: by variable; for a proof, one more than its degree.
        numbers: the variables that `functions` takes as single numbers, not as arrays.
    """
    numbers = tuple(numbers)
    vectors = [name for name in sizes if name not in numbers]
    values = {
        name: [fmpq(i, n + 1 if name in numbers else 1) for i in range(1, integer(f"the size of {name}", n) + 1)]
        for name, n in sizes.items()
    }
    rows = list(product(*(values[name] for name in vectors)))
    columns = {name: _array([row[i] for row in rows]) for i, name in enumerate(vectors)}
    bound = {name: n - 1 for name, n in sizes.items()}
    points = 0
    for chosen in product(*(values[name] for name in numbers)):
        given = dict(zip(numbers, chosen, strict=True))
        found = list(functions(**columns, **given))
        check(fmpq, **{f"value {i}": f for i, f in enumerate(found)})
        points += len(rows)
        wrong = np.flatnonzero(np.any([f != 0 for f in found], axis=0))
        if wrong.size:
            at = {name: column[wrong[0]] for name, column in columns.items()} | given
            return Grid(False, bound, points, {name: at[name] for name in sizes}, tuple(f[wrong[0]] for f in found))
    return Grid(True, bound, points)


def criterion_on_grid(rule: Rule) -> list[Grid]:
    """Return one `Grid` per residue of the criterion, weights first, at λ = η/α: zero always, or a counterexample.

    For rules that are rational functions of gradient, state and hyperparameters. The weights', the gradient's, the
    state's and the hyperparameters' values are all free. Raises TypeError where the rule is not rational (sign, √,
    maximum), or depends on the step.
    """
    state, hyper = state_names(rule), [name for name in hyper_names(rule) if name != "t"]
    if "t" in hyper_names(rule):
        raise TypeError(f"{rule.__name__} is no rational function: it depends on the step by a power")
    numbers = [*hyper, "decay"]
    names = ["w", "g", *state, *numbers]

    def split(given: dict[str, Any]) -> tuple[list[Any], dict[str, Any], Any]:
        return [given[n] for n in ("w", "g", *state)], {n: given[n] for n in hyper}, given["decay"]

    def two(**given: Any) -> Sequence[Any]:
        arrays, own, decay = split(given)
        return coupled(rule, L2.gradient)(*arrays, l2=decay / own["lr"], **own)

    def three(**given: Any) -> Sequence[Any]:
        arrays, own, decay = split(given)
        return decoupled(rule)(*arrays, decay=decay, **own)

    def difference(i: int) -> Functions:
        def residue(**given: Any) -> Sequence[Any]:
            arrays, own, decay = split(given)
            return [residues(rule, *arrays, l2=decay / own["lr"], decay=decay, **own)[i]]

        return residue

    found = degrees(two, three, names)
    return [vanishes(difference(i), _sizes(d), numbers) for i, d in enumerate(found)]


def identity_on_grid(
    steps: int, *, weights: int = 1, rule: Rule = sgd, wrong: int = 1, shrink: Callable[..., Any] | None = None
) -> Grid:
    """Prove that after `steps` steps doors 1, 2 and 3 are at the same weights, for all numbers.

    The loss is (x·w − y)², whose gradient is the engine's. Free are the first weights, x, y, and α_t and η_t of every
    step; λ_t = η_t/α_t.

    Args:
        steps: T.
        weights: how many the model has.
        rule: a rational rule without state and with no hyperparameter but ``lr``.
        wrong: a factor on λ, to see that any but 1 is noticed.
        shrink: door 3's, to see that a wrong one is noticed.
    """
    integer("steps", steps)
    integer("weights", weights)
    data = [*(f"w{i}" for i in range(weights)), *(f"x{i}" for i in range(weights)), "y"]
    rates = [f"{name}{t}" for t in range(steps) for name in ("lr", "decay")]

    def run(door: int) -> Functions:
        return lambda **given: list(_train(door, given, steps, weights, rule, wrong, shrink))

    def differences(**given: Any) -> Sequence[Any]:
        one, two, three = (run(door)(**given) for door in (1, 2, 3))
        return [q - p for a, b in ((one, two), (two, three)) for p, q in zip(a, b, strict=True)]

    bounds = [*degrees(run(1), run(2), [*data, *rates]), *degrees(run(2), run(3), [*data, *rates])]
    degree = {name: max(b[name] for b in bounds) for name in (*data, *rates)}
    return vanishes(differences, _sizes(degree), rates)


def _train(
    door: int, given: Mapping[str, Any], steps: int, n: int, rule: Rule, wrong: int, shrink: Any
) -> Sequence[Any]:
    """Return the weights at the end, one array per weight, with an entry for each point of the grid."""
    w = np.stack([given[f"w{i}"] for i in range(n)], axis=-1)
    x = np.stack([given[f"x{i}"] for i in range(n)], axis=-1)
    for t in range(steps):
        lr, decay = given[f"lr{t}"], given[f"decay{t}"]
        l2 = wrong * decay / lr
        leaf = Tensor(w, requires_grad=True)
        loss = ((ops.sum(leaf * x, axis=-1) - given["y"]) ** 2).sum()  # each point's own gradient is in the sum's
        if door == 1:
            loss = loss + L2.value(leaf, l2=l2)
        loss.backward()
        if door == 1:
            (w,) = plain(rule)(w, leaf.grad, lr=lr)
        elif door == 2:
            (w,) = coupled(rule, L2.gradient)(w, leaf.grad, lr=lr, l2=l2)
        else:
            (w,) = decoupled(rule, *([] if shrink is None else [shrink]))(w, leaf.grad, lr=lr, decay=decay)
    return list(np.moveaxis(w, -1, 0))


def _sizes(degree: Mapping[str, int]) -> dict[str, int]:
    return {name: d + 1 for name, d in degree.items()}


def _array(entries: Sequence[Any]) -> Any:
    found = np.empty(len(entries), dtype=object)
    found[:] = entries
    return found
