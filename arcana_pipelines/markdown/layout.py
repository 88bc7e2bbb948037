"""How blocks are put together in the normal form."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from arcana_pipelines.markdown.inline import guard_line, guard_task, read_inline
from arcana_pipelines.markdown.tables import is_delimiter

DEEPEST = 20
"""Lists are indented so far and no further: a text must not grow with the square of its depth."""

_UNDERLINE = re.compile(r"\n(?==+(?:\n|$))")
_TICKS = re.compile(r"`{3,}")
_SPACES = re.compile(r"\s+")


class Layout:
    """Collects blocks whose text is already in the inline normal form."""

    __slots__ = ("_in_list", "_numbers", "_out", "_shift", "_top", "length")

    def __init__(self) -> None:
        self._out: list[str] = []
        self.length = 0
        """In characters, of what was written so far with the lines between blocks."""
        self._in_list = False
        self._shift = 0  # level of the outermost item so far of the present list in its source
        self._top = 0  # level of the last item written
        # level -> the last number there as it was given, as a reader counts it, and as it was written
        self._numbers: dict[int, tuple[int, int, int]] = {}

    def text(self) -> str:
        """All blocks, one blank line between two, none between items of a list."""
        return "".join(self._out).rstrip("\n")

    def block(self, text: str) -> None:
        """A block that is written as it stands."""
        if not text:
            return
        if self._in_list:
            self._in_list = False
            self._write("\n")
        self._write(text)
        self._write("\n\n")

    def paragraph(self, text: str) -> None:
        """Text of one or more lines."""
        text = _guarded(text)
        self.block(_UNDERLINE.sub(r"\n\\", text) if "\n=" in text else text)

    def heading(self, level: int, text: str) -> None:
        """A heading; it is one line."""
        if "\n" in text:  # in one line other characters read as markup than in two
            text = read_inline(text.replace("\n", " "))
        if text:
            self.block(f"{'#' * min(level, 6)} {text}")

    def quote(self, text: str) -> None:
        """Quoted text."""
        if text:
            self.block("> " + _guarded(text).replace("\n", "\n> "))

    def code(self, language: str, code: str) -> None:
        """A code block; what is in it stays as it is."""
        if not code.strip():
            return
        longest = max((len(run) for run in _TICKS.findall(code)), default=0)
        fence = "`" * max(3, longest + 1)
        language = _SPACES.sub(" ", language.replace("`", "")).strip()
        # The API's name for no language at all.
        self.block(f"{fence}{'' if language == 'plain text' else language}\n{code}\n{fence}")

    def equation(self, source: str) -> None:
        """A displayed equation. Space at the ends of its lines means nothing in LaTeX."""
        lines = [stripped for line in source.split("\n") if (stripped := line.strip()) and stripped != "$$"]
        if lines:
            self.block("$$\n" + "\n".join(_SPACES.sub(" ", line) for line in lines) + "\n$$")

    def item(self, marker: str, level: int, text: str) -> None:
        """A list item. `marker` is `- `, `- [ ] `, `- [x] ` or its number as written, `7. `.

        Numbers that only count on from 1 are written `1. `, so that an item put in above changes one line; a
        number that says something (`2026. 7. 1.`, a list that begins at 5 or goes on after a block) stays.
        """
        if not text:
            return
        if not self._in_list:
            self._in_list = True
            self._shift = level
            self._top = -1
            self._numbers.clear()
        self._shift = min(self._shift, level)
        level = min(level - self._shift, self._top + 1, DEEPEST)
        self._top = level
        if self._numbers:
            for deeper in [known for known in self._numbers if known > level]:
                del self._numbers[deeper]
        if marker[0].isdigit():
            number = int(marker[:-2])
            given, counted, written = self._numbers.get(level, (-1, -1, -1))
            if written == 1 and number in (1, given + 1, counted + 1):
                marker = "1. "
                counted += 1
            else:
                counted = number
            self._numbers[level] = (number, counted, int(marker[:-2]))
        else:
            self._numbers.pop(level, None)
        indent = "  " * level
        first, *rest = text.split("\n")
        self._write(f"{indent}{marker}{guard_task(first) if marker == '- ' else first}\n")
        self._write("".join(f"{indent}  {line}\n" for line in _guarded_lines(rest)))

    def _write(self, text: str) -> None:
        self._out.append(text)
        self.length += len(text)


def _guarded(text: str) -> str:
    return "\n".join(_guarded_lines(text.split("\n")))


def _guarded_lines(lines: Sequence[str]) -> Iterator[str]:
    before = ""
    for line in lines:
        # Below a line with bars it would begin a table.
        is_literal = "|" in before and line[:1] in (":", "-") and is_delimiter(line)
        yield f"\\{line}" if is_literal else guard_line(line)
        before = line
