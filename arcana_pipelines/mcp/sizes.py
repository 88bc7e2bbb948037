"""How much of an assistant's context a text takes, and texts cut to what they may take.

Tokens are those of `cl100k_base`, which comes with the package; other models' differ by some tenths. Texts are counted
as they stand in JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from arcana_pipelines.chunking.tokens import vocabulary

# A search: of all of it, and of the text of one hit. A document or a part of one: of all of it, and of its text.
SEARCH_TOKENS, HIT_TOKENS = 2500, 200
DOCUMENT_TOKENS, TEXT_TOKENS = 6000, 4600
# No character is more tokens, and few tokens are more characters.
_TOKENS_OF_A_CHARACTER, _CHARACTERS_OF_A_TOKEN = 4, 16


def tokens(text: str) -> int:
    """The tokens of a text."""
    return vocabulary(None).length(text)


def tokens_in_json(text: str) -> int:
    """The tokens of a text as JSON writes it."""
    return tokens(json.dumps(text, ensure_ascii=False))


def cut(text: str, most: int) -> str:
    """The beginning of a text, at most so many tokens of JSON."""
    if len(text) * _TOKENS_OF_A_CHARACTER <= most:
        return text
    begin = text[: most * _CHARACTERS_OF_A_TOKEN]
    if len(begin) == len(text) and tokens_in_json(text) <= most:
        return text
    least, longest = 0, len(begin)
    while least < longest:
        middle = (least + longest + 1) // 2
        least, longest = (middle, longest) if tokens_in_json(begin[:middle] + " …") <= most else (least, middle - 1)
    return begin[:least].rstrip() + " …"


def parts(text: str, most: int) -> list[str]:
    """A text in parts of at most so many tokens of JSON, cut between blocks, between lines where a block is longer,
    and anywhere in a line that is. Joined they are the text."""
    if len(text) * _TOKENS_OF_A_CHARACTER <= most or not text:
        return [text]
    made: list[str] = []
    held: list[str] = []
    size = 0
    for piece in _pieces(text, most):
        more = tokens_in_json(piece)
        if held and size + more > most:
            # A heading belongs to what follows it.
            carried = [held.pop()] if len(held) > 1 and held[-1].startswith("#") else []
            made.append("".join(held))
            held, size = carried, sum(map(tokens_in_json, carried))
        held.append(piece)
        size += more
    return [*made, "".join(held)]


def _pieces(text: str, most: int) -> Iterator[str]:
    for block in _split(text, "\n\n"):
        if tokens_in_json(block) <= most:
            yield block
            continue
        for line in _split(block, "\n"):
            short = most // _TOKENS_OF_A_CHARACTER
            if len(line) <= short or (len(line) <= most and tokens_in_json(line) <= most):
                yield line
            else:
                yield from (line[begin : begin + short] for begin in range(0, len(line), short))


def _split(text: str, joint: str) -> Iterator[str]:
    """The text behind each joint, which stays with what is before it."""
    *ended, last = text.split(joint)
    yield from (piece + joint for piece in ended)
    if last:
        yield last
