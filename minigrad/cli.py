"""The command line: ``minigrad compare``, ``prove``, ``atlas``, ``bench``, ``show``, ``info``."""

import argparse
import difflib
import io
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command in `argv` (default: the process's arguments); return the exit code.

    0: done. 1: the work itself failed (training diverged, two forms that are one algorithm differed, a claim was not as
    expected). 2: what was asked cannot be done. Both are said in one line.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without Greek letters shows "?" for them
    try:
        options = _parse(_parser(), arguments)
        run: Callable[[argparse.Namespace], int | None] = options.run
        code = run(options)
        sys.stdout.flush()
        return code or 0
    except RefusedError as refused:
        print(f"minigrad: error: {refused}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("minigrad: stopped", file=sys.stderr)
        return 130


@contextmanager
def _refusing() -> Iterator[None]:
    """Say in one line what a check within this block objects to."""
    try:
        yield
    except BrokenPipeError:
        raise
    except (ValueError, TypeError, ImportError, OSError, RuntimeError) as error:
        raise RefusedError(" ".join(str(error).split())) from error


class RefusedError(Exception):
    """An argument that cannot be used."""


class _Parser(argparse.ArgumentParser):
    """Raises instead of printing the usage and leaving."""

    def error(self, message: str) -> NoReturn:
        raise RefusedError(f"{message} (minigrad{self.prog.removeprefix('minigrad')} --help explains)")


def _parser() -> _Parser:
    from minigrad import __version__

    parser = _Parser(
        prog="minigrad",
        description="Weight decay and L2 regularisation, line for line.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"minigrad {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=_Parser)
    parser.set_defaults(run=lambda _: print(parser.format_help(), end=""))
    _add_compare(commands)
    _add_prove(commands)
    _add_atlas(commands)
    _add_bench(commands)
    _add_show(commands)
    info = commands.add_parser(
        "info",
        help="print versions, BLAS, threads, extras and GPUs",
        description="Print what a bug report needs: versions, BLAS, threads, extras and GPUs found.",
        allow_abbrev=False,
    )
    info.set_defaults(run=_info)
    return parser


def _add_compare(commands: Any) -> None:
    from minigrad.lab import schedules, settings

    command = commands.add_parser(
        "compare",
        help="train one network behind every door, and compare",
        description=(
            "Train the same network, from the same weights and on the same batches of handwritten digits, once per "
            "variant: SGD, SGD with momentum, and Adam, with L2 in the loss or in the gradient, with weight decay, and "
            "more. Each is held against its partner, the same regularisation through another door, step by step and "
            "over the whole run. Print a table, and write compare.json, compare.png and compare.svg."
        ),
        epilog="Every family has its own default of --lr and --decay; given here, they hold for all families.",
        allow_abbrev=False,
    )
    add = command.add_argument
    add("--model", default="mlp", metavar="NAME", help="mlp (64-32-10, default) or cnn (two 3x3 convolutions)")
    add("--optimizer", default="all", metavar="NAME", help="only one family: sgd, momentum or adam (default: all)")
    add("--lr", type=float, metavar="A", help="learning rate α (default: each family's own)")
    add(
        "--decay", type=float, metavar="C",
        help="η, the fraction of each weight that decay removes per step; L2 uses λ = η/α (default: each "
        "family's own)",
    )  # fmt: skip
    add("--on", default="weights", metavar="WHICH", help="what is regularised: weights (default) or all parameters")
    add(
        "--schedule", default="constant", metavar="NAME",
        help=f"{', '.join(schedules.NAMES)}; multiplies α and η alike (default: constant)",
    )  # fmt: skip
    epochs = ", ".join(f"{n} for {model}" for model, n in settings.DEFAULT_EPOCHS.items())
    add("--epochs", type=int, metavar="N", help=f"passes over the training set (default: {epochs})")
    add("--batch-size", type=int, default=32, metavar="N", help="examples per step (default: %(default)s)")
    add("--seed", type=int, default=0, metavar="N", help="of the weights and of the order of examples (default: 0)")
    add("--dtype", default="float64", metavar="NAME", help="float64 (default) or float32")
    add("--backend", default="numpy", metavar="NAME", help="numpy (default), or cupy for a CUDA GPU")
    out = Path("minigrad-compare")
    add("--out", type=Path, default=out, metavar="DIR", help="where the files go (default: %(default)s)")
    add("--quiet", action="store_true", help="no progress; only the table and the names of the files")
    command.set_defaults(run=_compare)


def _add_prove(commands: Any) -> None:
    from minigrad.lab.prove import SECTIONS

    command = commands.add_parser(
        "prove",
        help="prove λ = η/α where it holds, and show where it breaks",
        description=(
            "Decide every claim about the doors by every independent means: symbols, SMT, exact rationals through the "
            "whole engine, certified balls, derived rounding bounds, the atlas of situations, the literature's "
            "properties. The proofs run the rules and doors that train. Print a table, and write prove.json, "
            "prove.md and prove.tex. Ends with status 1 if a claim that should hold does not, or one that should break "
            "holds."
        ),
        allow_abbrev=False,
    )
    add = command.add_argument
    add("sections", nargs="*", metavar="SECTION", help=f"{', '.join(SECTIONS)} (default: all)")
    add("--thorough", action="store_true", help="go further: more steps, finer grids, longer searches")
    add("--workers", type=int, metavar="N", help="processes (default: one per processor)")
    add("--out", type=Path, default=Path("minigrad-prove"), metavar="DIR",
        help="where the files go (default: %(default)s)")  # fmt: skip
    add("--quiet", action="store_true", help="no progress; only the table and the names of the files")
    command.set_defaults(run=_prove)


def _add_atlas(commands: Any) -> None:
    command = commands.add_parser(
        "atlas",
        help="where two doors are one algorithm and where they part, situation by situation",
        description=(
            "Compare two doors for a rule in a situation: same step, same trajectory, same stationary points, each "
            "with a proof or with the smallest counterexample. Without options, all cells, as tables; with all three, "
            "one cell, with what shows it. With --out, write atlas.json, atlas.md, atlas.png and atlas.svg too."
        ),
        allow_abbrev=False,
    )
    add = command.add_argument
    add("--rule", metavar="R", help="only this rule, such as heavy_ball")
    add("--pair", metavar="P", help="only this pair: doors-1-2, doors-2-3 or shrink-prox")
    add("--situation", metavar="S", help="only this situation, such as clip-norm")
    add("--thorough", action="store_true", help="ask every rule about every situation")
    add("--workers", type=int, metavar="N", help="processes (default: one per processor)")
    add("--out", type=Path, metavar="DIR", help="where the files go (default: none are written)")
    add("--quiet", action="store_true", help="no progress; only the tables and the names of the files")
    command.set_defaults(run=_atlas)


def _add_bench(commands: Any) -> None:
    from minigrad.lab.bench import command

    parser = commands.add_parser("bench", help=command.HELP, description=command.DESCRIPTION, allow_abbrev=False)
    command.add_arguments(parser)
    parser.set_defaults(run=_bench)


def _add_show(commands: Any) -> None:
    command = commands.add_parser(
        "show",
        help="print a variant as one flat listing, or in another form",
        description=(
            "Print what a variant does in one step, line for line in the book's symbols, each line beside the source "
            "line it comes from; or as what is emitted from it: LaTeX, or the source of a kernel; or a whole training "
            "step with it, forward, backward and update, as the calls of NumPy's that carry it out. Without a name, "
            "list the variants."
        ),
        allow_abbrev=False,
    )
    command.add_argument("variant", nargs="?", metavar="VARIANT", help="for example adamw, sgdw, sgd_l2, sgd_prox_l1")
    command.add_argument("--as", dest="form", default="listing", metavar="FORM",
                         help="listing (default), latex, numpy, numba, cuda or step")  # fmt: skip
    command.set_defaults(run=_show)


def _parse(parser: _Parser, arguments: list[str]) -> argparse.Namespace:
    """Return the parsed arguments; a command or an option that is not known is refused with the nearest that is."""
    commands = parser._subparsers._group_actions[0].choices  # type: ignore[union-attr]
    first = arguments[0] if arguments else ""
    if first and not first.startswith("-") and first not in commands:  # type: ignore[operator]
        raise RefusedError(_unknown("command", first, list(commands)))  # type: ignore[arg-type]
    options, unknown = parser.parse_known_args(arguments)
    for word in unknown:
        owner = commands.get(first, parser)  # type: ignore[union-attr]
        if word.startswith("-"):
            raise RefusedError(_unknown("option", word.partition("=")[0], list(owner._option_string_actions)))
        raise RefusedError(f"unexpected argument {word!r}")
    return options


def _unknown(what: str, word: str, known: list[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.4)
    listed = ", ".join(known)
    return f"unknown {what} {word!r}; " + (f"did you mean {near[0]}?" if near else f"known: {listed}")


def _compare(options: argparse.Namespace) -> int:
    from minigrad import backend, lab
    from minigrad.extras import need
    from minigrad.lab import figure, output, partners, progress, report

    with _refusing():
        settings = lab.Settings(**{field.name: getattr(options, field.name) for field in fields(lab.Settings)})
        for module in ("rich", "sklearn", "matplotlib"):
            need(module, "lab")
        with backend.use_backend(settings.backend):
            pass
        directory = output.check_directory(options.out)
    started = time.perf_counter()
    try:
        results = lab.compare(settings, progress.progress_for(quiet=options.quiet))
    except (partners.DivergenceError, partners.BoundExceededError) as failure:
        print(f"minigrad: {failure}; nothing was written", file=sys.stderr)
        return 1
    except MemoryError as failure:
        print(f"minigrad: no memory left: {failure}; a smaller --batch-size needs less", file=sys.stderr)
        return 1
    seconds = time.perf_counter() - started
    report.print_report(results)
    files = {"compare.json": report.as_json(results), **figure.render(results)}
    with _refusing():
        written = output.write_all(directory, files)
    print(f"{len(results.runs)} variants in {seconds:.0f} s. Written: {', '.join(map(str, written))}")
    return 0


def _prove(options: argparse.Namespace) -> int:
    from minigrad.lab import output
    from minigrad.lab.prove import chosen, latex, report, run, tasks
    from minigrad.regularization.checks import integer

    with _refusing():
        sections = chosen(options.sections)
        workers = None if options.workers is None else integer("workers", options.workers)
        directory = output.check_directory(options.out)
        todo = tasks(sections, options.thorough)
    started = time.perf_counter()
    outcomes = run(todo, workers, quiet=options.quiet)
    seconds = time.perf_counter() - started
    report.print_report(outcomes)
    found = report.as_dict(outcomes, options.thorough)
    files = {
        "prove.json": report.as_json(found),
        "prove.md": report.as_markdown(found),
        "prove.tex": latex.document(outcomes),
    }
    with _refusing():
        written = output.write_all(directory, files)
    print(f"{len(outcomes)} claims in {seconds:.0f} s. Written: {', '.join(map(str, written))}")
    return int(not all(outcome.ok for outcome in outcomes))


def _atlas(options: argparse.Namespace) -> int:
    from minigrad.extras import need
    from minigrad.lab import output
    from minigrad.regularization.checks import integer

    with _refusing():
        for module in ("hypothesis", "sympy", "rich", "matplotlib"):
            need(module, "proof")
        from minigrad.lab import atlas, atlas_figure
        from minigrad.proof.atlas import cells, render_terminal

        rules, pairs, situations = (
            None if name is None else [name] for name in (options.rule, options.pair, options.situation)
        )
        asked = cells(rules, pairs, situations, options.thorough)
        count = None if options.workers is None else integer("workers", options.workers)
        directory = options.out and output.check_directory(options.out)
    found = atlas.run(asked, count, quiet=options.quiet)
    print(render_terminal(found, shutil.get_terminal_size((118, 24)).columns))
    if directory:
        with _refusing():
            written = output.write_all(directory, atlas_figure.render(found))
        print(f"Written: {', '.join(map(str, written))}")
    return int(not all(cell.decided for cell in found))


def _bench(options: argparse.Namespace) -> int:
    from minigrad.lab.bench import command

    with _refusing():
        order = command.checked(options)
    return command.execute(order)


def _show(options: argparse.Namespace) -> int:
    from minigrad.executors import show
    from minigrad.executors.show import FORMS
    from minigrad.regularization import VARIANTS
    from minigrad.regularization.variants import ALIASES

    if options.form not in (*FORMS, "step"):
        raise RefusedError(_unknown("form", options.form, [*FORMS, "step"]))
    if options.variant is None:
        width = max(map(len, VARIANTS))
        for v in VARIANTS.values():
            published = [f"published as {alias}" for alias, name in ALIASES.items() if name == v.name]
            print(f"{v.name:<{width}}  {v.summary}" + (f" ({', '.join(published)})" if published else ""))
        return 0
    with _refusing():
        if options.form == "step":
            from minigrad.lab.whole_step import whole_step

            text = whole_step(options.variant)
        else:
            text = show(options.variant, options.form)
    print(text)
    return 0


def _info(options: argparse.Namespace) -> int:
    from minigrad.lab.info import describe

    print(describe())
    return 0
