"""Alerts: a cause is one row while it lasts, is told once, and its end is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import SecretStr

from arcana_pipelines.alerts.causes import NOT_STARTED, Cause, FailedRun, disk_cause, embedder_cause, find_causes
from arcana_pipelines.alerts.check import check, level
from arcana_pipelines.alerts.deliveries import plan, tell
from arcana_pipelines.alerts.protocol import Alert, NotDelivered, Unanswered
from arcana_pipelines.alerts.records import open_alerts, record
from arcana_pipelines.alerts.severity import LEVELS, OF_OUR_ROWS
from arcana_pipelines.alerts.webhook import Webhook, message
from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.indexes.targets.delivery import deliver
from arcana_pipelines.indexes.targets.targets import add_target, all_targets
from arcana_pipelines.operations.disk import Disk
from arcana_pipelines.pipeline import registration
from arcana_pipelines.pipeline.targets import follow_once
from arcana_pipelines.sources.file_rules import FileRules
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.testing.notion_server import NotionWorld, seed_world
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.alerts.conftest import Receiver
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.taxonomy.planted import plant, tree_of

FAILED = FailedRun("acme", "sync", "run-1", "TokenRevoked", "Notion answers 401: the token is not accepted.")


@pytest.fixture
def world() -> NotionWorld:
    world = seed_world(pages=8, rows=2)
    world.clock.advance(600)
    return world


class Watch:
    """One tick after another, as the sensor makes them."""

    def __init__(self, database: Database, receiver: Receiver) -> None:
        self.database = database
        self.receiver = receiver
        self.budget: Decimal | None = None
        self.failed: Sequence[FailedRun] = ()
        self.embedder: str | None = None
        self.disk = Disk(50 * 10**9, 100 * 10**9)

    def tick(self, failed: Sequence[FailedRun] | None = None, embedder: str | None = None) -> list[str]:
        """Evaluate, record, tell; returns what the receiver got in this tick."""
        before = len(self.receiver.texts)
        with self.database.connection() as connection:
            failed = self.failed if failed is None else failed
            causes = [*find_causes(connection, self.budget, failed), *embedder_cause(embedder or self.embedder)]
            causes += disk_cause(self.disk)
            noted(connection, causes)
            while tell(connection, Webhook(self.receiver.url, "http://localhost:3000")):
                pass
        return self.receiver.texts[before:]

    def execute(self, statement: str) -> None:
        with self.database.connection() as connection:
            connection.execute(statement)  # type: ignore[call-overload]


def noted(connection: Connection, causes: Sequence[Cause]) -> None:
    """What a tick does before it tells: causes are recorded, and the webhook is to be told of all."""
    record(connection, causes, LEVELS, retention_days=30)
    plan(connection, ["webhook"], [])


@pytest.fixture
def watch(acme: Harness, receiver: Receiver) -> Watch:
    return Watch(acme.database, receiver)


def _incomplete(acme: Harness, watch: Watch | None = None) -> Callable[[], None]:
    acme.sync()
    acme.server.faults.add("POST /v1/search", "500", times=None)
    acme.sync(Mode.FULL)
    acme.server.faults.clear()
    return lambda: acme.sync(Mode.FULL) and None


def _waiting(acme: Harness, watch: Watch | None = None) -> Callable[[], None]:
    acme.sync()
    acme.rows(
        "UPDATE sync_generation SET counters = counters || '{\"waiting_removals\": 80}' "
        "WHERE generation = 1 RETURNING 1"
    )
    return lambda: acme.sync() and None


def _quarantined(acme: Harness, watch: Watch | None = None) -> Callable[[], None]:
    acme.server.faults.add("/markdown", "500", times=None)
    acme.sync()
    acme.sync()
    acme.server.faults.clear()
    return lambda: acme.sync() and None


def _unreachable(acme: Harness, watch: Watch | None = None) -> Callable[[], None]:
    acme.sync()
    acme.rows("UPDATE workspace SET poll_failures = 3, poll_problem = 'Notion answered 503' RETURNING 1")
    return lambda: acme.rows("UPDATE workspace SET poll_failures = 0, poll_problem = NULL RETURNING 1") and None


def _spent(acme: Harness, watch: Watch | None = None) -> Callable[[], None]:
    acme.sync()
    acme.rows(
        "INSERT INTO embedding_usage SELECT workspace_id, date_trunc('month', now() AT TIME ZONE 'UTC'), 'm', "
        "'standard', 1, 1, 2.5, 1 FROM workspace RETURNING 1"
    )
    acme.rows("UPDATE workspace SET embedding_budget = 2 RETURNING 1")
    return lambda: acme.rows("UPDATE workspace SET embedding_budget = 20 RETURNING 1") and None


def _stale(acme: Harness, watch: Watch | None = None) -> Callable[[], None]:
    acme.sync()
    acme.rows("UPDATE sync_generation SET finished_at = now() - interval '27 hours' RETURNING 1")
    acme.rows("UPDATE workspace SET created_at = now() - interval '9 days', polled_at = NULL RETURNING 1")
    return lambda: acme.sync() and None


def _with_target(acme: Harness) -> Path:
    acme.sync()
    with acme.database.connection() as connection:
        place = workspaces.storage_path(acme.database.settings, "acme") / "targets" / "sqlite.sqlite"
        workspace_id = workspaces.find(connection, "acme").workspace_id
        add_target(connection, workspace_id, "sqlite", str(place), "sqlite")
    acme.sync()
    return place


def _with_waiting(acme: Harness) -> None:
    _with_target(acme)
    acme.rows(
        "INSERT INTO sync_operations (index_target_id, rag_index_build_id, document_id, operation) "
        "SELECT index_target_id, rag_index_build_id, gen_random_uuid(), 'remove' FROM target_collection RETURNING 1"
    )


def _behind(acme: Harness, watch: Watch | None = None) -> Callable[[], None]:
    _with_waiting(acme)
    acme.rows("UPDATE sync_operations SET since = now() - interval '6 minutes' RETURNING 1")
    acme.rows("UPDATE index_target SET last_error = 'No answer', failures = 2 RETURNING 1")
    return lambda: acme.sync() and None


def _refusing(acme: Harness, watch: Watch | None = None) -> Callable[[], None]:
    _with_waiting(acme)
    acme.rows("UPDATE sync_operations SET attempts = 5, parked_reason = 'too large' RETURNING 1")
    return lambda: acme.rows("DELETE FROM sync_operations RETURNING 1") and None


def _wiped(acme: Harness, watch: Watch | None = None) -> Callable[[], None]:
    _with_target(acme).unlink()
    return lambda: follow_once(acme.database) and None


def _unread(acme: Harness, watch: Watch | None = None) -> Callable[[], None]:
    acme.files = FileRules()
    acme.world.add_file(acme.world.add_page("Plans"), "pdf", "plan.pdf", b"text")
    acme.sync()
    acme.rows("UPDATE source_file SET state = 'quarantined', reason = 'crashed', next_attempt_at = NULL RETURNING 1")
    return lambda: acme.rows("UPDATE source_file SET state = 'parsed', reason = NULL RETURNING 1") and None


def _unknown_topic(acme: Harness, watch: Watch | None = None) -> Callable[[], None]:
    acme.sync()
    bring_unknown(acme, "AI/RGA")
    return lambda: acme.rows("DELETE FROM taxonomy_unknown_path RETURNING 1") and None


def bring_unknown(acme: Harness, *paths: str) -> None:
    """Two documents bring topics that version 1.0.0 of the taxonomy does not have."""
    with acme.database.connection() as connection:
        workspace_id = workspaces.find(connection, "acme").workspace_id
        if not acme.rows("SELECT 1 FROM taxonomy_version"):
            plant(connection, workspace_id, "1.0.0", tree_of(["AI/RAG"]))
        for path in paths:
            connection.execute(
                "INSERT INTO taxonomy_unknown_path (workspace_id, version, path, times, documents) "
                "SELECT %s, '1.0.0', %s, 5, (array_agg(document_id ORDER BY title))[1:2] FROM source_page "
                "WHERE document_id IS NOT NULL",
                [workspace_id, path.split("/")],
            )


def _unknown_topics(acme: Harness, watch: Watch | None = None) -> Callable[[], None]:
    acme.sync()
    bring_unknown(acme, *[f"Topic {number}" for number in range(10)])
    assert watch is None or len(watch.tick()) == 10
    bring_unknown(acme, "One more")
    return lambda: acme.rows("DELETE FROM taxonomy_unknown_path WHERE path = '{One more}' RETURNING 1") and None


def _failing(acme: Harness, watch: Watch) -> Callable[[], None]:
    watch.failed = [FAILED]
    return lambda: setattr(watch, "failed", ())


def _silent_embedder(acme: Harness, watch: Watch) -> Callable[[], None]:
    watch.embedder = "it answered 503"
    return lambda: setattr(watch, "embedder", None)


def _full_disk(acme: Harness, watch: Watch) -> Callable[[], None]:
    before, watch.disk = watch.disk, Disk(9 * 10**9, 100 * 10**9)
    return lambda: setattr(watch, "disk", before)


ARRANGED: dict[str, tuple[Callable[..., Callable[[], None]], str]] = {
    "failed_run": (_failing, "arcana sync acme"),
    "embedder_unreachable": (_silent_embedder, "arcana doctor"),
    "disk_full": (_full_disk, 'make room there (docs/incidents.md, "The disk is full")'),
    "incomplete_listing": (_incomplete, "arcana sync acme --mode full"),
    "waiting_removals": (_waiting, "arcana sync acme --mode full --allow-removals 80"),
    "quarantine_growing": (_quarantined, "arcana status acme, then arcana retry acme"),
    "files_unread": (_unread, "arcana doctor, then arcana file retry acme"),
    "source_unreachable": (_unreachable, "arcana sync acme"),
    "budget_reached": (_spent, "arcana workspace budget acme"),
    "stale": (_stale, "arcana sync acme"),
    "unknown_topic": (_unknown_topic, "arcana taxonomy status acme"),
    "unknown_topics": (_unknown_topics, "arcana taxonomy status acme"),
    "target_behind": (_behind, "arcana target list acme, then arcana doctor"),
    "target_refuses": (_refusing, "arcana target verify acme sqlite"),
    "target_wiped": (_wiped, "arcana target list acme, then arcana target verify acme sqlite"),
}


def test_every_cause_is_tried() -> None:
    assert ARRANGED.keys() == LEVELS.keys()


# Before anybody is told: a machine that was off catches up, and one request may fail.
WAITS = {"stale": "11 minutes", "embedder_unreachable": "2 minutes"}


@pytest.mark.parametrize("cause", LEVELS)
def test_a_cause_is_one_row_told_once_and_its_end_is_told(acme: Harness, watch: Watch, cause: str) -> None:
    arrange, step = ARRANGED[cause]
    mend = arrange(acme, watch)
    if cause in WAITS:
        assert watch.tick() == []
        watch.execute(f"UPDATE alert SET since = now() - interval '{WAITS[cause]}'")
    (text,) = watch.tick()
    place = "Arcana" if cause in ("embedder_unreachable", "disk_full") else "acme"
    assert text.startswith(f"{place}: ") and f"Next: {step}" in text
    assert watch.tick() == []
    assert watch.tick() == []
    rows = acme.rows("SELECT cause, workspace FROM alert ORDER BY alert_id")
    assert rows[-1] == (cause, "" if place == "Arcana" else "acme")
    assert len(rows) == (11 if cause == "unknown_topics" else 1)

    mend()
    (text,) = watch.tick()
    assert text.startswith(f"{place}: resolved after ") and cause.replace("_", " ") in text
    assert watch.tick() == []
    assert acme.rows("SELECT 1 FROM alert WHERE resolved_at IS NULL AND cause = %s", cause) == []


def test_a_target_that_was_wiped_is_told_until_it_is_as_before_and_nothing_else_is_told_of_it(
    acme: Harness, watch: Watch
) -> None:
    place = _with_target(acme)
    assert watch.tick() == []
    place.unlink()
    (text,) = watch.tick()
    assert f"{place} is not there any more" in text
    acme.rows("UPDATE target_collection SET is_counted = false RETURNING 1")
    with acme.database.connection() as connection:
        (target,) = all_targets(connection)
    assert deliver(acme.database, target, seconds=0).put == 0 and place.exists(), "begun with, and its time was over"
    assert acme.rows("UPDATE sync_operations SET since = now() - interval '6 minutes' RETURNING 1")
    with acme.database.connection() as connection:
        (cause,) = find_causes(connection, None, [])
    assert cause.cause == "target_wiped" and "is filled again" in cause.text
    assert watch.tick() == []
    follow_once(acme.database)
    (text,) = watch.tick()
    assert "acme: resolved after " in text and "target wiped" in text


def test_a_target_that_is_paused_and_gone_is_nobodys_business(acme: Harness, watch: Watch) -> None:
    _with_target(acme).unlink()
    acme.rows("UPDATE index_target SET is_paused = true RETURNING 1")
    assert watch.tick() == []


def test_pages_that_wait_to_be_removed_are_named(acme: Harness) -> None:
    _waiting(acme)
    acme.rows("UPDATE source_page SET state = 'suspect', title = 'Leave ' || external_id RETURNING 1")
    first = [title for (title,) in acme.rows(
        "SELECT title FROM source_page WHERE NOT is_container ORDER BY external_id LIMIT 3"
    )]  # fmt: skip
    with acme.database.connection() as connection:
        (cause,) = find_causes(connection, None, [])
    assert (cause.cause, cause.detail) == ("waiting_removals", f"{', '.join(first)}, and 77 more")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("ModelMissing", "The small model's file cannot be read."),
        (NOT_STARTED, "No worker began this run within 180 seconds of its being given to the broker"),
    ],
)
def test_what_another_sync_does_not_mend_sends_to_doctor(acme: Harness, error: str, said: str) -> None:
    acme.sync()
    with acme.database.connection() as connection:
        (cause,) = find_causes(connection, None, [FailedRun("acme", "sync", "run-1", error, said)])
    assert (cause.cause, cause.next_step) == ("failed_run", "arcana doctor")


def test_each_unknown_topic_is_told_once_a_version_and_later_ones_as_a_number(acme: Harness, watch: Watch) -> None:
    acme.sync()
    bring_unknown(acme, *[f"Topic {number:02}" for number in range(10)])
    texts = sorted(watch.tick())
    assert len(texts) == 10 and "'Topic 03', which version 1.0.0" in texts[3] and "5 of them" in texts[3]
    titles = texts[0].split("Why: ")[1].split("\n")[0].split(", ")
    assert len(titles) == 2 and set(titles) <= {title for (title,) in acme.rows("SELECT title FROM source_page")}
    bring_unknown(acme, *[f"Later {number}" for number in range(7)])
    (text,) = watch.tick()
    assert "documents bring 7 more topics that version 1.0.0" in text, "and those of before stay as they were told"
    watch.execute("UPDATE taxonomy_unknown_path SET times = times + 1")
    assert watch.tick() == []
    with acme.database.connection() as connection:
        plant(connection, workspaces.find(connection, "acme").workspace_id, "2.0.0", tree_of(["AI"]))
    assert all("resolved" in text for text in watch.tick()), "another version counts, whose paths are other ones"


def test_a_topic_with_markup_in_it_is_only_text(acme: Harness, watch: Watch) -> None:
    acme.sync()
    bring_unknown(acme, "<!channel> & co", "x" * 190 + "/" + "줄\n바꿈 " * 30)
    hostile, long = sorted(watch.tick(), key=len)
    assert "&lt;!channel&gt; &amp; co" in hostile and "<" not in hostile
    assert len(long.split("\n")) == 3 and len(long) < 600


def test_a_cause_that_comes_back_is_told_again(acme: Harness, watch: Watch) -> None:
    acme.sync()
    assert len(watch.tick([FAILED])) == 1
    assert watch.tick([FailedRun("acme", "sync", "run-2", "TokenRevoked", "again")]) == [], "the same cause goes on"
    assert acme.rows("SELECT run_id FROM alert") == [("run-2",)]
    assert len(watch.tick()) == 1
    assert len(watch.tick([FAILED])) == 1
    assert acme.rows("SELECT count(*) FROM alert") == [(2,)]


def test_a_failed_run_is_told_with_its_reason_the_next_step_and_a_link(acme: Harness, watch: Watch) -> None:
    (text,) = watch.tick([FAILED])
    assert "Why: Notion answers 401: the token is not accepted." in text
    assert "Next: arcana sync acme" in text
    assert "Run: http://localhost:3000/runs/run-1" in text


def test_a_run_that_the_budget_ended_is_told_as_the_budget(acme: Harness, watch: Watch) -> None:
    acme.sync()
    (text,) = watch.tick([FailedRun("acme", "sync", "run-1", "BudgetReached", "spent 1.99 of 2 USD")])
    assert "monthly limit" in text and "spent 1.99 of 2 USD" in text
    assert acme.rows("SELECT cause FROM alert") == [("budget_reached",)]


def test_a_source_that_fails_the_sync_as_well_is_told_once(acme: Harness, watch: Watch) -> None:
    _unreachable(acme)
    assert len(watch.tick([FAILED])) == 1
    assert acme.rows("SELECT cause FROM alert") == [("failed_run",)]
    assert len(watch.tick()) == 2, "the run is made good, and now the source alone is the cause"


def test_a_sync_that_succeeds_ends_the_failures_of_looks_too(acme: Harness, watch: Watch) -> None:
    _unreachable(acme)
    acme.rows("UPDATE workspace SET poll_after = now() + interval '30 minutes' RETURNING 1")
    assert len(watch.tick([FAILED])) == 1
    acme.sync()
    (text,) = watch.tick()
    assert text.startswith("acme: resolved") and "failed run" in text
    assert acme.rows("SELECT poll_failures, poll_after FROM workspace") == [(0, None)]


def test_a_source_that_was_told_stays_told_when_a_run_fails_too(acme: Harness, watch: Watch) -> None:
    _unreachable(acme)
    assert len(watch.tick()) == 1
    (text,) = watch.tick([FAILED])
    assert "the last sync failed" in text and "resolved" not in text


def test_an_embedding_provider_that_failed_once_is_not_told(acme: Harness, watch: Watch) -> None:
    assert watch.tick(embedder="it answered 503") == []
    assert watch.tick() == []
    assert watch.tick(embedder="it answered 503") == []
    watch.execute("UPDATE alert SET since = now() - interval '2 minutes' WHERE resolved_at IS NULL")
    (text,) = watch.tick(embedder="it answered 503")
    assert text.startswith("Arcana: the embedding provider does not answer") and "503" in text
    (text,) = watch.tick()
    assert text.startswith("Arcana: resolved")


def test_what_was_not_looked_for_is_neither_new_nor_over(acme: Harness, watch: Watch) -> None:
    watch.tick(embedder="it answered 503")
    with acme.database.connection() as connection:
        record(connection, [], OF_OUR_ROWS, retention_days=30)
        assert [alert.cause for alert in open_alerts(connection)] == ["embedder_unreachable"]


@pytest.mark.parametrize("trouble", ["down", "500", "redirect"])
def test_a_receiver_that_takes_nothing_gets_everything_once_when_it_does(
    acme: Harness, watch: Watch, receiver: Receiver, trouble: str
) -> None:
    receiver.status = 302 if trouble == "redirect" else 500
    receiver.location = receiver.url.get_secret_value() if trouble == "redirect" else None
    url = SecretStr("http://127.0.0.1:9/x") if trouble == "down" else receiver.url
    with acme.database.connection() as connection:
        noted(connection, find_causes(connection, None, [FAILED]))
        for _ in range(2):
            with pytest.raises(NotDelivered) as refused:
                tell(connection, Webhook(url, None))
            assert "secret-path" not in str(refused.value)
    ((told_at, problem),) = acme.rows("SELECT told_at, problem FROM alert_delivery")
    assert told_at is None and "ALERT_WEBHOOK_URL" in problem and "secret-path" not in problem

    receiver.status, receiver.location = 200, None
    assert len(watch.tick([FAILED])) == 1
    assert watch.tick([FAILED]) == []


def test_a_receiver_that_never_answers_costs_its_deadline(
    acme: Harness, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.silent.set()
    monkeypatch.setattr("arcana_pipelines.alerts.posting.ANSWER_SECONDS", 0.1)
    with acme.database.connection() as connection:
        noted(connection, find_causes(connection, None, [FAILED]))
        with pytest.raises(Unanswered, match="did not answer"):
            tell(connection, Webhook(receiver.url, None))


@pytest.mark.parametrize("silence", ["no answer in time", "a gateway's 504"])
def test_a_receiver_that_took_an_alert_and_is_silent_does_not_get_it_at_every_tick(
    acme: Harness, watch: Watch, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, silence: str
) -> None:
    monkeypatch.setattr("arcana_pipelines.alerts.posting.ANSWER_SECONDS", 0.1)
    second = FailedRun("acme", "fill", "run-2", "X", "another cause")
    if silence == "no answer in time":
        receiver.silent.set()
    else:
        receiver.status = 504

    def quiet_tick(failed: Sequence[FailedRun]) -> None:
        with pytest.raises(Unanswered):
            watch.tick(failed)

    quiet_tick([FAILED])
    for _ in range(3):
        assert watch.tick([FAILED]) == [], "it has got it, most likely"
    quiet_tick([FAILED, second])  # another alert is sent nevertheless
    assert watch.tick([FAILED, second]) == []
    assert len(receiver.unanswered) == (2 if receiver.silent.is_set() else 0)

    for hours in (1, 2, 4):
        watch.execute(
            f"UPDATE alert SET since = now() - interval '{2 * hours} hours'; "
            f"UPDATE alert_delivery SET unanswered_at = now() - interval '{hours} hours' + interval '1 minute'"
        )
        assert watch.tick([FAILED, second]) == []
        watch.execute("UPDATE alert_delivery SET unanswered_at = unanswered_at - interval '2 minutes'")
        quiet_tick([FAILED, second])
    receiver.silent.clear()
    receiver.status = 200
    watch.execute(
        "UPDATE alert SET since = now() - interval '9 hours'; "
        "UPDATE alert_delivery SET unanswered_at = now() - interval '5 hours'"
    )
    assert len(watch.tick([FAILED, second])) == 2
    assert watch.tick([FAILED, second]) == []
    assert len(watch.tick()) == 2, "their ends are told at once"


def test_the_end_of_an_alert_that_nobody_answered_is_told_and_not_at_every_tick(
    acme: Harness, watch: Watch, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arcana_pipelines.alerts.posting.ANSWER_SECONDS", 0.1)
    receiver.silent.set()
    with pytest.raises(Unanswered):
        watch.tick([FAILED])
    with pytest.raises(Unanswered):
        watch.tick()
    assert watch.tick() == []
    assert ["resolved" in text for text in receiver.unanswered] == [False, True]
    receiver.silent.clear()
    watch.execute(
        "UPDATE alert_delivery SET unanswered_at = unanswered_at - interval '2 hours'; "
        "UPDATE alert SET resolved_at = now()"
    )
    assert len(watch.tick()) == 1


def test_an_alert_that_is_over_before_anybody_could_be_told_is_not_told(acme: Harness, watch: Watch) -> None:
    with acme.database.connection() as connection:
        noted(connection, find_causes(connection, None, [FAILED]))
    assert watch.tick() == []


def test_the_causes_of_a_removed_workspace_are_resolved(acme: Harness, watch: Watch) -> None:
    _incomplete(acme)
    assert len(watch.tick([FAILED])) == 2
    registration.remove(acme.database, "acme", lambda slug: None)
    assert {text.split(" after")[0] for text in watch.tick([FAILED])} == {"acme: resolved"}
    assert acme.rows("SELECT 1 FROM alert WHERE resolved_at IS NULL") == []


def test_a_paused_workspace_has_no_causes(acme: Harness, watch: Watch) -> None:
    _incomplete(acme)
    watch.execute("UPDATE workspace SET status = 'paused'")
    assert watch.tick([FAILED]) == []


def test_one_workspaces_recovery_leaves_the_others_alert_open(
    acme: Harness, another: Callable[[str], Harness], watch: Watch
) -> None:
    globex = another("globex")
    for each in (acme, globex):
        _incomplete(each)
    assert len(watch.tick()) == 2
    acme.sync(Mode.FULL)
    assert [text.split(":")[0] for text in watch.tick()] == ["acme"]
    assert acme.rows("SELECT workspace FROM alert WHERE resolved_at IS NULL") == [("globex",)]


def test_an_audit_that_was_cut_short_is_not_made_good_by_an_incremental_sync(acme: Harness, watch: Watch) -> None:
    acme.sync()
    acme.server.faults.add("POST /v1/search", "500", times=None)
    acme.sync(Mode.AUDIT)
    acme.server.faults.clear()
    assert len(watch.tick()) == 1
    assert acme.sync(Mode.INCREMENTAL)["listing_complete"]
    assert watch.tick() == []
    acme.sync(Mode.AUDIT)
    assert len(watch.tick()) == 1


def test_a_quarantine_that_is_no_larger_than_a_day_ago_is_not_growing(acme: Harness, watch: Watch) -> None:
    _quarantined(acme)
    acme.rows("UPDATE sync_generation SET finished_at = finished_at - interval '25 hours' RETURNING 1")
    assert watch.tick() == []
    acme.server.faults.add("/markdown", "500", times=None)
    page = acme.world.add_page("One more", blocks=[blocks.paragraph("words")])
    for _ in range(2):
        acme.settle()
        acme.sync()
    assert acme.page_state(page)[0] == "quarantined"
    (text,) = watch.tick()
    assert "cannot be read" in text


def test_an_index_that_a_look_found_unchanged_is_not_stale(acme: Harness, watch: Watch) -> None:
    _stale(acme)
    watch.execute("UPDATE workspace SET polled_at = now()")
    with acme.database.connection() as connection:
        assert find_causes(connection, None, []) == []
    watch.execute("UPDATE workspace SET sync_needed = '3 pages changed'")
    with acme.database.connection() as connection:
        assert [cause.cause for cause in find_causes(connection, None, [])] == ["stale"]


@pytest.mark.parametrize(
    "hostile", ["<!channel> pay now", "<http://evil.example|click>", "a & b <@U123>", "줄\n바꿈 <!here>", "\x1b[2J‮txt"]
)
def test_text_from_outside_is_only_text(acme: Harness, watch: Watch, hostile: str) -> None:
    (text,) = watch.tick([FailedRun("acme", "sync", "run-1", "X", hostile)])
    (why,) = [line for line in text.split("\n") if line.startswith("Why: ")]
    assert "<" not in text and ">" not in text
    assert all(letter.isprintable() for letter in why)
    assert len(text.split("\n")) == 4


def test_long_texts_are_cut(acme: Harness, watch: Watch) -> None:
    (text,) = watch.tick([FailedRun("acme", "sync", "run-1", "X", "가" * 100_000)])
    assert len(text) < 1000


def test_a_message_without_an_address_of_the_ui_has_no_link() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    alert = Alert(1, "failed_run", "acme", "it failed.", "", "arcana sync acme", "run-1", now, now, None)
    assert message(alert, None) == "acme: it failed.\nNext: arcana sync acme"


class TestCheck:
    def test_nothing_wrong_is_0(self, acme: Harness) -> None:
        acme.sync()
        with acme.database.connection() as connection:
            assert check(connection, None, []) == []
        assert level([]) == 0

    @pytest.mark.parametrize(("cause", "code"), [("stale", 3), ("incomplete_listing", 3), ("source_unreachable", 1)])
    def test_it_is_found_now_although_no_sensor_runs(self, acme: Harness, cause: str, code: int) -> None:
        ARRANGED[cause][0](acme)
        with acme.database.connection() as connection:
            found = check(connection, None, [])
        assert [(each.cause, each.workspace, each.since) for each in found] == [(cause, "acme", None)]
        assert level(found) == code

    def test_what_is_broken_counts_more_than_what_waits(self, acme: Harness) -> None:
        _incomplete(acme)
        with acme.database.connection() as connection:
            assert level(check(connection, None, [FAILED])) == 1

    def test_one_workspace_is_asked_alone(self, acme: Harness, another: Callable[[str], Harness]) -> None:
        _incomplete(acme)
        another("globex").sync()
        with acme.database.connection() as connection:
            assert check(connection, None, [], slug="globex") == []
            assert len(check(connection, None, [], slug="acme")) == 1

    def test_what_only_the_sensor_can_know_is_taken_from_its_rows(self, acme: Harness) -> None:
        acme.sync()
        with acme.database.connection() as connection:
            causes: list[Cause] = [*embedder_cause("503"), *find_causes(connection, None, [FAILED])]
            record(connection, causes, LEVELS, retention_days=30)
            assert {each.cause for each in check(connection, None, [], {"run-1"})} == {
                "failed_run", "embedder_unreachable",
            }  # fmt: skip
            assert {each.cause for each in check(connection, None, [])} == {"embedder_unreachable"}

    def test_a_full_disk_is_seen_where_it_kept_the_sensor_from_recording_it(self, acme: Harness) -> None:
        acme.sync()
        with acme.database.connection() as connection:
            full = check(connection, None, [], slug="acme", seen_here=disk_cause(Disk(0, 10**9)))
            assert [(each.cause, each.since) for each in full] == [("disk_full", None)] and level(full) == 1
            assert full[0].text.startswith("0.0 GB of 1.0 GB are free on the disk of ARCANA_HOME.")
            assert check(connection, None, [], seen_here=disk_cause(None)) == []
