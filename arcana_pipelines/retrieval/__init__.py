"""Searching: `Searcher` is for programs; everything it gives and takes is here with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from arcana_pipelines.retrieval.filters import Filters, PropertyCondition
    from arcana_pipelines.retrieval.hit_files import where_in_korean, where_in_words
    from arcana_pipelines.retrieval.reranking.protocol import Reranker
    from arcana_pipelines.retrieval.results import Hit, HitFile, Place, Results
    from arcana_pipelines.retrieval.search_request import SearchRequest
    from arcana_pipelines.retrieval.searcher import Searcher
    from arcana_pipelines.retrieval.whole_document import Document

__all__ = [
    "Document",
    "Filters",
    "Hit",
    "HitFile",
    "Place",
    "PropertyCondition",
    "Reranker",
    "Results",
    "SearchRequest",
    "Searcher",
    "where_in_korean",
    "where_in_words",
]

_MODULES = {
    "Document": "whole_document",
    "Filters": "filters",
    "Hit": "results",
    "HitFile": "results",
    "Place": "results",
    "PropertyCondition": "filters",
    "Reranker": "reranking.protocol",
    "Results": "results",
    "SearchRequest": "search_request",
    "Searcher": "searcher",
    "where_in_korean": "hit_files",
    "where_in_words": "hit_files",
}


def __getattr__(name: str) -> Any:
    # Imported when asked for: an import of one module of this package does not pay for all of them.
    if name not in _MODULES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
