"""Archives: their files under the names that people gave them, and no more than fits."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from arcana_pipelines.files.kinds import FileKind
from arcana_pipelines.files.parsing.blocks import Inside, Note, Said
from arcana_pipelines.files.parsing.parsers import archive
from arcana_pipelines.files.parsing.protocol import Reason
from arcana_pipelines_tests.files.sayings import reason_of, said_of

ZIP = FileKind.ZIP


def packed(*entries: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in entries:
            made.writestr(name, data, compress_type=zipfile.ZIP_DEFLATED)
    return whole.getvalue()


def names(said: Sequence[Said]) -> list[str]:
    return [each.name for each in said if isinstance(each, Inside)]


def renamed(whole: bytes, old: str, new: bytes) -> bytes:
    """An archive in which an entry is called `new`, of as many bytes, without the flag for UTF-8."""
    assert len(old) == len(new) and whole.count(old.encode()) == 2
    return whole.replace(old.encode(), new)


def test_files_are_handed_on_in_their_order_with_our_paths(tmp_path: Path) -> None:
    said = said_of(archive, packed(("b/c.txt", b"one"), ("b/", b""), ("a.txt", b"two")), ZIP, tmp_path)
    assert said == [Inside("b/c.txt", "entry-1"), Inside("a.txt", "entry-2")]
    assert (tmp_path / "written" / "entry-1").read_bytes() == b"one"


@pytest.mark.parametrize("codec", ["cp949", "utf-8"])
def test_names_that_do_not_say_their_encoding_are_read(codec: str, tmp_path: Path) -> None:
    name = "자료/똠방 보고서.txt".encode(codec)
    said = said_of(archive, renamed(packed(("x" * len(name), b"1")), "x" * len(name), name), ZIP, tmp_path)
    assert names(said) == ["자료/똠방 보고서.txt"]


def test_names_that_say_it_are_read_and_composed(tmp_path: Path) -> None:
    assert names(said_of(archive, packed(("한글.txt", b"1")), ZIP, tmp_path)) == ["한글.txt"]


def test_a_name_leads_nowhere(tmp_path: Path) -> None:
    hostile = [
        "../../etc/passwd",
        "/etc/shadow",
        "C:\\Windows\\boot.ini",
        "a/./../b.txt",
        "line\nbreak.txt",
        "x" * 5000,
    ]
    said = said_of(archive, packed(*((name, b"1") for name in hostile)), ZIP, tmp_path)
    assert names(said) == ["etc/passwd", "etc/shadow", "Windows/boot.ini", "a/b.txt", "line break.txt", "x" * 300]
    assert {path.name for path in (tmp_path / "written").iterdir()} == {f"entry-{n}" for n in range(1, 7)}


def test_what_systems_leave_behind_is_no_file_of_anybody(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    left = [("__MACOSX/._a.txt", b"1"), (".DS_Store", b"1"), ("a/Thumbs.db", b"1"), (link, b"/etc/passwd")]
    assert names(said_of(archive, packed(*left, ("a.txt", b"1")), ZIP, tmp_path)) == ["a.txt"]


def test_twenty_files_are_read_and_the_others_counted(tmp_path: Path) -> None:
    said = said_of(archive, packed(*((f"{number}.txt", b"1") for number in range(25))), ZIP, tmp_path)
    assert len(names(said)) == 20 and said[-1] == Note("files after the first 20: 5")


def test_an_archive_in_an_archive_stays_closed_and_an_office_file_does_not(tmp_path: Path) -> None:
    inner = packed(("deeper.txt", b"1"))
    document = packed(("[Content_Types].xml", b"<Types/>"), ("word/document.xml", b"<a/>"))
    said = said_of(archive, packed(("a.txt", inner), ("b.docx", document), ("c.gz", b"\x1f\x8b\x08")), ZIP, tmp_path)
    assert said == [Inside("b.docx", "entry-1"), Note("archives in the archive: 2")]
    assert sum(path.stat().st_size for path in (tmp_path / "written").iterdir()) == len(document)


def encrypted(whole: bytes) -> bytes:
    """With the flag of encryption on each entry."""
    made = bytearray(whole)
    for magic, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        begin = -1
        while (begin := made.find(magic, begin + 1)) >= 0:
            made[begin + at] |= 1
    return bytes(made)


def test_an_encrypted_archive_says_so(tmp_path: Path) -> None:
    assert reason_of(archive, encrypted(packed(("a.txt", b"1"), ("b.txt", b"2"))), ZIP, tmp_path) is Reason.ENCRYPTED


def test_an_archive_without_a_file_has_no_text(tmp_path: Path) -> None:
    for whole in (packed(), packed(("a/", b"")), packed(("a.zip", packed()))):
        assert reason_of(archive, whole, ZIP, tmp_path) is Reason.NO_TEXT


def test_an_entry_that_unpacks_to_too_much_is_given_up_while_it_does(tmp_path: Path) -> None:
    bomb = packed(("bomb.txt", bytes(8 * 2**20)), ("a.txt", b"1"))
    said = said_of(archive, bomb, ZIP, tmp_path)
    assert said == [Inside("a.txt", "entry-1"), Note("files that unpack to too much: 1")]
    assert sum(path.stat().st_size for path in (tmp_path / "written").iterdir()) == 1


def test_an_entry_that_lies_about_its_size_is_damaged(tmp_path: Path) -> None:
    """It says 10 bytes and unpacks to 8 MiB: no more than 10 are unpacked, and their sum is wrong."""
    bomb = bytearray(packed(("bomb.txt", bytes(8 * 2**20)), ("a.txt", b"1")))
    for magic, at in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        struct.pack_into("<I", bomb, bomb.find(magic) + at, 10)
    said = said_of(archive, bytes(bomb), ZIP, tmp_path)
    assert said == [Inside("a.txt", "entry-1"), Note("damaged files: 1")]


def test_all_files_together_have_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_LARGEST_SUM", 250)
    said = said_of(archive, packed(*((f"{number}.txt", b"x" * 100) for number in range(4))), ZIP, tmp_path)
    assert names(said) == ["0.txt", "1.txt"] and said[-1] == Note("files that unpack to too much: 2")


def test_a_damaged_archive_says_so(tmp_path: Path) -> None:
    whole = packed(("a.txt", b"text " * 100))
    assert reason_of(archive, whole[:-10], ZIP, tmp_path) is Reason.DAMAGED
    assert reason_of(archive, b"PK\3\4", ZIP, tmp_path) is Reason.DAMAGED
