"""What the literature claims: every claim comes out as expected, and twice the same."""

import json

import pytest

from minigrad.proof import literature

CLAIMS = literature.claims()


def test_claims_have_names_of_their_own():
    assert len({c.name for c in CLAIMS}) == len(CLAIMS)
    assert {c.name for c in literature.claims(thorough=True)} == {c.name for c in CLAIMS}


def test_every_file_has_claims_that_hold_and_most_have_some_that_break():
    files = {c.name.partition(".")[0] for c in CLAIMS}
    assert files == set(literature.__all__) - {"claims"}
    assert {c.name.partition(".")[0] for c in CLAIMS if c.expected} == files
    assert {c.name.partition(".")[0] for c in CLAIMS if not c.expected} == files


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda c: c.name)
def test_a_claim_comes_out_as_expected_and_its_evidence_is_one_line_and_json(claim):
    evidence = claim.prove()
    assert evidence.holds is claim.expected
    assert evidence.shown
    assert "\n" not in evidence.shown
    json.dumps(evidence.data, allow_nan=False)


@pytest.mark.parametrize("name", ["equilibrium.signs", "box.mixed", "scale_free.adamw_bitwise"])
def test_a_measurement_is_the_same_on_every_run(name):
    (claim,) = [c for c in CLAIMS if c.name == name]
    assert claim.prove() == claim.prove()
