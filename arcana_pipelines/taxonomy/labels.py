r"""Labels of topics, and how a path of them is written: `AI/RAG`, with `\/` and `\\` for a label's own `/` and `\`."""

from __future__ import annotations

import re
from typing import TypeAlias
from unicodedata import category, normalize

from arcana_pipelines.errors import TaxonomyRefused

Path: TypeAlias = tuple[str, ...]

MOST_LEVELS = 16
LONGEST_LABEL = 200  # characters
_ESCAPED = re.compile(r"\\([/\\])|(/)")


def clean_label(text: str) -> str:
    """A label as it is kept and compared: NFC, one blank for a run of white space, none around it. Case counts.

    Raises:
        TaxonomyRefused: it is empty or too long, or holds control characters.
    """
    label = " ".join(normalize("NFC", text).split())
    if any(category(character) in ("Cc", "Cs") for character in label):
        raise TaxonomyRefused(f"The label {label[:40]!a} holds control characters.")
    if all(category(character)[0] in "CZ" for character in label):
        raise TaxonomyRefused("A label is empty.")
    if len(label) > LONGEST_LABEL:
        raise TaxonomyRefused(f"The label '{label[:40]}…' has {len(label)} characters; {LONGEST_LABEL} are the most.")
    return label


def clean_path(labels: Path) -> Path:
    """A path as it is kept and compared: each of its labels cleaned.

    Raises:
        TaxonomyRefused: a label cannot be one, or there are none, or more than 16.
    """
    if not labels:
        raise TaxonomyRefused("The path is empty.")
    if len(labels) > MOST_LEVELS:
        raise TaxonomyRefused(f"The path has {len(labels)} levels; {MOST_LEVELS} are the most.")
    return tuple(clean_label(label) for label in labels)


def read_path(text: str) -> Path:
    r"""The path that a text spells, clean. A `\` that stands before neither `/` nor `\` is itself.

    Raises:
        TaxonomyRefused: it is none (see `clean_path`).
    """
    labels, label, end = [], "", 0
    for found in _ESCAPED.finditer(text):
        label += text[end : found.start()] + (found[1] or "")
        end = found.end()
        if found[2]:
            labels.append(label)
            label = ""
    try:
        return clean_path((*labels, label + text[end:]))
    except TaxonomyRefused as error:
        raise TaxonomyRefused(f"'{text[:200]}' is no path of a topic: {error}") from error


def spell_path(path: Path) -> str:
    """A path as people write it, and `read_path` reads it."""
    return "/".join(label.replace("\\", "\\\\").replace("/", "\\/") for label in path)
