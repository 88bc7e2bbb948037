"""The component: workspaces, their sources and indexes, and the schedules, as YAML declares them.

No postponed annotations here: Dagster reads the types at run time.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, cast

import dagster as dg
from pydantic import ConfigDict, Field, create_model, field_validator, model_validator

from arcana_pipelines.chunking.sizes import ChunkerSettings
from arcana_pipelines.components.scaffolder import WorkspacesScaffolder
from arcana_pipelines.defs.build import build_defs
from arcana_pipelines.defs.declarations import declaration_sensor
from arcana_pipelines.defs.schedule_times import time_problems
from arcana_pipelines.defs.schedules import schedules
from arcana_pipelines.defs.sensors import SENSORS
from arcana_pipelines.errors import ArcanaError, WrongUse
from arcana_pipelines.indexes.builds import IndexSettings
from arcana_pipelines.indexes.lifecycle import SettingsChange
from arcana_pipelines.pipeline.declared import DeclaredWorkspace
from arcana_pipelines.settings import ScheduleTimes
from arcana_pipelines.sources.registry import Platform, all_platforms, platform_named
from arcana_pipelines.workspaces.workspaces import SLUG

# A token has lower-case letters, so that one that was put here by mistake is refused.
VARIABLE = r"^[A-Z_][A-Z0-9_]*$"


def _about(description: str) -> dg.Resolver:
    """The description of an attribute that may be left out: Dagster drops that of a field with a default."""
    return cast(dg.Resolver, dg.Resolver.default(description=description))


class _Part(dg.Model, dg.Resolvable):
    """A part of the YAML. Errors do not repeat what was written: it may be a secret at the wrong place."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class _Source(_Part):
    """Where a workspace's pages are. Each platform, ours or of a plug-in, has a class of its own that is made of it."""

    type: str

    @property
    def credential_ref(self) -> str | None:
        """The name of the variable with the token, where the platform needs one."""
        return getattr(self, "token_variable", None)

    def config(self, folder: Path) -> dict[str, Any]:
        """What the workspace's row says of its source. Relative paths begin at `folder`."""
        config = self.model_dump(mode="json", exclude={"type", "token_variable"}, exclude_defaults=True)
        if self._platform.path_is is not None:
            config["path"] = str((folder / Path(config["path"]).expanduser()).resolve())
        return config

    @property
    def _platform(self) -> Platform:
        platform = platform_named(self.type)
        assert platform is not None
        return platform

    @model_validator(mode="after")
    def _own_settings_go_together(self) -> "_Source":
        own = self._platform.settings
        if own is not None:
            own.model_validate({name: getattr(self, name) for name in own.model_fields})
        return self


def _attributes_of(platform: Platform) -> type[_Source]:
    """What YAML says of a source of this platform.

    Raises:
        WrongUse: a setting of the platform's own has the name of one that we know.
    """
    told = f"`{platform.name}`: {platform.title}."
    fields: dict[str, Any] = {"type": (Literal[platform.name], Field(description=told))}
    if platform.token_variable is not None:
        about = (
            "The name of the environment variable that holds the token, in capitals. Never the token itself. Left out: "
            f"{platform.token_variable}."
        )
        fields["token_variable"] = (Annotated[str, _about(about)], Field(platform.token_variable, pattern=VARIABLE))
    if platform.path_is is not None:
        about = f"Where it is: {platform.path_is}. A relative path begins at the folder of this YAML file."
        fields["path"] = (str, Field(min_length=1, description=about))
    for name, field in platform.settings.model_fields.items() if platform.settings else ():
        if name in {"type", "token_variable", "path"}:
            raise WrongUse(f"The source '{platform.name}' has a setting '{name}', a name that is Arcana's own.")
        about = field.description or name
        kind = field.annotation if field.is_required() else Annotated[field.annotation, _about(about)]
        fields[name] = (kind, field)
    name = "".join(part.capitalize() for part in platform.name.split("_"))
    made: type[_Source] = create_model(f"{name}Source", __base__=_Source, __module__=__name__, __doc__=told, **fields)
    return made


if TYPE_CHECKING:
    AnySource = _Source
else:
    # What is installed when this module is imported.
    AnySource = Union[tuple(_attributes_of(platform) for platform in all_platforms())]  # noqa: UP007


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
    source: AnySource = Field(description="Where the pages are: a source of ours, or one that a plug-in brings.")
    index: Annotated[
        IndexAttributes, _about("How its index is made. Changes are told and not made: another build costs money.")
    ] = Field(default_factory=IndexAttributes)

    def declared(self, folder: Path) -> DeclaredWorkspace:
        """The same without Dagster. Relative paths begin at `folder`."""
        return DeclaredWorkspace(
            self.slug,
            self.name or self.slug,
            self.source.type,
            self.source.config(folder),
            self.source.credential_ref,
            self.index.declared(),
        )


class SchedulesAttributes(_Part):
    """When things happen by the clock. What is left out is as the installation's `SCHEDULE_…` variables say."""

    audit: Annotated[
        str | None,
        _about(
            "When everything is listed and compared (`audit_sweep` and `ticket_audit_sweep`), as a cron expression of "
            "five fields."
        ),
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
    backup: Annotated[
        str | None, _about("When everything is backed up, where BACKUP_TO is set (`backup_sweep`), likewise.")
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
    """Workspaces of Notion and help desks as complete, versioned search indexes in PostgreSQL.

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
            description="Workspaces of Notion and help desks as complete, versioned search indexes in PostgreSQL.",
            tags=["notion", "tickets", "postgres", "pgvector", "rag"],
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
