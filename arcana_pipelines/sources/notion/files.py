"""The files that hang on a page of Notion: which of its media are files, what they are called, and where they are.

- A file that Notion keeps has a signed address, another one at each read and good for an hour; its path stays
  (docs: reference/file-object). So the path is what the file is known by.
- Of what is no picture, the Markdown endpoint gives a reference in the place of an address: `file://` and, encoded,
  `{"source": "attachment:UUID:NAME", "permissionRecord": {"table": "block", "id": …, "spaceId": …}}`, as seen in 2026.
  The block has the address.
- The Markdown endpoint says neither whether Notion keeps a file nor when its address ends: the address tells.
- Page objects name the files of properties and the cover. They come with the listing, hours before the page is read,
  so their addresses are asked for again when the bytes are (see `page_of`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from arcana_pipelines.markdown.characters import clean
from arcana_pipelines.markdown.urls import without_signature
from arcana_pipelines.sources.file_names import file_label
from arcana_pipelines.sources.notion.pages import LONG_AGO, notion_id, parse_time
from arcana_pipelines.sources.protocol import FileRef

# An hour by Notion's word; what the reading of a long page takes of it, and the download, is left out.
LIFETIME = timedelta(minutes=50)
MOST_CHARACTERS = 4000  # of an address

_NOTION_FILES = re.compile(
    r"prod-files-secure\.s3(?:[.-][a-z0-9-]+)?\.amazonaws\.com|files?\.notion\.so"
    r"|(?:[a-z0-9-]+\.)*(?:notion-static|notionusercontent)\.com"
)
_AMAZON = re.compile(r"s3(?:[.-][a-z0-9-]+)?\.amazonaws\.com")  # where the bucket is the first part of the path
_OLD_BUCKETS = ("/secure.notion-static.com/", "/public.notion-static.com/", "/prod-files-secure/")
_LEFT_OUT = re.compile(r"[\t\r\n]")  # wherever they stand, by the standard library and by nobody else
_PAGE = "notion-page:"
_BLOCK = "notion-block:"
_REFERENCE = "file://"
_ATTACHMENT = "attachment:"
_ENDING = re.compile(r"\.([A-Za-z0-9]{1,8})$")
_PAGES_OF_THE_WEB = frozenset("asp aspx cgi do jsp php".split())
_RECORDINGS = frozenset(
    (
        "3gp aac aif aiff amr avi flac flv m4a m4v mid mkv mov mp3 mp4 mpeg mpg oga ogg ogv opus wav weba webm wma wmv"
    ).split()
)


@dataclass(frozen=True, slots=True)
class Medium:
    """A picture, file, recording or film as a page names it.

    Attributes:
        origin: as in `FileRef`.
        url: where it is now, as Notion says.
        name: as the page calls it; empty: it does not.
        caption: as people read it.
        is_hosted: whether Notion keeps it; None: Notion does not say.
        expiry_time: when the address ends, in Notion's words; empty: it does not say.
        page_id: of the page whose object has its address; empty: `url` is where it is.
    """

    origin: str
    url: str
    name: str = ""
    caption: str = ""
    is_hosted: bool | None = None
    expiry_time: str = ""
    page_id: str = ""


class FileHosts:
    """Whose addresses are those of files that Notion keeps."""

    def __init__(self, base_url: str) -> None:
        """`base_url` is that of the API: another one than Notion's stands in for its file hosts too."""
        self._own = urlsplit(base_url).netloc.lower()

    def keep(self, url: str) -> bool:
        """Whether this is the address of a file that Notion keeps, signed or not."""
        parts = split_address(url)
        if parts is None or not _is_plain(url, parts):
            return False
        host = (parts.hostname or "").lower()
        if parts.netloc.lower() == self._own or _NOTION_FILES.fullmatch(host):
            return True
        return _AMAZON.fullmatch(host) is not None and parts.path.startswith(_OLD_BUCKETS)

    def give(self, url: str) -> bool:
        """Whether Notion gives the bytes of a file that it keeps at this address."""
        return without_signature(url) != url and self.keep(url)


def file_refs(media: Iterable[Medium], hosts: FileHosts, read_at: datetime) -> tuple[FileRef, ...]:
    """The files among the media of one page, each once, in their order.

    Args:
        read_at: when Notion gave the addresses; aware.
    """
    files: dict[str, FileRef] = {}
    for medium in media:
        file = _file_ref(medium, hosts, read_at)
        if file is None:
            continue
        held = files.get(file.file_id)
        # The cover may stand in the text as well, with a caption there.
        files[file.file_id] = file if held is None or held.origin == "cover" else held
    return tuple(files.values())


def block_medium(kind: str, payload: Mapping[str, Any], caption: str) -> Medium | None:
    """The medium of a block's payload (docs: reference/block); None where it names no address."""
    return _medium(kind, payload, caption=caption)


def property_media(page_id: str, properties: Mapping[str, Mapping[str, Any]]) -> Iterator[Medium]:
    """The files of read properties (see `properties.read_properties`), whose signatures are gone."""
    for value in properties.values():
        files = value.get("value") if value.get("type") == "files" else None
        for file in files if isinstance(files, list) else ():
            if isinstance(file, Mapping) and (url := _string(file.get("url"))):
                yield Medium("property", url, _string(file.get("name")), page_id=page_id)


def cover_medium(page: Mapping[str, Any], page_id: str) -> Medium | None:
    """The cover of a page object; None: it has none."""
    cover = page.get("cover")
    return _medium("cover", cover, page_id=page_id) if isinstance(cover, Mapping) else None


def addresses_of(page: Mapping[str, Any]) -> dict[str, str]:
    """Where the files that a page object names are now, by their ids: of `files` properties, and the cover."""
    holders = [page.get("cover")]
    properties = page.get("properties")
    for value in properties.values() if isinstance(properties, Mapping) else ():
        files = value.get("files") if isinstance(value, Mapping) and value.get("type") == "files" else None
        holders += files if isinstance(files, list) else ()
    media = [_medium("property", holder) for holder in holders if isinstance(holder, Mapping)]
    return {_path_of(medium.url): medium.url for medium in media if medium is not None and medium.is_hosted}


def address_of_block(block: Mapping[str, Any]) -> tuple[str, str] | None:
    """The id of the file that a block object has, and where it is now; None: Notion keeps none of it."""
    kind = _string(block.get("type"))
    payload = block.get(kind)
    medium = _medium(kind, payload) if isinstance(payload, Mapping) else None
    return (_path_of(medium.url), medium.url) if medium is not None and medium.is_hosted else None


def block_of(address: str) -> str | None:
    """The block whose object says where a file is now, if an address is one that says so; else None."""
    return address.removeprefix(_BLOCK) if address.startswith(_BLOCK) else None


def page_of(address: str) -> str | None:
    """The page whose object says where a file is now, if an address is one that says so; else None."""
    return address.removeprefix(_PAGE) if address.startswith(_PAGE) else None


def split_address(url: str) -> SplitResult | None:
    """The parts of an address of the web; None for what is none."""
    try:
        parts = urlsplit(url)
        return parts if parts.scheme in ("http", "https") and parts.hostname else None
    except ValueError:
        return None


def _is_plain(url: str, parts: SplitResult) -> bool:
    """Whether all readers of an address take it for one of the same host.

    Of `http://a\\@b/` that is b to the standard library and a to urllib3: it would be checked as one and asked as the
    other.
    """
    return not any(character in parts.netloc for character in "\\@") and not _LEFT_OUT.search(url)


def _medium(origin: str, holder: Mapping[str, Any], caption: str = "", page_id: str = "") -> Medium | None:
    kind = _string(holder.get("type"))
    inside = holder.get(kind)
    url = _string(inside.get("url")) if isinstance(inside, Mapping) else ""
    if not url:
        return None
    assert isinstance(inside, Mapping)
    # What neither of the two words says, the address tells.
    hosted = {"file": True, "external": False}.get(kind)
    name, expiry = _string(holder.get("name")), _string(inside.get("expiry_time"))
    return Medium(origin, url, name, caption, hosted, expiry, page_id)


def _file_ref(medium: Medium, hosts: FileHosts, read_at: datetime) -> FileRef | None:
    url = medium.url.strip()
    if url.startswith(_REFERENCE):
        return _referred(medium, url)
    parts = split_address(url) if len(url) <= MOST_CHARACTERS else None
    if parts is None:
        return None
    is_hosted = medium.is_hosted
    if is_hosted is None:
        is_hosted = hosts.keep(url) if medium.page_id else hosts.give(url)
    name = file_label(medium.name, url, medium.origin)
    caption = " ".join(clean(medium.caption).split())
    caption = "" if caption == name else caption
    if not is_hosted:
        if not _is_file(medium.origin, parts):
            return None
        return FileRef(_outside_id(url, parts), name, url, None, medium.origin, caption, is_external=True)
    file_id = _path_of(url)
    if medium.page_id:
        return FileRef(file_id, name, f"{_PAGE}{medium.page_id}", None, medium.origin, caption)
    said = parse_time(medium.expiry_time)
    expires_at = read_at + LIFETIME if said == LONG_AGO else said
    return FileRef(file_id, name, url, expires_at, medium.origin, caption)


def _referred(medium: Medium, url: str) -> FileRef | None:
    """A file that Notion refers to; its id is the same that its address gives."""
    try:
        said = json.loads(unquote(url.removeprefix(_REFERENCE))) if len(url) <= MOST_CHARACTERS else None
    except (ValueError, RecursionError):
        return None
    record = said.get("permissionRecord") if isinstance(said, dict) else None
    source = _string(said.get("source")) if isinstance(said, dict) else ""
    block_id = notion_id(record.get("id")) if isinstance(record, dict) else None
    file_uuid, _, name = source.removeprefix(_ATTACHMENT).partition(":")
    if block_id is None or not source.startswith(_ATTACHMENT) or not name:
        return None
    assert isinstance(record, dict)
    # Without the space, it is the end of the path.
    file_id = clean("/".join(["", *filter(None, [_string(record.get("spaceId"))]), file_uuid, name]))
    label = file_label(medium.name or name, "", medium.origin)
    caption = " ".join(clean(medium.caption).split())
    return FileRef(
        file_id, label, f"{_BLOCK}{block_id}", None, medium.origin, "" if caption in (label, name) else caption
    )


def _path_of(url: str) -> str:
    return clean(unquote(urlsplit(url.strip()).path))


def _outside_id(url: str, parts: SplitResult) -> str:
    """The address, without what grants access and what names a place in the file."""
    host = parts.netloc.rpartition("@")[2]
    return clean(without_signature(parts._replace(netloc=host, fragment="").geturl()))


def _is_file(origin: str, parts: SplitResult) -> bool:
    """Whether an address that a person chose is that of a file: films are mostly pages of YouTube, Vimeo, Loom …"""
    if origin in ("image", "pdf", "cover"):
        return True
    found = _ENDING.search(unquote(parts.path).rpartition("/")[2])
    ending = found[1].lower() if found else ""
    if origin in ("audio", "video"):
        return ending in _RECORDINGS
    return bool(ending) and ending not in _PAGES_OF_THE_WEB


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""
