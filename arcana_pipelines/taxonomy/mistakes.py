"""Several mistakes of one import, told at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from arcana_pipelines.errors import TaxonomyRefused

MOST_TOLD = 5


class Mistakes:
    """Refusals that wait for others: `with mistakes.noted(): …` for each row, then `refuse`."""

    def __init__(self) -> None:
        self._told: dict[str, None] = {}

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Go on behind a row that is refused.

        Raises:
            TaxonomyRefused: these are the most that are told.
        """
        try:
            yield
        except TaxonomyRefused as error:
            self._told[str(error)] = None
            if len(self._told) == MOST_TOLD:
                self.refuse()

    def refuse(self) -> None:
        """Refuse what was refused, a line each.

        Raises:
            TaxonomyRefused: something was.
        """
        if self._told:
            raise TaxonomyRefused("\n".join(self._told))
