"""A taxonomy as CSV: as spreadsheets write it, in Korea too."""

from __future__ import annotations

import csv
import io
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings

from arcana_pipelines.errors import TaxonomyRefused
from arcana_pipelines.files.csv_cells import BEGINS_FORMULA
from arcana_pipelines.taxonomy.exchange import csv_file, rows
from arcana_pipelines.taxonomy.exchange.csv_file import read_csv, write_csv
from arcana_pipelines.taxonomy.exchange.decoding import decode
from arcana_pipelines.taxonomy.exchange.rows import Imported
from arcana_pipelines.taxonomy.nodes import Node
from arcana_pipelines.taxonomy.tree import make_tree, spell_path
from arcana_pipelines_tests.taxonomy.exchange_cases import HARD, imported, tree, trees


def read(*lines: str) -> Imported:
    return read_csv("\n".join(lines), "topics.csv")


def paths(read: Imported) -> list[str]:
    return [spell_path(node.path) for node in read.nodes]


def test_paths_alone_suffice_and_those_above_them_are_added() -> None:
    assert paths(read("path", "AI/RAG", "AI/RAG/Reranking", "HR")) == ["AI", "AI/RAG", "AI/RAG/Reranking", "HR"]


def test_a_label_and_a_parent_suffice_whatever_the_ids_are_and_whichever_row_comes_first() -> None:
    found = read("id,parent,name", "2,1,RAG", "1,,인공지능", "3,2,Reranking")
    assert paths(found) == ["인공지능/RAG", "인공지능", "인공지능/RAG/Reranking"]
    # An id that is none of ours is what the source calls it: a later import finds the node by it.
    assert {node.path[-1]: node.external_ref for node in found.nodes} == {"RAG": "2", "인공지능": "1", "Reranking": "3"}


def test_an_id_of_ours_is_the_nodes_own() -> None:
    its, above = uuid4(), uuid4()
    found = read("node_id,parent_id,label", f"{above},,AI", f"{str(its).upper()},{above},RAG")
    assert [(node.node_id, node.external_ref) for node in found.nodes] == [(above, None), (its, None)]


def test_columns_may_be_korean_and_those_that_mean_nothing_are_told() -> None:
    found = read("경로,설명,동의어,Label@KO,색,Label@pt-br", "AI,인공지능 전반,머신러닝 | ML,인공지능,빨강,IA")
    (node,) = found.nodes
    assert (node.definition, node.synonyms) == ("인공지능 전반", ("머신러닝", "ML"))
    assert node.labels == {"ko": "인공지능", "pt-BR": "IA"}
    assert found.remarks == ("Columns that mean nothing here were not read: '색'.",)


def test_rows_say_what_goes_and_what_takes_its_place() -> None:
    old = uuid4()
    found = read(
        "path,replaces,retired,replaced_by", f"AI/Search,{old} | AI\\/ML/Old,,", "AI/Gone,,yes,AI/Search", "AI/Over,,x,"
    )
    by_path = {spell_path(node.path): node for node in found.nodes}
    assert by_path["AI/Search"].replaces == (old, ("AI/ML", "Old"))
    assert by_path["AI/Gone"].retired and by_path["AI/Gone"].replaced_by == (("AI", "Search"),)
    assert by_path["AI/Over"].retired and not by_path["AI/Over"].replaced_by
    # What goes does not bring back what it stood below.
    assert paths(read("path,retired", "B,", "A/Gone,yes")) == ["B", "A/Gone"]


def test_what_takes_a_nodes_place_may_be_named_by_an_id_of_the_file() -> None:
    found = read("node_id,label,retired,replaced_by", "7,New,,", "8,Old,yes,7")
    assert found.nodes[1].replaced_by == (("New",),)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_commas_semicolons_and_tabs_part_cells(delimiter: str) -> None:
    text = delimiter.join(["path", "definition"]) + "\r\n" + delimiter.join(["AI", '"a, b; c"']) + "\r\n"
    assert read_csv(text, "topics.csv").nodes[0].definition == "a, b; c"
    assert read_csv(f"sep={delimiter}\r\n{text}", "topics.csv").nodes[0].definition == "a, b; c"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp949"])
def test_what_excel_saves_is_read(encoding: str) -> None:
    text = "path,설명\r\n인공지능/검색 증강,뷁 똠방각하\r\nAI,모두\r\n"
    assert decode(text.encode(encoding), "topics.csv") == text


@pytest.mark.parametrize(
    "data",
    [
        "path\nétude".encode("latin-1"),
        b"\xff\xfe\x00",
        b"PK\x03\x04\x00\x00",
        "path\n人工智能是一门新的技术科学，研究和开发".encode("gb18030"),
    ],
)
def test_another_encoding_is_refused_in_a_sentence(data: bytes) -> None:
    with pytest.raises(TaxonomyRefused, match="save it as UTF-8"):
        decode(data, "topics.csv")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["AI", "HR"], "names no column 'path'"),
        ([], "topics.csv is empty"),
        (
            ["path,confidence", "AI//RAG,", "AI,much"],
            "is no path of a topic: A label is empty.\nThe confidence in row 3 is no number",
        ),
        (["path"], "has no nodes"),
        (["path,Path", "a,b"], "names a column twice"),
        (["path", '"AI'], "Row 2 of topics.csv cannot be read"),
        (["path", "AI,,", "HR,x"], "Row 3 has more cells"),
        (["path", ",".join("x" * 300)], "has 300 cells"),
        (["path", "AI//RAG"], "Row 2: 'AI//RAG' is no path"),
        (["path", "/".join("abcdefghijklmnopq")], "17 levels"),
        (["path", "x" * 201], "201 characters"),
        (["path,definition", "AI," + "x" * 10_001], "Row 2: its definition has 10,001 characters"),
        (["path,synonyms", "AI," + "|".join(["x"] * 201)], "201 synonyms"),
        (["path,confidence", "AI,much"], "The confidence in row 2 is no number"),
        (["path,confidence", "AI,nan"], "not between 0 and 1"),
        (["path,retired", "AI,perhaps"], "'retired' in row 2 is 'perhaps'"),
        (["label,path", "RAG,AI/Search"], "Row 2 stands in two places"),
        (["node_id,parent_id,label,path", "1,,AI,AI", "2,1,RAG,HR/RAG"], "Row 3 stands in two places"),
        (["node_id,label", "1,AI", "1,RAG"], "Row 3 has the id '1' of row 2"),
        (["node_id,parent_id,label", "1,9,AI"], "Row 2 is below '9', and no row has this id"),
        (["node_id,parent_id,label", "1,1,AI"], "Row 2 is above itself: 'AI'"),
        (["node_id,parent_id,label", "1,3,A", "2,1,B", "3,2,C"], "above itself: 'B', 'C', 'A'"),
        (["node_id,parent_id,label,retired", "1,,AI,yes", "2,1,RAG,"], "Row 3 is below row 2, which is to go"),
        (["node_id,label", "1,"], "Row 2 has neither a label nor a path"),
        (["node_id,parent_id,label", *(f"{n},{n - 1 or ''},x" for n in range(1, 18))], "17 levels"),
    ],
)
def test_what_cannot_be_is_refused_and_the_row_named(lines: list[str], said: str) -> None:
    with pytest.raises(TaxonomyRefused) as refused:
        read(*lines)
    assert said in str(refused.value) and len(str(refused.value)) < 700


def test_more_rows_than_a_taxonomy_has_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert csv_file.MOST_ROWS == 100_000
    monkeypatch.setattr(csv_file, "MOST_ROWS", 1000)
    assert len(read("path", *(f"x{number}" for number in range(1000))).nodes) == 1000
    with pytest.raises(TaxonomyRefused, match="more than 1,000 rows"):
        read("path", *(f"x{number}" for number in range(1001)))


def test_more_nodes_than_a_taxonomy_has_are_refused_with_those_above_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MOST_ROWS", 10)
    with pytest.raises(TaxonomyRefused, match="more than 10 nodes"):
        read("path", *(f"{number}/x" for number in range(6)))


def test_a_cell_of_megabytes_is_refused() -> None:
    with pytest.raises(TaxonomyRefused, match=r"Row 2 of topics.csv cannot be read|characters"):
        read("path,definition", "AI," + "x" * 3_000_000)


def test_no_cell_of_an_export_is_a_formula() -> None:
    cells = [cell for line in csv.reader(io.StringIO(write_csv(make_tree(HARD, []).nodes))) for cell in line]
    assert len(cells) > 50 and not any(cell.startswith(BEGINS_FORMULA) for cell in cells)


def test_an_export_tells_confidence_only_where_one_is_not_sure() -> None:
    assert "confidence" not in write_csv(tree("AI")) and "0.5" in write_csv(tree("AI", confidence=0.5))


def test_an_import_of_an_export_changes_nothing() -> None:
    nodes = make_tree(HARD, []).nodes
    assert imported(read_csv(write_csv(nodes), "x"), nodes) == nodes


@pytest.mark.slow
@settings(max_examples=40)
@given(trees())
def test_an_import_of_any_export_changes_nothing(nodes: list[Node]) -> None:
    assert imported(read_csv(write_csv(nodes), "x"), nodes) == nodes


def test_a_renamed_row_of_an_export_is_the_same_node() -> None:
    nodes = tree("AI", "AI/RAG")
    lines = [line.split(",") for line in write_csv(nodes).splitlines()]
    at = lines[0].index("path")
    text = "\n".join(",".join(cell for n, cell in enumerate(line) if n != at) for line in lines)
    draft = make_tree(read_csv(text.replace(",AI,", ",인공지능,"), "x").nodes, nodes)
    assert [(change.kind, change.to_path) for change in draft.changes] == [("rename", ("인공지능",))]
    assert isinstance(draft.nodes[1].node_id, UUID) and draft.nodes[1].node_id == nodes[1].node_id
