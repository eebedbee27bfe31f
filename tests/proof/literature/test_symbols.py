"""What decides that expressions vanish: a proof, or numbers, or no answer."""

import pytest

from minigrad.proof.claims import UndecidedError
from minigrad.proof.literature.symbols import positive, positive_everywhere, real, sympy, vanish


def test_a_zero_is_proved_and_a_difference_is_shown_in_numbers():
    x = real("x")
    assert vanish([(x + 1) ** 2 - x**2 - 2 * x - 1, 0]) == (True, "0, 0")
    assert vanish([0, x - 1, x]) == (False, "0, −7/9 at x = 2/9")
    assert vanish([sympy.sqrt(x)])[1] == "0.471405 at x = 2/9"


def test_uninterpreted_functions_are_compared_not_called_undecided():
    x, f = real("x"), sympy.Function("f")
    assert vanish([f(x) - f(x)])[0]
    assert not vanish([f(x) - f(2 * x)])[0]


def test_a_zero_that_is_not_proved_is_no_answer_and_no_difference():
    x = real("x")
    with pytest.raises(UndecidedError):
        vanish([sympy.sqrt(x**2 + 2 * x * sympy.sqrt(2) + 2) ** 2 - (x + sympy.sqrt(2)) ** 2 + sympy.Max(0, x - 9)])
    with pytest.raises(UndecidedError, match="not known"):
        positive_everywhere(x)
    assert positive_everywhere(positive("y"))
