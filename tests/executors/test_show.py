import sys

import pytest

from minigrad.cli import main
from minigrad.executors import show
from minigrad.executors.show import FORMS
from minigrad.regularization import VARIANTS, decoupled
from minigrad.regularization.variants import Variant
from minigrad.rules import hyper_names, radam

RADAM = Variant("radam_decay", "door 3: weight decay", radam, decoupled(radam), (*hyper_names(radam), "decay"))

ADAMW = r"""% adam_decay: door 3: weight decay
\begin{aligned}
m &\leftarrow \beta_{1} \, m + \left(1 - \beta_{1}\right) \, g \\
v &\leftarrow \beta_{2} \, v + \left(1 - \beta_{2}\right) \, {g}^{2} \\
\hat{m} &\leftarrow \frac{m}{1 - {\beta_{1}}^{t}} \\
\hat{v} &\leftarrow \frac{v}{1 - {\beta_{2}}^{t}} \\
\delta &\leftarrow \frac{\alpha \, \hat{m}}{\sqrt{\hat{v}} + \varepsilon} \\
w &\leftarrow \left(1 - \eta\right) \, w - \delta
\end{aligned}"""

SGD_DECAY = """\
# sgd_decay: door 3: weight decay
import numpy as np

SCRATCH = 2


def scalars(lr, decay):
    \"\"\"Compute once per step, on the host.\"\"\"
    k0 = 1 - decay
    return (lr, k0), ()


def block(w, g, out0, out1, lr, k0):
    \"\"\"Update one block, in place.\"\"\"
    # δ ← α g
    np.multiply(lr, g, out=out0)
    # w ← (1 − η) w − δ
    np.multiply(k0, w, out=out1)
    np.subtract(out1, out0, out=w)"""


def test_latex_is_the_book():
    assert show("adamw", "latex") == ADAMW


def test_the_numpy_source_reads_as_the_rule():
    assert show("sgd_decay", "numpy") == SGD_DECAY


@pytest.mark.parametrize("form", FORMS)
def test_every_variant_can_be_shown_in_every_form(form, capsys):
    for name in VARIANTS:
        assert main(["show", name, "--as", form]) == 0
    assert capsys.readouterr().out.count("\n") > 5 * len(VARIANTS)


@pytest.mark.parametrize("form", FORMS)
def test_a_rule_with_branches_is_shown_once_for_each(form):
    text = show(RADAM, form)
    assert text.count("where ρₜ > 5") == text.count("where ρₜ ≤ 5") == 1


@pytest.mark.parametrize("form", ["numpy", "numba", "cuda"])
def test_the_comments_of_a_kernel_are_the_lines_of_the_listing(form):
    for name in ("adamw", "amsgrad", "nadamw"):
        listed = {line.partition("    ")[0] for line in show(name).splitlines() if " ← " in line}
        found = {line.lstrip(" #/") for line in show(name, form).splitlines() if " ← " in line}
        assert found <= listed
        assert len(found) >= 5


def test_the_forms_import_nothing_that_they_are_written_for(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    assert "@njit" in show("adamw", "numba")
    assert "__global__" in show("adamw", "cuda")


def test_an_unknown_form_is_answered_with_the_nearest(capsys):
    assert main(["show", "adamw", "--as", "latx"]) == 2
    assert "unknown form 'latx'; did you mean latex?" in capsys.readouterr().err
    with pytest.raises(ValueError, match="known: listing, latex, numpy, numba, cuda"):
        show("adamw", "latx")
