"""The queue: what waits for a person, in the order that helps most, and what becomes of what they say."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Event
from uuid import UUID, uuid4

import pytest

from arcana_pipelines.classification import review
from arcana_pipelines.classification.classify import classify
from arcana_pipelines.classification.conditions import Conditions
from arcana_pipelines.classification.review import QueueFilters, all_suggested, decide, decide_all, queue, queue_counts
from arcana_pipelines.classification.rules import add_rule
from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.db.query import scalar
from arcana_pipelines.errors import CursorRefused, TopicDecided, UnknownTaxonomyVersion, WrongUse
from arcana_pipelines.retrieval.filters import Filters
from arcana_pipelines.taxonomy.counts import topic_counts
from arcana_pipelines.taxonomy.given import assign
from arcana_pipelines.taxonomy.labels import spell_path
from arcana_pipelines_tests.classification.handbook import TOPICS, Handbook


def cursor_of(shown: str) -> str:
    """One of a document that was shown so often."""
    held = f'[{shown}, 0, "2026-01-01T00:00:00+00:00", "00000000-0000-0000-0000-000000000000"]'
    return base64.urlsafe_b64encode(held.encode()).decode()


@pytest.fixture
def waiting(handbook: Handbook) -> Handbook:
    """Two documents whose nearest topics wait for a person."""
    handbook.release()
    handbook.classify()
    return handbook


def test_without_a_taxonomy_nothing_waits(handbook: Handbook) -> None:
    assert queue_counts(handbook.connection, handbook.workspace_id).documents == 0
    with pytest.raises(UnknownTaxonomyVersion):
        queue(handbook.connection, handbook.workspace_id)


def test_a_row_says_what_is_suggested_for_which_document_and_what_else(waiting: Handbook) -> None:
    page = queue(waiting.connection, waiting.workspace_id)
    assert page.after is None
    rows = {row.title: row for row in page.rows}
    assert sorted(rows) == ["Battery care", "Vacation policy"]
    row = rows["Vacation policy"]
    assert (row.kind, row.origin, row.reason, row.rule, row.shown) == ("page", "nearest", None, None, 0)
    assert spell_path(row.path) == "People/Leave"
    assert row.node_id == waiting.node("People/Leave")
    assert row.margin is not None and row.margin > 0
    assert row.alternatives and "People/Leave" not in {spell_path(other.path) for other in row.alternatives}
    counts = queue_counts(waiting.connection, waiting.workspace_id)
    assert (counts.documents, set(counts.by_origin)) == (2, {"nearest"})
    assert counts.oldest_at == min(row.created_at for row in page.rows)


def test_pages_of_the_queue_show_each_document_once(waiting: Handbook) -> None:
    first = queue(waiting.connection, waiting.workspace_id, limit=1)
    second = queue(waiting.connection, waiting.workspace_id, limit=1, after=first.after)
    assert first.after is not None
    assert second.after is None
    assert {first.rows[0].title, second.rows[0].title} == {"Battery care", "Vacation policy"}


@pytest.mark.parametrize(
    "cursor",
    ["", "no", "W10=", "WzEsICJ4IiwgIngiLCAieCJd", "ü", *(cursor_of(shown) for shown in ("Infinity", "1e99", "-1"))],
)
def test_a_cursor_that_is_none_is_refused(waiting: Handbook, cursor: str) -> None:
    with pytest.raises(CursorRefused):
        queue(waiting.connection, waiting.workspace_id, after=cursor)


@pytest.mark.parametrize("limit", [0, 101])
def test_a_page_has_1_to_100_rows(waiting: Handbook, limit: int) -> None:
    with pytest.raises(WrongUse, match="from 1 to 100"):
        queue(waiting.connection, waiting.workspace_id, limit)


def test_what_a_rule_says_comes_before_what_is_near_and_the_surer_before_the_weaker(waiting: Handbook) -> None:
    waiting.connection.execute(
        "UPDATE doc_taxonomy SET reason = 'retired: ''X''', confidence = 0 WHERE doc_id = %s AND node_id <> %s",
        [waiting.document("Battery care"), waiting.node("Robots/Batteries")],
    )
    waiting.say("Vacation policy", "Robots", "rule", waits=True)
    waiting.connection.execute(
        "UPDATE doc_taxonomy SET confidence = 0.1 WHERE origin = 'rule' AND doc_id = %s",
        [waiting.document("Vacation policy")],
    )
    shown = {row.title: spell_path(row.path) for row in queue(waiting.connection, waiting.workspace_id).rows}
    assert shown == {"Battery care": "Robots/Batteries", "Vacation policy": "Robots"}


def test_what_is_hardly_near_waits_for_nobody_alone(waiting: Handbook) -> None:
    key = waiting.connection, waiting.workspace_id
    decide(*key, waiting.document("Vacation policy"), waiting.node("People/Leave"), "rejected", "user:kim")
    assert waiting.topics("Vacation policy"), "what else was near is there still"
    assert [row.title for row in queue(*key).rows] == ["Battery care"]
    counts = queue_counts(*key)
    assert counts.documents == 1
    (told,) = topic_counts(*key)
    assert told.waiting == 1
    # As if it had been classified since, without a next topic that is near.
    waiting.connection.execute("UPDATE taxonomy_decision SET decided_at = decided_at - interval '1 day'")
    report = waiting.classify()
    assert (report.classified, report.queued) == (0, 1)


@pytest.mark.parametrize("how", ["accept", "assign"])
def test_who_says_what_a_document_is_about_is_asked_nothing_more_that_is_only_near(waiting: Handbook, how: str) -> None:
    key, document = (waiting.connection, waiting.workspace_id), waiting.document("Vacation policy")
    waiting.say("Vacation policy", "Robots", "nearest", waits=True)
    waiting.say("Vacation policy", "People", "default", waits=True)
    waiting.connection.execute("UPDATE doc_taxonomy SET reason = 'split of ''X''' WHERE confidence = 1")
    if how == "accept":
        decide(*key, document, waiting.node("People/Leave"), "accepted", "user:kim")
    else:
        assign(*key, document, [("People", "Leave")], "user:kim")
    assert waiting.topics("Vacation policy") == {"People/Leave": "person"}
    waiting.say("Vacation policy", "Robots", "nearest", waits=True)
    waiting.connection.execute("UPDATE doc_taxonomy SET reason = 'split of ''X''' WHERE origin = 'nearest'")
    waiting.connection.execute("DELETE FROM taxonomy_classified")
    waiting.classify()
    assert waiting.topics("Vacation policy") == {"People/Leave": "person"}


def test_what_searches_show_comes_first(waiting: Handbook) -> None:
    last = queue(waiting.connection, waiting.workspace_id).rows[-1]
    waiting.connection.execute(
        "INSERT INTO chunk_analytics (company_id, workspace_id, index_name, day, document_id, position, shown) "
        "SELECT company_id, workspace_id, 'default', current_date, %s, 0, 7 FROM workspace WHERE workspace_id = %s",
        [last.document_id, waiting.workspace_id],
    )
    first = queue(waiting.connection, waiting.workspace_id).rows[0]
    assert (first.document_id, first.shown) == (last.document_id, 7)


def test_an_accepted_topic_is_the_documents_and_the_other_suggestions_go(waiting: Handbook) -> None:
    document, node = waiting.document("Vacation policy"), waiting.node("People/Leave")
    said = decide(waiting.connection, waiting.workspace_id, document, node, "accepted", "user:kim")
    assert (said.verdict, said.accepted, spell_path(said.path), said.by) == (
        "accepted", node, "People/Leave", "user:kim"
    )  # fmt: skip
    assert waiting.topics("Vacation policy") == {"People/Leave": "person"}
    assert [row.title for row in queue(waiting.connection, waiting.workspace_id).rows] == ["Battery care"]
    assert waiting.classify().changed == 0
    assert waiting.topics("Vacation policy") == {"People/Leave": "person"}


def test_a_rejected_topic_never_comes_back(waiting: Handbook) -> None:
    document, node = waiting.document("Vacation policy"), waiting.node("People/Leave")
    decide(waiting.connection, waiting.workspace_id, document, node, "rejected", "user:kim")
    assert "People/Leave" not in waiting.topics("Vacation policy")
    waiting.classify()
    waiting.release({**TOPICS, "New": "a topic of another version"})
    waiting.classify()
    assert "People/Leave" not in waiting.topics("Vacation policy")
    shown = {row.title: row for row in queue(waiting.connection, waiting.workspace_id).rows}
    assert "Vacation policy" not in shown or spell_path(shown["Vacation policy"].path) != "People/Leave"


def test_another_topic_in_its_place(waiting: Handbook) -> None:
    document = waiting.document("Vacation policy")
    leave, hiring = waiting.node("People/Leave"), waiting.node("People/Hiring")
    said = decide(waiting.connection, waiting.workspace_id, document, leave, "accepted", "user:kim", other=hiring)
    assert (said.verdict, said.accepted, spell_path(said.path)) == ("rejected", hiring, "People/Hiring")
    assert waiting.topics("Vacation policy") == {"People/Hiring": "person"}
    rows = waiting.connection.execute("SELECT node_id, verdict FROM taxonomy_decision").fetchall()
    assert dict(rows) == {leave: "rejected", hiring: "accepted"}


def test_the_same_topic_in_its_place_is_accepted(waiting: Handbook) -> None:
    document, node = waiting.document("Vacation policy"), waiting.node("People/Leave")
    said = decide(waiting.connection, waiting.workspace_id, document, node, "rejected", "user:kim", other=node)
    assert (said.verdict, said.accepted) == ("accepted", node)


def test_a_topic_that_is_none_takes_no_place(waiting: Handbook) -> None:
    document, node = waiting.document("Vacation policy"), waiting.node("People/Leave")
    with pytest.raises(WrongUse, match="There is no topic"):
        decide(waiting.connection, waiting.workspace_id, document, node, "rejected", "user:kim", other=uuid4())
    assert next(iter(waiting.topics("Vacation policy"))) == "People/Leave"


def test_who_is_second_is_told_who_was_first(waiting: Handbook) -> None:
    document, node = waiting.document("Vacation policy"), waiting.node("People/Leave")
    decide(waiting.connection, waiting.workspace_id, document, node, "rejected", "user:kim")
    with pytest.raises(TopicDecided, match=r"user:kim has decided on this at .*: it is rejected"):
        decide(waiting.connection, waiting.workspace_id, document, node, "accepted", "user:lee")


def test_the_same_word_may_be_repeated_and_is_written_once(waiting: Handbook) -> None:
    document, node, other = waiting.document("Vacation policy"), waiting.node("People/Leave"), waiting.node("Robots")
    given = (waiting.connection, waiting.workspace_id, document, node)
    said = decide(*given, "rejected", "user:kim", other=other)
    assert decide(*given, "rejected", "user:kim", other=other) == said
    with pytest.raises(TopicDecided):
        decide(*given, "rejected", "user:kim", other=waiting.node("People"))
    with pytest.raises(TopicDecided):
        decide(*given, "rejected", "user:lee", other=other)
    assert scalar(waiting.connection, "SELECT count(*) FROM audit_logs WHERE starts_with(action, 'topic.')") == 1


def test_within_limits_nothing_else_waits(waiting: Handbook) -> None:
    shown = queue(waiting.connection, waiting.workspace_id, limits=(Filters(kinds=("row",)),))
    assert shown.rows == []
    assert queue(waiting.connection, waiting.workspace_id, limits=(Filters(kinds=("page",)),)).rows


def test_what_does_not_wait_is_not_decided_on(waiting: Handbook) -> None:
    with pytest.raises(WrongUse, match="Nothing of the kind waits"):
        decide(
            waiting.connection,
            waiting.workspace_id,
            waiting.document("Vacation policy"),
            uuid4(),
            "accepted",
            "user:kim",
        )


def test_without_a_taxonomy_nothing_is_decided(handbook: Handbook) -> None:
    with pytest.raises(UnknownTaxonomyVersion):
        decide(handbook.connection, handbook.workspace_id, uuid4(), uuid4(), "accepted", "user:kim")


def test_all_of_a_rule_at_once(waiting: Handbook) -> None:
    rule = add_rule(
        waiting.connection,
        waiting.workspace_id,
        "policies",
        waiting.node("People"),
        Conditions(title=("policy", "care")),
        confidence=0.7,
    )
    waiting.classify()
    filters = QueueFilters(rule=rule.rule_id)
    assert {row.rule for row in queue(waiting.connection, waiting.workspace_id, filters=filters).rows} == {"policies"}
    assert decide_all(waiting.connection, waiting.workspace_id, "accepted", "user:kim", filters) == 2
    assert waiting.topics("Battery care")["People"] == "person"
    assert decide_all(waiting.connection, waiting.workspace_id, "accepted", "user:kim", filters) == 0


def test_all_below_a_topic_at_once(waiting: Handbook) -> None:
    filters = QueueFilters(below=waiting.node("Robots"), origin="nearest")
    assert decide_all(waiting.connection, waiting.workspace_id, "rejected", "user:kim", filters) == 1
    assert "Robots/Batteries" not in waiting.topics("Battery care")
    ((details,),) = waiting.connection.execute(
        "SELECT details FROM audit_logs WHERE action = 'topic.rejected'"
    ).fetchall()
    assert details == {
        "documents": 1, "document_ids": [str(waiting.document("Battery care"))], "version": waiting.classify().version,
        "below": str(filters.below),
    }  # fmt: skip


def test_of_many_those_that_somebody_has_seen_are_decided_on(
    waiting: Handbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(review, "MOST_ROWS", 1)
    monkeypatch.setattr(review, "MOST_AT_ONCE", 1)
    key = waiting.connection, waiting.workspace_id
    rule = add_rule(*key, "all", waiting.node("People"), Conditions(title=("policy", "care", "규정")), confidence=0.7)
    waiting.classify()
    filters = QueueFilters(rule=rule.rule_id)
    seen = all_suggested(*key, filters)
    assert len(seen) == 3
    assert decide_all(*key, "accepted", "user:kim", filters, seen[:2]) == 2
    assert [row.document_id for row in all_suggested(*key, filters)] == [seen[2].document_id]


def test_what_somebody_decided_on_meanwhile_is_left_out(waiting: Handbook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(review, "find", lambda *_: None)
    filters = QueueFilters(below=waiting.node("Robots"))
    assert decide_all(waiting.connection, waiting.workspace_id, "rejected", "user:kim", filters) == 0


@pytest.fixture
def company(waiting: Handbook) -> UUID:
    found: UUID = scalar(waiting.connection, "SELECT company_id FROM workspace")
    return found


def test_a_company_decides_on_its_own_documents(waiting: Handbook, served: Database, company: UUID) -> None:
    key, node = waiting.workspace_id, waiting.node("People/Leave")
    with served.connection(company) as connection:
        assert {row.title for row in queue(connection, key).rows} == {"Battery care", "Vacation policy"}
        assert queue_counts(connection, key).documents == 2
        said = decide(connection, key, waiting.document("Vacation policy"), node, "accepted", "key:abcdefgh")
        with pytest.raises(TopicDecided):
            decide(connection, key, waiting.document("Vacation policy"), node, "rejected", "key:abcdefgh")
        filters = QueueFilters(below=waiting.node("Robots"))
        assert decide_all(connection, key, "rejected", "key:abcdefgh", filters) == 1
    assert said.by == "key:abcdefgh"
    assert waiting.topics("Vacation policy") == {"People/Leave": "person"}


def test_what_is_internal_waits_for_those_alone_who_may_see_it(
    waiting: Handbook, served: Database, company: UUID
) -> None:
    hidden, node = waiting.document("Vacation policy"), waiting.node("People/Leave")
    waiting.connection.execute("UPDATE document SET is_internal = true WHERE document_id = %s", [hidden])
    waiting.connection.execute("UPDATE source_page SET is_internal = true WHERE document_id = %s", [hidden])
    with served.connection(company) as connection:
        assert {row.title for row in queue(connection, waiting.workspace_id).rows} == {"Battery care"}
        assert queue_counts(connection, waiting.workspace_id).documents == 1
        with pytest.raises(WrongUse, match="Nothing of the kind waits"):
            decide(connection, waiting.workspace_id, hidden, node, "accepted", "key:abcdefgh")
    with served.connection(company, sees_internal=True) as connection:
        assert queue_counts(connection, waiting.workspace_id).documents == 2
        decide(connection, waiting.workspace_id, hidden, node, "accepted", "key:abcdefgh")


def test_everything_at_once_is_no_decision(waiting: Handbook) -> None:
    with pytest.raises(WrongUse, match="all of them at once"):
        decide_all(waiting.connection, waiting.workspace_id, "accepted", "user:kim", QueueFilters(origin="nearest"))


def test_who_chooses_another_suggestion_while_documents_are_classified_is_heard(
    waiting: Handbook, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = waiting.document("Battery care")
    (row,) = [row for row in queue(waiting.connection, waiting.workspace_id).rows if row.document_id == document]
    other = row.alternatives[0].node_id
    # The numbers are others: all suggestions of the document are written again, the first one first.
    waiting.connection.execute("UPDATE taxonomy_classified SET logic = 'of before'")
    waiting.connection.execute("UPDATE doc_taxonomy SET score = score + 1")
    load_sql, is_held, ways = review.load_sql, Event(), []

    def load(name: str) -> str:
        if name == "topic_accept" and not is_held.is_set():
            is_held.set()
            while not waits_for(waiting.connection, ways[0]):
                assert not classifying.done()
        return load_sql(name)

    monkeypatch.setattr(review, "load_sql", load)
    with ThreadPoolExecutor(1) as pool, closing(database.connect()) as person:
        ways.append(person.info.backend_pid)

        def classified() -> int:
            assert is_held.wait(60)
            with closing(database.connect()) as syncing:
                return classify(syncing, waiting.workspace_id, waiting.open_embedder).classified

        classifying = pool.submit(classified)
        said = decide(person, waiting.workspace_id, document, other, "accepted", "user:kim")
        assert classifying.result() == 3
    assert said.accepted == other
    assert list(waiting.topics("Battery care").values()) == ["person"]


def waits_for(connection: Connection, pid: int) -> bool:
    """Whether another session waits for this one."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE %s = ANY(pg_blocking_pids(pid))"
    return bool(scalar(connection, waiting, [pid]))
