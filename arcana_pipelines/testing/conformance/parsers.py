"""What every parser of files has to do (see `files.parsing.protocol`)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from arcana_pipelines.files.kinds import FileKind
from arcana_pipelines.files.parsing.blocks import Block, Inside, Note, Picture, Place, Said, Title
from arcana_pipelines.files.parsing.protocol import Job, ParserModule, Unreadable

_MOST_OF_LEVEL = {"heading": 6, "item": 99}


class ParserConformance:
    """Inherit and give the fixtures `parser`, `kind`, `sample`, and `phrase` if the sample has text."""

    @pytest.fixture
    def parser(self) -> ParserModule:
        """The module with the function `parse`."""
        raise NotImplementedError

    @pytest.fixture
    def kind(self) -> FileKind:
        """The kind of the sample."""
        raise NotImplementedError

    @pytest.fixture
    def sample(self) -> bytes:
        """A whole file of that kind."""
        raise NotImplementedError

    @pytest.fixture
    def phrase(self) -> str | None:
        """What the file says somewhere; None: it is a picture or holds other files."""
        return None

    def test_what_stands_in_the_file_is_said(
        self, parser: ParserModule, kind: FileKind, sample: bytes, phrase: str | None, tmp_path: Path
    ) -> None:
        said = said_of(parser, kind, sample, tmp_path)
        assert said is not None
        if phrase is None:
            assert any(isinstance(thing, Inside | Picture | Note) for thing in said)
        else:
            assert phrase in " ".join(" ".join(texts_of(said)).split())

    def test_it_says_the_same_again(self, parser: ParserModule, kind: FileKind, sample: bytes, tmp_path: Path) -> None:
        first, second = (tmp_path / name for name in ("1", "2"))
        first.mkdir()
        second.mkdir()
        assert said_of(parser, kind, sample, first) == said_of(parser, kind, sample, second)

    def test_texts_can_be_stored(self, parser: ParserModule, kind: FileKind, sample: bytes, tmp_path: Path) -> None:
        for text in texts_of(said_of(parser, kind, sample, tmp_path) or ()):
            assert "\x00" not in text
            text.encode()  # no half of a pair

    def test_blocks_are_what_they_are_called(
        self, parser: ParserModule, kind: FileKind, sample: bytes, tmp_path: Path
    ) -> None:
        for block in blocks_of(said_of(parser, kind, sample, tmp_path) or ()):
            if block.kind == "table":
                assert block.rows and any(any(row) for row in block.rows)
                assert not block.text
            else:
                assert block.text.strip() and not block.rows
                assert "\n" not in block.text or block.kind in {"code", "text"}
            assert 0 <= block.level <= _MOST_OF_LEVEL.get(block.kind, 0)
            assert block.level or block.kind != "heading"

    def test_places_come_in_order(self, parser: ParserModule, kind: FileKind, sample: bytes, tmp_path: Path) -> None:
        said = blocks_of(said_of(parser, kind, sample, tmp_path) or ())
        for before, after in pairwise(said):
            assert _goes_on(before.place, after.place)

    def test_nothing_is_written_but_what_is_said(
        self, parser: ParserModule, kind: FileKind, sample: bytes, tmp_path: Path
    ) -> None:
        said = said_of(parser, kind, sample, tmp_path) or ()
        written = {thing.path for thing in said if isinstance(thing, Inside | Picture)}
        assert {path.name for path in (tmp_path / "out").iterdir()} == written

    def test_an_empty_file_has_no_text(self, parser: ParserModule, kind: FileKind, tmp_path: Path) -> None:
        said = said_of(parser, kind, b"", tmp_path)
        assert not blocks_of(said or ())

    def test_a_file_that_is_cut_off_has_an_end(
        self, parser: ParserModule, kind: FileKind, sample: bytes, tmp_path: Path
    ) -> None:
        for share in (0.01, 0.1, 0.5, 0.9, 0.99):
            said_of(parser, kind, sample[: int(len(sample) * share)], tmp_path)

    def test_bytes_that_are_wrong_have_an_end(
        self, parser: ParserModule, kind: FileKind, sample: bytes, tmp_path: Path
    ) -> None:
        for seed in range(8):
            chance = random.Random(seed)
            data = bytearray(sample)
            for _ in range(1 + seed * 4):
                data[chance.randrange(len(data))] = chance.randrange(256)
            said_of(parser, kind, bytes(data), tmp_path)

    def test_noise_behind_a_right_beginning_has_an_end(
        self, parser: ParserModule, kind: FileKind, sample: bytes, tmp_path: Path
    ) -> None:
        for seed in range(4):
            said_of(parser, kind, sample[: 8 << seed * 2] + random.Random(seed).randbytes(5_000), tmp_path)


def said_of(parser: ParserModule, kind: FileKind, data: bytes, directory: Path) -> list[Said] | None:
    """All that a parser says of a file; None: that it has no text for us. Any other error is one of the parser."""
    path, out = directory / "file", directory / "out"
    path.write_bytes(data)
    out.mkdir(exist_ok=True)
    try:
        return list(parser.parse(Job(path, kind, f"file.{kind}", out, pictures=True)))
    except Unreadable:
        return None


def blocks_of(said: Sequence[Said]) -> list[Block]:
    """The blocks of what a parser has said."""
    return [thing for thing in said if isinstance(thing, Block)]


def texts_of(said: Sequence[Said]) -> list[str]:
    """All texts of what a parser has said."""
    texts = [thing.text for thing in said if isinstance(thing, Block | Note | Title)]
    texts += [cell for block in blocks_of(said) for row in block.rows for cell in row]
    return texts + [thing.name for thing in said if isinstance(thing, Inside)]


def _goes_on(before: Place, after: Place) -> bool:
    if before.sheet != after.sheet:
        return True
    pairs = (
        (before.page, after.page), (before.slide, after.slide), (before.first_row, after.first_row),
        (before.begin, after.begin), (after.first_row, after.last_row), (after.begin, after.end),
    )  # fmt: skip
    return all(first <= second for first, second in pairs if first is not None and second is not None)
