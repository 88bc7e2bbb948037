"""The HTML of a message as Markdown: what its author wrote, without the mail that it answers.

Each reply by mail repeats the thread below it, and ends with a signature: kept, every reply would be found by every
question. What mail programs mark as such is taken out of the tree, what they only write as text is found by its first
line. Where nothing else would be left, all is kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from arcana_pipelines.files.parsing.blocks import Block
from arcana_pipelines.files.text import written
from arcana_pipelines.markdown.characters import clean
from arcana_pipelines.markdown.urls import safe_url, without_signature

MOST_CHARACTERS = 8 * 2**20
"""Of one message; what follows is not read."""
# A tree takes a time that grows with the square of its depth.
DEEPEST = 2_000

_QUOTES = ", ".join(
    (
        ".freshdesk_quote", ".gmail_quote", ".gmail_extra", ".yahoo_quoted", ".moz-cite-prefix", ".protonmail_quote",
        ".tutanota_quote", ".zmail_extra", ".OutlookMessageHeader", "blockquote[type=cite]",
    )
)  # fmt: skip
_SIGNATURES = ", ".join(
    (
        ".gmail_signature", ".gmail_signature_prefix", ".moz-signature", ".protonmail_signature_block",
        ".tutanota_signature", ".freshdesk_signature", "#Signature", "#signature", "#ms-outlook-mobile-signature",
    )
)  # fmt: skip
# Outlook marks the beginning of what it quotes, and nothing else.
_QUOTE_BEGINS = "#divRplyFwdMsg, #appendonsend, #mail-editor-reference-message-container"

_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
# They end where another begins, or have no end.
_ENDLESS = frozenset(
    "area base br col dd dt embed hr img input li link meta option p param source tbody td tfoot th thead tr "
    "wbr".split()
)
_BREAK = re.compile(r"<br\s*/?\s*>", re.I)
# One who answers above the quoted mail writes one of these under the answer.
_WROTE = re.compile(
    r"(?:On\b.{4,300}\bwrote|Am\b.{4,300}\bschrieb\b.{0,100}|Le\b.{4,300}\ba écrit|El\b.{4,300}\bescribió"
    r"|.{0,40}\d{4}년.{4,300}(?:작성|님이 씀|wrote)|.{0,40}\d{4}年.{4,300}(?:書きました|写道|のメール))\s*[:：]?",
    re.I | re.S,
)
_ORIGINAL = re.compile(
    r"[-_*=\s]{2,}\s*(?:Original Message|Forwarded message|Original Appointment|원본 ?메(?:시|세)지|원본 ?메일"
    r"|전달된 메(?:시|세)지|Ursprüngliche Nachricht|Message d'origine|Mensaje original|元のメッセージ|原始邮件)"
    r"\s*[-_*=\s]{2,}.*",
    re.I | re.S,
)
_HEADER = re.compile(r"\*?(?:From|보낸 ?사람|발신|Von|De|差出人|发件人)\s*\*?\s*[:：]", re.I)
# A sender alone may be a town.
_SENT = re.compile(
    r"(?:Sent|Date|보낸 ?날짜|날짜|Gesendet|Datum|Envoyé|Enviado|Fecha|送信日時|日付|发送时间)\s*\*?\s*[:：]", re.I
)
_TO = re.compile(
    r"(?:To|Subject|받는 ?사람|제목|An|Betreff|À|Objet|Para|Asunto|宛先|件名|收件人|主题)\s*\*?\s*[:：]", re.I
)
_HEADER_LINES = 6
_SIGNATURE_BEGINS = re.compile(r"--")
# Files of the account, under addresses that are signed anew at each read.
_KEPT_HOSTS = re.compile(r"(?:[a-z0-9-]+\.)*(?:freshdesk|freshworks|freshworksapi|amazonaws)\.com")


def markdown_of(html: object, text: object = "", is_mail: bool = True) -> str:
    """A message, or an article, in the normal form.

    Args:
        html: what its author wrote.
        text: the same without markup, for one whose HTML shows nothing.
        is_mail: it may quote what it answers, and end with a signature.
    """
    source = html if isinstance(html, str) else ""
    spare = clean(text).strip() if isinstance(text, str) else ""
    source = source[:MOST_CHARACTERS]
    if not source.strip() or _is_deep(source):
        return _plain(spare)
    own = _written(_own_part(_said(source, own_part=True))) if is_mail else ""
    # A mail that only quotes says something by that; one that only shows a picture has at least its plain text.
    whole = _said(source, own_part=False) if is_mail else _blocks(source, own_part=False)
    return own or _written(whole) or _plain(spare)


def linked(html: object, domain: str) -> list[str]:
    """What a text of this account links to: ids of tickets, and of articles (`article-5`), in order."""
    if not isinstance(html, str) or ("/tickets/" not in html and "/solutions/articles/" not in html):
        return []
    own = re.compile(
        rf"href\s*=\s*[\"']?(?:https://{re.escape(domain)}\.freshdesk\.com)?"
        r"(?:/a/tickets/|/helpdesk/tickets/|/(?:[a-z-]{2,8}/)?support/solutions/(articles)/)(\d{1,18})\b",
        re.I,
    )
    found = own.findall(html[:MOST_CHARACTERS])
    return list(dict.fromkeys(f"article-{digits}" if article else digits for article, digits in found))


def _is_deep(source: str) -> bool:
    depth = 0
    for found in _TAG.finditer(source):
        if found[2].lower() in _ENDLESS:
            continue
        depth = max(0, depth - 1) if found[1] else depth + 1
        if depth > DEEPEST:
            return True
    return False


def _said(source: str, own_part: bool) -> list[Block]:
    """The blocks of a message. Its headings are lines: a heading tells who speaks, and a customer could write one."""
    return [
        replace(block, kind="text", level=0) if block.kind == "heading" else block
        for block in _blocks(source, own_part)
    ]


def _blocks(source: str, own_part: bool) -> list[Block]:
    # Heavy, and of an extra: read where it is needed.
    from selectolax.lexbor import LexborHTMLParser

    from arcana_pipelines.files.parsing.parsers.html import blocks

    # Two of them part paragraphs: a line of a mail stays a line.
    page = LexborHTMLParser(_BREAK.sub("<br><br>", source))
    for image in page.css("img"):
        image.decompose()
    if own_part:
        for beginning in page.css(_QUOTE_BEGINS):
            while (following := beginning.next) is not None:
                following.remove()
            beginning.remove()
        for each in page.css(_QUOTES) + page.css(_SIGNATURES):
            each.remove()
    for link in page.css("a"):
        address = _address(link.attributes.get("href"))
        if address and address.rstrip("/") not in link.text() + "/":
            link.insert_after(f" ({address})")
    return list(blocks(page.html or ""))


def _own_part(blocks: Sequence[Block]) -> list[Block]:
    """What stands before the mail that is quoted, and before the signature."""
    own: list[Block] = []
    at = 0
    while at < len(blocks):
        block = blocks[at]
        said = block.text.strip()
        if block.kind in ("text", "quote"):
            if _ORIGINAL.fullmatch(said) or _SIGNATURE_BEGINS.fullmatch(said) or _begins_header(blocks, at):
                break
            if _WROTE.fullmatch(said) and any(map(str.isdigit, said)):
                at += 1
                while at < len(blocks) and (blocks[at].kind == "quote" or blocks[at].text.startswith(">")):
                    at += 1
                continue
        own.append(block)
        at += 1
    return own


def _begins_header(blocks: Sequence[Block], at: int) -> bool:
    """Whether the header of a quoted mail begins: `From: …`, and behind it, in one line or more, when and to whom."""
    if not _HEADER.match(blocks[at].text.strip()):
        return False
    header = " ".join(block.text[:300] for block in blocks[at : at + _HEADER_LINES])[:1000]
    return _SENT.search(header) is not None and _TO.search(header) is not None


def _address(href: str | None) -> str | None:
    """An address that a reader may follow; None for a mailbox, or a file that is signed anew at each read."""
    address = safe_url(without_signature((href or "").strip()))
    if address is None or not address.lower().startswith("http") or len(address) > 2000:
        return None
    try:
        parts = urlsplit(address)
        host = (parts.hostname or "").lower()
    except ValueError:
        return None
    if "token=" in parts.query or (_KEPT_HOSTS.fullmatch(host) and "/attachment" in parts.path):
        return None
    return address


def _plain(text: str) -> str:
    return _written([Block("text", line) for line in text.split("\n") if line.strip()])


_written: Callable[[Sequence[Block]], str] = lambda blocks: written(blocks).text.strip()  # noqa: E731
