"""The shape of one exported page: `# Title`, a block of `Name: value` lines, the body. Or of another Markdown file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property

from arcana_pipelines.markdown.characters import clean
from arcana_pipelines.markdown.front_matter import split_front_matter
from arcana_pipelines.sources.notion_export.encodings import is_rubbish
from arcana_pipelines.sources.notion_export.names import loose_key, one_line
from arcana_pipelines.sources.notion_export.references import shown

HEAD_BYTES = 16 * 1024
# A relation, file or link is written as a path in the page and as a URL in the CSV, or the other way about.
_LINKED = re.compile(r"://|\.\./|%20|\.md\b|\.csv\b|\]\(")
# Notion indents what follows a line break in a title. A list or quote below a heading is indented at times too.
_CONTINUED = re.compile(r"(?: {2,3}|\t)(?=\S)(?!(?:[-*+>|#]|\d+[.)])(?:\s|$)|```|~~~|\|)")
_MOST_TITLE_LINES = 16
# A title as Setext wrote it, and remarks above it.
_UNDERLINE = re.compile(r"=+[ \t\r]*$")
_COMMENTS = re.compile(r"(?:\s*+<!--.*?-->)++", re.S)


@dataclass(frozen=True, slots=True)
class PageText:
    """A page taken apart.

    Attributes:
        title: on one line; None when the file does not begin with one.
        rest: the text without the title's lines and front matter.
    """

    title: str | None
    rest: str

    @property
    def block(self) -> tuple[str, ...]:
        """The lines up to the first empty one: where Notion puts a row's properties."""
        lines: list[str] = []
        for line in self.rest.lstrip("\r\n").split("\n"):
            if not line.strip():
                break
            lines.append(line.rstrip("\r"))
        return tuple(lines)


def take_apart(text: str, called: str = "") -> PageText:
    """Split the title off: the first line, if it is `# …`, and the lines that go on with it.

    A heading further down is a section. Of a title with line breaks Notion indents the second line; where it is not
    indented, the file's name, `called`, tells whether it belongs to the title. A file that Notion did not write may
    have front matter, comments above its title, or a line of `=` below it.
    """
    named, text = split_front_matter(text.lstrip("\r\n"))
    comments = _COMMENTS.match(text)
    first, _, rest = text[comments.end() if comments else 0 :].lstrip("\r\n \t").partition("\n")
    if first.strip() and first[0] not in "#>-*+|`~" and _UNDERLINE.match(rest.partition("\n")[0]):
        first, rest = f"# {first}", rest.partition("\n")[2]
    if not (first.startswith("# ") or first.rstrip() == "#") or is_rubbish(first):
        return PageText(named and " ".join(one_line(named).split()), text)
    title = first[1:].strip()
    if rest[:1] in ("", "\n", "\r"):
        return PageText(" ".join(one_line(title).split()) or None, rest)
    name = loose_key(called)
    for _ in range(_MOST_TITLE_LINES):
        line, _, below = rest.partition("\n")
        if not line.strip():
            break
        longer = f"{title} {line.strip()}"
        if _CONTINUED.match(line) is None and not (name and loose_key(line) and name.startswith(loose_key(longer))):
            break
        title, rest = longer, below
    return PageText(" ".join(one_line(title).split()) or None, rest)


def named_lines(block: Sequence[str], columns: Iterable[str]) -> list[tuple[str | None, str]]:
    """Pair each line with the column it is for, or with None. Of `A` and `A: B` the longer name wins.

    Notion writes each property once: what begins like one of them again is text.
    """
    left = set(columns)
    lengths = sorted({len(name) for name in left}, reverse=True)
    pairs = []
    for line in block:
        name, text = _named(clean(line), left, lengths)
        left.discard(name or "")
        pairs.append((name, text))
    return pairs


def _named(line: str, names: Set[str], lengths: Sequence[int]) -> tuple[str | None, str]:
    for at in lengths:
        is_name = line.startswith(":", at) and line[:at] in names
        if is_name and (line.startswith(" ", at + 1) or not line[at + 1 :].strip()):
            return line[:at], line[at + 1 :].strip()
    return None, line.strip()


class Cell:
    """A cell as a person sees it. Any number of files may be held against it, so each form is made once."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def seen(self) -> str:
        """The whole of it."""
        return seen(self._text)

    @cached_property
    def first(self) -> str:
        """Its first line: of a value of several lines that one stands behind the name."""
        first, below, _ = self._text.partition("\n")
        return seen(first) if below else self.seen


def said_lines(pairs: Iterable[tuple[str | None, str]]) -> list[tuple[str, str]]:
    """The lines that say something of a column, as a person sees it."""
    return [(name, seen(text)) for name, text in pairs if name is not None and text]


def agreement(pairs: Iterable[tuple[str | None, str]], cells: Mapping[str, str]) -> int:
    """How many property lines say exactly what the row says."""
    said = ((text, cells.get(name, "")) for name, text in pairs if name is not None)
    return sum(bool(here and there) and alike(here, there) for here, there in said)


def without_properties(page: PageText, cells: Mapping[str, str]) -> str:
    """The body without the property lines that repeat `cells` (the row's columns that hold something).

    A paragraph may begin like a property (`Status: we discussed …`), and what is cut here is lost to
    search. So a line goes if it says what the CSV says; a line in another spelling goes only in a block
    where some other line proved that these are the properties, or where both sides are links.
    """
    pairs = named_lines(page.block, cells)
    if not pairs or pairs[0][0] is None:
        return page.rest
    proven = agreement(pairs, cells) > 0
    lines = page.rest.lstrip("\r\n").split("\n")
    cut = 0
    left = set(cells)
    lengths = sorted({len(name) for name in left}, reverse=True)
    while cut < len(lines) and lines[cut].strip():
        # Not from `pairs`: there a line of a longer value may have taken the name of another property.
        name, text = _named(clean(lines[cut].rstrip("\r")), left, lengths)
        if name is None:
            break
        left.discard(name)
        first, *others = cells[name].split("\n")
        same = alike(first, text)
        if not (same or proven or _both_linked(text, cells[name])):
            break
        cut += 1
        # A value of several lines goes on below its name, and may hold empty ones.
        for more in others if same else ():
            if cut >= len(lines) or not alike(more, lines[cut]):
                break
            cut += 1
    return "\n".join(lines[cut:]) if cut else page.rest


def lone_properties(block: Sequence[str], columns: Sequence[str]) -> dict[str, str]:
    """The properties of a row that the CSV lacks (a filtered view): its own lines, if all are columns."""
    pairs = named_lines(block, columns)
    if any(name is None for name, _ in pairs):
        return {}
    return {name: text for name, text in pairs if name is not None and text}


def _both_linked(left: str, right: str) -> bool:
    return bool(_LINKED.search(left) and _LINKED.search(right))


def alike(left: str, right: str) -> bool:
    """Whether a person sees the same in both: paths and blanks aside."""
    return left == right or seen(left) == seen(right)


def seen(text: str) -> str:
    """What a person sees of a cell or line: paths and blanks aside."""
    return " ".join(clean(shown(text)).split())
