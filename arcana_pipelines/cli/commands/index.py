"""`arcana index`: several indexes a workspace, each rebuilt without a reader noticing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any, get_args

import click

from arcana_pipelines.cli.confirm import confirm
from arcana_pipelines.cli.database import open_database
from arcana_pipelines.cli.database_changes import upgrade
from arcana_pipelines.cli.one_workspace import WorkspaceCommand
from arcana_pipelines.cli.output import json_option, print_json, runnable, say
from arcana_pipelines.cli.progress import doing
from arcana_pipelines.cli.runs import run_job
from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.db.schema import require_current
from arcana_pipelines.embedding.registry import model_of, probe
from arcana_pipelines.errors import ArcanaError, WrongUse
from arcana_pipelines.evaluation import quality
from arcana_pipelines.indexes import lifecycle
from arcana_pipelines.indexes.builds import DEFAULT_INDEX, Ann, Build, IndexSettings, builds_of
from arcana_pipelines.indexes.lifecycle import SettingsChange
from arcana_pipelines.indexes.targets.pgvector.ann import ANN_FROM
from arcana_pipelines.indexes.targets.targets import POSTGRESQL
from arcana_pipelines.indexes.verification import Verification
from arcana_pipelines.pipeline.session import workspace_session
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines.workspaces.lease import Role
from arcana_pipelines.workspaces.workspaces import Workspace

NOT_VERIFIED = 3


@click.group(name="index")
def command() -> None:
    """Make, rebuild, verify, promote, roll back and drop indexes."""


def _settings_options(function: Callable[..., None]) -> Callable[..., None]:
    """The options that say what is to be other in a build: the command gets them as one argument, `change`."""

    @wraps(function)
    def with_change(
        *args: Any, model: str | None, dimensions: int | None, chunk_tokens: int | None, overlap: int | None,
        ann: Ann | None, **others: Any,
    ) -> None:  # fmt: skip
        function(*args, change=SettingsChange(model, dimensions, chunk_tokens, overlap, ann), **others)

    command: Callable[..., None] = with_change
    for option in (
        click.option("--no-wait", is_flag=True, help="Leave the filling to the running Dagster."),
        click.option(
            "--ann",
            type=click.Choice(get_args(Ann)),
            help=f"How vectors are searched (auto: exactly, and through IVFFlat from {ANN_FROM:,} chunks).",
        ),
        click.option("--overlap", type=click.IntRange(0), metavar="N", help="Tokens of the chunk before, repeated."),
        click.option("--chunk-tokens", type=click.IntRange(16, 4000), metavar="N", help="Size that chunks aim at."),
        click.option("--dimensions", type=click.IntRange(1, 16000), metavar="N", help="Size of the vectors."),
        click.option("--model", metavar="NAME", help="Embedding model."),
    ):
        command = option(command)
    return command


@command.command(cls=WorkspaceCommand)
@click.argument("slug")
@click.argument("name")
@_settings_options
@json_option
def create(slug: str, name: str, change: SettingsChange, no_wait: bool, as_json: bool) -> None:
    """Make another index of a workspace and fill it. It serves when it is whole; what is not given is as in `default`.

    Texts that another index has embedded with the same model are not embedded again.
    """
    database = open_database()
    upgrade(database)
    with database.connection() as connection:
        workspace = workspaces.find(connection, slug)
        default = builds_of(connection, workspace.workspace_id, DEFAULT_INDEX)
        base = default[-1].settings if default else IndexSettings.of_model(*model_of(database.settings))
        settings = change.of(base)
        probe(database.settings, settings.embedding_model, settings.dimensions)
        build = lifecycle.create_index(connection, workspace.workspace_id, name, settings)
    _fill(database, workspace, build, no_wait, as_json)


@command.command(cls=WorkspaceCommand)
@click.argument("slug")
@click.argument("name", default=DEFAULT_INDEX)
@_settings_options
@click.option("--promote", is_flag=True, help="Let the new build serve as soon as it is verified.")
@json_option
def rebuild(slug: str, name: str, change: SettingsChange, promote: bool, no_wait: bool, as_json: bool) -> None:
    """Rebuild an index beside the one that serves, with other settings or with the same, fill it and verify it.

    Searches go on in the old build until `arcana index promote`. Called again after an interruption it goes on.
    """
    database = open_database()
    upgrade(database)

    def changed(settings: IndexSettings) -> IndexSettings:
        changed = change.of(settings)
        probe(database.settings, changed.embedding_model, changed.dimensions)
        return changed

    with database.connection() as connection:
        workspace = workspaces.find(connection, slug)
        build = lifecycle.rebuild_index(connection, workspace.workspace_id, name, changed, promote)
    _fill(database, workspace, build, no_wait, as_json)


@command.command(name="list", cls=WorkspaceCommand)
@click.argument("slug")
@json_option
def list_(slug: str, as_json: bool) -> None:
    """List the indexes of a workspace with their builds."""
    database = open_database()
    require_current(database)
    with database.connection() as connection:
        workspace = workspaces.find(connection, slug)
        by_index: dict[str, list[dict[str, Any]]] = {}
        for build in builds_of(connection, workspace.workspace_id):
            by_index.setdefault(build.index_name, []).append(lifecycle.build_to_dict(connection, build))
    if as_json:
        print_json(
            {"workspace": slug, "indexes": [{"name": name, "builds": by_index[name]} for name in sorted(by_index)]}
        )
        return
    for name in sorted(by_index):
        say("[bold]{}[/bold]", name)
        for build_ in by_index[name]:
            say("  {}", _line(build_))
            for reason in build_["not_serving"]:
                say("    does not serve: {}", reason)


@command.command(cls=WorkspaceCommand)
@click.argument("slug")
@click.argument("name", default=DEFAULT_INDEX)
@json_option
@click.pass_context
def verify(context: click.Context, slug: str, name: str, as_json: bool) -> None:
    """Verify the build that waits for promotion, or else the one that serves; exit 3 when it is not fit to serve."""
    database = open_database()
    require_current(database)
    with database.connection() as connection:
        workspace = workspaces.find(connection, slug)
        with doing(f"{slug}: verifying …", not as_json):
            build, result = lifecycle.verify_index(connection, workspace.workspace_id, name)
        facts = lifecycle.build_to_dict(connection, replace(build, verification=result.as_dict()))
        _print_build(facts, slug, name, as_json)
        if not as_json:
            _print_compared(result, facts["ann"])
    context.exit(0 if result.passed else NOT_VERIFIED)


_also = click.option(
    "--also", multiple=True, metavar="SLUG",
    help="A further workspace, whose index of this name does the same. May be repeated; what one lacks stops no other.",
)  # fmt: skip


@command.command(cls=WorkspaceCommand)
@click.argument("slug")
@click.argument("name", default=DEFAULT_INDEX)
@_also
@json_option
@click.pass_context
def promote(context: click.Context, slug: str, name: str, also: tuple[str, ...], as_json: bool) -> None:
    """Let the build that waits serve: verified first, then switched in one transaction."""

    old: list[int] = []

    def promote_one(connection: Connection, workspace: Workspace) -> dict[str, Any]:
        builds = lifecycle.find_builds(connection, workspace.workspace_id, name)
        waited = any(each.state == "verifying" for each in builds)
        with doing(f"{workspace.slug}: verifying …", not as_json) as tell:

            def gate(build: Build) -> list[str]:
                return quality.gate(
                    connection,
                    database.settings,
                    build,
                    lambda questions: tell(f"{workspace.slug}: asking both builds {questions} golden questions …"),
                )

            build = lifecycle.promote(connection, workspace.workspace_id, name, gate)
        old.extend(lifecycle.builds_to_drop(builds_of(connection, workspace.workspace_id)))
        if not (waited or as_json):
            say("No build of '{}' waits for promotion; the one that serves goes on.", name)
        return {"promoted": waited, **lifecycle.build_to_dict(connection, build)}

    database = open_database()
    code = _each_of(database, [slug, *also], name, as_json, promote_one)
    lifecycle.drop_builds(database, old)
    context.exit(code)


@command.command(cls=WorkspaceCommand)
@click.argument("slug")
@click.argument("name", default=DEFAULT_INDEX)
@_also
@json_option
@click.pass_context
def rollback(context: click.Context, slug: str, name: str, also: tuple[str, ...], as_json: bool) -> None:
    """Let the build serve again that served before, in one transaction.

    Pages that were removed meanwhile stay removed; those that were edited are brought up to date by the next sync.
    """

    def roll_back(connection: Connection, workspace: Workspace) -> dict[str, Any]:
        build = lifecycle.roll_back(connection, workspace.workspace_id, name)
        return lifecycle.build_to_dict(connection, build)

    context.exit(_each_of(open_database(), [slug, *also], name, as_json, roll_back))


def _each_of(
    database: Database, slugs: list[str], name: str, as_json: bool,
    change: Callable[[Connection, Workspace], dict[str, Any]],
) -> int:  # fmt: skip
    """Do this with the index of each workspace, and say what came of it; returns the exit code.

    Of several each is tried.

    Raises:
        UnknownWorkspace: there is no such one; nothing was done with any.
        ArcanaError: of the only one.
    """
    require_current(database)
    told: list[dict[str, Any]] = []
    with database.connection() as connection:
        chosen = [workspaces.find(connection, slug) for slug in dict.fromkeys(slugs)]
        for workspace in chosen:
            try:
                facts = change(connection, workspace)
            except ArcanaError as error:
                if len(chosen) == 1:
                    raise
                told.append({"workspace": workspace.slug, "error": str(error)})
                if not as_json:
                    say("[bold]{} / {}[/bold] stays as it is: {}", workspace.slug, name, runnable(str(error)))
                continue
            told.append({"workspace": workspace.slug, "index": name, **facts})
            if not as_json or len(chosen) == 1:
                _print_build(facts, workspace.slug, name, as_json)
    if as_json and len(chosen) > 1:
        print_json({"index": name, "workspaces": told})
    return 1 if any("error" in each for each in told) else 0


@command.command(cls=WorkspaceCommand)
@click.argument("slug")
@click.argument("name")
@click.option("--build", type=int, metavar="N", help="Only this build, which must not serve.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def drop(slug: str, name: str, build: int | None, yes: bool, as_json: bool) -> None:
    """Drop an index, or one build of it. The embeddings stay in the store.

    It cannot be undone: you are asked first. With --json, and where no one can be asked, it needs --yes.
    """
    database = open_database()
    require_current(database)
    what = f"the index '{name}'" if build is None else f"build {build} of the index '{name}'"
    if name == DEFAULT_INDEX and build is None:
        raise WrongUse("The index 'default' goes with its workspace: arcana workspace remove.")
    with database.connection() as connection:
        lifecycle.find_builds(connection, workspaces.find(connection, slug).workspace_id, name)
    confirm(f"Drop {what} of workspace '{slug}'?", yes, as_json)
    # Under the workspace's lease: a run may be filling what is dropped.
    with workspace_session(database, slug, role=Role.INDEX) as session:
        workspace_id = session.workspace.workspace_id
        if build is not None:
            lifecycle.drop_one_build(database, session.connection, workspace_id, name, build)
        else:
            lifecycle.drop_index(database, session.connection, workspace_id, name)
    if as_json:
        print_json({"workspace": slug, "index": name, "build": build, "dropped": True})
    else:
        click.echo(f"Dropped {what}.")


def _print_compared(result: Verification, ann: str) -> None:
    """What a verification has looked at."""
    say(
        "  {} documents were compared with their latest versions, {} chunks with what these were cut into and their "
        "vectors looked at{}{}: {}",
        result.documents, result.chunks,
        f", {result.recall:.3f} of the nearest neighbours found" if ann != "none" else "",
        f", {result.left_out} documents in quarantine left out" if result.left_out else "",
        "nothing speaks against serving it" if result.passed else "it is not fit to serve",
    )  # fmt: skip


def _fill(database: Database, workspace: Workspace, build: Build, no_wait: bool, as_json: bool) -> None:
    """Run the assets that fill builds, and say how the build is now."""
    if not no_wait and build.state in ("building", "verifying"):
        run_job(database, workspace, "fill_indexes", {}, as_json=as_json)
    with database.connection() as connection:
        builds = lifecycle.find_builds(connection, workspace.workspace_id, build.index_name)
        now = next(each for each in builds if each.rag_index_build_id == build.rag_index_build_id)
        facts = lifecycle.build_to_dict(connection, now)
        old = lifecycle.builds_to_drop(builds)
    lifecycle.drop_builds(database, old)
    _print_build(facts, workspace.slug, build.index_name, as_json)
    problems = (now.verification or {}).get("problems")
    if problems or (now.state == "building" and not no_wait):
        click.get_current_context().exit(NOT_VERIFIED)


def _print_build(facts: dict[str, Any], slug: str, name: str, as_json: bool) -> None:
    if as_json:
        print_json({"workspace": slug, "index": name, **facts})
        return
    say("[bold]{} / {}[/bold] {}", slug, name, _line(facts))
    problems = (facts["verification"] or {}).get("problems", [])
    for problem in problems if facts["state"] not in ("building", "verifying") else []:
        say("  {}", problem)
    if _is_verified(facts):
        say("It is filled and verified, and searches go on in the build that serves. To let it serve:")
        say("  arcana index promote {} {}", slug, name)
        return
    if facts["not_serving"]:
        say("It does not serve:")
    for reason in facts["not_serving"]:
        say("  {}", reason)
    if facts["state"] == "building":
        say("Dagster goes on with it, and so does the same command.")


def _is_verified(facts: dict[str, Any]) -> bool:
    """Whether a build waits for nothing but its promotion."""
    return facts["state"] == "verifying" and bool((facts["verification"] or {}).get("passed"))


def _line(facts: dict[str, Any]) -> str:
    chunker = facts["chunker"]
    outdated = ", cut by an older release" if facts["outdated"] else ""
    state = "verified" if _is_verified(facts) else facts["state"]
    served = f", meaning from {facts['index_type']}" if facts["index_type"] != POSTGRESQL else ""
    return (
        f"build {facts['build']} {state}: {facts['documents']} documents, {facts['chunks']} chunks of about "
        f"{chunker['target_tokens']} tokens, {facts['embedding_model']} ({facts['dimensions']}), "
        f"{'exact' if facts['ann'] == 'none' else facts['ann']} search{served}{outdated}"
    )
