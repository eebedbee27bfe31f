import itertools
import operator
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigrad.regularization import Decay
from minigrad.regularization.checks import as_number, nonnegative
from minigrad.regularization.column import Column, each, entries, largest
from minigrad.rules import exp, maximum, sign, sqrt

FLOATS = st.floats(0.125, 8)
PAIRS = (operator.add, operator.sub, operator.mul, operator.truediv, operator.pow)


@given(st.lists(st.tuples(FLOATS, FLOATS), min_size=1, max_size=4), FLOATS | st.integers(1, 9))
def test_among_numbers_and_columns_every_operation_is_pythons_own_on_each_entry(pairs, number):
    left, right = Column(a for a, _ in pairs), Column(b for _, b in pairs)
    for f in PAIRS:
        assert list(f(left, right)) == list(itertools.starmap(f, pairs))
        assert list(f(left, number)) == [f(a, number) for a in left]
        assert list(f(number, right)) == [f(number, b) for b in right]
    for f in (operator.neg, abs, sqrt, sign):
        assert list(f(left)) == [f(a) for a in left]
    assert list(maximum(left, right)) == [maximum(a, b) for a, b in pairs]
    assert list(exp(left, Fraction(96, 100))) == [exp(a, Fraction(96, 100)) for a in left]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@given(st.lists(FLOATS, min_size=1, max_size=4))
def test_beside_an_array_each_entry_does_to_its_row_what_one_number_does(dtype, numbers):
    column, array = Column(numbers), np.linspace(-2, 2, 6 * len(numbers)).astype(dtype).reshape(-1, 3, 2) + dtype(0.1)
    for f in PAIRS[:4]:
        for found, row in ((f(column, array), lambda i: f(numbers[i], array[i])),
                           (f(array, column), lambda i: f(array[i], numbers[i]))):  # fmt: skip
            assert found.dtype == dtype
            assert found.tobytes() == np.stack([row(i) for i in range(len(numbers))]).tobytes()


def test_a_column_does_nothing_with_what_is_no_number():
    for other in ("1", None, [1.0]):
        with pytest.raises(TypeError, match="unsupported operand"):
            Column([1.0]) + other
    with pytest.raises(ValueError, match="zip"):
        Column([1.0]) + Column([1.0, 2.0])


def test_a_1d_array_is_a_column_of_floats_each_checked_under_its_index():
    for array in (np.array([1, 2]), np.array([1.0, 2.0], np.float32)):
        found = each(nonnegative, "lr", array)
        assert (list(found), {type(x) for x in found}) == ([1.0, 2.0], {float})
    assert list(each(nonnegative, "lr", Column([1.0]))) == [1.0]
    assert each(nonnegative, "lr", np.float32(2)) == 2.0
    with pytest.raises(ValueError, match=r"lr\[1\] must be ≥ 0, got -1\.0"):
        each(nonnegative, "lr", np.array([1, -1.0, -2]))
    with pytest.raises(ValueError, match=r"lr\[2\] must be finite, got nan"):
        each(as_number, "lr", np.array([1, -1.0, np.nan]))
    with pytest.raises(TypeError, match=r"lr\[0\] must be a real number, got True"):
        each(as_number, "lr", np.array([True]))
    with pytest.raises(TypeError, match=r"lr must be a real number, got \[1\.0\]"):
        each(as_number, "lr", [1.0])
    for array in (np.ones((2, 2)), np.ones(0)):
        with pytest.raises(
            ValueError, match=r"lr must be a number, or a 1-d array with one number for each model, got"
        ):
            each(as_number, "lr", array)


def test_entries_have_names_and_one_is_the_largest():
    assert list(entries("l2", Column([1.0, 2.0]))) == [("l2[0]", 1.0), ("l2[1]", 2.0)]
    assert list(entries("l2", 3)) == [("l2", 3)]
    assert (largest(3), largest(Column([1.0, 2.0, 0.0]))) == (3, 2.0)


def test_a_column_shows_where_its_numbers_begin_and_end():
    assert repr(Column([0.5, 0.25, 1.0])) == "Column(0.25 … 1.0, 3 numbers)"
    assert len(Column([0.5, 0.25])) == 2


def test_a_decay_says_of_which_model_it_would_remove_everything():
    decay = Decay(np.array([0.5, 1.5, 2.0]))
    assert list(decay.fraction(0, 1.0, 0.25)) == [0.125, 0.375, 0.5]
    with pytest.raises(ValueError, match=r"decay\[1\] would remove the fraction 1\.5 of every weight at step 7"):
        decay.fraction(7, 1.0, 1.0)
    by_lr = Decay(0.5, times="lr")
    assert list(by_lr.fraction(0, Column([1.0, 0.5]), 1.0)) == [0.5, 0.25]
    with pytest.raises(ValueError, match=r"decay\[0\] would remove the fraction 1\.0 .*\(rate 0\.5, times='lr'\)"):
        by_lr.fraction(0, Column([2.0, 0.5]), 1.0)


def test_a_column_answers_no_question_but_whether_it_is_another_one():
    column = Column([0.0, 1.0])
    assert column == Column([0.0, 1.0]) != Column([0.0, 2.0])
    assert len({column, Column([0.0, 1.0])}) == 1
    for ask in (bool, lambda c: c == 0, lambda c: c != 0.0, lambda c: 0 in [c]):
        with pytest.raises(TypeError, match="the numbers of many models"):
            ask(column)


def test_beside_whole_numbers_a_column_is_not_rounded_and_a_scalar_of_numpys_is_a_number():
    half = Column([0.0, 0.5])
    for array in (np.array([1, 1]), np.array([True, True])):
        assert (half * array).tolist() == [0.0, 0.5]
    assert [type(v) for v in (half * np.float32(2)).values] == [float, float]
