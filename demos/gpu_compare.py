"""The three doors on a convolutional network for 32 × 32 images: ``python demos/gpu_compare.py``.

SGD and Adam, each without regularisation, with L2 in the loss, with L2 in the gradient, and with weight decay, from
the same weights on the same batches, with λ = η/α. ``--data DIR`` takes CIFAR-10 from its binary files; without it, a
fixed random network made the task.
"""

from dataclasses import dataclass, field

import images
import numpy as np
from shared import Demo, caption

from minigrad import backend
from minigrad.data import Batches
from minigrad.extras import need
from minigrad.lab.compare import whole_run
from minigrad.lab.figure import PREFIXES, STYLES
from minigrad.lab.progress import FAMILY_NAMES
from minigrad.lab.variants import Numbers, entries
from minigrad.training import fit

NUMBERS = {"sgd": Numbers(lr=0.02, decay=5e-4), "adam": Numbers(lr=1e-3, decay=5e-4)}
KINDS = ("none", "loss_l2", "l2", "decay")
SNAPSHOTS = 40


@dataclass
class Run:
    """What one training showed: weights at some steps, and a record an epoch."""

    family: str
    kind: str
    label: str
    steps: list = field(default_factory=list)
    points: list = field(default_factory=list)
    norms: list = field(default_factory=list)
    epochs: list = field(default_factory=list)


def chosen():
    """Yield the entries of `minigrad compare` that are trained here: family, kind, entry."""
    for family in NUMBERS:
        for entry in entries(family):
            kind = entry.name.removeprefix(PREFIXES[family]).lstrip("_") or "none"
            if kind in KINDS:
                yield family, kind, entry


def train(family, kind, entry, split, widths, batch, epochs, seed):
    """Return the `Run`. On a GPU the step is captured and nothing is read between two records: snapshots stay there."""
    numbers = NUMBERS[family]
    model = images.network(widths, seed)
    params = list(model.parameters())
    batches = Batches(*split.train, batch, seed=seed, classes=split.classes)
    optimizer = entry.make(params, numbers)
    run = Run(family, kind, f"{FAMILY_NAMES[family]}, {entry.label}")
    every = -(-epochs * len(batches) // SNAPSHOTS)
    kept = [[p.data.copy() for p in params]]
    run.steps = [0]

    def snapshot(state):
        if state.step % every == 0 or state.step == epochs * len(batches):
            run.steps.append(state.step)
            kept.append([p.data.copy() for p in params])

    omega = entry.penalty(numbers) if entry.in_loss else None
    history = fit(
        model, optimizer, batches, epochs=epochs, penalty=omega, test=split.test, capture=True, callbacks=snapshot,
        label=run.label,
    )  # fmt: skip
    run.epochs = history.epochs
    weights = [i for i, p in enumerate(params) if p.role == "weight"]
    for arrays in kept:
        on_host = [backend.to_host(a).ravel().astype(float) for a in arrays]
        run.points.append(np.concatenate(on_host))
        run.norms.append(float(np.linalg.norm(np.concatenate([on_host[i] for i in weights]))))
    return run


def distances(runs):
    """Return, for each family, how far doors 1 and 2, and doors 2 and 3, are apart at each step of the curves."""
    found = {}
    for family in NUMBERS:
        of = {r.kind: r for r in runs if r.family == family}
        found[family] = {"1–2": whole_run(of["loss_l2"], of["l2"]), "2–3": whole_run(of["l2"], of["decay"])}
    return found


def verdict(apart):
    """Return in words how far the weights ended apart in this run."""
    ends = {f: {doors: d[-1] for doors, d in of.items()} for f, of in apart.items()}
    said = "; ".join(
        f"{FAMILY_NAMES[f]}: {of['1–2']:.1g} between doors 1 and 2, {of['2–3']:.1g} between doors 2 and 3"
        for f, of in ends.items()
    )
    ratio = ends["adam"]["2–3"] / max(ends["sgd"]["2–3"], np.finfo(np.float64).tiny)
    much = "L2 in the gradient and weight decay are" + (
        f" {float(f'{ratio:.2g}'):,.0f} times as far apart behind Adam as behind SGD" if ratio >= 10 else
        " not clearly further apart behind Adam than behind SGD in this run"
    )  # fmt: skip
    return f"distance of the last weights in units of ‖θ₀‖: {said}; {much}"


def draw(figure, runs, apart, note):
    grid = figure.subplots(4, len(NUMBERS), sharex=True, sharey="row")
    for column, (family, numbers) in enumerate(NUMBERS.items()):
        norm, loss, accuracy, distance = grid[:, column]
        norm.set_title(f"{FAMILY_NAMES[family]}: α = {numbers.lr:g}, η = {numbers.decay:g}, λ = η/α", loc="left")
        for run in (r for r in runs if r.family == family):
            colour, dashes, width, height = STYLES[run.kind]
            style = {"color": colour, "linestyle": dashes, "linewidth": width, "zorder": height}
            at = [e["step"] for e in run.epochs]
            norm.plot(run.steps, run.norms, **style, label=run.label.partition(", ")[2])
            loss.plot(at, [e["data_loss"] for e in run.epochs], **style)
            accuracy.plot(at, [100 * e["test_accuracy"] for e in run.epochs], **style)
        for doors, kind in (("1–2", "loss_l2"), ("2–3", "l2")):
            shown = [(s, d) for s, d in zip(run.steps, apart[family][doors], strict=True) if d > 0]
            label = f"doors {doors}" if shown else f"doors {doors}: 0 at every step shown"
            dashes = "-" if doors == "1–2" else STYLES[kind][1]
            xs, ys = zip(*shown, strict=True) if shown else ([], [])
            distance.plot(xs, ys, color=STYLES[kind][0], linestyle=dashes, label=label)
        distance.set_yscale("log")
        distance.minorticks_off()
        distance.set_xlabel("step")
        distance.xaxis.set_major_locator(need("matplotlib.ticker", "lab").MaxNLocator(integer=True))
        distance.legend(frameon=False, loc="best")
    grid[0][0].set_ylim(0, 1.1 * max(max(run.norms) for run in runs))
    for row, label in enumerate(
        ("‖w‖", "data loss\n(mean of an epoch)", "test accuracy, %", "distance\n‖θ − θ′‖ / ‖θ₀‖")
    ):
        grid[row][0].set_ylabel(label)
    grid[0][0].legend(frameon=False, loc="lower left", ncols=2)
    caption(figure, [note])


def main(argv=None):
    demo = Demo(
        "gpu_compare", __doc__, argv,
        lambda add: add("--data", metavar="DIR", help="a folder with the files of CIFAR-10's binary version"),
    )  # fmt: skip
    train_size, test_size, batch, epochs, widths = demo.size(
        quick=(48, 32, 24, 2, (4, 8)),
        cpu=(1024, 512, 32, 12, (8, 16, 32)),
        gpu=(50_000, 10_000, 128, 15, (32, 64, 128)),
    )
    folder, seed = demo.options.data, demo.options.seed
    most = None if demo.backend == "cupy" and not demo.options.quick else train_size
    if folder is not None:
        split, source = demo.check(f"--data {folder}", lambda: images.cifar(folder, most)), "CIFAR-10"
    else:
        split, source = images.taught(train_size, test_size, seed), "images labelled by a random network (no --data)"
    shown = f"{len(split.train_labels)} {source}, {len(split.test_labels)} to test on; channels {widths}"
    with demo.running(f"{shown}; {epochs} epochs of batches of {batch}"):
        runs = [train(*what, split, widths, batch, epochs, seed) for what in chosen()]
    apart = distances(runs)
    words = verdict(apart)
    print(words)
    record = {
        "data": source, "verdict": words, "distances": apart,
        "runs": [{k: v for k, v in vars(run).items() if k != "points"} for run in runs],
    }  # fmt: skip
    note = (
        f"{shown}. {words[0].upper()}{words[1:]}. float32: behind SGD they are one algorithm, and their distance is "
        "rounding, which the network amplifies."
    )
    demo.finish(record, lambda figure: draw(figure, runs, apart, note), 7.1, 7.6)


if __name__ == "__main__":
    main()
