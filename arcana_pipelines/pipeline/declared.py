"""Workspaces that a Dagster project declares: made and kept as declared, without touching what is another's."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.embedding.registry import model_of
from arcana_pipelines.errors import ArcanaError
from arcana_pipelines.indexes.builds import DEFAULT_INDEX, IndexSettings
from arcana_pipelines.indexes.lifecycle import SettingsChange, find_builds
from arcana_pipelines.ledger.pages import read_all_again
from arcana_pipelines.pipeline import registration
from arcana_pipelines.sources.registry import check_source, reads_more, require_platform
from arcana_pipelines.workspaces.workspaces import Workspace, change, list_all, set_declared_by


@dataclass(frozen=True, slots=True)
class DeclaredWorkspace:
    """One workspace as a project declares it.

    Attributes:
        name: what people call it.
        platform: the kind of its source, such as `notion`.
        source_config: what the source is opened with, compared with the row's as a whole; no secrets.
        credential_ref: the name of the variable with the token; None: the source's default.
        index: how its index differs from what the settings say for new ones.
    """

    slug: str
    name: str
    platform: str
    source_config: dict[str, Any] = field(default_factory=dict)
    credential_ref: str | None = None
    index: SettingsChange = field(default_factory=SettingsChange)

    def reads_like(self, row: Workspace) -> bool:
        """Whether the row's pages come from the place that is declared."""
        declared = (self.platform, self.source_config, self.credential_ref)
        return declared == (row.platform, row.source_config, row.credential_ref)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one declaration. Both empty: the workspace was as declared.

    Attributes:
        done: what was done, in a sentence.
        left: what a person has to decide, in a sentence or two.
    """

    done: str = ""
    left: str = ""


def meet(
    database: Database,
    project: str,
    declared: DeclaredWorkspace,
    add_partition: Callable[[str], None],
    remove_partition: Callable[[str], None],
) -> Outcome:
    """Register a declared workspace, or change what is not as declared, if the workspace is this project's.

    One that a person registered becomes the project's when it reads the same source. Settings of an index are never
    changed here: that embeds every text again, and costs money.
    """
    try:
        with database.connection() as connection:
            row = next((row for row in list_all(connection) if row.slug == declared.slug), None)
            if row is not None:
                return _compared(connection, project, declared, row)
        check_source(declared.platform, declared.source_config, declared.credential_ref, declared.slug)
        registration.register(
            database,
            declared.slug,
            declared.platform,
            declared.index.of(IndexSettings.of_model(*model_of(database.settings))),
            add_partition,
            remove_partition,
            name=declared.name,
            source_config=declared.source_config,
            credential_ref=declared.credential_ref,
            declared_by=project,
        )
    except ArcanaError as error:
        return Outcome(left=f"'{declared.slug}' is not as declared: {error}")
    return Outcome(done=f"'{declared.slug}' is registered.")


def _compared(connection: Connection, project: str, declared: DeclaredWorkspace, row: Workspace) -> Outcome:
    slug, done = declared.slug, ""
    if row.declared_by not in (None, project):
        return Outcome(left=f"'{slug}' belongs to the project '{row.declared_by}', and is left as that declares it.")
    if row.platform != declared.platform:
        return Outcome(left=f"'{slug}' reads {row.platform}, not {declared.platform}: a source of another kind needs a "
                            "workspace of its own.")  # fmt: skip
    reads_like = declared.reads_like(row)
    if row.declared_by is None:
        if not reads_like:
            return Outcome(left=f"'{slug}' was registered by hand and reads another source than declared. "
                                "`arcana workspace set` changes that, or declare another slug.")  # fmt: skip
        set_declared_by(connection, row.workspace_id, project)
        done = f"'{slug}' is this project's now."
    if not reads_like or row.name != declared.name:
        if not reads_like:
            check_source(declared.platform, declared.source_config, declared.credential_ref, slug)
        change(connection, row, declared.name, declared.source_config, declared.credential_ref)
        if reads_more(require_platform(row.platform, slug), row.source_config, declared.source_config):
            read_all_again(connection, row.workspace_id)
        done = f"'{slug}' is changed."
    return Outcome(done, _index_left(connection, declared, row))


def _index_left(connection: Connection, declared: DeclaredWorkspace, row: Workspace) -> str:
    """What to do where no build that serves, or is about to, has the declared settings."""
    builds = find_builds(connection, row.workspace_id, DEFAULT_INDEX)
    live = [build.settings for build in builds if build.state != "retired"]
    if any(declared.index.of(settings) == settings for settings in live):
        return ""
    return (
        f"The index of '{declared.slug}' has other settings than declared. Another build embeds every text again: "
        f"arcana index rebuild {declared.slug} {_as_options(declared.index)}"
    )


def undeclared(connection: Connection, project: str, declared: Collection[str]) -> list[str]:
    """The slugs of workspaces that this project declared once and does not any more. They are kept as they are."""
    return [row.slug for row in list_all(connection) if row.declared_by == project and row.slug not in declared]


def _as_options(change: SettingsChange) -> str:
    """The change as options of `arcana index rebuild`."""
    said = {
        "--model": change.model,
        "--dimensions": change.dimensions,
        "--chunk-tokens": change.chunk_tokens,
        "--overlap": change.overlap_tokens,
        "--ann": change.ann,
    }
    return " ".join(f"{option} {value}" for option, value in said.items() if value is not None)
