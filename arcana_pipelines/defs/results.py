"""What Dagster shows of each stage: the report of `pipeline.sync`, as metadata and results of checks.

Numbers are metadata of their own, which Dagster plots; rows are tables.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import dagster as dg

from arcana_pipelines.classification.classify import ClassificationReport
from arcana_pipelines.defs.tables import Cell, Kind, table
from arcana_pipelines.indexes.builds import Build
from arcana_pipelines.indexes.targets.delivery import Delivery
from arcana_pipelines.ledger.counters import EmbeddingCounts
from arcana_pipelines.ledger.freshness import Freshness
from arcana_pipelines.ledger.pages import PartialPages
from arcana_pipelines.operations.reports import MOST_CHANGES, Change, ServedIndex, counts_agree
from arcana_pipelines.operations.usage import MonthlyUsage
from arcana_pipelines.pipeline.document_chunks import ChunkReport
from arcana_pipelines.pipeline.document_files import FilesReport
from arcana_pipelines.pipeline.follower import Slice
from arcana_pipelines.pipeline.sync import DocumentsReport, IndexesReport, SourceReport
from arcana_pipelines.pipeline.targets import Compared, TargetsReport
from arcana_pipelines.taxonomy.counts import TopicCounts
from arcana_pipelines.taxonomy.lookup import lookup


def of_pages(report: SourceReport, started: float) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Of the asset that reads the workspace. `started`: the monotonic clock when it began."""
    did, counts = report.did, asdict(report.counts)
    # What was read (`read`) is found to be added or updated by the next asset, which tells it.
    del counts["added"], counts["updated"]
    return dg.MaterializeResult(
        metadata={
            **counts,
            **(asdict(report.traffic) if report.traffic else {}),
            "removed": did.removed,
            "mode": str(did.mode),
            "generation": did.generation,
            "listing_complete": did.listing_complete,
            "indexed_while_reading": report.indexed.pages,
            "unknown_types": table({"type": "string", "pages": "int"}, report.unknown_types.items()),
            "partial": report.partial.pages,
            "partial_pages": partial_table(report.partial),
            **_times(report.freshness),
            **_seconds(started),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="ledger_balances", passed=report.is_balanced, metadata={"listed": did.listed, **counts}
            ),
            dg.AssetCheckResult(
                check_name="listing_is_complete",
                passed=did.listing_complete,
                metadata={"problems": table({"problem": "string"}, [[problem] for problem in did.problems])},
            ),
            dg.AssetCheckResult(
                check_name="removals_are_within_the_cap",
                passed=did.waiting == 0,
                metadata={"waiting": did.waiting, "removed": did.removed},
            ),
        ],
    )


def of_other_reader(reader: str) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Of an asset that reads other workspaces, in a run of everything; `reader` has read this one."""
    checks = ("ledger_balances", "listing_is_complete", "removals_are_within_the_cap")
    return dg.MaterializeResult(
        metadata={"read_by": reader},
        check_results=[
            dg.AssetCheckResult(check_name=name, passed=True, metadata={"read_by": reader}) for name in checks
        ],
    )


def of_slice(key: dg.AssetKey, partition: str, did: Slice) -> dg.AssetObservation:
    """Of `rag_indexes`, while pages are still being read."""
    return dg.AssetObservation(
        key,
        partition=partition,
        description=f"{did.pages} pages that were read can be found, while others are being read.",
        metadata=asdict(did),
    )


def of_files(report: FilesReport, started: float) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Of `document_files`."""
    waiting = report.of("pending", "stored")
    return dg.MaterializeResult(
        metadata={
            "fetched": report.fetched,
            "bytes": report.bytes,
            "files": sum(count.files for count in report.counts),
            "parsed": report.of("parsed"),
            "skipped": report.of("skipped"),
            "quarantined": report.of("quarantined"),
            "waiting": waiting,
            "swept": report.swept,
            "outcomes": table(
                {"state": "string", "reason": "string", "files": "int", "bytes": "int"},
                [[count.state, count.reason or "", count.files, count.bytes] for count in report.counts],
            ),
            "read": table(
                {"kind": "string", "files": "int", "bytes": "int", "seconds": "float", "without text": "int"},
                [
                    [kind, read.files, read.bytes, round(read.seconds, 2), read.failed]
                    for kind, read in sorted(report.read.items())
                ],
            ),
            **_seconds(started),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="files_have_outcomes",
                passed=waiting == 0 and report.of("quarantined") == 0 and not report.problem,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={
                    "waiting": waiting,
                    "quarantined": report.of("quarantined"),
                    "problem": report.problem,
                },
            ),
            dg.AssetCheckResult(
                check_name="stored_bytes_equal_their_hash",
                passed=not report.damaged,
                metadata={
                    "sampled": report.sampled,
                    "damaged": table({"key": "string"}, [[k] for k in report.damaged]),
                },
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
            "changes": changes_table(report.changes),
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
    unfit = [
        [build.index_name, build.rag_index_build_id, problem]
        for build in report.builds
        if build.state == "verifying" and build.verification is not None and not build.verification["passed"]
        for problem in build.verification["problems"] or ["no reason given"]
    ]
    return dg.MaterializeResult(
        metadata={
            "published": report.did.published,
            "retired": report.did.retired,
            "object_count": sum(index.object_count for index in served),
            "vector_count": vectors,
            "dagster/row_count": vectors,
            "builds": builds_table(report.builds),
            "usage": usage_table(report.usage),
            **_seconds(started),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="published_counts_match",
                passed=counts_agree(served),
                metadata={"indexes": served_table(served)},
            ),
            dg.AssetCheckResult(
                check_name="builds_are_verified",
                passed=not unfit,
                metadata={"unfit": table({"index": "string", "build": "int", "problem": "string"}, unfit)},
            ),
        ],
    )


def of_topics(report: ClassificationReport, started: float) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Of `doc_taxonomy`."""
    counts, problems, looked_up = report.counts, report.problems, lookup.report()
    return dg.MaterializeResult(
        metadata={
            "taxonomy": report.version or "no taxonomy",
            **({} if counts is None else _topics(counts)),
            "queued": report.queued,
            "ended": report.ended,
            "classified": report.classified,
            "brought": report.given,
            "changed": report.changed,
            "embedded": report.embedded,
            "decisions": report.decisions,
            "notes": table({"note": "string"}, [[note] for note in report.notes]),
            **{f"lookups_{name}": number for name, number in asdict(looked_up).items()},
            **({} if looked_up.hit_rate is None else {"lookups_hit_rate": round(looked_up.hit_rate, 4)}),
            **_seconds(started),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="topics_are_well",
                passed=not problems,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={
                    "taxonomy": report.version or "no taxonomy",
                    "problems": table({"problem": "string"}, [[problem] for problem in problems]),
                },
            )
        ],
    )


def _topics(counts: TopicCounts) -> dict[str, Any]:
    """Numbers by themselves: Dagster plots them."""
    told = counts.as_dict()
    coverage = {} if counts.coverage is None else {"coverage": round(counts.coverage, 4)}
    return {
        **{name: told[name] for name in ("nodes", "documents", "with_topic", "waiting", "unknown_paths")},
        **{f"topics_{origin}": number for origin, number in told["assigned"].items()},
        **coverage,
    }


def of_targets(report: TargetsReport, started: float) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Of `index_targets`."""
    problems = report.problems
    return dg.MaterializeResult(
        metadata={
            "put": sum(each.put for each in report.deliveries),
            "taken": sum(each.taken for each in report.deliveries),
            "waiting": sum(target.waiting for target in report.targets),
            "parked": sum(target.parked for target in report.targets),
            "lag_seconds": round(max((target.lag_seconds for target in report.targets), default=0.0), 3),
            "targets": targets_table(report),
            **_seconds(started),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="targets_are_current",
                passed=not problems,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={"problems": table({"target": "string", "problem": "string"}, problems.items())},
            )
        ],
    )


def partial_table(partial: PartialPages) -> dg.TableMetadataValue:
    """Pages that are known to be incomplete, and why."""

    def rows() -> Iterator[list[Cell]]:
        for group in partial.reasons:
            yield from ([page["title"] or "Untitled", page["url"], page["reason"]] for page in group.examples)
            if group.pages > len(group.examples):
                yield [f"… {group.pages} pages in all", None, group.reason]

    return table({"page": "string", "url": "string", "missing": "string"}, rows())


def changes_table(changes: Sequence[Change]) -> dg.TableMetadataValue:
    """What a sync added, changed or could not read: the first of it."""
    rows: list[list[Cell]] = [[each.what, each.title or "Untitled", each.url, each.note] for each in changes]
    if len(rows) > MOST_CHANGES:
        rows[MOST_CHANGES:] = [["…", f"the first {MOST_CHANGES} are shown", None, None]]
    return table({"what": "string", "page": "string", "url": "string", "note": "string"}, rows)


def targets_table(report: TargetsReport) -> dg.TableMetadataValue:
    """A workspace's targets, with what was told to each, and whether it was found equal when it was last compared."""
    told = {each.target: each for each in report.deliveries}

    def rows() -> Iterator[list[Cell]]:
        for target in report.targets:
            did, proof = told.get(target.name, Delivery(target.name)), target.verification
            yield [
                target.name,
                target.kind,
                target.state,
                target.object_count,
                target.vector_count,
                did.put,
                did.taken,
                target.waiting,
                target.parked,
                round(target.lag_seconds, 3),
                "not compared" if proof is None else "equal" if proof["is_equal"] else "differed",
                did.error or target.last_error,
            ]

    return table(
        {
            "target": "string",
            "kind": "string",
            "state": "string",
            "documents": "int",
            "chunks": "int",
            "put": "int",
            "taken": "int",
            "waiting": "int",
            "parked": "int",
            "lag_seconds": "float",
            "parity": "string",
            "problem": "string",
        },
        rows(),
    )


def proof_table(compared: Sequence[Compared]) -> dg.TableMetadataValue:
    """What comparing targets with PostgreSQL found, in rows; the cells are empty where one could not be compared."""
    facts = ("count", "published", "missing", "extra", "different", "sampled", "nearest", "publish_seq")

    def rows() -> Iterator[list[Cell]]:
        for each in compared:
            proof = each.parity.as_dict() if each.parity else {}
            yield [each.target, each.is_well, *(proof.get(fact) for fact in facts), each.error]

    kinds: dict[str, Kind] = {fact: "float" if fact == "nearest" else "int" for fact in facts}
    return table({"target": "string", "is_well": "bool", **kinds, "problem": "string"}, rows())


def builds_table(builds: Sequence[Build]) -> dg.TableMetadataValue:
    """A workspace's builds."""

    def rows() -> Iterator[list[Cell]]:
        for build in builds:
            verified = build.verification or {}
            yield [
                build.index_name,
                build.rag_index_build_id,
                build.state,
                build.embedding_model,
                build.dimensions,
                build.chunker["target_tokens"],
                "exact" if build.ann == "none" else build.ann,
                "" if not verified else "yes" if verified["passed"] else "; ".join(verified["problems"]),
            ]

    return table(
        {
            "index": "string",
            "build": "int",
            "state": "string",
            "model": "string",
            "dimensions": "int",
            "chunk_tokens": "int",
            "search": "string",
            "verified": "string",
        },
        rows(),
    )


def served_table(served: Sequence[ServedIndex]) -> dg.TableMetadataValue:
    """The counts of each index beside what is there."""
    return table(
        {"index": "string", "object_count": "int", "documents": "int", "vector_count": "int", "chunks": "int"},
        [[each.name, each.object_count, each.documents, each.vector_count, each.chunks] for each in served],
    )


def usage_table(usage: Sequence[MonthlyUsage]) -> dg.TableMetadataValue:
    """What a workspace's embeddings cost by month (UTC) and model. Costs are exact, and so no floats."""
    rows: list[list[Cell]] = [
        [row.month, row.model, row.tier, row.texts, row.tokens, f"{row.cost:f}"] for row in usage if not row.is_sum
    ]
    return table(
        {"month": "string", "model": "string", "tier": "string", "texts": "int", "tokens": "int", "usd": "string"}, rows
    )


def _times(fresh: Freshness) -> dict[str, dg.TimestampMetadataValue]:
    """Up to when what happened in the source would have been seen."""
    times = {"absences_seen_to": fresh.absences_seen_to, "edits_seen_to": fresh.edits_seen_to}
    return {name: dg.MetadataValue.timestamp(time) for name, time in times.items() if time}


def _seconds(started: float) -> dict[str, Any]:
    return {"seconds": round(time.monotonic() - started, 3)}
