"""Files of pages in Notion, from the attachment to the hit."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from arcana_pipelines.sources.file_rules import FileRules
from arcana_pipelines_tests.harness import Harness

DATA = Path(__file__).parents[2].parent / "shared" / "data" / "files"
ROW = re.compile(r"\| (?P<path>[\w/.-]+) \| [\d.]+ \| (?P<what>[^|]*) \| (?P<found>[^|]*) \|")


def expectations() -> dict[str, list[tuple[str | None, str]]]:
    """Of each file the phrases that must be found, each with its place where one is named (`p1`, `slide 1`)."""
    found: dict[str, list[tuple[str | None, str]]] = {}
    for row in ROW.finditer((DATA / "README.md").read_text()):
        place = None
        phrases: list[tuple[str | None, str]] = []
        if not re.search(r"OCR|no text|no transcript|reported", row["found"]):
            for named, phrase in re.findall(r"(?:\b(p\d+|slide \d+)\b)|`([^`]+)`", row["found"]):
                if named:
                    place = named
                elif not phrase.endswith((".txt", ".pdf")):
                    phrases.append((place, phrase))
        found[row["path"]] = phrases
    return found


@pytest.mark.slow
def test_every_phrase_of_real_files_is_found_in_its_place(acme: Harness) -> None:
    if not DATA.is_dir():
        pytest.skip("no ../shared/data/files beside the repository")
    acme.files = FileRules()
    page = acme.world.add_page("Sales handbook", blocks="What we attach.")
    expected = expectations()
    assert len(expected) == 37
    for path in expected:
        acme.world.add_file(page, "file", path.replace("/", "-"), (DATA / path).read_bytes())
    report = acme.sync()
    assert report["files"]["fetched"] == 37 and report["files"]["pending"] == report["files"]["stored"] == 0
    texts = acme.rows(
        "SELECT c.contents->>'title', v.places->(part.number - 1)::int, "
        "concat_ws(' ', array_to_string(k.heading_path, ' '), k.chunk_content) "
        "FROM published_document v JOIN document_content c USING (document_content_id) "
        "CROSS JOIN LATERAL unnest(v.chunk_ids) WITH ORDINALITY AS part(document_chunk_id, number) "
        "JOIN chunk k USING (document_chunk_id) WHERE c.contents->>'kind' = 'file' ORDER BY 1, part.number"
    )
    missed = []
    for path, phrases in expected.items():
        chunks = [
            (place or {}, " ".join(text.split())) for title, place, text in texts if title == path.replace("/", "-")
        ]
        for where, phrase in phrases:
            unit, number = ("page", where[1:]) if where and where[0] == "p" else ("slide", (where or "")[6:])
            there = [
                text for place, text in chunks
                if where is None or place.get(unit, 0) <= int(number) <= place.get(f"last_{unit}", place.get(unit, 0))
            ]  # fmt: skip
            if not any(phrase in text for text in there):
                missed.append((path, where, phrase))
    assert missed == []


def test_a_second_sync_fetches_and_reads_nothing(acme: Harness) -> None:
    acme.files = FileRules()
    page = acme.world.add_page("Handbook", blocks="Words.")
    acme.world.add_file(page, "pdf", "plan.html", b"<html><body><p>The plan is to grow slowly.</p></body></html>")
    acme.sync()
    acme.settle()
    report = acme.sync()
    assert (report["files"]["fetched"], report["files"]["read"]) == (0, 0)
    assert acme.server.file_requests == []


def test_no_signature_of_an_address_is_kept_once_its_file_is(acme: Harness) -> None:
    acme.files = FileRules()
    page = acme.world.add_page("Handbook", blocks="Words.")
    acme.world.add_file(page, "pdf", "plan.html", b"<html><body><p>The plan is to grow slowly.</p></body></html>")
    acme.world.add_file(page, "image", "plan.png", b"no picture")
    assert acme.sync()["files"]["fetched"] == 2
    columns = acme.rows(
        "SELECT k.relname, a.attname FROM pg_attribute a JOIN pg_class k ON k.oid = a.attrelid "
        "JOIN pg_namespace n ON n.oid = k.relnamespace WHERE k.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped "
        "AND n.nspname = current_schema() AND a.atttypid::regtype::text ~ 'text|json|char'"
    )
    assert ("source_page", "body") in columns
    kept = [
        (table, column)
        for table, column in columns
        if acme.rows(f'SELECT 1 FROM "{table}" WHERE "{column}"::text ILIKE %s LIMIT 1', ["%x-amz-signature%"])
    ]
    assert kept == []
    assert "plan.png" in str(acme.rows("SELECT body FROM source_page"))
