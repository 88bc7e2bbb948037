"""What a file is called where people see it. A name is a label: never a path, whatever stands in it."""

from __future__ import annotations

import re

from arcana_pipelines.markdown.characters import clean
from arcana_pipelines.markdown.urls import file_name

MOST_CHARACTERS = 200
_ENDING = re.compile(r"\.[A-Za-z0-9]{1,8}$")
_SEPARATORS = str.maketrans("/\\", "__")


def file_label(name: str, url: str, spare: str) -> str:
    """A name on one line, without separators of paths; `spare` where there is neither a name nor one in the address.

    A name that is an address itself (Notion calls a pasted link so) is that of the file there.
    """
    label = " ".join(clean(file_name(url) if not name or "://" in name else name).split()).translate(_SEPARATORS)
    if not label.strip("."):
        return spare
    if len(label) <= MOST_CHARACTERS:
        return label
    found = _ENDING.search(label)
    ending = found.group() if found else ""
    return label[: MOST_CHARACTERS - len(ending)] + ending
