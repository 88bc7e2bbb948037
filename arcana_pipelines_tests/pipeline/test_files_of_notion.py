"""Files of pages in Notion, from the attachment to the hit."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from arcana_pipelines.retrieval.results import Hit
from arcana_pipelines.sources.file_rules import FileRules
from arcana_pipelines_tests.harness import Harness

DATA = Path(__file__).parents[2].parent / "shared" / "data" / "files"
ROW = re.compile(r"\| (?P<path>[\w/.-]+) \| [\d.]+ \| (?P<what>[^|]*) \| (?P<found>[^|]*) \|")


SCANS = ("no-tounicode", "scanned", "image/english-korean", "image/korean-scan")


def expectations(with_scans: bool = False) -> dict[str, list[tuple[str | None, str]]]:
    """Of each file the phrases that must be found, each with its place where one is named (`p1`, `slide 1`).

    Those that take OCR only `with_scans`.
    """
    found: dict[str, list[tuple[str | None, str]]] = {}
    for row in ROW.finditer((DATA / "README.md").read_text()):
        place = None
        phrases: list[tuple[str | None, str]] = []
        is_scan = any(each in row["path"] for each in SCANS)
        if with_scans if is_scan else not re.search(r"OCR|no text|no transcript|reported", row["found"]):
            for named, phrase in re.findall(r"(?:\b(p\d+|slide \d+)\b)|`([^`]+)`", row["found"]):
                if named:
                    place = named
                elif not phrase.endswith((".txt", ".pdf")) and not phrase.startswith("7KHTXLFN"):
                    phrases.append((place, phrase))
        found[row["path"]] = phrases
    return found


@pytest.mark.slow
@pytest.mark.long
def test_every_phrase_of_real_files_is_found_by_a_search_those_of_scans_too(acme: Harness) -> None:
    if not DATA.is_dir():
        pytest.skip("no ../shared/data/files beside the repository")
    if shutil.which("tesseract") is None:
        pytest.skip("tesseract is not installed")
    acme.files = FileRules()
    acme.database.settings = acme.database.settings.model_copy(update={"file_ocr": "on"})
    page = acme.world.add_page("Sales handbook", blocks="What we attach.")
    expected = expectations(with_scans=True)
    for path in expected:
        acme.world.add_file(page, "file", path.replace("/", "-"), (DATA / path).read_bytes())
    assert acme.sync()["files"]["fetched"] == 37
    missed = [
        (path, where, phrase)
        for path, phrases in expected.items()
        for where, phrase in phrases
        if not any(_says(hit, path.replace("/", "-"), where, phrase) for hit in acme.search(phrase, 50))
    ]
    assert missed == []


def _says(hit: Hit, name: str, where: str | None, phrase: str) -> bool:
    """Whether a hit is of this file, or of one with the same text that it names, in its place, and shows the phrase."""
    text = " ".join(re.sub(r"\\(.)", r"\1", f"{' '.join(hit.heading_path)} {hit.text}").split())
    if phrase not in text or name not in (hit.title, *(twin.title for twin in hit.duplicates)):
        return False
    if where is None:
        return True
    assert hit.file is not None
    first = hit.file.page if where[0] == "p" else hit.file.slide
    last = hit.file.last_page or first
    number = int(where.removeprefix("slide ").removeprefix("p"))
    return first is not None and last is not None and first <= number <= last


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
