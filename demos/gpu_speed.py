"""Seconds per training step against size, and from which size a GPU pays: ``python demos/gpu_speed.py``.

A perceptron width–width–10 with AdamW, by the contenders of `minigrad bench`: minigrad eager and captured, torch,
torch.compile and JAX where they are installed, on one core of the CPU and, where there is one, on the GPU. It is the
bench at a quicker pace, for one figure: each works in a process of its own, in turns, and is checked before.
"""

from shared import Demo, caption

from minigrad.extras import need
from minigrad.lab.bench import step
from minigrad.lab.bench.bench import Plan, bench
from minigrad.lab.bench.contenders import LABELS, MODULES
from minigrad.lab.bench.progress import telling
from minigrad.lab.bench.turns import Pace
from minigrad.lab.bench.work import Work
from minigrad.lab.figure import BLUE, GREEN, ORANGE, PURPLE, RED

BATCH = 128
CLASSES = 10
COLOURS = {
    "minigrad": BLUE, "minigrad-captured": RED, "torch-fused": GREEN, "torch-compile": ORANGE, "jax": PURPLE,
}  # fmt: skip
QUICK, PACE = Pace(rounds=1, turn=0.01, pause=0.0), Pace(rounds=5, turn=0.1)


def measure(names, where, widths, seed, pace, modules=MODULES):
    """Return for every contender its seconds a step by width on the CPU or the GPU, and why the others take no part."""
    backend = {"cpu": "numpy", "gpu": "cupy"}[where]
    cases = [step.mlp(BATCH, width, width, CLASSES, seed=seed).on(backend) for width in widths]
    work = Work(where, "Widths", lambda quick: cases, names, names[0], judge="judge", backend=backend)
    with telling(len(cases)) as tell:
        found = bench(Plan([work], threads=1, pace=pace, backend=backend), tell, modules)
    times, left_out = {}, {}
    for width, case in zip(widths, found["works"][0]["cases"], strict=True):
        for entry in case["contenders"]:
            if entry["status"] == "timed":
                times.setdefault(entry["name"], {})[width] = entry["seconds"]["median"]
            else:
                left_out.setdefault(entry["name"], f"{entry['status']} at width {width}: {entry['reason']}")
    return times, left_out


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
    widest = max(max(widths) for widths in cpu.values())
    order = sorted((name for name in cpu if widest in cpu[name]), key=lambda name: cpu[name][widest])
    shown = "; ".join(f"{LABELS[name]}: {1e3 * cpu[name][widest]:.2g} ms" for name in order)
    said = [f"One core, width {widest}. {shown}"]
    if "gpu" not in times:
        return [*said, "No GPU: the CPU alone was timed, and where a GPU begins to pay was not measured"]
    for name, gpu in times["gpu"].items():
        host = cpu.get(name, cpu.get("minigrad", {}))
        width = crossover(host, gpu)
        at = f"pays from width {width} on" if width else "does not pay at any width measured"
        said.append(f"{LABELS[name]}: the GPU {at}")
    return said


def draw(figure, times, note):
    axes, tickers = figure.subplots(), need("matplotlib.ticker", "lab")
    for device, dash in (("cpu", (0, (4, 2))), ("gpu", "-")):
        for name, found in times.get(device, {}).items():
            axes.plot(
                list(found), [1e3 * s for s in found.values()], color=COLOURS[name], linestyle=dash, marker="o",
                markersize=2.5, linewidth=1.2, label=f"{device.upper()}: {LABELS[name]}",
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
    if unknown := [name for name in names if name not in COLOURS]:
        raise ValueError(f"unknown {', '.join(map(repr, unknown))}; expected some of {', '.join(COLOURS)}")
    return names


def main(argv=None):
    every = ",".join(COLOURS)
    demo = Demo(
        "gpu_speed", __doc__, argv,
        lambda add: add("--contenders", default=every, metavar="A,B", help="default: %(default)s"),
    )  # fmt: skip
    given = demo.options.contenders
    names = demo.check(f"--contenders {given}", lambda: asked(given))
    widths, pace = demo.size(
        quick=((8, 16), QUICK), cpu=((32, 64, 128, 256, 512, 1024), PACE), gpu=((32, 128, 512, 1024, 2048, 4096), PACE)
    )
    times, left_out = {}, {}
    with demo.running(f"widths {', '.join(map(str, widths))}, batch {BATCH}"):
        # On a CPU a captured step is the step itself.
        on_cpu = [n for n in names if n != "minigrad-captured"] or ["minigrad"]
        times["cpu"], left_out["cpu"] = measure(on_cpu, "cpu", widths, demo.options.seed, pace)
        if demo.backend == "cupy":
            times["gpu"], left_out["gpu"] = measure(names, "gpu", widths, demo.options.seed, pace)
    words = verdict(times)
    words += [f"{device.upper()} without {name}: {why}" for device, of in left_out.items() for name, why in of.items()]
    print("\n".join(words))
    record = {"seconds": times, "left_out": left_out, "batch": BATCH, "verdict": words}
    demo.finish(record, lambda figure: draw(figure, times, words), 7.1, 4.0)


if __name__ == "__main__":
    main()
