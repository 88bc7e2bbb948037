"""The source as a whole: listing, reading, proving absence, and noticing change."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from arcana_pipelines.errors import InvalidExport, PageRejected, PageUnavailable, SourceUnavailable
from arcana_pipelines.sources.notion_export import NotionExportSource, validate_export
from arcana_pipelines.sources.protocol import Mode, Presence, Source

from .test_notion_export_support import NOW, OLD, A, B, C, by_title, dashed, listed, source, write

PAGES = {f"하나 {A}.md": "# 하나\n\n본문", f"하나 {A}/둘 {B}.md": "# 둘\n\ntext"}


def test_it_is_a_source() -> None:
    opened: Source = NotionExportSource(Path("nowhere"))
    opened.close()


@pytest.mark.parametrize("mode", list(Mode))
def test_every_mode_lists_everything_whatever_is_unchanged(tmp_path: Path, mode: Mode) -> None:
    opened = source(write(tmp_path, PAGES))
    listing = opened.enumerate(mode, "a cursor", lambda batch: [True] * len(batch))
    assert not listing.complete
    assert sum(len(batch) for batch in listing.batches) == 2
    assert listing.complete
    assert listing.problems == []
    assert listing.source_time == NOW


def test_batches_hold_two_hundred_at_most(tmp_path: Path) -> None:
    opened = source(write(tmp_path, {f"{number}.md": "text" for number in range(450)}))
    listing = opened.enumerate(Mode.FULL, None, lambda batch: [])
    assert [len(batch) for batch in listing.batches] == [200, 200, 50]


def test_listing_twice_gives_the_same_references(tmp_path: Path) -> None:
    write(tmp_path, PAGES)
    assert listed(tmp_path)[0] == listed(tmp_path)[0]


def test_the_time_of_the_last_edit_is_the_file_time_in_utc(tmp_path: Path) -> None:
    ref = by_title(write(tmp_path, PAGES))["하나"]
    assert ref.last_edited_at == OLD
    assert ref.last_edited_at.utcoffset() == timedelta(0)


def test_fetching_says_when_by_the_clock_it_was_given(tmp_path: Path) -> None:
    opened = source(write(tmp_path, PAGES))
    assert opened.fetch(by_title(opened)["둘"]).fetched_at == NOW


# What cannot be an export


def test_a_missing_path_is_refused_with_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(InvalidExport, match=r"missing does not exist.*Markdown & CSV"):
        validate_export(tmp_path / "missing")


@pytest.mark.parametrize("content", [b"", b"%PDF-1.7", b"# A single page"], ids=["empty", "pdf", "markdown"])
def test_a_file_that_is_no_zip_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "export"
    path.write_bytes(content)
    with pytest.raises(InvalidExport, match="neither a folder nor a zip"):
        validate_export(path)


def test_a_pipe_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidExport, match="neither"):
        validate_export(tmp_path / "pipe")


def test_a_zip_cut_off_in_mid_download_is_called_damaged(tmp_path: Path) -> None:
    path = tmp_path / "export.zip"
    path.write_bytes(b"PK\x03\x04 and then the line dropped")
    with pytest.raises(InvalidExport, match=r"not a whole zip.*again"):
        validate_export(path)


def test_an_export_without_pages_is_refused_and_an_html_export_is_recognised(tmp_path: Path) -> None:
    with pytest.raises(InvalidExport, match=r"holds no \.md"):
        validate_export(tmp_path)
    write(tmp_path, {"index.html": "<html>"})
    with pytest.raises(InvalidExport, match="HTML"):
        validate_export(tmp_path)


def test_a_folder_that_holds_the_zips_only_says_so(tmp_path: Path) -> None:
    write(tmp_path, {"Export-Part-1.zip": "PK"})
    with pytest.raises(InvalidExport, match="unzip them"):
        validate_export(tmp_path)


def test_a_good_export_is_accepted(tmp_path: Path) -> None:
    validate_export(write(tmp_path, PAGES))


def test_listing_a_missing_export_raises_at_once_and_not_as_an_empty_listing(tmp_path: Path) -> None:
    with pytest.raises(InvalidExport):
        source(tmp_path / "missing").enumerate(Mode.FULL, None, lambda batch: [])


# What changes a revision


def test_an_edit_changes_the_revision_and_nothing_else_does(tmp_path: Path) -> None:
    before = by_title(write(tmp_path, PAGES))
    write(tmp_path, {f"하나 {A}/둘 {B}.md": "# 둘\n\nedit"}, OLD + timedelta(seconds=1))
    after = by_title(tmp_path)
    assert before["둘"].revision != after["둘"].revision
    assert before["하나"].revision == after["하나"].revision


def test_two_edits_of_one_size_in_one_tick_of_the_clock_differ_while_the_file_is_fresh(
    tmp_path: Path,
) -> None:
    moment = NOW - timedelta(seconds=1)
    first = by_title(write(tmp_path, {"a.md": "# a\none"}, moment))["a"]
    second = by_title(write(tmp_path, {"a.md": "# a\ntwo"}, moment))["a"]
    assert first.revision != second.revision


def test_a_fresh_file_gets_one_more_revision_when_it_has_aged(tmp_path: Path) -> None:
    write(tmp_path, {"a.md": "# a\none"}, NOW - timedelta(seconds=1))
    fresh = by_title(source(tmp_path, NOW))["a"]
    still_fresh = by_title(source(tmp_path, NOW + timedelta(seconds=2)))["a"]
    aged = by_title(source(tmp_path, NOW + timedelta(seconds=10)))["a"]
    assert fresh.revision == still_fresh.revision != aged.revision


def test_a_file_from_the_future_is_never_trusted_by_its_time(tmp_path: Path) -> None:
    moment = NOW + timedelta(days=400)
    first = by_title(write(tmp_path, {"a.md": "# a\none"}, moment))["a"]
    second = by_title(write(tmp_path, {"a.md": "# a\ntwo"}, moment))["a"]
    assert first.revision != second.revision


def test_a_change_in_the_csv_is_a_revision_of_its_row_only(tmp_path: Path) -> None:
    rows = {f"T/One {B}.md": "# One", f"T/Two {C}.md": "# Two"}
    before = by_title(write(tmp_path, {f"T {A}.csv": "Name,K\nOne,1\nTwo,1\n", **rows}))
    after = by_title(write(tmp_path, {f"T {A}.csv": "Name,K\nOne,2\nTwo,1\n"}))
    assert before["One"].revision != after["One"].revision
    assert before["Two"].revision == after["Two"].revision


# Absence


def test_a_page_is_alive_while_its_file_is_there_and_gone_after(tmp_path: Path) -> None:
    opened = source(write(tmp_path, PAGES))
    assert opened.confirm(dashed(B))[0] is Presence.ALIVE
    (tmp_path / f"하나 {A}" / f"둘 {B}.md").unlink()
    assert opened.confirm(dashed(B))[0] is Presence.GONE
    assert opened.confirm(dashed(A))[0] is Presence.ALIVE


def test_a_row_without_file_is_gone_when_the_csv_drops_it(tmp_path: Path) -> None:
    opened = source(write(tmp_path, {f"T {A}.csv": "Name,K\nOne,1\nTwo,2\n"}))
    row = by_title(opened)["Two"].external_id
    assert opened.confirm(row)[0] is Presence.ALIVE
    write(tmp_path, {f"T {A}.csv": "Name,K\nOne,1\n"})
    assert opened.confirm(row)[0] is Presence.GONE


def test_an_emptied_or_missing_root_says_nothing_about_pages(tmp_path: Path) -> None:
    root = write(tmp_path / "export", PAGES)
    opened = source(root)
    listed(opened)
    root.rename(tmp_path / "unmounted")
    assert opened.confirm(dashed(A))[0] is Presence.UNKNOWN
    root.mkdir()
    assert opened.confirm(dashed(A))[0] is Presence.UNKNOWN


def test_an_unreadable_sub_folder_makes_absence_unknown_and_the_listing_incomplete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, PAGES)
    real = os.scandir

    def refusing(path: str) -> object:
        if path.endswith(A):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", refusing)
    refs, listing = listed(tmp_path)
    assert [ref.title for ref in refs] == ["하나"]
    assert not listing.complete
    assert "Permission denied" in listing.problems[0]
    assert source(tmp_path).confirm(dashed(B))[0] is Presence.UNKNOWN
    assert source(tmp_path).confirm(dashed(A))[0] is Presence.ALIVE


@pytest.mark.parametrize(
    ("error", "expected"),
    [(PermissionError(13, "denied"), InvalidExport), (OSError(5, "Input/output error"), SourceUnavailable)],
)
def test_an_unreadable_root_is_an_error_and_never_an_empty_listing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, expected: type[Exception]
) -> None:
    write(tmp_path, PAGES)

    def refusing(path: str) -> object:
        raise error

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(expected):
        listed(tmp_path)
    with pytest.raises(expected):
        validate_export(tmp_path)
    assert source(tmp_path).confirm(dashed(A))[0] is Presence.UNKNOWN


def test_a_file_that_cannot_be_read_is_told_and_makes_the_listing_incomplete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, PAGES)
    real = os.open

    def refusing(path: str, flags: int) -> int:
        if B in path:
            raise OSError(5, "Input/output error")
        return real(path, flags)

    monkeypatch.setattr(os, "open", refusing)
    refs, listing = listed(tmp_path)
    assert [ref.title for ref in refs] == ["하나"]
    assert not listing.complete
    assert listing.cursor is None
    assert f"둘 {B}.md" in listing.problems[0]
    assert source(tmp_path).confirm(dashed(B)) == (Presence.UNKNOWN, None)


def test_a_page_deleted_after_the_listing_is_unavailable(tmp_path: Path) -> None:
    opened = source(write(tmp_path, PAGES))
    ref = by_title(opened)["둘"]
    (tmp_path / f"하나 {A}" / f"둘 {B}.md").unlink()
    with pytest.raises(PageUnavailable, match=dashed(B)):
        opened.fetch(ref)


def test_a_page_moved_after_the_listing_is_read_where_it_is_now(tmp_path: Path) -> None:
    opened = source(write(tmp_path, PAGES))
    ref = by_title(opened)["둘"]
    (tmp_path / f"하나 {A}" / f"둘 {B}.md").rename(tmp_path / f"둘 {B}.md")
    assert opened.fetch(ref).markdown == "text"


def test_a_page_of_an_export_that_has_vanished_is_no_missing_page(tmp_path: Path) -> None:
    root = write(tmp_path / "export", PAGES)
    opened = source(root)
    ref = by_title(opened)["둘"]
    root.rename(tmp_path / "unmounted")
    for reader in (opened, source(root)):
        with pytest.raises(SourceUnavailable):
            reader.fetch(ref)


def test_a_page_is_fetched_by_a_source_that_has_not_listed(tmp_path: Path) -> None:
    ref = by_title(write(tmp_path, PAGES))["둘"]
    assert source(tmp_path).fetch(ref).markdown == "text"


def test_a_page_above_the_limit_is_listed_but_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arcana_pipelines.sources.notion_export.source.MAX_FILE_BYTES", 1024)
    opened = source(write(tmp_path, {"big.md": "# big\n" + "x" * 2000}))
    with pytest.raises(PageRejected, match="larger than"):
        opened.fetch(by_title(opened)["big"])


def test_a_file_swapped_for_a_link_after_the_listing_is_not_followed(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside", {"secret.md": "secret"}) / "secret.md"
    export = write(tmp_path / "export", {f"a {A}.md": "# a", f"b {B}.md": "# b"})
    opened = source(export)
    ref = by_title(opened)["a"]
    (export / f"a {A}.md").unlink()
    (export / f"a {A}.md").symlink_to(outside)
    with pytest.raises((PageUnavailable, PageRejected)):
        opened.fetch(ref)


# Whether anything changed


def test_confirming_a_page_gives_its_reference_as_a_listing_would(tmp_path: Path) -> None:
    csv = {f"T {C}.csv": "Name,K\nOne,1\n"}
    opened = source(write(tmp_path, {**PAGES, **csv}))
    for ref in listed(opened)[0]:
        assert opened.confirm(ref.external_id) == (Presence.ALIVE, ref)


def test_nothing_has_changed_since_a_whole_listing_until_a_file_does(tmp_path: Path) -> None:
    cursor = listed(write(tmp_path, PAGES))[1].cursor
    assert source(tmp_path).unchanged_since(cursor)
    write(tmp_path, {f"하나 {A}.md": "# 하나\n\n고침"}, OLD + timedelta(seconds=1))
    assert not source(tmp_path).unchanged_since(cursor)
    assert not source(tmp_path).unchanged_since(None)


def test_a_listing_that_met_a_fresh_file_proves_nothing_but_the_next_one_does(tmp_path: Path) -> None:
    write(tmp_path, {"a.md": "# a\none"}, NOW - timedelta(seconds=1))
    fresh = listed(source(tmp_path, NOW))[1].cursor
    assert not source(tmp_path).unchanged_since(fresh)
    aged = listed(source(tmp_path, NOW + timedelta(seconds=10)))[1].cursor
    assert source(tmp_path).unchanged_since(aged)


def test_an_export_that_cannot_be_looked_at_is_not_unchanged(tmp_path: Path) -> None:
    root = write(tmp_path / "export", PAGES)
    cursor = listed(root)[1].cursor
    root.rename(tmp_path / "unmounted")
    assert not source(root).unchanged_since(cursor)


def test_the_fingerprint_stays_while_nothing_changes_and_moves_when_something_does(tmp_path: Path) -> None:
    opened = source(write(tmp_path, PAGES))
    seen = [opened.fingerprint()]
    assert opened.fingerprint() == seen[0]
    write(tmp_path, {f"하나 {A}.md": "# 하나\n\n고침"}, OLD + timedelta(seconds=1))
    seen.append(opened.fingerprint())
    write(tmp_path, {"new.csv": "Name\n"})
    seen.append(opened.fingerprint())
    (tmp_path / "new.csv").rename(tmp_path / "renamed.csv")
    seen.append(opened.fingerprint())
    (tmp_path / "renamed.csv").unlink()
    assert len(set(seen)) == 4
    assert opened.fingerprint() == seen[1]


def test_the_fingerprint_ignores_attachments_and_opens_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = source(write(tmp_path, PAGES))

    def refusing(*args: object) -> int:
        raise AssertionError("a file was opened")

    monkeypatch.setattr(os, "open", refusing)
    before = opened.fingerprint()
    write(tmp_path, {"photo.png": b"png"})
    assert opened.fingerprint() == before


def test_the_fingerprint_of_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidExport):
        source(tmp_path / "missing").fingerprint()
