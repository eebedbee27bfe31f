"""What the documents show is what the code says and does."""

import ast
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from minigrad.executors.listing import formula, symbol
from minigrad.executors.trace import trace
from minigrad.regularization import variant
from minigrad.rules import state_names

ROOT = Path(__file__).resolve().parents[1]
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(document):
    return FENCE.findall((ROOT / document).read_text(encoding="utf-8"))


DOCUMENTS = sorted(p.relative_to(ROOT).as_posix() for p in [ROOT / "README.md", *ROOT.glob("docs/**/*.md")])
QUOTED = [
    pytest.param(file, body, id=f"{document}:{file}:{i}")
    for document in DOCUMENTS
    for i, (info, body) in enumerate(blocks(document))
    for file in re.findall(r"^python (\S+\.py)$", info)
]


def bare_lines(source):
    """The lines of a Python file without docstrings, blank lines and marks for the type checker."""
    described = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    left_out = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, described) and ast.get_docstring(node) is not None:
            left_out |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    lines = (line for number, line in enumerate(source.splitlines(), 1) if number not in left_out)
    return [re.sub(r"\s*# type: ignore.*", "", line).rstrip() for line in lines if line.strip()]


def stands_in(body, source):
    wanted, lines = bare_lines(body), bare_lines(source)
    target = textwrap.dedent("\n".join(wanted))
    windows = ("\n".join(lines[i : i + len(wanted)]) for i in range(len(lines) - len(wanted) + 1))
    return any(textwrap.dedent(window) == target for window in windows)


@pytest.mark.parametrize(("file", "body"), QUOTED)
def test_a_quoted_block_stands_in_the_file_it_names(file, body):
    assert stands_in(body, (ROOT / file).read_text(encoding="utf-8"))


def test_the_page_on_doors_quotes_every_door_and_a_change_of_one_operator_is_seen():
    quoted = [body for info, body in blocks("docs/doors.md") if info.endswith("regularization/doors.py")]
    assert len(quoted) >= 4
    source = (ROOT / "minigrad/regularization/doors.py").read_text(encoding="utf-8")
    assert not stands_in("def shrink(w: Any, decay: Any) -> Any:\n    return (1 + decay) * w\n", source)
    for body in quoted:
        assert not stands_in(body.replace("w", "u", 1), source)


def test_a_quoted_listing_is_what_show_prints():
    shown = [(info.rpartition(" ")[2], body) for d in DOCUMENTS for info, body in blocks(d) if "minigrad show " in info]
    assert shown
    for name, body in shown:
        v = variant(name)
        statements = trace(v.step, state_names(v.rule), v.hyper).statements
        assert body.splitlines() == [f"{symbol(s.name)} ← {formula(s.expression)}" for s in statements]


def run(*command):
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_readme_code_runs_and_prints_what_the_readme_says():
    code, five_lines = [body for info, body in blocks("README.md") if info == "python"]
    run("-c", five_lines + "test_my_decay_is_weight_decay()")
    (printed,) = [body for info, body in blocks("README.md") if info == "text"]
    assert len([line for line in code.splitlines() if line.strip()]) <= 20
    ran = dict(line.split(maxsplit=1) for line in run("-c", code).splitlines())
    said = dict(line.split(maxsplit=1) for line in printed.splitlines())
    assert ran["Adam"].split()[1] == said["Adam"].split()[1]
    for numbers in (ran, said):
        rounding = [float(x) for x in (*numbers["SGD"].split(), numbers["Adam"].split()[0])]
        # 100 contracting steps on weights of size 1, each with a few roundings of half an ulp.
        assert max(rounding) <= 100 * 8 * np.finfo(float).eps / 2


def test_the_demo_is_forty_lines_and_its_doors_agree_for_sgd_only():
    assert len((ROOT / "demos/three_doors.py").read_text(encoding="utf-8").splitlines()) <= 40
    rows = [line.split() for line in run("demos/three_doors.py").splitlines()[2:]]
    apart = {(rule, int(steps)): (float(loss), float(update)) for rule, steps, loss, update in rows}
    assert {rule for rule, _ in apart} == {"sgd", "heavy_ball", "adam", "lion"}
    rounding = 100 * 8 * np.finfo(float).eps  # of 100 contracting steps on weights of size 1, with room
    for (rule, steps), (loss, update) in apart.items():
        assert loss <= rounding
        same = rule == "sgd" or (rule, steps) == ("heavy_ball", 1)
        assert update <= rounding if same else update >= 1e6 * rounding


def test_no_document_tells_a_reader_to_install_another_project():
    for document in (*DOCUMENTS, "CHANGELOG.md", "pyproject.toml"):
        assert not re.search(r"pip install (-\S+ )*minigrad(?!-doors)", (ROOT / document).read_text(encoding="utf-8"))


def test_links_between_documents_lead_somewhere():
    for document in DOCUMENTS:
        text = FENCE.sub("", (ROOT / document).read_text(encoding="utf-8"))  # code has no links
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
            assert ((ROOT / document).parent / target).exists(), (document, target)


# --- the rows of the table that are marked as checked -----------------------------------------------------------------

W, G, LR, WD = 0.5, 0.25, 0.125, 0.25  # powers of two: products are exact


def after_torch(name, gradient, **options):
    torch = pytest.importorskip("torch")
    w = torch.nn.Parameter(torch.tensor([W], dtype=torch.float64))
    w.grad = torch.tensor([gradient], dtype=torch.float64)
    getattr(torch.optim, name)([w], lr=LR, **options).step()
    return w.item()


@pytest.mark.oracle
def test_torch_sgd_is_door_2():
    assert after_torch("SGD", 0.0, weight_decay=WD) == (1 - LR * WD) * W
    assert after_torch("SGD", G, weight_decay=WD) == W - LR * (G + WD * W)


@pytest.mark.oracle
def test_torch_adam_is_door_2():
    decayed = after_torch("Adam", 0.0, weight_decay=WD)
    assert decayed == pytest.approx(W - LR, abs=1e-6)  # the first step of Adam has size lr, whatever λw is
    assert decayed == pytest.approx(after_torch("Adam", WD * W), rel=1e-15)


@pytest.mark.oracle
def test_torch_adamw_is_door_3():
    assert after_torch("AdamW", 0.0, weight_decay=WD) == (1 - LR * WD) * W
    step = W - after_torch("AdamW", G, weight_decay=0.0)
    assert after_torch("AdamW", G, weight_decay=WD) == pytest.approx((1 - LR * WD) * W - step, rel=1e-15)


@pytest.mark.oracle
def test_optax_adamw_is_door_3():
    optax = pytest.importorskip("optax")
    jax = pytest.importorskip("jax")

    def after(gradient, decay):
        w = jax.numpy.asarray(W, dtype=jax.numpy.float32)
        rule = optax.adamw(LR, weight_decay=decay)
        update, _ = rule.update(jax.numpy.asarray(gradient, dtype=w.dtype), rule.init(w), w)
        return float(optax.apply_updates(w, update))

    assert after(0.0, WD) == (1 - LR * WD) * W
    # The effect LR·WD·W is 2⁻⁷; four roundings in float32 are 2⁻²² of numbers below 1.
    assert after(G, WD) == pytest.approx((1 - LR * WD) * W - (W - after(G, 0.0)), abs=2.0**-22)
