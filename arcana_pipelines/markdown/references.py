"""Markdown's reference links: `[text][label]`, with `[label]: address` elsewhere (CommonMark, sections 4.7 and 6.3)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from arcana_pipelines.markdown.inline import literal_spans
from arcana_pipelines.markdown.lines import in_code, is_literal
from arcana_pipelines.markdown.share import Share
from arcana_pipelines.markdown.urls import file_name, page_id_of

_LABEL = r"\[(?!\^)((?:[^\[\]\\\n]|\\.){1,300}+)\]"
_DEFINITION = re.compile(
    rf"^[ \t>]*+{_LABEL}:[ \t]*+(?:\n[ \t>]*+)?(<[^<>\n]*+>|[^\s<\[]\S*+)"
    r"(?:[ \t]++(?:\"[^\"\n]*+\"|'[^'\n]*+'|\([^()\n]*+\)))?[ \t]*+$",
    re.M,
)
_BRACKETS = re.compile(_LABEL)
_LONGEST_NAME = 60  # it stands wherever a picture without words refers to it


@dataclass(frozen=True, slots=True)
class _Destination:
    """What is needed of an address: where it leads inside Notion, or the name of what has no words.

    It is made once for each label: an address may be as long as a page, and have a thousand references.
    """

    behind_words: str
    behind_none: str


def resolve_references(markdown: str, share: Share) -> str:
    """`markdown` with its references written as links, and without the definitions that are used.

    A definition that nothing refers to is a line that a person typed: it stays, unless it is data or leads nowhere.

    Raises:
        PageTooLarge: the page's share is used up.
    """
    if "]:" not in markdown or _DEFINITION.search(markdown) is None:
        return markdown
    mentioned = Counter(_key(label) for label in _BRACKETS.findall(markdown))
    matches = list(_outside_code(markdown))
    defined = Counter(_key(match.group(1)) for match in matches)
    addresses: dict[str, str] = {}
    kept: list[str] = []
    position = 0
    for match in matches:
        label, address = _key(match.group(1)), match.group(2).strip("<>")
        is_used = mentioned[label] > defined[label]
        if is_used:
            addresses.setdefault(label, address)
        # `[//]: # (words)` is how a remark is written that no page shows.
        if is_used or address == "#" or address[:5].lower() == "data:":
            # The line stays, empty: what stands above it and below it are two blocks.
            kept += [markdown[position : match.start()], "\n" * match.group().count("\n")]
            position = match.end()
    markdown = "".join([*kept, markdown[position:]])
    if not addresses:
        return markdown
    share.check()
    return _with_links(markdown.split("\n"), {label: _destination(one) for label, one in addresses.items()}, share)


def _outside_code(markdown: str) -> Iterator[re.Match[str]]:
    code = list(in_code(markdown.split("\n")))
    line = position = 0
    for match in _DEFINITION.finditer(markdown):
        line += markdown.count("\n", position, match.start())
        position = match.start()
        if not code[line]:
            yield match


def _with_links(lines: Sequence[str], destinations: dict[str, _Destination], share: Share) -> str:
    out = []
    for line, is_code in zip(lines, in_code(lines), strict=True):
        if not is_code and "[" in line:
            share.check()
            line = _line_with_links(line, destinations)
        out.append(line)
    return "\n".join(out)


def _line_with_links(line: str, destinations: dict[str, _Destination]) -> str:
    spans = literal_spans(line)
    out: list[str] = []
    position = 0
    has_label = False  # the brackets before are a text with the label that follows
    for match in _BRACKETS.finditer(line):
        is_label, has_label = has_label, False
        start, end = match.span()
        destination = destinations.get(_key(match.group(1)))
        if start < position or destination is None or is_literal(start, spans):
            continue
        out.append(line[position:start])
        if is_label or (start and line[start - 1] == "]" and position < start):  # [text][label]
            is_empty = line[start - 2 : start] == "[]"
            out.append(destination.behind_none if is_empty else destination.behind_words)
        elif line.startswith("(", end) or (has_label := _refers(line, end, destinations)):
            out.append(match.group())
        else:
            if line.startswith("[]", end):
                end += 2
            out += [match.group(), destination.behind_words]
        position = end
    out.append(line[position:])
    return "".join(out)


def _refers(line: str, at: int, destinations: dict[str, _Destination]) -> bool:
    following = _BRACKETS.match(line, at)
    return following is not None and _key(following.group(1)) in destinations


def _destination(address: str) -> _Destination:
    if page := page_id_of(address):
        return _Destination(f"(/{page})", f"(/{page})")
    return _Destination("()", f"(<{file_name(address)[:_LONGEST_NAME]}>)")


def _key(label: str) -> str:
    return " ".join(label.split()).casefold()
