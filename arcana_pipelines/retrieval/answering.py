"""A question answered: what was found, judged, re-ranked and shown, wherever the index is."""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from uuid import UUID

from pgvector import Vector

from arcana_pipelines.caching.caches import Tenant
from arcana_pipelines.chunking.passages import numbers_of
from arcana_pipelines.embedding.catalogue import model_named
from arcana_pipelines.embedding.language_means import between, means_of
from arcana_pipelines.embedding.protocol import EmbedsQuestions
from arcana_pipelines.errors import EmbeddingFailed
from arcana_pipelines.lexical.analysis import query_terms, without_measure
from arcana_pipelines.lexical.concepts import as_in_other_language
from arcana_pipelines.markdown.characters import clean
from arcana_pipelines.observing.traces import traced
from arcana_pipelines.retrieval import highlights
from arcana_pipelines.retrieval.cursor import DEEPEST, Cursor, question_hash
from arcana_pipelines.retrieval.filters import Limits
from arcana_pipelines.retrieval.follow_ups import context_of
from arcana_pipelines.retrieval.hit_of_row import link_of
from arcana_pipelines.retrieval.query_embedders import QueryEmbedders
from arcana_pipelines.retrieval.ranked_search import Found, Meaning, Question
from arcana_pipelines.retrieval.reranking.protocol import Reranker
from arcana_pipelines.retrieval.reranking.reranked import RERANKED, reranked
from arcana_pipelines.retrieval.results import Hit, Results
from arcana_pipelines.retrieval.search_request import SearchRequest
from arcana_pipelines.retrieval.serving import Serving

log = logging.getLogger(__name__)

MOST_TERMS = 128
NEAREST = 3  # hits that are told when none is good enough
# How much of what a question means is what its words mean in the other language, with a model whose means are known.
IN_OTHER_LANGUAGE = 0.15


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found of a request.

    Attributes:
        results: for who asked.
        found: what they are made of.
    """

    results: Results
    found: Found

    def cut(self, hits: int) -> Results:
        """The results with so many hits, and the cursor for what comes after them."""
        if self.results.nearest:
            return self.results
        first = self.results.hits[:hits]
        return replace(self.results, hits=first, cursor=self.found.cursor_after(first))


BY_WORDS = "The embedding provider does not answer: words alone were searched, without what they mean."


class Answering(ABC):
    """Answers questions to one workspace. Who knows where its index is finds (`_find`)."""

    def __init__(
        self,
        workspace_id: UUID,
        embedders: QueryEmbedders,
        reranker: Reranker | None = None,
        limits: Limits = (),
        tenant: Tenant | None = None,
    ) -> None:
        self._workspace_id = workspace_id
        self._embedders = embedders
        self._reranker = reranker
        self._limits = limits
        self._tenant = tenant

    @abstractmethod
    def _find(self, question: Question) -> Found:
        """What is found of a question that has a word."""

    @traced("search")
    def answer(self, request: SearchRequest) -> Answer:
        """The best chunks for a request, with what the results are made of. See `ConnectionSearcher.search`."""
        started = time.monotonic()
        # As texts are stored: what nobody sees in a question would change what it means to the model.
        text = clean(request.query).strip()
        words = without_measure(text)
        terms = query_terms(words)
        # A question without a word finds nothing, whatever was asked before.
        context = context_of(text, request.earlier) if terms and request.earlier else None
        if context is not None:
            terms = query_terms(words, context.earlier)
        terms = dict(list(terms.items())[:MOST_TERMS])
        reranker = self._reranker if request.ranking == "fused" else None
        after, k = None, request.k
        if request.after is not None:
            after = Cursor.read(request.after, question_hash(request, self._workspace_id, self._limits))
            k = min(k, DEEPEST - len(after.shown))
        most = max(k, RERANKED) if reranker else k
        found = self._find(Question(request, text, terms, most, after, context)) if terms else Found()
        hits = found.folded.hits
        least = found.least if request.min_score is None else request.min_score
        # Who goes on has been told that something was found.
        is_found = after is not None or (bool(hits) and hits[0].score >= least)
        is_reranked = False
        if reranker is not None and hits:
            # After the snapshot: nothing in the database waits for another server.
            hits, is_reranked = reranked(reranker, context.together if context else text, hits)
        hits = [self._read(hit, found) for hit in hits[: k if is_found else min(k, NEAREST)]]
        repeated = [self._read(hit, found) for hit in found.folded.repeated]
        results = Results(
            [], time.monotonic() - started, found.corrections, is_reranked, found.tokens, found.target, found.notes,
            facets=found.facets, unjudged=found.unjudged, least=0.0 if is_reranked else least,
        )  # fmt: skip
        if context is not None:
            results = replace(results, taken_with=[text for text, _ in context.earlier])
        if not is_found:
            return Answer(replace(results, nearest=hits), found)
        return Answer(replace(results, hits=hits, cursor=found.cursor_after(hits), repeated=repeated), found)

    def _read(self, hit: Hit, found: Found) -> Hit:
        """The hit with what a reader looks at first."""
        text, link = found.texts[hit.document_id, hit.position], hit.link
        told, moved = text.numbered()
        passages = text.best_passages(found.gains)
        if passages:
            link = link_of(hit.kind, hit.url, passages[0].heading_path, hit.file, text.below_heading(passages[0]))
        shown = [
            replace(
                passage, begin=moved(passage.begin), end=moved(passage.end),
                highlights=highlights.highlights(passage.text, found.marked),
            )
            for passage in passages
        ]  # fmt: skip
        passage, also = [*shown, None, None][:2]
        first = hit.position - len(hit.before)
        return replace(
            hit, passage=passage, also=also, link=link, text=told, highlights=highlights.highlights(told, found.marked),
            before=[numbers_of(text, first + at == 0).put_into(text) for at, text in enumerate(hit.before)],
            after=[numbers_of(text, is_first=False).put_into(text) for text in hit.after],
        )  # fmt: skip

    @traced("embed the question")
    def _embedded(self, question: Question, serving: Serving) -> Meaning | None:
        """What is meant; None while the provider fails, so that words alone are searched."""
        prefix, context = model_named(serving.model).question_prefix, question.context
        means = means_of(serving.model)
        try:
            embedder = self._embedders.of(serving.model, serving.dimensions, self._tenant)
            if context is None and means is None and isinstance(embedder, EmbedsQuestions):
                alone = embedder.embed_question(prefix + question.text)
                return Meaning(Vector(alone.vector).to_text(), alone.vector, tokens=alone.tokens)
            other = as_in_other_language(question.words) if means is not None else ""
            together = context.together if context is not None else ""
            embedded = embedder.embed([prefix + text for text in (question.text, other, together) if text])
        except EmbeddingFailed as error:
            log.warning("searching by words only: %s", error)
            return None
        vector, language = embedded.vectors[0], None
        if means is not None:
            vector, language = means.of_question(vector)
            if other:
                vector = between(vector, means.of_question(embedded.vectors[1])[0], IN_OTHER_LANGUAGE)
        if context is not None:
            all_together = embedded.vectors[-1]
            vector = context.meaning(vector, means.of_question(all_together)[0] if means is not None else all_together)
        return Meaning(str(Vector(vector).to_text()), vector, language, embedded.tokens)
