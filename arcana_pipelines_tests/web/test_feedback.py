"""What readers say of answers is kept for those who were given them, and for nobody else."""

from __future__ import annotations

import json
import threading
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from mcp import Client

from arcana_pipelines.errors import DatabaseUnreachable
from arcana_pipelines.keys import keys
from arcana_pipelines.keys.access import Permission
from arcana_pipelines.learning.questions import KeptQuestion
from arcana_pipelines.mcp.ids import read_id
from arcana_pipelines.web import use
from arcana_pipelines.web.problems import MEDIA_TYPE
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.mcp.conftest import ERAS
from arcana_pipelines_tests.web.conftest import SALT, SEARCH, Api, served, serving
from arcana_pipelines_tests.web.test_assistants import ask

STORE = "/v1/vector_stores/acme/search"
NOWHERE = "The key was given no such answer"


def search(client: httpx.Client, query: str = "days of vacation", **more: Any) -> dict[str, Any]:
    answer = client.post(SEARCH, json={"query": query, **more})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def say(client: httpx.Client, answer: dict[str, Any], verdict: str, hit: int | None = 0, **more: Any) -> httpx.Response:
    body = {"request_id": answer["request_id"], "verdict": verdict, **more}
    if hit is not None:
        shown = (answer["hits"] or answer["nearest"])[hit]
        body = {"document_id": shown["document_id"], "position": shown["position"], **body}
    return client.post("/v1/feedback", json=body)


def said(acme: Harness, facts: str = "verdict") -> list[tuple[Any, ...]]:
    return acme.rows(f"SELECT {facts} FROM search_feedback ORDER BY at")


def refused(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status and answer.headers["content-type"] == MEDIA_TYPE, answer.text
    return str(answer.json()["detail"])


@pytest.fixture(autouse=True)
def seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written by the clock within a test: what was given a moment ago waits."""
    monkeypatch.setattr(use, "FLUSH_SECONDS", 3600)


class TestWhatIsSaid:
    def test_of_a_hit_is_kept_with_its_place_and_its_question(self, api: Api) -> None:
        with api.client("search", "feedback") as client:
            answer = search(client)
            assert say(client, answer, "helpful", comment="Danke!  mail ada@example.com").status_code == 204
        (row,) = said(api.acme, "verdict, place, position, index_name, comment, request_id, document_id")
        hit = answer["hits"][0]
        assert row[:5] == ("helpful", 1, hit["position"], "default", "Danke! mail <address>")
        assert (row[5], str(row[6])) == (answer["request_id"], hit["document_id"])
        assert api.acme.rows(
            "SELECT q.question, q.asked FROM query_cache q JOIN search_feedback USING (workspace_id, query_hash)"
        ) == [("days of vacation", 1)]

    def test_of_a_document_is_said_of_its_first_hit(self, api: Api) -> None:
        with api.client("search", "feedback") as client:
            answer = search(client)
            document = answer["hits"][0]["document_id"]
            body = {"request_id": answer["request_id"], "verdict": "used", "document_id": document}
            assert client.post("/v1/feedback", json=body).status_code == 204
        assert said(api.acme, "verdict, place") == [("used", 1)]

    def test_again_changes_nothing_and_the_later_of_two_judgements_holds(self, api: Api) -> None:
        with api.client("search", "feedback") as client:
            answer = search(client)
            for verdict in ("helpful", "helpful", "opened", "unhelpful", "opened"):
                assert say(client, answer, verdict).status_code == 204
            assert say(client, answer, "no_answer", None).status_code == 204
            assert say(client, answer, "no_answer", None).status_code == 204
        assert sorted(said(api.acme)) == [("no_answer",), ("opened",), ("unhelpful",)]

    def test_of_what_comes_nearest_is_kept_too(self, api: Api) -> None:
        with api.client("search", "feedback") as client:
            answer = search(client, "submarine torpedoes", min_score=0.99)
            assert answer["hits"] == [] and answer["nearest"]
            assert say(client, answer, "unhelpful").status_code == 204
        assert api.acme.rows("SELECT is_answered FROM search_answers") == [(False,)]

    def test_of_what_a_vector_store_found_is_kept_by_the_id_in_the_header(self, api: Api) -> None:
        with api.client("search", "feedback") as client:
            found = client.post(STORE, json={"query": ["vacation", "휴가"]})
            (document, *_) = [each["file_id"] for each in found.json()["data"]]
            body = {"request_id": found.headers["x-request-id"], "verdict": "used", "document_id": document}
            assert client.post("/v1/feedback", json=body).status_code == 204
        assert len(api.acme.rows("SELECT FROM search_answers")) == 2 and len(said(api.acme)) == 1

    def test_with_the_key_that_took_the_place_of_the_first_is_of_the_same_answer(self, api: Api) -> None:
        key = api.key("search", "feedback")
        with api.with_key(key.key) as client:
            answer = search(client)
            assert say(client, answer, "helpful").status_code == 204
        with api.acme.database.connection() as connection:
            new = keys.rotate(connection, SALT, key.key_id)
        with api.with_key(new.key) as client:
            assert say(client, answer, "unhelpful").status_code == 204
            later = search(client)
        with api.with_key(key.key) as client:
            assert say(client, later, "opened").status_code == 204
        assert said(api.acme, "verdict, key_id") == [("unhelpful", key.key_id), ("opened", new.key_id)]

    def test_with_a_token_of_the_key_is_its_own(self, api: Api) -> None:
        with api.client("search", "feedback") as client:
            answer = search(client)
            token = client.post("/v1/tokens", json={"scopes": ["feedback"]}).json()["token"]
        with api.with_key(token) as client:
            assert say(client, answer, "helpful").status_code == 204

    def test_by_many_at_once_is_kept_once(self, api: Api) -> None:
        with api.client("search", "feedback") as client:
            answer = search(client)
            statuses: list[int] = []

            def judge(verdict: str) -> None:
                statuses.append(say(client, answer, verdict).status_code)

            threads = [threading.Thread(target=judge, args=(("helpful", "unhelpful")[n % 2],)) for n in range(16)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert statuses == [204] * 16 and len(said(api.acme)) == 1


class TestWhatIsNotThere:
    def test_is_answered_alike_whatever_the_reason(self, api: Api) -> None:
        with api.client("search", "feedback") as client, api.client("search", "feedback", slug="globex") as theirs:
            answer = search(client)
            foreign = theirs.post("/v1/workspaces/globex/search", json={"query": "vacation"}).json()
            other = api.client("search", "feedback")
            document = answer["hits"][0]["document_id"]
            tries = [
                say(other, answer, "helpful"),  # of another key of the same company
                say(theirs, answer, "helpful"),
                say(client, foreign, "helpful"),
                say(client, {**answer, "request_id": "never-asked"}, "helpful"),
                say(client, answer, "helpful", None, document_id=str(uuid4())),
                say(client, answer, "helpful", None, document_id=foreign["hits"][0]["document_id"]),
                say(client, answer, "helpful", None, document_id=document, position=4711),
                say(client, {**answer, "request_id": "never-asked"}, "no_answer", None),
            ]
            other.close()
        assert len({refused(each, 404) for each in tries}) == 1 and NOWHERE in tries[0].json()["detail"]
        assert said(api.acme) == []

    def test_cannot_be_told_from_what_is_forgotten(self, api: Api) -> None:
        with api.client("search", "feedback") as client:
            answer = search(client)
            assert say(client, answer, "opened").status_code == 204
            with api.acme.database.connection() as connection:
                connection.execute("DELETE FROM search_answers")
            assert NOWHERE in refused(say(client, answer, "helpful"), 404)
        assert said(api.acme) == [("opened",)]

    def test_without_the_scope_nothing_is_said(self, api: Api) -> None:
        key = api.key("search")
        with api.with_key(key.key) as client:
            answer = search(client)
            assert "'feedback'" in refused(say(client, answer, "helpful"), 403)
            assert refused(say(client, {**answer, "request_id": "never-asked"}, "helpful"), 403)

    def test_a_key_for_feedback_elsewhere_says_nothing_here(self, api: Api) -> None:
        api.acme.register(api.acme.database, api.acme.world, api.acme.server, "annex")
        with api.acme.database.connection() as connection:
            acme, annex = (workspaces.find(connection, slug) for slug in ("acme", "annex"))
            granted = [Permission("search", acme.workspace_id, None), Permission("feedback", annex.workspace_id, None)]
            key = keys.create(connection, SALT, acme.company_id, granted, "test")
        with api.with_key(key.key) as client:
            answer = search(client)
            assert "'feedback'" in refused(say(client, answer, "helpful"), 403)

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"request_id": "a", "verdict": "great", "document_id": str(uuid4())},
            {"request_id": "a", "verdict": "helpful"},
            {"request_id": "a", "verdict": "helpful", "position": 0},
            {"request_id": "a", "verdict": "no_answer", "document_id": str(uuid4())},
            {"request_id": "a", "verdict": "helpful", "document_id": "1 OR 1=1"},
            {"request_id": "a", "verdict": "helpful", "document_id": str(uuid4()), "position": -1},
            {"request_id": "a", "verdict": "helpful", "document_id": str(uuid4()), "position": 2**31},
            {"request_id": "a", "verdict": "helpful", "document_id": str(uuid4()), "position": 10**400},
            {"request_id": "a\x00b", "verdict": "no_answer"},
            {"request_id": "a" * 65, "verdict": "no_answer"},
            {"request_id": "a", "verdict": "no_answer", "comment": "\x00"},
            {"request_id": "a", "verdict": "no_answer", "comment": "\ud800"},
            {"request_id": "a", "verdict": "no_answer", "comment": "x" * 1001},
            {"request_id": "a", "verdict": "no_answer", "key_id": "abcdefgh"},
            {"request_id": ["a"], "verdict": "no_answer"},
        ],
    )
    def test_what_cannot_be_meant_is_refused(self, shared_api: Api, body: dict[str, Any]) -> None:
        with shared_api.client("search", "feedback") as client:
            sent = client.post("/v1/feedback", content=json.dumps(body), headers={"Content-Type": "application/json"})
            assert refused(sent, 422)

    def test_a_comment_is_not_kept_where_texts_are_not(self, companies: Harness) -> None:
        for keep, wanted in (("hash", [(None, 1)]), ("off", [])):
            with served(companies, keep_questions=keep) as api, api.client("search", "feedback") as client:
                assert say(client, search(client), "helpful", comment="mine alone").status_code == 204
            assert said(companies, "comment") == [(None,)]
            assert companies.rows("SELECT question, asked FROM query_cache") == wanted
            for table in ("query_cache", "search_feedback", "search_answers"):
                with companies.database.connection() as connection:
                    connection.execute(f"DELETE FROM {table}")  # type: ignore[arg-type]


class TestBetweenAnAnswerAndWhatIsSaidOfIt:
    def test_a_server_that_stops_and_begins_again_knows_it(self, companies: Harness) -> None:
        key = None
        with served(companies) as api:
            key = api.key("search", "feedback")
            with api.with_key(key.key) as client:
                answer = search(client)
        with served(companies) as api, api.with_key(key.key) as client:
            assert say(client, answer, "helpful").status_code == 204

    def test_a_database_whose_connections_end_loses_nothing(self, api: Api) -> None:
        with api.client("search", "feedback") as client:
            answer = search(client)
            with api.acme.superuser() as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE usename = 'arcana_server' AND datname = current_database()"
                )
            statuses = [say(client, answer, "helpful").status_code for _ in range(4)]
        assert statuses[-1] == 204 and set(statuses) <= {204, 404, 503}
        assert said(api.acme) == [("helpful",)]

    def test_it_waits_while_it_cannot_be_written_and_is_counted_once(
        self, api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        record = use.record_answers
        failures = [DatabaseUnreachable("The database is away."), psycopg.errors.DeadlockDetected("deadlock detected")]

        def fails(*given: Any) -> None:
            if failures:
                raise failures.pop()
            record(*given)

        with api.client("search", "feedback") as client:
            monkeypatch.setattr(use, "record_answers", fails)
            answer = search(client)
            assert refused(say(client, answer, "helpful"), 404)
            assert refused(say(client, answer, "helpful"), 404)
            assert say(client, answer, "helpful").status_code == 204
        assert api.acme.rows("SELECT asked FROM query_cache") == [(1,)]
        assert caplog.text.count("what was asked waits") == 1

    def test_one_that_is_being_written_by_the_clock_is_waited_for(
        self, api: Api, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        begun, go_on = threading.Event(), threading.Event()
        record = use.record_answers

        def slow(*given: Any) -> None:
            begun.set()
            go_on.wait(10)
            record(*given)

        monkeypatch.setattr(use, "record_answers", slow)
        with api.client("search", "feedback") as client:
            answer, later = search(client), []
            first = threading.Thread(target=lambda: later.append(say(client, answer, "opened").status_code))
            first.start()
            assert begun.wait(10)
            second = threading.Thread(target=lambda: later.append(say(client, answer, "helpful").status_code))
            second.start()
            second.join(0.3)
            go_on.set()
            first.join()
            second.join()
        assert later == [204, 204]


class TestWhatIsNoted:
    def test_is_each_answered_search_once_with_what_was_shown(self, api: Api) -> None:
        with api.client("search", "read") as client:
            first = search(client, "days of vacation", k=1)
            search(client, "Days  of vacation", k=1)
            client.get(SEARCH, params={"query": "days of vacation", "k": 0})
            client.post(SEARCH, json={"query": "vacation", "index": "nowhere"})
            search(client, "days of vacation", k=1, min_score=0)
            further = search(client, "vacation days", k=1, min_score=0)
            search(client, "vacation days", k=1, min_score=0, after=further["cursor"])
            client.get("/v1/workspaces")
        rows = api.acme.rows
        with api.client("feedback") as client:
            client.post("/v1/feedback", json={"request_id": "none", "verdict": "no_answer"})  # writes what waits
        assert rows("SELECT question, asked, answered, cached FROM query_cache ORDER BY asked") == [
            ("vacation days", 1, 1, 0),
            ("days of vacation", 3, 3, 0),
        ]
        assert rows("SELECT is_continued, count(*) FROM search_answers GROUP BY 1 ORDER BY 1") == [
            (False, 4),
            (True, 1),
        ]
        ((document, position),) = rows(
            "SELECT document_ids[1]::text, positions[1] FROM search_answers WHERE request_id = %s", first["request_id"]
        )
        assert (document, position) == (first["hits"][0]["document_id"], first["hits"][0]["position"])

    def test_from_a_cache_is_noted_as_such_and_can_be_judged(self, api: Api) -> None:
        with api.client("search", "feedback") as client:
            first, second = search(client), search(client)
            assert first["request_id"] != second["request_id"]
            assert say(client, second, "helpful").status_code == 204
        assert api.acme.rows("SELECT asked, answered, cached FROM query_cache") == [(2, 2, 1)]
        assert said(api.acme, "request_id") == [(second["request_id"],)]

    def test_loses_its_text_when_it_is_asked_again_where_texts_are_kept_no_more(self, companies: Harness) -> None:
        for keep, wanted in (("text", [("days of vacation", 1)]), ("hash", [(None, 2)])):
            with served(companies, keep_questions=keep) as api, api.client("search") as client:
                search(client)
            assert companies.rows("SELECT question, asked FROM query_cache") == wanted

    def test_is_bounded_while_it_cannot_be_written(
        self, api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(use, "MOST_ANSWERS", 2)
        database = serving(api.acme.database)
        searched = use.SearchLog(database)
        with api.acme.database.connection() as connection:
            acme = workspaces.find(connection, "acme")
        asked = use.Asked(acme.workspace_id, "default", _kept(), (), True, False, False)
        searched.add(*(use.Answer(acme.company_id, "abcdefgh", str(number), asked) for number in range(5)))
        assert (searched.waiting, searched.dropped) == (2, 3)
        searched.flush()
        database.close()
        assert api.acme.rows("SELECT request_id FROM search_answers ORDER BY 1") == [("3",), ("4",)]
        assert "3 rows of what was asked were dropped" in caplog.text and searched.dropped == 0

    def test_of_a_workspace_that_was_removed_meanwhile_is_left_out_and_keeps_nothing_else(self, api: Api) -> None:
        database = serving(api.acme.database)
        searched = use.SearchLog(database)
        with api.acme.database.connection() as connection:
            acme = workspaces.find(connection, "acme")
        kept = use.Asked(acme.workspace_id, "default", _kept(), (), True, False, False)
        gone = use.Asked(uuid4(), "default", _kept(), (), True, False, False)
        searched.add(*(use.Answer(acme.company_id, "abcdefgh", "r", each) for each in (gone, kept)))
        searched.flush()
        database.close()
        assert api.acme.rows("SELECT workspace_id FROM search_answers") == [(acme.workspace_id,)]

    def test_of_one_company_does_not_wait_for_another(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        database = serving(api.acme.database)
        searched = use.SearchLog(database)
        with api.acme.database.connection() as connection:
            both = [workspaces.find(connection, slug) for slug in ("acme", "globex")]
        for each in both:
            asked = use.Asked(each.workspace_id, "default", _kept(), (), True, False, False)
            searched.add(use.Answer(each.company_id, "abcdefgh", "r", asked))
        record = use.record_answers

        def fails(connection: Any, rows: Any) -> None:
            if rows[0].company_id == both[0].company_id:
                raise psycopg.errors.LockNotAvailable("a lock")
            record(connection, rows)

        monkeypatch.setattr(use, "record_answers", fails)
        searched.flush()
        assert searched.waiting == 1
        assert api.acme.rows("SELECT workspace_id FROM search_answers") == [(both[1].workspace_id,)]
        monkeypatch.setattr(use, "record_answers", record)
        searched.flush()
        database.close()
        assert searched.waiting == 0 and len(api.acme.rows("SELECT FROM search_answers")) == 2

    def test_many_processes_at_once_count_right(self, api: Api) -> None:
        with api.acme.database.connection() as connection:
            acme = workspaces.find(connection, "acme")

        def write(number: int) -> None:
            database = serving(api.acme.database)
            searched = use.SearchLog(database)
            for turn in range(10):
                rows = []
                for question in range(20) if (number + turn) % 2 else reversed(range(20)):
                    asked = use.Asked(acme.workspace_id, "default", _kept(question), (), True, False, False)
                    rows.append(use.Answer(acme.company_id, "abcdefgh", "r", asked))
                searched.add(*rows)
                searched.flush()
            searched.flush()
            database.close()

        threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert api.acme.rows("SELECT DISTINCT asked, answered FROM query_cache") == [(40, 40)]

    @pytest.mark.parametrize("era", ERAS)
    def test_of_an_assistant_is_what_it_was_shown(self, api: Api, era: str) -> None:
        async def act(client: Client) -> list[Any]:
            asked = [
                ("search", {"query": "days of vacation"}),
                ("search_with_filters", {"query": "submarine torpedoes", "kinds": ["row"]}),
                ("search_with_filters", {"query": "vacation", "below": "Nowhere"}),
                ("list_workspaces", {}),
            ]
            return [await client.call_tool(name, given) for name, given in asked]

        key = api.key("search", "feedback")
        found, nothing, failed, _ = ask(api, key.key, era, act)
        assert failed.is_error and nothing.structured_content["results"] == []
        with api.with_key(key.key) as client:
            client.post("/v1/feedback", json={"request_id": "none", "verdict": "no_answer"})  # writes what waits
        first = read_id(found.structured_content["results"][0]["id"])
        assert api.acme.rows(
            "SELECT q.question, a.is_answered, a.document_ids[1]::text, a.positions[1] + 1, w.slug "
            "FROM search_answers a JOIN query_cache q USING (workspace_id, query_hash) "
            "JOIN workspace w USING (workspace_id) ORDER BY a.at"
        ) == [
            ("days of vacation", True, first.document_id, first.passage, "acme"),
            ("submarine torpedoes", False, None, None, "acme"),
        ]

    def test_belongs_to_its_company_alone(self, api: Api) -> None:
        with api.client("search", "feedback") as client:
            assert say(client, search(client), "helpful").status_code == 204
        database = serving(api.acme.database)
        with api.acme.database.connection() as connection:
            acme, globex = (workspaces.find(connection, slug) for slug in ("acme", "globex"))
        for table in ("search_answers", "search_feedback", "query_cache"):
            with database.connection(globex.company_id) as connection:
                assert connection.execute(f"SELECT FROM {table}").fetchall() == []  # type: ignore[arg-type]
            with database.connection(acme.company_id) as connection:
                assert len(connection.execute(f"SELECT FROM {table}").fetchall()) == 1  # type: ignore[arg-type]
            for statement in (f"DELETE FROM {table}", f"TRUNCATE {table}"):
                with (
                    pytest.raises(psycopg.errors.InsufficientPrivilege),
                    database.connection(acme.company_id) as connection,
                ):
                    connection.execute(statement)  # type: ignore[arg-type]
        with (
            pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"),
            database.connection(globex.company_id) as connection,
        ):
            connection.execute(
                "INSERT INTO query_cache SELECT %s, %s, sha256(''), 'forged', 1, 1, 0, now(), now(), now()",
                [acme.company_id, acme.workspace_id],
            )
        database.close()

    def test_goes_with_its_workspace(self, api: Api) -> None:
        with api.client("search", "feedback") as client:
            assert say(client, search(client), "helpful").status_code == 204
        with api.administrator() as administrator:
            assert administrator.delete("/v1/workspaces/acme").status_code == 204
        for table in ("search_answers", "search_feedback", "query_cache", "chunk_analytics"):
            assert api.acme.rows(f"SELECT FROM {table}") == []


def _kept(number: int = 0) -> KeptQuestion:
    return KeptQuestion(number.to_bytes(32), f"question {number}")
