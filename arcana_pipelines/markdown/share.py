"""How much of a run one page may take. What takes more is put aside, so that it delays no other."""

from __future__ import annotations

from time import thread_time

from arcana_pipelines.errors import PageTooLarge

LARGEST_PAGE = 16 * 2**20
"""In characters. Notion's API gives a page of 20,000 blocks at most; a book has one million characters."""
LONGEST_NAME = 200
"""Characters of a property's and of a database's name in the text of a row, which each row repeats."""
MOST_CHUNKS = 20_000
"""Of one page. A book of one million characters has one to four thousand."""
MOST_SECONDS = 30.0
"""Of the processor, for each of the two steps: the normal form, and the chunks. Both take about one a megabyte."""


def check_size(characters: int) -> None:
    """Refuse a page that is larger than any that is read.

    Raises:
        PageTooLarge: it is.
    """
    if characters > LARGEST_PAGE:
        raise PageTooLarge(
            f"The page has {characters:,} characters, and {LARGEST_PAGE:,} is the most that is indexed. "
            "Divide it into several pages."
        )


def check_chunks(chunks: int) -> None:
    """Refuse a page that would be more of an index than any page is.

    Raises:
        PageTooLarge: it would.
    """
    if chunks > MOST_CHUNKS:
        raise PageTooLarge(
            f"The page makes {chunks:,} chunks, and {MOST_CHUNKS:,} is the most that is indexed. "
            "Divide it into several pages, or choose larger chunks."
        )


class Share:
    """What is left of a page's time on the processor, asked for while the page is worked on."""

    __slots__ = ("_end",)

    def __init__(self, seconds: float = MOST_SECONDS) -> None:
        self._end = thread_time() + seconds

    def check(self) -> None:
        """Go on only while there is time.

        Raises:
            PageTooLarge: it is used up.
        """
        if thread_time() > self._end:
            raise PageTooLarge(
                f"The page takes more than {MOST_SECONDS:.0f} seconds of computing, as no ordinary page does. "
                "Divide it, or look for text that repeats thousands of brackets, tags or signs."
            )
