"""Documents into chunks whose boundaries stay put.

A text is a row of atoms: its blocks and, in place of a block that is longer than a chunk may be, its lines,
sentences or words. A row that is too long for a chunk is cut at the best place in it, and so are both halves.
Headings are the best places, the highest first, then the beginnings of blocks, then places inside blocks; among
equals a hash of how the atom begins decides. So a boundary depends on what stands around it and on nothing
further away: an edit changes the chunks it touches and none behind them.

The properties of a database row are chunks of their own: its body stays put when a property changes.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import accumulate, islice
from typing import Any, NamedTuple
from zlib import crc32

from arcana_pipelines.chunking.best_place import Key, Places, best_of_few
from arcana_pipelines.chunking.blocks import (
    AT_BLOCK,
    AT_LINE,
    NOWHERE,
    Block,
    Frame,
    Part,
    letters,
    names,
    read_blocks,
    sentences,
    split_block,
    values,
    words,
)
from arcana_pipelines.chunking.headings import Heading, below, heading_of, lead
from arcana_pipelines.chunking.passages import Passage, passages
from arcana_pipelines.chunking.sizes import ChunkerSettings
from arcana_pipelines.chunking.tokens import Vocabulary
from arcana_pipelines.markdown.inline import readable
from arcana_pipelines.markdown.share import LONGEST_NAME, Share, check_chunks

# A heading weighs the same whatever it says, as much as a long one, so that renaming it moves no boundary.
_HEADING_TOKENS = 24
# In characters: cl100k_base has one for 128 spaces.
_LONGEST_TOKEN = 128

# So many texts are counted between two looks at the time.
_AT_ONCE = 10_000

# A text with more of them is longer than the limit, or so odd that it is cut though it need not be.
_MOST_CHARACTERS_A_TOKEN = 8

# A row of so many atoms is cut by comparing them; a longer one would take the square of its length.
_FEW = 1000

# What a part is cut into that is too long, one after the other; letters come last.
_FINER = (sentences, words, values, names)

_ORDINARY = 1 << 29
_SIGN = re.compile(r"[^\w\s]")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Chunk:
    """One piece of a document.

    Attributes:
        position: its number in the document, from 0.
        text: what is shown. That of the first chunk begins with the title.
        lead: a line with title and headings that stands before the text when it is embedded; empty for the first chunk.
        heading_path: the headings that the text is below, the outermost first, without the title.
        heading_levels: how deep each of them is, 1 to 6.
        token_count: tokens of `text`, without the lead.
        place: of a file where in it the text stands (`{"page": 3, "last_page": 4}`); None where it has no places.
    """

    position: int
    text: str
    lead: str
    heading_path: tuple[str, ...]
    heading_levels: tuple[int, ...]
    token_count: int
    place: Mapping[str, Any] | None = None

    @property
    def embed_text(self) -> str:
        """The text that is embedded."""
        return self.lead + self.text

    def passages(self, title: str) -> list[Passage]:
        """Its passages in their order. `title` is its document's."""
        headings = list(map(Heading, self.heading_levels, self.heading_path))
        return passages(self.text, title, headings, is_first=self.position == 0)

    @property
    def text_hash(self) -> bytes:
        """Names the embedding of this chunk's embedded text (16 bytes)."""
        return hashlib.blake2b(self.embed_text.encode(), digest_size=16).digest()


class _Atom(NamedTuple):
    """What is not cut. `level` is that of a heading, `frame` what each piece of its long block repeats.

    `tokens` is counted behind the joint: a word may take more there than at the beginning of a text. So the sum
    over atoms is that of their text, or a little more.
    """

    part: Part
    tokens: int
    kind: str
    headings: tuple[Heading, ...] = ()
    level: int = 0
    frame: Frame | None = None
    place: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class _Piece:
    text: str
    headings: tuple[Heading, ...]
    tokens: int
    place: Mapping[str, Any] | None = None


def chunk_document(contents: Mapping[str, Any], settings: ChunkerSettings, vocabulary: Vocabulary) -> list[Chunk]:
    """Cut one version's contents. The first chunk begins with the title, so all text a page shows is in one.

    A file is cut where a page, slide or sheet ends, unless a sentence runs on, and each chunk knows where it stands. A
    file without text has no chunks. `vocabulary` is that of the build's model.

    Raises:
        PageTooLarge: it takes more time than one page may, or makes more chunks.
    """
    return _Cutter(settings, vocabulary).chunks(contents)


class _Cutter:
    """Cuts documents with one build's settings."""

    def __init__(self, settings: ChunkerSettings, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._share = Share()
        self._max = settings.max_tokens
        self._overlap = settings.overlap_tokens
        # What is cut in two until no piece is longer than this has pieces of about half of it.
        self._limit = min(settings.max_tokens, 2 * settings.target_tokens)
        self._least = settings.target_tokens // 4

    def chunks(self, contents: Mapping[str, Any]) -> list[Chunk]:
        title = str(contents["title"])
        body = str(contents["text"]).strip("\n")
        if contents.get("kind") == "file":
            pieces = self._of_file(title, str(contents["text"]), contents.get("places") or ()) if body else []
        else:
            properties = _lines_of(contents)
            pieces = list(self._with_title(title, properties, "" if properties else body))
            if properties and body:
                pieces += self._whole(readable(body), body) or self._pieces(self._body(body))
        check_chunks(len(pieces))
        return [
            Chunk(
                position=position,
                text=piece.text,
                lead="" if position == 0 else f"{lead(title, [heading.text for heading in piece.headings])}\n",
                heading_path=tuple(heading.text for heading in piece.headings),
                heading_levels=tuple(heading.level for heading in piece.headings),
                token_count=piece.tokens,
                place=piece.place,
            )
            for position, piece in enumerate(pieces)
        ]

    def _with_title(self, title: str, properties: Sequence[str], body: str) -> Sequence[_Piece]:
        shown = "\n".join(properties) or readable(body)
        return self._whole(f"# {title}\n\n{shown}".rstrip(), body) or self._pieces(
            [*self._title(title), *self._properties(properties), *self._body(body)]
        )

    def _of_file(self, title: str, text: str, places: Sequence[Any]) -> list[_Piece]:
        """A file's text, part by part: none crosses from one place to the next but where a sentence runs on."""
        starts = [0, *(offset for offset, _, _ in places), len(text)]
        of_part = [None, *(place for _, place, _ in places)]
        sections: list[list[_Atom]] = [self._title(title)]
        headings: tuple[Heading, ...] = ()
        for number, place in enumerate(of_part):
            part = text[starts[number] : starts[number + 1]].strip("\n")
            if not part.strip():
                continue
            before = sections[-1][-1].place if sections[-1] else None
            # What stands before the first place goes with it, and so does the title.
            if before is not None and _unit(before) != _unit(place) and not places[number - 1][2]:
                sections.append([])
            atoms = self._body(part, headings, begins=not sections[-1] or before is None)
            headings = atoms[-1].headings
            sections[-1] += [atom._replace(place=each) for atom, each in zip(atoms, _places(atoms, place), strict=True)]
        return [piece for section in sections for piece in self._pieces(section)]

    def _whole(self, shown: str, body: str) -> list[_Piece]:
        """A text that is short enough as one piece, else nothing."""
        if len(shown) > _MOST_CHARACTERS_A_TOKEN * self._limit:
            return []
        tokens = self._count([shown])[0]
        if tokens > self._limit:
            return []
        first = next(read_blocks(body.partition("\n")[0]), None)
        headings = (heading_of(Block(first.kind, readable(first.text), first.level)),) if first and first.level else ()
        return [_Piece(shown, headings, tokens)]

    def _count(self, texts: Sequence[str]) -> list[int]:
        """The number of tokens of each text; of one that is longer than any chunk that of its beginning."""
        most = _LONGEST_TOKEN * self._max + 1
        counts: list[int] = []
        for start in range(0, len(texts), _AT_ONCE):
            self._share.check()
            counts += self._vocabulary.count([text[:most] for text in texts[start : start + _AT_ONCE]])
        return counts

    def _pieces(self, atoms: Sequence[_Atom]) -> list[_Piece]:
        """A text that is too long, cut."""
        cuts = list(self._cut(atoms))
        texts = [_written([*self._repeated(atoms, start), *atoms[start:end]]) for start, end in cuts]
        return [
            _Piece(text, _headings(atoms[start:end]), tokens, _spanned(atoms[start:end]))
            for text, (start, end), tokens in zip(texts, cuts, self._count(texts), strict=True)
        ]

    def _title(self, title: str) -> list[_Atom]:
        atoms = self._atoms([Part(f"# {title}", "\n\n", NOWHERE)], "title")
        return [_Atom(atom.part, atom.tokens, atom.kind, level=1) for atom in atoms] if len(atoms) == 1 else atoms

    def _properties(self, lines: Sequence[str]) -> list[_Atom]:
        parts = [Part(line, "\n" if at else "\n\n", AT_LINE if at else NOWHERE) for at, line in enumerate(lines)]
        return self._atoms(parts, "list")

    def _body(self, text: str, headings: tuple[Heading, ...] = (), begins: bool = True) -> list[_Atom]:
        """The atoms of a text below `headings`; it `begins` a row of atoms, or is behind a title."""
        # In normal form a block's kind shows; it is counted, shown and embedded as a person reads it.
        blocks = [Block(block.kind, readable(block.text), block.level) for block in read_blocks(text)]
        atoms: list[_Atom] = []
        behind_heading = begins
        for block, tokens in zip(blocks, self._count([f"\n\n{block.text}" for block in blocks]), strict=True):
            if block.level:
                headings = below(headings, heading_of(block))
            rank = NOWHERE if behind_heading else block.level or AT_BLOCK
            behind_heading = block.level > 0
            if tokens <= self._max or self._count([block.text])[0] <= self._max:
                atoms.append(_Atom(Part(block.text, "\n\n", rank), tokens, block.kind, headings, block.level))
            else:
                atoms.extend(self._long(block, rank, headings))
        return atoms

    def _long(self, block: Block, rank: int, headings: tuple[Heading, ...]) -> list[_Atom]:
        """The atoms of a block that is longer than a chunk may be."""
        frame, parts = split_block(block)
        if frame is not None and self._count([frame.opening])[0] > self._max // 2:
            frame, parts = split_block(Block("text", block.text))
        parts[0] = Part(parts[0].text, "\n\n", rank)
        return self._atoms(parts, block.kind, headings, frame)

    def _atoms(
        self, parts: Sequence[Part], kind: str, headings: tuple[Heading, ...] = (), frame: Frame | None = None
    ) -> list[_Atom]:
        """The parts as atoms; in place of one that is too long its sentences, words, values or letters."""
        atoms: list[_Atom] = []
        waiting = [(self._counted(parts), 0)]
        while waiting:
            counted, depth = waiting[-1]
            for part, tokens in counted:
                if tokens > self._max:
                    finer, depth = self._finer(part, depth)
                    waiting.append((self._counted(finer), depth))
                    break
                atoms.append(_Atom(part, tokens, kind, headings, 0, frame))
            else:
                waiting.pop()
        return atoms

    def _finer(self, part: Part, depth: int) -> tuple[list[Part], int]:
        """A part that is too long, cut by the first way from `depth` on that finds a place; and the next way."""
        while depth < len(_FINER):
            parts = _FINER[depth](part)
            depth += 1
            if len(parts) > 1:
                return parts, depth
        # No character has more than four tokens.
        return letters(part, self._max // 8), depth

    def _counted(self, parts: Sequence[Part]) -> Iterator[tuple[Part, int]]:
        """Each part with its number of tokens behind its joint."""
        return zip(parts, self._count([part.joint + part.text for part in parts]), strict=True)

    def _cut(self, atoms: Sequence[_Atom]) -> Iterator[tuple[int, int]]:
        """Where each chunk starts and ends among the atoms."""
        weights = [0, *accumulate(_HEADING_TOKENS if atom.level else atom.tokens for atom in atoms)]
        sizes = [0, *accumulate(atom.tokens for atom in atoms)]
        texts = _texts_from(atoms)
        best: Callable[[int, int, int], int | None]
        if len(atoms) <= _FEW:
            beginning = cache(lambda at: _beginning(texts[at]))
            best = partial(best_of_few, [atom.part.rank for atom in atoms], beginning, weights)
        else:
            known = cache(lambda rank, text: (rank, *_beginning(text)))
            best = Places([known(atom.part.rank, text) for atom, text in zip(atoms, texts, strict=True)], weights).best
        waiting = [(0, len(atoms))] if atoms else []
        while waiting:
            start, end = waiting.pop()
            self._share.check()
            fits = end - start == 1 or self._fits(atoms, start, end, sizes[end] - sizes[start])
            if fits and weights[end] - weights[start] <= self._limit:
                yield start, end
                continue
            # Not so near an end that a crumb comes off. Atoms that begin alike: nearest to the middle.
            low = bisect_left(weights, weights[start] + self._least, start + 1, end)
            high = bisect_right(weights, weights[end] - self._least, start + 1, end)
            twice_middle = weights[start] + weights[end]
            at = best(low, high, twice_middle)
            if at is None or atoms[at].part.rank == NOWHERE:
                if fits:
                    yield start, end
                    continue
                at = best(start + 1, end, twice_middle)
                assert at is not None
            waiting += [(at, end), (start, at)]

    def _fits(self, atoms: Sequence[_Atom], start: int, end: int, most: int) -> bool:
        if most <= self._max:
            return True
        # The sum is too high by little: what is far above needs no exact count.
        return most <= 2 * self._max and self._count([_joined(atoms[start:end])])[0] <= self._max

    def _repeated(self, atoms: Sequence[_Atom], start: int) -> list[_Atom]:
        """What a chunk repeats of the one before it in the same section."""
        taken: list[_Atom] = []
        room = self._overlap
        if not room or atoms[start].level:
            return taken
        for at in range(start - 1, -1, -1):
            atom = atoms[at]
            if atom.level:
                break
            if atom.tokens > room:
                taken += reversed(self._tail(atom, room))
                break
            taken.append(atom)
            room -= atom.tokens
        return taken[::-1]

    def _tail(self, atom: _Atom, room: int) -> list[_Atom]:
        """The last sentences and lines of a text or list that fit."""
        if atom.kind not in ("text", "list"):
            return []
        parts = [part for line in split_block(Block(atom.kind, atom.part.text))[1] for part in sentences(line)]
        taken: list[_Atom] = []
        counts = self._count([part.joint + part.text for part in parts])
        for part, tokens in zip(reversed(parts), reversed(counts), strict=True):
            room -= tokens
            if room < 0:
                break
            taken.insert(0, _Atom(part, tokens, atom.kind))
        return taken


def _lines_of(contents: Mapping[str, Any]) -> list[str]:
    """What stands between a row's title and its body: its database, by which it is found too, and its properties."""
    properties = contents.get("properties") or {}
    database = contents.get("database")
    lines = [
        f"{name[:LONGEST_NAME]}: {value['text']}"
        for name, value in properties.items()
        if value.get("text") and not value.get("hidden")
    ]
    return [f"Database: {database[:LONGEST_NAME]}", *lines] if database else lines


def _texts_from(atoms: Sequence[_Atom]) -> list[str | None]:
    """Of each atom its text, of a heading that of what follows it: its own words may change."""
    texts: list[str | None] = []
    text: str | None = None
    for atom in reversed(atoms):
        text = text if atom.level else atom.part.text
        texts.append(text)
    return texts[::-1]


def _beginning(text: str | None) -> Key:
    """How good a place to cut the beginning of a text is among those of its rank, least is best.

    Boundaries should outlive edits, and most edits change a word or add one. So the first signs of an atom count
    before its words, and a word only among atoms that are alike up to it. Of all words one in eight counts for
    more than the others: where atoms begin alike, a changed word in one of them makes it seldom a better place.
    """
    if text is None:
        return ()
    signs = "".join(sign[0] for sign in islice(_SIGN.finditer(text, 0, 400), 4))
    first_words = (word[0] for word in islice(_WORD.finditer(text), 8))
    draws = [crc32(piece.encode()) for piece in (signs, *first_words)]
    return (*(min(draw, _ORDINARY) for draw in draws), *draws)


def _unit(place: Mapping[str, Any] | None) -> tuple[Any, ...]:
    """What no chunk crosses the end of: a page, a slide, a sheet."""
    return tuple((place or {}).get(name) for name in ("page", "slide", "sheet"))


def _places(atoms: Sequence[_Atom], place: Mapping[str, Any] | None) -> list[Mapping[str, Any] | None]:
    """The place of each atom of a part: that of the part, or, of a table that was cut, its own row."""
    if place is None or place.get("first_row") is None or place.get("last_row") is None:
        return [place] * len(atoms)
    rows = [number for number, atom in enumerate(atoms) if atom.frame is not None]
    if len(rows) != place["last_row"] - place["first_row"] + 1:
        return [place] * len(atoms)
    numbers = {at: place["first_row"] + number for number, at in enumerate(rows)}
    return [
        {**place, "first_row": numbers[at], "last_row": numbers[at]} if at in numbers else place
        for at in range(len(atoms))
    ]


def _spanned(atoms: Sequence[_Atom]) -> dict[str, Any] | None:
    """From where to where in a file atoms stand: `{"page": 3, "last_page": 4}`, `{"sheet": "Q1", "rows": [2, 9]}`."""
    places = [atom.place for atom in atoms if atom.place]
    if not places:
        return None
    first, last = places[0], places[-1]
    spanned: dict[str, Any] = {
        name: first[name] for name in ("page", "label", "slide", "sheet", "begin") if first.get(name) is not None
    }
    if last.get("page") is not None and last["page"] != first.get("page"):
        spanned["last_page"] = last["page"]
    if last.get("end") is not None:
        spanned["end"] = last["end"]
    rows = [
        place for place in places if place.get("first_row") is not None and place.get("sheet") == first.get("sheet")
    ]
    if rows:
        ends = [place["last_row"] for place in rows if place.get("last_row") is not None]
        begins = min(place["first_row"] for place in rows)
        spanned["rows"] = [begins, max([*ends, begins])]
    return spanned


def _headings(atoms: Sequence[_Atom]) -> tuple[Heading, ...]:
    """The path of the section in which a chunk begins."""
    below_title = atoms[0].kind == "title" and len(atoms) > 1 and atoms[1].level
    return atoms[1 if below_title else 0].headings


def _written(atoms: Sequence[_Atom]) -> str:
    """The text of atoms in a row, long tables with their header and code with its fences."""
    pieces: list[str] = []
    frame: Frame | None = None
    for atom in atoms:
        if frame is not None and frame.closing and atom.frame is not frame:
            pieces.append(f"\n{frame.closing}")
        if pieces:
            pieces.append(atom.part.joint)
        if atom.frame is not None and atom.frame is not frame:
            pieces.append(f"{atom.frame.opening}\n")
        frame = atom.frame
        pieces.append(atom.part.text)
    if frame is not None and frame.closing:
        pieces.append(f"\n{frame.closing}")
    return "".join(pieces).rstrip()


def _joined(atoms: Sequence[_Atom]) -> str:
    """The text of atoms in a row without what their pieces repeat."""
    return "".join((atoms[0].part.text, *(f"{atom.part.joint}{atom.part.text}" for atom in atoms[1:]))).rstrip()
