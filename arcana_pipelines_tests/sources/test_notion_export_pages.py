"""Pages of an export: their ids, titles, parents and bodies."""

from __future__ import annotations

import unicodedata
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import arcana_pipelines.demo
from arcana_pipelines.sources.notion_export.names import clean_name, split_name
from arcana_pipelines.sources.notion_export.page_text import take_apart

from .test_notion_export_support import OLD, A, B, C, D, body, by_title, dashed, listed, source, write

HANDBOOK = Path(arcana_pipelines.demo.__file__).parent / "handbook"


def test_the_id_in_the_file_name_becomes_a_dashed_uuid_and_a_link(tmp_path: Path) -> None:
    write(tmp_path, {f"휴가 규정 {A.upper()}.md": "# 휴가 규정\n\n연차는 15일입니다."})
    ref = by_title(tmp_path)["휴가 규정"]
    assert ref.external_id == dashed(A)
    assert ref.url == f"https://www.notion.so/{A}"
    assert (ref.kind, ref.parent_kind, ref.parent_id) == ("page", "workspace", None)


def test_a_file_without_an_id_has_the_same_id_in_every_export_and_its_path_for_an_address(tmp_path: Path) -> None:
    first = write(tmp_path / "one", {"Guides/Travel.md": "# Travel"})
    again = write(tmp_path / "two", {"Guides/Travel.md": "# Travel, edited"})
    elsewhere = write(tmp_path / "three", {"Travel.md": "# Travel"})
    ids = [listed(path)[0][0].external_id for path in (first, again, elsewhere)]
    assert ids[0] == ids[1] != ids[2]
    assert listed(first)[0][0].url == "Guides/Travel.md"


def test_the_wrapper_folder_that_is_new_in_each_export_does_not_change_ids(tmp_path: Path) -> None:
    one = write(tmp_path / "1", {"Export-11111111-2222-3333-4444-555555555555/Note.md": "# Note"})
    two = write(tmp_path / "2", {"Export-99999999-2222-3333-4444-555555555555/Note.md": "# Note"})
    assert listed(one)[0][0].external_id == listed(two)[0][0].external_id


def test_names_in_decomposed_hangul_are_the_same_page_as_composed_ones(tmp_path: Path) -> None:
    composed = write(tmp_path / "linux", {"회의록.md": "no heading"})
    decomposed = write(tmp_path / "mac", {unicodedata.normalize("NFD", "회의록.md"): "no heading"})
    ours, theirs = listed(composed)[0][0], listed(decomposed)[0][0]
    assert (ours.external_id, ours.title) == (theirs.external_id, theirs.title)
    assert theirs.title == "회의록"


@pytest.mark.parametrize("encoding", ["utf-8", "cp949"])
def test_a_zip_made_on_korean_windows_has_korean_names(encoding: str) -> None:
    assert clean_name("2026년 회의록.md".encode(encoding)) == "2026년 회의록.md"


@pytest.mark.parametrize("newer", ["NFC", "NFD"])
def test_of_two_spellings_of_one_name_the_newer_file_is_read_and_the_other_told(tmp_path: Path, newer: str) -> None:
    for form in ("NFC", "NFD"):
        when = OLD + timedelta(days=form == newer)
        write(tmp_path, {unicodedata.normalize(form, "회의록.md"): form}, when)
    if len(list(tmp_path.iterdir())) == 1:
        pytest.skip("this file system has one spelling for a name")
    assert body(tmp_path, "회의록") == newer
    assert "the newer is read" in listed(tmp_path)[1].problems[0]


def test_a_file_name_that_is_not_utf8_is_still_listed_and_read(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    try:
        (tmp_path / "f").joinpath("caf\udc82.md").write_text("# Menu\nsoup")
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    assert body(tmp_path, "Menu") == "soup"


def test_the_title_is_the_first_line_and_is_not_in_the_body(tmp_path: Path) -> None:
    write(tmp_path, {f"Long na {A}.md": "\ufeff# Long name, whole\n\nText\n\n# Second part\n"})
    assert body(tmp_path, "Long name, whole") == "Text\n\n# Second part"


@pytest.mark.parametrize("above", ["Intro\n\n", "Status: 초안\n\n", "```\n# comment\n```\n", "## Small\n\n"])
def test_a_page_that_does_not_begin_with_its_title_is_called_as_its_file(tmp_path: Path, above: str) -> None:
    write(tmp_path, {f"배포 안내 {A}.md": f"{above}# Step one\n\ntext"})
    assert body(tmp_path, "배포 안내") == f"{above}# Step one\n\ntext"


@pytest.mark.parametrize(
    ("text", "title", "rest"),
    [
        ('---\ntitle: "A: b"\ntags:\n  - x\n- y\n---\n\nbody', "A: b", "\nbody"),
        ("---\r\ntitle: A\r\n---\r\n# B\r\nbody", "B", "body"),
        ("---\ndate: 2026-05-01\n\n# for programs\n...\nbody", "name", "body"),
        ("---\ntitle: >-\n  long\n---\nbody", "name", "body"),
        ("+++\ntitle = 'A'\n[menu]\n+++\nbody", "A", "body"),
        ("<!-- a\nb -->\n<!-- c -->\n\n# B\nbody", "B", "body"),
        ("B\n=====\n\nbody", "B", "\nbody"),
        # Dividers and texts.
        ("---\n\ntitle: a\n\n---\nbody", "name", "---\n\ntitle: a\n\n---\nbody"),
        ("---\nSee: this.\nand that\n---\nbody", "name", "---\nSee: this.\nand that\n---\nbody"),
        ("---\ntitle: a", "name", "---\ntitle: a"),
        ("---\n---\nbody", "name", "---\n---\nbody"),
        ("- a\n=====", "name", "- a\n====="),
    ],
)
def test_what_stands_above_the_text_of_a_file_for_programs_is_none(
    tmp_path: Path, text: str, title: str, rest: str
) -> None:
    write(tmp_path, {"name.md": text})
    assert body(tmp_path, title) == rest.strip("\n")


def test_a_page_without_heading_is_called_as_its_file(tmp_path: Path) -> None:
    write(tmp_path, {f"Plain {A}.md": "just text"})
    assert body(tmp_path, "Plain") == "just text"


@pytest.mark.parametrize("folder", [f"Team {A}", "Team"], ids=["folder with id", "folder with title only"])
def test_the_parent_is_the_page_whose_folder_holds_the_file(tmp_path: Path, folder: str) -> None:
    write(tmp_path, {f"Team {A}.md": "# Team", f"{folder}/Rules {B}.md": "# Rules"})
    child = by_title(tmp_path)["Rules"]
    assert (child.parent_kind, child.parent_id) == ("page", dashed(A))


def test_a_folder_without_page_passes_its_children_to_the_next_page_above(tmp_path: Path) -> None:
    files = {f"Team {A}.md": "# Team", f"Team {A}/loose/Rules {B}.md": "# Rules", f"Top/X {C}.md": "# X"}
    refs = by_title(write(tmp_path, files))
    assert refs["Rules"].parent_id == dashed(A)
    assert refs["X"].parent_kind == "workspace"


def test_a_folder_with_an_id_belongs_to_that_id_and_not_to_a_namesake(tmp_path: Path) -> None:
    refs = by_title(write(tmp_path, {f"Team {A}.md": "# Team", f"Team {B}/Rules {C}.md": "# Rules"}))
    assert refs["Rules"].parent_kind == "workspace"


def test_of_two_files_of_one_age_with_one_id_the_first_in_path_order_is_kept_and_the_other_told(tmp_path: Path) -> None:
    write(tmp_path, {f"b/Copy {A}.md": "# Copy", f"a/Original {A}.md": "# Original", f"c/Other {D}.md": "# O"})
    refs, listing = listed(tmp_path)
    assert {ref.title for ref in refs} == {"Original", "O"}
    assert listing.complete
    assert len(listing.problems) == 1
    assert f"b/Copy {A}.md" in listing.problems[0]


@pytest.mark.parametrize("kind", ["md", "csv"])
@pytest.mark.parametrize(("older", "newer"), [("Aardvark", "Zebra"), ("휴가", "가족")])
def test_of_two_files_with_one_id_the_newer_is_kept_and_the_older_told(
    tmp_path: Path, older: str, newer: str, kind: str
) -> None:
    write(tmp_path, {f"{older} {A}.{kind}": f"# {older}"}, OLD)
    write(tmp_path, {f"{newer} {A}.{kind}": f"# {newer}"}, OLD + timedelta(days=1))
    refs, listing = listed(tmp_path)
    assert [ref.title for ref in refs] == [newer]
    assert listing.complete
    assert listing.problems == [
        f"{older} {A}.{kind}: has the same id as {newer} {A}.{kind}, which is newer; only the latter is indexed"
    ]


def test_hidden_files_and_macos_twins_are_no_pages_but_a_page_called_dot_env_is(tmp_path: Path) -> None:
    files = {"__MACOSX/x.md": "# x", f"._Y {A}.md": "# y", ".obsidian/z.md": "# z", f".env {B}.md": "# .env"}
    assert list(by_title(write(tmp_path, files))) == [".env"]


def test_links_in_a_folder_are_not_followed_but_told(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside", {"secret.md": "# secret", "deep/secret.md": "# secret"})
    export = write(tmp_path / "export", {f"Page {A}.md": "# Page"})
    (export / "link.md").symlink_to(outside / "secret.md")
    (export / "folder").symlink_to(outside / "deep")
    refs, listing = listed(export)
    assert [ref.title for ref in refs] == ["Page"]
    assert listing.complete
    assert "link.md" in listing.problems[0]


def test_lines_that_look_like_properties_stay_in_a_page_of_no_database(tmp_path: Path) -> None:
    write(tmp_path, {f"P {A}.md": "# P\n\nStatus: open\nOwner: me\n\ntext"})
    assert body(tmp_path, "P") == "Status: open\nOwner: me\n\ntext"


def test_bytes_that_are_no_text_are_replaced_and_told(tmp_path: Path) -> None:
    write(tmp_path, {"a.md": b"# A\nfine\xff\x00end"})
    opened = source(tmp_path)
    page = opened.fetch(by_title(opened)["A"])
    assert page.markdown == "fine\ufffd\ufffdend"
    assert "not UTF-8" in page.partial[0]


def test_a_whole_page_is_not_called_partial(tmp_path: Path) -> None:
    opened = source(write(tmp_path, {"a.md": "# A\r\n\r\n안녕\r\n"}))
    page = opened.fetch(by_title(opened)["A"])
    assert (page.markdown, page.partial) == ("안녕", ())


@given(st.text(max_size=60), st.booleans())
def test_a_name_and_an_id_come_apart_as_they_were_put_together(title: str, upper: bool) -> None:
    notion_id = "0123456789abcdef" * 2
    name = split_name(f"{title} {notion_id.upper() if upper else notion_id}")
    assert (name.title, name.notion_id) == (title.strip(), notion_id)


@given(st.binary(max_size=40))
def test_any_bytes_make_a_name_that_a_database_can_store(raw: bytes) -> None:
    name = clean_name(raw)
    name.encode()
    assert "\0" not in name


@given(st.text(max_size=200))
def test_taking_a_page_apart_loses_nothing_but_the_title_line(text: str) -> None:
    page = take_apart(text)
    assert text.endswith(page.rest)


@pytest.mark.skipif(not HANDBOOK.is_dir(), reason="the sample export is not there yet")
def test_the_sample_handbook_lists_whole_with_every_parent_known() -> None:
    opened = source(HANDBOOK)
    refs, listing = listed(opened)
    ids = {ref.external_id for ref in refs}
    assert listing.complete
    assert listing.problems == []
    assert len(ids) == len(refs) > 20
    assert {ref.parent_id for ref in refs if ref.parent_kind != "workspace"} <= ids
    for ref in refs:
        page = opened.fetch(ref)
        assert page.partial == ()
        assert (page.markdown == "") == (ref.kind == "data_source"), ref.title
        assert not page.markdown.startswith("# ")
    assert all(ref.properties for ref in refs if ref.kind == "row")
