"""The taxonomy of the sample: 25 topics of its handbook and its helpdesk, in English and Korean, and rules of them."""

from __future__ import annotations

import re

import pytest

from arcana_pipelines.classification.rules import list_rules
from arcana_pipelines.cli.sample_taxonomy import FILE, VERSION, add_sample_taxonomy
from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.taxonomy.exchange.csv_file import read_csv
from arcana_pipelines.taxonomy.nodes import GivenNode
from arcana_pipelines.taxonomy.stored_versions import active_version, versions
from arcana_pipelines.taxonomy.versions import store_draft
from arcana_pipelines.testing.notion_server import NotionServer, NotionWorld
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines.workspaces.workspaces import Workspace
from arcana_pipelines_tests.harness import Harness

HANGUL = re.compile("[가-힣]")


@pytest.fixture(scope="module")
def nodes() -> tuple[GivenNode, ...]:
    imported = read_csv(FILE.read_text(encoding="utf-8"), FILE.name)
    assert imported.remarks == ()
    return imported.nodes


class TestItsTopics:
    def test_are_25_on_three_levels_each_below_one_that_is_there(self, nodes: tuple[GivenNode, ...]) -> None:
        paths = [node.path for node in nodes]
        assert len(paths) == len(set(paths)) == 25
        assert {len(path) for path in paths} == {1, 2, 3}
        assert all(path[:-1] in (*paths, ()) for path in paths)

    def test_are_called_and_explained_in_both_languages(self, nodes: tuple[GivenNode, ...]) -> None:
        for node in nodes:
            assert not HANGUL.search(node.path[-1]) and HANGUL.search(node.labels["ko"])
            for explained in (node.definition or "", " ".join(node.synonyms)):
                assert HANGUL.search(explained) and re.search("[A-Za-z]{2}", explained)


class TestASampleWorkspace:
    @pytest.fixture
    def handbook(self, database: Database, world: NotionWorld, server: NotionServer) -> Harness:
        """A workspace of this name with what the rules name."""
        security = world.add_page("보안과 데이터", blocks="지도는 비밀입니다.")
        world.add_page("정보보안 정책", blocks="비밀번호는 16자입니다.", parent=security)
        world.add_page("Vacation policy", blocks="Thirty days.")
        projects = world.add_database("Projects", schema={"Tags": "multi_select"})
        world.add_row(projects.data_source_id, "Recertification", {"Tags": ["Safety", "Hardware"]})
        harness = Harness.register(database, world, server, "handbook")
        harness.settle()
        harness.sync()
        return harness

    def found(self, connection: Connection) -> Workspace:
        return workspaces.find(connection, "handbook")

    def test_has_them_in_one_version_and_documents_have_them_by_its_rules(self, handbook: Harness) -> None:
        with handbook.database.connection() as connection:
            workspace = self.found(connection)
            assert add_sample_taxonomy(connection, workspace)
            active = active_version(connection, workspace.workspace_id)
            rules = list_rules(connection, workspace.workspace_id)
        assert active is not None and (active.version, active.nodes) == (VERSION, 25)
        assert [(rule.name, rule.rests) for rule in rules] == [("Time off", None), ("보안", None), ("Safety", None)]
        handbook.sync()
        by_rule = handbook.rows(
            "SELECT p.title, array_to_string(t.path, '/') FROM doc_taxonomy t JOIN source_page p "
            "ON p.document_id = t.doc_id WHERE t.origin = 'rule' AND NOT t.hitl_required ORDER BY 1"
        )
        assert by_rule == [
            ("Recertification", "Robots/Safety"), ("Vacation policy", "People/Time off"),
            ("보안과 데이터", "Workplace/Security and privacy"), ("정보보안 정책", "Workplace/Security and privacy"),
        ]  # fmt: skip

    def test_that_has_a_taxonomy_is_left_as_it_is(self, handbook: Harness, nodes: tuple[GivenNode, ...]) -> None:
        with handbook.database.connection() as connection:
            workspace = self.found(connection)
            store_draft(connection, workspace.workspace_id, nodes[:1], "own")
            assert not add_sample_taxonomy(connection, workspace)
            assert [each.version for each in versions(connection, workspace.workspace_id)] == ["own"]
            assert list_rules(connection, workspace.workspace_id) == []
