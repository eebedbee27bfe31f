"""What is claimed on symbols. What is expected stands here; what is true is found by the proofs."""

from collections.abc import Callable
from functools import partial
from typing import Any

from minigrad.extras import need
from minigrad.proof.branches import Branch, branches
from minigrad.proof.claims import Claim, Evidence, UndecidedError
from minigrad.proof.criterion import expected
from minigrad.proof.symbolic.decide import Verdict, decide, neat, shown
from minigrad.proof.symbolic.identity import difference, solve_l2
from minigrad.proof.symbolic.letters import latex, letter, rule_called, text
from minigrad.proof.symbolic.momentum import momentum_gap
from minigrad.proof.symbolic.penalties import loss_gap, prox_gap
from minigrad.proof.symbolic.proximal import proximal_as_decay
from minigrad.proof.symbolic.scaled import printed_penalty, removed, scaled_penalty
from minigrad.regularization.penalties import L1, L2, ElasticNet, Penalty
from minigrad.rules import RULES

sympy: Any = need("sympy", "proof")
AppliedUndef: Any = need("sympy.core.function", "proof").AppliedUndef

__all__ = ["claims"]

_MOMENTUM = ("heavy_ball", "heavy_ball_inside", "nesterov")
_LONG = 200  # a formula of more characters stands in the data alone
_NOT_PROXIMAL = ("heavy_ball_inside",)  # its buffer holds the learning rate


def claims(thorough: bool = False) -> list[Claim]:
    """Return what is claimed of every rule on symbols; `thorough` follows momentum for more steps."""
    rules = [*RULES, "preconditioned"]
    return [
        *(c for rule in rules for c in _of_rule(rule)),
        *_of_momentum(5 if thorough else 3),
        *_of_preconditioner(),
        *_of_penalties(),
    ]


def _of_rule(rule: str) -> list[Claim]:
    return [
        Claim(
            f"{rule}.step",
            f"{rule}: with λ = η/α, doors 2 and 3 give the same weights for all w, g and state",
            expected(rule)[0],
            partial(_by_branch, _same_step, rule),
        ),
        Claim(
            f"{rule}.state",
            f"{rule}: with λ = η/α, doors 2 and 3 leave the same state for all w, g and state",
            expected(rule)[1],
            partial(_by_branch, _same_state, rule),
        ),
        Claim(
            f"{rule}.solve",
            f"{rule}: one λ, the same for all w, g and state, makes doors 2 and 3 one algorithm"
            + (", and it is η/α" if rule == "sgd" else ""),
            rule == "sgd",
            partial(_by_branch, _one_l2, rule),
        ),
        Claim(
            f"{rule}.proximal",
            f"{rule}: the proximal step of L2 is weight decay in the numbers in which it is for gradient descent",
            rule not in _NOT_PROXIMAL,
            partial(_by_branch, _proximal, rule),
        ),
    ]


def _of_momentum(steps: int) -> list[Claim]:
    found = []
    for rule in _MOMENTUM:
        for kind, words in ((False, "constant α and η"), (True, "α_t, η_t and λ_t = η_t/α_t")):
            found += [
                Claim(
                    f"{rule}.after_{t}" + (".scheduled" if kind else ""),
                    f"{rule}: from a zero buffer, gradients given, with {words}, decay and L2 agree after step {t}",
                    t == 1 and rule != "nesterov",
                    partial(_agree_after, rule, t, kind),
                )
                for t in range(1, steps + 1)
            ]
        found.append(
            Claim(
                f"{rule}.any_loss",
                f"{rule}: the gap after step 2 is the same for every loss",
                rule != "nesterov",
                partial(_gap_without_loss, rule),
            )
        )
    inside, outside = "heavy_ball_inside", "heavy_ball"
    return [
        *found,
        Claim(
            "heavy_ball.forms",
            "the gap after step 2 is the same with the learning rate inside the buffer as outside, if it is constant",
            True,
            partial(_same_gap, outside, inside, False),
        ),
        Claim(
            "heavy_ball.forms.scheduled",
            "the gap after step 2 is the same with the learning rate inside the buffer as outside, under any schedule",
            False,
            partial(_same_gap, outside, inside, True),
        ),
        Claim(
            "sgd.scheduled",
            f"sgd: with α_t, η_t and λ_t = η_t/α_t, decay and L2 agree after step {steps}",
            True,
            partial(_agree_after, "sgd", steps, True),
        ),
        Claim(
            "sgd.scheduled.first",
            "sgd: with α_t, η_t and λ = η₁/α₁ kept, decay and L2 agree after step 2",
            False,
            partial(_agree_after, "sgd", 2, True, "first"),
        ),
        Claim(
            "sgd.shared_schedule",
            f"sgd: with α_t = s_t α, η_t = s_t η and λ = η/α kept, decay and L2 agree after step {steps}",
            True,
            partial(_agree_after, "sgd", steps, "shared", "first"),
        ),
    ]


def _of_preconditioner() -> list[Claim]:
    return [
        Claim(
            "preconditioned.penalty",
            "preconditioned: the penalty that was solved for, in the loss, removes η of every weight",
            True,
            partial(_removes_decay, _derived),
        ),
        Claim(
            "preconditioned.printed",
            "preconditioned: the penalty as printed (arXiv 1711.05101, Eq. 2), in the loss, removes η of every weight",
            False,
            partial(_removes_decay, printed_penalty),
        ),
    ]


def _of_penalties() -> list[Claim]:
    found = [
        Claim(
            f"{name}.loss",
            f"{name}: the derivative of the penalty in the loss (door 1) is what door 2 adds to the gradient",
            True,
            partial(_same_gradient, penalty),
        )
        for name, penalty in (("l2", L2), ("l1", L1), ("elastic_net", ElasticNet))
    ]
    prox = Claim(
        "l2.prox",
        "l2: the proximal step is where Ω(x) + (x − w)²/(2α) has its only stationary point",
        True,
        partial(_stationary, L2),
    )
    return [*found, prox]


def _by_branch(prove: Callable[[str, Branch], Evidence], rule: str) -> Evidence:
    """Prove of every branch of a rule, and say which were covered. It holds if it holds on all."""
    found = {branch.where: prove(rule, branch) for branch in branches(rule_called(rule))}
    if list(found) == [""]:
        return found[""]
    said = "; ".join(f"where {where}: {e.shown}" for where, e in found.items())
    formula = r";\quad ".join(e.latex for e in found.values() if e.latex)
    holds = all(e.holds for e in found.values())
    return Evidence(holds, said, formula, {f"where {where}": e.data for where, e in found.items()})


def _same_step(rule: str, branch: Branch) -> Evidence:
    return _evidence({("y − x", "y - x"): difference(rule, branch=branch).step})


def _same_state(rule: str, branch: Branch) -> Evidence:
    verdicts = difference(rule, branch=branch).state
    if not verdicts:
        return Evidence(True, "no state")
    return _evidence({(f"Δ{text(letter(n))}", rf"\Delta {latex(letter(n))}"): v for n, v in verdicts.items()})


def _one_l2(rule: str, branch: Branch) -> Evidence:
    found = solve_l2(rule, branch)
    one = found.coefficient
    holds = one is not None and (rule != "sgd" or decide(one - letter("decay") / letter("lr")).zero)
    data: dict[str, Any] = {
        "same step": list(map(text, found.step)),
        "same step and state": list(map(text, found.both)),
    }
    if found.step:
        (l2,) = found.step
        said = f"λ = {text(l2)}"
        if not found.both:
            said += " for the step, but none for the state"
        elif depends := sorted(map(text, l2.free_symbols & found.per_weight)):
            said += f", which depends on {', '.join(depends)}"
        return Evidence(holds, said, rf"\lambda = {latex(l2)}", data)
    at = found.at_rest
    data["at rest"] = {
        "needed": list(map(text, at.needed)),
        "unless": [f"{text(x)} = 0" for x in at.unless],
        "example": {text(w): shown(l2) for w, l2 in at.example.items()},
        "numbers": {text(s): text(x) for s, x in at.numbers.items()},
    }
    said = "at rest (g = 0, zero state) a weight w > 0 needs "
    if not at.needed:
        return Evidence(
            holds, said + f"a λ that does not exist, unless {' or '.join(data['at rest']['unless'])}", data=data
        )
    pairs = " but ".join(f"{shown(l2)} at w = {text(w)}" for w, l2 in at.example.items())
    numbers = ", ".join(f"{text(s)} = {text(x)}" for s, x in at.numbers.items())
    formulas = " or ".join(map(text, at.needed))
    said += f"λ = {formulas if len(formulas) < _LONG else '…'}: {pairs}, with {numbers}"
    return Evidence(holds, said, rf"\lambda = {latex(at.needed[0])}", data)


def _proximal(rule: str, branch: Branch) -> Evidence:
    found = proximal_as_decay(rule, branch)
    numbers = f"α' = {text(found.lr)}, η' = {text(found.decay)}"
    verdicts = {"weights": found.step, **{text(letter(n)): v for n, v in found.state.items()}}
    formula = rf"\alpha' = {latex(found.lr)},\quad \eta' = {latex(found.decay)}"
    data = {name: _recorded(v) for name, v in verdicts.items()}
    if found.same:
        return Evidence(True, numbers, formula, data)
    shown = "; ".join(f"{name}: {v}" for name, v in verdicts.items() if not v.zero)
    return Evidence(False, f"{numbers}: {shown}", formula, data)


def _agree_after(rule: str, step: int, schedule: Any, l2: str = "each") -> Evidence:
    kind = [letter("s", t) for t in range(1, step + 1)] if schedule == "shared" else schedule
    gap = momentum_gap(rule, step, kind, l2=l2).weights[-1]
    x, y = sympy.Symbol(f"x_{step}"), sympy.Symbol(f"y_{step}")
    return _evidence({(f"{text(y)} − {text(x)}", f"{latex(y)} - {latex(x)}"): decide(gap)})


def _same_gap(rule: str, other: str, schedule: bool) -> Evidence:
    first, second = (momentum_gap(r, 2, schedule).weights[-1] for r in (rule, other))
    formulas = {rule: text(first), other: text(second)}
    shown = "; ".join(f"{r}: {formula}" for r, formula in formulas.items())
    formula = latex(first) if first == second else rf"{latex(first)} \neq {latex(second)}"
    return Evidence(decide(first - second).zero, shown, formula, formulas)


def _gap_without_loss(rule: str) -> Evidence:
    """The gap is the same for every loss if no gradient is left in it, and not if two losses give unequal gaps."""
    gap = momentum_gap(rule, 2, any_loss=True).weights[-1]
    data = {"gap": text(gap)}
    if not gap.atoms(AppliedUndef):
        return Evidence(True, f"y₂ − x₂ = {text(gap)}", latex(gap), data)
    flat, round_ = (gap.replace(AppliedUndef, taken) for taken in (lambda *w: sympy.S.Zero, lambda w: w))
    verdict = decide(flat - round_)
    shown = f"{text(neat(flat))} for a flat loss, {text(neat(sympy.expand(round_)))} for w²/2"
    if verdict.zero:
        raise UndecidedError(f"{rule}: gradients stand in the gap, but two losses agree: {shown}")
    return Evidence(False, shown, latex(gap), data)


def _same_gradient(penalty: type[Penalty]) -> Evidence:
    return _evidence(
        {
            (f"∂Ω/∂{w} less door 2's", rf"\partial\Omega/\partial {latex(w)} - \nabla\Omega({latex(w)})"): decide(gap)
            for w, gap in loss_gap(penalty).items()
        }
    )


def _stationary(penalty: type[Penalty]) -> Evidence:
    named = ("prox − arg min", r"\operatorname{prox} - \operatorname{arg\,min}")
    return _evidence({named: decide(prox_gap(penalty))})


def _derived(w: Any, scale: Any) -> Any:
    return scaled_penalty()(w, scale)


def _removes_decay(penalty: Callable[..., Any]) -> Evidence:
    shares = removed(penalty)
    verdicts = [decide(share - letter("decay")) for share in shares]
    w, scale = [letter("w", 1)], [letter("scale", 1)]
    value = penalty(w, scale)
    shown = f"Ω(w₁) = {text(value)} removes {text(shares[0])}"
    wrong = [(share, v) for share, v in zip(shares, verdicts, strict=True) if not v.zero]
    if wrong:
        alone = sympy.solve(wrong[0][0] - letter("decay"), letter("lr"))
        shown += f", which is η only for α = {', '.join(map(text, alone))}"
    data = {"penalty": text(value), "removed": list(map(text, shares))}
    return Evidence(not wrong, shown, rf"\Omega(w_1) = {latex(value)}", data)


def _evidence(verdicts: dict[tuple[str, str], Verdict]) -> Evidence:
    """Return evidence that the differences, named in text and in LaTeX, are all zero, or what they are."""
    shown = "; ".join(f"{name} = {v}" for (name, _), v in verdicts.items())
    formula = r",\quad ".join(f"{name} = {latex(v.expression)}" for (_, name), v in verdicts.items())
    data = {name: _recorded(v) for (name, _), v in verdicts.items()}
    return Evidence(all(v.zero for v in verdicts.values()), shown, formula, data)


def _recorded(v: Verdict) -> dict[str, Any]:
    at = {text(s): text(x) for s, x in v.witness.items()}
    return {"difference": text(v.expression), "at": at, "value": shown(v.value)}
