"""The component: workspaces, their sources and indexes, and the schedules, as YAML declares them.

No postponed annotations here: Dagster reads the types at run time.
"""

from pathlib import Path
from typing import Annotated, Literal, cast

import dagster as dg
from pydantic import ConfigDict, Field, field_validator, model_validator

from arcana_pipelines.chunking.chunker import ChunkerSettings
from arcana_pipelines.components.scaffolder import WorkspacesScaffolder
from arcana_pipelines.defs.build import build_defs
from arcana_pipelines.defs.declarations import declaration_sensor
from arcana_pipelines.defs.schedules import schedules, time_problems
from arcana_pipelines.defs.sensors import SENSORS
from arcana_pipelines.errors import ArcanaError
from arcana_pipelines.indexes.builds import IndexSettings
from arcana_pipelines.indexes.lifecycle import SettingsChange
from arcana_pipelines.pipeline.declared import DeclaredWorkspace
from arcana_pipelines.settings import ScheduleTimes
from arcana_pipelines.sources.registry import NOTION_TOKEN_VARIABLE
from arcana_pipelines.workspaces.workspaces import SLUG

# A token has lower-case letters, so that one that was put here by mistake is refused.
VARIABLE = r"^[A-Z_][A-Z0-9_]*$"


def _about(description: str) -> dg.Resolver:
    """The description of an attribute that may be left out: Dagster drops that of a field with a default."""
    return cast(dg.Resolver, dg.Resolver.default(description=description))


class _Part(dg.Model, dg.Resolvable):
    """A part of the YAML. Errors do not repeat what was written: it may be a secret at the wrong place."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class NotionSource(_Part):
    """Pages of a Notion workspace, read through Notion's API."""

    type: Literal["notion"] = Field(description="`notion`: read through Notion's API.")
    token_variable: Annotated[
        str,
        _about(
            "The name of the environment variable that holds the integration's token, in capitals. Never the token "
            "itself. Left out: NOTION_TOKEN."
        ),
    ] = Field(NOTION_TOKEN_VARIABLE, pattern=VARIABLE)
    comments: Annotated[bool, _about("Index open comments too: one more request a page.")] = False


class NotionExport(_Part):
    """Pages of Notion's own "Markdown & CSV" export."""

    type: Literal["notion_export"] = Field(description='`notion_export`: a "Markdown & CSV" export of Notion\'s.')
    path: str = Field(
        min_length=1,
        description="The folder or zip of the export. A relative path begins at the folder of this YAML file.",
    )


class IndexAttributes(_Part):
    """How a workspace's index is made. What is left out is as the installation's settings say."""

    embedding_model: Annotated[str | None, _about("The model that embeds the chunks.")] = Field(
        default=None, min_length=1
    )
    dimensions: Annotated[int | None, _about("The size of its vectors, where the model offers several.")] = Field(
        default=None, ge=1, le=16000
    )
    chunk_tokens: Annotated[int | None, _about("The target size of a chunk, in tokens.")] = Field(
        default=None, ge=16, le=4000
    )
    overlap_tokens: Annotated[
        int | None, _about("How many tokens two neighbouring chunks share, at most half of their size.")
    ] = Field(default=None, ge=0)
    ann: Annotated[
        Literal["auto", "none", "hnsw", "ivfflat"] | None,
        _about("The kind of approximate index; auto: by the number of vectors."),
    ] = None

    def declared(self) -> SettingsChange:
        """The same without Dagster."""
        return SettingsChange(self.embedding_model, self.dimensions, self.chunk_tokens, self.overlap_tokens, self.ann)

    @model_validator(mode="after")
    def _go_together(self) -> "IndexAttributes":
        try:
            # Stands for an index of the installation's own settings: they are known in a tick, not when YAML is read.
            self.declared().of(IndexSettings("", 1, ChunkerSettings()))
        except ArcanaError as error:
            raise ValueError(str(error)) from error
        return self


class WorkspaceAttributes(_Part):
    """One workspace: a source, and the index that is made of it."""

    slug: str = Field(
        pattern=f"^(?:{SLUG.pattern})$",
        description="Names the workspace everywhere (partition, commands, searches) and stays for good. One that is "
        "declared under another slug is another workspace.",
    )
    name: Annotated[str | None, _about("A name for people. Left out: the slug.")] = Field(default=None, min_length=1)
    source: NotionSource | NotionExport = Field(description="Where the pages are.")
    index: Annotated[
        IndexAttributes, _about("How its index is made. Changes are told and not made: another build costs money.")
    ] = Field(default_factory=IndexAttributes)

    def declared(self, folder: Path) -> DeclaredWorkspace:
        """The same without Dagster. Relative paths begin at `folder`."""
        source, name, index = self.source, self.name or self.slug, self.index.declared()
        if isinstance(source, NotionExport):
            path = (folder / Path(source.path).expanduser()).resolve()
            return DeclaredWorkspace(self.slug, name, "notion_export", {"path": str(path)}, None, index)
        config = {"comments": True} if source.comments else {}
        return DeclaredWorkspace(self.slug, name, "notion", config, source.token_variable, index)


class SchedulesAttributes(_Part):
    """When things happen by the clock. What is left out is as the installation's `SCHEDULE_…` variables say."""

    audit: Annotated[
        str | None,
        _about("When everything is listed and compared (`audit_sweep`), as a cron expression of five fields."),
    ] = None
    quality: Annotated[
        str | None, _about("When the golden questions are asked (`quality_sweep`), as a cron expression.")
    ] = None
    check_installation: Annotated[
        str | None,
        _about("When the schema and the freshness of all workspaces are checked (`installation_sweep`), likewise."),
    ] = None
    maintenance: Annotated[
        str | None, _about("When Dagster's records of old runs are deleted (`maintenance_sweep`), likewise.")
    ] = None
    time_zone: Annotated[str | None, _about("The time zone of these times, for example Asia/Seoul.")] = None

    def times(self) -> ScheduleTimes:
        """These times, and those of the environment for what is left out."""
        return ScheduleTimes().model_copy(update={f"schedule_{key}": value for key, value in self._given().items()})

    def _given(self) -> dict[str, str]:
        return {key: value for key, value in self.model_dump().items() if value is not None}

    @model_validator(mode="after")
    def _are_times(self) -> "SchedulesAttributes":
        if wrong := time_problems(self._given()):
            raise ValueError("; ".join(f"{key} {problem}" for key, problem in wrong.items()))
        return self


@dg.scaffold_with(WorkspacesScaffolder)
class ArcanaWorkspaces(dg.Component, dg.Model, dg.Resolvable):
    """Notion workspaces as complete, versioned search indexes in PostgreSQL.

    Brings the assets, jobs, checks, sensors and schedules of Arcana, and registers the workspaces that are declared
    here. Where the database is and what the tokens are comes from the environment; one component of this kind goes
    into one project.
    """

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    workspaces: list[WorkspaceAttributes] = Field(
        description="The workspaces of this project. One that is taken out of the list is told and kept."
    )
    schedules: Annotated[SchedulesAttributes, _about("When things happen by the clock.")] = Field(
        default_factory=SchedulesAttributes
    )
    key_prefix: Annotated[
        str | list[str] | None,
        _about(
            "Stands before the key of each asset. The command line needs the same in ARCANA_KEY_PREFIX, parts "
            "separated by slashes."
        ),
    ] = None

    @field_validator("workspaces")
    @classmethod
    def _each_once(cls, workspaces: list[WorkspaceAttributes]) -> list[WorkspaceAttributes]:
        slugs = [workspace.slug for workspace in workspaces]
        twice = sorted({slug for slug in slugs if slugs.count(slug) > 1})
        if twice:
            raise ValueError(f"declared more than once: {', '.join(twice)}")
        return workspaces

    @classmethod
    def get_spec(cls) -> dg.ComponentTypeSpec:
        """What `dg list components` and `dg docs` say of it."""
        return dg.ComponentTypeSpec(
            description="Notion workspaces as complete, versioned search indexes in PostgreSQL.",
            tags=["notion", "postgres", "pgvector", "rag"],
        )

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Everything that Arcana defines, and the sensor that meets the declarations. Touches nothing."""
        project = context.defs_module_name.partition(".")[0]
        declared = [workspace.declared(context.path) for workspace in self.workspaces]
        return build_defs(
            key_prefix=self.key_prefix,
            schedules=schedules(self.schedules.times()),
            sensors=[declaration_sensor(project, declared), *SENSORS],
        )
