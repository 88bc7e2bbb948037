"""A search within a topic: everything below it, in whichever version it was named, and how many documents each has."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from click.testing import CliRunner
from click.testing import Result as ClickResult
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arcana_pipelines.chunking.sizes import ChunkerSettings
from arcana_pipelines.classification.conditions import read_conditions
from arcana_pipelines.cli.commands import search as search_command
from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.embedding.catalogue import SMALL_MODEL
from arcana_pipelines.embedding.local_small import DIMENSIONS
from arcana_pipelines.errors import TaxonomyNodeNotFoundError, TaxonomyRefused, UnknownTaxonomyVersion, WrongUse
from arcana_pipelines.indexes.builds import IndexSettings
from arcana_pipelines.indexes.targets.delivery import deliver
from arcana_pipelines.indexes.targets.registry import location_of
from arcana_pipelines.indexes.targets.targets import add_target, targets_of
from arcana_pipelines.operations.export_index import export_index
from arcana_pipelines.pipeline import registration
from arcana_pipelines.retrieval import Searcher, snapshot_search
from arcana_pipelines.retrieval.connection_searcher import ConnectionSearcher
from arcana_pipelines.retrieval.filters import WITHOUT_INTERNAL, Filters, Limits, PropertyCondition
from arcana_pipelines.retrieval.results import Results, TopicFacet
from arcana_pipelines.retrieval.search_request import SearchRequest
from arcana_pipelines.retrieval.served import served_documents
from arcana_pipelines.retrieval.topic_facets import topic_facets
from arcana_pipelines.testing.notion_server import NotionServer, NotionWorld
from arcana_pipelines.testing.postgres import DatabaseServer
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.file_rows import make_copy
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.synced import synced
from arcana_pipelines_tests.topics import Nodes, give_topic, make_active, release

TITLES = ("Crane", "Winch", "Salary", "Leave", "휴가 규정", "Canteen")
TREE = ("Machines/Lifting", "Machines/Driving", "People/Pay", "People/Leave", "인사/휴가", "Empty")


def fill(world: NotionWorld) -> None:
    for title in TITLES:
        world.add_page(title, blocks=f"Everyone reads of {title}.")
    tasks = world.add_database("Tasks", schema={"Status": "select"})
    for title, status in (("Grease the crane", "Open"), ("Pay the bonus", "Done")):
        world.add_row(tasks.data_source_id, title, {"Status": status}, blocks="Everyone reads the task.")


@pytest.fixture(scope="module")
def filled(arcana_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with synced(arcana_server, tmp_path_factory.mktemp("topics"), fill) as url:
        yield url


@pytest.fixture
def arcana_database_url(filled: str, arcana_server: DatabaseServer) -> Iterator[str]:
    with arcana_server.copy(filled) as url:
        yield url


@dataclass
class Library:
    """A workspace whose documents have topics."""

    harness: Harness
    workspace_id: UUID
    nodes: Nodes = field(default_factory=dict)

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        with self.harness.database.connection() as connection:
            yield connection

    def release(self, *paths: str, **options: Any) -> Nodes:
        with self.connection() as connection:
            made = release(connection, self.workspace_id, paths, **options)
        self.nodes |= made
        return made

    def give(self, title: str, *paths: str, waits: bool = False) -> None:
        with self.connection() as connection:
            nodes = [self.nodes[path] for path in paths]
            give_topic(connection, self.workspace_id, title, *nodes, waits=waits)

    def search(
        self, topic: str | None = None, limits: Limits = (), query: str = "everyone reads", **asked: Any
    ) -> Results:
        filters = asked.pop("filters", Filters(topic=topic))
        with self.connection() as connection:
            searcher = ConnectionSearcher(connection, self.harness.database.settings, self.workspace_id, limits=limits)
            return searcher.search(SearchRequest(query, **{"k": 50, "filters": filters, "min_score": 0.0} | asked))

    def titles(self, topic: str | None = None, limits: Limits = (), **asked: Any) -> set[str]:
        return {hit.title for hit in self.search(topic, limits, **asked).hits}

    def facets(self, topic: str | None = None, limits: Limits = ()) -> dict[str, int]:
        with self.connection() as connection:
            return counted(topic_facets(connection, self.workspace_id, topic, limits=limits))


def counted(facets: list[TopicFacet]) -> dict[str, int]:
    return {facet.path: facet.documents for facet in facets}


@pytest.fixture
def bare(database: Database, world: NotionWorld, server: NotionServer) -> Library:
    """The documents, without a taxonomy."""
    harness = Harness(database, world, server, "acme")
    with database.connection() as connection:
        return Library(harness, workspaces.find(connection, "acme").workspace_id)


@pytest.fixture
def library(bare: Library) -> Library:
    bare.release(*TREE)
    bare.give("Crane", "Machines/Lifting")
    bare.give("Winch", "Machines", "Machines/Lifting")
    bare.give("Grease the crane", "Machines/Lifting", "People/Pay")
    bare.give("Salary", "People/Pay")
    bare.give("Pay the bonus", "People/Pay")
    bare.give("Leave", "People/Leave", "인사/휴가")
    bare.give("휴가 규정", "인사/휴가")
    bare.give("Canteen", "People", waits=True)
    return bare


class TestASearch:
    def test_finds_what_is_about_the_topic_or_anything_below_it(self, library: Library) -> None:
        wanted = {
            "Machines/Lifting": {"Crane", "Winch", "Grease the crane"},
            "Machines": {"Crane", "Winch", "Grease the crane"},
            "People": {"Grease the crane", "Salary", "Pay the bonus", "Leave"},
            "인사": {"Leave", "휴가 규정"},
            "인사/휴가": {"Leave", "휴가 규정"},
            "  People /  Pay ": {"Grease the crane", "Salary", "Pay the bonus"},
            "Machines/Driving": set(),
            "Empty": set(),
        }
        assert {topic: library.titles(topic) for topic in wanted} == wanted

    def test_takes_letters_that_are_composed_otherwise(self, library: Library) -> None:
        decomposed = "\u110b\u1175\u11ab\u1109\u1161"
        assert decomposed != "인사" and library.titles(decomposed) == {"Leave", "휴가 규정"}

    def test_names_a_topic_by_its_id_too(self, library: Library) -> None:
        assert library.titles(str(library.nodes["People/Pay"]).upper()) == library.titles("People/Pay") != set()

    def test_combines_with_every_other_filter(self, library: Library) -> None:
        done = [PropertyCondition.parse("Status=Done")]
        assert library.titles(filters=Filters(topic="People", properties=done)) == {"Pay the bonus"}
        assert library.titles(filters=Filters(topic="People", kinds=["page"])) == {"Salary", "Leave"}
        assert library.titles(filters=Filters(topic="Machines", below="Tasks")) == {"Grease the crane"}

    def test_does_not_count_what_waits_for_a_person_s_word(self, library: Library) -> None:
        assert "Canteen" not in library.titles("People")
        with library.connection() as connection:
            connection.execute("UPDATE doc_taxonomy SET hitl_required = false")
        assert "Canteen" in library.titles("People")

    def test_of_the_past_looks_at_the_topics_of_today(self, library: Library) -> None:
        ((before,),) = library.harness.rows("SELECT clock_timestamp()")
        with library.connection() as connection:
            connection.execute("DELETE FROM doc_taxonomy WHERE node_id = %s", [library.nodes["Machines/Lifting"]])
        assert library.titles("Machines", as_of=before) == {"Winch"}

    def test_goes_on_by_a_cursor_of_the_same_topic_alone(self, library: Library) -> None:
        people, pay = Filters(topic="People"), Filters(topic="People/Pay")
        first = library.search(filters=people, k=1)
        rest = library.search(filters=people, after=first.cursor, facets=("topics",))
        assert {hit.title for hit in (*first.hits, *rest.hits)} == library.titles("People")
        with pytest.raises(WrongUse, match="another question"):
            library.search(filters=pay, after=first.cursor)

    def test_of_a_topic_that_is_not_there_is_refused_with_what_is_near(self, library: Library) -> None:
        for topic in ("people", "People/pay", "People/Pya", "Lifting", "Machines/Lifting/Cranes"):
            with pytest.raises(TaxonomyNodeNotFoundError) as refused:
                library.titles(topic)
            assert (refused.value.similar or refused.value.available) and topic in str(refused.value)

    def test_of_an_id_that_no_version_has_is_refused(self, library: Library) -> None:
        with pytest.raises(TaxonomyNodeNotFoundError):
            library.titles(str(uuid4()))

    @pytest.mark.parametrize("topic", ["", "   ", "a\0b", "x" * 4001])
    def test_of_what_can_be_no_topic_is_not_made(self, topic: str) -> None:
        with pytest.raises(WrongUse):
            SearchRequest("reads", filters=Filters(topic=topic))

    def test_of_what_is_no_path_is_refused(self, library: Library) -> None:
        for topic in ("People//Pay", "/People", "People/"):
            with pytest.raises(TaxonomyRefused):
                library.titles(topic)

    def test_in_a_workspace_without_a_taxonomy_is_refused_and_tells_how_one_is_made(self, bare: Library) -> None:
        with pytest.raises(UnknownTaxonomyVersion, match="'acme' has no active taxonomy: `arcana taxonomy import"):
            bare.titles("People")

    def test_sees_no_draft(self, bare: Library) -> None:
        with bare.connection() as connection:
            made = "INSERT INTO taxonomy_version (workspace_id, version, ordinal) VALUES (%s, '0.1', 1)"
            connection.execute(made, [bare.workspace_id])
        with pytest.raises(UnknownTaxonomyVersion):
            bare.titles("People")


class TestOfFiles:
    @pytest.fixture
    def plans(self, library: Library) -> Library:
        """Two files: one on a page with a topic, one on a page without any; neither has one of its own."""
        for title, name in (("Salary", "bands.pdf"), ("Canteen", "menu.pdf")):
            ((page, document),) = library.harness.rows(
                "SELECT external_id, document_id FROM source_page WHERE title = %s", title
            )
            make_copy(library.harness, page, document, name)
        return library

    def allowed(self, plans: Library, topic: str) -> set[str]:
        with plans.connection() as connection:
            found = served_documents(connection, plans.workspace_id, Filters(topic=topic, kinds=["file"]))
        return {document.title for document in found}

    def test_one_is_let_through_with_its_page(self, plans: Library) -> None:
        assert self.allowed(plans, "People") == {"bands.pdf"}
        assert self.allowed(plans, "Machines") == set()

    def test_one_is_let_through_by_its_own_topic(self, plans: Library) -> None:
        plans.give("menu.pdf", "Machines/Driving")
        plans.give("bands.pdf", "Machines/Driving")
        assert self.allowed(plans, "Machines") == {"menu.pdf", "bands.pdf"}
        assert self.allowed(plans, "People/Pay") == {"bands.pdf"}

    def test_it_is_counted_where_it_is_found(self, plans: Library) -> None:
        before = plans.facets()
        plans.give("menu.pdf", "Machines/Driving")
        assert plans.facets() == before | {"Machines": before["Machines"] + 1}
        assert plans.facets("People")["People/Pay"] == 4  # Salary with its file, and two rows


class TestInAnotherVersion:
    def test_a_topic_that_was_renamed_or_moved_is_found_by_every_path_it_had(self, library: Library) -> None:
        lifting, pay = library.nodes["Machines/Lifting"], library.nodes["People/Pay"]
        known = {"Equipment/Hoists": lifting, "Equipment/Hoists/Wages": pay}
        library.release(*known, version="2.0.0", known=known)
        library.give("Crane", "Equipment/Hoists")
        library.give("Salary", "Equipment/Hoists/Wages")
        assert library.titles("Equipment/Hoists") == library.titles("Machines/Lifting") == {"Crane", "Salary"}
        assert library.titles("People/Pay") == {"Salary"}

    def test_a_path_means_the_node_of_the_active_version_before_that_of_an_earlier_one(self, library: Library) -> None:
        library.release("Machines/Lifting", "Old", version="2.0.0", known={"Old": library.nodes["Machines/Lifting"]})
        library.give("Canteen", "Machines/Lifting")
        assert library.titles("Machines/Lifting") == {"Canteen"}

    def test_one_that_was_split_or_merged_or_retired_leads_to_what_took_its_place(self, library: Library) -> None:
        pay, leave, driving = (library.nodes[path] for path in ("People/Pay", "People/Leave", "Machines/Driving"))
        wages, bonus, staff = uuid4(), uuid4(), uuid4()
        known = {"Wages": wages, "Bonus": bonus, "Staff": staff, "Machines": library.nodes["Machines"]}
        became = [
            ("split", pay, wages), ("split", pay, bonus), ("merge", leave, staff),
            ("retire", driving, library.nodes["Machines"]), ("retire", library.nodes["Empty"], None),
        ]  # fmt: skip
        library.release(*known, version="2.0.0", known=known, became=became)
        library.give("Salary", "Wages")
        library.give("Pay the bonus", "Bonus")
        library.give("Leave", "Staff")
        library.give("Winch", "Machines")
        assert library.titles("People/Pay") == library.titles(str(pay)) == {"Salary", "Pay the bonus"}
        assert library.titles("People/Leave") == {"Leave"} and library.titles("Machines/Driving") == {"Winch"}
        assert set(library.facets("People/Pay")) == set()
        with pytest.raises(TaxonomyNodeNotFoundError):
            library.titles("Empty")
        # Once more: what took its place is gone, too.
        library.release("Everybody", version="3.0.0", became=[("merge", wages, staff), ("merge", staff, uuid4())])
        with pytest.raises(TaxonomyNodeNotFoundError):
            library.titles("People/Leave")
        library.release(
            "All", version="4.0.0", known={"All": wages}, became=[("merge", bonus, wages), ("merge", staff, wages)]
        )
        library.give("Canteen", "All")
        assert library.titles("People/Leave") == library.titles("Bonus") == {"Canteen"}

    def test_after_a_roll_back_a_later_name_leads_to_the_node_of_before(self, library: Library) -> None:
        known = {"Hoists": library.nodes["Machines/Lifting"], "New": uuid4()}
        library.release(*known, version="2.0.0", known=known, became=[("add", library.nodes["Empty"], known["New"])])
        with library.connection() as connection:
            make_active(connection, library.workspace_id, "1.0.0")
        assert library.titles("Hoists") == {"Crane", "Winch", "Grease the crane"}
        with pytest.raises(TaxonomyNodeNotFoundError):
            library.titles("New")

    def test_circles_of_changes_end(self, library: Library) -> None:
        one, other = uuid4(), library.nodes["Empty"]
        library.release("A", version="2.0.0", became=[("merge", other, one), ("merge", one, other)])
        with pytest.raises(TaxonomyNodeNotFoundError):
            library.titles("Empty")


class TestALimit:
    """What a key finds nothing beyond: the node itself, whatever becomes of it."""

    def test_leaves_what_is_about_its_topic(self, library: Library) -> None:
        people: Limits = (Filters(topic=str(library.nodes["People"])),)
        assert library.titles(limits=people) == {"Grease the crane", "Salary", "Pay the bonus", "Leave"}
        assert library.titles("인사", limits=people) == {"Leave"}
        assert library.titles("Machines", limits=(*people, WITHOUT_INTERNAL)) == {"Grease the crane"}

    def test_tells_nothing_of_topics_beyond_it(self, library: Library) -> None:
        leave: Limits = (Filters(topic=str(library.nodes["People/Leave"])),)
        asked = ("Machines", "Machinse", "X/Y")
        said = {str(library.search(topic, leave).to_dict() | {"seconds": 0}) for topic in asked}
        assert len(said) == 1 and "may not be there" in said.pop()
        assert library.facets(limits=leave) == {"People": 1, "인사": 1}
        assert library.facets("Machines", limits=leave) == library.facets("Nowhere", limits=leave) == {}
        facets = library.search(None, leave, facets=("topics",)).facets
        assert counted(facets) == {"People": 1, "인사": 1}

    def test_follows_the_node_and_nothing_that_takes_its_place(self, library: Library) -> None:
        pay = library.nodes["People/Pay"]
        limits: Limits = (Filters(topic=str(pay)),)
        library.release("Pay", "Other", version="2.0.0", known={"Pay": pay})
        library.give("Salary", "Pay")
        library.give("Crane", "Other")
        assert library.titles(limits=limits) == {"Salary"}
        heir = {"Other": library.nodes["Other"]}
        library.release("Other", version="3.0.0", known=heir, became=[("merge", pay, heir["Other"])])
        library.give("Salary", "Other")
        assert library.titles(limits=limits) == set() and library.titles("Pay") != set()
        assert library.facets(limits=limits) == {}

    def test_to_a_topic_in_a_workspace_whose_taxonomy_is_gone_leaves_nothing(self, bare: Library) -> None:
        assert bare.titles(limits=(Filters(topic=str(uuid4())),)) == set()
        assert bare.titles(limits=(Filters(topic="People"),)) == set()


class TestFacets:
    def test_are_the_topics_below_one_with_the_documents_of_each_counted_once(self, library: Library) -> None:
        assert library.facets() == {"People": 4, "Machines": 3, "인사": 2, "Empty": 0}
        assert library.facets("People") == {"People/Pay": 3, "People/Leave": 1}
        assert library.facets("Machines") == {"Machines/Lifting": 3, "Machines/Driving": 0}
        assert library.facets("People/Pay") == {}

    def test_say_where_they_stand_and_whether_anything_is_below(self, library: Library) -> None:
        with library.connection() as connection:
            first, *_, last = topic_facets(connection, library.workspace_id)
        assert first == TopicFacet(str(library.nodes["People"]), "People", "People", 4, True, "acme")
        assert (last.label, last.has_children) == ("Empty", False)

    def test_of_a_search_are_of_all_that_it_may_find_and_not_of_its_hits(self, library: Library) -> None:
        rows = Filters(kinds=["row"])
        found = library.search(filters=rows, query="grease", facets=("topics",))
        assert counted(found.facets) == {"People": 2, "Machines": 1, "Empty": 0, "인사": 0}
        found = library.search("Machines", query="grease", facets=("topics",))
        assert counted(found.facets) == {"Machines/Lifting": 3, "Machines/Driving": 0}
        assert found.to_dict()["facets"][0]["path"] == "Machines/Lifting"
        assert library.search("Machines").facets == [] and "facets" not in library.search("Machines").to_dict()

    def test_count_what_is_internal_for_those_alone_who_may_see_it(self, library: Library) -> None:
        with library.connection() as connection:
            hidden = "(SELECT document_id FROM source_page WHERE title = 'Salary')"
            connection.execute(f"UPDATE document SET is_internal = true WHERE document_id = {hidden}")  # type: ignore[arg-type]
        assert library.facets()["People"] == 4
        assert library.facets(limits=(WITHOUT_INTERNAL,)) == library.facets() | {"People": 3}
        found = library.search(filters=None, limits=(WITHOUT_INTERNAL,), facets=("topics",))
        assert counted(found.facets)["People"] == 3

    def test_of_the_past_count_what_was_served_then(self, library: Library) -> None:
        harness = library.harness
        ((before,),) = harness.rows("SELECT clock_timestamp()")
        with library.connection() as connection:
            connection.execute(
                "DELETE FROM published_document WHERE document_id = "
                "(SELECT document_id FROM source_page WHERE title = 'Crane')"
            )
        assert counted(library.search("Machines", facets=("topics",)).facets)["Machines/Lifting"] == 2
        then = library.search("Machines", facets=("topics",), as_of=before)
        assert counted(then.facets)["Machines/Lifting"] in (2, 3)

    def test_of_a_workspace_without_a_taxonomy_are_none_and_it_is_said(self, bare: Library) -> None:
        found = bare.search(facets=("topics",))
        assert found.facets == [] and "has no active taxonomy" in found.notes[-1]
        with pytest.raises(UnknownTaxonomyVersion):
            bare.facets()

    def test_spell_labels_so_that_they_can_be_asked_for(self, bare: Library) -> None:
        with bare.connection() as connection:
            made = release(connection, bare.workspace_id, [r"R\/D/C:\\x"])
            ((path,),) = [tuple(counted(topic_facets(connection, bare.workspace_id, r"R\/D")))]
            assert path == r"R\/D/C:\\x" and len(made) == 2
            assert topic_facets(connection, bare.workspace_id, path) == []

    @pytest.mark.parametrize("facets", ["topics", ["pages"], [7], 7, ("topics", "kinds")])
    def test_of_what_is_not_counted_are_refused(self, facets: Any) -> None:
        with pytest.raises(WrongUse):
            SearchRequest("reads", facets=facets)


def run(library: Library, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> ClickResult:
    monkeypatch.setattr(search_command, "open_database", lambda: library.harness.database)
    monkeypatch.setattr("arcana_pipelines.cli.one_workspace.open_database", lambda: library.harness.database)
    return CliRunner().invoke(search_command.command, ["acme", "everyone reads", "--min-score", "0", *arguments])


def test_the_command_searches_within_a_topic_and_counts_those_below(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = run(library, monkeypatch, "--topic", "Machines", "--facets").stdout
    assert "Crane" in said and "Salary" not in said
    assert "topic Machines/Lifting: 3 documents" in said and "topic Machines/Driving: 0 documents" in said
    told = json.loads(run(library, monkeypatch, "--topic", "People/Leave", "--facets", "--json").stdout)
    assert [hit["title"] for hit in told["hits"]] == ["Leave"] and "facets" not in told
    told = json.loads(run(library, monkeypatch, "--facets", "--json").stdout)
    assert {each["path"]: each["documents"] for each in told["facets"]} == library.facets()
    refused = run(library, monkeypatch, "--topic", "Poeple")
    assert isinstance(refused.exception, TaxonomyNodeNotFoundError) and "'People'" in str(refused.exception)


def test_several_workspaces_are_searched_within_a_topic_of_each(library: Library) -> None:
    database = library.harness.database
    with library.connection() as connection:
        connection.execute("UPDATE workspace SET slug = 'beta', name = 'Beta'")
    registration.register(
        database, "acme", "notion_export", IndexSettings(SMALL_MODEL, DIMENSIONS, ChunkerSettings()),
        lambda _: None, lambda _: None,
    )  # fmt: skip
    request = SearchRequest("everyone reads", filters=Filters(topic="Machines"), facets=("topics",), min_score=0.0)
    with Searcher(workspaces=["beta", "acme"], database=database) as searcher:
        found = searcher.search(request)
    assert {hit.title for hit in found.hits} == {"Crane", "Winch", "Grease the crane"}
    assert {(facet.workspace, facet.path) for facet in found.facets} == {
        ("beta", "Machines/Lifting"), ("beta", "Machines/Driving"),
    }  # fmt: skip
    assert "no active taxonomy" in found.not_searched["acme"]


def test_what_a_target_finds_is_what_the_topic_leaves(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    database = library.harness.database
    with library.connection() as connection:
        workspace = workspaces.find(connection, "acme")
        place = location_of(database.settings, "sqlite", Path(workspace.storage_path), None, "copy")
        add_target(connection, workspace.workspace_id, "sqlite", place, "copy")
        (target,) = targets_of(connection, workspace.workspace_id)
    assert deliver(database, target, seconds=60).error is None
    monkeypatch.setattr(snapshot_search, "FEW", 1)
    found = library.search("Machines", ranking="dense", target="copy")
    assert found.target == "copy" and {hit.title for hit in found.hits} == library.titles("Machines") != set()
    limits: Limits = (Filters(topic=str(library.nodes["People/Leave"])),)
    assert {hit.title for hit in library.search(None, limits, ranking="dense", target="copy").hits} == {"Leave"}


def test_a_file_refuses_topics_in_a_sentence(library: Library, tmp_path: Path) -> None:
    with library.connection() as connection:
        export_index(connection, library.workspace_id, "acme", tmp_path / "acme.sqlite")
    with Searcher.from_file(tmp_path / "acme.sqlite", settings=library.harness.database.settings) as searcher:
        for asked in ({"filters": Filters(topic="Machines")}, {"facets": ("topics",)}):
            with pytest.raises(WrongUse, match="workspace's own index"):
                searcher.search(SearchRequest("everyone", **asked))  # type: ignore[arg-type]


def test_a_rule_that_gives_topics_asks_for_none() -> None:
    with pytest.raises(WrongUse, match="cannot ask for one"):
        read_conditions('{"filters": {"topic": "People"}}')


PATHS = st.sampled_from([path for leaf in TREE for path in (leaf, leaf.partition("/")[0])])


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    topics=st.dictionaries(st.sampled_from([*TITLES, "Grease the crane"]), st.sets(PATHS, max_size=4), max_size=7),
    waiting=st.sets(st.sampled_from(TITLES), max_size=2),
    asked=PATHS,
    limit=st.none() | PATHS,
)
def test_whatever_documents_are_about_those_are_found_and_counted_that_have_a_topic_at_or_below_the_one_asked_for(
    bare: Library, topics: dict[str, set[str]], waiting: set[str], asked: str, limit: str | None
) -> None:
    if not bare.nodes:
        bare.release(*TREE)
    with bare.connection() as connection:
        connection.execute("DELETE FROM doc_taxonomy")
    for title, paths in topics.items():
        bare.give(title, *paths, waits=title in waiting)

    def are_about(path: str) -> set[str]:
        return {
            title
            for title, paths in topics.items()
            if title not in waiting and any(each == path or each.startswith(f"{path}/") for each in paths)
        }

    limits: Limits = (Filters(topic=str(bare.nodes[limit])),) if limit else ()
    within = are_about(limit) if limit else {*TITLES, "Grease the crane"}
    assert bare.titles(asked, limits) == are_about(asked) & within
    below = {path for path in bare.nodes if path.rpartition("/")[0] == asked}
    wanted = {path: len(are_about(path) & within) for path in below}
    assert bare.facets(asked, limits) == {path: number for path, number in wanted.items() if number or not limit}
