"""Every rule behind every door, by name: ``variant("adam_decay")``, or by the name it was published under."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from minigrad.regularization.doors import coupled, decoupled, plain, proximal
from minigrad.regularization.penalties import L1, L2, ElasticNet
from minigrad.rules import RULES, hyper_names

__all__ = ["ALIASES", "VARIANTS", "Variant", "variant"]


@dataclass(frozen=True)
class Variant:
    """A rule behind a door: its name, in words, the rule, the step it makes, and the names of its hyperparameters."""

    name: str
    summary: str
    rule: Callable[..., tuple[Any, ...]]
    step: Callable[..., tuple[Any, ...]]
    hyper: tuple[str, ...]


def _variants() -> dict[str, Variant]:
    found = []
    for name, rule in RULES.items():
        own = hyper_names(rule)
        found += [
            Variant(name, "no regularisation, or door 1 with the penalty in the loss", rule, plain(rule), own),
            Variant(f"{name}_decay", "door 3: weight decay", rule, decoupled(rule), (*own, "decay")),
        ]
        for penalty, coefficients in ((L2, ("l2",)), (L1, ("l1",)), (ElasticNet, ("l1", "l2"))):
            word = {L2: "l2", L1: "l1", ElasticNet: "elastic_net"}[penalty]
            hyper = (*own, *coefficients)
            found += [
                Variant(
                    f"{name}_{word}", f"door 2: {word} in the gradient", rule, coupled(rule, penalty.gradient), hyper
                ),
                Variant(
                    f"{name}_prox_{word}",
                    f"door 3, after the step: {word} as a proximal step",
                    rule,
                    proximal(rule, penalty.prox),
                    hyper,
                ),
            ]
    return {v.name: v for v in found}


VARIANTS: dict[str, Variant] = _variants()

# Published names, of papers and of libraries. SGDW is the paper's Algorithm 1, momentum with the learning rate inside.
ALIASES: dict[str, str] = {
    "adamw": "adam_decay",
    "sgdw": "heavy_ball_inside_decay",
    "adamaxw": "adamax_decay",
    "nadamw": "nadam_decay",
    "radamw": "radam_decay",
}


def variant(name: str) -> Variant:
    """Return the variant called `name` (or published as `name`); ValueError suggests names."""
    key = ALIASES.get(name.lower(), name.lower().replace("-", "_"))
    if key not in VARIANTS:
        near = difflib.get_close_matches(key, [*VARIANTS, *ALIASES], n=3, cutoff=0.4)
        listed = f"`minigrad show` lists all {len(VARIANTS)}, among them sgd_l2, sgd_decay and adamw"
        raise ValueError(f"no variant is called {name!r}; " + (f"did you mean {', '.join(near)}?" if near else listed))
    return VARIANTS[key]
