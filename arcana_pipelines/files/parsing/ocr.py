"""Text of pictures, by tesseract: a program of the system, started by us and confined as a parser is."""

from __future__ import annotations

from pathlib import Path

from arcana_pipelines.files.parsing.blocks import Block, Place


class Reader:
    """Reads the pictures of one file."""

    def __init__(self, languages: str) -> None:
        self._languages = languages

    def read(self, picture: Path, place: Place) -> list[Block]:
        """What a picture says."""
        return []

    def notes(self) -> list[str]:
        """What was not read."""
        return []
