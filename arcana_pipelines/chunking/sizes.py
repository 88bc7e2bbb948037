"""How long chunks are, and the version of what cuts them: what an index remembers of its chunks."""

from __future__ import annotations

from dataclasses import dataclass

from arcana_pipelines.errors import WrongUse

CHUNKER_VERSION = 3


@dataclass(frozen=True, slots=True)
class ChunkerSettings:
    """Sizes in tokens of the model's vocabulary.

    Attributes:
        target_tokens: what chunks of long texts have on average, about, where the maximum is at least twice that; 16 or
            more.
        max_tokens: what no chunk exceeds, without what it repeats: a table's header, a code block's fences, the
            overlap; at most 8,000.
        overlap_tokens: at most so many of the end of the chunk before are repeated, within one section; 0 to half the
            target.
    """

    target_tokens: int = 256
    max_tokens: int = 512
    overlap_tokens: int = 0

    def __post_init__(self) -> None:
        if not 16 <= self.target_tokens <= self.max_tokens <= 8000:
            raise WrongUse("Chunk sizes must be 16 <= target <= maximum <= 8000 tokens.")
        if not 0 <= self.overlap_tokens <= self.target_tokens // 2:
            raise WrongUse("The overlap of chunks must be 0 to half their target size.")

    @classmethod
    def of_target(cls, target_tokens: int, overlap_tokens: int = 0) -> ChunkerSettings:
        """Settings for chunks of about this many tokens, at most twice as many."""
        return cls(target_tokens, 2 * target_tokens, overlap_tokens)
