"""What a parser says of bytes, called without the process around it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from arcana_pipelines.files.kinds import FileKind
from arcana_pipelines.files.parsing.blocks import Block, Said
from arcana_pipelines.files.parsing.protocol import Job, ParserModule, Reason, Unreadable

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "files"


def shared(name: str) -> Path:
    """One of the handed files, or a loud skip."""
    if not SHARED.is_dir():
        pytest.skip(f"shared/data/files is not beside the repository: {name} was NOT read.")
    return SHARED / name


def said_of(
    parser: ParserModule,
    file: bytes | Path,
    kind: FileKind,
    directory: Path,
    *,
    name: str = "",
    pictures: bool = False,
) -> list[Said]:
    """All that a parser says."""
    path = file
    if isinstance(path, bytes):
        (path := directory / "file").write_bytes(file)  # type: ignore[arg-type]
    (written := directory / "written").mkdir(exist_ok=True)
    return list(parser.parse(Job(path, kind, name or path.name, written, pictures)))


def reason_of(
    parser: ParserModule, file: bytes | Path, kind: FileKind, directory: Path, *, pictures: bool = False
) -> Reason:
    """Why a parser does not read a file."""
    with pytest.raises(Unreadable) as refused:
        said_of(parser, file, kind, directory, pictures=pictures)
    return refused.value.reason


def words_of(said: Sequence[Said]) -> str:
    """The text of all blocks, runs of white space made one."""
    blocks = [block for block in said if isinstance(block, Block)]
    texts = [text for block in blocks for text in (block.text, *(cell for row in block.rows for cell in row))]
    return " ".join(" ".join(texts).split())
