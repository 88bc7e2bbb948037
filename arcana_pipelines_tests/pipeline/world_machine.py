"""A model-based test: random work in a Notion workspace, random syncs and faults; the index stays true.

`WorldMachine` changes a stand-in workspace as people would, syncs it well and badly, and after every commit of
every run looks at the index as a reader would:

- each page that is published is one whole version of that page, as the world once showed it;
- no page leaves the index that can be seen, and none that merely answered 404 before two runs found it so;
- a page keeps its document.

Every other run is followed while it reads, as long readings are: a slice is indexed between two commits of pages.

From time to time, and at the end, it lets the faults stop and syncs as often as the operating guide says. Then the
index equals the world, and equals what a fresh workspace publishes after one sync.

`test_model.py` runs a few hundred steps of it, `benchmarks/soak.py` as many as one likes.
"""

from __future__ import annotations

import faulthandler
import functools
import hashlib
import itertools
import logging
import os
import re
import signal
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, NoReturn, TypeVar
from uuid import UUID

import hypothesis
import numpy as np
import psycopg
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from psycopg import Transaction
from psycopg.pq import TransactionStatus
from pydantic import SecretStr

from arcana_pipelines.chunking.chunker import chunk_document
from arcana_pipelines.chunking.sizes import ChunkerSettings
from arcana_pipelines.chunking.tokens import vocabulary
from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.db.interruptible import InterruptibleConnection
from arcana_pipelines.db.query import scalar
from arcana_pipelines.embedding.catalogue import SMALL_MODEL
from arcana_pipelines.embedding.protocol import Embedded
from arcana_pipelines.errors import EmbeddingFailed, SourceError
from arcana_pipelines.indexes.targets.pgvector import publish
from arcana_pipelines.ledger import sweeps
from arcana_pipelines.pipeline import document_content, registration, uncut
from arcana_pipelines.pipeline.document_content import process_slice
from arcana_pipelines.pipeline.follow import Follower
from arcana_pipelines.pipeline.follower import Slice, index_slice
from arcana_pipelines.sources.client import Patience, fingerprint
from arcana_pipelines.sources.limiter import LONGEST_SHARED_PAUSE_SECONDS, RateLimiter
from arcana_pipelines.sources.notion.api import NotionApi
from arcana_pipelines.sources.notion.source import NotionSource
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.testing.notion_server import NotionServer, NotionWorld, serve
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines.testing.notion_server.model.blocks import BlockSpec
from arcana_pipelines.testing.notion_server.model.objects import Block, DataSource, Node, Page
from arcana_pipelines.testing.notion_server.model.objects import Database as NotionDatabase
from arcana_pipelines.testing.notion_server.model.rich_text import plain
from arcana_pipelines.testing.notion_server.wire.values import columns
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.harness import Harness

T = TypeVar("T")

MOST_PAGES = 40
_numbers = itertools.count()  # a slug is never given twice
# More than the ten minutes that listings overlap: a listing after it can stop at its first answer.
QUIET_SECONDS = 15 * 60.0
EVERYTHING = 10_000


# --- what happened ---------------------------------------------------------------------------------


@dataclass
class Tally:
    """What a number of machines did together; `progress` is called after each step."""

    operations: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    runs: Counter[str] = field(default_factory=Counter)
    convergences: Counter[str] = field(default_factory=Counter)
    looks: int = 0
    stale_labels: int = 0
    progress: Callable[[], None] = lambda: None

    @property
    def steps(self) -> int:
        """Operations and faults so far, convergences at the end of an example not counted."""
        return self.operations.total()


# --- small batches, no waiting ---------------------------------------------------------------------


@contextmanager
def in_haste() -> Iterator[None]:
    """Nobody sleeps between attempts, and batches are so small that a small world has many of each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("arcana_pipelines.net.workers.pause", lambda seconds: None)
        patch.setattr("arcana_pipelines.pipeline.source_pages.COMMIT_PAGES", 4)
        for batched in (document_content, uncut, publish):
            patch.setattr(batched, "BATCH", 4)
        patch.setattr("arcana_pipelines.ledger.removal.CAP_PAGES", 6)
        with _silence("arcana_pipelines"), _silence("uvicorn.error"):
            yield


@contextmanager
def followed_in_turns() -> Iterator[None]:
    """Every other generation is followed, from its first pages on: the other process has its turns in this one."""

    def turn(follower: Follower) -> Slice:
        session = follower._session
        if session.generation.number % 2:
            return Slice()
        try:
            return index_slice(session, 3)
        except EmbeddingFailed:  # the other process ends; the stages find the same
            return Slice()

    def look(follower: Follower, left: int) -> None:
        follower.did += turn(follower)

    def end(follower: Follower) -> None:
        session = follower._session
        if session.generation.number % 4 == 0:
            process_slice(session.connection, session.generation, 3, last_first=True)
        while (did := turn(follower)).pages:
            follower.did += did

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("arcana_pipelines.pipeline.source_pages.COMMIT_PAGES", 2)
        patch.setattr("arcana_pipelines.pipeline.sync.may_follow", lambda session: True)
        patch.setattr(Follower, "look", look)
        patch.setattr(Follower, "end", end)
        yield


@contextmanager
def _silence(name: str) -> Iterator[None]:
    """Thousands of faults on purpose would be thousands of lines."""
    log = logging.getLogger(name)
    level = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        log.setLevel(level)


def end_if_it_hangs(seconds: float = 120.0) -> None:
    """In a forked child: say where it is and end, rather than let the parent wait for it for ever."""
    faulthandler.dump_traceback_later(seconds, exit=True, file=sys.__stderr__ or sys.stderr)


class HashEmbedder:
    """Vectors made of a text's hash: no model is loaded, and a forked child can embed as well."""

    concurrency = 1

    def __init__(self, model: str, dimensions: int, left: int | None = None) -> None:
        self.model = model
        self.dimensions = dimensions
        self._left = left

    def embed(self, texts: Sequence[str]) -> Embedded:
        if self._left is not None:
            if self._left == 0:
                raise EmbeddingFailed("the provider fails on purpose")
            self._left -= 1
        seeds = [int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest()) for text in texts]
        vectors = np.stack([np.random.default_rng(seed).standard_normal(self.dimensions) for seed in seeds])
        return Embedded((vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), len(texts))


class _WatchedConnection(InterruptibleConnection):
    after_commit: Callable[[], None] | None = None

    @contextmanager
    def transaction(self, savepoint_name: str | None = None, force_rollback: bool = False) -> Iterator[Transaction]:
        is_outermost, has_written = self.info.transaction_status is TransactionStatus.IDLE, False
        with super().transaction(savepoint_name, force_rollback) as transaction:
            yield transaction
            if is_outermost:  # one that only reads commits nothing
                has_written = scalar(self, "SELECT pg_current_xact_id_if_assigned() IS NOT NULL")
        if has_written and self.after_commit is not None:
            self.after_commit()


class WatchedDatabase(Database):
    """A database with somebody who looks into it after every commit."""

    watch: Callable[[], None] | None = None

    def connect(self, **options: Any) -> Connection:
        # A crash of the server is not among the faults here: nobody waits for the disk.
        quick = "-c synchronous_commit=off"
        connection = _WatchedConnection.connect(
            self.url, application_name="machine", options=quick, autocommit=True, **options
        )
        connection.after_commit = lambda: self.watch() if self.watch is not None else None
        return connection


@dataclass
class HastyHarness(Harness):
    """A harness whose source waits for nothing, and for no answer longer than `timeout`."""

    timeout: float = 5.0

    def source(self) -> NotionSource:
        token = SecretStr(self.world.token)
        limiter = RateLimiter(self.database, fingerprint(token), 0, sleep=self._pass)
        return NotionSource(NotionApi(token, self.server.base_url, limiter, Patience(timeout=self.timeout)))

    def end_pauses(self) -> None:
        """What the server asked everybody to wait is over."""
        self._pass(2 * LONGEST_SHARED_PAUSE_SECONDS)

    def _pass(self, seconds: float) -> None:
        """Let the pause be shorter by the time that somebody would sleep."""
        with self.database.connection() as connection:
            connection.execute(
                "UPDATE source_limit SET paused_until = paused_until - make_interval(secs => %s)", [seconds]
            )


# --- what people write -----------------------------------------------------------------------------

_ENGLISH = "the harbour office keeps every ledger until spring and the clerk reads them aloud on Fridays"
_KOREAN = "항구 사무실은 봄까지 모든 장부를 보관하고 서기는 금요일마다 큰 소리로 읽는다 회의록 휴가 규정"
# Marks that make each text unlike all others: b in bodies, t in titles, v in values, n in names of columns.
_BODY_MARK = re.compile(r"\bb\d+x\b")


class Writer:
    """Writes titles and bodies, no two alike."""

    def __init__(self) -> None:
        self._number = 0
        self.titles: set[str] = set()

    def mark(self, letter: str) -> str:
        self._number += 1
        return f"{letter}{self._number}x"

    def title(self, style: int) -> str:
        title = f"{('Plan', '계획', 'Notes on')[style % 3]} {self.mark('t')}"
        self.titles.add(title)
        return title

    def sentence(self, style: int, length: int = 12) -> str:
        words = (_KOREAN if style % 2 else _ENGLISH).split()
        start = self._number
        return f"{self.mark('b')} " + " ".join(words[(start + at) % len(words)] for at in range(length))

    def body(self, style: int) -> list[BlockSpec]:
        """From nothing to several chunks, in English and Korean."""
        say = self.sentence
        kinds: list[Callable[[], list[BlockSpec]]] = [
            lambda: [blocks.paragraph(say(style))],
            lambda: [blocks.paragraph(say(style)), blocks.toggle(say(style), [blocks.paragraph(say(style + 1))])],
            lambda: [
                block
                for level in (1, 2, 1)
                for block in (
                    blocks.heading(say(style, 3), level),
                    blocks.paragraph(say(style, 250)),
                    blocks.bulleted(say(style), children=[blocks.bulleted(say(style + 1))]),
                )
            ],
            lambda: [blocks.quote(say(style)), blocks.code(say(0)), blocks.todo(say(style), checked=True)],
            lambda: [blocks.table([[self.mark("b"), "name"], [self.mark("b"), "이름"]]), blocks.numbered(say(style))],
            list,
        ]
        return kinds[style % len(kinds)]()


# --- what the world ever showed --------------------------------------------------------------------


class Truth:
    """Every version a page ever had, and what a reader of the API could find out about its absence."""

    def __init__(self, world: NotionWorld) -> None:
        self._world = world
        self._seen: dict[str, tuple[int, bool]] = {}
        self.bodies: dict[str, set[frozenset[str]]] = {}
        self.labels: dict[str, set[tuple[str, frozenset[tuple[str, str]]]]] = {}
        # Runs that could find a page to be 404 since one listed everything and it was there (that it was there between
        # two runs, nobody can know); pages that were in or below the trash since they could last be seen.
        self._misses: Counter[str] = Counter()
        self._trashed: set[str] = set()

    def note(self) -> None:
        """Look at the world after a change."""
        world = self._world
        visible = set(world.visible_pages())
        for node in world.nodes.values():
            if not isinstance(node, Page):
                continue
            # What is not shared shows nothing, whoever asks.
            state = (node.revision, world.is_shared(node))
            if self._seen.get(node.id) != state:
                self._seen[node.id] = state
                marks = _BODY_MARK.findall(" ".join(world.visible_text(node.id)))
                self.bodies.setdefault(node.id, set()).add(frozenset(marks))
                named = columns(world, node)
                values = {(name, str(node.values[name])) for name in named if node.values.get(name) is not None}
                self.labels.setdefault(node.id, set()).add((plain(node.title), frozenset(values)))
            if world.is_buried(node):
                # In a deleted block a page still answers, without the blocks that were deleted with it.
                self.bodies.setdefault(node.id, set()).add(frozenset())
            if node.id in visible:
                self._trashed.discard(node.id)
            elif node.in_trash or world.is_buried(node):
                self._trashed.add(node.id)

    def note_run(self) -> None:
        """A run begins, and may find out what is not there."""
        for page in self.bodies:
            node = self._world.nodes.get(page)
            if node is None or not self._world.is_shared(node):
                self._misses[page] += 1

    def note_whole_listing(self) -> None:
        """A run has listed everything."""
        for page in self._world.visible_pages():
            self._misses.pop(page, None)

    def may_be_removed(self, page: str) -> bool:
        return page in self._trashed or self._misses[page] >= 2


@dataclass(frozen=True, slots=True)
class Published:
    """What a reader gets of one page."""

    document_id: UUID
    content_id: UUID
    chunks: tuple[tuple[str, tuple[str, ...]], ...]


class Reader:
    """Reads the index as applications do, and compares it with every version there ever was."""

    def __init__(self, url: str, slug: str, truth: Truth, tally: Tally) -> None:
        self._connection = psycopg.connect(url, autocommit=True)
        self._lock = threading.Lock()
        self._slug = slug
        self._truth = truth
        self._tally = tally
        self._contents: dict[UUID, tuple[tuple[str, tuple[str, ...]], ...]] = {}
        self._documents: dict[str, UUID] = {}

    def close(self) -> None:
        self._connection.close()

    def look(self, slug: str | None = None) -> dict[str, Published]:
        """Everything that is published, checked to be whole."""
        with self._lock:
            self._tally.looks += 1
            rows = self._connection.execute(
                "WITH live AS (SELECT rag_index_build_id, count(*) AS chunks FROM chunk WHERE deleted_at IS NULL "
                "GROUP BY 1) "
                "SELECT c.contents->>'external_id', c.document_id, c.document_content_id, s.document_content_id, "
                "k.position, k.chunk_content, k.heading_path, i.object_count, i.vector_count, live.chunks "
                "FROM document_chunk k JOIN live USING (rag_index_build_id) "
                "JOIN rag_indexes i ON i.active_build_id = k.rag_index_build_id JOIN workspace w USING (workspace_id) "
                "JOIN document_content c USING (document_content_id) LEFT JOIN published_document s "
                "ON s.rag_index_build_id = k.rag_index_build_id AND s.document_id = c.document_id "
                "WHERE w.slug = %s AND k.deleted_at IS NULL ORDER BY k.position",
                [slug or self._slug],
            ).fetchall()
            pages: dict[str, list[tuple[Any, ...]]] = {}
            for row in rows:
                pages.setdefault(row[0], []).append(row)
            if rows:
                assert rows[0][7:] == (len(pages), len(rows), len(rows)), "the index's counts are not what is there"
            return {page: self._whole(page, chunks) for page, chunks in pages.items()}

    def _known_of(self, page: str) -> list[Any]:
        """What the database knows of a page, its document and the last runs: what threads did comes only once."""
        asked = (
            "SELECT to_jsonb(p) - 'body' - 'properties' FROM source_page p WHERE external_id = %(page)s",
            "SELECT to_jsonb(d) FROM document d JOIN source_page p USING (document_id) WHERE p.external_id = %(page)s",
            "SELECT to_jsonb(s) FROM published_document s JOIN source_page p USING (document_id) "
            "WHERE p.external_id = %(page)s",
            "SELECT to_jsonb(g) FROM sync_generation g ORDER BY started_at DESC LIMIT 4",
            "SELECT to_jsonb(l) FROM workspace_lease l",
        )
        return [row for each in asked for row in self._connection.execute(each, {"page": page}).fetchall()]

    def check(self, before: dict[str, Published]) -> dict[str, Published]:
        """Look, and account for each page that was there before and is not any more."""
        now = self.look()
        visible = set(self._truth._world.visible_pages())
        for page in before.keys() - now.keys():
            assert page not in visible, f"page {page} can be seen, and left the index: {self._known_of(page)}"
            assert self._truth.may_be_removed(page), f"page {page} left the index before two runs found it gone"
        for page, published in now.items():
            known = self._documents.setdefault(page, published.document_id)
            assert known == published.document_id, f"page {page} has another document than before"
        return now

    def _whole(self, page: str, rows: list[tuple[Any, ...]]) -> Published:
        contents = {row[2] for row in rows}
        assert len(contents) == 1, f"page {page} is published in {len(contents)} versions at once"
        content_id = rows[0][2]
        assert content_id == rows[0][3], f"page {page} is served from another version than the one on record"
        chunks = tuple((row[5], tuple(row[6])) for row in rows)
        if content_id not in self._contents:
            self._contents[content_id] = self._expected(page, content_id)
        assert chunks == self._contents[content_id], f"page {page} is published in part: {chunks}"
        return Published(rows[0][1], content_id, chunks)

    def _expected(self, page: str, content_id: UUID) -> tuple[tuple[str, tuple[str, ...]], ...]:
        row = self._connection.execute(
            "SELECT contents FROM document_content WHERE document_content_id = %s", [content_id]
        ).fetchone()
        assert row is not None
        (contents,) = row
        marks = frozenset(_BODY_MARK.findall(contents["text"]))
        assert marks in self._truth.bodies[page], f"page {page} never said {sorted(marks)} together"
        values = {(name, value["text"]) for name, value in contents["properties"].items() if value["text"]}
        label = (contents["title"], frozenset(values))
        assert label in self._truth.labels[page], f"page {page} never had {label}"
        chunks = chunk_document(contents, ChunkerSettings(), vocabulary(SMALL_MODEL))
        return tuple((chunk.text, chunk.heading_path) for chunk in chunks)


# --- the machine -----------------------------------------------------------------------------------

Step = tuple[str, dict[str, Any]]


def step(
    when: Callable[[Any], bool] = lambda machine: True, **strategies: st.SearchStrategy[Any]
) -> Callable[[Callable[..., None]], Any]:
    """A rule that writes itself down, so that it can be taken again; `when` not, it is no step."""

    def decorate(function: Callable[..., None]) -> Any:
        @functools.wraps(function)
        def taken(machine: WorldMachine, **arguments: Any) -> None:
            if when(machine):
                machine.steps.append((function.__name__, arguments))
                function(machine, **arguments)

        return precondition(when)(rule(**strategies)(taken))

    return decorate


def _anything(machine: WorldMachine) -> bool:
    return not machine.is_plain


def _is_due(machine: WorldMachine) -> bool:
    """Convergence costs as much as twenty other steps: not before a few of them. A shorter list may have it sooner."""
    return machine.stirred >= 8


def _whole_lists(machine: WorldMachine) -> bool:
    """The trash and the tables are looked at no further than one answer by an incremental sync."""
    return machine.page_size == 100 or not machine.is_plain


PICK = st.integers(0, 1000)
STYLE = st.integers(0, 11)
MODES = st.sampled_from([Mode.INCREMENTAL, Mode.INCREMENTAL, Mode.FULL, Mode.AUDIT])
THEN = st.sampled_from([None, None, *Mode])
SHORT_TIMEOUT = 0.2
# A direct look at one thing.
_LOOK = re.compile(r"/v1/(pages|blocks)/[^/]+")
# Which requests meet a fault.
WHERE = st.sampled_from(
    ["", "POST /v1/search", "POST /v1/data_sources", "/markdown", "GET /v1/pages/[^/]+$", "GET /v1/(pages|blocks)/"]
)
SKIP = st.integers(0, 6)
# Once, a few times, more often than is tried, and for the whole run.
TIMES = st.sampled_from([1, 3, 7, 200])


class WorldMachine(RuleBasedStateMachine):
    """Random work, syncs and faults on one workspace; see the module. Use `machine_on` to get one that can run."""

    database: ClassVar[WatchedDatabase]
    tally: ClassVar[Tally]
    failed: ClassVar[list[Step]] = []
    """The steps of the first machine that failed."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[Step] = []
        self.world = NotionWorld()
        self.server: NotionServer = serve(self.world)
        self.writer = Writer()
        self.truth = Truth(self.world)
        slug = f"machine-{next(_numbers)}"
        self.acme = HastyHarness.register(self.database, self.world, self.server, slug)
        assert isinstance(self.acme, HastyHarness)
        self.acme.open_embedder = HashEmbedder
        ((self.workspace_id,),) = self.acme.rows("SELECT workspace_id FROM workspace WHERE slug = %s", slug)
        self.reader = Reader(self.database.url, slug, self.truth, self.tally)
        self.page_size = 100
        self.is_plain = False
        # Since the last convergence nothing happened that takes more than incremental syncs to find.
        self.is_ordinary = True
        # How many steps since then.
        self.stirred = 0
        self.armed: list[str] = []
        self._violation: BaseException | None = None

    # --- the beginning and the end ---

    @initialize(page_size=st.sampled_from([100, 3]), plain=st.booleans(), style=STYLE)
    def begin(self, page_size: int, plain: bool, style: int) -> None:
        """A handful of pages and a table. Answers of few results make many of a small listing.

        A plain history has nothing in it that an incremental sync would not find.
        """
        self.steps.append(("begin", {"page_size": page_size, "plain": plain, "style": style}))
        self.page_size = page_size
        self.is_plain = plain
        root = self.world.add_page(self.writer.title(0), blocks=self.writer.body(1))
        self.world.add_page(self.writer.title(1), parent=root, blocks=self.writer.body(style))
        table = self._new_database(root)
        for number in range(3):
            self._new_row(table, number)
        self.truth.note()

    def teardown(self) -> None:
        try:
            if isinstance(sys.exception(), Exception):
                type(self).failed = type(self).failed or self.steps
            elif sys.exception() is None:
                self._finish()
        finally:
            self.database.watch = None
            self.server.close()
            self.reader.close()
            registration.remove(self.database, self.acme.slug, lambda _: None)

    def _finish(self) -> None:
        try:
            if self._is_quick():
                self._converge_quickly()
            self._converge()
        except Exception:
            type(self).failed = type(self).failed or self.steps
            raise

    # --- ordinary work ---

    @step(lambda self: self._room() > 0, parent=PICK, place=st.sampled_from(["page", "top", "block"]), style=STYLE)
    def create_page(self, parent: int, place: str, style: int) -> None:
        above = None if place == "top" else self._pick(self._live(Page), parent)
        if place == "block" and above is not None:
            inside = [child for child in self.world.live_children(above) if isinstance(child, Block)]
            above = self._pick([block for block in inside if block.type == "toggle"], parent) or above
        self.world.add_page(self.writer.title(style), above.id if above else None, self.writer.body(style))
        self._worked("create page")

    @step(page=PICK, style=STYLE)
    def edit(self, page: int, style: int) -> None:
        """Write the page anew. Pages inside its blocks vanish with them, in no trash that is listed."""
        if target := self._pick(self._live(Page), page):
            below = [node for node in self.world.descendants(target) if isinstance(node, Page | NotionDatabase)]
            loses = any(node.parent.kind == "block_id" for node in below)
            if not (loses and self.is_plain):
                self.world.edit_page(target.id, self.writer.body(style))
                self._worked("edit page", ordinary=not loses)

    @step(page=PICK, style=STYLE)
    def insert_at_top(self, page: int, style: int) -> None:
        if target := self._pick(self._live(Page), page):
            self.world.insert_blocks_at_top(target.id, self.writer.body(style))
            self._worked("insert at top")

    @step(page=PICK, block=PICK, style=STYLE)
    def change_words(self, page: int, block: int, style: int) -> None:
        if target := self._pick(self._live(Page), page):
            inside = [node for node in self.world.live_children(target) if isinstance(node, Block)]
            if chosen := self._pick([node for node in inside if node.payload.get("rich_text")], block):
                self.world.set_block_text(chosen.id, self.writer.sentence(style))
                self._worked("change words")

    @step(page=PICK, style=STYLE)
    def rename_page(self, page: int, style: int) -> None:
        if target := self._pick(self._live(Page), page):
            self.world.set_title(target.id, self.writer.title(style))
            self._worked("rename page")

    @step(page=PICK, other=PICK)
    def link(self, page: int, other: int) -> None:
        source, target = self._pick(self._live(Page), page), self._pick(self._live(Page), other)
        if source and target:
            self.world.append_blocks(source.id, [blocks.link_to_page(target.id)])
            self._worked("link pages")

    @step(lambda self: self._room() > 0, parent=PICK, rows=st.integers(0, 3))
    def create_database(self, parent: int, rows: int) -> None:
        above = self._pick(self._live(Page), parent)
        table = self._new_database(above.id if above else None)
        for number in range(min(rows, self._room())):
            self._new_row(table, number)
        self._worked("create database")

    @step(lambda self: self._room() > 5, table=PICK, rows=st.integers(1, 5))
    def add_rows(self, table: int, rows: int) -> None:
        if source := self._pick(self._live(DataSource), table):
            for number in range(rows):
                self._new_row(source.id, number)
            self._worked("add rows")

    @step(row=PICK, column=st.integers(0, 2))
    def change_value(self, row: int, column: int) -> None:
        rows = [page for page in self._live(Page) if page.parent.kind == "data_source_id"]
        if target := self._pick(rows, row):
            declared = list(columns(self.world, target).values())[1:]
            self.world.set_property(target.id, declared[column].name, self._value(declared[column].type))
            self._worked("change value")

    @step(_whole_lists, table=PICK, column=st.integers(0, 2))
    def rename_property(self, table: int, column: int) -> None:
        if source := self._pick(self._live(DataSource), table):
            assert isinstance(source, DataSource)
            name = list(source.schema)[1:][column]
            self.world.rename_property(source.id, name, f"Column {self.writer.mark('n')}")
            self._worked("rename property", ordinary=self.page_size == 100)

    @step(_whole_lists, node=PICK)
    def trash(self, node: int) -> None:
        self._trash(self._pick(self._live(Page), node), "trash page")

    @step(_whole_lists, node=PICK)
    def trash_database(self, node: int) -> None:
        self._trash(self._pick(self._live(NotionDatabase), node), "trash database")

    @step(_whole_lists, node=PICK)
    def restore(self, node: int) -> None:
        if target := self._pick(self._trashed(), node):
            self.world.restore(target.id)
            name = "restore database" if isinstance(target, NotionDatabase) else "restore page"
            self._worked(name, ordinary=self.page_size == 100)

    @step(seconds=st.sampled_from([1.0, 20.0, 61.0, 130.0, 700.0, 7200.0]))
    def wait(self, seconds: float) -> None:
        self.world.clock.advance(seconds)
        self._worked("clock")

    # --- work that only a listing of everything shows ---

    @step(_anything, node=PICK, to=PICK, place=st.sampled_from(["page", "page", "table", "top", "top, shared"]))
    def move(self, node: int, to: int, place: str) -> None:
        target = self._pick([*self._live(Page), *self._live(NotionDatabase)], node)
        above: Node | None = None
        if place == "page":
            above = self._pick(self._live(Page), to)
        elif place == "table" and isinstance(target, Page):
            above = self._pick(self._live(DataSource), to)
        if target is None or above is target or (above and target in self.world.ancestors(above)):
            return
        self.world.move(target.id, above.id if above else None)
        if place == "top, shared":
            self.world.share(target.id)
        self._worked("move", ordinary=False)

    @step(_anything, node=PICK)
    def unshare(self, node: int) -> None:
        reachable = [each for each in (*self._live(Page), *self._live(NotionDatabase)) if self.world.is_shared(each)]
        if target := self._pick(reachable, node):
            self.world.unshare(target.id)
            self._worked("unshare", ordinary=False)

    @step(_anything, node=PICK)
    def share(self, node: int) -> None:
        hidden = [each for each in (*self._live(Page), *self._live(NotionDatabase)) if not self.world.is_shared(each)]
        if target := self._pick(hidden, node):
            self.world.share(target.id)
            self._worked("share again", ordinary=False)

    @step(_anything, node=PICK, from_trash=st.booleans())
    def delete_for_ever(self, node: int, from_trash: bool) -> None:
        if target := self._pick(self._trashed() if from_trash else self._live(Page), node):
            self.world.delete_forever(target.id)
            self._worked("delete for ever", ordinary=False)

    # --- faults: they meet the next run, which may come at once or after more work and more faults ---

    @step(
        where=WHERE,
        form=st.sampled_from(["seconds", "date", "missing"]),
        after=st.sampled_from([1, 20, 90]),
        times=TIMES,
        skip=SKIP,
        then=THEN,
    )
    def throttle(self, where: str, form: Any, after: int, times: int, skip: int, then: Mode | None) -> None:
        self._arm(then, "429", where, times=times, skip=skip, retry_after=after, retry_after_form=form)

    @step(
        kind=st.sampled_from(["409", "500", "502", "503", "504", "529", "drop", "html", "empty", "401", "403"]),
        where=WHERE,
        times=TIMES,
        skip=SKIP,
        then=THEN,
    )
    def fail(self, kind: str, where: str, times: int, skip: int, then: Mode | None) -> None:
        self._arm(then, kind, where, times=times, skip=skip)

    @step(where=WHERE, skip=SKIP, then=THEN)
    def hang(self, where: str, skip: int, then: Mode | None) -> None:
        self._arm(then, "hang", where, skip=skip, seconds=2 * SHORT_TIMEOUT)

    @step(
        kind=st.sampled_from(["incomplete", "repeat_cursor", "short"]),
        where=st.sampled_from(["POST /v1/search", "POST /v1/data_sources", "/children"]),
        times=st.sampled_from([1, None]),
        skip=st.integers(0, 3),
        keep=st.sampled_from([None, 0, 1]),
        then=THEN,
    )
    def cut_listing(
        self, kind: str, where: str, times: int | None, skip: int, keep: int | None, then: Mode | None
    ) -> None:
        # An answer that is cut without a word cannot be told from a whole one: the next audit finds what it hid.
        if kind == "short" and self.is_plain:
            kind = "incomplete"
        self.is_ordinary &= kind != "short"
        self._arm(then, kind, where, times=times, skip=skip, keep=keep)

    @step(batches=st.integers(0, 2), then=THEN)
    def fail_embedder(self, batches: int, then: Mode | None) -> None:
        self.acme.open_embedder = lambda model, dimensions: HashEmbedder(model, dimensions, left=batches)
        self._armed(then, "embedder")

    # --- runs ---

    @step(mode=MODES)
    def sync(self, mode: Mode) -> None:
        self._plain_run(mode)

    @step(mode=MODES)
    def sync_again(self, mode: Mode) -> None:
        """The same once more: syncs are a fair part of what happens."""
        self._plain_run(mode)

    @step(mode=MODES, beat=st.integers(1, 120), sent=st.booleans())
    def kill(self, mode: Mode, beat: int, sent: bool) -> None:
        """A run that is killed when it uses the database for the `beat`th time."""
        with self._watched():
            self._reap(self._fork_run(mode, beat, sent))
        self._stepped("kill")

    @step(mode=MODES, beat=st.integers(1, 120), sent=st.booleans(), rival=MODES)
    def kill_beside_another(self, mode: Mode, beat: int, sent: bool, rival: Mode) -> None:
        """A run that waits for another one, or makes it wait, and is killed."""
        with self._watched():
            child = self._fork_run(mode, beat, sent)
            try:
                self._run(rival)
            finally:
                self._reap(child)
        self._stepped("kill beside another")

    @step(first=MODES, second=MODES)
    def sync_twice_at_once(self, first: Mode, second: Mode) -> None:
        failures: list[BaseException] = []

        def run(mode: Mode) -> None:
            try:
                self._run(mode)
            except BaseException as error:
                failures.append(error)

        with self._watched():
            threads = [threading.Thread(target=run, args=[mode]) for mode in (first, second)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        if failures:
            raise failures[0]
        self._stepped("two runs at once")

    # --- sweeps: pieces of a listing of everything, between all of the above ---

    @step(turns=st.integers(1, 4))
    def sweep(self, turns: int) -> None:
        """What the sensor's looks carry on; whatever the source answers, nothing leaves the index by it."""
        with self._watched():
            for _ in range(turns):
                self._take_turn()
        self._stepped("sweep")

    @step(beat=st.integers(1, 60), sent=st.booleans())
    def kill_sweep(self, beat: int, sent: bool) -> None:
        """A look that is killed while it carries a sweep on."""
        with self._watched():
            self._reap(self._fork(self._take_turn, beat, sent))
        self._stepped("kill a sweep")

    @precondition(_is_due)
    @step(lambda self: self.page_size == 100)
    def sweep_out(self) -> None:
        """Absences are found by two sweeps without an audit: the second finds what lay below what the first found."""
        self._calm()
        self._good_run(Mode.INCREMENTAL)
        for _ in range(2):
            if not self._sweep_to_its_end():
                return  # nothing is shown at all, and that is taken for a failure
            self._good_run(Mode.INCREMENTAL)
            self._good_run(Mode.INCREMENTAL)
        left = self.reader.look().keys() - set(self.world.visible_pages()) - self._unlisted()
        assert not left, f"pages {left} are gone, and two sweeps did not find out"
        self._stepped("sweep out")

    # --- convergence ---

    @precondition(_is_due)
    @step(lambda self: self._is_quick())
    def converge_quickly(self) -> None:
        """Ordinary work takes one incremental sync to find, even after runs that were killed or failed."""
        self._converge_quickly()
        self._stepped("converge quickly")

    @precondition(_is_due)
    @step(lambda self: self.stirred > 0)
    def converge(self) -> None:
        """Everything is found by the nightly audit, and by the sync after it."""
        self._converge()
        self._stepped("converge")

    @precondition(_is_due)
    @step(page=PICK, how=st.sampled_from(["trash", "share", "move"]), to=PICK)
    def hide_and_show(self, page: int, how: str, to: int) -> None:
        """A page that comes back, or is moved, is the same document and costs no embedding."""
        self._converge()
        visible = [self.world.node(each, Page) for each in self.world.visible_pages()]
        target = self._pick(visible, page)
        if target is None:
            return
        before = self.reader.look()
        if how == "move":
            above = self._pick([each for each in visible if each is not target], to)
            if above is None or target in self.world.ancestors(above) or target.parent.kind == "data_source_id":
                return
            self.world.move(target.id, above.id)
        elif how == "trash":
            self.world.trash(target.id)
        else:
            was_shared = target.shared
            self.world.unshare(target.id)
        self.truth.note()
        if how != "move":
            self._good_run(Mode.AUDIT)
            self._good_run(Mode.INCREMENTAL)
            assert target.id not in self.reader.look()
            if how == "trash":
                self.world.restore(target.id)
            else:
                self.world.share(target.id)
                target.shared = was_shared
        self.truth.note()
        report = self._good_run(Mode.AUDIT)
        assert report["embeddings"]["computed"] == 0, "a page that came back was embedded again"
        assert self.reader.look() == before
        self._compare()
        self._stepped(f"hide and show: {how}")

    # --- inside: the world ---

    def _live(self, kind: type[T]) -> list[T]:
        """Nodes of a kind that are neither in the trash nor below something that is, oldest first."""
        nodes = self.world.nodes.values()
        return [
            node
            for node in nodes
            if isinstance(node, kind)
            and isinstance(node, Node)
            and not node.in_trash
            and not self.world.is_buried(node)
        ]

    def _trashed(self) -> list[Page | NotionDatabase]:
        return [node for node in self.world.nodes.values() if isinstance(node, Page | NotionDatabase) and node.in_trash]

    def _room(self) -> int:
        return MOST_PAGES - sum(isinstance(node, Page) for node in self.world.nodes.values())

    def _pick(self, choices: Sequence[T], number: int) -> T | None:
        return choices[number % len(choices)] if choices else None

    def _trash(self, target: Node | None, name: str) -> None:
        if target is not None:
            self.world.trash(target.id)
            self._worked(name, ordinary=self.page_size == 100)

    def _untold(self) -> list[Page]:
        """Pages below something in the trash of which the connection cannot learn: between the two lies something
        that is not shared with it. They look as if they were there.
        """
        found = []
        for page in self.world.nodes.values():
            if isinstance(page, Page) and not page.in_trash and self.world.is_shared(page):
                for above in self.world.ancestors(page):
                    if above.in_trash and self.world.is_shared(above):
                        break
                    if self.world.is_buried(page) and not self.world.is_shared(above):
                        found.append(page)
                        break
        return found

    def _new_database(self, parent: str | None) -> str:
        kinds = ("rich_text", "select", "number")
        schema = {f"Column {self.writer.mark('n')}": kind for kind in kinds}
        return self.world.add_database(self.writer.title(0), parent, schema).data_source_id

    def _new_row(self, source_id: str, style: int) -> None:
        named = list(self.world.node(source_id, DataSource).schema.values())[1:]
        values = {column.name: self._value(column.type) for column in named}
        self.world.add_row(source_id, self.writer.title(style), values, self.writer.body(style))

    def _value(self, kind: str) -> Any:
        mark = self.writer.mark("v")
        return int(mark[1:-1]) if kind == "number" else f"value {mark}"

    def _worked(self, name: str, ordinary: bool = True) -> None:
        self.is_ordinary &= ordinary
        self.truth.note()
        self._stepped(name)

    def _stepped(self, name: str) -> None:
        self.stirred = 0 if name.startswith("converge") else self.stirred + 1
        self.tally.operations[name] += 1
        self.tally.progress()

    # --- inside: faults and runs ---

    def _arm(self, then: Mode | None, kind: str, where: str, **options: Any) -> None:
        self.server.faults.add(where, kind, **options)
        if kind == "hang":
            self.acme.timeout = SHORT_TIMEOUT
        self._armed(then, kind)

    def _armed(self, then: Mode | None, kind: str) -> None:
        self.armed.append(kind)
        self.tally.faults[kind] += 1
        if then is not None:
            with self._watched():
                self._run(then)
        self._stepped("fault and sync" if then else "fault")

    def _disarm(self) -> None:
        self.server.faults.clear()
        self.armed.clear()
        self.acme.timeout = 5.0
        self.acme.open_embedder = HashEmbedder
        self.acme.end_pauses()

    def _run(self, mode: Mode, allow_removals: int = 0) -> dict[str, Any] | None:
        """One run as Dagster or the command line make it; None when it failed as it may."""
        self.truth.note_run()
        self.tally.runs[str(mode)] += 1
        try:
            return self.acme.sync(mode, allow_removals)
        except (SourceError, EmbeddingFailed):
            if not self.armed:
                raise
            self.tally.runs["failed"] += 1
            return None

    def _plain_run(self, mode: Mode) -> None:
        with self._watched():
            self._run(mode)
        self._stepped(f"sync {mode}")

    def _good_run(self, mode: Mode) -> dict[str, Any]:
        """A run that nothing disturbs and that may remove as much as it has to."""
        with self._watched():
            report = self._run(mode, EVERYTHING)
        assert report is not None
        assert report["listing_complete"], report
        if mode is not Mode.INCREMENTAL:
            self.truth.note_whole_listing()
        return report

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Somebody reads after each commit and once all is over; then the faults are gone."""
        before = self.reader.look()
        lock = threading.Lock()
        self._violation = None

        def watch() -> None:
            nonlocal before
            with lock:
                if self._violation is None:
                    try:
                        before = self.reader.check(before)
                    except BaseException as violation:
                        # The run goes on: what it caught or cleaned up must not hide this.
                        self._violation = violation

        self.database.watch = watch
        with _answers_of(self.page_size):
            try:
                yield
            finally:
                self.database.watch = None
                self._disarm()
        if self._violation is not None:
            raise self._violation
        self.reader.check(before)

    def _fork_run(self, mode: Mode, beat: int, sent: bool) -> tuple[int, int]:
        """Start a run in a process of its own that kills itself (see `_fork`)."""
        self.truth.note_run()
        return self._fork(lambda acme: acme.sync(mode), beat, sent)

    def _fork(self, work: Callable[[Harness], object], beat: int, sent: bool) -> tuple[int, int]:
        """Start a process that kills itself at work; returns its id and where it says what went wrong."""
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            die_at(beat, sent)
            self._be_child(work, writing)
        os.close(writing)
        return child, reading

    def _be_child(self, work: Callable[[Harness], object], writing: int) -> NoReturn:
        code = 0
        try:
            end_if_it_hangs()
            database = Database(self.database.settings)
            work(self.acme.at(database=database))
        except BaseException as error:
            if not (self.armed and isinstance(error, SourceError | EmbeddingFailed)):
                os.write(writing, traceback.format_exc().encode()[-30_000:])
                code = 1
        finally:
            # No exit handlers: the parent's connections, threads and leases are not this process's to close.
            os._exit(code)

    def _reap(self, child: tuple[int, int]) -> None:
        process, reading = child
        with os.fdopen(reading, "rb") as pipe:
            said = pipe.read().decode()
        _, status = os.waitpid(process, 0)
        assert not said, f"a run in a process of its own failed:\n{said}"
        killed = os.WIFSIGNALED(status)
        assert killed or os.WEXITSTATUS(status) == 0
        self.tally.runs["killed" if killed else "not killed in time"] += 1

    def _take_turn(self, acme: Harness | None = None) -> None:
        """What a look does for the sweep, as if enough time had passed since the last one."""
        acme = acme or self.acme
        with acme.database.connection() as connection:
            connection.execute("UPDATE source_sweep SET next_at = now() WHERE workspace_id = %s", [self.workspace_id])
            connection.execute("UPDATE source_limit SET sweep_at = NULL")
            workspace = workspaces.find(connection, acme.slug)
        source = acme.source()
        try:
            sweeps.take_turn(acme.database, workspace, source)
        except SourceError:
            if not self.armed:
                raise
        finally:
            source.close()

    def _sweep_to_its_end(self) -> bool:
        """A sweep that begins now and that nothing disturbs; False: it proved nothing."""
        self.acme.rows("UPDATE source_sweep SET began_at = NULL WHERE workspace_id = %s RETURNING 1", self.workspace_id)
        with self._watched():
            for _ in range(50):
                self._take_turn()
                state = self.acme.rows(
                    "SELECT began_at, problem FROM source_sweep WHERE workspace_id = %s", self.workspace_id
                )
                if state == [] or state[0][0] is None:
                    return state == [] or state[0][1] is None
        raise AssertionError(f"a sweep does not end: {state}")

    def _unlisted(self) -> set[str]:
        """Pages that sweeps leave to the audit: two did not show them while they were there."""
        rows = self.acme.rows(
            "SELECT external_id FROM unlisted_page WHERE workspace_id = %s AND sweeps >= 2", self.workspace_id
        )
        return {page for (page,) in rows}

    # --- inside: convergence ---

    def _calm(self) -> None:
        """Let the faults end, no edit minute be open, and the pauses of quarantined pages be over."""
        self._disarm()
        for page in self._untold():
            if page.id in self.world.nodes:
                self.world.delete_forever(page.id)
        self.truth.note()
        self.world.clock.advance(QUIET_SECONDS)
        given_up = self.acme.rows(
            "UPDATE source_page SET next_attempt_at = CASE WHEN next_attempt_at IS NOT NULL THEN now() END "
            "WHERE workspace_id = %s AND state = 'quarantined' RETURNING external_id, next_attempt_at",
            self.workspace_id,
        )
        for page, following in given_up:
            if following is None and page in self.world.nodes:
                self.world.edit_page(page)  # after nine failures only an edit brings a page back
                self.world.clock.advance(QUIET_SECONDS)

    def _is_quick(self) -> bool:
        return self.stirred > 0 and self.is_ordinary and not self._untold()

    def _converge_quickly(self) -> None:
        self._calm()
        self._good_run(Mode.INCREMENTAL)
        self._compare()
        self.tally.convergences["quick"] += 1

    def _converge(self) -> None:
        self._calm()
        self._good_run(Mode.INCREMENTAL)
        self._good_run(Mode.AUDIT)
        self._good_run(Mode.AUDIT)
        self._compare()
        self.is_ordinary = True
        self.tally.convergences["full"] += 1

    def _compare(self) -> None:
        """The index equals the world, equals a fresh one, and has come to rest."""
        self.acme.assert_matches_world()
        slug = f"{self.acme.slug}-{next(_numbers)}"
        fresh = HastyHarness.register(self.database, self.world, self.server, slug)
        fresh.open_embedder = HashEmbedder
        try:
            with _answers_of(self.page_size):
                fresh.sync(Mode.FULL)
            self._same(self.reader.look(), self.reader.look(slug))
        finally:
            registration.remove(self.database, slug, lambda _: None)
        self._rests()

    def _rests(self, is_first: bool = True) -> None:
        """Nothing happened, so a sync costs two requests. Before that, once: a look at each page that left the trash
        and is still not there, and an answer of the trash more for each that shows what no sync has heard of.
        """
        written, answers = self._written(), self._trash_to_read()
        assert is_first or answers == 1, "a sync has read of the trash what is new in it, and has not learned it"
        report = self._good_run(Mode.INCREMENTAL)
        asked = [request for request in self.server.requests if not (is_first and _LOOK.fullmatch(request.path))]
        assert len(asked) == 1 + answers, f"{answers} answers of the trash are new, and it took {self.server.requests}"
        assert report["embeddings"] == {"computed": 0, "reused": 0, "tokens": 0, "cost": 0.0}
        assert report["chunks"] == {"published": 0, "retired": 0}
        assert not report.get("waiting_removals")
        assert self._written() == written, "nothing happened, and content was written"
        if is_first and len(self.server.requests) > 2:
            self._rests(is_first=False)

    def _trash_to_read(self) -> int:
        """How many answers of the trash a sync has to read: up to the first in which nothing is that the ledger takes
        to be there. What is trashed by itself below something in the trash is in no listing of an audit's; it is heard
        of when it comes into an answer that is read.
        """
        rows = self.acme.rows(
            "SELECT external_id FROM source_page WHERE workspace_id = %s "
            "AND CASE WHEN is_container THEN NOT in_trash ELSE state <> 'tombstoned' END",
            self.workspace_id,
        )
        there = {external_id for (external_id,) in rows}
        trash = [entry for entry in self.world.search_index.entries() if entry.in_trash]
        trash.sort(key=lambda entry: entry.node.id)
        trash.sort(key=lambda entry: entry.edited.replace(second=0, microsecond=0), reverse=True)
        is_news = [entry.node.id in there for entry in trash]
        answers = [any(is_news[at : at + self.page_size]) for at in range(0, len(trash), self.page_size)]
        return next((number for number, has_news in enumerate(answers, 1) if not has_news), max(1, len(answers)))

    def _written(self) -> list[tuple[Any, ...]]:
        return self.acme.rows(
            "SELECT count(*), max(c.xmin::text::bigint) FROM document_content c JOIN document d USING (document_id) "
            "WHERE d.workspace_id = %s",
            self.workspace_id,
        )

    def _same(self, held: dict[str, Published], fresh: dict[str, Published]) -> None:
        assert held.keys() == fresh.keys()
        for page in held:
            ours, theirs = held[page].chunks, fresh[page].chunks
            if ours == theirs:
                continue
            # A page shows the titles of the pages on it, and its time does not change when those do. Where they
            # differ the cuts between chunks may differ too: then each line has to be the same, in order.
            known, shown = self._lines(ours), self._lines(theirs)
            if not any(map(self._names_database, shown)):
                # The database of this row is not shared any more; whoever saw it before knows its title still.
                known = [line for line in known if not self._names_database(line)]
            assert known == shown, f"page {page}: {ours} is not {theirs}"
            self.tally.stale_labels += 1

    def _names_database(self, line: str) -> bool:
        return line.removeprefix("Database: ") in self.writer.titles

    def _lines(self, chunks: Sequence[tuple[str, tuple[str, ...]]]) -> list[str]:
        lines = "\n".join(text for text, _ in chunks).split("\n")
        return [line for line in lines if line.strip() and line.strip() not in self.writer.titles]


# --- running it ------------------------------------------------------------------------------------


def run_histories(
    database: WatchedDatabase, tally: Tally, histories: int, steps: int, seed: int | None = None
) -> list[str] | None:
    """Let the machine live so many times, for so many steps each; without a seed always the same.

    Returns None when all is well, otherwise how it ended: the shortest steps there, and the error.
    """
    machine = type("WorldMachine", (WorldMachine,), {"database": database, "tally": tally, "failed": []})
    settings = hypothesis.settings(
        max_examples=histories,
        stateful_step_count=steps,
        deadline=None,
        derandomize=seed is None,
        database=None,
        # Steps can be left out without making the others meaningless: that is quicker than shrinking numbers.
        phases=[hypothesis.Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    try:
        with in_haste(), followed_in_turns():
            run_state_machine_as_test(machine if seed is None else hypothesis.seed(seed)(machine), settings=settings)
    except Exception as error:
        with in_haste(), followed_in_turns():
            taken, error = _shortest(machine, machine.failed, error)
        return [
            *(f"{name}({_shown(arguments)})" for name, arguments in taken),
            *traceback.format_exception(error, chain=False),
        ]
    return None


def _shortest(machine: type[WorldMachine], taken: list[Step], error: Exception) -> tuple[list[Step], Exception]:
    """Leave out steps, many and then few, as long as the rest still fails so, and no longer than five minutes."""
    deadline = time.monotonic() + 300
    machine.tally = Tally()  # what is tried here is no step of the run
    place = _place(error)
    size = len(taken) // 2
    while size >= 1 and time.monotonic() < deadline:
        at = len(taken) - size
        while at > -size and time.monotonic() < deadline:
            fewer = taken[: max(at, 1)] + taken[max(at, 1) + size :]
            if len(fewer) < len(taken) and (failure := replay(machine, fewer)) and _place(failure) == place:
                taken, error = fewer, failure
            at -= size
        size //= 2
    return taken, error


def _place(error: Exception) -> tuple[str, int | None]:
    """Where it went wrong: another failure is another story."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return last.filename, last.lineno


def replay(machine: type[WorldMachine], steps: Sequence[Step]) -> Exception | None:
    """Take these steps; returns what went wrong."""
    taking = machine()
    try:
        try:
            for name, arguments in steps:
                getattr(taking, name)(**arguments)
        finally:
            taking.teardown()
    except Exception as error:
        return error
    return None


def _shown(arguments: dict[str, Any]) -> str:
    return ", ".join(
        f"{name}={str(value) if isinstance(value, Mode) else value!r}" for name, value in arguments.items()
    )


@contextmanager
def _answers_of(results: int) -> Iterator[None]:
    """Let listings come in answers of so many results."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("arcana_pipelines.sources.notion.source.PAGE_SIZE", results)
        yield


def die_at(beat: int, sent: bool) -> None:
    """Let this process be killed at its `beat`th word with PostgreSQL: before it is sent, or right after."""
    wait, count = psycopg.Connection.wait, 0

    def counted(connection: Any, generator: Any, *arguments: Any, **options: Any) -> Any:
        nonlocal count
        count += 1
        if count == beat:
            if sent:
                next(generator, None)
            os.kill(os.getpid(), signal.SIGKILL)
        return wait(connection, generator, *arguments, **options)

    psycopg.Connection.wait = counted  # type: ignore[method-assign]
