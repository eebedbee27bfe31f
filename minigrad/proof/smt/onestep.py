"""One step: the criterion for every rule, the criterion as a theorem about all rules, and the only λ there is."""

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from functools import partial
from itertools import product
from typing import Any

from minigrad.extras import need
from minigrad.proof.branches import Branch, branches
from minigrad.proof.claims import Claim, Evidence, UndecidedError
from minigrad.proof.criterion import expected, residues
from minigrad.proof.smt.question import CounterModel, Proof, Question, reals, settle
from minigrad.proof.smt.wording import PREFER, domain, evidence, letter, own, written
from minigrad.proof.symbolic.letters import rule_called
from minigrad.regularization.doors import coupled, decoupled
from minigrad.regularization.penalties import L2
from minigrad.rules import RULES, hyper_names, preconditioned, sgd, state_names

z3: Any = need("z3", "proof")

__all__ = ["admits_only", "claims", "criterion_as_a_theorem", "same_state", "same_step"]

Rule = Callable[..., tuple[Any, ...]]


def _identity(v: Any) -> Any:
    return v.l2 == v.decay / v.lr


# The t of a rule that counts, one after the other until the doors are seen to differ: Adam in its first step, RAdam
# in its second, and where it is rectified in its sixth. And what else such a question is asked at.
TIMES = (1, 2, 6)
ASKED = tuple(Fraction(x) for x in ("1/2", "3/4", "7/8"))


def _hyper(rule: Rule, v: Any, t: int) -> dict[str, Any]:
    return {name: t if name == "t" else getattr(v, name) for name in hyper_names(rule)}


def _residues(rule: Rule, v: Any, t: int = 1, branch: Branch | None = None) -> tuple[Any, ...]:
    """Return the residues, on z3's numbers those of a branch; numbers find their branch by themselves."""
    run = branch.rule if branch and isinstance(v.w, z3.ExprRef) else rule
    state = (getattr(v, s) for s in state_names(rule))
    return residues(run, v.w, v.g, *state, l2=v.l2, decay=v.decay, **_hyper(rule, v, t))


def _question(
    rule: Rule, entries: slice, identity: Callable[[Any], Any], t: int, branch: Branch, at: Mapping[str, Any]
) -> Question:
    """Ask of one branch, at numbers by which it is taken: z3 is slow to solve for those."""
    names = own(rule)
    where: dict[str, Callable[[Any], Any]] = {f"{letter(n)} = {x}": partial(_is, n, x) for n, x in at.items()}
    if branch.where:
        where[branch.where] = lambda v: branch.relations(**_hyper(rule, v, t))
    return Question(
        f"one step of {rule.__name__}" + (f" where {_words(branch, t, at)}" if branch.where else ""),
        reals(" ".join(["w", "g", *names, "decay", "l2"])),
        {**domain([*names, "decay"]), "λ = η/α": identity, **where},
        lambda v: [r == 0 for r in _residues(rule, v, t, branch)[entries]],
        show=lambda v: {"door 3 less door 2": _residues(rule, v, t, branch)},
        prefer=PREFER if t in TIMES[:2] else PREFER | {"beta1": (Fraction(0),)},  # of high powers z3 knows little
    )


def _is(name: str, x: Any, v: Any) -> Any:
    return getattr(v, name) == x


def _words(branch: Branch, t: int, at: Mapping[str, Any]) -> str:
    return f"{branch.where}, at {written({'t': t, **at})}"


def _taken(branch: Branch, t: int) -> dict[str, Fraction] | None:
    """Return the first numbers of `ASKED`, for what a branch asks besides t, with which it is taken, or None."""
    names = sorted(branch.asks - {"t"})
    tried = (dict(zip(names, values, strict=True)) for values in product(ASKED, repeat=len(names)))
    return next((at for at in tried if all(branch.relations(t=t, **at))), None)


def _each_branch(rule: Rule, entries: slice, identity: Callable[[Any], Any]) -> dict[str, Proof | CounterModel]:
    """Settle the question for every branch of a rule, by the branch in words with the t at which it was settled.

    A rule that counts is asked at each of `TIMES` up to the first counter-model, a branch at those at which it can be
    taken. The last answer stands.
    """
    found: dict[str, Proof | CounterModel] = {}
    for branch in branches(rule):
        answers: dict[str, Proof | CounterModel] = {}
        for t in TIMES if "t" in hyper_names(rule) else (1,):
            at = _taken(branch, t)
            if at is None:
                continue
            answer = settle(_question(rule, entries, identity, t, branch, at))
            answers[f"where {_words(branch, t, at)}:" if branch.where else ""] = answer
            if isinstance(answer, CounterModel):
                break
        if not answers:
            raise UndecidedError(f"{rule.__name__}: no t of {TIMES} has {branch.where}")
        words = list(answers)[-1]
        found[words] = answers[words]
    return found


def _first_missed(found: Iterable[Proof | CounterModel]) -> Proof | CounterModel:
    answers = list(found)
    return next((x for x in answers if isinstance(x, CounterModel)), answers[0])


def same_step(rule: Rule | str, identity: Callable[[Any], Any] = _identity) -> Proof | CounterModel:
    """Decide whether the two doors take the same step for every w, g, state and hyperparameter, at each t of `TIMES`.

    Args:
        rule: a function of `minigrad.rules`, its name, or a function of the same form and names.
        identity: the relation between ``v.l2``, ``v.decay`` and ``v.lr``; λ = η/α unless given.
    """
    return _first_missed(_each_branch(rule_called(rule), slice(0, 1), identity).values())


def same_state(rule: Rule | str, identity: Callable[[Any], Any] = _identity) -> Proof | CounterModel:
    """Decide whether the two doors hand the same state on; as `same_step`. A rule without state does."""
    return _first_missed(_each_branch(rule_called(rule), slice(1, None), identity).values())


def admits_only(rule: Rule | str = sgd) -> Proof | CounterModel:
    """Decide whether a λ that serves a single w ≠ 0, with any one g, can be other than η/α; of a rule or its name."""
    rule = rule_called(rule)
    names = own(rule)
    return settle(
        Question(
            f"other coefficients for {rule.__name__}",
            reals(" ".join(["w", "g", *names, "decay", "l2"])),
            {
                **domain([*names, "decay"]),
                "w ≠ 0": lambda v: v.w != 0,
                "λ serves this w and g": lambda v: _residues(rule, v)[0] == 0,
            },
            _identity,
            prefer=PREFER,
        )
    )


def criterion_as_a_theorem() -> tuple[Proof | CounterModel, Proof | CounterModel, Proof | CounterModel]:
    """Decide the criterion for any rule whatever: its step and its next state are uninterpreted functions.

    Returns:
        Whether equal weights after one step imply rule(g + λw) = rule(g) + ηw; whether that implies equal weights; and
        whether, if the state does not change either, equal weights and state before a step are equal after it.
    """
    state = z3.DeclareSort("State")
    symbols = {
        **reals("w w_other g l2 decay"),
        "state": z3.Const("state", state),
        "state_other": z3.Const("state_other", state),
        "delta": z3.Function("delta", z3.RealSort(), state, z3.RealSort()),
        "next_state": z3.Function("next_state", z3.RealSort(), state, state),
    }

    def rule(v: Any) -> Rule:
        return lambda g, s: (v.delta(g, s), v.next_state(g, s))

    def door_2(v: Any) -> tuple[Any, ...]:
        return coupled(rule(v), L2.gradient)(v.w, v.g, v.state, l2=v.l2)

    def door_3(v: Any, w: Any, s: Any) -> tuple[Any, ...]:
        return decoupled(rule(v))(w, v.g, s, decay=v.decay)

    def step_condition(v: Any) -> Any:
        return v.delta(v.g + v.l2 * v.w, v.state) == v.delta(v.g, v.state) + v.decay * v.w

    def state_condition(v: Any) -> Any:
        return v.next_state(v.g + v.l2 * v.w, v.state) == v.next_state(v.g, v.state)

    def same_weights(v: Any) -> Any:
        return door_2(v)[0] == door_3(v, v.w, v.state)[0]

    def terms(v: Any) -> dict[str, Any]:
        return {"rule(g)": v.delta(v.g, v.state), "rule(g + λw)": v.delta(v.g + v.l2 * v.w, v.state)}

    def ask(name: str, assumptions: Any, conclusion: Any) -> Proof | CounterModel:
        return settle(Question(name, symbols, assumptions, conclusion, terms=terms, prefer=PREFER))

    condition = "rule(g + λw) = rule(g) + ηw"
    return (
        ask("the criterion is necessary", {"the doors take the same step": same_weights}, step_condition),
        ask("the criterion is sufficient", {condition: step_condition}, same_weights),
        ask(
            "the criterion carries on",
            {
                condition: step_condition,
                "the new state does not change": state_condition,
                "equal weights before the step": lambda v: v.w == v.w_other,
                "equal state before the step": lambda v: v.state == v.state_other,
            },
            lambda v: [a == b for a, b in zip(door_2(v), door_3(v, v.w_other, v.state_other), strict=True)],
        ),
    )


def _prove(rule: Rule, entries: slice) -> Evidence:
    found = _each_branch(rule, entries, _identity)
    if list(found) == [""]:
        stateless = entries.start == 1 and not state_names(rule)
        return evidence(found[""], shown="it carries no state" if stateless else "")
    each = {words: evidence(answer) for words, answer in found.items()}
    said = "; ".join(f"{words} {e.shown}" for words, e in each.items())
    formula = r";\quad ".join(e.latex for e in each.values() if e.latex)
    queries = [q | {"branch": words} for words, e in each.items() for q in e.data["queries"]]
    return Evidence(all(e.holds for e in each.values()), said, formula, {"queries": queries})


def claims(thorough: bool = False) -> list[Claim]:
    """Return a claim about the step and one about the state of every rule, and those about λ and the criterion."""
    rules: dict[str, Rule] = {**RULES, "preconditioned": preconditioned}
    found = [
        Claim(
            "criterion.theorem",
            "For any rule whatever, the doors take the same step if and only if rule(g + λw) = rule(g) + ηw; if the "
            "new state does not change either, what was equal before a step is equal after it",
            True,
            lambda: evidence(*criterion_as_a_theorem(), parts=("only if:", "if:", "equal after it:")),
        ),
        Claim(
            "sgd.only_coefficient",
            "A λ that serves one weight w ≠ 0 under gradient descent, with any one gradient, is η/α",
            True,
            lambda: evidence(admits_only(sgd)),
        ),
    ]
    for name, rule in rules.items():
        found += [
            Claim(
                f"{name}.same_step",
                f"At λ = η/α the doors take the same step with {name}, for every w, g, state and hyperparameter",
                expected(name)[0],
                lambda rule=rule: _prove(rule, slice(0, 1)),  # type: ignore[misc]
            ),
            Claim(
                f"{name}.same_state",
                f"At λ = η/α the doors hand the same state on with {name}, for every w, g, state and hyperparameter",
                expected(name)[1],
                lambda rule=rule: _prove(rule, slice(1, None)),  # type: ignore[misc]
            ),
        ]
    return found
