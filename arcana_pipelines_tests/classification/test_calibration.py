"""Margins become probabilities by what people accepted, and not before enough have."""

from __future__ import annotations

from itertools import pairwise

import pytest

from arcana_pipelines.classification.calibration import Decided, counted, curve_of, fit, uncalibrated
from arcana_pipelines_tests.classification.handbook import Handbook


def _decided(*of: tuple[float, str]) -> list[Decided]:
    """Decisions at a margin: `+` accepted, `-` rejected."""
    return [Decided(margin, sign == "+") for margin, signs in of for sign in signs]


def test_fewer_than_50_decisions_say_nothing() -> None:
    assert fit(_decided((1.0, "+" * 49))) is None


def test_what_people_mostly_accept_is_sure_and_what_they_reject_is_not() -> None:
    curve = fit(_decided((0.1, "-" * 20), (1.0, "+" * 30)))
    assert curve is not None
    assert curve.of(0.1) == pytest.approx(1 / 22)
    assert curve.of(0.9) == pytest.approx(1 / 22), "between two steps the lower one counts"
    assert curve.of(1.0) == curve.of(7.0) == pytest.approx(31 / 32)


def test_below_every_decision_nothing_is_known() -> None:
    curve = fit(_decided((0.5, "+" * 50)))
    assert curve is not None
    assert curve.of(0.49) == 0.0


def test_the_curve_never_falls_though_decisions_do() -> None:
    curve = fit(_decided((0.1, "+" * 15), (0.2, "-" * 15), (0.3, "+" * 15), (0.4, "-+" * 8), (0.5, "+" * 40)))
    assert curve is not None
    assert all(below < above for below, above in pairwise(curve.shares))
    assert all(below < above for below, above in pairwise(curve.margins))


def test_a_few_lucky_decisions_are_no_certainty() -> None:
    curve = fit(_decided((0.1, "-+" * 25), (5.0, "+++")))
    assert curve is not None
    assert curve.of(5.0) < 0.9


def test_decisions_at_one_margin_are_one_step() -> None:
    curve = fit(_decided((0.3, "+-" * 40)))
    assert curve is not None
    assert (curve.margins, curve.shares) == ((0.3,), (0.5,))


def test_what_nobody_has_calibrated_is_a_number_between_0_and_1_that_grows() -> None:
    assert [uncalibrated(margin) for margin in (-1.0, 0.0, 0.25)] == [0.0, 0.0, 0.5]
    assert 0.5 < uncalibrated(1.0) < uncalibrated(100.0) < 1.0


def test_a_curve_is_made_of_a_quarter_more_decisions_than_the_one_before() -> None:
    assert [counted(decisions) for decisions in (0, 49, 50, 61, 62, 76, 77, 96)] == [0, 0, 50, 50, 62, 62, 77, 96]


def test_the_first_decision_on_a_document_counts_if_it_is_on_what_the_model_said_first(handbook: Handbook) -> None:
    handbook.release()
    suggested = {"origin": "nearest", "model": "mine"}
    handbook.decide("Vacation policy", "People", "accepted", **suggested, margin=0.5)
    handbook.decide("Vacation policy", "Robots", "rejected", **suggested, margin=-0.5)
    handbook.decide("Battery care", "People", "rejected", **{**suggested, "model": "another"}, margin=0.5)
    handbook.decide("Battery care", "Robots", "accepted", origin="rule")
    handbook.connection.execute(
        "INSERT INTO taxonomy_decision (doc_id, node_id, workspace_id, verdict, decided_by, origin, margin, model) "
        "SELECT doc_id, gen_random_uuid(), %s, 'accepted', 'user:kim', 'nearest', 0.5, 'mine' "
        "FROM unnest(%s::uuid[]) AS doc_id, generate_series(1, 2)",
        [handbook.workspace_id, handbook.others(48)],
    )
    assert curve_of(handbook.connection, handbook.workspace_id, "mine") == (None, 0)
    handbook.decide("휴가 규정", "People", "accepted", **suggested, margin=0.5)
    curve, decisions = curve_of(handbook.connection, handbook.workspace_id, "mine")
    assert (decisions, curve and curve.of(0.5)) == (50, 51 / 52)
