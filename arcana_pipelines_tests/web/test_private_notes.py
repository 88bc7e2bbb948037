"""Private notes through every door: for keys with the scope `notes`, and as if they were not there for all others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from arcana_pipelines.errors import PageRejected
from arcana_pipelines.indexes.targets.delivery import deliver
from arcana_pipelines.indexes.targets.registry import location_of
from arcana_pipelines.indexes.targets.targets import add_target, targets_of
from arcana_pipelines.keys import keys
from arcana_pipelines.keys.access import Permission, Scope
from arcana_pipelines.operations import export
from arcana_pipelines.operations.export_index import export_index
from arcana_pipelines.retrieval import connection_searcher, ranked_search, snapshot_search
from arcana_pipelines.retrieval.filters import WITHOUT_INTERNAL, Filters
from arcana_pipelines.retrieval.search_request import SearchRequest
from arcana_pipelines.retrieval.searcher import Searcher
from arcana_pipelines.sources.protocol import FetchedPage, PageRef
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.private_notes import NOTE, SECRETS, NotesWorkspace
from arcana_pipelines_tests.web.conftest import SALT, Api

DOCUMENTS = "/v1/workspaces/desk/documents"
SEARCH = "/v1/workspaces/desk/search"


def told(answer: httpx.Response) -> list[str]:
    """What an answer tells of the notes."""
    said = answer.text + str(answer.headers)
    return [secret for secret in SECRETS if secret in said]


@pytest.fixture
def notes(api: Api) -> NotesWorkspace:
    return NotesWorkspace.beside(api.acme)


class TestDocuments:
    def test_are_listed_and_read_with_the_scope(self, api: Api, notes: NotesWorkspace) -> None:
        with api.client("read", "notes", slug="desk") as client:
            listed = client.get(DOCUMENTS).json()["documents"]
            read = client.get(f"{DOCUMENTS}/20-notes").json()
        assert {"20", "20-notes", "21", "21-notes", "22"} <= {each["external_id"] for each in listed}
        assert NOTE.strip() in read["text"] and read["kind"] == "notes"

    def test_are_as_if_they_were_not_there_without_it(self, api: Api, notes: NotesWorkspace) -> None:
        with api.client("read", slug="desk") as client:
            listed = client.get(DOCUMENTS).json()["documents"]
            there, missing = client.get(f"{DOCUMENTS}/20-notes"), client.get(f"{DOCUMENTS}/23-notes")
        assert {each["external_id"] for each in listed if each["kind"] != "file"} == {"20", "21", "22"}
        assert there.status_code == missing.status_code == 404
        assert there.json()["detail"] == missing.json()["detail"].replace("23-notes", "20-notes")

    def test_a_scope_for_one_workspace_opens_no_notes_of_another(self, api: Api, notes: NotesWorkspace) -> None:
        with api.client("read", "notes", slug="acme") as client:
            assert client.get(f"{DOCUMENTS}/20").status_code == 404


def titles(answer: httpx.Response) -> set[str]:
    return {hit["external_id"].partition("#")[0] for hit in answer.json()["hits"]}


class TestSearches:
    @pytest.mark.parametrize("ranking", ["fused", "lexical", "dense"])
    def test_find_notes_with_the_scope_and_never_without(self, api: Api, notes: NotesWorkspace, ranking: str) -> None:
        asked = {"query": "zirkonquark overdue gripper", "min_score": 0, "k": 50, "ranking": ranking, "neighbours": 2}
        with api.client("search", "notes", slug="desk") as agent, api.client("search", slug="desk") as customer:
            assert "20-notes" in titles(agent.post(SEARCH, json=asked))
            for _ in range(2):  # the second time it is kept
                answer = customer.post(SEARCH, json=asked)
                assert not any(title.endswith("-notes") for title in titles(answer)) and "20" in titles(answer)
                assert not told(answer)

    def test_correct_no_slip_to_a_word_of_notes_alone(self, api: Api, notes: NotesWorkspace) -> None:
        asked = {"query": "zirkonquarx grippper", "min_score": 0}
        with api.client("search", "notes", slug="desk") as agent, api.client("search", slug="desk") as customer:
            assert agent.post(SEARCH, json=asked).json()["corrections"]["zirkonquarx"] == "zirkonquark"
            assert set(customer.post(SEARCH, json=asked).json()["corrections"]) == {"grippper"}

    def test_leave_notes_out_or_find_nothing_else_where_it_is_asked(self, api: Api, notes: NotesWorkspace) -> None:
        with api.client("search", "read", "notes", slug="desk") as agent:
            for internal, wanted in ((False, {"20", "21", "22"}), (True, {"20-notes", "21-notes"})):
                asked = {"query": "gripper", "min_score": 0, "k": 50, "filters": {"internal": internal}}
                assert titles(agent.post(SEARCH, json=asked)) == wanted
                listed = agent.get(DOCUMENTS, params={"internal": internal}).json()["documents"]
                assert {each["external_id"].partition("#")[0] for each in listed} == wanted
        with api.client("search", slug="desk") as customer:
            asked = {"query": "gripper", "min_score": 0, "filters": {"internal": True}}
            assert titles(customer.post(SEARCH, json=asked)) == set()

    def test_a_slip_in_a_filter_is_told_as_before_and_names_nothing_of_notes(
        self, api: Api, notes: NotesWorkspace
    ) -> None:
        with api.client("search", slug="desk") as customer:
            for name, value, near in (
                ("Priorty", "High", "Near it: 'Priority'"), ("Priority", "Hihg", "Near it: 'High'"),
                ("Visibilty", "private", None), ("Zirkonquarx", "yes", None),
            ):  # fmt: skip
                filters = {"properties": [{"name": name, "operator": "=", "value": value}]}
                answer = customer.post(SEARCH, json={"query": "gripper", "filters": filters})
                assert near is None or near in answer.text
                assert not told(answer) and "Visibility" not in answer.text
        with api.client("search", "notes", slug="desk") as agent:
            filters = {"properties": [{"name": "Visibilty", "operator": "=", "value": "private"}]}
            assert "'Visibility'" in agent.post(SEARCH, json={"query": "gripper", "filters": filters}).text

    def test_a_file_that_tickets_and_notes_have_is_found_for_each_as_its_own(
        self, api: Api, notes: NotesWorkspace
    ) -> None:
        asked = {"query": "red button nine seconds", "min_score": 0, "filters": {"kinds": ["file"]}}
        with api.client("search", "notes", slug="desk") as agent, api.client("search", slug="desk") as customer:
            (hit,) = customer.post(SEARCH, json=asked).json()["hits"]
            assert hit["title"] == "manual.html" and hit["file"]["also_in"] == []
            assert {"manual.html", "manual-owlet-ledger.html"} <= {
                each["title"] for each in agent.post(SEARCH, json=asked).json()["hits"]
            } | {twin["title"] for each in agent.post(SEARCH, json=asked).json()["hits"] for twin in each["duplicates"]}

    def test_a_workspace_without_notes_is_searched_as_before_for_every_key(self, api: Api) -> None:
        with api.client("search") as plain, api.client("search", "notes") as agent:
            asked = {"query": "vacation", "min_score": 0}
            first, second = (
                plain.post("/v1/workspaces/acme/search", json=asked),
                agent.post("/v1/workspaces/acme/search", json=asked),
            )
        assert first.json()["hits"] == second.json()["hits"] != []


class TestWhatBecomesInternal:
    """An article that only agents may read from now on, say: its text is the one that customers were told."""

    def test_is_in_no_answer_any_more_that_was_kept_before(self, api: Api, notes: NotesWorkspace) -> None:
        asked = {"query": "invoice of the gripper", "min_score": 0, "k": 50}
        for scopes in (("search",), ("search", "notes")):
            with api.client(*scopes, slug="desk") as client:  # type: ignore[arg-type]
                assert "22" in titles(client.post(SEARCH, json=asked))
        notes.desk.internal = {"22"}
        notes.sync()
        with api.client("search", slug="desk") as customer, api.client("search", "notes", slug="desk") as agent:
            assert "22" not in titles(customer.post(SEARCH, json=asked))
            assert "22" in titles(agent.post(SEARCH, json=asked))
            notes.desk.internal = set()
            notes.sync()
            assert "22" in titles(customer.post(SEARCH, json=asked))

    def test_is_hidden_though_it_cannot_be_read_again(
        self, api: Api, notes: NotesWorkspace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(ref: PageRef) -> FetchedPage:
            raise PageRejected("403")

        notes.desk.internal = {"20"}
        notes.desk.tickets["20"].edits += 1
        monkeypatch.setattr(notes.desk, "fetch", refuse)
        notes.sync()
        with api.client("read", "search", slug="desk") as customer:
            listed = customer.get(DOCUMENTS).json()["documents"]
            assert {each["external_id"].partition("#")[0] for each in listed} == {"21", "22"}
            found = customer.post(SEARCH, json={"query": "gripper", "min_score": 0, "k": 50})
            assert "20" not in titles(found) and "manual.html" not in found.text


class TestProperties:
    @pytest.mark.parametrize(
        ("condition", "wanted"),
        [
            (("Status", "=", "Open"), {"20", "21", "22"}),
            (("Status", "!=", "Open"), set()),
            (("Status", "!=", "Closed"), {"20", "21", "22"}),
            (("Status", "=", ""), set()),
            (("Priority", "~", "hig"), {"20", "21", "22"}),
            (("title", "~", "gripper"), {"20"}),
        ],
    )
    def test_of_tickets_are_compared_as_those_of_rows(
        self, api: Api, notes: NotesWorkspace, condition: tuple[str, str, str], wanted: set[str]
    ) -> None:
        given = dict(zip(("name", "operator", "value"), condition, strict=True))
        asked = {"query": "gripper", "min_score": 0, "k": 50, "filters": {"properties": [given]}}
        with api.client("search", slug="desk") as customer:
            assert titles(customer.post(SEARCH, json=asked)) == wanted


def test_the_title_that_a_ticket_and_its_notes_have_means_the_ticket(api: Api, notes: NotesWorkspace) -> None:
    with api.client("read", "notes", slug="desk") as agent:
        assert agent.get(f"{DOCUMENTS}/Gripper stops").json()["external_id"] == "20"
        assert agent.get(f"{DOCUMENTS}/20-notes").json()["title"] == "Gripper stops"


def test_a_key_with_a_filter_may_see_notes_within_it(api: Api, notes: NotesWorkspace) -> None:
    with api.acme.database.connection() as connection:
        workspace = workspaces.find(connection, "desk")
        below = Filters(below="21")
        granted: list[Scope] = ["search", "notes"]
        both = [Permission(scope, workspace.workspace_id, None, below) for scope in granted]
        made = [keys.create(connection, SALT, workspace.company_id, some, "") for some in (both, both[:1])]
    wanted = [{"21", "21-notes"}, {"21"}]
    asked = {"query": "zirkonquark", "min_score": 0, "ranking": "dense"}
    for key, found in zip(made, wanted, strict=True):
        with api.with_key(key.key) as client:
            assert titles(client.post(SEARCH, json=asked)) == found


class TestFilesOfTheIndex:
    """`arcana export` writes files that are given away."""

    @pytest.mark.parametrize("kind", ["documents", "chunks", "embeddings"])
    def test_have_no_notes_unless_they_are_asked_for(self, acme: Harness, tmp_path: Path, kind: export.Kind) -> None:
        notes = NotesWorkspace.beside(acme)
        with acme.database.connection() as connection:
            workspace_id = workspaces.find(connection, "desk").workspace_id
            rows = []
            for internal in (False, True):
                told: list[tuple[int, int]] = []
                file = tmp_path / f"{internal}.jsonl"
                written = export.export(
                    connection,
                    workspace_id,
                    kind,
                    file,
                    tell=lambda *said, told=told: told.append(said),
                    internal=internal,
                )
                assert told[-1] == (written.rows, written.rows)
                rows.append(file.read_text())
        ours = str(notes.document("20-notes"))
        assert ours not in rows[0] and ours in rows[1]
        assert not any(secret in rows[0] for secret in SECRETS)

    def test_that_are_searched_by_themselves_keep_no_byte_of_notes_that_are_taken_out(
        self, acme: Harness, tmp_path: Path
    ) -> None:
        NotesWorkspace.beside(acme)
        file = tmp_path / "desk.arcana"
        with acme.database.connection() as connection:
            workspace_id = workspaces.find(connection, "desk").workspace_id
            for internal, is_new in ((True, True), (True, False), (False, True), (False, False)):
                written = export_index(connection, workspace_id, "desk", file, internal=internal)
                assert written.is_new is is_new
                held = file.read_bytes()
                assert [secret for secret in SECRETS if secret.encode() in held] == (list(SECRETS) if internal else [])
        with Searcher.from_file(file, settings=acme.database.settings) as searcher:
            found = searcher.search("zirkonquark gripper", min_score=0, k=50)
        assert {hit.external_id.partition("#")[0] for hit in found.hits} <= {"20", "21", "22"}
        assert not any(secret in str(found) for secret in SECRETS)


@pytest.mark.parametrize("candidates", [1, 100])
def test_an_approximate_index_finds_what_is_open_however_near_notes_are(
    acme: Harness, monkeypatch: pytest.MonkeyPatch, candidates: int
) -> None:
    NotesWorkspace.beside(acme)
    asked = SearchRequest("zirkonquark overdue telephone", k=1, min_score=0, ranking="dense")
    limits = {"desk": (WITHOUT_INTERNAL,)}
    monkeypatch.setattr(ranked_search, "CANDIDATES", candidates)
    monkeypatch.setattr(snapshot_search, "FEW", 1)  # more than that are not all scored
    with Searcher("desk", database=acme.database, limits=limits) as searcher:
        exact = searcher.search(asked).hits
        found = connection_searcher.find_serving
        monkeypatch.setattr(
            connection_searcher, "find_serving",
            lambda *given: replace(found(*given), ann="hnsw", search_effort=400),
        )  # fmt: skip
        near = searcher.search(asked).hits
    with Searcher("desk", database=acme.database) as searcher:
        assert searcher.search(asked).hits[0].kind == "notes"
    assert near == exact and near[0].kind == "ticket"


def test_a_target_holds_notes_and_tells_them_to_those_alone_who_may_see_them(
    api: Api, notes: NotesWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = api.acme.database
    with database.connection() as connection:
        workspace = workspaces.find(connection, "desk")
        place = location_of(database.settings, "sqlite", Path(workspace.storage_path), None, "copy")
        add_target(connection, workspace.workspace_id, "sqlite", place, "copy")
        (target,) = targets_of(connection, workspace.workspace_id)
    assert deliver(database, target, seconds=60).error is None
    assert SECRETS[0].encode() in Path(target.location).read_bytes()
    monkeypatch.setattr(snapshot_search, "FEW", 1)
    asked = {"query": "zirkonquark overdue", "k": 50, "min_score": 0, "ranking": "dense", "target": "copy"}
    with api.client("search", "notes", slug="desk") as agent, api.client("search", slug="desk") as customer:
        every, some = agent.post(SEARCH, json=asked), customer.post(SEARCH, json=asked)
    assert every.json()["target"] == some.json()["target"] == "copy"
    assert "20-notes" in titles(every) and titles(some) == {"20", "21", "22"} and not told(some)
