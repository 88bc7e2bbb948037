"""The one resource: the database, and the workspace that a run works on."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from functools import partial

import dagster as dg
from pydantic import PrivateAttr

from arcana_pipelines.db.engine import Database
from arcana_pipelines.db.schema import require_current
from arcana_pipelines.defs.jobs import OF_NO_WORKSPACE, PURPOSES, READERS
from arcana_pipelines.defs.purposes import readers_in, reads_source
from arcana_pipelines.defs.runs import JOB_TAG, REFUSED_TAG, at_work
from arcana_pipelines.environment import read_anew
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.pipeline.purpose import Purpose
from arcana_pipelines.pipeline.session import Session, workspace_session
from arcana_pipelines.settings import Settings, load_settings
from arcana_pipelines.sources.registry import require_platform
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines.workspaces.lease import Role, shown_alive

Context = dg.AssetExecutionContext | dg.AssetCheckExecutionContext | dg.OpExecutionContext


class ArcanaResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Settings come from the environment (`.env.example`); nothing here is run configuration.

    The in-process executor makes one of these a run, an executor that gives each step a process of its own one a step.
    A workspace is leased to a run from its first step to its last either way (see `workspaces.lease`).
    """

    _stack: ExitStack = PrivateAttr(default_factory=ExitStack)
    _settings: Settings | None = PrivateAttr(default=None)
    _context: dg.InitResourceContext | None = PrivateAttr(default=None)
    _database: Database | None = PrivateAttr(default=None)
    _sessions: dict[str, Session] = PrivateAttr(default_factory=dict)

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Generator[ArcanaResource, None, None]:
        """Close what the run opened when it ends."""
        self._context = context
        with self._stack:
            try:
                yield self
            finally:
                self._sessions.clear()

    @property
    def database(self) -> Database:
        """The database that the settings name."""
        if self._database is None:
            read_anew()
            self._database = Database(load_settings())
            self._stack.callback(self._database.close)
            self._show_alive(self._database)
        return self._database

    def _show_alive(self, database: Database) -> None:
        """A run of no workspace shows that it is alive; one of a workspace does so by its lease."""
        context = self._context
        if context is None or context.run is None or context.instance is None:
            return
        if context.run.tags.get(JOB_TAG) in OF_NO_WORKSPACE:
            self._stack.enter_context(shown_alive(database, context.run.run_id))
            self._stack.enter_context(at_work(context.instance, context.run, None))

    def reader(self, context: Context) -> str:
        """The asset that reads the workspace of this run's partition. Nothing is locked.

        Raises:
            UnknownWorkspace: there is no such workspace.
            WrongUse: the schema is of another release, the platform is not installed, or the run has the asset of
                other workspaces and not its own.
        """
        slug = context.partition_key
        require_current(self.database)
        with self.database.connection() as connection:
            platform = workspaces.find(connection, slug).platform
        reader, there = require_platform(platform, slug).asset, readers_in(context.job_def)
        if reader not in there:
            purpose = PURPOSES.get(context.job_def.name)
            job = READERS[reader].get(purpose or "", READERS[reader][Purpose.SYNC])
            context.instance.add_run_tags(context.run.run_id, {REFUSED_TAG: reader})
            raise WrongUse(
                f"Workspace '{slug}' is read by the asset {reader}, and not by {', '.join(sorted(there))}: run the job "
                f"{job} for it. Nothing was read or changed."
            )
        return reader

    def session(self, context: Context) -> Session:
        """The workspace of this run's partition, locked until the run (or the step's process) ends.

        Raises:
            UnknownWorkspace: there is no such workspace.
            WrongUse: the schema is of another release; see `reader`, where the run reads a source.
        """
        slug = context.partition_key
        # One that was let go reads alone.
        if slug not in self._sessions or self._sessions[slug].lease.is_over:
            if reads_source(context.job_def):
                self.reader(context)
            else:
                require_current(self.database)
            session = self._stack.enter_context(
                workspace_session(
                    self.database,
                    slug,
                    run=context.run.run_id,
                    role=Role.READ if reads_source(context.job_def) else Role.INDEX,
                    rests=has_other_processes(context),
                    is_over=partial(_is_over, context.instance),
                )
            )
            self._stack.enter_context(at_work(context.instance, context.run, session.workspace))
            self._sessions[slug] = session
        return self._sessions[slug]


def has_other_processes(context: Context) -> bool:
    """Whether steps of the run are carried out elsewhere: in processes before, beside or after this one."""
    operation = context if isinstance(context, dg.OpExecutionContext) else context.op_execution_context
    here = operation.get_step_execution_context().execution_plan.step_keys_to_execute
    return len(here) < len(context.run.step_keys_to_execute or context.job_def.nodes)


def _is_over(instance: dg.DagsterInstance, run_id: str) -> bool:
    run = instance.get_run_by_id(run_id)
    return run is not None and run.is_finished
