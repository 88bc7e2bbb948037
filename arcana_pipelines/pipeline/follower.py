"""What makes pages searchable while others are still being read: a process of its own, of the same run.

`pipeline.follow` starts it, and says on its standard input in one line of JSON for what: settings, workspace and
run, and of which trace. It tells on its standard output what each slice did, a line of JSON each. A line `more is read`
says that pages wait for it, or what the other process has staged. After the line `all is read` that one works at what
is left as well, and after the line `all is staged` it does not any more: then this one goes on until nothing is left,
and ends. When its input ends, whoever started it is gone, and it ends at once.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from dataclasses import asdict, dataclass
from io import FileIO
from uuid import UUID

from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.embedding.prices import PricingPolicy
from arcana_pipelines.errors import ArcanaError
from arcana_pipelines.indexes.builds import live_builds
from arcana_pipelines.ledger.generations import Generation
from arcana_pipelines.observing import traces
from arcana_pipelines.observing.traces import span
from arcana_pipelines.pipeline.chunk_embeddings.missing import embed_missing
from arcana_pipelines.pipeline.document_chunks import is_staged, unstage_outdated
from arcana_pipelines.pipeline.document_content import place_documents, process_slice
from arcana_pipelines.pipeline.rag_indexes import publish
from arcana_pipelines.pipeline.session import Session, workspace_session
from arcana_pipelines.pipeline.targets import deliver_all
from arcana_pipelines.settings import Settings

# Putting documents in place looks at all of them: no more than this share of the time goes into that. Those that were
# made since stand right below the workspace until then.
PLACING = 1 / 20
# Pages of the first slice. A larger one costs less a page, and its pages wait longer until they are found: the next one
# is larger or smaller, so that each takes some seconds.
SLICE = 10
LARGEST_SLICE = 200
SLICE_SECONDS = 10.0
LOOK_SECONDS = 1.0
DELIVER_SECONDS = 15.0
MORE_IS_READ = "more is read\n"
ALL_IS_READ = "all is read\n"
ALL_IS_STAGED = "all is staged\n"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Slice:
    """What one slice did.

    Attributes:
        pages: those that can be found now.
        chunks: those that became searchable.
        embedded: texts whose embedding was computed, passages included.
    """

    pages: int = 0
    chunks: int = 0
    embedded: int = 0

    def __add__(self, more: Slice) -> Slice:
        """What both did."""
        return Slice(self.pages + more.pages, self.chunks + more.chunks, self.embedded + more.embedded)


class Placing:
    """When documents are put in place."""

    def __init__(self) -> None:
        self._again_at = 0.0

    def place(self, connection: Connection, generation: Generation) -> None:
        """Put them in place, if that was long enough ago for what it takes."""
        if (began := time.monotonic()) >= self._again_at:
            place_documents(connection, generation)
            ended = time.monotonic()
            self._again_at = ended + (ended - began) / PLACING


def index_slice(session: Session, limit: int, placing: Placing | None = None, *, is_end: bool = False) -> Slice:
    """Take at most `limit` pages that the generation has read through all stages; nothing where none wait.

    What another process has staged is embedded and published with them. `is_end`: see `process_slice`.

    Raises:
        ArcanaError: see the stages. What they have committed is kept, and the stages of the run go on from there.
    """
    connection, generation, began = session.connection, session.generation, time.time_ns()
    did = process_slice(connection, generation, limit, is_end=is_end)
    if did.processed:
        (placing or Placing()).place(connection, generation)
    builds = live_builds(connection, generation.workspace_id)
    if not did.processed and not is_staged(connection, builds):
        return Slice()
    for build in builds:
        unstage_outdated(connection, build)
    embedded = embed_missing(
        connection,
        generation,
        session.open_embedder,
        session.settings.batch_size,
        PricingPolicy.of(session.settings),
    )
    published = publish(connection, generation, gate=session.gate, finishes=False)
    done = Slice(
        did.processed - did.versions + published.documents, published.published, embedded.computed + embedded.passages
    )
    if done.pages:
        with span("index a slice", since=began, pages=done.pages) as say:
            say(chunks=done.chunks, texts=done.embedded)
    return done


def next_limit(limit: int, pages: int, seconds: float, before: tuple[int, float] = (0, 0.0)) -> int:
    """How many pages the next slice has at most, after one of so many that took so long, and after that `before` it."""
    if seconds > SLICE_SECONDS:
        # Fewer took as long: it is not the pages that take long, and a few at a time would take for ever.
        is_vain = pages < before[0] and seconds > before[1] * 3 / 4
        return min(4 * limit, LARGEST_SLICE) if is_vain else max(1, limit // 2)
    return min(4 * limit, LARGEST_SLICE) if pages == limit and seconds < SLICE_SECONDS / 3 else limit


def main() -> int:
    """Follow until there is nothing left to follow; 1 when that failed, which the last line tells."""
    # Not sys.stdin: a process cannot end in order while a thread waits for what is buffered.
    lines = open(0, "rb", buffering=0, closefd=False)  # noqa: SIM115
    # What a plug-in prints is no line of ours.
    tell = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    told = json.loads(lines.readline())
    heard = Heard()
    threading.Thread(target=_listen, args=(lines, heard), daemon=True).start()
    database = Database(Settings(**told["settings"]))
    try:
        traces.start_if_asked("follower")
        with (
            workspace_session(database, told["workspace"], run=told["run"]) as session,
            span("follow the reading", caller=told["trace"]),
        ):
            threading.Thread(target=_deliver, args=(database, session.workspace.workspace_id), daemon=True).start()
            placing, limit, before, is_last = Placing(), SLICE, (0, 0.0), False
            while not is_last:
                heard.news.clear()
                began, was_staged = time.monotonic(), heard.all_is_staged.is_set()
                did = index_slice(session, limit, placing, is_end=heard.all_is_read.is_set())
                if did.pages:
                    print(json.dumps(asdict(did)), file=tell, flush=True)
                    seconds = time.monotonic() - began
                    limit, before = next_limit(limit, did.pages, seconds, before), (did.pages, seconds)
                elif not (is_last := was_staged):
                    heard.news.wait(LOOK_SECONDS)
    except ArcanaError as error:
        print(json.dumps({"failed": str(error)}), file=tell, flush=True)
        return 1
    except Exception as error:  # the edge of the process: the stages of the run go on from what is committed
        print(json.dumps({"failed": f"{type(error).__name__}: {error}"}), file=tell, flush=True)
        return 1
    finally:
        database.close()
        traces.end()
    return 0


def _deliver(database: Database, workspace_id: UUID) -> None:
    """Tell the workspace's targets what is published, for as long as the process lives: indexing does not wait for it.

    What is left then the run's last stage delivers.
    """
    while True:
        try:
            deliver_all(database, workspace_id, DELIVER_SECONDS, waits=False)
        except ArcanaError as error:
            log.warning("targets are told what was published when all is read: %s", error)
            return
        time.sleep(LOOK_SECONDS)


class Heard:
    """What the process that reads has said.

    Attributes:
        news: it has said something.
        all_is_read: no page comes any more.
        all_is_staged: nor does it stage any.
    """

    def __init__(self) -> None:
        self.news = threading.Event()
        self.all_is_read = threading.Event()
        self.all_is_staged = threading.Event()

    def listen(self, lines: FileIO) -> None:
        """Set the events as the lines say, until they end."""
        while line := lines.readline():
            if line == ALL_IS_READ.encode():
                self.all_is_read.set()
            elif line == ALL_IS_STAGED.encode():
                self.all_is_staged.set()
            self.news.set()


def _listen(lines: FileIO, heard: Heard) -> None:
    heard.listen(lines)
    # Nobody is there whom an error would reach. What is not committed PostgreSQL takes back.
    os._exit(1)
