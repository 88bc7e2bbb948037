"""The five assets. Each calls one function of `arcana_pipelines.pipeline` and reports its counters.

https://docs.dagster.io/guides/build/assets/defining-assets
Assets hand each other nothing but the database: no IO manager, no row in an event.
No postponed annotations here: Dagster reads the types of `config` and resources at run time.
"""

import time

import dagster as dg

from arcana_pipelines.chunking.chunker import CHUNKER_VERSION
from arcana_pipelines.defs.checks import workspace_check
from arcana_pipelines.defs.config import SyncConfig
from arcana_pipelines.defs.jobs import RETRY_JOB
from arcana_pipelines.defs.names import ASSET_TAG
from arcana_pipelines.defs.partitions import workspaces
from arcana_pipelines.defs.resources import ArcanaResource
from arcana_pipelines.embedding.prices import PricingPolicy
from arcana_pipelines.errors import BudgetReached
from arcana_pipelines.indexes.builds import builds_of
from arcana_pipelines.indexes.lifecycle import drop_builds, superseded
from arcana_pipelines.ledger import generations, pages
from arcana_pipelines.markdown.normalise import NORMALISER_VERSION
from arcana_pipelines.operations.reports import (
    builds_table,
    counts_agree,
    partial_table,
    recent_changes,
    served_counts,
)
from arcana_pipelines.pipeline.chunk_embeddings.missing import embed_missing
from arcana_pipelines.pipeline.document_chunks import stage_chunks
from arcana_pipelines.pipeline.document_content import process_contents
from arcana_pipelines.pipeline.rag_indexes import publish
from arcana_pipelines.pipeline.source_pages import sync_pages
from arcana_pipelines.sources.protocol import Mode

OWNERS = ["team:data-platform"]


@dg.asset(
    partitions_def=workspaces,
    group_name="notion_index",
    kinds={"notion", "postgres"},
    tags={ASSET_TAG: "notion_pages"},
    owners=OWNERS,
    code_version="1",
    metadata={"dagster/table_name": "source_page"},
    check_specs=[
        workspace_check(
            "ledger_balances",
            asset="notion_pages",
            blocking=True,
            description="Every page that was listed is indexed, unchanged, skipped, quarantined or pending.",
        ),
        workspace_check(
            "listing_is_complete",
            asset="notion_pages",
            description="The source listed everything it was asked for. An incomplete listing removes nothing.",
        ),
        workspace_check(
            "removals_are_within_the_cap",
            asset="notion_pages",
            description="No mass removal waits for a person to allow it (`allow_removals`).",
        ),
    ],
)
def notion_pages(context: dg.AssetExecutionContext, config: SyncConfig, arcana: ArcanaResource) -> dg.MaterializeResult:
    """The ledger of a workspace's pages: listed, read where stale, proven where missing."""
    started = time.monotonic()
    session = arcana.session(context)
    source = session.source
    if context.run.job_name == RETRY_JOB:
        pages.release(session.connection, session.workspace.workspace_id, config.page)
    report = sync_pages(
        session.connection,
        session.workspace,
        source,
        Mode(config.mode),
        allow_removals=config.allow_removals,
        concurrency=session.settings.max_concurrent_requests,
        retention_days=session.settings.retention_days,
    )
    generation = session.generation
    counts = generations.counts(session.connection, generation)
    traffic = getattr(getattr(source, "api", None), "traffic", None)
    requests = {"requests": traffic.requests, "throttled": traffic.throttled} if traffic else {}
    generations.note(session.connection, generation, {"notion": requests})
    unknown_types = pages.unknown_types(session.connection, session.workspace.workspace_id)
    partial = pages.partial_pages(session.connection, session.workspace.workspace_id)
    session.connection.commit()
    accounted = sum(value for name, value in counts.items() if name != "enumerated")
    return dg.MaterializeResult(
        metadata={
            **counts,
            **requests,
            "removed": report.removed,
            "mode": str(report.mode),
            "generation": report.generation,
            "listing_complete": report.listing_complete,
            "unknown_types": dg.MetadataValue.json(unknown_types),
            "partial": partial["pages"],
            "partial_pages": dg.MetadataValue.md(partial_table(partial)),
            "seconds": round(time.monotonic() - started, 3),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="ledger_balances",
                passed=report.listed == counts["enumerated"] == accounted,
                metadata={"listed": report.listed, **counts},
            ),
            dg.AssetCheckResult(
                check_name="listing_is_complete",
                passed=report.listing_complete,
                metadata={"problems": dg.MetadataValue.json(list(report.problems))},
            ),
            dg.AssetCheckResult(
                check_name="removals_are_within_the_cap",
                passed=report.waiting == 0,
                metadata={"waiting": report.waiting, "removed": report.removed},
            ),
        ],
    )


@dg.asset(
    deps=[notion_pages],
    partitions_def=workspaces,
    group_name="notion_index",
    kinds={"markdown", "postgres"},
    tags={ASSET_TAG: "document_content"},
    owners=OWNERS,
    code_version=str(NORMALISER_VERSION),
    metadata={"dagster/table_name": "document_content"},
)
def document_content(context: dg.AssetExecutionContext, arcana: ArcanaResource) -> dg.MaterializeResult:
    """Documents and their versions: normalised text, properties, place in the tree, references."""
    started = time.monotonic()
    session = arcana.session(context)
    generation = session.generation
    report = process_contents(session.connection, generation)
    counts = generations.counts(session.connection, generation)
    changes = recent_changes(session.connection, generation)
    session.connection.commit()
    return dg.MaterializeResult(
        metadata={
            **{name: counts[name] for name in ("added", "updated", "unchanged", "quarantined")},
            "removed": generations.counters(session.connection, generation).get("removed", 0),
            "processed": report.processed,
            "versions": report.versions,
            "changes": dg.MetadataValue.md(changes),
            "seconds": round(time.monotonic() - started, 3),
        }
    )


@dg.asset(
    deps=[document_content],
    partitions_def=workspaces,
    group_name="notion_index",
    kinds={"postgres"},
    tags={ASSET_TAG: "document_chunks"},
    owners=OWNERS,
    code_version=str(CHUNKER_VERSION),
    metadata={"dagster/table_name": "chunk_stage"},
)
def document_chunks(context: dg.AssetExecutionContext, arcana: ArcanaResource) -> dg.MaterializeResult:
    """Chunks of every version that an index does not serve yet, cut along the document's structure."""
    started = time.monotonic()
    session = arcana.session(context)
    report = stage_chunks(session.connection, session.workspace.workspace_id, session.filling)
    return dg.MaterializeResult(
        metadata={
            "contents": report.contents,
            "chunks": report.chunks,
            "seconds": round(time.monotonic() - started, 3),
        }
    )


@dg.asset(
    deps=[document_chunks],
    partitions_def=workspaces,
    group_name="notion_index",
    kinds={"openai", "postgres"},
    tags={ASSET_TAG: "chunk_embeddings"},
    owners=OWNERS,
    code_version="1",
    metadata={"dagster/table_name": "embedding_store"},
)
def chunk_embeddings(context: dg.AssetExecutionContext, arcana: ArcanaResource) -> dg.MaterializeResult:
    """Embeddings of the texts that the workspace never embedded before, each computed once."""
    started = time.monotonic()
    session = arcana.session(context)
    try:
        report = embed_missing(
            session.connection,
            session.generation,
            session.open_embedder,
            session.settings.batch_size,
            PricingPolicy.of(session.settings),
            session.filling,
        )
    except BudgetReached:
        # Removed pages do not stay searchable until next month, nor do those wait whose texts are embedded.
        publish(session.connection, session.generation, session.filling)
        raise
    return dg.MaterializeResult(
        metadata={
            **report.as_dict(),
            "seconds": round(time.monotonic() - started, 3),
        }
    )


@dg.asset(
    deps=[chunk_embeddings],
    partitions_def=workspaces,
    group_name="notion_index",
    kinds={"pgvector", "postgres"},
    tags={ASSET_TAG: "rag_indexes"},
    owners=OWNERS,
    code_version="1",
    metadata={"dagster/table_name": "rag_indexes"},
    check_specs=[
        workspace_check(
            "published_counts_match",
            asset="rag_indexes",
            description="`object_count` and `vector_count` are what a search can reach.",
        ),
        workspace_check(
            "builds_are_verified",
            asset="rag_indexes",
            description="No new build of an index was found unfit to serve. Until it is mended the old one serves.",
        ),
    ],
)
def rag_indexes(context: dg.AssetExecutionContext, arcana: ArcanaResource) -> dg.MaterializeResult:
    """The searchable indexes: new versions published whole, removed documents taken out, counts kept true.

    A run of the last three assets alone fills new builds, verifies them, and lets those serve that may.
    """
    started = time.monotonic()
    session = arcana.session(context)
    workspace_id = session.workspace.workspace_id
    report = publish(session.connection, session.generation, session.filling, session.gate)
    served = served_counts(session.connection, workspace_id)
    builds = builds_of(session.connection, workspace_id)
    session.connection.commit()
    drop_builds(session.database, superseded(builds))
    unfit = {
        f"{build.index_name}, build {build.rag_index_build_id}": dg.MetadataValue.json(build.verification)
        for build in builds
        if build.state == "verifying" and build.verification is not None and not build.verification["passed"]
    }
    return dg.MaterializeResult(
        metadata={
            "published": report.published,
            "retired": report.retired,
            "object_count": sum(index.object_count for index in served),
            "vector_count": sum(index.vector_count for index in served),
            "dagster/row_count": sum(index.vector_count for index in served),
            "builds": dg.MetadataValue.md(builds_table(builds)),
            "seconds": round(time.monotonic() - started, 3),
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
