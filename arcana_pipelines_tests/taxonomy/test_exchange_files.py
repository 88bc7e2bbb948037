"""Files of a taxonomy: which format each is in, and lists of paths."""

from __future__ import annotations

from pathlib import Path

import pytest

from arcana_pipelines import demo
from arcana_pipelines.errors import TaxonomyRefused
from arcana_pipelines.taxonomy.exchange import formats, lists
from arcana_pipelines.taxonomy.exchange.formats import FORMATS, read_file, written
from arcana_pipelines.taxonomy.exchange.lists import read_list
from arcana_pipelines.taxonomy.tree import make_tree, spell_path
from arcana_pipelines_tests.taxonomy.exchange_cases import imported, tree

ENDS = {"csv": "csv", "json": "json", "skos": "ttl"}


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_of_each_format_is_known_by_its_name(tmp_path: Path, kind: str) -> None:
    nodes = tree("AI", "AI/RAG", labels={"ko": "검색 증강"})
    file = tmp_path / f"topics.{ENDS[kind].upper()}"
    file.write_text(written(kind, nodes, "acme", "1.0.0"), encoding="utf-8-sig")
    assert imported(read_file(file), nodes) == nodes


def test_the_samples_taxonomy_is_read_whole() -> None:
    read = read_file(Path(demo.__file__).parent / "taxonomy.csv")
    nodes = make_tree(read.nodes, []).nodes
    assert len(nodes) == 25 and read.remarks == () and all(node.labels["ko"] and node.synonyms for node in nodes)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("topics.xlsx", "save the sheet as 'CSV UTF-8'"),
        ("topics.rdf", r"write it as Turtle \(.ttl\)"),
        ("topics.doc", "its name ends in .csv"),
    ],
)
def test_what_is_not_read_names_the_next_step(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(TaxonomyRefused, match=said):
        read_file(tmp_path / name)


def test_a_file_that_is_too_large_is_not_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "LARGEST", 2**20)
    (tmp_path / "topics.csv").write_text("path\n" + "x" * 2**20)
    with pytest.raises(TaxonomyRefused, match="larger than 1 MiB"):
        read_file(tmp_path / "topics.csv")


def test_lists_of_google_and_shopify_are_read() -> None:
    read = read_list(
        "# Google_Product_Taxonomy_Version: 2021-09-21\n"
        "166 - Apparel & Accessories\n"
        "188 - Apparel & Accessories > Jewelry - Watches\n"
        "gid://shopify/TaxonomyCategory/aa-1 : Animals & Pet Supplies > Live Animals\n"
        "Wi-Fi - Routers > 공유기\r\n",
        "x",
    )
    assert [(spell_path(node.path), node.external_ref) for node in read.nodes] == [
        ("Apparel & Accessories", "166"),
        ("Apparel & Accessories/Jewelry - Watches", "188"),
        ("Animals & Pet Supplies", None),
        ("Animals & Pet Supplies/Live Animals", "gid://shopify/TaxonomyCategory/aa-1"),
        ("Wi-Fi - Routers", None),
        ("Wi-Fi - Routers/공유기", None),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (" > ".join("abcdefghijklmnopq"), "Line 1 of x: The path has 17 levels"),
        ("a >  > b", "Line 1 of x: A label is empty"),
        ("", "x has no nodes"),
    ],
)
def test_a_list_that_cannot_be_a_tree_is_refused(text: str, said: str) -> None:
    with pytest.raises(TaxonomyRefused, match=said):
        read_list(text, "x")


def test_a_list_of_more_lines_than_a_taxonomy_has_nodes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "MOST_ROWS", 2)
    with pytest.raises(TaxonomyRefused, match="more than 2 lines"):
        read_list("a\nb\nc", "x")
