"""The assets of a sync. Each calls one stage of `arcana_pipelines.pipeline.sync` and shows its report.

https://docs.dagster.io/guides/build/assets/defining-assets
Assets hand each other nothing but the database: no IO manager, no row in an event.
No postponed annotations here: Dagster reads the types of `config` and resources at run time.
"""

import time

import dagster as dg

from arcana_pipelines.chunking.sizes import CHUNKER_VERSION
from arcana_pipelines.classification.classify import LOGIC
from arcana_pipelines.defs import results
from arcana_pipelines.defs.checks import ledger_checks, workspace_check
from arcana_pipelines.defs.config import SyncConfig
from arcana_pipelines.defs.names import ASSET_TAG, EMBEDDING_POOL, beside
from arcana_pipelines.defs.partitions import workspaces
from arcana_pipelines.defs.purposes import delivery_seconds, purpose_of
from arcana_pipelines.defs.resources import ArcanaResource
from arcana_pipelines.markdown.version import NORMALISER_VERSION
from arcana_pipelines.pipeline import sync
from arcana_pipelines.pipeline.follower import Slice

OWNERS = ["team:data-platform"]


@dg.asset(
    partitions_def=workspaces,
    group_name="notion_index",
    kinds={"notion", "postgres"},
    tags={ASSET_TAG: "notion_pages"},
    owners=OWNERS,
    code_version="1",
    metadata={"dagster/table_name": "source_page"},
    check_specs=ledger_checks("notion_pages"),
)
def notion_pages(context: dg.AssetExecutionContext, config: SyncConfig, arcana: ArcanaResource) -> dg.MaterializeResult:
    """The ledger of a workspace's pages: listed, read where stale, proven where missing."""
    return _read(context, config, arcana)


@dg.asset(
    partitions_def=workspaces,
    group_name="notion_index",
    kinds={"tickets", "postgres"},
    tags={ASSET_TAG: "support_tickets"},
    owners=OWNERS,
    code_version="1",
    metadata={"dagster/table_name": "source_page"},
    check_specs=ledger_checks("support_tickets"),
)
def support_tickets(
    context: dg.AssetExecutionContext, config: SyncConfig, arcana: ArcanaResource
) -> dg.MaterializeResult:
    """The ledger of a workspace's support tickets: listed, read where stale, proven where missing."""
    return _read(context, config, arcana)


def _read(context: dg.AssetExecutionContext, config: SyncConfig, arcana: ArcanaResource) -> dg.MaterializeResult:
    """List and read the workspace, if it is this asset that reads it."""
    reader = arcana.reader(context)
    if reader != context.asset_key.path[-1]:
        return results.of_other_reader(reader)
    started = time.monotonic()
    request = config.request(purpose_of(context))
    index = beside(context.asset_key, "rag_indexes")

    def tell(did: Slice) -> None:
        context.log_event(results.of_slice(index, context.partition_key, did))

    return results.of_pages(sync.read_pages(arcana.session(context), request, tell), started)


@dg.asset(
    deps=[notion_pages, support_tickets],
    partitions_def=workspaces,
    group_name="notion_index",
    kinds={"file", "postgres"},
    tags={ASSET_TAG: "document_files"},
    owners=OWNERS,
    code_version="1",
    pool="document_files",
    metadata={"dagster/table_name": "source_file"},
    check_specs=[
        workspace_check(
            "files_have_outcomes",
            asset="document_files",
            description="Every file of the ledger was read, or says why it has no text. One that could not be had or "
            "read now is tried again, and fails no run.",
        ),
        workspace_check(
            "stored_bytes_equal_their_hash",
            asset="document_files",
            description="A sample of the store, taken in full and audit syncs, holds the bytes that it should.",
        ),
    ],
)
def document_files(context: dg.AssetExecutionContext, arcana: ArcanaResource) -> dg.MaterializeResult:
    """The files of pages and tickets: fetched once, kept by their content, read in processes of their own."""
    started = time.monotonic()
    return results.of_files(sync.fetch_files(arcana.session(context)), started)


@dg.asset(
    deps=[notion_pages, support_tickets, document_files],
    partitions_def=workspaces,
    group_name="notion_index",
    kinds={"markdown", "postgres"},
    tags={ASSET_TAG: "document_content"},
    owners=OWNERS,
    code_version=str(NORMALISER_VERSION),
    metadata={"dagster/table_name": "document_content"},
)
def document_content(context: dg.AssetExecutionContext, arcana: ArcanaResource) -> dg.MaterializeResult:
    """Documents and their versions, of pages, tickets and files: normalised text, properties, place, references."""
    started = time.monotonic()
    return results.of_contents(sync.make_contents(arcana.session(context)), started)


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
    return results.of_chunks(sync.cut_chunks(arcana.session(context), purpose_of(context)), started)


@dg.asset(
    deps=[document_chunks],
    partitions_def=workspaces,
    group_name="notion_index",
    kinds={"openai", "postgres"},
    tags={ASSET_TAG: "chunk_embeddings"},
    owners=OWNERS,
    code_version="1",
    metadata={"dagster/table_name": "embedding_store"},
    pool=EMBEDDING_POOL,
)
def chunk_embeddings(context: dg.AssetExecutionContext, arcana: ArcanaResource) -> dg.MaterializeResult:
    """Embeddings of the texts that the workspace never embedded before, each computed once."""
    started = time.monotonic()
    return results.of_embeddings(sync.embed_chunks(arcana.session(context), purpose_of(context)), started)


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
            description="No new build of an index was found unfit to serve. Until it is repaired the old one serves.",
        ),
    ],
)
def rag_indexes(context: dg.AssetExecutionContext, arcana: ArcanaResource) -> dg.MaterializeResult:
    """The searchable indexes: new versions published whole, removed documents taken out, counts kept true.

    A run of the last three assets alone fills new builds, verifies them, and lets those serve that may.
    """
    started = time.monotonic()
    return results.of_indexes(sync.publish_indexes(arcana.session(context), purpose_of(context)), started)


@dg.asset(
    deps=[rag_indexes],
    partitions_def=workspaces,
    group_name="notion_index",
    kinds={"taxonomy", "postgres"},
    tags={ASSET_TAG: "doc_taxonomy"},
    owners=OWNERS,
    code_version=str(LOGIC),
    metadata={"dagster/table_name": "doc_taxonomy"},
    check_specs=[
        workspace_check(
            "topics_are_well",
            asset="doc_taxonomy",
            description="Documents have topics, none waits for a person for more than two weeks, every path that came "
            "with a document is one of the taxonomy, and no rule rests. Passes where there is no taxonomy.",
        ),
    ],
)
def doc_taxonomy(context: dg.AssetExecutionContext, arcana: ArcanaResource) -> dg.MaterializeResult:
    """The topics of documents (`arcana taxonomy`): given with them, found by rules, or nearest to what they say.

    What is not sure waits for a person. Where a workspace has no active taxonomy, nothing is done.
    """
    started = time.monotonic()
    return results.of_topics(sync.classify(arcana.session(context)), started)


@dg.asset(
    # It lets the workspace go: all that writes is done before.
    deps=[rag_indexes, doc_taxonomy],
    partitions_def=workspaces,
    group_name="notion_index",
    kinds={"postgres"},
    tags={ASSET_TAG: "index_targets"},
    owners=OWNERS,
    code_version="1",
    metadata={"dagster/table_name": "index_target"},
    check_specs=[
        workspace_check(
            "targets_are_current",
            asset="index_targets",
            description="Every target answers, is at most five minutes behind, and refuses no document. One that is "
            "not well fails no run: what is published waits for it.",
        ),
    ],
)
def index_targets(context: dg.AssetExecutionContext, arcana: ArcanaResource) -> dg.MaterializeResult:
    """The copies of the indexes in other stores (`arcana target add`): told what was published, and taken out.

    The sensor `target_deliveries` does the same between syncs. Where a workspace has no targets, nothing is done.
    """
    started = time.monotonic()
    return results.of_targets(sync.deliver_to_targets(arcana.session(context), delivery_seconds(context)), started)
