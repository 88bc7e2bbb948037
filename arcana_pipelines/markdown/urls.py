"""Addresses in documents: which Notion object they name, and what of them stays from read to read."""

from __future__ import annotations

import json
import re
from urllib.parse import unquote

_HEX32 = re.compile(
    r"(?<![0-9a-f])([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})(?![0-9a-f])",
    re.I,
)
_NOTION_HOST = re.compile(r"https?://(?:[\w-]+\.)*notion\.(?:so|com|site)(?=[/?#:]|$)|notion://", re.I)
_QUERY_OR_FRAGMENT = re.compile(r"[?#]")
_PEEK = re.compile(r"[?&]p=([0-9a-fA-F-]{32,36})(?![0-9a-fA-F-])")
# One of these proves that a query is a signature: S3, CloudFront, Google Cloud, Azure SAS, Notion's proxy.
_SIGNED = re.compile(
    r"[?&;](?:X-Amz-(?:Signature|Credential|Security-Token|Algorithm|Date|Expires)|X-Goog-(?:Signature|Credential)"
    r"|expirationTimestamp|sig|signature)=",
    re.I,
)
_SAFE = re.compile(r"https?://|mailto:|notion:", re.I)
_URL_IN_TEXT = re.compile(r"https?://[^\s<>\"'`\x00-\x20]+")
# An address and its query, which a bracket ends that is neither encoded nor escaped.
_QUERY_IN_MARKDOWN = re.compile(r"(https?://[^\s<>\"'`?]++)(\?(?:\\[!-~]|[^\s<>\"'`()|\\])++)")
_LONGEST = 4000  # signs of an address that is looked into
_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,8}$")


def canonical_id(text: str | None) -> str | None:
    """The last Notion id in `text` as a lower-case dashed UUID, or None."""
    ids = _HEX32.findall(text or "")
    return "-".join(ids[-1]).lower() if ids else None


def page_id_of(url: str | None) -> str | None:
    """The page or database a link leads to, or None when the link leaves Notion.

    Understood are Notion's hosts (`https://app.notion.com/p/slug-<32hex>` since 2026), relative links
    (`/<32hex>?pvs=25`) and the links of a Markdown export (`Folder/Title%20<32hex>.md`). A fragment names
    a block inside the page and is not the target; `?p=` names the page shown above a database.
    """
    if not url or len(url) > 4000:
        return None
    host = _NOTION_HOST.match(url)
    if host is None:
        if "://" in url or url.startswith(("mailto:", "data:", "tel:", "//", "#")):
            return None
        path = _QUERY_OR_FRAGMENT.split(url, maxsplit=1)[0]
        if not path.startswith("/") and not path.lower().endswith((".md", ".csv", ".html")):
            return None
        return canonical_id(unquote(path).rsplit("/", 1)[-1])
    peek = _PEEK.search(url)
    if peek and (peeked := canonical_id(peek.group(1))):
        return peeked
    return canonical_id(_QUERY_OR_FRAGMENT.split(url[host.end() :], maxsplit=1)[0])


def safe_url(url: str | None) -> str | None:
    """The address, if it is one that a person may follow: of a web page, a mailbox or Notion. Else None."""
    return url if url and _SAFE.match(url) and url.isprintable() else None


def block_id_of(url: str | None) -> str | None:
    """The id of the block that an `<unknown url>` names: its fragment, or else the page itself."""
    if not url:
        return None
    _, _, fragment = url.partition("#")
    return canonical_id(fragment) or canonical_id(url)


def without_signature(url: str) -> str:
    """The address without its signature, which changes with every read and grants access.

    A query counts as a signature when it has a parameter that only signers use, whatever the host; then all
    of it goes, and the path stays.
    """
    cut = url.find("?")
    return url[:cut] if cut > 0 and _SIGNED.search(url, cut) else url


def without_signatures(text: str) -> str:
    """`text` with the signatures of all addresses in it removed."""
    if "=" not in text or "://" not in text or not _SIGNED.search(text):
        return text
    return _URL_IN_TEXT.sub(_strip_match, text)


def without_signatures_in_markdown(markdown: str) -> str:
    """`markdown` with the signatures of all addresses in it removed, and with what stands around the addresses."""
    if "=" not in markdown or "://" not in markdown or not _SIGNED.search(markdown):
        return markdown
    return _QUERY_IN_MARKDOWN.sub(lambda found: found[1] if _SIGNED.search(found[2]) else found[0], markdown)


def _strip_match(match: re.Match[str]) -> str:
    return without_signature(match.group())


def urls_in(text: str) -> list[str]:
    """The web addresses written out in `text`."""
    return _URL_IN_TEXT.findall(text) if "://" in text else []


def _referred(url: str) -> str:
    """The name in what Notion refers to a file by in the place of an address; empty of an address.

    In its exports that is `attachment:<uuid>:<name>`, in answers of its Markdown endpoint the same as the `source` of
    an encoded object: `file://{"source":"attachment:<uuid>:<name>","permissionRecord":…}`.
    """
    if url.startswith("attachment:"):
        return " ".join(unquote(url.rsplit(":", 1)[-1]).split())
    if not url.startswith(("file://%7B", "file://{")) or len(url) > _LONGEST:
        return ""
    try:
        source = json.loads(unquote(url.removeprefix("file://"))).get("source")
    except (ValueError, AttributeError, RecursionError):
        return ""
    kind, _, rest = source.partition(":") if isinstance(source, str) else ("", "", "")
    return " ".join(rest.partition(":")[2].split()) if kind == "attachment" else ""


def file_name(url: str) -> str:
    """The last part of the address's path as a person reads it; empty when there is none."""
    if url.startswith("data:"):
        return ""
    if referred := _referred(url):
        return referred
    path = _QUERY_OR_FRAGMENT.split(url, maxsplit=1)[0]
    _, separator, rest = path.partition("://")
    if separator:
        path = rest.partition("/")[2]
    return " ".join(unquote(path.rstrip("/").rsplit("/", 1)[-1]).split())


def file_label(url: str) -> str:
    """What to show for an uploaded or linked file without a caption: its name, or the address itself."""
    name = file_name(url)
    if name and (_EXTENSION.search(name) or "://" not in url or _referred(url)):
        return name
    return "" if url.startswith("data:") else without_signature(url)
