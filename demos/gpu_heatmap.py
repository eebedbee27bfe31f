"""An α × η heat map of hundreds of small nets, trained at once: ``python demos/gpu_heatmap.py``.

Left, Adam with L2 in the gradient, over α and λ; right, AdamW, over α and η. All nets begin with the same weights and
see the same batches; each has its own pair of numbers. The paper's claim (Loshchilov and Hutter, arXiv 1711.05101,
Figs. 1 and 2) is that the good region is diagonal on the left and along the axes on the right. What is printed is
computed from this run, and may say otherwise.
"""

import json
import textwrap

import numpy as np
from nets_at_once import Nets
from shared import Demo, render

from minigrad import backend, data, optim
from minigrad.training.progress import reporter

PAIRS = {
    "adam": ((optim.Adam, "l2", "Adam, L2 in the gradient"), (optim.AdamW, "decay", "AdamW, weight decay")),
    "sgd": ((optim.SGD, "l2", "SGD, L2 in the gradient"), (optim.SGD, "decay", "SGD, weight decay")),
}
RANGES = {  # of the exponents of ten: α, λ, η
    "adam": {"lr": (-4, -1), "l2": (-5, 0), "decay": (-5, -1)},
    "sgd": {"lr": (-2.5, 0.5), "l2": (-4, 0), "decay": (-5, -0.5)},
}
GOOD = 0.1  # the share of nets that make the good region
NOISE = 0.2  # the share of training labels that are drawn anew: something to overfit


def task(seed, examples):
    """Return digits to train on, some with a label drawn at random, and digits to test on."""
    split = data.digits(test=0.5)
    rng = np.random.default_rng([seed, 1])
    chosen = rng.permutation(len(split.train_labels))[:examples]
    labels = split.train_labels[chosen].copy()
    wrong = rng.random(examples) < NOISE
    labels[wrong] = rng.integers(0, 10, wrong.sum())
    return (split.train_images[chosen], labels), split.test


def grid(rule, key, side):
    """Return the numbers along both axes, and for every net its own two."""
    lr, other = (np.logspace(*RANGES[rule][name], side) for name in ("lr", key))
    each = np.meshgrid(lr, other)
    return lr, other, {"lr": each[0].ravel(), key: each[1].ravel()}


def train(optimizer, numbers, train_set, test_set, steps, batch, seed, label):
    """Return the test loss of every net, NaN for one that diverged, and its accuracy."""
    xp = backend.current()
    nets = Nets(optimizer, numbers, (64, 32, 10), seed)
    images, labels = (xp.asarray(a) for a in train_set)
    order = data.Batches(np.arange(len(labels)), np.arange(len(labels)), batch, seed=seed)
    every = max(1, steps // 5)
    with reporter(True, label, "step") as show, np.errstate(over="ignore", invalid="ignore"):
        show.start(steps, 0, steps)
        while nets.optimizer.steps < steps:
            for rows, _ in order:
                nets.step(images[rows], labels[rows])
                done = nets.optimizer.steps
                show.advance(done)
                if done % every == 0:
                    loss, accuracy = (backend.to_host(a) for a in nets.losses(images, labels))
                    norm = np.sqrt(sum(backend.to_host((p.data**2).sum(axis=(1, 2))) for p in nets.params))
                    one = int(np.nanargmin(loss))
                    seen = {"data_loss": loss[one], "accuracy": accuracy[one], "norm": norm[one]}
                    show.epoch({"epoch": done, **{key: float(x) for key, x in seen.items()}})
                if done == steps:
                    break
        loss, accuracy = (backend.to_host(a).astype(float) for a in nets.losses(*(xp.asarray(a) for a in test_set)))
    return np.where(np.isfinite(loss), loss, np.nan), accuracy


def best(loss):
    """Return the indices of the nets of the good region."""
    return np.argsort(np.where(np.isfinite(loss), loss, np.inf))[: max(3, round(GOOD * loss.size))]


def tilt(lr, other, loss):
    """Return the correlation of the two logarithms over the good region: −1 or 1 on a diagonal, 0 along the axes."""
    good = best(loss)
    a, b = np.log(lr[good]), np.log(other[good])
    return float(np.corrcoef(a, b)[0, 1]) if a.std() and b.std() else 0.0


def verdict(left, right):
    """Return in words what the two tilts of this run show."""
    said = f"tilt of the best tenth: {left:+.2f} with L2 in the gradient, {right:+.2f} with weight decay"
    if abs(left) > 0.5 and abs(right) < abs(left) / 2:
        return f"{said}: diagonal there, along the axes here, as in the paper"
    if abs(right) < abs(left):
        return f"{said}: less tilted with weight decay, but not a diagonal beside an axis"
    return f"{said}: not less tilted with weight decay; the paper's figures are not seen in this run"


def edges(centres):
    """Return where the cells of numbers that grow by a factor begin and end."""
    half = np.sqrt(centres[1] / centres[0])
    return np.append(centres / half, centres[-1] * half)


def draw(figure, rule, panels, words):
    low = min(np.nanmin(p["loss"]) for p in panels)
    axes = figure.subplots(1, 2)
    for ax, panel, (_, key, title) in zip(axes, panels, PAIRS[rule], strict=True):
        side, loss = len(panel["lr"]), panel["loss"]
        shown = np.minimum(loss, 2 * low).reshape(side, side)
        image = ax.pcolormesh(
            edges(panel["lr"]), edges(panel[key]), shown, cmap="viridis_r", vmin=low, vmax=2 * low, rasterized=True
        )
        rows, columns = np.divmod(best(loss), side)
        ax.plot(panel["lr"][columns], panel[key][rows], "o", ms=2.2, mfc="white", mec="black", mew=0.5)
        ax.set(xscale="log", yscale="log", xlabel="learning rate α")
        ax.set_ylabel("L2 coefficient λ" if key == "l2" else "decay per step η")
        ax.set_title(title, loc="left")
        ax.grid(False)
    bar = figure.colorbar(image, ax=axes, extend="max", pad=0.01)
    bar.set_label("test loss")
    if any(np.isnan(p["loss"]).any() for p in panels):
        words += " Grey: diverged."
        for ax in axes:
            ax.set_facecolor("#bbbbbb")
    figure.supxlabel(textwrap.fill(words, 125), x=0.01, ha="left", fontsize=7)


def main(argv=None):
    demo = Demo(
        "gpu_heatmap", __doc__.partition("\n")[0], argv,
        lambda add: add("--rule", choices=tuple(PAIRS), default="adam", help="default: %(default)s"),
    )  # fmt: skip
    rule, seed = demo.options.rule, demo.options.seed
    side, steps = demo.size(quick=(4, 12), cpu=(16, 1500), gpu=(32, 3000))
    train_set, test_set = demo.check("digits", lambda: task(seed, 256))
    panels = []
    with demo.running(f"{rule}: 2 × {side * side} nets 64-32-10 on 256 digits, {steps} steps of 32"):
        for optimizer, key, title in PAIRS[rule]:
            lr, other, numbers = grid(rule, key, side)
            loss, accuracy = train(optimizer, numbers, train_set, test_set, steps, 32, seed, f"{title}, the best net:")
            found = tilt(numbers["lr"], numbers[key], loss)
            panels.append({"lr": lr, key: other, "loss": loss, "accuracy": accuracy, "tilt": found})
    words = verdict(*(p["tilt"] for p in panels))
    note = f"Dots: the best tenth of the nets. {words[0].upper()}{words[1:]}. {steps} steps, seed {seed}."
    print(words)
    record = {
        "rule": rule, "seed": seed, "steps": steps, "backend": demo.backend, "quick": demo.options.quick,
        "verdict": words,
        "panels": [{k: np.asarray(v).tolist() for k, v in p.items()} for p in panels],
    }  # fmt: skip
    demo.write({
        "gpu_heatmap.json": json.dumps(record).replace("NaN", "null").encode(),
        **render("gpu_heatmap", lambda figure: draw(figure, rule, panels, note), 7.1, 3.3),
    })  # fmt: skip


if __name__ == "__main__":
    main()
