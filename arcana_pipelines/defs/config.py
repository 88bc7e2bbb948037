"""What can be set for one run, as the Launchpad shows it.

No postponed annotations here: Dagster reads the types at run time.
"""

from enum import Enum
from typing import Any, Literal

import dagster as dg
from pydantic import Field

from arcana_pipelines.defs.names import READING
from arcana_pipelines.files.kinds import FileKind
from arcana_pipelines.indexes import lifecycle
from arcana_pipelines.indexes.builds import DEFAULT_INDEX, IndexSettings
from arcana_pipelines.pipeline.purpose import Purpose
from arcana_pipelines.pipeline.sync import SyncRequest
from arcana_pipelines.sources.protocol import Mode

KINDS = f"^({'|'.join(kind.value for kind in FileKind)})$"


class SyncConfig(dg.Config):
    """How one sync lists the source."""

    mode: Literal["incremental", "full", "audit"] = Field(
        "incremental",
        description="incremental: what changed; full: list everything; audit: list everything, follow links, and prove "
        "what is gone.",
    )
    allow_removals: int = Field(
        0, ge=0, description="How many pages this run may remove although they exceed the cap on mass removal."
    )
    read_minutes: int = Field(
        30,
        ge=0,
        description="How long pages are read. What is left is read by the next run, which the sensor asks for: so many "
        "workspaces share the runs. 0: as long as it takes.",
    )
    page: str | None = Field(
        None,
        min_length=1,
        description="In the jobs `retry_pages` and `retry_tickets` only: the id of the one page or ticket to read "
        "again, whatever its state. Left out: all that wait in quarantine.",
    )

    def request(self, purpose: Purpose) -> SyncRequest:
        """What is asked of the pipeline."""
        return SyncRequest(
            Mode(self.mode),
            purpose,
            self.allow_removals,
            self.page,
            60 * self.read_minutes if self.read_minutes else None,
        )


def sync_config(
    mode: Mode, allow_removals: int = 0, page: str | None = None, asset: str = READING[0]
) -> dict[str, object]:
    """Run configuration of a sync whose end somebody waits for (see `SyncConfig`). `asset` reads the workspace."""
    config: dict[str, object] = {"mode": str(mode), "allow_removals": allow_removals, "read_minutes": 0}
    if page is not None:
        config["page"] = page
    return {"ops": {asset: {"config": config}}}


class ParseConfig(dg.Config):
    """Which files are read once more: those of both, where both are given; of neither, those in quarantine."""

    kind: str | None = Field(
        None, pattern=KINDS, description="Files of this kind, as `arcana file list` shows it: `pdf`."
    )
    parser: str | None = Field(
        None, min_length=1, description="Files that this parser has read, as `arcana file show` says it: `hangul`."
    )


class IndexConfig(dg.Config):
    """Which index."""

    index: str = Field(
        DEFAULT_INDEX, min_length=1, description="The name of the index, as `arcana index list` shows it."
    )


class Ann(Enum):
    """Kinds of approximate index. Dagster writes a member by its name, so name and value are one."""

    auto = "auto"
    none = "none"
    hnsw = "hnsw"
    ivfflat = "ivfflat"


class RebuildConfig(IndexConfig):
    """Which index, and what is to be different in the new build. What is left out is as in the serving one."""

    embedding_model: str | None = Field(None, min_length=1, description="The model that embeds the new build.")
    dimensions: int | None = Field(None, ge=1, description="The size of its vectors.")
    chunk_tokens: int | None = Field(None, ge=1, description="The target size of a chunk, in tokens.")
    overlap_tokens: int | None = Field(None, ge=0, description="How many tokens two chunks share.")
    ann: Ann | None = Field(None, description="The kind of approximate index; auto: by the number of vectors.")
    promote: bool = Field(False, description="Let the new build serve as soon as it is verified.")

    def changed(self, settings: IndexSettings) -> IndexSettings:
        """The settings of the new build."""
        ann: Any = self.ann.value if self.ann else None
        change = lifecycle.SettingsChange(
            self.embedding_model, self.dimensions, self.chunk_tokens, self.overlap_tokens, ann
        )
        return change.of(settings)
