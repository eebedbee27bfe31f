"""A variant in every form that is emitted from its trace."""

from collections.abc import Callable

from minigrad.executors import blocked, compiled, cuda, latex
from minigrad.executors.kernel import kernel
from minigrad.executors.listing import condition, flat, listing, traces
from minigrad.executors.trace import Trace
from minigrad.regularization.variants import Variant, variant

__all__ = ["FORMS", "show"]

# Each form, and what begins a comment in it.
FORMS: dict[str, tuple[Callable[[Trace], str], str]] = {
    "listing": (flat, ""),
    "latex": (lambda traced: latex.aligned(traced) + "\n", "%"),
    "numpy": (lambda traced: blocked.source(kernel(traced)), "#"),
    "numba": (lambda traced: compiled.source(kernel(traced)), "#"),
    "cuda": (lambda traced: cuda.source(kernel(traced)), "//"),
}


def show(variant_or_name: Variant | str, form: str = "listing") -> str:
    """Return a variant (or the one called so) as "listing", "latex", "numpy", "numba" or "cuda" (for float32).

    What branches on its scalars is emitted once per branch, each under a comment that says where it holds.

    Raises ValueError for an unknown name or form.
    """
    v = variant(variant_or_name) if isinstance(variant_or_name, str) else variant_or_name
    if form not in FORMS:
        raise ValueError(f"unknown form {form!r}; known: {', '.join(FORMS)}")
    if form == "listing":
        return listing(v)
    emit, comment = FORMS[form]
    parts = []
    for traced in traces(v):
        where = ", ".join(map(condition, traced.conditions))
        heading = f"{comment} {v.name}: {v.summary}" + (f"; where {where}" if where else "")
        parts.append(f"{heading}\n{emit(traced)}")
    return "\n".join(parts).rstrip("\n")
