"""Zips: read in place, with parts inside, and refused when they are not safe."""

from __future__ import annotations

import io
import os
import stat
import struct
import zipfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from arcana_pipelines.errors import InvalidExport, PageRejected
from arcana_pipelines.sources.notion_export import folders, validate_export, zipped
from arcana_pipelines.sources.protocol import Presence

from .test_notion_export_support import (
    A,
    B,
    C,
    body,
    by_title,
    dashed,
    listed,
    source,
    texts,
    write,
    write_zip,
)

SAMPLE: Mapping[str, str | bytes] = {
    f"팀 {A}.md": "# 팀\n\n소개",
    f"팀/업무 {B}.csv": "이름,상태\n출시,완료\n기획,\n",
    f"팀/업무/출시 {C}.md": "# 출시\n\n상태: 완료\n\n본문",
}


def zip_bytes(files: Mapping[str, str | bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


def test_a_zip_lists_the_same_pages_as_the_folder_it_unpacks_to(tmp_path: Path) -> None:
    folder = by_title(write(tmp_path / "folder", SAMPLE))
    zipped_ = by_title(write_zip(tmp_path / "e.zip", SAMPLE))
    assert folder.keys() == zipped_.keys() == {"팀", "업무", "출시", "기획"}
    for title, ref in folder.items():
        other = zipped_[title]
        assert (ref.external_id, ref.kind, ref.parent_kind, ref.parent_id, ref.properties) == (
            (other.external_id, other.kind, other.parent_kind, other.parent_id, other.properties)
        )
    assert body(tmp_path / "e.zip", "출시") == "본문"


@pytest.mark.parametrize("outer", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=["stored", "deflated"])
def test_the_parts_in_a_zip_of_zips_are_one_export(tmp_path: Path, outer: int) -> None:
    parts = {
        "Export-1-Part-1.zip": zip_bytes({f"팀 {A}.md": SAMPLE[f"팀 {A}.md"]}),
        "Export-1-Part-2.zip": zip_bytes({name: text for name, text in SAMPLE.items() if "/" in name}),
    }
    export = write_zip(tmp_path / "e.zip", parts, outer)
    refs = by_title(export)
    assert refs["업무"].parent_id == dashed(A)
    assert texts(refs["출시"]) == {"상태": "완료"}
    assert body(export, "출시") == "본문"


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_many_parts_take_no_more_open_files_than_one(tmp_path: Path, compression: int) -> None:
    pages = {
        f"Export-{number:032x}-Part-1.zip": zip_bytes({f"P {number:032x}.md": f"# P{number}"}) for number in range(300)
    }
    write_zip(tmp_path / "export.zip", pages, compression)
    before = len(os.listdir("/dev/fd"))
    export = zipped.ZipExport(tmp_path / "export.zip")
    assert len(os.listdir("/dev/fd")) - before <= 2
    assert [export.read(file, 100) for file in export.files] == [f"# P{number}".encode() for number in range(300)]
    export.close()


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_parts_are_read_by_several_threads_at_once(tmp_path: Path, compression: int) -> None:
    pages = {f"{part}/P {part:032x}.md": f"# P\n\n{part}" + f" {part}" * 20_000 for part in range(8)}
    parts = {
        f"Part-{part}.zip": zip_bytes({name: text}, zipfile.ZIP_STORED)
        for part, (name, text) in enumerate(pages.items())
    }
    write_zip(tmp_path / "export.zip", parts, compression)
    export = zipped.ZipExport(tmp_path / "export.zip")
    with ThreadPoolExecutor(8) as threads:
        read = list(threads.map(lambda file: (file.path, export.read(file, 10**6).decode()), [*export.files] * 50))
    assert read == [(file.path, pages[file.path]) for file in export.files] * 50
    export.close()


def test_more_parts_than_any_export_has_refuse_the_zip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipped, "MAX_PARTS", 2)
    write_zip(tmp_path / "export.zip", {f"Part-{number}.zip": zip_bytes({}) for number in range(3)})
    with pytest.raises(InvalidExport, match="more than 2 parts"):
        validate_export(tmp_path / "export.zip")


def test_a_zip_attached_to_a_page_is_not_part_of_the_export(tmp_path: Path) -> None:
    files = {**SAMPLE, "팀/backup.zip": zip_bytes({"inside.md": "# inside"}), "팀/broken.zip": b"PK nonsense"}
    assert "inside" not in by_title(write_zip(tmp_path / "e.zip", files))


def test_zips_are_read_one_level_deep_only(tmp_path: Path) -> None:
    deepest = zip_bytes({"deep.md": "# deep"})
    middle = zip_bytes({"X-Part-1.zip": deepest, "mid.md": "# mid"})
    assert list(by_title(write_zip(tmp_path / "e.zip", {"E-Part-1.zip": middle}))) == ["mid"]


def test_a_damaged_part_refuses_the_whole_export(tmp_path: Path) -> None:
    whole = zip_bytes({"a.md": "# a"})
    export = write_zip(tmp_path / "e.zip", {"E-Part-1.zip": whole, "E-Part-2.zip": whole[: len(whole) // 2]})
    with pytest.raises(InvalidExport, match=r"E-Part-2\.zip is not a whole zip"):
        validate_export(export)


@pytest.mark.parametrize(
    "name",
    [
        "../evil.md",
        "a/../../evil.md",
        "/etc/evil.md",
        "..\\evil.md",
        "\\\\host\\x.md",
    ],
)
def test_a_member_that_points_outside_refuses_the_zip(tmp_path: Path, name: str) -> None:
    export = write_zip(tmp_path / "e.zip", {"fine.md": "# fine", name: "# evil"})
    with pytest.raises(InvalidExport, match="points outside"):
        validate_export(export)


def test_a_member_that_points_outside_is_found_inside_parts_too(tmp_path: Path) -> None:
    export = write_zip(tmp_path / "e.zip", {"E-Part-1.zip": zip_bytes({"../evil.md": "# evil"})})
    with pytest.raises(InvalidExport, match="points outside"):
        validate_export(export)


def test_a_page_that_unpacks_to_hundreds_of_times_its_size_refuses_the_zip(tmp_path: Path) -> None:
    export = write_zip(tmp_path / "e.zip", {"bomb.md": b"\0" * 2_000_000})
    with pytest.raises(InvalidExport, match="200 times"):
        validate_export(export)


def test_a_bomb_that_is_an_attachment_is_never_unpacked_and_does_no_harm(tmp_path: Path) -> None:
    export = write_zip(tmp_path / "e.zip", {"a.md": "# a", "white.bmp": b"\0" * 2_000_000})
    assert list(by_title(export)) == ["a"]


def test_more_text_than_the_total_limit_refuses_the_zip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipped, "MAX_TOTAL_BYTES", 1000)
    export = write_zip(tmp_path / "e.zip", {f"{n}.md": "x" * 300 for n in range(4)})
    with pytest.raises(InvalidExport, match="unpacks to more than"):
        validate_export(export)


def test_a_part_that_unpacks_beyond_the_total_limit_refuses_the_zip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = zip_bytes({"a.md": "x" * 5000}, zipfile.ZIP_STORED)
    export = write_zip(tmp_path / "e.zip", {"E-Part-1.zip": inner})
    monkeypatch.setattr(zipped, "MAX_TOTAL_BYTES", 1000)
    with pytest.raises(InvalidExport, match="not safe"):
        validate_export(export)


def test_too_many_members_refuse_the_zip_also_when_spread_over_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zipped, "MAX_MEMBERS", 5)
    parts = {f"E-Part-{n}.zip": zip_bytes({f"{n}a.md": "a", f"{n}b.md": "b"}) for n in (1, 2)}
    with pytest.raises(InvalidExport, match="more than 5 members"):
        validate_export(write_zip(tmp_path / "e.zip", parts))


def test_a_huge_directory_is_refused_before_it_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export = write_zip(tmp_path / "e.zip", {f"{'n' * 200}{n}.md": "" for n in range(1000)})
    monkeypatch.setattr(zipped, "MAX_SINGLE_READ", 100_000)
    with pytest.raises(InvalidExport, match=r"directory of e\.zip is too large"):
        validate_export(export)


def test_a_header_that_lies_about_the_size_does_not_let_more_bytes_out(tmp_path: Path) -> None:
    data = bytearray(zip_bytes({"liar.md": b"# liar\n" + bytes(range(256)) * 8000}))
    directory = data.index(b"PK\x01\x02")
    data[directory + 24 : directory + 28] = struct.pack("<I", 500)
    data[22:26] = struct.pack("<I", 500)
    export = tmp_path / "e.zip"
    export.write_bytes(data)
    refs, listing = listed(export)
    assert refs == []
    assert not listing.complete
    assert "liar.md: cannot be read" in listing.problems[0]


def test_an_encrypted_zip_is_refused_with_the_next_step(tmp_path: Path) -> None:
    data = bytearray(zip_bytes({"a.md": "# a"}))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    export = tmp_path / "e.zip"
    export.write_bytes(data)
    with pytest.raises(InvalidExport, match=r"encrypted.*Unzip it"):
        validate_export(export)


def test_a_link_in_a_zip_is_not_read_but_told(tmp_path: Path) -> None:
    export = tmp_path / "e.zip"
    with zipfile.ZipFile(export, "w") as archive:
        archive.writestr("a.md", "# a")
        link = zipfile.ZipInfo("link.md")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    refs, listing = listed(export)
    assert [ref.title for ref in refs] == ["a"]
    assert listing.complete
    assert "link.md" in listing.problems[0]


def test_utf8_names_without_the_flag_and_code_page_names_are_both_read(tmp_path: Path) -> None:
    data = zip_bytes({"XXXXXX.md": "no title", "YYYY.md": "none either"})
    data = data.replace(b"XXXXXX", "회의".encode()).replace(b"YYYY", "caf\u00e9".encode("cp437"))
    export = tmp_path / "e.zip"
    export.write_bytes(data)
    assert set(by_title(export)) == {"회의", "caf\u00e9"}


def test_windows_separators_are_folders(tmp_path: Path) -> None:
    refs = by_title(write_zip(tmp_path / "e.zip", {f"Team {A}.md": "# Team", f"Team {A}\\Rules {B}.md": "# Rules"}))
    assert refs["Rules"].parent_id == dashed(A)


def test_a_zip_without_dates_is_dated_by_the_zip_itself(tmp_path: Path) -> None:
    export = tmp_path / "e.zip"
    data = bytearray(zip_bytes({"a.md": "# a"}))
    directory = data.index(b"PK\x01\x02")
    data[directory + 12 : directory + 16] = b"\0" * 4
    export.write_bytes(data)
    assert by_title(export)["a"].last_edited_at.timestamp() == pytest.approx(export.stat().st_mtime)


def test_the_revision_of_a_member_is_its_content_and_not_its_date(tmp_path: Path) -> None:
    one = by_title(write_zip(tmp_path / "1.zip", {"a.md": "# a\none"}))["a"]
    same = by_title(write_zip(tmp_path / "2.zip", {"a.md": "# a\none"}))["a"]
    other = by_title(write_zip(tmp_path / "3.zip", {"a.md": "# a\ntwo"}))["a"]
    assert one.revision == same.revision != other.revision


def test_a_member_damaged_behind_its_beginning_is_listed_and_rejected_alone(tmp_path: Path) -> None:
    files = {"a.md": "# a\nfine", "b.md": "# b\n" + "x" * 100_000 + "end"}
    export = write_zip(tmp_path / "e.zip", files, zipfile.ZIP_STORED)
    export.write_bytes(export.read_bytes().replace(b"xend", b"yend"))
    opened = source(export)
    refs = by_title(opened)
    assert opened.fetch(refs["a"]).markdown == "fine"
    with pytest.raises(PageRejected, match="damaged"):
        opened.fetch(refs["b"])
    opened.close()


def test_a_zip_replaced_while_open_is_seen_by_confirm(tmp_path: Path) -> None:
    export = write_zip(tmp_path / "e.zip", SAMPLE)
    opened = source(export)
    listed(opened)
    assert opened.confirm(dashed(C))[0] is Presence.ALIVE
    export.unlink()
    assert opened.confirm(dashed(C))[0] is Presence.UNKNOWN
    write_zip(export, {f"팀 {A}.md": "# 팀"})
    assert opened.confirm(dashed(C))[0] is Presence.GONE
    assert opened.confirm(dashed(A))[0] is Presence.ALIVE
    opened.close()


@pytest.mark.parametrize(
    "name",
    ["Q: 어떻게 배포하나? {}.md", "A: yes {}.md", ".. {}.md", "… {}.md", "... {}.md", "C:/Sub {}.md", "a/../Sub {}.md"],
)
def test_a_title_that_looks_like_a_path_is_a_title_because_nothing_is_unpacked(tmp_path: Path, name: str) -> None:
    export = write_zip(tmp_path / "e.zip", {name.format(B): "# Sub\n\ntext", f"Home {A}.md": "# Home"})
    assert set(by_title(export)) == {"Sub", "Home"}


def test_pages_called_by_dots_are_pages_also_without_an_id(tmp_path: Path) -> None:
    assert set(by_title(write(tmp_path, {"...md": "# ..", "....md": "# ...", ".hidden.md": "# no"}))) == {"..", "..."}


def deep(depth: int) -> str:
    return "d/" * depth + "x.md"


def long(size: int) -> str:
    return "가" * (size // 3) + "x" * (size % 3)


@pytest.mark.parametrize(
    ("name", "why"),
    [(deep(101), "101 folders deep"), (deep(32_000), "32000 folders deep"), (long(4094) + ".md", "4,097")],
)
def test_a_name_that_no_export_has_refuses_the_zip(tmp_path: Path, name: str, why: str) -> None:
    export = write_zip(tmp_path / "e.zip", {"fine.md": "# fine", name: "# x"})
    with pytest.raises(InvalidExport, match="not safe to read") as refusal:
        validate_export(export)
    assert why in str(refusal.value) or "4,096 are the most" in str(refusal.value)
    assert len(str(refusal.value)) < 600


def test_the_longest_and_deepest_names_that_are_allowed_are_read(tmp_path: Path) -> None:
    export = write_zip(tmp_path / "e.zip", {deep(100): "# deep", long(4092) + ".md": "# long"})
    assert set(by_title(export)) == {"deep", "long"}


def test_a_folder_deeper_than_any_export_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "export", {"fine.md": "# fine", deep(101): "# x"})
    for look in (validate_export, lambda path: listed(path), lambda path: source(path).fingerprint()):
        with pytest.raises(InvalidExport, match="101 folders deep"):
            look(tmp_path / "export")


def test_more_folders_than_any_export_has_are_refused_before_the_catalogue_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "MAX_FOLDERS", 50)
    export = write_zip(tmp_path / "e.zip", {f"{number}/" + deep(20): "# x" for number in range(3)})
    with pytest.raises(InvalidExport, match="more than 50 folders"):
        validate_export(export)


def test_the_memory_of_a_catalogue_grows_with_the_names_and_not_with_their_depth() -> None:
    tree = folders.Folders()
    for number in range(200):
        tree.add(f"{number}/" + "/".join(["folder"] * 99))
    assert len(list(tree.all())) == 200 * 100
    names = [tree.name(number) for number in tree.all()]
    assert max(map(len, names)) == len("folder")


def test_too_many_members_are_refused_before_their_names_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zipped, "MAX_MEMBERS", 100)
    monkeypatch.setattr(zipped, "_LARGE_DIRECTORY", 100 * 46)
    export = write_zip(tmp_path / "e.zip", {f"{number}.md": "" for number in range(101)})

    def refusing(*args: object) -> None:
        raise AssertionError("a member was read")

    monkeypatch.setattr(zipfile.ZipInfo, "__init__", refusing)
    with pytest.raises(InvalidExport, match="more than 100 members"):
        validate_export(export)


@pytest.mark.parametrize("inside", ["Export-0f1e2d3c-4b5a-4697-8899-aabbccddeeff/Notes/", ""])
@pytest.mark.parametrize("suffix", ["html", "HTM"])
def test_an_html_export_is_called_so_at_any_depth_in_folder_zip_and_part(
    tmp_path: Path, inside: str, suffix: str
) -> None:
    pages = {f"{inside}Notes {A}.{suffix}": "<html><body>Milk</body></html>"}
    parts = {"Export-1-Part-1.zip": zip_bytes(pages)}
    for export in (
        write(tmp_path / "folder", pages),
        write_zip(tmp_path / "e.zip", pages),
        write_zip(tmp_path / "parts.zip", parts),
    ):
        with pytest.raises(InvalidExport, match=r"It is an HTML export .*Markdown & CSV"):
            validate_export(export)


def test_tables_beside_html_pages_are_an_html_export_too(tmp_path: Path) -> None:
    files = {f"Tasks {A}.csv": "Name\nOne\n", f"Tasks {A}/One {B}.html": "<html>"}
    with pytest.raises(InvalidExport, match="It is an HTML export"):
        validate_export(write(tmp_path, files))


def test_html_among_markdown_is_told(tmp_path: Path) -> None:
    files = {f"Page {A}.md": "# Page", f"b/Old {B}.html": "<html>", f"a/Old {C}.html": "<html>"}
    for export in (write(tmp_path / "folder", files), write_zip(tmp_path / "e.zip", files)):
        refs, listing = listed(export)
        assert [ref.title for ref in refs] == ["Page"]
        assert listing.complete
        assert listing.problems == [
            f"a/Old {C}.html: 2 HTML files are not read; if these are pages, export again as Markdown & CSV"
        ]


@pytest.mark.parametrize("years", [(2025, 2026), (2026, 2025)])
def test_of_a_member_that_is_in_two_parts_the_newest_is_read_and_told(tmp_path: Path, years: tuple[int, int]) -> None:
    parts: dict[str, bytes] = {}
    for number, year in enumerate(years, start=1):
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w") as archive:
            archive.writestr(zipfile.ZipInfo(f"Page {A}.md", (year, 1, 2, 3, 4, 6)), f"# Page\n\nof {year}")
        parts[f"Export-Part-{number}.zip"] = data.getvalue()
    export = write_zip(tmp_path / "e.zip", parts)
    assert body(export, "Page") == "of 2026"
    assert listed(export)[1].problems == [f"Page {A}.md: is in the zip more than once; the newest is read"]
