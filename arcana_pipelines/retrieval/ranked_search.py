"""How a question is searched, wherever the index is: candidates by words and meaning, scored, fused, each text once."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from arcana_pipelines.embedding.catalogue import Model, model_named
from arcana_pipelines.embedding.protocol import Vectors
from arcana_pipelines.lexical import codes, concepts, gibberish, query_plan, typos
from arcana_pipelines.lexical.analysis import LEAST, QueryTerm, has_cjk, keys_of_term, query_terms, without_measure
from arcana_pipelines.lexical.coverage import AskedWord, Coverage, asked_words
from arcana_pipelines.retrieval.best_passage import FoundText
from arcana_pipelines.retrieval.cursor import DEEPEST, Cursor, microseconds, question_hash
from arcana_pipelines.retrieval.filters import Filters, Limits
from arcana_pipelines.retrieval.folding import Folded, fold
from arcana_pipelines.retrieval.follow_ups import Context
from arcana_pipelines.retrieval.fusion import (
    LOOKED_INTO,
    Scored,
    fuse,
    fuse_as_they_are,
    fuse_by_rank,
    in_one_section,
    of_both_languages,
    weight_of_meaning,
    with_covered,
)
from arcana_pipelines.retrieval.highlights import Marks, marks_of, terms_in, terms_of
from arcana_pipelines.retrieval.hit_of_row import hit_of, text_of
from arcana_pipelines.retrieval.relevance import NOTHING_KNOWN, Calibration, Unjudged, calibration_of, evidence
from arcana_pipelines.retrieval.results import Hit, TopicFacet
from arcana_pipelines.retrieval.search_request import SearchRequest
from arcana_pipelines.retrieval.serving import Serving

CANDIDATES = 100
# Further answers come out of as many as one search for all of them looks at.
FURTHER_CANDIDATES = 2 * DEEPEST
# Where many of them are of one page, or repeat each other, so many are looked at before fewer hits are given.
MOST_CANDIDATES = 1_600
# With the local model, meaning re-orders what words found; above this size it looks further only for lack of words.
SMALL = 8_000
# What the words of earlier questions count where the answer stands on a page, of what they count in finding it.
EARLIER_ON_THE_PAGE = 0.2
# So many chunks are looked at for a code that is written with other signs between its parts.
LOOKED_AT = 50
# So many chunks behind a filter are all scored.
FEW = 2_000
# To who may find some documents alone a page or a value that others have is told as one that is not there.
_WORD = re.compile(r"\w+")
_NOTHING_LEFT = "Nothing that may be found here meets the filters: a page, a property or a value may not be there."


@dataclass(frozen=True, slots=True)
class Question:
    """A request made ready.

    Attributes:
        request: as it was given.
        text: the query without spaces around it.
        terms: the terms of it that are looked for, by their number; without one nothing is searched.
        most: hits to find; of these the reranker chooses the best k.
        after: what has been shown of the answer.
        context: the earlier questions that take part; None: none does.
    """

    request: SearchRequest
    text: str
    terms: Mapping[int, QueryTerm]
    most: int
    after: Cursor | None = None
    context: Context | None = None

    @property
    def words(self) -> str:
        """The text whose words are looked for."""
        return without_measure(self.text)

    @property
    def parts(self) -> tuple[tuple[str, float], ...]:
        """The texts whose words are looked for, each with what they count, the question itself first."""
        return ((self.words, 1.0), *(self.context.earlier if self.context else ()))

    def on_the_page(self, gains: Mapping[int, float]) -> Mapping[int, float]:
        """What each word counts where the answer stands on a page, of what it counts in finding the page.

        The words of earlier questions find the page. Where on it the answer stands the question itself says.
        """
        if self.context is None:
            return gains
        own = query_terms(self.words)
        earlier = {term for text, _ in self.context.earlier for term in query_terms(text)} - own.keys()
        return {term: gain * EARLIER_ON_THE_PAGE if term in earlier else gain for term, gain in gains.items()}


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a question means to a model.

    Attributes:
        vector: its vector as PostgreSQL reads it, without what it says of the language where the model's means are
            known.
        numbers: the same, as targets take it.
        language: the language of the question; None where it is not known.
        tokens: of the question, as the model counts them.
    """

    vector: str
    numbers: Sequence[float] | Vectors
    language: str | None = None
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """What a question finds in a snapshot.

    Attributes:
        folded: hits best first, each text once.
        chunks: the `document_chunk_id` of each, and of what repeats it, by its document and position.
        before: what had been shown; None where nothing was searched.
        texts: of each hit, by its document and position, the text as it is stored.
        gains: what each term of the question counts in choosing a passage, by its number.
        marked: what is worth marking, corrected words among them.
        corrections: words that no text has, with what was searched instead.
        notes: what to know of the filters, in sentences.
        least: when the best hit's score is below it, nothing is said to be found; 0 where scores are not calibrated.
        unjudged: see `Results`.
        tokens: of the question, as the model counts them.
        target: the target that was asked by meaning; None: PostgreSQL was.
        facets: topics with their numbers of documents, where they are asked for.
    """

    folded: Folded = field(default_factory=Folded)
    chunks: Mapping[tuple[str, int], int] = field(default_factory=dict)
    before: Cursor | None = None
    texts: dict[tuple[str, int], FoundText] = field(default_factory=dict)
    gains: Mapping[int, float] = field(default_factory=dict)
    marked: Marks = field(default_factory=Marks)
    corrections: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    least: float = 0.0
    unjudged: Unjudged | None = None
    tokens: int = 0
    target: str | None = None
    facets: list[TopicFacet] = field(default_factory=list)

    def cursor_after(self, hits: Sequence[Hit]) -> str | None:
        """The cursor for what comes after these hits; None where nothing does, or as many as may be have been shown."""
        is_more = self.folded.is_more or len(hits) < len(self.folded.hits)
        if self.before is None or not is_more:
            return None
        ours = {(hit.document_id, hit.position) for hit in hits}
        named = list(self.folded.repeating)
        for hit, alike in zip(self.folded.hits, self.folded.alike, strict=True):
            if (hit.document_id, hit.position) in ours:
                named += alike
        further = self.before.further(
            (self.chunks[key] for key in ours),
            (self.chunks[hit.document_id, hit.position] for hit in named),
        )
        return further.text if len(further.shown) < DEEPEST else None


def wants_meaning(model: Model, vectors: int, request: SearchRequest) -> bool:
    """Whether an index of so many vectors is searched by meaning whatever words find."""
    return request.ranking != "lexical" and (request.ranking == "dense" or not model.is_weak or vectors <= SMALL)


class RankedSearch(ABC):
    """One question to one index as it is at one moment. Who knows where the index is reads it."""

    def __init__(
        self,
        workspace_id: UUID,
        serving: Serving,
        question: Question,
        asked: Meaning | None,
        limits: Limits = (),
    ) -> None:
        """Without `asked`, words alone are searched. What one of the `limits` leaves out is as if it were not there."""
        self._workspace_id = workspace_id
        self._serving = serving
        self._question = question
        self._request = question.request
        self._filters = question.request.filters or Filters()
        self._limits = limits
        # Whether what is beyond the limits could be told by what a search says of its filters.
        self._is_hushed = bool(limits)
        self._is_filtered = bool(self._filters or limits)
        self._notes: list[str] = []
        self._asked = asked
        self._model = model_named(serving.model)
        self._most = FURTHER_CANDIDATES if question.after else max(CANDIDATES, 2 * question.most)
        self._shown = question.after.shown if question.after else ()
        self._named = question.after.named if question.after else ()
        self._plan: query_plan.Plan | None = None
        self._coverage: Coverage | None = None
        self._asked_terms: frozenset[int] = frozenset()
        self._is_gibberish = False
        self._codes: list[codes.KnownCode] = []
        self._texts: dict[int, tuple[dict[str, Any], FoundText]] = {}

    @abstractmethod
    def _counts(self, terms: Mapping[int, QueryTerm]) -> dict[int, int]:
        """How many chunks have each key of these terms; none for a key that no chunk has."""

    @abstractmethod
    def _similar_words(self, word: str) -> list[str]:
        """Words of the index that are near to one, the likeliest first."""

    @abstractmethod
    def _may_be_told(self, terms: Mapping[int, QueryTerm]) -> bool:
        """Whether a text that the limits leave has one of these terms, and not another one alone."""

    @abstractmethod
    def _few_allowed(self) -> list[int] | None:
        """All chunks that a filter leaves, when few enough to be scored; None for many, and without a filter."""

    @abstractmethod
    def _without_left_out(self, chunks: Sequence[int]) -> tuple[int, ...]:
        """Those chunks that limits and filters leave: a cursor can be made up."""

    @abstractmethod
    def _by_words(self, plan: query_plan.Plan) -> list[int]:
        """The best chunks by words, at most `_most`."""

    @abstractmethod
    def _by_meaning(self) -> list[int]:
        """The nearest chunks by meaning, at most `_most`."""

    @abstractmethod
    def _scored(self, chunks: Sequence[int]) -> list[Scored]:
        """The candidates with their exact scores, each once."""

    @abstractmethod
    def _documents_of(self, chunks: Sequence[int]) -> Mapping[int, str]:
        """The ids of the documents of chunks."""

    @abstractmethod
    def _rows_of_hits(self, chunks: Sequence[int]) -> dict[int, dict[str, Any]]:
        """What `hit_of` makes a hit of, by chunk."""

    @abstractmethod
    def _near_passages(self, chunks: Sequence[int]) -> dict[int, dict[int, float]]:
        """How near the passages of chunks are, by chunk and number, as far as they have vectors."""

    def run(self) -> Found:
        """Search."""
        corrections = self._planned()
        plan = self._plan
        of_question = [text for text, share in self._question.parts if share > LEAST]
        asked = " ".join((*of_question, *corrections.values()))
        for code in self._codes:
            asked = asked.replace(code.asked.written, code.asked.joined)
        asked = "\n".join((asked, *concepts.translations(asked)))
        marked, asked_for = marks_of(asked), terms_of(asked)
        ranking = self._request.ranking if self._asked is not None else "lexical"
        calibration = calibration_of(self._serving.model, ranking, self._request.fusion)
        few = self._few_allowed()
        unjudged = self._unjudged(calibration)
        # Who filters has said what is relevant.
        least = 0.0
        if calibration is not None and unjudged is None and not self._filters:
            least = calibration.least_of(self._serving.vectors if few is None else len(few))
        if self._limits:
            self._shown, self._named = self._without_left_out(self._shown), self._without_left_out(self._named)
        if self._is_hushed:
            self._notes = [_NOTHING_LEFT] if few == [] else []
        missing = dict.fromkeys(code.asked.written for code in self._codes if code.is_missing)
        self._notes += [f"No text has '{code}'." for code in missing if code in self._question.text]
        while True:
            chunks, are_all = (few, True) if few is not None else self._candidates(plan)
            best = self._best(self._scored(chunks), plan.attainable if plan else 0.0, calibration)
            best, others = self._one_a_document(best) if self._request.per_document else (best, {})
            given = {*self._shown, *self._named}
            texts: dict[tuple[str, int], FoundText] = {}
            known: dict[tuple[str, int], int] = {}
            before = list(self._hits([(chunk, 0.0) for chunk in self._shown], {}, {}, {}))
            hits = self._hits([each for each in best if each[0] not in given], others, texts, known)
            folded = fold(hits, self._question.most, asked_for, before)
            if folded.is_more or are_all or self._most >= MOST_CANDIDATES:
                gains = self._question.on_the_page(plan.all_gains) if plan else {}
                return Found(
                    folded, known, self._before(), texts, gains, marked, corrections, self._notes, least, unjudged
                )
            self._most = min(4 * self._most, MOST_CANDIDATES)

    def _unjudged(self, calibration: Calibration | None) -> Unjudged | None:
        """Why scores tell nothing of whether there is an answer."""
        if self._serving.is_outdated:
            return "outdated_index"
        return "not_measured" if calibration is None else None

    def _before(self) -> Cursor:
        """What has been shown, of this question, build and publish."""
        return self._question.after or Cursor(
            question_hash(self._request, self._workspace_id, self._limits),
            self._serving.build,
            microseconds(self._serving.published),
        )

    def _candidates(self, plan: query_plan.Plan | None) -> tuple[list[int], bool]:
        """Chunks to score, and whether a search for more of them would find none."""
        chunks = self._by_words(plan) if plan and self._request.ranking != "dense" else []
        are_all = len(chunks) < self._most
        if self._needs_meaning(len(chunks)):
            near = self._by_meaning()
            are_all = are_all and len(near) < self._most
            chunks = [*chunks, *near]
        return chunks, are_all

    def _planned(self) -> dict[str, str]:
        """What to look for: words, near ones in place of those that no text has, and others that mean the same.

        Returns what was searched in place of words.
        """
        terms, parts = dict(self._question.terms), self._question.parts
        same, other, counts = self._beside(parts, terms)
        for text, share in reversed(parts):
            known = list(self._known_codes(text, counts))
            terms |= _terms_of_codes(text, share, known, terms)
            self._codes = [*known, *self._codes]
        corrections: dict[str, str] = {}
        unknown: dict[str, float] = {}
        for text, share in self._question.parts:
            unknown = dict.fromkeys(typos.unknown_words(text, counts), share) | unknown
        for word, share in list(unknown.items())[: typos.MOST]:
            meant = typos.nearest(word, self._similar_words(word))
            more = query_terms(meant) if meant is not None else {}
            if meant is not None and self._may_be_told(more):
                corrections[word] = meant
                terms |= {term: replace(each, weight=each.weight * typos.WEIGHT * share) for term, each in more.items()}
        self._is_gibberish = not corrections and gibberish.is_gibberish(self._question.text, counts)
        if corrections:
            parts = tuple((_corrected(text, corrections), share) for text, share in parts)
            same, other, counts = self._beside(parts, terms)
        self._plan = query_plan.plan(terms, self._serving.vectors, counts, same, other)
        # The question itself has the last word on what one counts.
        asked = {word.own: word for text, share in reversed(parts) for word in asked_words(text, share, self._codes)}
        self._cover(list(asked.values()), counts)
        return corrections

    def _beside(
        self, parts: Sequence[tuple[str, float]], terms: Mapping[int, QueryTerm]
    ) -> tuple[Mapping[int, QueryTerm], Mapping[int, QueryTerm], Mapping[int, int]]:
        """Terms that mean the same as the texts of a question, in its language and in the other one, and how many
        chunks have each key of all of them."""
        same, other = _of_parts(parts, concepts.in_other_words), _of_parts(parts, concepts.in_other_language)
        of_codes = _terms_of({term for text, _ in parts for code in codes.codes_of(text) for term in code.terms})
        return same, other, self._counts({**of_codes, **other, **same, **terms})

    def _known_codes(self, text: str, counts: Mapping[int, int]) -> Iterator[codes.KnownCode]:
        """The codes of a text: those that texts have, however they write them, and those that none has."""

        def is_known(term: int) -> bool:
            return any(key in counts for key in keys_of_term(term))

        for code in codes.codes_of(text):
            whole = tuple(frozenset((term,)) for term in code.whole)
            apart = tuple(way for way in code.apart if all(map(is_known, way)))
            if any(map(is_known, code.whole)) and self._may_be_told(_terms_of(code.whole)):
                yield codes.KnownCode(code, whole, is_missing=False)
            elif code.is_likely and apart and (self._filters or self._is_in_a_text(code, apart, counts)):
                yield codes.KnownCode(code, (*whole, *apart), is_missing=False)
            elif code.is_likely:
                yield codes.KnownCode(code, whole[:1], is_missing=True)

    def _is_in_a_text(self, code: codes.AskedCode, ways: Iterable[Iterable[int]], counts: Mapping[int, int]) -> bool:
        """Whether a text that may be found has all of a code in a row: its parts may stand in many that do not."""
        plan = query_plan.plan(_terms_of({term for way in ways for term in way}), self._serving.vectors, counts)
        if plan is None:
            return False
        # The rows are scored by it.
        self._plan = plan
        rows = self._rows_of_hits(self._by_words(plan)[:LOOKED_AT]).values()
        return any(
            code.pattern.search(part) for row in rows for part in (row["title"], *row["heading_path"], row["text"])
        )

    def _cover(self, words: Sequence[AskedWord], counts: Mapping[int, int]) -> None:
        """Have every candidate looked at for these words."""
        if words:
            terms = {term for word in words for way, _ in word.ways for term in way}
            self._coverage = Coverage(words, query_plan.rarity_of(terms, self._serving.vectors, counts))
            self._asked_terms = frozenset(term for term in terms if any(key in counts for key in keys_of_term(term)))

    def _covered(self, terms: Sequence[Iterable[int]]) -> list[float]:
        """How much of what the question asks for each text says, by its terms."""
        return [self._coverage.of(self._asked_terms.intersection(each)) if self._coverage else 0.0 for each in terms]

    def _needs_meaning(self, by_words: int) -> bool:
        """Is it worth looking by meaning for chunks that words did not find?"""
        if self._asked is None or self._request.ranking == "lexical":
            return False
        return wants_meaning(self._model, self._serving.vectors, self._request) or by_words < self._request.k

    def _best(
        self, scored: Sequence[Scored], attainable: float, calibration: Calibration | None
    ) -> list[tuple[int, float]]:
        """The candidates with what they are worth to a reader, best first."""
        best = self._fused(scored, attainable)
        if calibration is None:
            return best
        # Of letters by chance something is the nearest, too.
        known = NOTHING_KNOWN if self._is_gibberish else evidence(best, scored, attainable)
        if self._coverage is not None:
            known = replace(known, missing=self._coverage.missing)
        return calibration.scores(best, known)

    def _fused(self, scored: Sequence[Scored], attainable: float) -> list[tuple[int, float]]:
        if self._request.ranking == "lexical":
            return fuse(with_covered([each for each in scored if each.lexical > 0], attainable), 0.0)
        if self._request.ranking == "fused" and self._asked is not None:
            if self._request.fusion == "rrf":
                return fuse_by_rank(scored)
            if self._model.compares_passages:
                best = self._looked_into(fuse_as_they_are(scored, attainable), scored)
                return of_both_languages(best, scored)
            most = max((each.lexical for each in scored), default=0.0)
            is_weak = self._model.is_weak
            weight = weight_of_meaning(most, attainable, has_cjk(self._question.text), is_weak)
            scored = with_covered(scored, attainable) if is_weak else scored
        else:
            weight = 1.0 if self._request.ranking == "dense" and self._asked is not None else 0.0
        return fuse(scored, weight)

    def _looked_into(self, best: Sequence[tuple[int, float]], scored: Sequence[Scored]) -> list[tuple[int, float]]:
        """The same in another order: where a question is answered its words stand together, and in a text of several
        sections each may have some of them by chance."""
        if self._coverage is None:
            return list(best)
        covered = {each.chunk: each.covered for each in scored}
        # Of as many as hits are read of anyway.
        texts = self._read([chunk for chunk, _ in best[: max(LOOKED_INTO, 2 * self._question.most)]])
        apart = {}
        for chunk, _ in best[:LOOKED_INTO]:
            if chunk in texts and len(sections := texts[chunk][1].sections()) > 1:
                of_one = max(self._covered([terms_in(section, self._asked_terms) for section in sections]))
                apart[chunk] = max(0.0, covered[chunk] - of_one)
        return in_one_section(best, apart)

    def _read(self, chunks: Sequence[int]) -> Mapping[int, tuple[dict[str, Any], FoundText]]:
        """What is stored of chunks, and their texts; each is read once."""
        if new := [chunk for chunk in chunks if chunk not in self._texts]:
            near = self._near_passages(new)
            rows = self._rows_of_hits(new)
            self._texts |= {chunk: (row, text_of(row, near.get(chunk, {}))) for chunk, row in rows.items()}
        return self._texts

    def _one_a_document(self, best: Sequence[tuple[int, float]]) -> tuple[list[tuple[int, float]], dict[int, int]]:
        """The best chunk of each document, and by its id how many others of the document score half as much."""
        document_of = self._documents_of([*(chunk for chunk, _ in best), *self._shown, *self._named])
        given = {document_of.get(chunk) for chunk in (*self._shown, *self._named)}
        firsts: dict[str, tuple[int, float]] = {}
        others: dict[int, int] = {}
        for chunk, score in best:
            document = document_of.get(chunk)
            if document is None or document in given:
                continue
            first, most = firsts.setdefault(document, (chunk, score))
            if chunk != first and score >= most / 2:
                others[first] = others.get(first, 0) + 1
        return list(firsts.values()), others

    def _hits(
        self,
        best: Sequence[tuple[int, float]],
        others: Mapping[int, int],
        texts: dict[tuple[str, int], FoundText],
        known: dict[tuple[str, int], int],
    ) -> Iterator[Hit]:
        """Hits of chunks, best first; what is stored of each is put into `texts`, its id into `known`.

        So many are read at a time as twice the hits that are wanted: that is enough where few repeat each other.
        """
        for begin in range(0, len(best), 2 * self._question.most):
            some = best[begin : begin + 2 * self._question.most]
            read = self._read([chunk for chunk, _ in some])
            for chunk, score in some:
                if chunk in read:
                    row, text = read[chunk]
                    hit = replace(hit_of(score, dict(row)), other_chunks=others.get(chunk, 0))
                    texts[hit.document_id, hit.position] = text
                    known[hit.document_id, hit.position] = chunk
                    yield hit


def _terms_of(numbers: Iterable[int]) -> dict[int, QueryTerm]:
    return {number: QueryTerm(1.0, (number,)) for number in numbers}


def _terms_of_codes(
    text: str, share: float, known: Sequence[codes.KnownCode], terms: Mapping[int, QueryTerm]
) -> dict[int, QueryTerm]:
    """What of the terms of a text its codes change: they count as they stand in texts, and their parts little."""
    rest = text
    for code in known:
        rest = rest.replace(code.asked.written, " ")
    others = query_terms(rest)
    parts = {term for code in known for term in query_terms(code.asked.joined) if term in terms and term not in others}
    changed = {term: replace(terms[term], weight=min(terms[term].weight, LEAST * share)) for term in parts}
    return changed | {term: QueryTerm(share, (term,)) for code in known for way in code.ways for term in way}


def _corrected(text: str, corrections: Mapping[str, str]) -> str:
    return _WORD.sub(lambda word: corrections.get(word[0].lower(), word[0]), text)


def _of_parts(
    parts: Sequence[tuple[str, float]], terms_of_text: Callable[[str], Mapping[int, QueryTerm]]
) -> dict[int, QueryTerm]:
    """The terms of texts, each of which counts a share, where the first has the last word."""
    terms: dict[int, QueryTerm] = {}
    for text, share in reversed(parts):
        found = terms_of_text(text)
        if share != 1.0:
            found = {number: replace(term, weight=term.weight * share) for number, term in found.items()}
        terms |= found
    return terms
