"""A model-based test: random edits and publishes, random deliveries and faults; targets stay true to PostgreSQL.

`TargetMachine` edits a small workspace and syncs it, makes, promotes, rolls back and drops builds, and delivers to its
targets well and badly: the store is down, wiped, changed by others, or refuses a document; who delivers is killed or
stopped at a chosen word to the store or to the database, and overtaken; targets are paused, dropped and added.

After every step a target that nobody else has changed holds, of each document that does not wait, what is published
and nothing else: it is never silently behind. From time to time, and at the end, faults stop; then one delivery makes
every target equal to PostgreSQL, live and at rest. Both are seen without the code that compares targets (`truth.py`).
"""

from __future__ import annotations

import functools
import itertools
import os
import shutil
import signal
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

import hypothesis
import psycopg
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from arcana_pipelines.db.engine import Database
from arcana_pipelines.errors import ArcanaError, CollectionMissing, RowsRefused, TargetUnreachable
from arcana_pipelines.indexes import lifecycle
from arcana_pipelines.indexes.builds import Build, builds_of
from arcana_pipelines.indexes.targets.delivery import Delivery, deliver, has_work, verify_target
from arcana_pipelines.indexes.targets.protocol import Changes
from arcana_pipelines.indexes.targets.registry import location_of, open_store
from arcana_pipelines.indexes.targets.targets import Target, add_target, drop_target, pause, targets_of
from arcana_pipelines.indexes.targets.unwanted import drop_unwanted, due_places
from arcana_pipelines.pipeline import registration
from arcana_pipelines.pipeline.targets import TargetsReport
from arcana_pipelines.testing.notion_server import NotionServer, NotionWorld, serve
from arcana_pipelines.testing.notion_server.model.objects import Page
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.pipeline.world_machine import (
    HashEmbedder,
    HastyHarness,
    WatchedDatabase,
    Writer,
    die_at,
    end_if_it_hangs,
    in_haste,
)
from arcana_pipelines_tests.targets.truth import differences, watched_stores

MOST_PAGES = 10
# Kinds that are in a file or a directory of their own, without `--location`.
EMBEDDED = ("sqlite", "chroma", "qdrant", "milvus")
# Stores that another process may open while one that stands still has them open.
SHARED = ("sqlite",)
# Stores whose library still works in a process that was forked.
FORKED = ("sqlite", "qdrant")
_numbers = itertools.count()

PICK = st.integers(0, 1000)
STYLE = st.integers(0, 11)
# Words to a store: the first is as likely as the rest.
AT = st.sampled_from([1, 1, 2, 2, 3, 4, 5, 6, 8])


class Tally(Counter[str]):
    """What a number of machines did together, by the names of steps; and what they saw."""

    @property
    def steps(self) -> int:
        """Steps so far."""
        return sum(number for name, number in self.items() if not name.startswith("saw "))


def step(when: Callable[[Any], bool] = lambda machine: True, **strategies: Any) -> Callable[[Any], Any]:
    """A rule that writes itself down, and after which every target is looked at."""

    def decorate(function: Callable[..., None]) -> Any:
        @functools.wraps(function)
        def taken(machine: TargetMachine, **arguments: Any) -> None:
            machine.steps.append(f"{function.__name__}({', '.join(f'{k}={v!r}' for k, v in arguments.items())})")
            function(machine, **arguments)
            machine.tally[function.__name__] += 1
            machine.look()

        return precondition(when)(rule(**strategies)(taken))

    return decorate


class TargetMachine(RuleBasedStateMachine):
    """See the module."""

    database: ClassVar[WatchedDatabase]
    kinds: ClassVar[Sequence[str]]
    tally: ClassVar[Tally]
    failed: ClassVar[list[str]] = []
    """The steps of the first machine that failed."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[str] = []
        self.world = NotionWorld()
        self.server: NotionServer = serve(self.world)
        self.writer = Writer()
        for style in range(4):
            self.world.add_page(self.writer.title(style), blocks=self.writer.body(style))
        self.acme = HastyHarness.register(self.database, self.world, self.server, f"targets-{next(_numbers)}")
        assert isinstance(self.acme, HastyHarness)
        self.acme.open_embedder = HashEmbedder
        with self.database.connection() as connection:
            workspace = workspaces.find(connection, self.acme.slug)
        self.workspace_id, self.directory = workspace.workspace_id, Path(workspace.storage_path)
        # Targets that somebody else has changed, and processes that stand still in the middle of a word to a store.
        self.damaged: set[UUID] = set()
        self.stopped: list[int] = []
        for kind in self.kinds:
            self._add(kind)
        self._sync()

    def teardown(self) -> None:
        try:
            if not self.failed:
                self._converge()
        except Exception:
            type(self).failed = type(self).failed or self.steps
            raise
        finally:
            self._go_on()
            self.server.close()
            registration.remove(self.database, self.acme.slug, lambda _: None)

    def look(self) -> None:
        """What does not wait is as it is published, in every target that nobody else has changed."""
        try:
            for target in self._targets():
                if target.index_target_id not in self.damaged:
                    found = differences(self.database, target, at_rest=False)
                    assert not found, f"{target.kind} is silently behind: {found[:9]}"
                    self.tally["saw a target"] += 1
        except Exception:
            type(self).failed = type(self).failed or self.steps
            raise

    # --- what is published ---

    @step(page=PICK, style=STYLE)
    def edit(self, page: int, style: int) -> None:
        if target := self._pick(self._pages(), page):
            self.world.edit_page(target.id, self.writer.body(style))
        self._sync()

    @step(page=PICK, style=STYLE)
    def change_a_word(self, page: int, style: int) -> None:
        for block in self.world.nodes.values():
            if getattr(block, "payload", {}).get("rich_text") and not block.in_trash and page % 3:
                self.world.set_block_text(block.id, self.writer.sentence(style))
                break
        self._sync()

    @step(lambda self: len(self.world.nodes) < 400, style=STYLE)
    def create(self, style: int) -> None:
        if len(self._pages()) < MOST_PAGES:
            self.world.add_page(self.writer.title(style), blocks=self.writer.body(style))
        self._sync()

    @step(page=PICK)
    def trash(self, page: int) -> None:
        if target := self._pick(self._pages(), page):
            self.world.trash(target.id)
        self._sync()

    @step(page=PICK)
    def restore(self, page: int) -> None:
        trashed = [node for node in self.world.nodes.values() if isinstance(node, Page) and node.in_trash]
        if target := self._pick(trashed, page):
            self.world.restore(target.id)
        self._sync()

    @step()
    def forget(self) -> None:
        """What is retired and removed is purged, whatever still waits."""
        for table, column in (
            ("chunk", "deleted_at"),
            ("retired_document", "retired_at"),
            ("source_page", "removed_at"),
        ):
            self.acme.rows(f"UPDATE {table} SET {column} = {column} - interval '90 days' RETURNING 1")
        self._sync()

    # --- builds ---

    @step(promote=st.booleans(), fills=st.booleans())
    def rebuild(self, promote: bool, fills: bool) -> None:
        with suppress(ArcanaError), self.database.connection() as connection:
            lifecycle.rebuild_index(connection, self.workspace_id, "default", promote=promote)
        if fills:
            self.acme.fill()

    @step()
    def promote(self) -> None:
        with suppress(ArcanaError), self.database.connection() as connection:
            lifecycle.promote(connection, self.workspace_id, "default")

    @step()
    def roll_back(self) -> None:
        with suppress(ArcanaError), self.database.connection() as connection:
            lifecycle.roll_back(connection, self.workspace_id, "default")

    @step(build=PICK)
    def drop_build(self, build: int) -> None:
        unwanted = [each for each in self._builds() if each.state != "active"]
        if chosen := self._pick(unwanted, build):
            with self.database.connection() as connection:
                number = chosen.rag_index_build_id
                lifecycle.drop_one_build(self.database, connection, self.workspace_id, "default", number)

    # --- deliveries ---

    @step(which=PICK)
    def deliver(self, which: int) -> None:
        if chosen := self._pick(self._targets(), which):
            self._delivered(chosen)

    @step(which=PICK)
    def deliver_again(self, which: int) -> None:
        if chosen := self._pick(self._targets(), which):
            self._delivered(chosen)

    @step(which=PICK, at=AT, times=st.sampled_from([1, 2, 50]), is_after=st.booleans())
    def fail(self, which: int, at: int, times: int, is_after: bool) -> None:
        """The store is down from a word on; the one it has heard, perhaps."""
        count = 0

        def word(*_: Any) -> None:
            nonlocal count
            count += 1
            if at <= count < at + times:
                raise TargetUnreachable("it is down on purpose")

        if chosen := self._pick(self._targets(), which):
            with watched_stores(**{"after" if is_after else "before": word}):
                done = self._deliver(chosen)
                assert done.error in (None, "it is down on purpose"), done.error

    @step(which=PICK, at=AT, is_after=st.booleans())
    def kill(self, which: int, at: int, is_after: bool) -> None:
        """Who delivers is killed at a word to the store: before it is said, or right after."""
        if chosen := self._pick([each for each in self._targets() if each.kind in FORKED], which):
            _, status = os.waitpid(self._child(chosen, at, is_after, signal.SIGKILL), 0)
            self._saw_end(status)

    @step(which=PICK, beat=st.integers(1, 60), sent=st.booleans())
    def kill_at_the_database(self, which: int, beat: int, sent: bool) -> None:
        """Who delivers is killed when it uses the database for the `beat`th time."""
        if chosen := self._pick([each for each in self._targets() if each.kind in FORKED], which):
            process = os.fork()
            if process == 0:
                die_at(beat, sent)
                self._be_child(chosen)
            _, status = os.waitpid(process, 0)
            self._saw_end(status)

    @step(which=PICK, at=AT, is_after=st.booleans())
    def stop(self, which: int, at: int, is_after: bool) -> None:
        """Who delivers stands still at a word to the store, and its connection to the database ends."""
        chosen = self._pick([each for each in self._targets() if each.kind in SHARED], which)
        if chosen is None or self.stopped:
            return
        process = self._child(chosen, at, is_after, signal.SIGSTOP)
        _, status = os.waitpid(process, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            self._saw_end(status)
            return
        self.stopped.append(process)
        with self.acme.superuser() as superuser:
            superuser.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'arcana' "
                "AND datname = current_database() AND pid = ANY(SELECT pid FROM pg_locks WHERE locktype = 'advisory')"
            )

    @step(lambda self: bool(self.stopped))
    def go_on(self) -> None:
        """It goes on, and says the word that it was about to say."""
        self._go_on()

    @step(which=PICK, style=STYLE)
    def deliver_beside_a_publish(self, which: int, style: int) -> None:
        """Two deliver, and one publishes, at once."""
        if not (chosen := self._pick(self._targets(), which)):
            return
        failures: list[BaseException] = []

        def run(work: Callable[[], Any]) -> None:
            try:
                work()
            except BaseException as error:
                failures.append(error)

        if page := self._pick(self._pages(), style):
            self.world.edit_page(page.id, self.writer.body(style))
        works = [lambda: self._deliver(chosen), lambda: self._deliver(chosen), lambda: self._sync()]
        threads = [threading.Thread(target=run, args=[work]) for work in works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]

    @step(which=PICK, chunk=PICK)
    def refuse(self, which: int, chunk: int) -> None:
        """The store takes any document but some, until it is asked again."""

        def word(name: str, arguments: tuple[Any, ...]) -> None:
            if name == "apply" and any(row.chunk_id % 3 == chunk % 3 for row in arguments[1].rows):
                raise RowsRefused("not such a chunk, on purpose")

        if chosen := self._pick(self._targets(), which):
            with watched_stores(word):
                for _ in range(1 + chunk % 6):
                    assert self._deliver(chosen).error is None

    # --- targets ---

    @step(which=PICK)
    def pause(self, which: int) -> None:
        if chosen := self._pick(self._targets(), which):
            with self.database.connection() as connection:
                pause(connection, chosen, not chosen.is_paused)

    @step(lambda self: not self.stopped, which=PICK)
    def drop_and_add(self, which: int) -> None:
        if chosen := self._pick(self._targets(), which):
            with self.database.connection() as connection:
                drop_target(connection, chosen)
            self._add(chosen.kind)

    @step(lambda self: not self.stopped)
    def drop_unwanted(self) -> None:
        with self.database.connection() as connection:
            places = due_places(connection)
        for place in places:
            drop_unwanted(self.database, place)

    @step(which=PICK)
    def verify(self, which: int) -> None:
        if (chosen := self._pick(self._targets(), which)) and not chosen.is_paused:
            verify_target(self.database, chosen)
            if not self._unverified_builds(chosen):
                self.damaged.discard(chosen.index_target_id)

    # --- what others do to a store ---

    @step(lambda self: not self.stopped, which=PICK)
    def wipe(self, which: int) -> None:
        if chosen := self._pick(self._targets(), which):
            place = Path(chosen.location)
            for each in place.parent.glob(f"{place.name}*"):
                shutil.rmtree(each) if each.is_dir() else each.unlink()
            self.damaged.add(chosen.index_target_id)

    @step(which=PICK, share=st.integers(1, 4))
    def lose_rows(self, which: int, share: int) -> None:
        """Some of the rows go, and nobody says so."""
        if chosen := self._pick(self._targets(), which):
            with open_store(self.database.settings, chosen.kind, chosen.location) as store:
                for (collection,) in self._collections(chosen):
                    with suppress(CollectionMissing):
                        there = [row.chunk_id for batch in store.scan(collection) for row in batch]
                        store.apply(collection, Changes(gone=[chunk for chunk in there if chunk % share == 0]))
            self.damaged.add(chosen.index_target_id)

    @step(which=PICK)
    def lose_a_collection(self, which: int) -> None:
        if chosen := self._pick(self._targets(), which):
            with open_store(self.database.settings, chosen.kind, chosen.location) as store:
                for (collection,) in self._collections(chosen)[:1]:
                    store.drop(collection)
            self.damaged.add(chosen.index_target_id)

    # --- convergence ---

    @step(lambda self: len(self.steps) % 7 == 0)
    def converge(self) -> None:
        self._converge()

    def _converge(self) -> None:
        """Faults end; then one delivery makes every target equal. Of what others changed a comparison tells first."""
        self._go_on()
        self.tally["saw a convergence"] += 1
        for target in self._targets():
            with self.database.connection() as connection:
                pause(connection, target, False)
                connection.execute("UPDATE sync_operations SET parked_reason = NULL")
        self._sync()
        for target in self._targets():
            assert (error := self._deliver(target).error) is None, error
            if target.index_target_id in self.damaged:
                verify_target(self.database, target)
                self._mend_others(target)
                self.damaged.discard(target.index_target_id)
            self._assert_equal(target)

    def _mend_others(self, target: Target) -> None:
        """Builds that do not serve are compared when they come to serve; here they are told anew."""
        with self.database.connection() as connection:
            connection.execute(
                "DELETE FROM target_collection c USING rag_indexes i WHERE i.workspace_id = %s "
                "AND c.index_target_id = %s AND c.rag_index_build_id <> i.active_build_id",
                [self.workspace_id, target.index_target_id],
            )
        assert self._deliver(target).error is None

    def _assert_equal(self, target: Target) -> None:
        """Equal to PostgreSQL by an independent look and by our own; live; and at rest."""
        found = differences(self.database, target)
        assert not found, f"{target.kind} differs after convergence: {found[:9]}"
        (target,) = (each for each in self._targets() if each.name == target.name)
        state = (target.state, target.waiting, target.parked, target.last_error)
        assert state == ("live", 0, 0, None), f"{target.kind} is {state}"
        assert target.serving_build_id == target.active_build_id
        words: list[str] = []
        with watched_stores(lambda name, arguments: words.append(name)):
            assert self._deliver(target).documents == 0 and words == [], f"nothing waited, and it was told {words}"
        with self.database.connection() as connection:
            assert not has_work(connection, target)
        parity = verify_target(self.database, target).parity
        assert parity is not None and parity.is_equal, parity
        assert parity.count == parity.listed == parity.published == target.vector_count
        self.tally["saw a target equal"] += 1

    # --- inside ---

    def _add(self, kind: str) -> None:
        with self.database.connection() as connection:
            number = next(_numbers)
            place = location_of(self.database.settings, kind, self.directory, None, f"{kind}-{number}")
            add_target(connection, self.workspace_id, kind, place, f"{kind}-{number}")

    def _targets(self) -> list[Target]:
        with self.database.connection() as connection:
            return targets_of(connection, self.workspace_id)

    def _builds(self) -> list[Build]:
        with self.database.connection() as connection:
            return builds_of(connection, self.workspace_id)

    def _collections(self, target: Target) -> list[tuple[str]]:
        chosen = "SELECT collection FROM target_collection WHERE index_target_id = %s ORDER BY 1"
        return self.acme.rows(chosen, target.index_target_id)  # type: ignore[return-value]

    def _unverified_builds(self, target: Target) -> list[Build]:
        """Builds beside the one that serves, which a comparison leaves out."""
        others = "SELECT rag_index_build_id FROM target_collection WHERE index_target_id = %s"
        held = {build for (build,) in self.acme.rows(others, target.index_target_id)}
        return [each for each in self._builds() if each.state != "active" and each.rag_index_build_id in held]

    def _pages(self) -> list[Page]:
        return [node for node in self.world.nodes.values() if isinstance(node, Page) and not node.in_trash]

    def _pick(self, choices: Sequence[Any], number: int) -> Any:
        return choices[number % len(choices)] if choices else None

    def _sync(self) -> None:
        """Publish what was done; targets hear of it later."""
        self.world.clock.advance(700)
        self.acme.sync()

    def _delivered(self, target: Target) -> None:
        """A delivery that nothing disturbs; what somebody else changed may take a comparison to find."""
        done = self._deliver(target)
        assert done.error is None, done.error
        assert target.is_paused or not done.waiting

    def _deliver(self, target: Target) -> Delivery:
        (fresh,) = (each for each in self._targets() if each.name == target.name)
        return deliver(self.database, fresh, seconds=60)

    def _child(self, target: Target, at: int, is_after: bool, how: signal.Signals) -> int:
        """A process that delivers, and does this to itself at its `at`th word to the store."""
        process = os.fork()
        if process == 0:
            count = 0

            def word(*_: Any) -> None:
                nonlocal count
                count += 1
                if count == at:
                    os.kill(os.getpid(), how)

            with watched_stores(**{"after" if is_after else "before": word}):
                self._be_child(target)
        return process

    def _be_child(self, target: Target) -> None:
        code = 0
        try:
            end_if_it_hangs()
            deliver(Database(self.database.settings), target, seconds=60)
        except (ArcanaError, psycopg.OperationalError):  # its connection was ended
            code = 3
        except BaseException:
            traceback.print_exc()
            code = 1
        finally:
            os._exit(code)

    def _go_on(self) -> None:
        for process in self.stopped:
            os.kill(process, signal.SIGCONT)
            _, status = os.waitpid(process, 0)
            self._saw_end(status)
        self.stopped.clear()

    def _saw_end(self, status: int) -> None:
        killed = os.WIFSIGNALED(status)
        assert killed or os.WEXITSTATUS(status) in (0, 3), "a delivery in a process of its own failed"
        self.tally["saw a process killed" if killed else "saw a process end"] += 1


def run_histories(
    database: WatchedDatabase, kinds: Sequence[str], tally: Tally, histories: int, steps: int, seed: int | None = None
) -> list[str] | None:
    """Let the machine live so many times, for so many steps each; without a seed always the same.

    Returns None when all is well, otherwise the steps that were taken, and the error.
    """
    machine = type(
        "TargetMachine", (TargetMachine,), {"database": database, "kinds": kinds, "tally": tally, "failed": []}
    )
    settings = hypothesis.settings(
        max_examples=histories,
        stateful_step_count=steps,
        deadline=None,
        derandomize=seed is None,
        database=None,
        phases=[hypothesis.Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    try:
        with in_haste(), pytest.MonkeyPatch.context() as patch:
            patch.setattr("arcana_pipelines.pipeline.sync.deliver_all", lambda *_, **__: TargetsReport([], []))
            run_state_machine_as_test(machine if seed is None else hypothesis.seed(seed)(machine), settings=settings)
    except Exception as error:
        return [*machine.failed, *traceback.format_exception(error, chain=False)]
    return None
