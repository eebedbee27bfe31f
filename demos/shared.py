"""What the GPU demos share: their options, where they run and how large, and how their figures are written."""

import argparse
import io
import json
import textwrap
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import minigrad as mg
from minigrad.extras import need
from minigrad.lab.figure import RC
from minigrad.lab.output import check_directory, write_all
from minigrad.regularization.checks import integer

Size = TypeVar("Size")


class Demo:
    """A demo's options, checked before anything runs, and what follows from them.

    Attributes:
        options: the parsed arguments.
        backend: "numpy" or "cupy".
        reason: why there is no GPU, where none was found.
    """

    def __init__(self, name: str, about: str, argv: Any, add: Callable[[Any], Any] | None = None):
        """`about` is the demo's docstring, of which ``--help`` shows the first line."""
        self.name = name
        description = about.partition("\n")[0]
        self.parser = argparse.ArgumentParser(prog=name, description=description, allow_abbrev=False)
        option = self.parser.add_argument
        option("--backend", choices=("numpy", "cupy"), help="default: cupy if there is a GPU, else numpy")
        option("--seed", type=int, default=0, metavar="N", help="of everything that is drawn (default: 0)")
        option("--out", type=Path, default=Path(name), metavar="DIR", help="where files go (default: %(default)s)")
        option("--quick", action="store_true", help="seconds, to see that it runs; shows nothing of the subject")
        if add is not None:
            add(option)
        self.options = self.parser.parse_args(argv)
        self.check("--seed", lambda: integer("the seed", self.options.seed, least=0))
        self.check("--out", lambda: check_directory(self.options.out))
        for module in ("matplotlib", "rich"):
            self.check(module, lambda module=module: need(module, "lab"))
        self.backend, self.reason = self._place()

    def check(self, argument: str, function: Callable[[], Any]) -> Any:
        """Return ``function()``; what it objects to is said in one line, and the demo ends with status 2."""
        try:
            return function()
        except (ValueError, TypeError, ImportError, OSError, RuntimeError) as error:
            self.parser.error(f"{argument}: {' '.join(str(error).split())}")

    def _place(self) -> tuple[str, str]:
        asked = self.options.backend
        if asked == "numpy":
            return "numpy", "--backend numpy was asked for"
        try:
            with mg.use_backend("cupy"):
                return "cupy", ""
        except (ImportError, RuntimeError) as error:
            if asked == "cupy":
                self.check("--backend cupy", lambda: mg.use_backend("cupy"))
            return "numpy", f"no GPU was found: {error}"

    def size(self, *, quick: Size, cpu: Size, gpu: Size) -> Size:
        """Return the size of the run for where it runs."""
        return quick if self.options.quick else gpu if self.backend == "cupy" else cpu

    @contextmanager
    def running(self, words: str) -> Any:
        """Say where the demo runs, how large and why; make that the back end of the block."""
        where = "on the GPU" if self.backend == "cupy" else f"on the CPU, smaller than on a GPU ({self.reason})"
        print(f"{self.name}: {where}\n{words}, seed {self.options.seed}", flush=True)
        if self.options.quick:
            print("--quick: too short to show anything but that it runs", flush=True)
        with mg.use_backend(self.backend):
            yield

    def finish(self, record: Mapping[str, Any], draw: Callable[[Any], None], width: float, height: float) -> None:
        """Write what was found, with the options that decide it, as JSON, and its figure; all files or none."""
        about = {"seed": self.options.seed, "backend": self.backend, "quick": self.options.quick}
        content = json.dumps({**about, **record}, ensure_ascii=False).encode()
        self.write({f"{self.name}.json": content, **render(self.name, draw, width, height)})

    def write(self, files: Mapping[str, bytes]) -> None:
        """Write all files or none, and say where they are."""
        written = self.check("--out", lambda: write_all(self.options.out, files))
        print(f"Written: {', '.join(map(str, written))}")


def render(name: str, draw: Callable[[Any], None], width: float, height: float) -> dict[str, bytes]:
    """Return the figure that ``draw(figure)`` draws as PNG and SVG, in the style of `minigrad compare`."""
    matplotlib, figures = need("matplotlib", "lab"), need("matplotlib.figure", "lab")
    files = {}
    with matplotlib.rc_context(RC):
        figure = figures.Figure(figsize=(width, height), layout="constrained")
        draw(figure)
        for kind, options in (("png", {"dpi": 200}), ("svg", {"metadata": {"Date": None}})):
            buffer = io.BytesIO()
            figure.savefig(buffer, format=kind, **options)
            files[f"{name}.{kind}"] = buffer.getvalue()
    return files


def caption(figure: Any, lines: Sequence[str]) -> None:
    """Write lines below the figure, wrapped to its width. A number stays with its sign and its unit."""
    kept = (line.replace(" = ", "\u00a0=\u00a0").replace(" ms", "\u00a0ms") for line in lines)
    wrapped = [textwrap.fill(line, int(18 * figure.get_figwidth())) for line in kept]
    figure.supxlabel("\n".join(wrapped), x=0.01, ha="left", fontsize=7)
