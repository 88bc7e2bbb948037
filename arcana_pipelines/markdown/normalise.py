"""Markdown of any of our sources in one normal form: the same page always gives the same text.

Read are Notion-flavoured Markdown v2, enhanced Markdown v1 (docs: guides/data-apis/notion-flavored-markdown,
guides/data-apis/enhanced-markdown), the Markdown of a "Markdown & CSV" export, and the normal form itself.
What only changes from read to read (signatures, colours, ids) goes; every word a person can read stays.
"""

from __future__ import annotations

from dataclasses import dataclass

from arcana_pipelines.markdown.characters import clean, nfc
from arcana_pipelines.markdown.encoded import without_encoded
from arcana_pipelines.markdown.html_comments import without_comments
from arcana_pipelines.markdown.inline import unshielded
from arcana_pipelines.markdown.reader import Reader, is_v1
from arcana_pipelines.markdown.references import resolve_references
from arcana_pipelines.markdown.share import Share, check_size
from arcana_pipelines.markdown.typed import shield_typed


@dataclass(frozen=True, slots=True)
class Normalised:
    """A page in normal form.

    Attributes:
        text: the clean text.
        links: ids of the pages that it links to, in order of appearance.
        unresolved: blocks that the source did not show: their ids, or addresses where these hold none.
    """

    text: str
    links: tuple[str, ...] = ()
    unresolved: tuple[str, ...] = ()


def normalise(markdown: str) -> Normalised:
    """`markdown` in the normal form.

    Raises:
        PageTooLarge: it has more characters, or takes more time, than one page may.
    """
    check_size(len(markdown))
    share = Share()
    markdown = without_comments(clean(markdown))
    markdown = shield_typed(without_encoded(resolve_references(markdown, share)), share)
    lines = markdown.split("\n")
    reader = Reader(lines, is_v1(markdown, lines), share)
    text = nfc(unshielded(reader.read()))
    return Normalised(text, tuple(reader.mentions.links), tuple(reader.mentions.unresolved))
