"""Comments of HTML, which a page shows to nobody."""

from __future__ import annotations

from collections.abc import Iterator

from arcana_pipelines.markdown.inline import literal_spans
from arcana_pipelines.markdown.lines import in_code, is_literal

_BEGIN, _END = "<!--", "-->"


def without_comments(markdown: str) -> str:
    """`markdown` without its comments. One that is code, is escaped or never ends is a text that a person typed."""
    if markdown.find(_BEGIN, 0, max(markdown.rfind(_END), 0)) < 0:
        return markdown
    lines = markdown.split("\n")
    last = max(number for number, line in enumerate(lines) if _END in line)
    kept: list[str] = []
    line, is_open = "", False

    def outside() -> Iterator[str]:
        nonlocal line, is_open
        for line in lines:
            if is_open:
                _, end, line = line.partition(_END)
                is_open = not end
            yield line

    # A fence in a comment opens no code: each line is looked at when the comments before it are known.
    for number, is_code in enumerate(in_code(outside())):
        if not is_code and _BEGIN in line:
            line, is_open = _cut(line, number < last)
        kept.append(line)
    return "\n".join(kept)


def _cut(line: str, may_go_on: bool) -> tuple[str, bool]:
    """A line without its comments, and whether the last one goes on below it."""
    spans = literal_spans(line)
    out: list[str] = []
    position = at = 0
    while (start := line.find(_BEGIN, at)) >= 0:
        if is_literal(start, spans):
            at = start + 1
        elif (end := line.find(_END, start + 2)) >= 0:
            out.append(line[position:start])
            position = at = end + len(_END)
        elif may_go_on:
            return "".join([*out, line[position:start]]), True
        else:
            break
    return "".join([*out, line[position:]]), False
