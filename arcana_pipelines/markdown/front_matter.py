"""What stands above a Markdown file's text for programs: YAML between `---`, or TOML between `+++`."""

from __future__ import annotations

import re

_ENDS = {"---": ("---", "..."), "+++": ("+++",)}
_KEY = {"---": re.compile(r"[\w\"'$@][^:]{0,100}:(?:\s|$)"), "+++": re.compile(r"[\w\"'][^=]{0,100}=|\[")}
# What goes on with a key, and a remark.
_MORE = re.compile(r"\s|-(?:\s|$)|[]}#]")
_TITLE = re.compile(r"title[ \t]*[:=][ \t]*(.*)", re.I)
_MOST_LINES = 500


def split_front_matter(text: str) -> tuple[str | None, str]:
    """The title that a file's front matter gives it, and the text below; of a text without any None and all of it.

    A divider that a text begins with has an empty line or a sentence below it, and stays.
    """
    lines = text.split("\n", _MOST_LINES)
    mark = lines[0].rstrip()
    if mark not in _ENDS:
        return None, text
    keys = 0
    title: str | None = None
    for number, line in enumerate(lines[1:_MOST_LINES], start=1):
        line = line.rstrip()
        if line in _ENDS[mark] and keys:
            return title, "\n".join(lines[number + 1 :])
        if _KEY[mark].match(line):
            keys += 1
            if title is None and (found := _TITLE.match(line)):
                title = found[1].strip().strip("\"'").strip(">|-+ ") or None
        elif (line and not _MORE.match(line)) or number == 1:
            break
    return None, text
