"""Small exports that each do one thing which real exports do, beside the repository, and what a person sees in them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from arcana_pipelines.documents.contents import make_contents, relation_targets
from arcana_pipelines.documents.read_page import ReadPage
from arcana_pipelines.errors import InvalidExport
from arcana_pipelines.sources.notion_export import validate_export
from arcana_pipelines.sources.protocol import PageRef
from arcana_pipelines_tests.testing.shared_data import SHARED_DATA

from .test_notion_export_support import listed, source

CASES = SHARED_DATA.parent / "cases" / "exports"
# The chunker's case is tested with the chunker.
NAMES = sorted({path.parent.name for path in CASES.glob("*/expected.json")} - {"unspaced_line"})


def shown_pages(export: Path) -> list[tuple[PageRef, Mapping[str, Any], set[str | None]]]:
    """References, normalised contents and titles of linked pages."""
    opened = source(export)
    refs, _ = listed(opened)
    titles = {ref.external_id: ref.title for ref in refs}
    pages = []
    for ref in refs:
        if ref.kind == "data_source":
            continue
        page = opened.fetch(ref)
        row = ReadPage(
            external_id=ref.external_id,
            title=ref.title,
            kind=ref.kind,
            url=ref.url,
            properties=ref.properties,
            last_edited_at=ref.last_edited_at,
            body=page.markdown,
            body_links=page.links,
            partial=[],
            database=None,
        )
        contents = make_contents(row, titles)
        related = [target for value in ref.properties.values() for target in relation_targets(value)]
        pages.append((ref, contents.data, {titles.get(link) for link in (*contents.links, *related)}))
    opened.close()
    return pages


@pytest.mark.parametrize("name", NAMES or [pytest.param("", marks=pytest.mark.skip("shared/cases is not there"))])
def test_an_export_as_notion_writes_it_shows_what_a_person_sees(name: str) -> None:
    expected = json.loads((CASES / name / "expected.json").read_text())
    export = CASES / name / "export"
    if expected.get("refused"):
        with pytest.raises(InvalidExport) as refusal:
            validate_export(export)
        assert expected["message_contains"] in str(refusal.value)
        return
    pages = shown_pages(export)
    for one in expected["pages"]:
        titles = one.get("title_any") or [one["title"]]
        ((_, data, links),) = [page for page in pages if page[0].title in titles and page[0].kind == one["kind"]]
        cells = {key: value["text"] for key, value in data["properties"].items()}
        assert one.get("properties", {}).items() <= cells.items()
        assert data["text"].strip() == one.get("body", data["text"].strip())
        assert set(one.get("links_to", ())) <= links
    if expected.get("no_other_rows"):
        rows = [ref.title for ref, _, _ in pages if ref.kind == "row"]
        assert len(rows) == sum(one["kind"] == "row" for one in expected["pages"]), rows
    for word in expected.get("nowhere", ()):
        for _, data, _ in pages:
            texts = [data["title"], data["text"], *(value["text"] for value in data["properties"].values())]
            assert word not in " ".join(texts)
