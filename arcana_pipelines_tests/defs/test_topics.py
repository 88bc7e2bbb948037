"""What Dagster shows of the topics of documents."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import dagster as dg

from arcana_pipelines.classification.classify import ClassificationReport
from arcana_pipelines.defs import results
from arcana_pipelines.taxonomy.counts import TopicCounts


def _shown(report: ClassificationReport) -> tuple[dict[str, object], dg.AssetCheckResult]:
    shown = results.of_topics(report, time.monotonic())
    (check,) = shown.check_results or []
    return dict(shown.metadata or {}), check


def test_counts_are_numbers_that_dagster_plots() -> None:
    counts = TopicCounts("acme", "1.2.0", 25, 40, 30, {"person": 10, "rule": 20}, 4, datetime.now(UTC), 0)
    metadata, check = _shown(
        ClassificationReport("1.2.0", classified=7, given=2, embedded=1, decisions=50, counts=counts, queued=3, ended=2)
    )
    wanted = {
        "taxonomy": "1.2.0", "nodes": 25, "documents": 40, "with_topic": 30, "coverage": 0.75, "topics_rule": 20,
        "topics_nearest": 0, "waiting": 4, "queued": 3, "ended": 2, "unknown_paths": 0, "classified": 7, "brought": 2,
        "embedded": 1, "decisions": 50,
    }  # fmt: skip
    assert {name: metadata[name] for name in wanted} == wanted
    assert "lookups_asked" in metadata
    assert check.passed


def test_what_somebody_should_see_to_is_a_warning() -> None:
    counts = TopicCounts("acme", "1.2.0", 25, 40, 30, {}, 0, None, 3)
    _, check = _shown(ClassificationReport("1.2.0", counts=counts))
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)


def test_without_a_taxonomy_the_check_passes_and_says_so() -> None:
    metadata, check = _shown(ClassificationReport())
    assert (metadata["taxonomy"], check.passed) == ("no taxonomy", True)
