"""Files beside the pages of an export: which page has which, their bytes, and what makes a page read again."""

from __future__ import annotations

import io
import os
import unicodedata
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from arcana_pipelines.errors import DownloadExpired, DownloadFailed, DownloadRefused
from arcana_pipelines.sources.notion_export import NotionExportSource
from arcana_pipelines.sources.protocol import FileRef, PageRef
from arcana_pipelines_tests.sources.test_notion_export_support import NOW, OLD, A, B, C, D, by_title, write, write_zip

MIB = 2**20
_opened: list[NotionExportSource] = []
Make = Callable[[Mapping[str, str | bytes]], NotionExportSource]


def opened(path: Path, with_files: bool = True, now: datetime = NOW) -> NotionExportSource:
    _opened.append(NotionExportSource(path, now=lambda: now, with_files=with_files))
    return _opened[-1]


@pytest.fixture(autouse=True)
def _all_closed() -> Iterator[None]:
    yield
    while _opened:
        _opened.pop().close()


@pytest.fixture(params=["folder", "zip"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Makes an export of these files, unpacked or as a zip."""

    def make(files: Mapping[str, str | bytes]) -> NotionExportSource:
        if request.param == "folder":
            return opened(write(tmp_path / "export", files))
        return opened(write_zip(tmp_path / "export.zip", files))

    return make


def files_of(source: NotionExportSource, title: str) -> list[FileRef]:
    files = source.fetch(by_title(source)[title]).files
    assert files is not None
    return list(files)


def fetched(source: NotionExportSource, file: FileRef, most: int = MIB) -> bytes:
    target = io.BytesIO(b"what was there before")
    source.download(file, target, most)
    return target.getvalue()


PAGE = f"Plan {A}"


def test_files_that_a_page_links_to_are_told_in_their_order_and_each_once(make: Make) -> None:
    text = "\n\n".join(
        [
            "# Plan",
            f"![a map of *us*](Plan%20{A}/map.png)",
            f"[연차 규정.pdf](Plan%20{A}/%EC%97%B0%EC%B0%A8%20%EA%B7%9C%EC%A0%95.pdf)",
            f"[Plan {A}/talk.mp3](Plan%20{A}/talk.mp3)",
            f"[read this](Plan%20{A}/report%20(1).docx) and [again](Plan%20{A}/report%20(1).docx)",
            "[a page](https://example.com/x.pdf) ![](https://example.com/y.png) [mail](mailto:a@example.com)",
            f"```\n![](Plan%20{A}/code.png)\n```",
            f"[not there](Plan%20{A}/missing.pdf)",
        ]
    )
    source = make(
        {
            f"{PAGE}.md": text,
            f"{PAGE}/map.png": b"map",
            f"{PAGE}/연차 규정.pdf": b"%PDF",
            f"{PAGE}/talk.mp3": b"mp3",
            f"{PAGE}/report (1).docx": b"docx",
            f"{PAGE}/code.png": b"code",
        }
    )
    files = files_of(source, "Plan")
    assert [(file.file_id, file.name, file.origin, file.caption) for file in files] == [
        (f"{PAGE}/map.png", "map.png", "image", "a map of us"),
        (f"{PAGE}/연차 규정.pdf", "연차 규정.pdf", "pdf", ""),
        (f"{PAGE}/talk.mp3", "talk.mp3", "audio", ""),
        (f"{PAGE}/report (1).docx", "report (1).docx", "file", "read this"),
    ]
    assert [fetched(source, file) for file in files] == [b"map", b"%PDF", b"mp3", b"docx"]
    assert all(file.expires_at is None and not file.is_external for file in files)


def test_files_of_a_rows_cells_are_told_also_of_a_row_without_a_page(make: Make) -> None:
    source = make(
        {
            f"Contracts {C}.csv": (
                "Name,Files\n"
                f'Acme,"Contracts%20{C}/Acme%20{D}/deal.pdf, Contracts%20{C}/Acme%20{D}/a%2Cb.xlsx"\n'
                f"Bolt,Contracts%20{C}/Bolt/bolt.hwp\n"
            ),
            f"Contracts {C}/Acme {D}.md": f"# Acme\n\nFiles: deal.pdf\n\n![](Acme%20{D}/photo.png)\n",
            f"Contracts {C}/Acme {D}/deal.pdf": b"deal",
            f"Contracts {C}/Acme {D}/a,b.xlsx": b"sheet",
            f"Contracts {C}/Acme {D}/photo.png": b"photo",
            f"Contracts {C}/Bolt/bolt.hwp": b"hwp",
        }
    )
    told = [(file.name, file.origin) for file in files_of(source, "Acme")]
    assert told == [("deal.pdf", "property"), ("a,b.xlsx", "property"), ("photo.png", "image")]
    (bolt,) = files_of(source, "Bolt")
    assert (bolt.name, bolt.origin, fetched(source, bolt)) == ("bolt.hwp", "property", b"hwp")


def test_names_decomposed_as_macos_has_them_are_found_and_known_by_the_composed_form(make: Make) -> None:
    apart = unicodedata.normalize("NFD", "회의록.pdf")
    source = make({f"{PAGE}.md": f"# Plan\n\n[x](Plan%20{A}/회의록.pdf)", f"{PAGE}/{apart}": b"minutes"})
    (file,) = files_of(source, "Plan")
    assert file.file_id == f"{PAGE}/회의록.pdf" and fetched(source, file) == b"minutes"


def test_a_file_keeps_its_id_when_the_folder_around_the_export_has_another_name(tmp_path: Path) -> None:
    ids = []
    for at, around in enumerate([f"Export-{B[:8]}-1111-2222-3333-{B[:12]}/", ""]):
        files = {f"{around}{PAGE}.md": f"# Plan\n\n![](Plan%20{A}/map.png)", f"{around}{PAGE}/map.png": b"map"}
        source = opened(write_zip(tmp_path / f"{at}.zip", files))
        (file,) = files_of(source, "Plan")
        assert fetched(source, file) == b"map"
        ids.append(file.file_id)
    assert ids == [f"{PAGE}/map.png"] * 2


@pytest.mark.parametrize(
    "path",
    [
        "../../secret.txt",
        "..%2F..%2Fsecret.txt",
        "../secret.txt",
        "%2e%2e/%2e%2e/secret.txt",
        "/etc/passwd",
        "file:///etc/passwd",
        "\\\\host\\share\\secret.txt",
        "C:/secret.txt",
        f"Plan%20{A}/../../secret.txt",
        f"Plan%20{A}/link.txt",
        f"Plan%20{A}/folder-link/secret.txt",
    ],
)
def test_nothing_outside_of_the_export_is_a_file_of_it(tmp_path: Path, path: str) -> None:
    write(tmp_path, {"secret.txt": "secret", "outside/secret.txt": "secret"})
    root = write(tmp_path / "export", {f"{PAGE}.md": f"# Plan\n\n[x]({path})", f"{PAGE}/here.txt": "here"})
    (root / PAGE / "link.txt").symlink_to(tmp_path / "secret.txt")
    (root / PAGE / "folder-link").symlink_to(tmp_path / "outside")
    source = opened(root)
    assert files_of(source, "Plan") == []
    for named in (path, str(tmp_path / "secret.txt"), f"{PAGE}/link.txt", f"{PAGE}/folder-link/secret.txt"):
        with pytest.raises(DownloadExpired):
            fetched(source, FileRef(named, "x", named))


def test_a_file_that_became_a_link_after_it_was_listed_is_not_followed(tmp_path: Path) -> None:
    write(tmp_path, {"secret.txt": "secret"})
    root = write(tmp_path / "export", {f"{PAGE}.md": f"# Plan\n\n[x](Plan%20{A}/a.txt)", f"{PAGE}/a.txt": "here"})
    source = opened(root)
    (file,) = files_of(source, "Plan")
    (root / PAGE / "a.txt").unlink()
    (root / PAGE / "a.txt").symlink_to(tmp_path / "secret.txt")
    with pytest.raises((DownloadExpired, DownloadFailed)):
        fetched(source, file)


def test_a_link_in_a_zip_is_no_file(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "export.zip", {f"{PAGE}.md": f"# Plan\n\n[x](Plan%20{A}/link.txt)"})
    with zipfile.ZipFile(path, "a") as archive:
        info = zipfile.ZipInfo(f"{PAGE}/link.txt")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    assert files_of(opened(path), "Plan") == []


def test_a_file_larger_than_allowed_is_refused(make: Make) -> None:
    source = make({f"{PAGE}.md": f"# Plan\n\n[x](Plan%20{A}/a.bin)", f"{PAGE}/a.bin": bytes(5000)})
    (file,) = files_of(source, "Plan")
    with pytest.raises(DownloadRefused):
        fetched(source, file, 4999)
    assert len(fetched(source, file, 5000)) == 5000


def test_a_zip_that_lies_about_the_size_of_a_file_gives_no_more_than_allowed(tmp_path: Path) -> None:
    path = write_zip(
        tmp_path / "export.zip", {f"{PAGE}.md": f"# Plan\n\n[x](Plan%20{A}/a.bin)", f"{PAGE}/a.bin": bytes(MIB)}
    )
    size = MIB.to_bytes(4, "little")
    data = path.read_bytes()
    path.write_bytes(data.replace(size, (10).to_bytes(4, "little")))
    source = opened(path)
    (file,) = files_of(source, "Plan")
    target = io.BytesIO()
    with pytest.raises((DownloadRefused, DownloadFailed)):
        source.download(file, target, 5000)
    assert len(target.getvalue()) <= 5000


def _revisions(path: Path) -> dict[str, str]:
    return {title: ref.revision for title, ref in by_title(opened(path)).items() if not ref.is_container}


TWO_PAGES: dict[str, str | bytes] = {
    f"{PAGE}.md": f"# Plan\n\n![](Plan%20{A}/map.png)",
    f"{PAGE}/map.png": b"map",
    f"Other {B}.md": "# Other",
    f"Contracts {C}.csv": f"Name,Files\nAcme,Contracts%20{C}/Acme/deal.pdf\nBolt,\n",
    f"Contracts {C}/Acme/deal.pdf": b"deal",
}


def test_another_content_of_a_file_makes_its_page_new_and_no_other(tmp_path: Path) -> None:
    root = write(tmp_path / "export", TWO_PAGES)
    before = _revisions(root)
    assert _revisions(root) == before
    write(root, {f"{PAGE}/map.png": b"MAP!"})
    changed = _revisions(root)
    assert {title for title in before if before[title] != changed[title]} == {"Plan"}
    write(root, {f"Contracts {C}/Acme/deal.pdf": b"deal with it"})
    again = _revisions(root)
    assert {title for title in before if changed[title] != again[title]} == {"Acme"}


def test_in_a_zip_the_checksum_tells_and_the_date_does_not(tmp_path: Path) -> None:
    before = _revisions(write_zip(tmp_path / "export.zip", TWO_PAGES))
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in TWO_PAGES.items():
            archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), content)
    assert _revisions(path) == before
    changed = _revisions(write_zip(path, {**TWO_PAGES, f"{PAGE}/map.png": b"MAP"}))
    assert {title for title in before if before[title] != changed[title]} == {"Plan"}


def test_a_changed_file_ends_the_proof_that_nothing_changed_and_has_another_version(tmp_path: Path) -> None:
    root = write(tmp_path / "export", TWO_PAGES)
    source = opened(root)
    (first,) = files_of(source, "Plan")
    cursor = source.fingerprint()
    assert source.unchanged_since(cursor)
    write(root, {f"{PAGE}/map.png": b"map!"})
    assert not source.unchanged_since(cursor)
    (second,) = files_of(source, "Plan")
    assert second.file_id == first.file_id and second.version != first.version
    assert fetched(source, first) == b"map!"


def test_a_file_that_is_gone_has_expired(tmp_path: Path) -> None:
    root = write(tmp_path / "export", TWO_PAGES)
    source = opened(root)
    (file,) = files_of(source, "Plan")
    os.remove(root / file.file_id)
    with pytest.raises(DownloadExpired):
        fetched(source, file)


def test_an_export_that_is_out_of_reach_says_nothing_of_a_file(tmp_path: Path) -> None:
    root = write(tmp_path / "export", TWO_PAGES)
    source = opened(root)
    (file,) = files_of(source, "Plan")
    root.rename(tmp_path / "unmounted")
    with pytest.raises(DownloadFailed):
        fetched(source, file)


def test_with_files_off_nothing_is_told_and_revisions_are_those_of_the_text(tmp_path: Path) -> None:
    root = write(tmp_path / "export", TWO_PAGES)
    source = opened(root, with_files=False)
    refs = by_title(source)
    assert source.fetch(refs["Plan"]).files is None
    cursor = source.fingerprint()
    write(root, {f"{PAGE}/map.png": b"another map"})
    assert source.unchanged_since(cursor)
    assert {title: ref.revision for title, ref in by_title(source).items()} == {
        title: ref.revision for title, ref in refs.items()
    }
    with pytest.raises(DownloadRefused):
        fetched(source, FileRef(f"{PAGE}/map.png", "map.png", f"{PAGE}/map.png"))


def test_the_text_and_the_properties_are_the_same_with_files_and_without(tmp_path: Path) -> None:
    root = write(tmp_path / "export", TWO_PAGES)
    on, off = opened(root), opened(root, with_files=False)

    def said(source: NotionExportSource) -> list[tuple[object, ...]]:
        refs: list[PageRef] = list(by_title(source).values())
        pages = [replace(source.fetch(ref), files=None) for ref in refs]
        return [(ref.title, dict(ref.properties), page) for ref, page in zip(refs, pages, strict=True)]

    assert said(on) == said(off)


def test_files_at_the_top_belong_to_the_pages_there(tmp_path: Path) -> None:
    root = write(tmp_path / "export", {"Plan.md": "![](map.png)", f"Sub {B}/Deep.md": "Deep", "map.png": b"map"})
    before = _revisions(root)
    write(root, {"map.png": b"MAP!"}, OLD)
    after = _revisions(root)
    assert {title for title in before if before[title] != after[title]} == {"Plan"}
