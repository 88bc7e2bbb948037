"""What Dagster shows of each stage: the report of `pipeline.sync`, as metadata and results of checks."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

import dagster as dg

from arcana_pipelines.ledger.counters import EmbeddingCounts
from arcana_pipelines.operations.reports import builds_table, changes_table, counts_agree, partial_table
from arcana_pipelines.pipeline.document_chunks import ChunkReport
from arcana_pipelines.pipeline.sync import DocumentsReport, IndexesReport, SourceReport


def of_pages(report: SourceReport, started: float) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Of `notion_pages`. `started`: the monotonic clock when the asset began."""
    did, counts = report.did, asdict(report.counts)
    return dg.MaterializeResult(
        metadata={
            **counts,
            **(asdict(report.traffic) if report.traffic else {}),
            "removed": did.removed,
            "mode": str(did.mode),
            "generation": did.generation,
            "listing_complete": did.listing_complete,
            "unknown_types": dg.MetadataValue.json(report.unknown_types),
            "partial": report.partial.pages,
            "partial_pages": dg.MetadataValue.md(partial_table(report.partial)),
            **_seconds(started),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="ledger_balances", passed=report.is_balanced, metadata={"listed": did.listed, **counts}
            ),
            dg.AssetCheckResult(
                check_name="listing_is_complete",
                passed=did.listing_complete,
                metadata={"problems": dg.MetadataValue.json(list(did.problems))},
            ),
            dg.AssetCheckResult(
                check_name="removals_are_within_the_cap",
                passed=did.waiting == 0,
                metadata={"waiting": did.waiting, "removed": did.removed},
            ),
        ],
    )


def of_contents(report: DocumentsReport, started: float) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Of `document_content`."""
    counts = report.counts
    return dg.MaterializeResult(
        metadata={
            "added": counts.added,
            "updated": counts.updated,
            "unchanged": counts.unchanged,
            "quarantined": counts.quarantined,
            "removed": report.removed,
            "processed": report.did.processed,
            "versions": report.did.versions,
            "changes": dg.MetadataValue.md(changes_table(report.changes)),
            **_seconds(started),
        }
    )


def of_chunks(report: ChunkReport, started: float) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Of `document_chunks`."""
    return dg.MaterializeResult(metadata={**asdict(report), **_seconds(started)})


def of_embeddings(report: EmbeddingCounts, started: float) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Of `chunk_embeddings`."""
    return dg.MaterializeResult(metadata={**report.as_dict(), **_seconds(started)})


def of_indexes(report: IndexesReport, started: float) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Of `rag_indexes`."""
    served, vectors = report.served, sum(index.vector_count for index in report.served)
    unfit = {
        f"{build.index_name}, build {build.rag_index_build_id}": dg.MetadataValue.json(build.verification)
        for build in report.builds
        if build.state == "verifying" and build.verification is not None and not build.verification["passed"]
    }
    return dg.MaterializeResult(
        metadata={
            "published": report.did.published,
            "retired": report.did.retired,
            "object_count": sum(index.object_count for index in served),
            "vector_count": vectors,
            "dagster/row_count": vectors,
            "builds": dg.MetadataValue.md(builds_table(report.builds)),
            **_seconds(started),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="published_counts_match",
                passed=counts_agree(served),
                metadata={index.name: dg.MetadataValue.json(index.as_dict()) for index in served},
            ),
            dg.AssetCheckResult(check_name="builds_are_verified", passed=not unfit, metadata=unfit),
        ],
    )


def _seconds(started: float) -> dict[str, Any]:
    return {"seconds": round(time.monotonic() - started, 3)}
