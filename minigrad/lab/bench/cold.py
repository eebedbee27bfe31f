"""From a cold start: how long an import takes, and how long until the first step is made."""

from minigrad.lab.bench.case import Case

__all__ = ["cases", "on_a_device"]

OWN = ("minigrad", "minigrad-plain", "minigrad-numpy", "minigrad-numba")


def cases(quick: bool) -> list[Case]:
    """Return the import, and the first step with an empty and with a filled cache of compiled kernels."""
    libraries = ("numpy", "minigrad", "torch", "jax", "autograd", "mygrad")
    found = [Case("import", {"kind": "cold", "what": "import"}, only=libraries[:2] if quick else libraries)]
    for cache in ("filled",) if quick else ("filled", "empty"):
        task = {"kind": "cold", "what": "step", "cache": cache}
        found.append(
            Case(f"first step, {cache} cache", task, only=("numpy", *OWN, *libraries[2:4][: 0 if quick else 2]))
        )
    return found


def on_a_device(quick: bool) -> list[Case]:
    """Return the import until the device answers, and the first step there, with an empty and with a filled cache."""
    only = ("cupy", "minigrad") if quick else ()
    found = [Case("import", {"kind": "cold", "what": "import"}, only=only).on("cupy")]
    for cache in ("filled",) if quick else ("filled", "empty"):
        task = {"kind": "cold", "what": "step", "cache": cache}
        found.append(Case(f"first step, {cache} cache", task, only=only).on("cupy"))
    return found
