"""The section of floating point: every claim comes out as expected, and a wrong door or a weaker bound turns it."""

import numpy as np
import pytest

from minigrad.proof import floating
from minigrad.proof.adversarial import Found, Step, reached

CLAIMS = {c.name: c for c in floating.claims()}


@pytest.mark.parametrize("name", CLAIMS)
def test_a_claim_comes_out_as_expected(name):
    found = CLAIMS[name].prove()
    assert found.holds is CLAIMS[name].expected
    assert found.shown


def test_names_are_unique_and_a_thorough_run_adds_the_search():
    thorough = [c.name for c in floating.claims(thorough=True)]
    assert len(set(thorough)) == len(thorough)
    assert set(thorough) - set(CLAIMS) == {"search.float64", "search.float32", "search.float16"}


def test_the_same_words_every_time():
    assert CLAIMS["one_step.float32"].prove() == CLAIMS["one_step.float32"].prove()


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize("claim", ["one_step", "many_steps", "long_run"])
@pytest.mark.parametrize("wrong", ["λ half as large", "no decay", "decay with the wrong sign"])
def test_a_wrong_door_turns_it_false(dtype, claim, wrong, monkeypatch):
    door2, door3 = floating.DOOR2, floating.DOOR3
    name, door = {
        "λ half as large": ("DOOR2", lambda w, g, lr, l2: door2(w, g, lr=lr, l2=l2 / 2)),
        "no decay": ("DOOR3", lambda w, g, lr, decay: floating.UNDECAYED(w, g, lr=lr)),
        "decay with the wrong sign": ("DOOR3", lambda w, g, lr, decay: door3(w, g, lr=lr, decay=-decay)),
    }[wrong]
    monkeypatch.setattr(floating, name, door)
    if (dtype, wrong) == ("float16", "decay with the wrong sign") and claim != "one_step":
        with pytest.raises(ValueError, match="may overflow float16"):  # the weights grow out of it
            CLAIMS[f"{claim}.{dtype}"].prove()
    else:
        assert not CLAIMS[f"{claim}.{dtype}"].prove().holds


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_stored_steps_that_err_by_less_than_is_claimed_do_not_attain_the_bound(dtype, monkeypatch):
    true = floating.stored(dtype)
    exact = Step(dtype, 1.0, 0.0, 0.5, 0.25)
    idle = {key: Found(exact, float(reached(exact, *key))) for key in true}
    monkeypatch.setattr(floating, "stored", lambda name: idle)
    assert not CLAIMS[f"attained.{dtype}"].prove().holds


@pytest.mark.parametrize("claim", ["bits.powers_of_two", "bits.exact"])
def test_a_door_off_by_one_rounding_is_seen_in_the_bits(claim, monkeypatch):
    door3 = floating.DOOR3
    monkeypatch.setattr(floating, "DOOR3", lambda w, g, **h: (np.nextafter(door3(w, g, **h)[0], w),))
    assert not CLAIMS[claim].prove().holds


@pytest.mark.parametrize("claim", ["bits.no_decay", "bits.zero_weights"])
def test_another_order_of_operations_is_seen_in_the_bits(claim, monkeypatch):
    monkeypatch.setattr(floating, "DOOR3", lambda w, g, lr, decay: ((1 - decay) * w - lr * (g * 3) / 3,))
    assert not CLAIMS[claim].prove().holds


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_random_steps_alone_would_beat_a_bound_half_as_large(dtype, monkeypatch):
    true = floating.one_step_bound
    monkeypatch.setattr(floating, "one_step_bound", lambda *a: 0.45 * true(*a))
    assert not CLAIMS[f"one_step.{dtype}"].prove().holds
