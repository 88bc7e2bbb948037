"""Links that expire, and what a browser is told of a file."""

from __future__ import annotations

import hashlib
import hmac
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcana_pipelines.files.stores.links import (
    disposition,
    file_name,
    is_link,
    link_key,
    make_link,
    mime_type_of,
)
from arcana_pipelines.files.stores.registry import key_of, open_file_store, prefix_of
from arcana_pipelines.settings import Settings

SECRET_KEY = "3f1c9a7e52b8d04611aa9c0de7f2b358"
LINK_KEY = link_key(SECRET_KEY)
KEY = key_of(UUID(int=1), "notion", UUID(int=2), "ab" * 32)
NAME = "휴가 규정 & 안내.pdf"


def parts(link: str) -> tuple[str, str, str, str]:
    """Key, expiry, name and signature of a link, as a host reads them."""
    address = urlsplit(link)
    asked = parse_qs(address.query, strict_parsing=True)
    return (address.path.removeprefix("/files/"), asked["expires"][0], asked["name"][0], asked["signature"][0])


def test_a_link_holds_until_it_expires() -> None:
    link = make_link("https://cdn.example/files/", LINK_KEY, KEY, NAME, 1000)
    assert link.startswith(f"https://cdn.example/files/{KEY}?expires=1000&name=") and link.isascii()
    key, expires, name, signature = parts(link)
    assert name == NAME
    assert is_link(LINK_KEY, key, expires, name, signature, 999.9)
    assert not is_link(LINK_KEY, key, expires, name, signature, 1000)


def test_nothing_of_a_link_can_be_changed() -> None:
    key, expires, name, signature = parts(make_link("https://cdn.example/files", LINK_KEY, KEY, NAME, 1000))
    other = key_of(UUID(int=1), "notion", UUID(int=3), "ab" * 32)
    for changed in (
        (other, expires, name, signature),
        (key, "2000", name, signature),
        (key, expires, "other.exe", signature),
        (key, expires, name, signature[:-1] + ("0" if signature[-1] != "0" else "1")),
        (key, expires, name, ""),
        (key, expires, name, "ü\udcff"),
        (key, expires, name, "\ud800"),
        (key, expires + f"\n{name}", "", signature),
        (key, "", name, signature),
        (key, "-1", name, signature),
        (key, "١٠٠٠", name, signature),
        (key, "9" * 5000, name, signature),
        (f"{key}/../{key}", expires, name, signature),
        ("../etc/passwd", expires, name, signature),
    ):
        assert not is_link(LINK_KEY, *changed, now=0), changed
    assert not is_link(link_key(SECRET_KEY[::-1]), key, expires, name, signature, 0)


def test_what_a_host_needs_can_be_made_by_the_command_that_stands_in_the_description(tmp_path: Path) -> None:
    import arcana_pipelines.files.stores.links as links

    assert links.__doc__ is not None
    (command,) = [line.strip() for line in links.__doc__.splitlines() if "openssl" in line]
    said = subprocess.run(["sh", "-c", command], env={"SECRET_KEY": SECRET_KEY, "PATH": "/usr/bin:/bin"}, stdout=-1)
    assert bytes.fromhex(said.stdout.split()[-1].decode()) == LINK_KEY
    key, expires, name, signature = parts(make_link("https://cdn.example/files", LINK_KEY, KEY, NAME, 1000))
    told = hmac.new(LINK_KEY, "\n".join((key, expires, name)).encode(), hashlib.sha256).hexdigest()
    assert told == signature


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (NAME, NAME),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("C:\\Windows\\x.dll", "C__Windows_x.dll"),
        ("a\r\nSet-Cookie: b=c", "aSet-Cookie_ b=c"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("", "file"),
        ("...", "file"),
        ("\ud800\0\x1b", "file"),
        ("\u1112\u1161\u11ab\u1100\u1173\u11af.hwp", "한글.hwp"),
        ("가" * 500 + ".hwpx", "가" * 145 + ".hwpx"),
        ("x" * 500, "x" * 150),
    ],
)
def test_a_name_is_one_line_and_no_path(name: str, shown: str) -> None:
    assert file_name(name) == shown


def test_a_browser_saves_a_file_under_its_name_and_old_ones_under_one_of_ascii() -> None:
    assert disposition("보고서 Q1.pdf") == (
        "attachment; filename=\"___ Q1.pdf\"; filename*=UTF-8''%EB%B3%B4%EA%B3%A0%EC%84%9C%20Q1.pdf"
    )


@given(st.text())
def test_any_name_makes_a_header_of_one_line_that_says_the_name(name: str) -> None:
    header = disposition(name)
    assert header.isascii() and header.isprintable() and header.count('"') == 2
    assert unquote(header.partition("UTF-8''")[2], errors="strict") == file_name(name)
    assert len(header) < 4_000 and file_name(file_name(name)) == file_name(name)


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        ("application/pdf", "application/pdf"),
        ("Image/PNG; q=1", "image/png"),
        ("application/vnd.openxmlformats-officedocument.wordprocessingml.document",) * 2,
        *((each, "application/octet-stream") for each in (
            "text/html", "application/xhtml+xml", "image/svg+xml", "text/xml", "text/javascript", "", "pdf", "a/b\nX:y",
        )),
    ],
)  # fmt: skip
def test_a_type_that_a_browser_would_run_is_not_told(said: str, sent: str) -> None:
    assert mime_type_of(said) == sent


def test_keys_of_a_workspace_begin_with_what_no_others_do() -> None:
    one, other = (prefix_of(UUID(int=1), "notion", UUID(int=number)) for number in (2, 20))
    assert KEY.startswith(one) and not KEY.startswith(other) and not one.startswith(other)


def test_without_its_library_a_bucket_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from arcana_pipelines.errors import WrongUse

    monkeypatch.delitem(sys.modules, "arcana_pipelines.files.stores.s3", raising=False)
    monkeypatch.setitem(sys.modules, "boto3", None)
    with (
        pytest.raises(WrongUse, match=r"pip install 'arcana-pipelines\[s3\]'"),
        open_file_store(Settings(s3_bucket_name="b")),
    ):
        pass
