"""Text inside a block: from any Markdown dialect of ours to the normal form.

The normal form is Markdown itself, so a character that a person typed and that would read as markup
(`<b>`, `*x*`, `[a](b)`) keeps one backslash; all others are plain. That, and only that, lets a text be
normalised again without change. `readable` removes those last backslashes for people and models.
"""

from __future__ import annotations

import html
import re
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from arcana_pipelines.markdown.characters import clean, nfc
from arcana_pipelines.markdown.emphasis import without_emphasis
from arcana_pipelines.markdown.tags import SPANS, TAG, attributes, date_text
from arcana_pipelines.markdown.urls import (
    block_id_of,
    file_name,
    page_id_of,
    urls_in,
    without_signature,
    without_signatures,
)

_PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
_SHIELD = {ord(c): 0xFDD0 + i for i, c in enumerate(_PUNCTUATION)}
_UNSHIELD = {shield: char for char, shield in _SHIELD.items()}
_SHIELDED = re.compile("[\ufdd0-\ufdef]")
SHIELDED_ANGLE = chr(_SHIELD[ord("<")])
"""Stands for a `<` that is text (see `documents.typed`)."""

_MARKUP = "\\`*~$<&[{"
# A block of this length with so many characters of markup is not text; it is kept as it stands.
_LONG, _DENSE = 50_000, 5_000
_PROTECTED = re.compile(
    r"(?P<escape>(?:\\[!-/:-@\[-`{-~])+)|(?P<break>\\\n)|(?P<code>`+)|(?P<math>\$+)|(?P<mention><mention(?=[\s>]))"
)
_ESCAPE = re.compile(r"\\[!-/:-@\[-`{-~]")
_CODE = re.compile(r"`+")
_MATH_TICKS = re.compile(r"\$(`+)([^`\n]+)\1\$")
_MATH = re.compile(r"\$(?![\s$])[^$\\\n]*+(?:\\.[^$\\\n]*+)*+\$")
_AUTOLINK = re.compile(r"<((?:https?|ftp)://[^<>\s]+|mailto:[^<>\s]+)>")
_BRACKET = re.compile(r"!?\[|\]\(?")
# No two runs of the same characters stand side by side: they could be divided in as many ways as they are long. A
# title alone is an address that is empty.
_TITLE = r"(?:\"[^\"\n]*+\"|'[^'\n]*+')"
_DESTINATION = re.compile(
    rf"\((?:\s*+(?:<([^<>\n]*+)>|((?:[^\s()]++|\([^\s()]*+\))*+))(?:\s++{_TITLE})?+|\s++{_TITLE})\s*+\)"
)
_SIMPLE_LINK = re.compile(r"!?\[([^\S\n]*+[^\s\[\]][^\[\]\n]*+)\]\(([^()\s<>\"]*+)\)")
# One without an end is read as well, so that what stands in it is not tried again: it has no end either.
_CITATION = re.compile(r"(\s?)\[\^((?:https?:)?/[^\]\s]++)(\]?)")
_BLOCK_ATTRIBUTES = re.compile(r"(?<![ \t])[ \t]*+\{(?:(?:color|toggle)=\"[^\"\n{}]*+\"[ \t]*+)++\}[ \t]*+$", re.M)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_PIECE = re.compile("\x00(\\d+)\x01")
_BLANKS = re.compile(r"[^\S\n]{2,}|[^\S\n ]")
# What might read as markup in a text that is meant literally; stars, dollars and code are counted apart.
_RISK = re.compile(r"\\(?:[!-/:-@\[-`{-~\x00\n]|$)|`|~~|</?[a-z]|<!--|&[#\w]+;|\]\(|\[\^|\{(?:color|toggle)=")
_BACKSLASH = re.compile(r"\\(?=[!-/:-@\[-`{-~\x00\n]|$)")
_ESCAPABLE = {
    "*": re.compile(r"\*"),
    "~": re.compile(r"~"),
    "$": re.compile(r"\$"),
    "<": re.compile(r"<(?=[/a-z]|!--)"),
    "&": re.compile(r"&(?=[#\w])"),
    "[": re.compile(r"\[(?=\^)"),
    "]": re.compile(r"\](?=\()"),
    "{": re.compile(r"\{(?=[a-z])"),
}
_EVERYTHING = {ord(character): "\\" + character for character in "\\`*~$<&[]{"}
_LINE_START = re.compile(
    r"(?:(?=\#{1,6}(?:[ \t]|$)|>|[-*+](?:[ \t]|$)|([-*_])[ \t]*+(?:\1[ \t]*+){2,}$|`{3,}[^`]*$|~~~|\$\$|\|"
    r"|\[(?!\^)(?:[^\[\]\\]|\\.){1,300}+\]:)"
    r"|(\d{1,9})(?=[.)](?:[ \t]|$)))"
)
_LINE_OPENERS = frozenset("#>-*+_`~$|[0123456789")
# What an item's text may not begin with: a task's box, or dashes that make `- --` a divider.
_TASK = re.compile(r"\[[ xX]\](?= |$)|(?:-[ \t]*)+$")

Piece = tuple[Literal["text", "code", "math"], str]


@dataclass(slots=True)
class Mentions:
    """What a document names beside its text. The keys of each are a set in order of appearance.

    Attributes:
        links: ids of the pages that links lead to.
        unresolved: blocks that the source did not show: their ids, or addresses where these hold none.
    """

    links: dict[str, None] = field(default_factory=dict)
    unresolved: dict[str, None] = field(default_factory=dict)

    def link(self, url: str | None) -> None:
        """Remember the page a link leads to."""
        if page := page_id_of(url):
            self.links[page] = None

    def unknown(self, url: str | None) -> None:
        """Remember a block that the source did not show: its id, or else its address."""
        if target := block_id_of(url) or url:
            self.unresolved[target] = None


def read_inline(source: str, mentions: Mentions | None = None) -> str:
    """One block's text in the normal form; line breaks inside it are `\\n`."""
    if not _marked(source):
        return _lines(source)
    if len(source) > _LONG and sum(map(source.count, _MARKUP)) > _DENSE:
        return _lines(source)
    text, pieces = _parse(source, mentions if mentions is not None else Mentions())
    return _written(text, pieces)


def _marked(source: str) -> bool:
    """Whether a text may have markup. Single look-ups are several times faster than one pattern."""
    return (
        "*" in source
        or "<" in source
        or "\\" in source
        or "`" in source
        or "[" in source
        or "&" in source
        or "$" in source
        or "~" in source
        or "{" in source
        or "://" in source
        or SHIELDED_ANGLE in source
    )


def compose(parts: Iterable[Piece]) -> str:
    """The normal form of literal text, code and equations in a row."""
    chunks: list[str] = []
    pieces: list[str] = []
    for kind, value in parts:
        value = clean(value)
        if kind == "text" or not value.strip():
            chunks.append(value)
            continue
        if kind == "code":
            if pieces and chunks and chunks[-1].startswith("\x00") and pieces[-1].startswith("`"):
                # Two spans side by side would read as one with other fences: make them one.
                chunks.pop()
                value = _code_text(pieces.pop()) + value
            piece = _code_span(value)
        else:
            piece = "$" + " ".join(value.split()) + "$"
        chunks.append(f"\x00{len(pieces)}\x01")
        pieces.append(piece)
    text = _lines(without_signatures("".join(chunks)))
    return _written(text, pieces)


def readable(text: str) -> str:
    """Normal form as a person reads it: the backslashes that keep characters literal are gone.

    Code fences, equations and code spans stay as they are.
    """
    if "\\" not in text:
        return text
    out: list[str] = []
    closing: str | None = None
    for line in text.split("\n"):
        if closing is not None:
            closing = None if line == closing else closing
        elif line.startswith("```"):
            closing = line[: len(line) - len(line.lstrip("`"))]
        elif line == "$$":
            closing = line
        elif "\\" in line:
            if "`" in line or "$" in line or "<mention" in line:
                kept, pieces = _protect(line)
                line = _restore(kept.translate(_UNSHIELD), pieces)
            else:
                line = _ESCAPE.sub(_character, line)
        out.append(line)
    return "\n".join(out)


def _character(escape: re.Match[str]) -> str:
    return escape.group()[1]


def guard_line(line: str) -> str:
    """`line` with a backslash before what would open a heading, list, quote, fence, table, equation or reference."""
    if not line or line[0] not in _LINE_OPENERS or (match := _LINE_START.match(line)) is None:
        return line
    at = match.end(2) if match.group(2) else 0
    # Of a divider or a fence all: what would be left of it behind the first might end an emphasis, or something crossed
    # out, that begins in a line above.
    run = len(line) - at - len(line[at:].lstrip(line[at])) if line[at] in "*_~" else 1
    return line[:at] + f"\\{line[at]}" * run + line[at + run :]


def guard_task(line: str) -> str:
    """`line` with a backslash before what would make its list item a task or a divider."""
    return "\\" + line if _TASK.match(line) else line


def escape_all(text: str) -> str:
    """Literal text in a form that every dialect reads as that text."""
    return text.translate(_EVERYTHING)


# --- reading ---------------------------------------------------------------------------------------


def _parse(source: str, mentions: Mentions, is_meant: bool = True) -> tuple[str, list[str]]:
    """Literal text with `\\x00n\\x01` where code or an equation stands, and those pieces as written.

    Of what is not meant to have tags it is only asked whether it would read as if it had.
    """
    pieces: list[str] = []
    text = source
    if "\\" in source or "`" in source or "$" in source or "<mention" in source:
        text, pieces = _protect(source, mentions)
    if "{" in text and '="' in text:
        text = _BLOCK_ATTRIBUTES.sub("", text)
    if "](" in text:
        text = _links(text, mentions)
    if "[^" in text:
        text = _CITATION.sub(lambda m: _citation(m, mentions), text)
    if "<" in text:
        text = _AUTOLINK.sub(lambda m: without_signature(m.group(1)).translate(_SHIELD), text)
        text = TAG.sub((lambda m: _tag(m, mentions)) if is_meant else "", text)
        if not is_meant:
            text = text.replace("<!--", "")
    text = without_emphasis(text)
    if "&" in text:
        text = _ENTITY.sub(_entity, text)
    if not text.isascii() and _SHIELDED.search(text):
        text = text.translate(_UNSHIELD)
    for url in urls_in(text):
        mentions.link(url)
    return _lines(nfc(without_signatures(text))), pieces


def unshielded(text: str) -> str:
    """`text` with each shield as the character that it stands for."""
    return text.replace(SHIELDED_ANGLE, "<")


def _lines(text: str) -> str:
    if "  " in text or not text.isprintable():
        text = _BLANKS.sub(" ", text)
    if "\n" not in text:
        return text.strip()
    return "\n".join(stripped for line in text.split("\n") if (stripped := line.strip()))


def literal_spans(line: str) -> list[tuple[int, int]]:
    """Where a line has escapes, code, equations or mention labels: a tag in there is none."""
    spans: list[tuple[int, int]] = []
    if "\\" in line or "`" in line or "$" in line or "<mention" in line:
        _protect(line, spans=spans)
    return spans


def _protect(
    source: str, mentions: Mentions | None = None, spans: list[tuple[int, int]] | None = None
) -> tuple[str, list[str]]:
    """Shield escaped characters and take code, equations and mention labels out of reach."""
    out: list[str] = []
    pieces: list[str] = []
    fences: dict[int, list[int]] | None = None
    position = 0
    search = _PROTECTED.search
    while (match := search(source, position)) is not None:
        start, end = match.span()
        out.append(source[position:start])
        kind = match.lastgroup
        piece = None
        if kind == "escape":
            out.append(match.group()[1::2].translate(_SHIELD))
        elif kind == "break":
            out.append("\n")
        elif kind == "code":
            if fences is None:
                fences = {}
                for run in _CODE.finditer(source):
                    fences.setdefault(run.end() - run.start(), []).append(run.start())
            starts = fences.get(end - start, [])
            at = bisect_left(starts, end)
            if at < len(starts):
                end = starts[at] + end - start
                piece = source[start:end].replace("\n", " ")
        elif kind == "math":
            if end - start > 1:  # only the last of several can open an equation
                out.append("$".translate(_SHIELD) * (end - start - 1))
                start = end - 1
            if (ticks := _MATH_TICKS.match(source, start)) is not None:
                end = ticks.end()
                piece = f"${ticks.group(2).strip()}$"
            elif (
                (math := _MATH.match(source, start)) is not None
                and math.end() - start <= 2002
                and not source[math.end() - 2].isspace()
                and not (source[start + 1].isdigit() and source[math.end() : math.end() + 1].isdigit())
            ):
                end = math.end()
                piece = math.group()
        elif (label := _mention(source, start, mentions)) is not None:
            end = label[1]
            out.append(label[0])
        else:
            out.append(match.group())
            position = end
            continue
        if piece is not None:
            out.append(f"\x00{len(pieces)}\x01")
            pieces.append(piece)
        elif kind in ("code", "math"):
            out.append(source[start:end].translate(_SHIELD))
        if spans is not None:
            spans.append((start, end))
        position = end
    out.append(source[position:])
    return "".join(out), pieces


def _mention(source: str, start: int, mentions: Mentions | None) -> tuple[str, int] | None:
    """A v2 mention's label, which is literal, and where the mention ends."""
    opening = TAG.match(source, start)
    if opening is None or opening.group("self"):
        return None
    end = source.find("</mention>", opening.end(), opening.end() + 2000)
    if end < 0 or "<mention" in (label := source[opening.end() : end]):
        return None
    if mentions is not None:
        mentions.link(attributes(opening.group("attributes")).get("url"))
    return label.translate(_SHIELD), end + len("</mention>")


def _links(text: str, mentions: Mentions) -> str:
    """Links and images as their text, innermost first, in one pass."""
    count = text.count("[")
    if count == text.count("]("):
        simple, done = _SIMPLE_LINK.subn(lambda m: _simple_link(m, mentions), text)
        if done == count:
            return simple
    out: list[str] = []
    filled = 0  # parts with something to read so far: says whether a label is empty without looking at it
    openers: list[tuple[int, int]] = []
    position = 0
    for match in _BRACKET.finditer(text):
        start, end = match.span()
        if start < position:
            continue
        before = text[position:start]
        out.append(before)
        filled += not (not before or before.isspace())
        position = end
        token = match.group()
        if token[-1] == "[":
            openers.append((len(out), filled))
            out.append(token)
            continue
        destination = _DESTINATION.match(text, start + 1) if token == "](" and openers else None
        if destination is None:
            if openers:
                openers.pop()
            filled += 1
            out.append(token)
            continue
        at, filled_before = openers.pop()
        image = out[at] == "!["
        out[at] = ""
        url = (destination.group(1) or destination.group(2) or "").translate(_UNSHIELD)
        if "&" in url:
            url = html.unescape(url)
        mentions.link(url)
        if filled == filled_before:
            shown = file_name(url) if image else without_signature(url)
            out.append(_PIECE.sub("", shown).translate(_SHIELD))
            filled += bool(shown)
        position = destination.end()
    out.append(text[position:])
    return "".join(out)


def _simple_link(match: re.Match[str], mentions: Mentions) -> str:
    url = match.group(2)
    if "://" not in url or "notion" in url:
        url = url.translate(_UNSHIELD)
        mentions.link(html.unescape(url) if "&" in url else url)
    return match.group(1)


def _citation(match: re.Match[str], mentions: Mentions) -> str:
    if not match.group(3):
        return match.group()
    url = match.group(2).translate(_UNSHIELD)
    mentions.link(url)
    space = match.group(1) or (" " if match.start() else "")
    return space + _PIECE.sub("", without_signature(url)).translate(_SHIELD)


def _entity(match: re.Match[str]) -> str:
    char = html.unescape(match.group())
    return match.group() if char == match.group() else clean(char).translate(_SHIELD)


def _tag(match: re.Match[str], mentions: Mentions) -> str:
    name = match.group("name")
    if name == "br":
        return "\n"
    gap = "" if name in SPANS else "\n"
    if match.group("closing"):
        return gap
    values = attributes(match.group("attributes"))
    if name in ("date", "mention-date"):
        return date_text(values).translate(_SHIELD)
    if name == "unknown":
        mentions.unknown(values.get("url") or values.get("id"))
    elif name == "img":
        alt = values.get("alt", "")
        return "" if "/" in alt else alt.translate(_SHIELD)
    elif name == "a":
        mentions.link(values.get("href"))
    elif not name.startswith("synced"):
        mentions.link(values.get("url"))
    return gap


# --- writing ---------------------------------------------------------------------------------------


def _restore(text: str, pieces: list[str]) -> str:
    return _PIECE.sub(lambda m: pieces[int(m.group(1))], text) if pieces else text


def _reads_as(text: str, meant: str, pieces: int) -> bool:
    again, other_pieces = _parse(text, Mentions(), is_meant=False)
    return len(other_pieces) == pieces and _restore(again, other_pieces) == meant


def _written(text: str, pieces: list[str]) -> str:
    """`text` with the fewest backslashes of a kind that make it read as it is meant."""
    meant = _restore(text, pieces)
    if not _risky(text, pieces):
        return meant
    again, other_pieces = _parse(meant, Mentions(), is_meant=False)
    read = _restore(again, other_pieces)
    if read == meant:
        return meant
    kinds = [c for c in _ESCAPABLE if read.count(c) != meant.count(c)]
    for candidate in (_escaped(text, kinds), text.translate(_EVERYTHING)):
        written = _restore(candidate, pieces)
        if _reads_as(written, meant, len(pieces)):
            return written
    # Code beside code, or an equation that reads as none: take all of it literally.
    written = _escaped(meant, kinds)
    return written if _reads_as(written, meant, 0) else escape_all(meant)


def _risky(text: str, pieces: list[str]) -> bool:
    """Whether literal text may read as markup; cheap, and right where it says no."""
    if "*" in text and text.count("*") > 1:
        return True
    if "$" in text and (pieces or text.count("$") > 1):
        return True
    if pieces and "\x01\x00" in text:
        return True
    return (
        "\\" in text or "`" in text or "~~" in text or "<" in text or "&" in text or "[" in text or "{" in text
    ) and _RISK.search(text) is not None


def _escaped(text: str, kinds: list[str]) -> str:
    text = _BACKSLASH.sub(r"\\\\", text)
    text = text.replace("`", "\\`")
    for kind in kinds:
        text = _ESCAPABLE[kind].sub(rf"\\{kind}", text)
    return text


def _code_span(code: str) -> str:
    code = code.replace("\n", " ")
    longest = max((m.end() - m.start() for m in _CODE.finditer(code)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if code.startswith("`") or code.endswith("`") else ""
    return f"{fence}{pad}{code}{pad}{fence}"


def _code_text(span: str) -> str:
    inner = span.strip("`")
    return inner[1:-1] if inner.startswith(" `") or inner.endswith("` ") else inner
