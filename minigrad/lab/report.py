"""The comparison as a table for people and as JSON for programs."""

import json
from typing import Any

from minigrad.extras import need
from minigrad.lab.compare import Results
from minigrad.lab.partners import OneStep
from minigrad.lab.progress import FAMILY_NAMES
from minigrad.lab.trial import Run

__all__ = ["as_json", "notes", "print_report", "table"]

WIDTH = 114
CLEAR = 100  # how many times rounding a difference must be to be called one
# Of one step of heavy ball, in u·M where M bounds all weights before and after. With h = βb + g and |αh| ≤ 2M the bound
# of `one_step_bound` is at most 2 + 6 + 3/2 + 4η; the sums of h and of g + λw add |αh| + |αg| + η|w|. With |αg| ≤ 2M
# too this is 13.5 + 5η ≤ 18.5.
ROUNDINGS = 18.5
COLUMNS = (
    ("data\nloss", 6), ("\npenalty", 7), ("train\n%", 5), ("test\n%", 5), ("\n‖w‖", 6), ("zeros\n%", 5),
    ("one step\nweights", 8), ("one step\nstate", 8), ("error\n/ bound", 7), ("whole\nrun", 7),
)  # fmt: skip


def as_json(results: Results) -> bytes:
    """Return the results as JSON, one number a line. Equal settings on one machine give equal bytes."""
    text = json.dumps(results.as_dict(), ensure_ascii=False, allow_nan=False, indent=1)
    return (text + "\n").encode()


def print_report(results: Results, file: Any = None) -> None:
    """Print a table per family and what they mean to `file` (standard output)."""
    console = need("rich.console", "lab").Console(file=file, highlight=False)
    console.width = max(console.width, WIDTH) if console.is_terminal else WIDTH
    for family in results.settings.families:
        console.print(table(results, family))
    for line in notes(results):
        console.print(line, markup=False)


def table(results: Results, family: str) -> Any:
    """Return a rich table of one family: a row per variant. All families' tables have equal columns."""
    runs = [r for r in results.runs.values() if r.entry.family == family]
    n = runs[0].numbers
    beta = f", β = {n.momentum:g}" if family == "momentum" else ""
    made = need("rich.table", "lab").Table(
        title=f"{FAMILY_NAMES[family]}: α = {n.lr:g}, η = {n.decay:g}, λ = η/α = {n.l2:g}{beta}",
        title_justify="left",
        title_style="bold",
        box=need("rich.box", "lab").SIMPLE_HEAD,
        padding=0,
    )
    made.add_column("\n#", justify="right", min_width=2, no_wrap=True)
    made.add_column("\nvariant", min_width=26, no_wrap=True)
    for name, width in COLUMNS:
        made.add_column(name, justify="right", min_width=width, no_wrap=True)
    made.add_column("\npartner", justify="right", no_wrap=True)
    for run in runs:
        made.add_row(*_row(results, run))
    return made


def _row(results: Results, run: Run) -> list[str]:
    last, one = run.curve[-1], run.one_step
    partner = run.entry.partner
    numbers = {name: str(i) for i, name in enumerate(results.runs, 1)}
    return [
        numbers[run.entry.name],
        run.entry.label,
        _fixed(last.data_loss, 4),
        "–" if run.penalty is None else _fixed(run.penalty, 4),
        f"{100 * last.accuracy:.1f}",
        f"{100 * run.test_accuracy:.1f}",
        _fixed(last.norm, 3),
        f"{100 * run.zeros:.1f}",
        _small(one.weights if one else None),
        _small(one.state if one else None),
        "–" if one is None or one.bound_ratio is None else f"{one.bound_ratio:.2f}",
        _small(results.distances[run.entry.name][-1]) if partner else "–",
        numbers[partner] if partner else "–",
    ]


def _fixed(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if value < 100 else f"{value:.3g}"


def _small(value: float | None) -> str:
    if value is None:
        return "–"
    return "0" if value == 0 else f"{value:.1e}"


def notes(results: Results) -> list[str]:
    """Return what the columns mean, and what this run showed."""
    s = results.settings
    batch = min(s.batch_size, results.examples)
    steps = f"{results.steps} step{'s' * (results.steps > 1)} of {batch} example{'s' * (batch > 1)}"
    on = "weights, not biases" if s.on == "weights" else "all parameters, biases too"
    lines = [
        f"{s.model}, {s.dtype}, {steps}, schedule {s.schedule}, seed {s.seed}. Regularised: {on}; by the loop often "
        "seen always all.",
        "Data loss and penalty are apart; both at the end, the data loss over the training set. ‖w‖ and zeros: of "
        "weights.",
        "One step: both forms from the same weights, gradient and state, at every step of the run; the largest "
        "difference of a weight, and of the state.",
        "Whole run: ‖θ − θ′‖ / ‖θ₀‖ at the end, over all parameters; θ′ are the partner's, θ₀ the common start.",
    ]
    found = {"sgd": _of_sgd, "momentum": _of_momentum, "adam": _of_adam}
    for family in s.families:
        runs = {name: run for name, run in results.runs.items() if run.entry.family == family}
        lines.append(_of_nothing(family, runs) if _decay(runs) == 0 else found[family](results))
    return lines


def _decay(runs: dict[str, Run]) -> float:
    return next(iter(runs.values())).numbers.decay


def _of_nothing(family: str, runs: dict[str, Run]) -> str:
    name = FAMILY_NAMES[family]
    worst = max(run.one_step.weights for run in runs.values() if run.one_step)
    return (
        f"{name[0].upper() + name[1:]}: at η = 0 nothing is regularised, and the forms say nothing about each other: "
        f"one step of any two partners differs by {_small(worst)}."
    )


def _of_sgd(results: Results) -> str:
    pairs = [run.one_step for run in results.runs.values() if run.one_step]
    worst = max(pair.bound_ratio for pair in pairs if pair.bound_ratio is not None)
    return (
        f"SGD: L2 at λ = η/α and weight decay are one algorithm: at every step and on every weight they differ by at "
        f"most {worst:.2f} of the derived rounding bound."
    )


def _of_momentum(results: Results) -> str:
    one, end = results.runs["heavy_ball_l2"].one_step, results.distances["heavy_ball_l2"][-1]
    assert one is not None
    assert one.state is not None
    assert one.state_off_l2w is not None
    agree = f"agree to rounding (to within {_small(one.weights)}, {one.roundings:.1f} u·max|w|)"
    differ = f"differ by up to {_small(one.weights)}, {one.roundings:.2g} u·max|w|: more than rounding"
    text = f"Momentum: after one step the weights of L2 at η/α and of decay {agree if _agrees(one) else differ}"
    if one.state == 0:
        return f"{text}; the buffers do not differ: λw is too small to be seen. The runs end {_small(end)} apart."
    is_l2w = one.state_off_l2w <= one.state / CLEAR
    size = f"by λw itself to within {_small(one.state_off_l2w)}" if is_l2w else "no clearer than rounding"
    text += f"; the buffers differ by up to {_small(one.state)}, {size}"
    return f"{text}. The runs end {_small(end)} apart."


def _of_adam(results: Results) -> str:
    one, end = results.runs["adam_l2"].one_step, results.distances["adam_l2"][-1]
    assert one is not None
    if one.roundings <= CLEAR:
        return (
            f"Adam: one step of L2 at η/α and of AdamW differs by {_small(one.weights)}, {one.roundings:.1f} u·max|w|: "
            f"no clearer than rounding at this η. The runs end {_small(end)} apart."
        )
    return (
        f"Adam divides the penalty by the gradient's own size, decay is not divided: one step of L2 at η/α and of "
        f"AdamW differs by up to {_small(one.weights)}, {one.roundings:.0e} u·max|w|. "
        f"The runs end {_small(end)} apart."
    )


def _agrees(one: OneStep) -> bool:
    return one.roundings <= ROUNDINGS
