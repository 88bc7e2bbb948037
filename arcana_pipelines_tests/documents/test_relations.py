"""What two documents are to each other: said by hand, told on both sides, and left alone by syncs."""

from __future__ import annotations

import json
from uuid import UUID

import pytest
from click.testing import CliRunner

from arcana_pipelines.cli.commands import document as document_command
from arcana_pipelines.cli.commands import workspace as workspace_command
from arcana_pipelines.documents.relations import RelationType, relate, unrelate, with_properties
from arcana_pipelines.errors import UnknownDocument, WrongUse
from arcana_pipelines.retrieval.served import related_documents
from arcana_pipelines.retrieval.whole_document import find_document_id
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.harness import Harness


class Shelf:
    """A policy, its translation, and a page that links to it."""

    def __init__(self, acme: Harness) -> None:
        self.acme = acme
        policy = acme.world.add_page("Vacation policy", blocks="Thirty days a year.")
        acme.world.add_page("휴가 규정", blocks="한 해에 삼십 일이다.")
        acme.world.add_page("Index", blocks=[blocks.link_to_page(policy)])
        self.sync()
        with acme.database.connection() as connection:
            self.workspace_id = workspaces.find(connection, acme.slug).workspace_id

    def sync(self) -> None:
        self.acme.settle()
        self.acme.sync(Mode.FULL)

    def id(self, title: str) -> UUID:
        with self.acme.database.connection() as connection:
            return find_document_id(connection, self.workspace_id, title)

    def relate(self, base: str, related: str, relation_type: RelationType) -> bool:
        with self.acme.database.connection() as connection:
            return relate(connection, self.workspace_id, self.id(base), self.id(related), relation_type)

    def related(self, title: str) -> set[tuple[str, str]]:
        with self.acme.database.connection() as connection:
            found = related_documents(connection, self.workspace_id, self.id(title))
        return {(each.how, each.title) for each in found}

    def audited(self) -> list[tuple[str, str, dict[str, object]]]:
        rows = self.acme.rows(
            "SELECT action, object, details FROM audit_logs WHERE action LIKE 'relation.%%' ORDER BY at"
        )
        return [(action, named, details) for action, named, details in rows]


@pytest.fixture
def shelf(acme: Harness) -> Shelf:
    return Shelf(acme)


class TestByHand:
    def test_is_told_on_both_sides_and_stays_through_syncs(self, shelf: Shelf) -> None:
        assert shelf.relate("Vacation policy", "휴가 규정", "translation")
        for _ in range(2):
            assert ("translation", "휴가 규정") in shelf.related("Vacation policy")
            assert shelf.related("휴가 규정") == {("translation of", "Vacation policy")}
            shelf.sync()

    def test_is_said_once_and_kept_in_the_audit_log(self, shelf: Shelf) -> None:
        assert shelf.relate("Vacation policy", "휴가 규정", "summary")
        assert not shelf.relate("Vacation policy", "휴가 규정", "summary")
        base, related = shelf.id("Vacation policy"), shelf.id("휴가 규정")
        with shelf.acme.database.connection() as connection:
            assert unrelate(connection, shelf.workspace_id, base, related, actor="key:abc") == ["summary"]
            with pytest.raises(UnknownDocument, match="by hand"):
                unrelate(connection, shelf.workspace_id, base, related)
        assert shelf.audited() == [
            ("relation.added", str(base), {"related": str(related), "type": "summary"}),
            ("relation.removed", str(base), {"related": str(related), "types": ["summary"]}),
        ]
        assert ("summary", "휴가 규정") not in shelf.related("Vacation policy")

    def test_a_link_that_is_said_by_hand_too_stays_when_the_page_loses_it(self, shelf: Shelf) -> None:
        assert shelf.relate("Index", "Vacation policy", "reference")
        (page,) = shelf.acme.rows("SELECT external_id FROM source_page WHERE title = 'Index'")
        shelf.acme.world.edit_page(page[0], [blocks.paragraph("Nothing is linked any more.")])
        shelf.sync()
        assert ("links to", "Vacation policy") in shelf.related("Index")

    def test_takes_back_nothing_that_a_sync_has_found(self, shelf: Shelf) -> None:
        with shelf.acme.database.connection() as connection, pytest.raises(UnknownDocument):
            unrelate(connection, shelf.workspace_id, shelf.id("Index"), shelf.id("Vacation policy"))
        assert ("links to", "Vacation policy") in shelf.related("Index")

    def test_a_document_is_nothing_to_itself(self, shelf: Shelf) -> None:
        with pytest.raises(WrongUse, match="not to itself"):
            shelf.relate("Index", "Index", "summary")

    def test_of_a_document_that_is_gone_is_refused(self, shelf: Shelf) -> None:
        with shelf.acme.database.connection() as connection, pytest.raises(UnknownDocument):
            relate(connection, shelf.workspace_id, shelf.id("Index"), UUID(int=7), "summary")


def test_the_command_names_documents_as_people_do_and_shows_one_without_a_word_for_it(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", shelf.acme.database.url)
    runner = CliRunner()

    def said(*arguments: str) -> str:
        result = runner.invoke(document_command.command, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    said("relate", "acme", "Vacation policy", "휴가 규정", "--type", "translation")
    again = json.loads(said("relate", "Vacation policy", "휴가 규정", "--type", "translation", "--json"))
    assert (again["type"], again["is_new"]) == ("translation", False)
    assert shelf.related("휴가 규정") == {("translation of", "Vacation policy")}
    assert json.loads(said("unrelate", "acme", "Vacation policy", "휴가 규정", "--json"))["types"] == ["translation"]
    assert shelf.related("휴가 규정") == set()
    for arguments in (("acme", "휴가 규정"), ("휴가 규정",), ("show", "acme", "휴가 규정")):
        assert "삼십 일" in said(*arguments)
    assert json.loads(said("--json", "acme", "휴가 규정"))["file"] is None


class TestByProperties:
    def test_rows_are_related_to_what_the_named_property_points_to_as_long_as_it_does(
        self, acme: Harness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DATABASE_URL", acme.database.url)
        world = acme.world
        texts = world.add_database("Texts", schema={"Owner": "rich_text"})
        world.add_property(texts.data_source_id, "번역", {"type": "relation", "data_source_id": texts.data_source_id})
        korean = world.add_row(texts.data_source_id, "휴가 규정", {}, blocks="삼십 일.")
        english = world.add_row(texts.data_source_id, "Vacation policy", {"번역": [korean]}, blocks="Thirty days.")
        shelf = Shelf(acme)

        def mean(named: str) -> None:
            arguments = ["set", acme.slug, "--relation-property", named, "--json"]
            said = CliRunner().invoke(workspace_command.command, arguments, catch_exceptions=False)
            assert said.exit_code == 0, said.output

        def translations() -> set[tuple[str, str]]:
            rows = acme.rows(
                "SELECT b.external_id, r.external_id FROM document_relation JOIN source_page b ON b.document_id = "
                "base_document_id JOIN source_page r ON r.document_id = related_document_id "
                "WHERE origin = 'property' AND relation_type = 'translation' AND deleted_at IS NULL"
            )
            return {(base, related) for base, related in rows}

        mean("번역=translation")
        assert translations() == {(english, korean)}
        world.set_property(english, "번역", [])
        shelf.sync()
        assert translations() == set()
        world.set_property(english, "번역", [korean])
        shelf.sync()
        assert translations() == {(english, korean)}
        mean("번역=")
        assert translations() == set()

    def test_are_named_with_what_they_mean(self) -> None:
        config = with_properties({"path": "/x"}, ["번역=translation", "Sum = of = summary"])
        assert config == {"path": "/x", "relation_properties": {"번역": "translation", "Sum = of": "summary"}}
        assert with_properties(config, ["번역=", "Sum = of="]) == {"path": "/x"}
        for wrong in ("번역", "=translation", "번역=cousin"):
            with pytest.raises(WrongUse, match="PROPERTY=TYPE"):
                with_properties({}, [wrong])
