"""The mark of staleness that Dagster keeps of its own, and where it would say what is not so."""

from __future__ import annotations

import datetime as dt

import dagster as dg
import pytest

from arcana_pipelines.defs.build import build_defs


def windows(defs: dg.Definitions) -> dict[str, dt.timedelta]:
    """By asset, the time after which its mark turns red."""
    return {
        spec.key.to_user_string(): spec.freshness_policy.fail_window.to_timedelta()  # type: ignore[union-attr]
        for spec in defs.resolve_all_asset_specs()
        if spec.freshness_policy is not None
    }


def test_the_indexes_are_stale_two_hours_after_an_audit_is_missed() -> None:
    assert windows(build_defs()) == {"rag_indexes": dt.timedelta(hours=26)}
    assert windows(build_defs(key_prefix="knowledge")) == {"knowledge/rag_indexes": dt.timedelta(hours=26)}


@pytest.mark.parametrize(
    ("audits", "hours"), [("0 3 * * MON-FRI", 74), ("0 3 * * SUN", 7 * 24 + 2), ("0 */6 * * *", 8)]
)
def test_an_index_that_nobody_edits_is_not_stale_between_two_audits(
    audits: str, hours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCHEDULE_AUDIT", audits)
    assert windows(build_defs()) == {"rag_indexes": dt.timedelta(hours=hours)}


def test_without_audits_there_is_no_mark_that_would_turn_red_where_all_is_well() -> None:
    assert windows(build_defs(schedules=[])) == {}


def test_the_assets_are_the_same_otherwise() -> None:
    marked, bare = ({spec.key: spec for spec in defs.resolve_all_asset_specs()} for defs in (
        build_defs(), build_defs(schedules=[])
    ))  # fmt: skip
    assert {key: spec.replace_attributes(freshness_policy=None) for key, spec in marked.items()} == bare
