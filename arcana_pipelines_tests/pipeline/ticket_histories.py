"""Random histories of a help desk: people work in it, its API fails, syncs are killed and gone on with.

`TicketHistory` takes random steps of one seed. After every run nothing has left the index that is still there, and
nothing that only agents see stands in what customers see. From time to time it lets the faults stop and syncs as often
as removals need. Then the index holds what the stand-in's oracle says, the tables of tickets hold it too, the ledger is
balanced, and one more sync asks next to nothing, embeds nothing and writes nothing.

`test_ticket_histories.py` takes some steps, `benchmarks/ticket_histories.py` as many as one likes.
"""

from __future__ import annotations

import os
import random
import signal
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from pydantic import SecretStr

from arcana_pipelines.db.engine import Database
from arcana_pipelines.embedding.registry import model_of
from arcana_pipelines.errors import SourceError
from arcana_pipelines.indexes.builds import IndexSettings
from arcana_pipelines.ledger import generations
from arcana_pipelines.ledger.polling import Poll, poll
from arcana_pipelines.operations.reports import counts_agree, served_counts
from arcana_pipelines.pipeline import registration
from arcana_pipelines.pipeline.purpose import Purpose
from arcana_pipelines.pipeline.session import workspace_session
from arcana_pipelines.pipeline.sync import SyncRequest, sync
from arcana_pipelines.sources.client import Patience, fingerprint
from arcana_pipelines.sources.freshdesk.api import FreshdeskApi
from arcana_pipelines.sources.freshdesk.source import TRASH_EVERY, FreshdeskSource
from arcana_pipelines.sources.limiter import LONGEST_SHARED_PAUSE_SECONDS, RateLimiter
from arcana_pipelines.sources.protocol import Mode, Source
from arcana_pipelines.testing.freshdesk_server import (
    Expected,
    FreshdeskServer,
    FreshdeskWorld,
    LoggedRequest,
    Plan,
    expectations,
    problems_of,
)
from arcana_pipelines.testing.freshdesk_server.model import CLOSED, DRAFT, PUBLISHED
from arcana_pipelines.testing.freshdesk_server.world import ARCHIVED_AFTER_DAYS
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.pipeline.world_machine import HashEmbedder, die_at, end_if_it_hangs, in_haste

PER_PAGE = 5
EVERYTHING = 10_000
_ENGLISH = "the harbour office keeps every ledger until spring and the clerk reads them aloud on Fridays"
_KOREAN = "항구 사무실은 봄까지 모든 장부를 보관하고 서기는 금요일마다 큰 소리로 읽는다 회의록 휴가 규정"
# Marks of texts: p of what customers see, s (secret) of what only agents do.
_SECRET = r"\ms\d+x\M"
_LISTS = ("tickets", "tickets/deleted", "tickets/spam")
_ENDPOINTS = (
    None, *_LISTS, *_LISTS, "tickets/view", "tickets/conversations", "tickets/conversations", "tickets/archived",
    "tickets/archived/conversations", "ticket_fields", "agents", "agents/me", "groups", "companies", "companies/view",
    "contacts/view", "solutions/categories", "solutions/folders", "solutions/articles", "solutions/articles/view",
)  # fmt: skip


@contextmanager
def quickly() -> Iterator[None]:
    """Nobody waits, and lists come in short pages."""
    with pytest.MonkeyPatch.context() as patch, in_haste():
        patch.setattr("arcana_pipelines.sources.freshdesk.api.PER_PAGE", PER_PAGE)
        yield


@dataclass
class _Run:
    """What people did while a run was under way."""

    gone: set[str]
    problem: str = ""


class TicketHistory:
    """One help desk and its workspace.

    Attributes:
        took: counts what was done.
        steps: what was done, in order.
    """

    def __init__(self, database: Database, seed: int, slug: str = "desk") -> None:
        self.database = database
        self.seed = seed
        self.slug = slug
        self.chance = random.Random(seed)
        self.took: Counter[str] = Counter()
        self.steps: list[str] = []
        self.world = self._made_world()
        # Some plans do not let the API look at what is archived.
        self.has_archive = self.chance.random() < 0.8
        self.server = FreshdeskServer(self.world, Plan("histories", 1_000_000, archives=self.has_archive))
        self._number = 0
        # Tickets whose messages were changed without a trace in their time: no poll can see that.
        self._untold: set[int] = set()
        self._run = _Run(set())
        index = IndexSettings.of_model(*model_of(database.settings))
        # A company has one account of a platform.
        self.workspace_id = registration.register(
            database, slug, "freshdesk", index, lambda _: None, lambda _: None, company=slug,
            source_config=self._options(self.chance.random() < 0.7, self.chance.random() < 0.5),
        ).workspace_id  # fmt: skip
        for _ in range(self.chance.choice([0, 3, 12])):
            self.do_add()

    def close(self) -> None:
        """Stop the server."""
        self.server.close()

    def _made_world(self) -> FreshdeskWorld:
        world = FreshdeskWorld(seed=self.seed)
        world.edits_move_tickets = self.chance.random() < 0.5
        world.removal_moves_tickets = self.chance.random() < 0.5
        world.trash_takes_updated_since = self.chance.random() < 0.7
        world.add_field("cf_line", "Line", "custom_number")
        world.add_field("cf_remark", "비고", "custom_text")
        self.companies = [world.add_company(name) for name in ("한빛전자", "Northwind")]
        self.customers = [
            world.add_contact(name, f"{name.split()[0].lower()}@customer.example", company=company)
            for name, company in (("Emma Fischer", self.companies[1]), ("박지민", self.companies[0]), ("Sofia", None))
        ]
        category = world.add_category("결제")
        self.folders = [world.add_folder(category, "환불"), world.add_folder(category, "Invoices")]
        return world

    # --- what people write ---

    def say(self, mark: str = "p", length: int = 9) -> str:
        """A line, or a few, unlike all others."""
        lines = []
        for _ in range(self.chance.choice([1, 1, 2, 3])):
            self._number += 1
            words = (_KOREAN if self._number % 2 else _ENGLISH).split()
            many = length * self.chance.choice([1, 1, 1, 40])
            text = " ".join(words[(self._number + at) % len(words)] for at in range(many))
            lines.append(f"{mark}{self._number}x {text} {mark}{self._number}x")
        return "\n".join(lines)

    def title(self) -> str:
        self._number += 1
        return f"{self.chance.choice(['Question about', '문의', 'Re:'])} t{self._number}x"

    def pick(self, choices: list[Any]) -> Any:
        """One of them; None where there is none."""
        return self.chance.choice(choices) if choices else None

    def some(self, where: Callable[[Any], bool] = lambda ticket: ticket.is_listed) -> int | None:
        return self.pick([each.id for each in self.world.tickets.values() if where(each)])

    # --- what people do with tickets ---

    def do_add(self) -> None:
        self.world.add_ticket(
            self.title(), self.say(), requester=self.pick(self.customers), priority=self.chance.randint(1, 4),
            status=self.pick([2, 3, CLOSED]), source=self.pick([1, 2, 3, 9]), type=self.pick([None, "Question"]),
            tags=self.pick([(), ("robot",), ("환불", "vip")]), custom_fields={"cf_line": self.chance.randint(1, 9)},
            responder=self.pick([None, self.world.agent]),
        )  # fmt: skip

    def do_reply(self) -> None:
        if ticket := self.some():
            by = self.pick([self.world.agent, self.world.group_agent, *self.customers])
            self.world.reply(
                ticket, self.say(), by=by, auto_response=by not in self.customers and self.chance.random() < 0.2
            )

    def do_private_note(self) -> None:
        if ticket := self.some():
            self.world.add_note(ticket, self.say("s"))

    def do_public_note(self) -> None:
        if ticket := self.some():
            self.world.add_note(ticket, self.say(), private=False)

    def do_forward(self) -> None:
        if ticket := self.some():
            self.world.forward(ticket, self.say("s"))

    def do_edit_message(self) -> None:
        if message := self._some_message():
            self.world.edit_conversation(message.id, self.say("s" if message.private else "p"))
            self._is_untold(message.ticket_id)

    def do_delete_message(self) -> None:
        if message := self._some_message():
            self.world.delete_conversation(message.id)
            self._is_untold(message.ticket_id)

    def do_edit_question(self) -> None:
        if ticket := self.some():
            self.world.update(ticket, text=self.say(), subject=self.title())

    def do_set_fields(self) -> None:
        if ticket := self.some():
            what: dict[str, Any] = self.pick([
                {"status": self.pick(sorted(self.world.statuses))}, {"priority": self.chance.randint(1, 4)},
                {"tags": self.pick([(), ("robot",), ("urgent", "환불")])},
                {"custom_fields": {"cf_line": self.pick([None, 3, 7]), "cf_remark": self.title()}},
                {"responder_id": self.pick([None, self.world.agent])}, {"type": self.pick([None, "Incident"])},
            ])  # fmt: skip
            self.world.update(ticket, **what)

    def do_touch(self) -> None:
        if ticket := self.some():
            self.world.touch(ticket)

    def do_bulk_update(self) -> None:
        listed = [each.id for each in self.world.tickets.values() if each.is_listed]
        many = self.chance.sample(listed, self.chance.randint(0, len(listed)))
        self.world.bulk_update(many, tags=self.pick([(), ("bulk",)]), priority=self.chance.randint(1, 4))

    def do_delete(self) -> None:
        if ticket := self.some():
            self._leaves(ticket)
            self.world.delete(ticket)

    def do_restore(self) -> None:
        if ticket := self.some(lambda each: each.deleted):
            self.world.restore(ticket)

    def do_spam(self) -> None:
        if ticket := self.some():
            self._leaves(ticket)
            self.world.spam(ticket)

    def do_unspam(self) -> None:
        if ticket := self.some(lambda each: each.spam):
            self.world.unspam(ticket)

    def do_delete_for_ever(self) -> None:
        removed = self._removed()
        # Without the archive, what is gone for ever before it was seen in the trash may as well be archived.
        if ticket := self.some(lambda each: self.has_archive or str(each.id) in removed):
            self._leaves(ticket)
            self.world.delete_for_ever(ticket)
            self._untold.discard(ticket)

    def do_archive(self) -> None:
        if ticket := self.some(lambda each: each.is_listed and each.status == CLOSED and self._may_archive(each.id)):
            if ticket in self._untold:
                self._tell(ticket)
            self.world.archive(ticket)

    def _may_archive(self, ticket: int) -> bool:
        """What nobody can look at later, because the plan does not let them, is read by then."""
        if self.has_archive:
            return True
        updated_at = self.world.tickets[ticket].updated_at
        revision = f"{updated_at:%Y-%m-%dT%H:%M:%SZ}"
        is_old = updated_at <= self.world.now() - timedelta(days=ARCHIVED_AFTER_DAYS)
        return (
            is_old
            and ticket not in self._untold
            and bool(
                self.rows(
                    "SELECT 1 FROM source_page WHERE workspace_id = %s AND external_id = %s AND state = 'unchanged' "
                    "AND settled AND fetched_revision = %s",
                    self.workspace_id,
                    str(ticket),
                    revision,
                )
            )
        )

    def do_merge(self) -> None:
        primary, secondary = self.some(), self.some()
        if primary and secondary and primary != secondary:
            self.world.merge(primary, [secondary])

    def do_rename(self) -> None:
        what = self.pick(["status", "agent", "company"])
        if not self.has_archive:
            return  # what is archived would keep the names that it had
        if what == "status":
            self.world.rename_status(self.pick(sorted(self.world.statuses)), self.title())
        elif what == "agent":
            self.took["rename an agent"] += 1
            self.world.rename_agent(self.world.agent, f"Grace {self.title()}")
        else:
            self.world.rename_company(self.pick(self.companies), f"회사 {self.title()}")

    def _some_message(self) -> Any:
        return self.pick([
            message for ticket in self.world.tickets.values() if not ticket.archived for message in ticket.conversations
            # What names the tickets of a merge is not written by hand.
            if "merged into" not in message.text.source
        ])  # fmt: skip

    def _is_untold(self, ticket: int) -> None:
        if not self.world.edits_move_tickets:
            self._untold.add(ticket)
        if not any(each.private for each in self.world.tickets[ticket].conversations):
            self._run.gone.add(f"{ticket}-notes")

    def _tell(self, ticket: int) -> None:
        self.world.touch(ticket)
        self._untold.discard(ticket)

    def _leaves(self, ticket: int) -> None:
        self._run.gone |= {str(ticket), f"{ticket}-notes"}

    # --- what people do with the knowledge base ---

    def do_add_article(self) -> None:
        if folder := self.pick(sorted(self.world.folders)):
            self.world.add_article(folder, self.title(), self.say(), status=self.pick([PUBLISHED, PUBLISHED, DRAFT]))

    def do_edit_article(self) -> None:
        if article := self.pick(sorted(self.world.articles)):
            how = self.pick(["edit", "draft", "status", "move", "delete"])
            if how == "edit":
                self.world.edit_article(article, self.say(), title=self.title())
            elif how == "draft":
                self.world.draft_article(article, self.say())
            elif how == "status":
                self._run.gone.add(f"article-{article}")
                self.world.set_article_status(article, self.pick([PUBLISHED, DRAFT]))
            elif how == "move":
                self.world.move_article(article, self.pick(sorted(self.world.folders)))
            else:
                self._run.gone.add(f"article-{article}")
                self.world.delete_article(article)

    def do_folders(self) -> None:
        folder = self.pick(sorted(self.world.folders))
        what = self.chance.random()
        if folder is None or (what < 0.4 and len(self.world.folders) < 6):
            category = self.pick(sorted(self.world.categories))
            parent = folder if folder and self.world.folders[folder].category_id == category else None
            self.world.add_folder(category, self.title(), parent=self.pick([None, parent]))
        elif what < 0.8:
            self.world.set_visibility(folder, self.chance.randint(1, 4))
        else:
            self._run.gone |= {f"article-{each}" for each in self.world.articles}
            self.world.delete_folder(folder)

    # --- what is set, what goes wrong, and time ---

    def do_switch_notes(self) -> None:
        if not (self.has_archive or self.with_notes):
            return  # what is archived could not be read again
        self._switch(self._options(not self.with_notes, self.with_articles))

    def do_switch_articles(self) -> None:
        self._switch(self._options(self.with_notes, not self.with_articles))

    def _options(self, with_notes: bool, with_articles: bool) -> dict[str, Any]:
        self.with_notes, self.with_articles = with_notes, with_articles
        given = {"private_notes": with_notes, "articles": with_articles}
        return {"domain": self.world.domain, **{name: True for name, is_on in given.items() if is_on}}

    def _switch(self, options: dict[str, Any]) -> None:
        """As `arcana workspace set` does it."""
        with self.database.connection() as connection:
            workspace = workspaces.find(connection, self.slug)
            workspaces.change(connection, workspace, workspace.name, options, workspace.credential_ref)

    def do_fault(self) -> None:
        kind = self.pick([
            "429", "429", "500", "502", "503", "504", "html", "empty", "cut", "drop", "403", "403", "require_feature",
            "account_suspended", "401",
        ])  # fmt: skip
        endpoint, item = self.pick(list(_ENDPOINTS)), None
        if kind == "403" and self.chance.random() < 0.7:
            endpoint, item = self.pick(["tickets/view", "tickets/conversations"]), self.some()
        self.server.faults.add(
            kind, endpoint, item=item, times=self.pick([1, 1, 2, 6, 30, None]), skip=self.pick([0, 0, 1, 3, 8]),
            probability=self.pick([1.0, 1.0, 0.3]), seed=self.chance.randrange(1000),
            retry_after=self.pick([None, 1, 30, 700]),
        )  # fmt: skip
        self.steps[-1] += f"({kind} {endpoint} {item or ''})"

    def do_end_faults(self) -> None:
        self.server.faults.clear()

    def do_seconds(self) -> None:
        self.world.clock.advance(self.chance.randint(1, 50))

    def do_minutes(self) -> None:
        self.world.clock.advance(60 * self.chance.randint(1, 15))
        self._let_time_pass("10 minutes")

    def do_days(self) -> None:
        self.world.clock.advance(86_400 * self.chance.choice([1, 1, 1, 40, 125]))
        self._let_time_pass("1 day")

    def do_archive_old(self) -> None:
        if not self.has_archive:
            self.do_archive()
        else:
            for ticket in sorted(self._untold):
                self._tell(ticket)
            self.world.archive_old()

    def _let_time_pass(self, interval: str) -> None:
        """Pauses of single pages, and those that the source asked for, are over so much sooner."""
        with self.database.connection() as connection:
            connection.execute("UPDATE source_page SET next_attempt_at = next_attempt_at - %s::interval", [interval])
        _end_pauses(self.database, 2 * LONGEST_SHARED_PAUSE_SECONDS)

    # --- runs ---

    def source(self, database: Database, is_poll: bool = False) -> Source:
        """The help desk, as it is read now."""
        key = SecretStr(self.world.key)
        limiters = [
            RateLimiter(database, f"{fingerprint(key)}{part}", 0, sleep=partial(_end_pauses, database))
            for part in ("", " lists")
        ]
        return FreshdeskSource(
            FreshdeskApi(key, self.server.url, limiters[0], limiters[1], Patience(timeout=5.0)),
            self.world.domain, private_notes=self.with_notes, articles=self.with_articles, is_poll=is_poll,
        )  # fmt: skip

    def do_sync(self) -> None:
        with self._checked(), self._interrupted_by_people(), suppress(SourceError):
            self.sync(self.chance.choice(list(Mode)), self.pick([Purpose.SYNC, Purpose.SYNC, Purpose.RETRY]))

    def do_doubt(self) -> None:
        """What is archived cannot be looked at, again and again: an error removes nothing."""
        self.do_archive()
        self.server.faults.add(
            self.pick(["500", "502", "403", "drop", "html", "empty", "429"]),
            self.pick(["tickets/archived", "tickets/view"]),
            times=None,
        )
        for mode in (Mode.FULL, Mode.FULL, Mode.AUDIT):
            with self._checked(), suppress(SourceError):
                self.sync(mode)
        self.server.faults.clear()

    def do_look(self) -> None:
        with suppress(SourceError):
            if self.look().needed:
                with self._checked(), suppress(SourceError):
                    self.sync(Mode.INCREMENTAL)

    def do_kill_a_sync(self) -> None:
        mode = self.chance.choice(list(Mode))
        beat, sent = self.chance.randint(1, 150), self.chance.random() < 0.5
        at_request = self.pick([None, self.chance.randint(1, 20)])
        with self._checked():
            child = os.fork()
            if child == 0:
                with suppress(BaseException):
                    end_if_it_hangs()
                    if at_request is None:
                        die_at(beat, sent)
                    self.sync(mode, database=Database(self.database.settings))
                os._exit(0)
            if at_request is not None:
                self.server.after_request = partial(_kill_at, child, [at_request])
            _, status = os.waitpid(child, 0)
            self.server.after_request = None
        self.took["killed"] += os.WIFSIGNALED(status)

    def sync(
        self, mode: Mode, purpose: Purpose = Purpose.SYNC, database: Database | None = None, allow: int = EVERYTHING
    ) -> dict[str, Any]:
        """A sync; returns its report."""
        database = database or self.database
        with workspace_session(
            database,
            self.slug,
            open_source=lambda workspace, database: self.source(database),
            open_embedder=HashEmbedder,
        ) as session:
            report = sync(session, SyncRequest(mode, purpose, allow_removals=allow))
            noted = generations.counters(session.connection, session.generation)
            assert noted.listed == report.pages.enumerated, "the ledger lost pages that were listed"
            assert report.pages.is_balanced
            assert counts_agree(served_counts(session.connection, session.workspace.workspace_id))
        return report.as_dict()

    def look(self) -> Poll:
        """A look of the change sensor."""
        with self.database.connection() as connection:
            workspace = workspaces.find(connection, self.slug)
        source = self.source(self.database, is_poll=True)
        try:
            return poll(self.database, workspace, source)
        finally:
            source.close()

    @contextmanager
    def _interrupted_by_people(self) -> Iterator[None]:
        """People work while the run reads: between two requests that are chosen before."""
        names = [name for name in _PEOPLE if name not in ("do_switch_notes", "do_switch_articles")]
        plan = {
            self.chance.randint(1, 25): self.chance.choice(names) for _ in range(self.chance.choice([0, 0, 1, 2, 5]))
        }
        requests = 0

        def meanwhile(request: LoggedRequest) -> None:
            nonlocal requests
            requests += 1
            name = plan.get(requests)
            if name is None or self._run.problem:
                return
            try:
                self.steps.append(f"[{requests}: {name}]")
                with self.world.lock:
                    self.world.clock.advance(self.chance.choice([0, 0, 1, 3]))
                    getattr(self, name)()
                self.took["meanwhile"] += 1
            except Exception:  # in the server's thread nobody hears of it
                self._run.problem = traceback.format_exc()

        self.server.after_request = meanwhile if plan else None
        try:
            yield
        finally:
            self.server.after_request = None
            assert not self._run.problem, self._run.problem

    @contextmanager
    def _checked(self) -> Iterator[None]:
        """After the run nothing has left the index that was there all the time, and nothing internal shows."""
        self._run = _Run(self._absent())
        removed, served = self._removed(), self._served()
        yield
        now = self._removed()
        gone = self._run.gone | self._absent()
        wrongly = {page for page in now - removed if page not in gone}
        assert not wrongly, f"removed although they are there: {wrongly}"
        lost = served - self._served() - now
        assert not lost, f"not in the index any more: {lost}"
        shown = self.rows(
            "SELECT c.contents->>'external_id', k.chunk_content FROM document_chunk k "
            "JOIN document_content c USING (document_content_id) JOIN document d USING (document_id) "
            "WHERE d.workspace_id = %s AND NOT d.is_internal AND k.chunk_content ~ %s LIMIT 3",
            self.workspace_id, _SECRET,
        )  # fmt: skip
        assert not shown, f"what only agents see is shown: {shown}"

    def _absent(self) -> set[str]:
        """Ids of what is not there now, or not asked for."""
        found = {str(ticket) for ticket in self.world.gone}
        found |= {str(each.id) for each in self.world.tickets.values() if each.deleted or each.spam}
        tickets = set(map(str, self.world.gone | set(self.world.tickets)))
        with_notes = {
            str(each.id) for each in self.world.tickets.values()
            if self.with_notes and any(message.private for message in each.conversations)
        }  # fmt: skip
        found |= {f"{ticket}-notes" for ticket in found | tickets - with_notes}
        shown = {each.id for each in self.world.articles.values() if each.status == PUBLISHED and self.with_articles}
        articles = set(self.world.articles) | self.world.gone_articles
        return found | {f"article-{article}" for article in articles - shown}

    def _removed(self) -> set[str]:
        return {
            page
            for (page,) in self.rows(
                "SELECT external_id FROM source_page WHERE workspace_id = %s AND state = 'tombstoned'",
                self.workspace_id,
            )
        }

    def _served(self) -> set[str]:
        return set(self.published())

    def published(self) -> dict[str, tuple[str, str, bool, str]]:
        """By page: title and text of the version that is served, whether it is internal, and the text of its chunks."""
        return {
            page: (title, text, is_internal, chunks)
            for page, title, text, is_internal, chunks in self.rows(
                "SELECT c.contents->>'external_id', c.contents->>'title', c.contents->>'text', d.is_internal, "
                "string_agg(k.chunk_content, E'\\n' ORDER BY k.position) FROM document_chunk k "
                "JOIN rag_indexes i ON i.active_build_id = k.rag_index_build_id "
                "JOIN document_content c USING (document_content_id) JOIN document d USING (document_id) "
                "WHERE i.workspace_id = %s AND k.deleted_at IS NULL GROUP BY 1, 2, 3, 4",
                self.workspace_id,
            )
        }

    # --- how it should be ---

    def take(self, steps: int) -> None:
        """So many random steps, and converge now and then and at the end."""
        names = sorted(name for name in dir(self) if name.startswith("do_"))
        weights = [_WEIGHTS.get(name, 2) for name in names]
        for _ in range(steps):
            (name,) = self.chance.choices(names, weights)
            self.steps.append(name)
            getattr(self, name)()
            self.took[name.removeprefix("do_")] += 1
            what = self.chance.random()
            if what < 0.04:
                self.converge()
            elif what < 0.1:
                self.converge_quickly()
        self.converge()

    def converge_quickly(self) -> None:
        """The faults stop; incremental syncs alone bring each ticket that is listed up to date, and take out the trash.

        What moved no time and was in no list of the trash (restored before anybody knew it, gone for ever) waits for a
        listing of everything.
        """
        self.took["converge quickly"] += 1
        self.steps.append("quickly")
        self._calm()
        asked = "SELECT external_id FROM source_page WHERE workspace_id = %s AND document_id IS NOT NULL"
        known = {page for (page,) in self.rows(asked, self.workspace_id)}
        for _ in range(2):
            self._let_time_pass("1 day")
            with self._checked():
                report = self.sync(Mode.INCREMENTAL, Purpose.RETRY)
            assert report["listing_complete"], report
        published = self.published()
        for page, item in expectations(self.world, private_notes=self.with_notes).items():
            if item.state == "alive" and (page in published or page in known or self.world.removal_moves_tickets):
                assert page in published, f"lost: {page}"
                problems = problems_of(item, published[page][0], published[page][1])
                assert not problems, f"{page}: {problems}"
            assert item.state != "trashed" or page not in published, f"in the trash, and in the index: {page}"

    def _calm(self) -> None:
        self.server.faults.clear()
        for ticket in sorted(self._untold):
            self._tell(ticket)
        self.world.clock.advance(900)

    def converge(self) -> None:
        """The faults stop; after a few syncs all is as it should be, and one more has nothing to do."""
        self.took["converge"] += 1
        self.steps.append("converge")
        self._calm()
        # What is gone for ever needs two looks; what was archived before is looked at by audits alone.
        for mode, purpose in (
            (Mode.FULL, Purpose.RETRY), (Mode.INCREMENTAL, Purpose.SYNC), (Mode.AUDIT, Purpose.SYNC),
            (Mode.INCREMENTAL, Purpose.SYNC),
        ):  # fmt: skip
            self._let_time_pass("1 day")
            with self._checked():
                report = self.sync(mode, purpose)
            assert report["listing_complete"], report
        self._check()
        self._rests()
        self._notices()
        self._check()

    def _check(self) -> None:
        published = self.published()
        expected = {
            page: item
            for page, item in expectations(
                self.world, private_notes=self.with_notes, articles=self.with_articles
            ).items()
            if item.state in ("alive", "archived") and not item.is_container and not self._never_listed(item)
        }
        assert set(published) == set(expected), (
            f"lost: {set(expected) - set(published)}, left over: {set(published) - set(expected)}"
        )
        for page, item in expected.items():
            title, text, is_internal, chunks = published[page]
            problems = problems_of(item, title, text)
            assert not problems, f"{page}: {problems}"
            missing = [word for phrase in item.phrases for word in phrase.split() if word not in chunks]
            assert not missing, f"{page}: not in its chunks: {missing}"
            assert is_internal is item.is_internal, f"{page}: internal: {is_internal}"
        self._check_records(expected)
        waiting = self.rows(
            "SELECT external_id, state, reason FROM source_page WHERE workspace_id = %s "
            "AND state NOT IN ('unchanged', 'skipped', 'tombstoned')",
            self.workspace_id,
        )
        assert not waiting, f"these wait: {waiting}"

    def _never_listed(self, item: Expected) -> bool:
        """Nothing lists what is archived: who did not know it before never will."""
        if item.state != "archived":
            return False
        known = self.rows(
            "SELECT 1 FROM source_page WHERE workspace_id = %s AND external_id = %s AND kind IN ('ticket', 'notes')",
            self.workspace_id, item.external_id.removesuffix("-notes"),
        )  # fmt: skip
        return not known

    def _check_records(self, expected: dict[str, Expected]) -> None:
        rows = {
            row[0]: row[1:]
            for row in self.rows(
                "SELECT ticket_id, title, status, priority, requester_email, coalesce(assignee_email, ''), tags, "
                "removed_at IS NULL, id FROM tickets WHERE workspace_id = %s",
                self.workspace_id,
            )
        }
        tickets = {page: item for page, item in expected.items() if item.kind == "ticket"}
        assert {ticket for ticket, row in rows.items() if row[6]} == set(tickets)
        for page, item in tickets.items():
            record = item.record
            as_it_is = (
                item.title, item.properties["Status"], item.properties["Priority"], record["requester_email"],
                record["assignee_email"] or "", record["tags"],
            )  # fmt: skip
            assert rows[page][:6] == as_it_is, f"record of {page}: {rows[page][:6]} in place of {as_it_is}"
            notes = expected.get(f"{page}-notes")
            said = {
                each.conversation_id: (each.message_type, each.author_type)
                for each in (*item.messages, *(notes.messages if notes else ()))
            }
            held = {
                conversation: (message_type, author_type)
                for conversation, message_type, author_type in self.rows(
                    "SELECT conversation_id, message_type, author_type FROM conversations WHERE ticket_id = %s",
                    rows[page][7],
                )
            }
            assert held == said, f"messages of {page}: {sorted(held.items() ^ said.items())}"

    def _rests(self) -> None:
        """Nothing happens: looks and syncs cost next to nothing, and nothing is written or embedded."""
        versions = self.rows("SELECT count(*) FROM document_content")
        with self.database.connection() as connection:  # looks wait for a minute before they speak of work that is left
            connection.execute("UPDATE sync_generation SET started_at = started_at - interval '1 hour'")
        self.server.reset_log()
        for _ in range(3):
            found = self.look()
            assert not found.needed, found
        assert len(self.server.log) <= 6, f"three quiet looks asked {self.server.requests}"
        self.server.reset_log()
        report = self.sync(Mode.INCREMENTAL)
        assert len(self.server.log) <= 4, f"a quiet sync asked {self.server.requests}"
        assert report["embeddings"]["computed"] == 0
        self.server.reset_log()
        report = self.sync(Mode.FULL)
        asked = [request for request in self.server.log if request.item and request.endpoint.startswith("tickets/")]
        assert not asked, f"everything was listed, and these were looked at: {asked}"
        assert report["embeddings"]["computed"] == 0
        assert self.rows("SELECT count(*) FROM document_content") == versions

    def _notices(self) -> None:
        """A look sees one reply, and a sync reads that ticket alone; it sees soon what was deleted."""
        ticket = self.some()
        if ticket is None:
            return
        said = f"p{self._number + 1}x"
        self._number += 1
        self.world.reply(ticket, f"{said} one more reply {said}")
        self.world.clock.advance(300)
        assert self.look().needed, "a reply is not noticed"
        self.server.reset_log()
        report = self.sync(Mode.INCREMENTAL)
        read = [request.item for request in self.server.log if "conversations" in f"{request.endpoint}{request.query}"]
        assert set(read) == {ticket}, f"for one reply these were read: {read}"
        # What is read again shows the agent's new name in the heading of each message.
        most = 2 if "rename an agent" not in self.took else EVERYTHING
        assert 1 <= report["embeddings"]["computed"] <= most, report["embeddings"]
        assert said in self.published()[str(ticket)][3]
        self.world.delete(ticket)
        self.world.clock.advance(300)
        assert any(self.look().needed for _ in range(TRASH_EVERY)), "what is deleted is not noticed"
        self.sync(Mode.INCREMENTAL)
        assert str(ticket) not in self.published()

    def rows(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with self.database.connection() as connection:
            return connection.execute(statement, parameters).fetchall()  # type: ignore[call-overload]


_WEIGHTS = {
    "do_add": 8, "do_reply": 8, "do_private_note": 5, "do_sync": 12, "do_look": 4, "do_kill_a_sync": 4,
    "do_set_fields": 4, "do_fault": 5, "do_end_faults": 3, "do_seconds": 8, "do_minutes": 4, "do_delete_for_ever": 1,
    "do_rename": 1, "do_switch_notes": 1, "do_switch_articles": 1,
}  # fmt: skip
_RUNS = {
    "do_sync",
    "do_doubt",
    "do_look",
    "do_kill_a_sync",
    "do_fault",
    "do_end_faults",
    "do_seconds",
    "do_minutes",
    "do_days",
}
_PEOPLE = sorted(name for name in dir(TicketHistory) if name.startswith("do_") and name not in _RUNS)


def _kill_at(process: int, left: list[int], request: LoggedRequest) -> None:
    """Kill a process when it has asked so many times."""
    left[0] -= 1
    if left[0] == 0:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def _end_pauses(database: Database, seconds: float) -> None:
    with database.connection() as connection:
        connection.execute("UPDATE source_limit SET paused_until = paused_until - make_interval(secs => %s)", [seconds])
