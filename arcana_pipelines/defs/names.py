"""Our assets by name. A host may put a prefix before their keys; the tag that each carries stays."""

from __future__ import annotations

import dagster as dg

from arcana_pipelines.sources.registry import READING

__all__ = [
    "ASSET_TAG",
    "EMBEDDING_POOL",
    "FILLING",
    "PUBLISHING",
    "READING",
    "STAGING",
    "SYNCING",
    "beside",
    "our_assets",
    "selection",
]

ASSET_TAG = "arcana/asset"
# Of runs that embed: `dagster.yaml` counts runs, so it is enough that one of their assets is in it.
EMBEDDING_POOL = "arcana_embedding"

# With the asset that reads pages first. `READING` names those that stand in its place for other workspaces.
PUBLISHING = ("notion_pages", "document_content", "document_chunks", "chunk_embeddings", "rag_indexes")
SYNCING = (PUBLISHING[0], "document_files", *PUBLISHING[1:], "doc_taxonomy", "index_targets")
STAGING = PUBLISHING[:3]
FILLING = (*PUBLISHING[2:], "index_targets")


def beside(key: dg.AssetKey, name: str) -> dg.AssetKey:
    """The key of another of our assets, with the same prefix."""
    return dg.AssetKey([*key.path[:-1], name])


def selection(*names: str) -> dg.AssetSelection:
    """Our assets of these names, with their checks."""
    first, *others = (dg.AssetSelection.tag(ASSET_TAG, name) for name in names)
    for other in others:
        first = first | other
    return first


def our_assets(repository: dg.RepositoryDefinition) -> dict[str, dg.AssetKey]:
    """The keys of our assets in a code location, by name."""
    return {
        spec.tags[ASSET_TAG]: spec.key
        for assets in repository.assets_defs_by_key.values()
        for spec in assets.specs
        if ASSET_TAG in spec.tags
    }
