"""A page of Notion tells of its files, whichever way its body is read, and gives their bytes."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from arcana_pipelines.errors import DownloadExpired, DownloadFailed, DownloadRefused
from arcana_pipelines.net import download as downloads
from arcana_pipelines.net.outside import Network, Outside
from arcana_pipelines.sources.file_rules import FileRules
from arcana_pipelines.sources.notion.files import FileHosts, Medium, file_refs
from arcana_pipelines.sources.notion.markdown_media import media_in
from arcana_pipelines.sources.notion.page_files import PageFiles
from arcana_pipelines.sources.notion.source import NotionSource
from arcana_pipelines.sources.protocol import FileRef, Mode, PageRef
from arcana_pipelines.testing.conformance.sources import changed, read
from arcana_pipelines.testing.http_server import Answer, AnsweringServer, Request
from arcana_pipelines.testing.notion_server import blocks
from arcana_pipelines.testing.notion_server.model.clock import DEFAULT_START
from arcana_pipelines_tests.harness import Harness

MIB = 2**20
NOTION = FileHosts("https://api.notion.com")
SIGNED = "?X-Amz-Algorithm=A&X-Amz-Signature=1"
STORE = "https://prod-files-secure.s3.us-west-2.amazonaws.com"

Open = Callable[..., NotionSource]


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "_wait", lambda tried: 0.0)


@pytest.fixture
def open_source(acme: Harness) -> Iterator[Open]:
    opened: list[NotionSource] = []

    def open_source(files: FileRules | None = FileRules(), by_blocks: bool = False) -> NotionSource:  # noqa: B008
        if by_blocks:
            acme.server.faults.add("/markdown", "403", times=None)
        opened.append(acme.at(files=files).source())
        return opened[-1]

    yield open_source
    for source in opened:
        source.close()


def listed(source: NotionSource, page_id: str) -> PageRef:
    return next(ref for ref in read(source.enumerate(Mode.FULL, None, changed)) if ref.external_id == page_id)


def files_of(source: NotionSource, page_id: str) -> tuple[FileRef, ...]:
    files = source.fetch(listed(source, page_id)).files
    assert files is not None
    return files


def fetched(source: NotionSource, file: FileRef, most: int = MIB) -> bytes:
    target = io.BytesIO()
    source.download(file, target, most)
    return target.getvalue()


# --- which files a page has -------------------------------------------------------------------------


@pytest.mark.parametrize("by_blocks", [False, True], ids=["markdown", "blocks"])
@pytest.mark.parametrize("kind", ["file", "pdf", "image", "audio", "video"])
def test_a_file_that_notion_keeps_is_told_with_its_bytes_whichever_way_the_page_is_read(
    acme: Harness, open_source: Open, kind: str, by_blocks: bool
) -> None:
    page = acme.world.add_page("Handbook", blocks="Words.")
    acme.world.add_file(page, kind, "연차 규정 (v2).pdf", b"%PDF-1.7 bytes", "휴가에 대해 [draft] *1*")
    source = open_source(by_blocks=by_blocks)
    (file,) = files_of(source, page)
    assert (file.name, file.origin, file.caption) == ("연차 규정 (v2).pdf", kind, "휴가에 대해 [draft] *1*")
    assert not file.is_external
    assert file.file_id.endswith("/연차 규정 (v2).pdf") and file.file_id.startswith("/")
    assert file.expires_at is not None
    left = file.expires_at - acme.world.clock.now()
    assert timedelta(minutes=45) < left <= timedelta(hours=1)
    assert fetched(source, file) == b"%PDF-1.7 bytes"


@pytest.mark.parametrize("kind", ["file", "pdf", "image", "audio", "video"])
def test_both_ways_tell_the_same(acme: Harness, open_source: Open, kind: str) -> None:
    page = acme.world.add_page("Handbook")
    acme.world.add_file(page, kind, "a.pdf", b"1", "one")
    acme.world.add_file(page, kind, "b.pdf", b"2")
    acme.world.append_blocks(page, [getattr(blocks, kind)("https://files.example.com/d/c.mp3", "three")])

    def told(by_blocks: bool) -> list[tuple[object, ...]]:
        files = files_of(open_source(by_blocks=by_blocks), page)
        return [(file.file_id, file.name, file.origin, file.caption, file.is_external) for file in files]

    assert len(told(False)) == 3
    assert told(False) == told(True)


@pytest.mark.parametrize("by_blocks", [False, True], ids=["markdown", "blocks"])
def test_read_again_a_page_gives_the_same_ids_at_other_addresses_and_a_replaced_file_another_id(
    acme: Harness, open_source: Open, by_blocks: bool
) -> None:
    page = acme.world.add_page("Handbook")
    block = acme.world.add_file(page, "pdf", "plan.pdf", b"old")
    source = open_source(by_blocks=by_blocks)
    (first,), (second,) = files_of(source, page), files_of(source, page)
    assert first.file_id == second.file_id and first.address != second.address
    acme.world.replace_file(block, b"new")
    (third,) = files_of(source, page)
    assert third.file_id != first.file_id and third.name == first.name
    assert (fetched(source, third), fetched(source, first)) == (b"new", b"old")


@pytest.mark.parametrize("by_blocks", [False, True], ids=["markdown", "blocks"])
def test_files_inside_of_lists_columns_and_synced_blocks_are_found_and_each_is_told_once(
    acme: Harness, open_source: Open, by_blocks: bool
) -> None:
    kept = acme.world.upload("twice.pdf", b"twice")
    content = [
        blocks.bulleted("item", children=[blocks.image(hosted=acme.world.upload("in-list.png", b"1"))]),
        blocks.columns([[blocks.pdf(hosted=kept)], [blocks.pdf(hosted=kept, caption="again")]]),
        blocks.toggle("more", [blocks.file(hosted=acme.world.upload("in-toggle.hwp", b"2"))]),
        blocks.synced([blocks.audio(hosted=acme.world.upload("in-synced.mp3", b"3"))]),
    ]
    page = acme.world.add_page("Handbook", blocks=content)
    names = [file.name for file in files_of(open_source(by_blocks=by_blocks), page)]
    assert names == ["in-list.png", "twice.pdf", "in-toggle.hwp", "in-synced.mp3"]


@pytest.mark.parametrize("by_blocks", [False, True], ids=["markdown", "blocks"])
def test_films_elsewhere_and_links_are_no_files(acme: Harness, open_source: Open, by_blocks: bool) -> None:
    content = [
        blocks.video("https://www.youtube.com/watch?v=abc"),
        blocks.video("https://vimeo.com/1234567"),
        blocks.audio("https://open.spotify.com/episode/1"),
        blocks.bookmark("https://example.com/a.pdf"),
        blocks.embed("https://example.com/b.pdf"),
        blocks.file("https://docs.google.com/document/d/1", name="Minutes"),
        blocks.code('![x](https://example.com/c.png) <pdf source="https://example.com/d.pdf">x</pdf>'),
        blocks.paragraph('![x](https://example.com/e.png) <pdf source="https://example.com/f.pdf">x</pdf>'),
        blocks.video("https://cdn.example.com/g.mp4"),
    ]
    page = acme.world.add_page("Handbook", blocks=content)
    (file,) = files_of(open_source(by_blocks=by_blocks), page)
    assert (file.name, file.is_external, file.expires_at) == ("g.mp4", True, None)
    assert file.file_id == file.address == "https://cdn.example.com/g.mp4"


def test_what_grants_access_is_not_a_part_of_what_a_file_elsewhere_is_known_by() -> None:
    urls = [
        "https://me:secret@files.example.com/a.pdf?v=1#page=2",
        f"https://bucket.s3.amazonaws.com/b.pdf{SIGNED}",
    ]
    files = file_refs([Medium("pdf", url) for url in urls], NOTION, DEFAULT_START)
    assert [file.file_id for file in files] == [
        "https://files.example.com/a.pdf?v=1",
        "https://bucket.s3.amazonaws.com/b.pdf",
    ]
    assert [file.is_external for file in files] == [True, True]


@pytest.mark.parametrize(
    ("url", "is_kept"),
    [
        (f"{STORE}/s/u/a.png{SIGNED}", True),
        (f"{STORE}/s/u/a.png", False),
        (f"https://prod-files-secure.s3.us-west-2.amazonaws.com.example.com/s/u/a.png{SIGNED}", False),
        (f"https://s3.us-west-2.amazonaws.com/secure.notion-static.com/u/a.png{SIGNED}", True),
        (f"https://s3.us-west-2.amazonaws.com/somebody/u/a.png{SIGNED}", False),
        ("https://file.notion.so/f/f/s/u/a.png?id=1&expirationTimestamp=2&signature=3", True),
        ("https://example.com/a.png?id=1&expirationTimestamp=2&signature=3", False),
        ("https://www.notion.so/images/page-cover/woodcuts_1.jpg", False),
    ],
)
def test_in_markdown_only_signed_addresses_of_notions_own_stores_are_files_that_notion_keeps(
    url: str, is_kept: bool
) -> None:
    (file,) = file_refs(media_in(f"![]({url})"), NOTION, DEFAULT_START)
    assert file.is_external is not is_kept


def test_a_name_is_a_label_and_never_a_path() -> None:
    names = ["../../etc/passwd", "C:\\a\\b.pdf", "..", "", "a\u202efdp.exe\n", "x" * 300 + ".pdf"]
    media = [Medium("file", f"{STORE}/s/{at}/%2e%2e{SIGNED}", name) for at, name in enumerate(names)]
    files = file_refs(media, NOTION, DEFAULT_START)
    assert [file.name for file in files[:5]] == [".._.._etc_passwd", "C:_a_b.pdf", "file", "file", "afdp.exe"]
    assert len(files[5].name) == 200 and files[5].name.endswith(".pdf")


def test_hostile_markdown_is_read_in_linear_time() -> None:
    texts = ["![" * 5_000, '<pdf source="https://e.com/a">' * 5_000, "![](" * 5_000, "![a](\\(" * 5_000]
    for text in texts:
        media_in(text)


def test_markdown_of_both_dialects_escapes_and_entities() -> None:
    store = f"{STORE}/s/u"
    text = "\n".join(
        [
            f'<pdf src="{store}/a%20b.pdf{SIGNED}">Plan &amp; *cost* \\[1\\]</pdf>',
            f'\t<file source="{store}/c.zip{SIGNED.replace("&", "&amp;")}" color="blue"/>',
            f"![see [the page](https://example.com) `x`](<{store}/d (1).png{SIGNED}>) ![]({store}/e(2)\\_f.png)",
        ]
    )
    assert [(medium.origin, medium.url.removeprefix(store), medium.caption) for medium in media_in(text)] == [
        ("pdf", f"/a%20b.pdf{SIGNED}", "Plan & cost [1]"),
        ("file", f"/c.zip{SIGNED}", ""),
        ("image", f"/d (1).png{SIGNED}", "see the page `x`"),
        ("image", "/e(2)_f.png", ""),
    ]


# --- references in the place of addresses ---------------------------------------------------------------


@pytest.mark.parametrize("kind", ["file", "pdf", "audio", "video"])
def test_a_reference_is_the_same_file_as_its_address_and_its_block_is_asked_when_the_bytes_are(
    acme: Harness, open_source: Open, kind: str
) -> None:
    page = acme.world.add_page("Handbook", blocks="Words.")
    block = acme.world.add_file(page, kind, "연차 규정 (v2).pdf", b"one", "caption")
    acme.world.add_file(page, "image", "map.png", b"map")
    signed = files_of(open_source(), page)
    acme.world.files_in_markdown = "referred"
    source = open_source()
    ref = listed(source, page)
    acme.server.reset_log()
    referred = source.fetch(ref).files
    assert referred is not None and len(acme.server.requests) == 1

    def told(files: tuple[FileRef, ...]) -> list[tuple[object, ...]]:
        return [(file.file_id, file.name, file.origin, file.caption, file.is_external) for file in files]

    assert told(referred) == told(signed)
    assert referred[0].expires_at is None
    acme.world.clock.advance(2 * 3600)
    assert fetched(source, referred[0]) == b"one"
    assert len(acme.server.requests) == 2
    acme.world.replace_file(block, b"two")
    with pytest.raises(DownloadExpired):
        fetched(source, referred[0])
    acme.world.delete_block(block)
    acme.world.nodes.pop(block)
    with pytest.raises(DownloadExpired):
        fetched(source, referred[0])
    acme.server.faults.add("/blocks/", "500", times=None)
    with pytest.raises(DownloadFailed):
        fetched(source, referred[0])


@pytest.mark.parametrize(
    "reference",
    [
        "file:///etc/passwd",
        "file://",
        "file://%7B",
        "file://%5B%5D",
        "file://" + "%5B" * 1300,
        'file://{"source":"attachment:u:a.pdf"}',
        'file://{"source":"https://x","permissionRecord":{"id":"1f7effb29211800aaf32c10cd6f51abc"}}',
        'file://{"source":"attachment:u:a.pdf","permissionRecord":{"id":"../users/me"}}',
        'file://{"source":"attachment:u:","permissionRecord":{"id":"1f7effb29211800aaf32c10cd6f51abc"}}',
    ],
)
def test_what_refers_to_no_block_is_no_file(reference: str) -> None:
    assert file_refs([Medium("pdf", reference)], NOTION, DEFAULT_START) == ()


# --- properties, covers, settings -------------------------------------------------------------------


def test_files_of_properties_are_told_without_a_request_and_asked_for_when_their_bytes_are(
    acme: Harness, open_source: Open
) -> None:
    table = acme.world.add_database("Contracts", schema={"Name": "title", "Files": "files", "More": "files"})
    values = {
        "Files": [acme.world.upload("계약서.pdf", b"one"), "https://files.example.com/two.docx"],
        "More": [acme.world.upload("three.xlsx", b"three")],
    }
    row = acme.world.add_row(table.data_source_id, "Acme", values, "Words.")
    source = open_source()
    ref = listed(source, row)
    acme.server.reset_log()
    files = source.fetch(ref).files
    assert files is not None
    assert len(acme.server.requests) == 1
    told = [(file.name, file.origin, file.is_external, file.expires_at) for file in files]
    assert told == [
        ("계약서.pdf", "property", False, None),
        ("two.docx", "property", True, None),
        ("three.xlsx", "property", False, None),
    ]
    assert not any("X-Amz" in file.address for file in files)
    acme.world.clock.advance(2 * 3600)
    assert (fetched(source, files[0]), fetched(source, files[2])) == (b"one", b"three")
    assert len(acme.server.requests) == 2, "the page was asked once for both"
    acme.world.set_property(row, "Files", [])
    with pytest.raises(DownloadExpired):
        fetched(source, files[0])


def test_covers_are_files_where_that_is_set_and_cost_no_request_after_a_listing(
    acme: Harness, open_source: Open
) -> None:
    page = acme.world.add_page("Handbook", blocks="Words.")
    picture = acme.world.upload("cover.png", b"png")
    acme.world.set_cover(page, picture)
    assert files_of(open_source(), page) == ()
    source = open_source(FileRules(covers=True))
    ref = listed(source, page)
    acme.server.reset_log()
    (file,) = source.fetch(ref).files or ()
    assert len(acme.server.requests) == 1
    assert (file.name, file.origin) == ("cover.png", "cover")
    assert fetched(source, file) == b"png"
    another = open_source(FileRules(covers=True))  # which has listed nothing
    assert another.fetch(ref).files == (file,)
    acme.world.append_blocks(page, [blocks.image(hosted=picture, caption="us")])
    (shown,) = files_of(source, page)
    assert (shown.origin, shown.caption) == ("image", "us")
    acme.world.set_cover(page, "https://images.example.com/photo-1?w=200")
    assert [file.is_external for file in files_of(source, page)] == [True, False]


def test_with_files_off_none_are_told_and_the_text_is_the_same(acme: Harness, open_source: Open) -> None:
    page = acme.world.add_page("Handbook", blocks="Words.")
    acme.world.add_file(page, "pdf", "a.pdf", b"1", "Caption")
    off, on = open_source(None), open_source()
    ref = listed(off, page)
    without, with_files = off.fetch(ref), on.fetch(ref)
    assert without.files is None
    assert with_files.files is not None
    with pytest.raises(DownloadRefused):
        fetched(off, with_files.files[0])

    def unsigned(text: str) -> str:
        return text.partition("?X-Amz")[0]

    assert unsigned(without.markdown) == unsigned(with_files.markdown)


# --- bytes --------------------------------------------------------------------------------------------


@pytest.fixture
def plan(acme: Harness, open_source: Open) -> tuple[NotionSource, FileRef, bytes]:
    data = bytes(range(256)) * 1000
    page = acme.world.add_page("Handbook")
    acme.world.add_file(page, "pdf", "plan.pdf", data)
    source = open_source()
    (file,) = files_of(source, page)
    return source, file, data


Plan = tuple[NotionSource, FileRef, bytes]


def test_neither_the_token_nor_a_cookie_goes_to_the_store(acme: Harness, plan: Plan) -> None:
    source, file, data = plan
    assert fetched(source, file) == data
    (request,) = acme.server.file_requests
    assert "authorization" not in request.headers and "cookie" not in request.headers
    assert request.headers["accept-encoding"] == "identity"


def test_what_broke_off_is_gone_on_with(acme: Harness, plan: Plan) -> None:
    source, file, data = plan
    acme.server.file_faults.add("broken", keep=100_000)
    acme.server.file_faults.add("503")
    acme.server.file_faults.add("broken", keep=5_000)
    target = io.BytesIO(b"what was there before" * 100_000)
    source.download(file, target, MIB)
    assert target.getvalue() == data
    assert [request.status for request in acme.server.file_requests] == [200, 503, 206, 206]
    assert sum(request.sent for request in acme.server.file_requests) < len(data) + 3 * 2**16


def test_it_is_begun_again_where_the_server_does_not_go_on(acme: Harness, plan: Plan) -> None:
    source, file, data = plan
    acme.server.file_faults.add("broken")
    acme.server.file_faults.add("whole")
    assert fetched(source, file) == data
    assert [request.status for request in acme.server.file_requests] == [200, 200]


def test_what_goes_on_is_the_same_file_or_begun_again(acme: Harness, plan: Plan) -> None:
    source, file, _ = plan
    acme.server.file_faults.add("broken")
    key = file.file_id.removeprefix("/")

    class Swapping(io.BytesIO):
        def write(self, piece: Any) -> int:
            acme.world.stored[key] = b"another"
            return super().write(piece)

    target = Swapping()
    source.download(file, target, MIB)
    assert target.getvalue() == b"another"


def test_an_address_that_is_over_or_was_changed_is_expired_and_the_page_gives_a_new_one(
    acme: Harness, plan: Plan
) -> None:
    source, file, data = plan
    with pytest.raises(DownloadExpired):
        fetched(source, replace(file, address=file.address.replace("X-Amz-Date=2", "X-Amz-Date=3")))
    acme.world.clock.advance(3601)
    with pytest.raises(DownloadExpired):
        fetched(source, file)
    page_id = acme.world.visible_pages()[-1]
    (again,) = files_of(source, page_id)
    assert again.file_id == file.file_id and fetched(source, again) == data


def test_a_file_that_is_not_where_notion_says_fails_at_once(acme: Harness, plan: Plan) -> None:
    source, file, _ = plan
    acme.world.stored.clear()
    with pytest.raises(DownloadFailed):
        fetched(source, file)
    assert len(acme.server.file_requests) == 1


@pytest.mark.parametrize("fault", ["429", "500", "503", "drop", "broken", "larger"])
def test_what_cannot_be_had_now_fails_after_some_attempts(acme: Harness, plan: Plan, fault: str) -> None:
    source, file, _ = plan
    acme.server.file_faults.add(fault, times=None, keep=0)
    with pytest.raises(DownloadFailed) as failed:
        fetched(source, file)
    assert len(acme.server.file_requests) == downloads.MAX_ATTEMPTS
    assert "X-Amz" not in str(failed.value) and "plan" not in str(failed.value)


def test_a_pause_too_long_to_sit_out_ends_it(acme: Harness, plan: Plan) -> None:
    source, file, _ = plan
    acme.server.file_faults.add("429", retry_after=600)
    with pytest.raises(DownloadFailed):
        fetched(source, file)
    assert len(acme.server.file_requests) == 1


def test_a_file_that_says_it_is_larger_is_refused_before_it_is_read(acme: Harness, plan: Plan) -> None:
    source, file, data = plan
    target = io.BytesIO()
    with pytest.raises(DownloadRefused):
        source.download(file, target, len(data) - 1)
    assert target.getvalue() == b""
    assert fetched(source, file, len(data)) == data


def test_a_file_without_an_end_is_refused_where_it_has_more_than_allowed(acme: Harness, plan: Plan) -> None:
    source, file, data = plan
    acme.server.file_faults.add("endless")
    target = io.BytesIO()
    with pytest.raises(DownloadRefused):
        source.download(file, target, 2 * len(data))
    assert len(target.getvalue()) <= 2 * len(data)


def test_a_server_that_is_too_slow_is_given_up(acme: Harness, plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    source, file, _ = plan
    monkeypatch.setattr(downloads, "MAX_ATTEMPTS", 2)
    monkeypatch.setattr(downloads, "LEAST_SECONDS", 0.1)
    monkeypatch.setattr(downloads, "SLOWEST", 100 * MIB)
    acme.server.file_faults.add("slow", times=None, seconds=0.05)
    with pytest.raises(DownloadFailed):
        fetched(source, file)
    first, second = acme.server.file_requests
    assert (first.status, second.status) == (200, 206)


# --- files that Notion does not keep ----------------------------------------------------------------------


class Elsewhere(AnsweringServer):
    def answer(self, request: Request) -> Answer:
        page = b"<!doctype html><html>Log in</html>"
        return Answer(200, page if "login" in request.target else b"%PDF", {"Content-Type": "application/pdf"})


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:1\\@prod-files-secure.s3.us-west-2.amazonaws.com/a.pdf",  # urllib3 would ask 127.0.0.1
        "http://127.0.0.1:1\\@file.notion.so/../../latest/meta-data.pdf",
        "https://somebody@prod-files-secure.s3.us-west-2.amazonaws.com/a.pdf",
        "https://prod-files-secure.s3.us-west-2.amazonaws.com.evil.example/a.pdf",
        "https://evil.example/prod-files-secure.s3.us-west-2.amazonaws.com/a.pdf",
        "https://prod-files-secure.s3.us-west-2.amazo\tnaws.com/a.pdf",
        "https://s3.us-west-2.amazonaws.com/evil/prod-files-secure/a.pdf",
    ],
)
def test_an_address_that_only_looks_like_notions_is_none_of_its_files(address: str) -> None:
    assert not NOTION.keep(address) and not NOTION.give(address + SIGNED)
    refs = file_refs([Medium("pdf", address + SIGNED)], NOTION, DEFAULT_START)
    assert all(ref.is_external for ref in refs)


def test_a_file_elsewhere_is_fetched_from_allowed_hosts_alone(acme: Harness, open_source: Open) -> None:
    content = [blocks.pdf(f"http://{host}/a.pdf") for host in ("files.example.com", "evil.example.org")]
    content.append(blocks.pdf("http://files.example.com/login.pdf"))
    page = acme.world.add_page("Handbook", blocks=content)
    rules = FileRules(external_hosts=("files.example.com",))
    source = open_source(rules)
    allowed, other, login = files_of(source, page)
    with Elsewhere() as server:
        port = int(server.address.rpartition(":")[2])
        network = Network(lambda host, port: ["93.184.216.34"], lambda address, _: ("127.0.0.1", port))
        outside = Outside(rules.external_hosts, network=network)
        files = PageFiles(source.api, rules, outside)
        target = io.BytesIO()
        files.download(allowed, target, MIB)
        assert target.getvalue() == b"%PDF"
        for file in (other, login):
            with pytest.raises(DownloadRefused):
                files.download(file, io.BytesIO(), MIB)
    with pytest.raises(DownloadRefused, match="FILE_EXTERNAL_HOSTS"):
        fetched(open_source(), allowed)
    assert acme.server.file_requests == []


@pytest.mark.parametrize("host", ["127.0.0.1", "169.254.169.254", "[::ffff:10.0.0.1]", "localhost"])
def test_not_even_an_allowed_host_inside_is_asked(acme: Harness, open_source: Open, host: str) -> None:
    source = open_source(FileRules(external_hosts=(host, "*")))
    url = f"http://{host}/a.pdf"
    with pytest.raises(DownloadRefused):
        fetched(source, FileRef(url, "a.pdf", url, is_external=True))


def test_what_notion_says_that_it_keeps_inside_is_not_asked(acme: Harness, open_source: Open) -> None:
    url = f"http://127.0.0.1:80/s/u/a.pdf{SIGNED}"
    with pytest.raises(DownloadRefused):
        fetched(open_source(), FileRef("/s/u/a.pdf", "a.pdf", url))
