"""Seconds per training step against size, and from which size a GPU pays: ``python demos/gpu_speed.py``.

A perceptron width–width–10 with AdamW, by minigrad eager and captured, torch, torch.compile and JAX where they are
installed, on one core of the CPU and, where there is one, on the GPU. It is a demo, for a figure in a minute:
`minigrad bench` measures, in processes of their own and in turns.
"""

import os
import statistics
import time
from contextlib import contextmanager

import contenders
import numpy as np
from shared import Demo, caption

from minigrad.extras import need
from minigrad.lab.figure import BLUE, GREEN, ORANGE, PURPLE, RED
from minigrad.training.progress import reporter

BATCH = 128
COLOURS = dict(zip(contenders.MAKERS, (BLUE, RED, GREEN, ORANGE, PURPLE), strict=True))
CHECKED = 3  # steps whose losses must agree before anything is timed


def tolerance(width):
    """Return how far the losses of float32 may differ: 32 (1 + t) u Σ √n over both layers, as in `minigrad bench`."""
    return 32 * CHECKED * 2.0**-24 * 2 * np.sqrt(width)


@contextmanager
def one_core():
    """Hold this process, and what it starts, to one core, where the system can."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def measure(steps, budget):
    """Return the median seconds a step of each of `steps`, by name.

    They take turns, so that what else the machine does disturbs all alike. A turn is as many steps as take about 10 ms,
    and ends when the last loss has been read.
    """
    counts, found = {}, {name: [] for name in steps}
    for name, step in steps.items():
        counts[name] = max(1, int(0.01 / max(_seconds(step, 1), 1e-6)))
    began = time.perf_counter()
    while len(next(iter(found.values()))) < 5 or time.perf_counter() - began < budget * len(steps):
        for name, step in steps.items():
            found[name].append(_seconds(step, counts[name]) / counts[name])
    return {name: statistics.median(times) for name, times in found.items()}


def _seconds(step, count):
    started = time.perf_counter()
    for _ in range(count):
        loss = step()
    float(loss)
    return time.perf_counter() - started


def sweep(names, device, widths, seed, budget):
    """Return for every contender its seconds a step by width, and why the others take no part.

    Raises ArithmeticError if a contender's first losses are not those of minigrad on the CPU.
    """
    found, left_out = {name: {} for name in names}, {}
    with reporter(True, f"on the {device.upper()}") as show:
        show.start(len(widths), 0, len(widths))
        for i, width in enumerate(widths):
            given, steps = contenders.first(width, BATCH, seed), {}
            judge = contenders.minigrad_eager(*given, on_gpu=False)
            expected = [float(judge()) for _ in range(CHECKED)]
            for name in (n for n in names if n not in left_out):
                try:
                    steps[name] = contenders.MAKERS[name](*given, on_gpu=device == "gpu")
                except ImportError as error:
                    left_out[name] = str(error)
                    continue
                losses = [float(steps[name]()) for _ in range(CHECKED)]
                if not np.allclose(losses, expected, rtol=tolerance(width), atol=tolerance(width)):
                    raise ArithmeticError(f"{name} at width {width}: losses {losses}, minigrad's on the CPU {expected}")
            for name, seconds in (measure(steps, budget) if steps else {}).items():
                found[name][width] = seconds
            show.advance(i + 1)
    return {name: times for name, times in found.items() if times}, left_out


def crossover(cpu, gpu):
    """Return the smallest width from which the GPU is the faster one at every width measured, or None."""
    found = None
    for width in sorted(cpu.keys() & gpu.keys(), reverse=True):
        if gpu[width] >= cpu[width]:
            break
        found = width
    return found


def verdict(times):
    """Return in words what was measured."""
    cpu = times["cpu"]
    if not cpu:
        return ["none of the contenders is installed: nothing was timed"]
    widest = max(next(iter(cpu.values())))
    order = sorted(cpu, key=lambda name: cpu[name][widest])
    shown = "; ".join(f"{contenders.LABELS[name]}: {1e3 * cpu[name][widest]:.2g} ms" for name in order)
    said = [f"One core, width {widest}. {shown}"]
    if "gpu" not in times:
        return [*said, "No GPU: the CPU alone was timed, and where a GPU begins to pay was not measured"]
    for name, gpu in times["gpu"].items():
        host = cpu.get(name, cpu.get("minigrad", {}))
        width = crossover(host, gpu)
        at = f"pays from width {width} on" if width else "does not pay at any width measured"
        said.append(f"{contenders.LABELS[name]}: the GPU {at}")
    return said


def draw(figure, times, note):
    axes, tickers = figure.subplots(), need("matplotlib.ticker", "lab")
    for device, dash in (("cpu", (0, (4, 2))), ("gpu", "-")):
        for name, found in times.get(device, {}).items():
            axes.plot(
                list(found), [1e3 * s for s in found.values()], color=COLOURS[name], linestyle=dash, marker="o",
                markersize=2.5, linewidth=1.2, label=f"{device.upper()}: {contenders.LABELS[name]}",
            )  # fmt: skip
    axes.set(xlabel=f"width (batch {BATCH})", ylabel="milliseconds per training step", yscale="log")
    axes.set_xscale("log", base=2)
    axes.yaxis.set_major_locator(tickers.LogLocator(subs=(1, 2, 5)))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(tickers.StrMethodFormatter("{x:g}"))
    axes.minorticks_off()
    figure.legend(frameon=False, loc="outside right upper")
    caption(figure, note)


def asked(text):
    """Return the names in a list with commas; ValueError for one that is not known."""
    names = text.split(",")
    if unknown := [name for name in names if name not in contenders.MAKERS]:
        raise ValueError(f"unknown {', '.join(map(repr, unknown))}; expected some of {', '.join(contenders.MAKERS)}")
    return names


def main(argv=None):
    every = ",".join(contenders.MAKERS)
    demo = Demo(
        "gpu_speed", __doc__, argv,
        lambda add: add("--contenders", default=every, metavar="A,B", help="default: %(default)s"),
    )  # fmt: skip
    given = demo.options.contenders
    names = demo.check(f"--contenders {given}", lambda: asked(given))
    limits = demo.check("threadpoolctl", lambda: need("threadpoolctl", "lab"))
    widths, budget = demo.size(
        quick=((8, 16), 0.01), cpu=((32, 64, 128, 256, 512, 1024), 0.5), gpu=((32, 128, 512, 1024, 2048, 4096), 0.5)
    )
    times, left_out = {}, {}
    with demo.running(f"widths {', '.join(map(str, widths))}, batch {BATCH}"), limits.threadpool_limits(1):
        # On a CPU a captured step is the step itself.
        on_cpu = [n for n in names if n != "minigrad-captured"] or ["minigrad"]
        with one_core():
            times["cpu"], left_out["cpu"] = sweep(on_cpu, "cpu", widths, demo.options.seed, budget)
        if demo.backend == "cupy":
            times["gpu"], left_out["gpu"] = sweep(names, "gpu", widths, demo.options.seed, budget)
    words = verdict(times)
    words += [f"{device.upper()} without {name}: {why}" for device, of in left_out.items() for name, why in of.items()]
    print("\n".join(words))
    record = {"seconds": times, "left_out": left_out, "batch": BATCH, "verdict": words}
    demo.finish(record, lambda figure: draw(figure, times, words), 7.1, 4.0)


if __name__ == "__main__":
    main()
