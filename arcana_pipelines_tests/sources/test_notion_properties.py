"""Every property type gives the text a person sees in its cell, and no shape raises."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arcana_pipelines.sources.notion.properties import (
    incomplete_properties,
    read_properties,
    title_of,
)

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
ADA_ID = "1f7effb2-0000-4000-8000-0000000000a1"
BOB_ID = "1f7effb2-0000-4000-8000-0000000000a2"
ADA = {"object": "user", "id": ADA_ID, "name": "Ada", "avatar_url": "https://s3/x?sig=1", "type": "person"}
FILE = {
    "name": "plan.pdf",
    "type": "file",
    "file": {"url": "https://s3/plan.pdf?X-Amz-Signature=1", "expiry_time": ""},
}
PAGE = "1f7effb2-9211-800a-af32-c10cd6f51abc"


def rich(*texts: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": {"content": t}, "plain_text": t} for t in texts]


CELLS: list[tuple[str, Any, str, Any]] = [
    ("rich_text", rich("가", "나"), "가나", "가나"),
    ("number", 3.0, "3", 3.0),
    ("number", 0, "0", 0),
    ("number", 0.25, "0.25", 0.25),
    ("number", None, "", None),
    ("checkbox", True, "Yes", True),
    ("checkbox", False, "No", False),
    ("select", {"id": "1", "name": "L", "color": "red"}, "L", "L"),
    ("status", {"id": "1", "name": "Done", "color": "green"}, "Done", "Done"),
    ("multi_select", [{"name": "a"}, {"name": "b"}], "a, b", ["a", "b"]),
    (
        "date",
        {"start": "2026-07-01", "end": None, "time_zone": None},
        "2026-07-01",
        {"start": "2026-07-01", "end": None, "time_zone": None},
    ),
    (
        "date",
        {"start": "2026-07-01", "end": "2026-07-05"},
        "2026-07-01 → 2026-07-05",
        {"start": "2026-07-01", "end": "2026-07-05", "time_zone": None},
    ),
    (
        "people",
        [ADA, {"object": "user", "id": BOB_ID}],
        "Ada",
        [{"id": ADA_ID, "name": "Ada"}, {"id": BOB_ID, "name": None}],
    ),
    ("files", [FILE], "plan.pdf", [{"name": "plan.pdf", "url": "https://s3/plan.pdf"}]),
    ("url", "https://x.y/?sig=1", "https://x.y/", "https://x.y/"),
    ("email", "a@x.y", "a@x.y", "a@x.y"),
    ("phone_number", "123", "123", "123"),
    ("formula", {"type": "string", "string": "✅"}, "✅", "✅"),
    ("formula", {"type": "boolean", "boolean": True}, "Yes", True),
    ("formula", {"type": "number", "number": 2.0}, "2", 2.0),
    ("relation", [{"id": PAGE.replace("-", "")}], "", [PAGE]),
    ("rollup", {"type": "number", "number": 4, "function": "count"}, "4", 4),
    (
        "rollup",
        {"type": "array", "array": [{"type": "title", "title": rich("a")}, {"type": "number", "number": 1}]},
        "a, 1",
        ["a", 1],
    ),
    ("rollup", {"type": "incomplete", "incomplete": {}}, "", None),
    ("created_time", "2026-06-27T17:11:00.000Z", "2026-06-27T17:11:00.000Z", "2026-06-27T17:11:00.000Z"),
    ("last_edited_time", "2026-06-27T17:11:00.000Z", "2026-06-27", "2026-06-27T17:11:00.000Z"),
    ("created_by", ADA, "Ada", {"id": ADA_ID, "name": "Ada"}),
    ("last_edited_by", {"object": "user", "id": BOB_ID}, "", {"id": BOB_ID, "name": None}),
    ("unique_id", {"prefix": "TASK", "number": 3}, "TASK-3", {"prefix": "TASK", "number": 3}),
    ("unique_id", {"prefix": None, "number": 3}, "3", {"prefix": None, "number": 3}),
    (
        "verification",
        {"state": "verified", "verified_by": ADA, "date": None},
        "verified",
        {"state": "verified", "verified_by": {"id": ADA_ID, "name": "Ada"}, "date": None},
    ),
    (
        "place",
        {"lat": 1.5, "lon": 2, "name": "HQ", "address": "Berlin"},
        "HQ, Berlin",
        {"lat": 1.5, "lon": 2, "name": "HQ", "address": "Berlin"},
    ),
    ("button", {}, "", None),
    ("future", {"x": {"rich": rich("deep")}}, "deep", "deep"),
]


@pytest.mark.parametrize(("kind", "raw", "text", "value"), CELLS)
def test_a_cell_reads_as_a_person_sees_it(kind: str, raw: Any, text: str, value: Any) -> None:
    read = read_properties({"P": {"id": "x", "type": kind, kind: raw}})
    assert read == {"P": {"type": kind, "text": text, "value": value}}
    assert "sig" not in json.dumps(read) and "Signature" not in json.dumps(read)


def test_the_title_stands_apart_and_order_is_kept() -> None:
    raw = {
        "B": {"type": "number", "number": 1},
        "Name": {"id": "title", "type": "title", "title": rich("제", "목\nx")},
        "A": {"type": "checkbox", "checkbox": True},
    }
    assert title_of(raw) == "제목 x"
    assert list(read_properties(raw)) == ["B", "A"]
    assert title_of({}) == ""


def test_a_formula_in_a_rollup_in_a_formula_is_read() -> None:
    inner = {
        "type": "rollup",
        "rollup": {
            "type": "array",
            "array": [{"type": "formula", "formula": {"type": "string", "string": "a"}}],
        },
    }
    assert read_properties({"P": inner})["P"]["text"] == "a"
    deep: dict[str, Any] = {"type": "number", "number": 1}
    for _ in range(5000):
        deep = {"type": "rollup", "rollup": {"type": "array", "array": [deep]}}
    assert read_properties({"P": deep})["P"]["text"] == ""


@pytest.mark.parametrize("kind", ["formula", "rollup"])
def test_what_the_api_does_not_compute_is_marked(kind: str) -> None:
    raw = {"P": {"id": "x", "type": kind, kind: {"type": "unsupported", "unsupported": {}}}}
    assert read_properties(raw)["P"] == {"type": kind, "text": "", "value": None, "unsupported": True}


def relation(count: int, has_more: bool = False, property_id: str = "r%3A") -> dict[str, Any]:
    return {"id": property_id, "type": "relation", "relation": [{"id": PAGE}] * count, "has_more": has_more}


def shown(*cells: dict[str, Any], property_id: str = "s") -> dict[str, Any]:
    rollup = {"type": "array", "array": list(cells), "function": "show_original"}
    return {"id": property_id, "type": "rollup", "rollup": rollup}


TITLE_CELL = {"type": "title", "title": rich("마일스톤")}
MENTIONS = [{"type": "mention", "plain_text": "x"}]


@pytest.mark.parametrize(
    ("cut", "whole"),
    [
        (relation(25, has_more=True), relation(25)),
        ({"id": "p", "type": "people", "people": [ADA] * 25}, {"id": "p", "type": "people", "people": [ADA] * 24}),
        (
            {"id": "t", "type": "rich_text", "rich_text": MENTIONS * 25},
            {"id": "t", "type": "rich_text", "rich_text": MENTIONS * 24 + rich("x") * 9},
        ),
        ({"id": "title", "type": "title", "title": MENTIONS * 25}, {"id": "title", "type": "title", "title": MENTIONS}),
        (shown(*[TITLE_CELL] * 25), shown(*[TITLE_CELL] * 24)),
        (shown(relation(25, has_more=True)), shown(relation(25))),
        (
            {"id": "i", "type": "rollup", "rollup": {"type": "incomplete", "incomplete": {}, "function": "sum"}},
            {"id": "i", "type": "rollup", "rollup": {"type": "number", "number": 3, "function": "sum"}},
        ),
    ],
)
def test_what_a_page_object_cuts_is_noticed_whether_or_not_it_says_so(
    cut: dict[str, Any], whole: dict[str, Any]
) -> None:
    assert incomplete_properties({"P": cut}) == [("P", cut["id"])]
    assert incomplete_properties({"P": whole}) == []


def test_what_is_computed_beside_a_cut_relation_is_not_trusted() -> None:
    total = {"id": "s", "type": "rollup", "rollup": {"type": "number", "number": 25, "function": "sum"}}
    text = {"id": "f", "type": "formula", "formula": {"type": "string", "string": "25 of them"}}
    plain_cell = {"id": "n", "type": "number", "number": 1}
    columns = {"Total": total, "Said": text, "N": plain_cell}
    assert incomplete_properties({"R": relation(3), **columns}) == []
    found = incomplete_properties({**columns, "R": relation(25, has_more=True)})
    assert found == [("Total", "s"), ("Said", "f"), ("R", "r%3A")]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "id", "name", "start", "array"]), inner)
    ),
    max_leaves=8,
)


@pytest.mark.slow
@settings(max_examples=200)
@given(st.sampled_from(sorted({kind for kind, *_ in CELLS} | {"title", "location"})), JSON)
def test_no_shape_raises(kind: str, content: Any) -> None:
    for raw in ({"P": {"type": kind, kind: content}}, {"P": content}, content):
        read_properties(raw)
        title_of(raw)
        incomplete_properties(raw)


def test_every_recorded_property_is_read() -> None:
    shapes = SHARED / "notion-shapes.txt"
    if not shapes.is_file():
        pytest.skip(f"SKIPPED LOUDLY: no recorded shapes at {shapes}; this test proves nothing here")
    section = shapes.read_text(encoding="utf-8").split("== PROP\n")[1].split("\n==")[0]
    lines = [line.partition(" | ") for line in section.splitlines() if line]
    for label, _, raw in lines:
        read = read_properties({"P": json.loads(raw)})
        assert label == "title" or read["P"]["type"] == label.partition(".")[0]
    assert len(lines) >= 25


def test_every_recorded_page_is_read() -> None:
    cassettes = SHARED / "notion-cassettes"
    if not cassettes.is_dir():
        pytest.skip(f"SKIPPED LOUDLY: no recorded answers at {cassettes}; this test proves nothing here")
    seen = 0
    for path in sorted(cassettes.glob("*.yaml")):
        for line in path.read_text(encoding="utf-8").splitlines():
            _, found, raw = line.partition("string: ")
            if not found or not (raw := raw.strip().strip("'").replace("''", "'")).startswith("{"):
                continue
            try:
                body = json.loads(raw)
            except ValueError:
                continue
            for page in [body, *body.get("results", [])]:
                if page.get("object") == "page":
                    seen += 1
                    read = read_properties(page["properties"])
                    assert [*read, *(n for n, p in page["properties"].items() if p["type"] == "title")]
    assert seen
