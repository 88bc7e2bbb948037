"""A taxonomy that people keep in Notion, read from what the last sync left in the ledger."""

from __future__ import annotations

from typing import Any

import pytest

from arcana_pipelines.errors import TaxonomyRefused
from arcana_pipelines.taxonomy.exchange import notion
from arcana_pipelines.taxonomy.exchange.notion import read_database, read_pages
from arcana_pipelines.taxonomy.exchange.rows import Imported
from arcana_pipelines.taxonomy.tree import make_tree, spell_path
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.harness import Harness


def pages(acme: Harness, page: str) -> Imported:
    with acme.database.connection() as connection:
        return read_pages(connection, workspaces.find(connection, acme.slug).workspace_id, page, "Topics")


def database(acme: Harness, source: str, parent: str | None = None) -> Imported:
    with acme.database.connection() as connection:
        workspace_id = workspaces.find(connection, acme.slug).workspace_id
        return read_database(connection, workspace_id, source, "Topics", parent)


def paths(read: Imported) -> list[str]:
    return sorted(spell_path(node.path) for node in read.nodes)


def test_titles_of_pages_below_a_page_are_labels_and_a_renamed_page_renames_its_node(acme: Harness) -> None:
    world = acme.world
    top = world.add_page("Topics")
    ai = world.add_page("AI / ML", top)
    rag = world.add_page("검색 증강", ai)
    world.add_page("Elsewhere")
    acme.settle()
    acme.sync()
    read = pages(acme, top)
    assert paths(read) == [r"AI \/ ML", r"AI \/ ML/검색 증강"] and read.remarks == ()
    before = make_tree(read.nodes, []).nodes
    assert {node.external_ref for node in before} == {ai, rag}

    world.set_title(ai, "인공지능")
    world.add_page("HR", top)
    world.trash(rag)
    acme.settle()
    acme.sync()
    draft = make_tree(pages(acme, top).nodes, before)
    changes = sorted((change.kind, change.to_path) for change in draft.changes)
    assert changes == [("add", ("HR",)), ("rename", ("인공지능",))]
    assert [node.external_ref for node in draft.missing] == [rag]


def test_databases_and_pages_without_a_title_are_left_out_and_told(acme: Harness) -> None:
    world = acme.world
    top = world.add_page("Topics")
    world.add_page("AI", top)
    world.add_page("Below nothing", world.add_page("", top))
    world.add_row(world.add_database("Tasks", top).data_source_id, "A row")
    acme.settle()
    acme.sync()
    read = pages(acme, top)
    assert paths(read) == ["AI"]
    assert (
        "(--from-database reads one): 'Tasks'" in read.remarks[0]
        and "left out, with what is below them: 1" in (read.remarks[1])
    )


def test_a_page_with_nothing_below_it_and_one_with_too_much_are_refused(
    acme: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    top = page = acme.world.add_page("Topics")
    for level in range(17):
        page = acme.world.add_page(f"Level {level + 1}", page)
    acme.settle()
    acme.sync()
    with pytest.raises(TaxonomyRefused, match="page 'Topics' has no nodes"):
        pages(acme, page)
    with pytest.raises(TaxonomyRefused, match="17 levels"):
        pages(acme, top)
    monkeypatch.setattr(notion, "MOST_ROWS", 5)
    with pytest.raises(TaxonomyRefused, match="More than 5 pages are below page 'Topics'"):
        pages(acme, top)


@pytest.fixture
def topics(acme: Harness) -> dict[str, str]:
    """A database of topics as people make one: `Parent item` and `Sub-item`, texts in two languages."""
    world = acme.world
    ids = world.add_database("Topics")
    source = ids.data_source_id
    itself = {"type": "relation", "data_source_id": source, "database_id": ids.database_id}
    other = world.add_database("Teams")
    columns: dict[str, Any] = {
        "Parent item": itself,
        "Sub-item": itself,
        "Team": {"type": "relation", "data_source_id": other.data_source_id, "database_id": other.database_id},
        "설명": "rich_text",
        "Synonyms": "multi_select",
        "한국어": "rich_text",
    }
    for name, spec in columns.items():
        world.add_property(source, name, spec)
    team = world.add_row(other.data_source_id, "Platform")
    ai = world.add_row(source, "AI", {"설명": "인공지능 전반", "한국어": "인공지능", "Team": [team]})
    hr = world.add_row(source, "HR")
    rag = world.add_row(source, "RAG", {"Parent item": [ai, hr], "Synonyms": ["retrieval, augmented", "검색 증강"]})
    world.set_property(ai, "Sub-item", [rag])
    world.add_row(source, "")
    acme.settle()
    acme.sync()
    return {"source": source, "ai": ai, "rag": rag}


def test_rows_of_a_database_stand_below_those_that_they_name_as_parent(acme: Harness, topics: dict[str, str]) -> None:
    read = database(acme, topics["source"])
    by_path = {spell_path(node.path): node for node in read.nodes}
    assert sorted(by_path) == ["AI", "AI/RAG", "HR"]
    assert (by_path["AI"].definition, by_path["AI"].labels) == ("인공지능 전반", {"ko": "인공지능"})
    # An option of several may have a comma in it.
    assert by_path["AI/RAG"].synonyms == ("retrieval, augmented", "검색 증강")
    assert by_path["AI/RAG"].external_ref == topics["rag"]
    assert read.remarks == (
        "Rows without a title were left out: 1.",
        "Rows with several parents stand below the first alone: 'RAG'.",
    )


def test_a_relation_may_be_named_and_must_lead_to_the_database_itself(acme: Harness, topics: dict[str, str]) -> None:
    assert paths(database(acme, topics["source"], "parent item")) == ["AI", "AI/RAG", "HR"]
    with pytest.raises(TaxonomyRefused, match=r"no relation 'Team' .* There are: 'Parent item', 'Sub-item'"):
        database(acme, topics["source"], "Team")


def test_rows_that_are_above_each_other_are_refused(acme: Harness, topics: dict[str, str]) -> None:
    acme.world.set_property(topics["ai"], "Parent item", [topics["rag"]])
    acme.settle()
    acme.sync()
    with pytest.raises(TaxonomyRefused, match="is above itself"):
        database(acme, topics["source"])


@pytest.mark.parametrize(
    ("names", "said"),
    [(["Sub-item"], None), (["위"], None), (["위", "곁"], "2 relations to its own rows"), ([], None)],
)
def test_without_a_known_name_the_only_relation_makes_the_tree(
    acme: Harness, names: list[str], said: str | None
) -> None:
    world = acme.world
    ids = world.add_database("Topics")
    itself = {"type": "relation", "data_source_id": ids.data_source_id, "database_id": ids.database_id}
    for name in names:
        world.add_property(ids.data_source_id, name, itself)
    a, b = (world.add_row(ids.data_source_id, title) for title in "AB")
    for name in names:
        world.set_property(a if name == "Sub-item" else b, name, [b if name == "Sub-item" else a])
    acme.settle()
    acme.sync()
    if said:
        with pytest.raises(TaxonomyRefused, match=said):
            database(acme, ids.data_source_id)
    else:
        assert paths(database(acme, ids.data_source_id)) == (["A", "A/B"] if names else ["A", "B"])
