"""A week of two companies, made beforehand, and every number that is told of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from click.testing import CliRunner

from arcana_pipelines.cli.commands import eval as eval_command
from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.evaluation import quality
from arcana_pipelines.evaluation.golden import read_golden
from arcana_pipelines.keys.usage import Used
from arcana_pipelines.keys.usage import record as record_use
from arcana_pipelines.learning import answers, counts, feedback, reports
from arcana_pipelines.learning.answers import Answer, Asked
from arcana_pipelines.learning.feedback import Verdict
from arcana_pipelines.learning.questions import kept
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines.workspaces.workspaces import Workspace
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.web.conftest import serving

DAYS = range(1, 8)
VACATION, PARKING, CANTEEN = "How many days of vacation?", "Where do I park?", "What is for lunch?"


def noon(days_ago: int) -> datetime:
    today = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    return today - timedelta(days=days_ago)


class Week:
    """Seven days, the last of which was yesterday.

    On each, Acme asks for vacation three times (shown: the first page's two passages, and the second page's; once from
    the cache), for parking twice (only the second page comes near), for lunch once (nothing does), and looks at further
    hits once. Yesterday parking is asked once more and answered. Globex asks for vacation once a day.
    """

    def __init__(self, acme: Harness, database: Database) -> None:
        self.acme, self.database = acme, database
        with acme.database.connection() as connection:
            self.ours, self.theirs = (workspaces.find(connection, slug) for slug in ("acme", "globex"))
            self.first, self.second = self._pages(connection, self.ours)
            self.of_theirs, _ = self._pages(connection, self.theirs)
        for day in DAYS:
            self._of_acme(day)
            self._of_globex(day)
        with acme.database.connection() as connection:
            self._edits_and_costs(connection)
            counts.count_chunks(connection, database.settings)

    def _pages(self, connection: Connection, workspace: Workspace) -> list[UUID]:
        rows = connection.execute(
            "SELECT document_id FROM source_page WHERE workspace_id = %s AND title IN ('Vacation policy', '휴가 규정') "
            "ORDER BY title DESC",
            [workspace.workspace_id],
        )
        return [page for (page,) in rows.fetchall()][::-1]

    def _of_acme(self, day: int) -> None:
        both = ((self.first, 0), (self.first, 1), (self.second, 0))
        asked = [
            (VACATION, both, True, False, False),
            (VACATION, both, True, False, False),
            (VACATION, both, True, True, False),
            (PARKING, ((self.second, 0),), False, False, False),
            (PARKING, ((self.second, 0),), False, False, False),
            (CANTEEN, (), False, False, False),
            (VACATION, ((self.second, 1),), True, False, True),
        ]
        if day == 1:
            asked.append((PARKING, ((self.second, 0),), True, False, False))
        self._ask(self.ours, "ourskey2", day, asked)
        said: list[tuple[int, Verdict, UUID | None, int | None]] = [
            (0, "helpful", self.first, 0),
            (0, "opened", self.first, 1),
            (1, "unhelpful", self.second, 0),
            (1, "unhelpful", self.second, 0),
        ]
        if day <= 3:
            said.append((2, "no_answer", None, None))
        self._say(self.ours, "ourskey2", day, said)
        with self.database.connection() as connection:
            requests = [self._used(self.ours, "ourskey2", day, 200, 10 * n, 5) for n in range(1, len(asked) + 1)]
            refused = self._used(self.ours, "ourskey2", day, 429, 1, None, requests=4)
            failed = self._used(self.ours, "ourskey2", day, 503, 900, None)
            record_use(connection, [*requests, refused, failed])

    def _of_globex(self, day: int) -> None:
        self._ask(self.theirs, "theirkey", day, [(VACATION, ((self.of_theirs, 0),), True, False, False)])
        self._say(self.theirs, "theirkey", day, [(0, "used", self.of_theirs, 0)])
        with self.database.connection() as connection:
            record_use(connection, [self._used(self.theirs, "theirkey", day, 200, 40, 7)])

    def _ask(self, workspace: Workspace, key_id: str, day: int, asked: list[Any]) -> None:
        rows = [
            Answer(
                workspace.company_id,
                key_id,
                f"{day}-{number}",
                Asked(
                    workspace.workspace_id, "default", kept(question, workspace.company_id, self.database.settings),
                    tuple((str(document), position) for document, position in shown), answered, cached, continued,
                    noon(day) + timedelta(minutes=number),
                ),
            )
            for number, (question, shown, answered, cached, continued) in enumerate(asked)
        ]  # fmt: skip
        with self.database.connection(workspace.company_id) as connection:
            answers.record(connection, rows)

    def _say(self, workspace: Workspace, key_id: str, day: int, said: list[Any]) -> None:
        with self.database.connection(workspace.company_id) as connection:
            for number, verdict, document, position in said:
                shown = feedback.find(connection, key_id, f"{day}-{number}", document, position)
                assert shown is not None
                feedback.keep(connection, self.database.settings, shown, verdict, None)

    def _used(
        self, workspace: Workspace, key_id: str, day: int, status: int, ms: int, tokens: int | None, requests: int = 1
    ) -> Used:
        hits = 3 if tokens else None
        return Used(noon(day), key_id, workspace.company_id, workspace.workspace_id, "search", "/v1", status, ms, hits,
                    tokens, "r", requests)  # fmt: skip

    def _edits_and_costs(self, connection: Connection) -> None:
        connection.execute("UPDATE source_page SET last_edited_at = now() - interval '10 days'")
        connection.execute(
            "UPDATE source_page SET last_edited_at = now() - interval '400 days' WHERE document_id = ANY (%s)",
            [[self.first, self.of_theirs]],
        )
        connection.execute("UPDATE rag_indexes SET embedding_model = 'text-embedding-3-small'")
        connection.execute("DELETE FROM embedding_usage")
        for workspace, tokens, cost in ((self.ours, 20_000, "0.40"), (self.theirs, 500, "0.01")):
            connection.execute(
                "INSERT INTO embedding_usage VALUES (%s, %s, 'text-embedding-3-small', 'standard', 100, %s, %s, 1)",
                [workspace.workspace_id, noon(1).date().replace(day=1), tokens, Decimal(cost)],
            )


@pytest.fixture
def week(companies: Harness) -> Iterator[Week]:
    database = serving(companies.database)
    yield Week(companies, database)
    database.close()


def told(row: Any, *names: str) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in names)


class TestReports:
    def read(self, week: Week, kind: type[Any], of: Workspace | None = None) -> list[Any]:
        with week.acme.database.connection() as connection:
            return reports.read(connection, kind, of and of.workspace_id, 1000)

    def test_questions_without_an_answer(self, week: Week) -> None:
        found = self.read(week, reports.OpenQuestion)
        facts = ("workspace", "question", "asked", "unanswered", "no_answer", "is_answered_now")
        assert [told(each, *facts) for each in found] == [
            ("acme", PARKING, 15, 14, 0, True),
            ("acme", CANTEEN, 7, 7, 0, False),
            ("acme", VACATION, 21, 0, 3, True),
        ]
        assert found[0].last_asked_at == noon(1) + timedelta(minutes=7) and len(found[0].question_id) == 12

    def test_questions_that_were_asked_most(self, week: Week) -> None:
        with week.acme.database.connection() as connection:
            found = reports.questions(connection, None, 10)
        assert [told(each, "workspace", "question", "asked", "answered_share", "cached_share") for each in found] == [
            ("acme", VACATION, 21, 1.0, 0.333),
            ("acme", PARKING, 15, 0.067, 0.0),
            ("acme", CANTEEN, 7, 0.0, 0.0),
            ("globex", VACATION, 7, 1.0, 0.0),
        ]
        assert found[0].first_asked_at == noon(7) and found[0].last_asked_at == noon(1) + timedelta(minutes=2)

    def test_pages_that_answer_most(self, week: Week) -> None:
        found = self.read(week, reports.ShownPage)
        facts = ("workspace", "title", "shown", "opened", "used", "helpful", "unhelpful", "last_shown_on")
        yesterday = noon(1).date()
        # The first page: two passages, three times a day; the second one: three, two and one a day, and one more.
        assert [told(each, *facts) for each in found] == [
            ("acme", "Vacation policy", 7 * 6, 7, 0, 7, 0, yesterday),
            ("globex", "Vacation policy", 7, 0, 7, 0, 0, yesterday),
            ("acme", "휴가 규정", 7 * 6 + 1, 0, 0, 0, 7, yesterday),
        ]
        assert [each.workspace for each in self.read(week, reports.ShownPage, week.theirs)] == ["globex"]

    def test_stale_pages_that_are_shown(self, week: Week) -> None:
        found = self.read(week, reports.StalePage)
        assert [told(each, "workspace", "title", "shown", "unhelpful", "days_unedited") for each in found] == [
            ("acme", "Vacation policy", 42, 0, 400),
            ("globex", "Vacation policy", 7, 0, 400),
        ]

    def test_indexes(self, week: Week) -> None:
        found = self.read(week, reports.IndexUse)
        facts = (
            "workspace",
            "index",
            "documents",
            "searches",
            "answered",
            "cached",
            "helpful",
            "unhelpful",
            "no_answer",
        )
        assert [told(each, *facts) for each in found] == [
            ("acme", "default", 2, 7 * 6 + 1, 7 * 3 + 1, 7, 7, 7, 3),
            ("globex", "default", 2, 7, 7, 0, 0, 0, 0),
        ]

    def test_days(self, week: Week) -> None:
        found = self.read(week, reports.DayOfUse)
        facts = ("day", "workspace", "key_id", "requests", "searches", "refused", "failed", "hits", "tokens", "p50_ms",
                 "p95_ms")  # fmt: skip
        wanted = []
        for day in DAYS:
            searches = 8 if day == 1 else 7
            row = (noon(day).date(), "acme", "ourskey2", searches + 5, searches, 4, 1, 3 * searches, 5 * searches)
            wanted.append((*row, 50 if day == 1 else 40, 900))
            wanted.append((noon(day).date(), "globex", "theirkey", 1, 1, 0, 0, 3, 7, 40, 40))
        assert [told(each, *facts) for each in found] == wanted

    def test_costs(self, week: Week) -> None:
        with week.acme.database.connection() as connection:
            found = reports.costs(connection, week.acme.database.settings, None, 1000)
        searches = Counter(noon(day).date().replace(day=1) for day in DAYS for _ in range(8 if day == 1 else 7))
        newest = noon(1).date().replace(day=1)
        for each in found:
            per_day = searches if each.workspace == "acme" else Counter(noon(day).date().replace(day=1) for day in DAYS)
            tokens = 5 if each.workspace == "acme" else 7
            assert each.searches == per_day[each.month] and each.question_tokens == tokens * per_day[each.month]
            assert each.question_cost == Decimal("0.02") * each.question_tokens / 1_000_000
        embedded = {
            each.workspace: told(each, "texts", "tokens", "embedding_cost") for each in found if each.month == newest
        }
        assert embedded == {"acme": (100, 20_000, Decimal("0.40")), "globex": (100, 500, Decimal("0.01"))}
        assert found[0].workspace == "acme" and found[0].total == Decimal("0.40") + found[0].question_cost

    def test_a_company_sees_of_each_its_own_alone(self, week: Week) -> None:
        views = ("v_zero_results", "v_top_pages", "v_stale_hits", "v_index_stats", "v_workspace_stats", "v_usage_daily")
        for view in views:
            seen = {}
            for workspace in (week.ours, week.theirs):
                with week.database.connection(workspace.company_id) as connection:
                    statement = f"SELECT company_id, to_jsonb(v) - 'updated' FROM {view} v ORDER BY to_jsonb(v)::text"
                    rows = connection.execute(statement).fetchall()  # type: ignore[arg-type]
                assert {company for company, _ in rows} <= {workspace.company_id}, view
                seen[workspace.slug] = [row for _, row in rows]
            everything = week.acme.rows(f"SELECT to_jsonb(v) - 'updated' FROM {view} v")
            assert len(seen["acme"]) > 0
            assert sorted(map(str, seen["acme"] + seen["globex"])) == sorted(str(row) for (row,) in everything), view


class TestCounts:
    def test_are_the_same_however_often_they_are_made(self, week: Week) -> None:
        before = week.acme.rows("SELECT * FROM chunk_analytics ORDER BY 1, 2, 3, 4, 5, 6")
        with week.acme.database.connection() as connection:
            for _ in range(2):
                assert counts.count_chunks(connection, week.database.settings) > 0
        assert week.acme.rows("SELECT * FROM chunk_analytics ORDER BY 1, 2, 3, 4, 5, 6") == before
        assert sum(row[6] for row in before) == 42 + 43 + 7

    def test_take_up_what_was_said_later_of_an_earlier_day(self, week: Week) -> None:
        with week.database.connection(week.ours.company_id) as connection:
            shown = feedback.find(connection, "ourskey2", "6-1", week.first, 0)
            assert shown is not None
            feedback.keep(connection, week.database.settings, shown, "helpful", None)
            again = feedback.find(connection, "ourskey2", "6-0", week.first, 0)
            assert again is not None
            feedback.keep(connection, week.database.settings, again, "unhelpful", None)  # another opinion
        with week.acme.database.connection() as connection:
            counts.count_chunks(connection, week.database.settings)
        assert week.acme.rows(
            "SELECT helpful, unhelpful FROM chunk_analytics WHERE day = %s AND document_id = %s AND position = 0",
            noon(6).date(), week.first,
        ) == [(1, 1)]  # fmt: skip

    def test_of_a_day_whose_answers_are_going_stay_as_they_were(self, week: Week) -> None:
        before = week.acme.rows("SELECT * FROM chunk_analytics ORDER BY 1, 2, 3, 4, 5, 6")
        short = week.database.settings.model_copy(update={"search_log_days": 4})
        with week.acme.database.connection() as connection:
            counts.forget(connection, short, datetime.now(UTC))
            connection.execute("UPDATE search_feedback SET at = now()")
            counts.count_chunks(connection, short)
        assert week.acme.rows("SELECT * FROM chunk_analytics ORDER BY 1, 2, 3, 4, 5, 6") == before
        assert week.acme.rows("SELECT count(DISTINCT at::date) < 5 FROM search_answers") == [(True,)]


class TestForgetting:
    def left(self, week: Week) -> dict[str, int]:
        tables = ("search_answers", "search_feedback", "query_cache", "chunk_analytics", "system_health")
        return {table: week.acme.rows(f"SELECT count(*) FROM {table}")[0][0] for table in tables}

    def forget(self, week: Week, now: datetime, **changes: Any) -> None:
        with week.acme.database.connection() as connection:
            counts.forget(connection, week.database.settings.model_copy(update=changes), now)

    def test_takes_each_table_at_its_own_time(self, week: Week) -> None:
        with week.database.connection(week.ours.company_id) as connection:
            shown = feedback.find(connection, "ourskey2", "1-0", week.first, 0)
            assert shown is not None
            feedback.keep(connection, week.database.settings, shown, "helpful", "Danke")
        before = self.left(week)
        now = datetime.now(UTC)
        self.forget(week, now)
        assert self.left(week) == before
        self.forget(week, now + timedelta(days=31))
        assert self.left(week) == {**before, "search_answers": 0}
        self.forget(week, now + timedelta(days=91))
        assert self.left(week) == {**before, "search_answers": 0, "query_cache": 0}
        assert week.acme.rows("SELECT count(comment) FROM search_feedback") == [(0,)]
        self.forget(week, now + timedelta(days=31 * 15))
        assert set(self.left(week).values()) == {0}

    def test_leaves_a_question_that_is_asked_again(self, week: Week) -> None:
        with week.acme.database.connection() as connection:
            connection.execute("UPDATE query_cache SET first_asked_at = now() - interval '1 year'")
            connection.execute("UPDATE query_cache SET last_asked_at = now() - interval '1 year' WHERE asked = 7")
        self.forget(week, datetime.now(UTC))
        assert week.acme.rows("SELECT asked FROM query_cache ORDER BY 1") == [(15,), (21,)]


class TestGoldenQuestionsFromFeedback:
    def drafts(self, week: Week) -> list[Any]:
        with week.acme.database.connection() as connection:
            return quality.suggest_from_feedback(connection, week.ours.workspace_id, 10)

    def page(self, week: Week, document: UUID) -> str:
        ((page,),) = week.acme.rows("SELECT external_id FROM source_page WHERE document_id = %s", document)
        return str(page)

    def test_are_what_readers_asked_with_the_pages_that_helped_them(self, week: Week) -> None:
        (draft,) = self.drafts(week)
        assert draft.query == VACATION
        assert [(each.external_id, each.grade) for each in draft.relevant] == [(self.page(week, week.first), 3)]

    def test_can_be_kept_and_are_not_proposed_again(self, week: Week) -> None:
        drafts = read_golden("\n".join(each.model_dump_json() for each in self.drafts(week)).encode())
        with week.acme.database.connection() as connection:
            quality.save_golden(connection, week.ours.workspace_id, drafts)
        assert self.drafts(week) == []

    def test_leave_out_what_was_not_helpful_and_what_was_masked_or_is_gone(self, week: Week) -> None:
        with week.acme.database.connection() as connection:
            connection.execute("UPDATE query_cache SET question = 'Who has <number>?' WHERE asked = 21")
        assert self.drafts(week) == []
        with week.acme.database.connection() as connection:
            connection.execute("UPDATE query_cache SET question = 'Who?' WHERE asked = 21")
        assert len(self.drafts(week)) == 1
        with week.acme.database.connection() as connection:
            connection.execute("UPDATE source_page SET removed_at = now() WHERE document_id = %s", [week.first])
        assert self.drafts(week) == []

    def test_are_written_as_golden_questions_are_read(self, week: Week, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DATABASE_URL", week.acme.database.url)
        monkeypatch.setenv("ARCANA_HOME", str(week.acme.database.settings.home))

        def run(*arguments: str) -> Any:
            return CliRunner().invoke(eval_command.command, arguments)

        done = run("acme", "--suggest", "--from-feedback")
        (line, *said) = done.output.splitlines()
        assert json.loads(line)["query"] == VACATION and said[0].startswith("1 drafts.")
        week.acme.rows("DELETE FROM search_feedback RETURNING 1")
        assert run("acme", "--suggest", "--from-feedback").output.startswith("Nobody has said of an answer yet")
        assert isinstance(run("acme", "--from-feedback").exception, WrongUse)
