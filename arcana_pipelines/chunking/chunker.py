"""Documents into chunks whose boundaries stay put.

A boundary never depends on how much text came before it, so an edit changes the chunks it touches and none
behind them. A chunk begins
- at a heading whose section is long enough to stand alone,
- inside a long section, at blocks chosen by a hash of how they begin (content-defined chunking), so often
  that chunks have about the target size.
What is still too long is split inside itself: lists between items, tables between rows with their header
repeated, code between lines, text by sentences.

The properties of a database row are a chunk of their own: its body stays put when a property changes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from arcana_pipelines.chunking.blocks import Block, read_blocks
from arcana_pipelines.chunking.tokens import estimate_tokens
from arcana_pipelines.documents.inline import readable
from arcana_pipelines.errors import WrongUse

CHUNKER_VERSION = 1

# How much of a block decides whether a chunk begins with it: its beginning, so that most edits leave it.
_ANCHOR_CHARACTERS = 24


@dataclass(frozen=True, slots=True)
class ChunkerSettings:
    """Sizes in estimated tokens."""

    target_tokens: int = 256
    max_tokens: int = 512

    def __post_init__(self) -> None:
        if not 16 <= self.target_tokens <= self.max_tokens <= 8000:
            raise WrongUse("Chunk sizes must be 16 <= target <= maximum <= 8000 tokens.")


@dataclass(frozen=True, slots=True)
class Chunk:
    """One piece. `text` is shown; `embed_text`, with title and headings before it, is embedded."""

    position: int
    text: str
    embed_text: str
    heading_path: tuple[str, ...]
    token_count: int

    @property
    def text_hash(self) -> bytes:
        """Names the embedding of this chunk's embedded text (16 bytes)."""
        return hashlib.blake2b(self.embed_text.encode(), digest_size=16).digest()


@dataclass(slots=True)
class _Unit:
    block: Block
    headings: tuple[str, ...]
    tokens: int


def chunk_document(contents: Mapping[str, Any], settings: ChunkerSettings) -> list[Chunk]:
    """Cut one version's contents. The first chunk begins with the title, so all text a page shows is in one."""
    title = str(contents["title"])
    # Cut in normal form, where a block's kind shows; shown and embedded as a person reads it.
    pieces = [
        (tuple(readable(heading) for heading in headings), readable(text))
        for headings, text in _pieces(str(contents["text"]), settings)
    ]
    lead = f"# {title}"
    properties = _properties_text(contents.get("properties") or {})
    if properties:
        pieces = [((), f"{lead}\n\n{part}") for part in _split_lines(properties, settings)] + pieces
    elif pieces and not pieces[0][0]:
        pieces[0] = ((), f"{lead}\n\n{pieces[0][1]}")
    else:
        pieces.insert(0, ((), lead))
    return [
        Chunk(
            position=position,
            text=text,
            embed_text=_embed_text(title, headings, text),
            heading_path=headings,
            token_count=estimate_tokens(text),
        )
        for position, (headings, text) in enumerate(pieces)
    ]


def _embed_text(title: str, headings: tuple[str, ...], text: str) -> str:
    return (
        text
        if text.startswith(f"# {title}\n") or text == f"# {title}"
        else "\n".join([" > ".join((title, *headings)), text])
    )


def _properties_text(properties: Mapping[str, Mapping[str, Any]]) -> str:
    return "\n".join(f"{name}: {value['text']}" for name, value in properties.items() if value.get("text"))


def _pieces(text: str, settings: ChunkerSettings) -> Iterator[tuple[tuple[str, ...], str]]:
    for segment in _segments(_units(text), settings):
        yield from _fit(segment, settings)


def _units(text: str) -> list[_Unit]:
    units: list[_Unit] = []
    open_headings: list[tuple[int, str]] = []
    for block in read_blocks(text):
        if block.level:
            open_headings = [held for held in open_headings if held[0] < block.level]
            open_headings.append((block.level, block.text.lstrip("# ").strip()))
        headings = tuple(heading for _, heading in open_headings)
        units.append(_Unit(block, headings, estimate_tokens(block.text)))
    return units


def _segments(units: Sequence[_Unit], settings: ChunkerSettings) -> Iterator[list[_Unit]]:
    """Units grouped between boundaries; each boundary is decided by its own section and block alone."""
    segment: list[_Unit] = []
    for section in _sections(units):
        size = sum(unit.tokens for unit in section)
        stands_alone = size >= settings.target_tokens // 3
        for index, unit in enumerate(section):
            starts = (
                stands_alone
                if index == 0 and unit.block.level
                else index > 0 and size > settings.target_tokens and _is_anchor(unit, settings)
            )
            if starts and segment:
                yield segment
                segment = []
            segment.append(unit)
    if segment:
        yield segment


def _sections(units: Sequence[_Unit]) -> Iterator[list[_Unit]]:
    section: list[_Unit] = []
    for unit in units:
        if unit.block.level and section:
            yield section
            section = []
        section.append(unit)
    if section:
        yield section


def _is_anchor(unit: _Unit, settings: ChunkerSettings) -> bool:
    """True for about one block in every target's worth of text; long blocks are likelier than short ones."""
    beginning = unit.block.text[:_ANCHOR_CHARACTERS].encode()
    draw = int.from_bytes(hashlib.blake2b(beginning, digest_size=4).digest(), "big") / 2**32
    # The size is taken in steps, so that an edit of a few words does not change the odds.
    size = max(1, 1 << (unit.tokens.bit_length() - 1))
    return draw < size / settings.target_tokens


def _fit(segment: Sequence[_Unit], settings: ChunkerSettings) -> Iterator[tuple[tuple[str, ...], str]]:
    """One segment as one piece, or, when it is too long, as several cut between and inside its units."""
    if sum(unit.tokens for unit in segment) <= settings.max_tokens:
        yield _headings_of(segment), "\n\n".join(unit.block.text for unit in segment)
        return
    held: list[_Unit] = []
    for unit in segment:
        if held and sum(other.tokens for other in held) + unit.tokens > settings.max_tokens:
            yield _headings_of(held), "\n\n".join(other.block.text for other in held)
            held = []
        if unit.tokens > settings.max_tokens:
            if held:  # a heading alone goes with what follows it
                yield _headings_of(held), "\n\n".join(other.block.text for other in held)
                held = []
            for part in _split(unit.block, settings):
                yield unit.headings, part
        else:
            held.append(unit)
    if held:
        yield _headings_of(held), "\n\n".join(unit.block.text for unit in held)


def _headings_of(units: Sequence[_Unit]) -> tuple[str, ...]:
    return units[0].headings


def _split(block: Block, settings: ChunkerSettings) -> Iterator[str]:
    if block.kind == "table":
        yield from _split_table(block.text, settings)
    elif block.kind == "code":
        yield from _split_code(block.text, settings)
    elif block.kind == "list":
        yield from _split_lines(block.text, settings)
    else:
        yield from _split_text(block.text, settings.max_tokens)


def _split_table(text: str, settings: ChunkerSettings) -> Iterator[str]:
    lines = text.split("\n")
    header, rows = lines[:2], lines[2:]
    room = max(16, settings.max_tokens - estimate_tokens("\n".join(header)))
    for part in _groups(rows, room):
        yield "\n".join([*header, part])


def _split_code(text: str, settings: ChunkerSettings) -> Iterator[str]:
    lines = text.split("\n")
    opening = lines[0]
    closing = opening[: len(opening) - len(opening.lstrip("`~ "))].strip() or "```"
    body = lines[1:-1] if len(lines) > 1 and lines[-1].strip() == closing else lines[1:]
    for part in _groups(body, settings.max_tokens):
        yield "\n".join([opening, part, closing])


def _split_lines(text: str, settings: ChunkerSettings) -> Iterator[str]:
    return _groups(text.split("\n"), settings.max_tokens)


def _groups(lines: Sequence[str], room: int) -> Iterator[str]:
    """Lines joined up to `room` tokens; a line that is longer alone is split inside itself."""
    held: list[str] = []
    size = 0
    for line in lines:
        tokens = estimate_tokens(line)
        if held and size + tokens > room:
            yield "\n".join(held)
            held, size = [], 0
        if tokens > room:
            yield from _split_text(line, room)
        else:
            held.append(line)
            size += tokens
    if held:
        yield "\n".join(held)


def _split_text(text: str, room: int) -> Iterator[str]:
    """Prose cut by sentences, then words, into parts of at most about `room` tokens.

    The splitter counts characters, which it does at full speed; counting tokens through a callback took it
    20 s for 200,000 Korean characters without a space.
    """
    from semantic_text_splitter import TextSplitter

    tokens = estimate_tokens(text)
    if tokens <= room:
        yield text
        return
    characters = max(1, min(len(text) - 1, len(text) * room // tokens))
    for part in TextSplitter(characters).chunks(text):
        yield from _split_text(part, room)
