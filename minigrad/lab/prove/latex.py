"""The outcomes as a LaTeX document: a paragraph per claim, its formula displayed."""

import unicodedata
from collections.abc import Sequence

from minigrad.lab.prove.run import SECTIONS, Outcome

__all__ = ["document", "text"]

PREAMBLE = r"""\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage{amsmath,amssymb}
\usepackage{adjustbox}
\usepackage[margin=25mm]{geometry}
\begin{document}
\title{%s}
\date{}
\maketitle
"""
SYMBOLS = {
    "α": r"\alpha", "β": r"\beta", "γ": r"\gamma", "δ": r"\delta", "Δ": r"\Delta", "ε": r"\varepsilon",
    "η": r"\eta", "θ": r"\theta", "λ": r"\lambda", "μ": r"\mu", "ρ": r"\rho", "ψ": r"\psi", "Π": r"\Pi",
    "σ": r"\sigma", "Σ": r"\sum",
    "∑": r"\sum", "τ": r"\tau", "φ": r"\varphi", "ω": r"\omega", "Ω": r"\Omega", "π": r"\pi", "κ": r"\kappa",
    "−": "-", "±": r"\pm", "·": r"\cdot", "×": r"\times", "⊙": r"\odot", "∇": r"\nabla", "√": r"\surd", "∞": r"\infty",
    "≤": r"\le", "≥": r"\ge", "≠": r"\ne", "≈": r"\approx", "∈": r"\in", "∉": r"\notin", "∀": r"\forall",
    "∃": r"\exists", "∧": r"\wedge", "∨": r"\vee", "¬": r"\neg", "→": r"\to", "←": r"\leftarrow", "↦": r"\mapsto",
    "⇒": r"\Rightarrow", "⇐": r"\Leftarrow", "⇔": r"\Leftrightarrow", "‖": r"\|", "⟨": r"\langle", "⟩": r"\rangle",
    "½": r"\tfrac12", "¼": r"\tfrac14", "¾": r"\tfrac34", "′": "'", "°": r"^\circ", "∂": r"\partial", "⊂": r"\subset",
    "∪": r"\cup", "∩": r"\cap", "ℓ": r"\ell", "≡": r"\equiv", "∘": r"\circ",
    "ℝ": r"\mathbb{R}", "ℚ": r"\mathbb{Q}", "ᵀ": "^T", "ᵗ": "^t", "ⁿ": "^n", "ᵏ": "^k", "∼": r"\sim", "≪": r"\ll",
    "≫": r"\gg", "⌈": r"\lceil", "⌉": r"\rceil", "⌊": r"\lfloor", "⌋": r"\rfloor", "✓": r"\checkmark",
}  # fmt: skip
SYMBOLS |= {c: f"^{{{d}}}" for c, d in zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+", strict=True)}
SYMBOLS |= {c: f"_{{{d}}}" for c, d in zip("₀₁₂₃₄₅₆₇₈₉₋₊ₜₙᵢⱼₖ", [*"0123456789-+tnijk"], strict=True)}
SYMBOLS |= {c: rf"_{{\mathrm{{{d}}}}}" for c, d in zip("ₘₐₓ", "max", strict=True)}
ACCENTS = {
    "\u0301": r"\'{%s}", "\u0308": r'\"{%s}', "\u0302": r"\ensuremath{\hat{%s}}", "\u0303": r"\ensuremath{\tilde{%s}}",
    "\u0304": r"\ensuremath{\bar{%s}}",
}  # fmt: skip
ESCAPES = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_", "%": r"\%",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}", "–": "--", "—": "---", "’": "'", "“": "``", "”": "''", "…": r"\dots{}",
    "§": r"\S{}", "\u00a0": "~",
}  # fmt: skip


def document(outcomes: Sequence[Outcome]) -> bytes:
    """Return the outcomes as a complete document for pdflatex."""
    from minigrad import __version__

    lines = [PREAMBLE % text(f"Proofs of minigrad {__version__}")]
    for section in SECTIONS.values():
        of = [outcome for outcome in outcomes if outcome.section == section.name]
        if of:
            lines.append(rf"\section{{{text(section.title)}}}")
            lines += map(_paragraph, of)
    return "\n".join([*lines, r"\end{document}", ""]).encode("ascii")


def text(words: str) -> str:
    r"""Return Unicode text as LaTeX: symbols as formulas (``\ensuremath``), what LaTeX reserves escaped.

    A character that has no entry here is given by its number, so that a proof is never lost for a letter.
    """
    made: list[str] = []
    for c in "".join(c if c in SYMBOLS else unicodedata.normalize("NFD", c) for c in words):
        if c in ACCENTS and made:
            made[-1] = ACCENTS[c] % made[-1]
        elif c in SYMBOLS:
            made.append(rf"\ensuremath{{{SYMBOLS[c]}}}")
        else:
            made.append(ESCAPES.get(c, c if ord(c) < 128 else rf"\texttt{{U+{ord(c):04X}}}"))
    return "".join(made)


def _formula(latex: str) -> str:
    """Return a formula in LaTeX; a letter of another alphabet in it becomes its command."""
    return "".join(c if ord(c) < 128 else text(c) for c in latex)


def _paragraph(outcome: Outcome) -> str:
    verdict = rf"\textbf{{{outcome.found}}}" + ("" if outcome.ok else r" \textbf{(not as expected)}")
    shown = outcome.evidence.shown if outcome.evidence else outcome.error or ""
    lines = [rf"\paragraph{{{text(outcome.name)}}} {text(outcome.statement)}: {verdict}. {text(shown)}"]
    if outcome.evidence and outcome.evidence.latex:
        # Wide formulas shrink to the width of the page.
        lines.append(rf"\[\adjustbox{{max width=\linewidth}}{{$\displaystyle {_formula(outcome.evidence.latex)}$}}\]")
    return "\n".join(lines)
