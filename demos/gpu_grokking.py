"""Modular addition, with decay as the knob: ``python demos/gpu_grokking.py``.

A network learns a + b mod p from some of the p² pairs and is tested on the rest. It fits what it sees at once; whether
and when it gets the rest right depends on how its weights are regularised (Power et al., arXiv 2201.02177). AdamW for
several η, beside Adam with L2 in the gradient for several λ. What is printed is computed from this run.
"""

from dataclasses import dataclass, field

import numpy as np
from shared import Demo, caption

import minigrad as mg
from minigrad import backend, nn, optim
from minigrad.extras import need
from minigrad.training.progress import reporter

PANELS = {
    "decay": ("AdamW, weight decay", "η", (0.0, 1e-3, 3e-3, 1e-2, 3e-2)),
    "l2": ("Adam, L2 in the gradient", "λ", (0.0, 1e-6, 1e-5, 1e-4, 1e-3)),
}
LR, BETAS = 1e-2, (0.9, 0.98)
KNOWN = 0.95  # the accuracy from which a set counts as learned
LATE = 3  # times as many steps for the test set as for the training set: what is called grokking here


@dataclass
class Run:
    """Accuracies of one training, and ‖w‖, at some steps."""

    key: str
    value: float
    steps: list = field(default_factory=list)
    train: list = field(default_factory=list)
    test: list = field(default_factory=list)
    norm: list = field(default_factory=list)

    def since(self, which):
        """Return the first step seen from which the accuracy on "train" or "test" is `KNOWN`, or None."""
        return next((s for s, a in zip(self.steps, getattr(self, which), strict=True) if a >= KNOWN), None)


def task(p, share, seed):
    """Return (x, y) to train on and to test on: a and b as two one-hot vectors side by side, and a + b mod p."""
    a, b = np.divmod(np.arange(p * p), p)
    x = np.concatenate([np.eye(p, dtype=np.float32)[a], np.eye(p, dtype=np.float32)[b]], axis=1)
    order = np.random.default_rng([seed, 1]).permutation(p * p)
    parts = np.split(order, [round(share * p * p)])
    return [(x[rows], ((a + b) % p)[rows]) for rows in parts]


def network(p, hidden, seed):
    """Return 2p–hidden–p with relu, without biases."""
    rng = np.random.default_rng(seed)
    first, second = nn.Linear(2 * p, hidden, rng=rng, bias=False), nn.Linear(hidden, p, rng=rng, bias=False)
    return nn.Sequential(first, nn.ReLU(), second)


def train(key, value, parts, p, hidden, steps, every, seed):
    """Train on all pairs of the training set at every step, captured as one graph on a GPU; return the `Run`."""
    xp, run = backend.current(), Run(key, value)
    (x, y), test = ([xp.asarray(a) for a in part] for part in parts)
    model = network(p, hidden, seed)
    optimizer = optim.Adam(model.parameters(), lr=LR, betas=BETAS, **({key: value} if value else {}))

    @mg.capture
    def step():
        optimizer.zero_grad()
        loss = mg.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    def look(t, loss):
        with mg.no_grad():
            hits = [float((model(u).data.argmax(axis=-1) == v).mean()) for u, v in ((x, y), test)]
        norm = float(sum((q.data**2).sum() for q in model.parameters())) ** 0.5
        for values, new in ((run.steps, t), (run.train, hits[0]), (run.test, hits[1]), (run.norm, norm)):
            values.append(new)
        return {
            "epoch": t, "data_loss": float(loss.data), "accuracy": hits[0], "test_accuracy": hits[1], "norm": norm,
        }  # fmt: skip

    title, letter, _ = PANELS[key]
    with reporter(True, f"{title}, {letter} = {short(value)}", "step") as show:
        show.start(steps, 0, steps)
        for t in range(1, steps + 1):
            loss = step()
            show.advance(t)
            if t % every == 0 or t == steps:
                record = look(t, loss)
                show.step(record)
                if t == steps:
                    show.epoch(record)
    return run


def short(value):
    """Return a number as it is read: 1e-6, not 1e-06."""
    return f"{value:g}".replace("e-0", "e-")


def verdict(runs, key):
    """Return in words what the runs of one panel show, and what they do not."""
    title, letter, _ = PANELS[key]
    said, never, late = [], [], []
    for run in (r for r in runs if r.key == key):
        fitted, known = run.since("train"), run.since("test")
        if known is None:
            never.append(f"{letter} = {short(run.value)} ({run.test[-1]:.0%})")
        else:
            said.append(f"{letter} = {short(run.value)}: fitted at step {fitted}, learned at {known}")
            if run.value and fitted is not None and known >= LATE * fitted:
                late.append(run)
    if never:
        said.append(f"not learned (test accuracy at the end): {', '.join(never)}")
    none = next(r for r in runs if r.key == key and not r.value)
    if late and none.since("test") is None:
        those = ", ".join(f"{letter} = {short(r.value)}" for r in late)
        shown = f"with {those} it groks, and without regularisation it does not within {none.steps[-1]} steps"
    elif late:
        shown = "it groks, but also learns without any regularisation: the knob decides at most when"
    else:
        shown = "no grokking is seen"
    return f"{title}: {'; '.join(said)}. In this run {shown}."


def draw(figure, runs, note):
    matplotlib = need("matplotlib", "lab")
    tickers = need("matplotlib.ticker", "lab")
    grid = figure.subplots(2, len(PANELS), sharex=True, sharey="row")
    for column, (key, (title, letter, values)) in enumerate(PANELS.items()):
        accuracy, norm = grid[:, column]
        colours = ["#000000", *matplotlib.colormaps["viridis"](np.linspace(0, 0.85, len(values) - 1))]
        dashes = ((0, (1, 1.3)), "-", (0, (5, 1.5)), (0, (3, 1.2, 1, 1.2)), (0, (7, 1, 1, 1, 1, 1)))
        for run, colour, dash in zip((r for r in runs if r.key == key), colours, dashes, strict=True):
            accuracy.plot(run.steps, [100 * a for a in run.train], color=colour, lw=0.5, alpha=0.6)
            accuracy.plot(
                run.steps,
                [100 * a for a in run.test],
                color=colour,
                ls=dash,
                lw=1.4,
                label=f"{letter} = {short(run.value)}",
            )
            norm.plot(run.steps, run.norm, color=colour, ls=dash, lw=1.4)
        accuracy.set_title(title, loc="left")
        handles, labels = accuracy.get_legend_handles_labels()
        norm.legend(
            handles, labels, frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=3, handlelength=2.8,
            handletextpad=0.6, columnspacing=1, borderpad=0, borderaxespad=0.2,
        )  # fmt: skip
        norm.set(xlabel="step", xscale="log", yscale="log")
        for axis, marks in ((norm.xaxis, (1, 3)), (norm.yaxis, (1, 2, 3, 5))):
            axis.set_major_locator(tickers.LogLocator(subs=marks))
            axis.set_major_formatter(tickers.StrMethodFormatter("{x:g}"))
        accuracy.minorticks_off()
        norm.minorticks_off()
    grid[0][0].set_ylabel("accuracy, %\n(thin: training set, wide: test set)")
    grid[1][0].set_ylabel("‖w‖")
    caption(figure, note)


def main(argv=None):
    demo = Demo("gpu_grokking", __doc__, argv)
    seed = demo.options.seed
    p, hidden, steps, every = demo.size(quick=(7, 16, 30, 10), cpu=(31, 128, 4000, 20), gpu=(97, 512, 40_000, 100))
    share = 0.6
    parts = task(p, share, seed)
    runs = []
    shown = f"a + b mod {p}, {share:.0%} of the pairs to train on; {2 * p}–{hidden}–{p}, α = {LR:g}, {steps} steps"
    with demo.running(shown):
        for key, (_, _, values) in PANELS.items():
            runs += [train(key, value, parts, p, hidden, steps, every, seed) for value in values]
    words = [verdict(runs, key) for key in PANELS]
    print("\n".join(words))
    record = {"p": p, "share": share, "steps": steps, "lr": LR, "verdict": words, "runs": [vars(run) for run in runs]}
    note = [f"{shown}, seed {seed}. Learned: {KNOWN:.0%} of the test set.", *words]
    demo.finish(record, lambda figure: draw(figure, runs, note), 7.1, 5.8)


if __name__ == "__main__":
    main()
