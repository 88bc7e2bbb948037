"""`arcana report` shows what was learned, and `arcana usage purge` deletes it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from click.testing import CliRunner

from arcana_pipelines.audit import chain
from arcana_pipelines.cli.commands import report as report_command
from arcana_pipelines.cli.commands import usage as usage_command
from arcana_pipelines.errors import UnknownWorkspace, WrongUse
from arcana_pipelines.learning import counts, feedback
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.learning.test_week import PARKING, VACATION, Week
from arcana_pipelines_tests.learning.test_week import week as week

TABLES = ("query_cache", "search_answers", "search_feedback", "chunk_analytics", "api_usage_logs")


@pytest.fixture(autouse=True)
def opened(companies: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (report_command, usage_command):
        monkeypatch.setattr(module, "open_database", lambda: companies.database)


def run(command: Any, *arguments: str) -> Any:
    return CliRunner().invoke(command, arguments)


def report(*arguments: str) -> Any:
    done = run(report_command.command, *arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.output)["rows"]


def purge(*arguments: str) -> Any:
    done = run(usage_command.command, "purge", *arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


def left(week: Week) -> dict[str, int]:
    return {table: week.acme.rows(f"SELECT count(*) FROM {table}")[0][0] for table in TABLES}


class TestReport:
    def test_shows_each_for_people_and_for_programs(self, week: Week) -> None:
        rows = {what: len(report(what)) for what in ("questions", "unanswered", "pages", "stale", "indexes", "days")}
        assert rows == {"questions": 4, "unanswered": 3, "pages": 3, "stale": 2, "indexes": 2, "days": 14}
        assert report("unanswered", "acme", "--limit", "1")[0]["question"] == PARKING
        assert report("unanswered", "globex") == []
        (own,) = report("pages", "globex")
        assert (own["used"], own["shown"], own["workspace"]) == (7, 7, "globex")
        assert {each["embedding_cost"] for each in report("costs", "acme")} >= {"0.40"}
        for what, wanted in (("unanswered", VACATION), ("pages", "휴가 규정"), ("costs", "0.4000"), ("stale", "400")):
            shown = run(report_command.command, what)
            assert shown.exit_code == 0 and wanted in shown.output

    def test_counts_what_was_shown_since_the_night(self, week: Week) -> None:
        with week.acme.database.connection() as connection:
            connection.execute("DELETE FROM chunk_analytics")
        assert [each["shown"] for each in report("pages")] == [42, 7, 43]

    def test_shows_what_readers_wrote_of_which_answer(self, week: Week) -> None:
        with week.acme.database.connection() as connection:
            for words, verdict in (("Only last year's policy is there.", "no_answer"), ("낡았어요", "unhelpful")):
                connection.execute(
                    "UPDATE search_feedback SET comment = %s WHERE verdict = %s AND searched_at = "
                    "(SELECT max(searched_at) FROM search_feedback WHERE verdict = %s)",
                    [words, verdict, verdict],
                )
        of_page, of_answer = sorted(report("comments", "acme"), key=lambda row: str(row["verdict"]), reverse=True)
        assert (of_page["comment"], of_page["page"]) == ("낡았어요", "휴가 규정")
        assert (of_answer["comment"], of_answer["page"]) == ("Only last year's policy is there.", None)
        assert {of_page["question"], of_answer["question"]} == {VACATION} and of_page["key_id"] == "ourskey2"
        assert report("comments", "globex") == []

    def test_says_where_there_is_nothing_and_refuses_what_it_does_not_know(self, companies: Harness) -> None:
        for what in ("questions", "unanswered", "comments", "pages", "stale", "days"):
            assert report(what) == []
            assert run(report_command.command, what).output.startswith("No ")
        assert isinstance(run(report_command.command, "pages", "nowhere").exception, UnknownWorkspace)
        assert run(report_command.command, "secrets").exit_code == 2

    def test_shows_what_somebody_asked_as_text_and_nothing_else(self, week: Week) -> None:
        hostile = "[link=https://evil.example]\x1b[31m=cmd|'/c calc'!A0\u202e[/red]"
        with week.acme.database.connection() as connection:
            connection.execute("UPDATE query_cache SET question = %s WHERE asked = 15", [hostile])
        shown = run(report_command.command, "unanswered").output
        assert "[link=https://evil.example]" in shown and "\x1b" not in shown and "\u202e" not in shown
        assert report("unanswered")[0]["question"] == hostile


class TestPurge:
    def test_counts_and_changes_nothing_before_it_is_meant(self, week: Week) -> None:
        before = left(week)
        told = purge("--older-than", "0")
        assert told == {
            "deleted": False, "answers": 57, "feedback": 31, "questions": 4, "chunk_days": 28 + 7, "conversations": 0,
            "requests": 71,
        }  # fmt: skip
        shown = run(usage_command.command, "purge", "--older-than", "0")
        assert "would be deleted" in shown.output and "Give --yes" in shown.output
        assert left(week) == before and week.acme.rows("SELECT FROM audit_logs WHERE action = 'usage.purged'") == []

    def test_deletes_everything_and_tells_it_in_the_audit_log(self, week: Week) -> None:
        assert purge("--older-than", "0", "--yes")["deleted"] is True
        assert set(left(week).values()) == {0}
        with week.acme.database.connection() as connection:
            newest, *_ = chain.entries(connection, None, 1)
            assert chain.verified(connection).is_whole
        assert (newest.action, newest.object, newest.details["answers"]) == ("usage.purged", "usage", 57)
        assert purge("--older-than", "0", "--yes")["answers"] == 0
        assert len(week.acme.rows("SELECT FROM audit_logs WHERE action = 'usage.purged'")) == 1

    def test_leaves_what_is_younger(self, week: Week) -> None:
        purge("--older-than", "3", "--yes")
        assert week.acme.rows("SELECT bool_and(at > now() - interval '3 days') FROM search_answers") == [(True,)]
        assert week.acme.rows("SELECT question FROM query_cache WHERE question = %s", VACATION) != []
        assert 0 < left(week)["chunk_analytics"] < 35

    def test_of_a_workspace_leaves_the_other_company_s(self, week: Week) -> None:
        theirs = "SELECT to_jsonb(t) FROM {} t WHERE company_id = %s ORDER BY 1"
        before = [week.acme.rows(theirs.format(table), week.theirs.company_id) for table in TABLES]
        purge("--workspace", "acme", "--yes")
        assert before == [week.acme.rows(theirs.format(table), week.theirs.company_id) for table in TABLES]
        for table in TABLES:
            assert week.acme.rows(f"SELECT FROM {table} WHERE company_id = %s", week.ours.company_id) == []

    def test_of_a_key_takes_its_questions_off_those_that_others_share(self, week: Week) -> None:
        with week.acme.database.connection() as connection:
            connection.execute("UPDATE search_answers SET key_id = 'another2' WHERE request_id LIKE '7-%'")
        told = purge("--key", "ourskey2", "--yes")
        assert told["answers"] == 50 - 7 and told["questions"] == 0
        assert week.acme.rows(
            "SELECT question, asked, answered, cached FROM query_cache WHERE company_id = %s ORDER BY asked",
            week.ours.company_id,
        ) == [("What is for lunch?", 1, 0, 0), (PARKING, 2, 0, 0), (VACATION, 3, 3, 1)]
        times = week.acme.rows(
            "SELECT count(*) FROM query_cache q WHERE company_id = %s AND (first_asked_at, last_asked_at) = "
            "(SELECT min(at), max(at) FROM search_answers s WHERE s.query_hash = q.query_hash AND NOT s.is_continued "
            "AND s.company_id = q.company_id) AND last_answered_at IS NOT DISTINCT FROM (SELECT max(at) FROM "
            "search_answers s WHERE s.query_hash = q.query_hash AND s.is_answered AND NOT s.is_continued "
            "AND s.company_id = q.company_id)",
            week.ours.company_id,
        )
        assert times == [(3,)], "they are those of who is left"
        assert purge("--key", "another2", "--yes")["questions"] == 3
        assert week.acme.rows("SELECT DISTINCT key_id FROM search_answers") == [("theirkey",)]
        assert left(week)["chunk_analytics"] == 35

    def test_of_a_key_that_is_not_there_says_so(self, week: Week) -> None:
        refused = run(usage_command.command, "purge", "--key", "nope", "--yes")
        assert isinstance(refused.exception, WrongUse) and str(refused.exception).startswith("There is no key 'nope'.")
        # Nobody lists the people of an issuer: of one who never came there is nothing.
        assert purge("--key", "oauth-0123456789abcdef", "--yes")["requests"] == 0
        assert purge("--key", "ourskey2", "--yes")["requests"] > 0, "no key of the list, and known by its use"

    def test_keeps_nobody_waiting_for_ever_while_others_write(self, week: Week) -> None:
        failed: list[Exception] = []

        def again(act: Callable[[], object]) -> None:
            try:
                for _ in range(15):
                    act()
            except Exception as error:
                failed.append(error)

        def judge() -> None:
            with week.database.connection(week.theirs.company_id) as connection, connection.transaction():
                shown = feedback.find(connection, "theirkey", "1-0", week.of_theirs, 0)
                assert shown is not None
                feedback.keep(connection, week.database.settings, shown, "helpful", None)

        def forget(workspace_id: UUID | None, key_id: str | None) -> None:
            with week.acme.database.connection() as connection:
                counts.purge(connection, None, workspace_id, key_id)

        def count() -> None:
            with week.acme.database.connection() as connection:
                counts.count_chunks(connection, week.database.settings)
                counts.forget(connection, week.database.settings, datetime.now(UTC))

        acts = (
            lambda: week._ask(week.theirs, "theirkey", 1, [(VACATION, ((week.of_theirs, 0),), True, False, False)]),
            judge,
            count,
            lambda: forget(week.ours.workspace_id, None),
            lambda: forget(None, "oauth-nobody"),
        )
        threads = [threading.Thread(target=again, args=(act,)) for act in acts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []
        assert week.acme.rows("SELECT asked FROM query_cache") == [(7 + 15,)]

    def test_takes_conversations_whole_with_what_was_asked_in_them(self, week: Week) -> None:
        for workspace, key_id, days in (
            (week.ours, "ourskey2", 5),
            (week.ours, "another2", 1),
            (week.theirs, "ourskey2", 5),
        ):
            for turn, question in enumerate((None, "How many days?", "and in Berlin?")):
                week.acme.rows(
                    "INSERT INTO conversation_context "
                    "VALUES (md5(%s)::uuid, %s, %s, %s, 'default', %s, %s, now() - make_interval(days => %s), 0, "
                    "now()) RETURNING 1",
                    f"{workspace.slug} {key_id}", turn, workspace.company_id, workspace.workspace_id, key_id, question,
                    0 if turn == 2 else days,
                )  # fmt: skip
        left = "SELECT DISTINCT workspace_id, key_id FROM conversation_context"
        assert purge("--workspace", "acme", "--older-than", "3", "--yes")["conversations"] == 1
        assert sorted(week.acme.rows(left)) == sorted(
            [(week.ours.workspace_id, "another2"), (week.theirs.workspace_id, "ourskey2")]
        )
        assert purge("--key", "ourskey2", "--yes")["conversations"] == 1
        assert week.acme.rows(f"{left}") == [(week.ours.workspace_id, "another2")]

    def test_of_nothing_in_particular_is_refused(self, week: Week) -> None:
        assert isinstance(run(usage_command.command, "purge", "--yes").exception, WrongUse)
        assert isinstance(run(usage_command.command, "purge", "--workspace", "nowhere").exception, UnknownWorkspace)

    def test_what_embeddings_cost_is_shown_as_before(self, week: Week) -> None:
        for arguments in ([], ["acme"], ["--json"], ["show", "acme", "--json"], ["acme", "--keys", "--json"]):
            assert run(usage_command.command, *arguments).exit_code == 0
        assert "purge" in run(usage_command.command, "--help").output
