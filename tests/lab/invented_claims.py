"""Claims for the tests of the machinery: one of every kind."""

import math
import os
import time

from minigrad.proof.claims import Claim, Evidence


def _raise():
    raise ZeroDivisionError("no such λ")


def claims(thorough=False):
    found = [
        Claim("two", "1 + 1 = 2", True, lambda: Evidence(1 + 1 == 2, f"1 + 1 is {1 + 1}", r"1 + 1 = 2", {"sum": 2})),
        Claim("three", "1 + 1 = 3", False, lambda: Evidence(1 + 1 == 3, f"1 + 1 is {1 + 1}")),
        Claim("process", "proofs run in another process", True, lambda: Evidence(True, str(os.getpid()))),
    ]
    if thorough:
        found += [
            Claim("infinite", "∞ is small", False, lambda: Evidence(False, "it is not", "λ → ∞", {"x": [math.inf]})),
            Claim("wrong", "1 = 2", True, lambda: Evidence(False, "no")),
            Claim("slips", "2 = 2 breaks", False, lambda: Evidence(True, "it holds")),
            Claim("raises", "λ = 1/0", True, _raise),
        ]
    if os.environ.get("MINIGRAD_TESTS_LATE"):
        found.append(Claim("late", "it ends", True, lambda: time.sleep(100)))
    if os.environ.get("MINIGRAD_TESTS_DIE"):
        found.append(Claim("dies", "1 = 1", True, lambda: os._exit(9)))
    return found
