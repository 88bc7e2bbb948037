"""`arcana workspace`: register, list, show, change and remove workspaces."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import click

from arcana_pipelines.cli.confirm import confirm
from arcana_pipelines.cli.database import open_database
from arcana_pipelines.cli.database_changes import upgrade
from arcana_pipelines.cli.one_workspace import WorkspaceCommand
from arcana_pipelines.cli.output import json_option, print_json, say
from arcana_pipelines.cli.secret_input import read_token
from arcana_pipelines.credentials.store import STORED, keep
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.documents.relations import OF_PROPERTIES, relate_by_properties, with_properties
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.indexes.targets.registry import kinds
from arcana_pipelines.indexes.targets.targets import POSTGRESQL
from arcana_pipelines.ledger.pages import read_all_again
from arcana_pipelines.settings import load_settings
from arcana_pipelines.sources.registry import (
    Platform,
    all_platforms,
    changed_config,
    check_source,
    our_platforms,
    platform_named,
    reads_more,
    require_platform,
    source_config,
    source_options,
)
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines.workspaces.companies import DEFAULT, name_of

_OPTIONS = [option.name for option in source_options()]
Command = TypeVar("Command", bound=Callable[..., Any])


def _platform(context: click.Context, parameter: click.Parameter, value: str) -> Platform:
    """The platform that `--source` names. Plug-ins are looked at only when it is none of ours."""
    chosen = platform_named(value.replace("-", "_"))
    if chosen is None:
        known = ", ".join(f"'{platform.option}'" for platform in all_platforms())
        raise click.BadParameter(f"{value!r} is not one of {known}.")
    return chosen


def _takes_source_options(default: bool | None) -> Callable[[Command], Command]:
    """Options for what a workspace may say of its source (`source_options`): they arrive by name, None where not given.

    A switch is off where `default` is False; with None it can be turned off, too.
    """

    def add(command: Command) -> Command:
        for option in reversed(source_options()):
            about = f"{option.about} (source {option.platform})"
            if not option.is_switch:
                command = click.option(f"--{option.option}", metavar="NAME", help=about)(command)
            elif default is None:
                command = click.option(f"--{option.option}/--no-{option.option}", default=None, help=about)(command)
            else:
                command = click.option(f"--{option.option}", is_flag=True, help=about)(command)
        return command

    return add


_relation_properties = click.option(
    "--relation-property", "relation_properties", multiple=True, metavar="PROPERTY=TYPE",
    help="What the pages that a property of rows points to are of the row: 번역=translation, and 번역= for nothing any "
    "more. TYPE is one of summary, translation, derived, duplicate, reference. May be repeated.",
)  # fmt: skip


@click.group(name="workspace")
def command() -> None:
    """Register, list, show, change and remove workspaces."""


@command.command()
@click.argument("slug")
@click.option(
    "--source",
    required=True,
    metavar=f"[{'|'.join(platform.option for platform in our_platforms())}]",
    callback=_platform,
    help="Where the pages are.",
)
@click.option(
    "--token-env",
    metavar="NAME",
    help="Variable that holds the token (default NOTION_TOKEN, FRESHDESK_API_KEY). A file .env sets one of another "
    "name only where that holds TOKEN: ACME_TOKEN.",
)
@click.option("--token-stdin", is_flag=True, help="Read the token from standard input and keep it, encrypted.")
@click.option("--path", type=click.Path(path_type=Path), help="Folder or zip of a Markdown & CSV export.")
@_takes_source_options(default=False)
@_relation_properties
@click.option("--name", help="A name for people (default: the slug).")
@click.option("--company", default=DEFAULT, show_default=True, help="Whose it is, by name; made where there is none.")
@click.option(
    "--index-type", type=click.Choice((POSTGRESQL, *kinds())), default=POSTGRESQL, show_default=True,
    help="Which store answers searches by meaning. PostgreSQL keeps everything either way.",
)  # fmt: skip
@click.option("--index-location", metavar="PLACE", help="Where that store is: a path, or an address without secrets.")
@json_option
def add(
    slug: str,
    source: Platform,
    token_env: str | None,
    token_stdin: bool,
    path: Path | None,
    relation_properties: tuple[str, ...],
    name: str | None,
    company: str,
    index_type: str,
    index_location: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Register a workspace: its row, directory, default index and partition, all or nothing.

    \b
    arcana workspace add acme --source notion
    arcana workspace add acme --source notion --index-type sqlite
    arcana workspace add acme --source notion --token-stdin < token.txt
    arcana workspace add acme-support --source freshdesk --domain acme --private-notes
    """
    workspaces.check_slug(slug)
    if index_location is not None and index_type == POSTGRESQL:
        raise WrongUse(
            "--index-location belongs to another --index-type than pgvector: that is where DATABASE_URL says."
        )
    database = open_database(may_create=True)
    config, credential = _source_options(slug, source, token_env, path, options, token_stdin)
    config = with_properties(config, relation_properties)
    token = None
    if token_stdin:
        database.settings.require("ENCRYPTION_KEY")
        token = read_token(source.title)
    upgrade(database)
    from arcana_pipelines.defs.registration import register

    workspace = register(
        database,
        slug,
        source.name,
        config,
        credential,
        name,
        company,
        token,
        index_type=index_type,
        index_location=index_location,
    )
    if as_json:
        print_json(
            {
                "workspace": slug,
                "company": company,
                "platform": workspace.platform,
                "storage_path": str(workspaces.storage_path(database.settings, slug)),
                "index_type": index_type,
            }
        )
    else:
        say("Workspace '{}' is registered. Next: arcana sync {}", slug, slug)


@command.command(name="list")
@json_option
def list_(as_json: bool) -> None:
    """List the workspaces."""
    database = open_database()
    upgrade(database)
    with database.connection() as connection:
        rows = workspaces.list_all(connection)
        described = [_described(connection, row) for row in rows]
    if as_json:
        print_json({"workspaces": described})
        return
    if not rows:
        say("No workspaces yet. `arcana workspace add` registers one.")
    for row in rows:
        click.echo(f"{row.slug}\t{row.platform}\t{row.status}\tgeneration {row.generation}")


@command.command(cls=WorkspaceCommand)
@click.argument("slug")
@json_option
def show(slug: str, as_json: bool) -> None:
    """Show one workspace."""
    database = open_database()
    upgrade(database)
    with database.connection() as connection:
        described = _described(connection, workspaces.find(connection, slug))
    if as_json:
        print_json(described)
    else:
        for key, value in described.items():
            say("[bold]{}[/bold]: {}", key, value)


@command.command(cls=WorkspaceCommand)
@click.argument("slug")
@click.argument("usd", required=False)
@json_option
def budget(slug: str, usd: str | None, as_json: bool) -> None:
    """Show what a workspace's embeddings cost this month, or set its monthly limit: USD dollars, or `default`.

    `default` is EMBEDDING_MONTHLY_BUDGET_USD for every workspace.
    """
    from arcana_pipelines.embedding.budget import spending

    database = open_database()
    upgrade(database)
    with database.connection() as connection:
        workspace = workspaces.find(connection, slug)
        if usd is not None:
            workspaces.set_embedding_budget(connection, workspace.workspace_id, usd)
        state = spending(connection, workspace.workspace_id)
    limit = database.settings.embedding_monthly_budget_usd if state.embedding_budget is None else state.embedding_budget
    spent = float(state.spent + state.reserved)
    if as_json:
        print_json(
            {"workspace": slug, "month": state.month, "spent_usd": spent,
             "limit_usd": None if limit is None else float(limit)}
        )  # fmt: skip
    else:
        said = "without a limit" if limit is None else f"of {limit} USD"
        click.echo(f"{slug} spent {spent:.4f} USD {said} in {state.month} (UTC).")


@command.command(name="set", cls=WorkspaceCommand)
@click.argument("slug")
@click.option("--name", help="Another name for people.")
@click.option("--token-env", metavar="NAME", help="Another variable that holds the token; see `add`.")
@click.option("--token-stdin", is_flag=True, help="Read the token from standard input and keep it, encrypted.")
@click.option("--path", type=click.Path(path_type=Path), help="Where the export lies now (source notion-export).")
@_takes_source_options(default=None)
@_relation_properties
@json_option
def set_(
    slug: str, name: str | None, token_env: str | None, token_stdin: bool, path: Path | None,
    relation_properties: tuple[str, ...], as_json: bool, **options: Any,
) -> None:  # fmt: skip
    """Change a workspace's name, its token, or what is read and how it is understood. The next sync follows.

    What was indexed stays: a page of the new place is the page of the old one when its id is. A token of another
    Notion workspace is refused by the next sync.
    """
    given = {key: value for key, value in options.items() if value is not None}
    if (
        name is None
        and token_env is None
        and path is None
        and not token_stdin
        and not relation_properties
        and not given
    ):
        raise WrongUse(
            "Nothing to change: give --name, --token-env, --token-stdin, --path, --relation-property or an option of "
            "its source."
        )
    database = open_database()
    upgrade(database)
    with database.connection() as connection:
        workspace = workspaces.find(connection, slug)
        token = None
        source = require_platform(workspace.platform, slug)
        held = workspace.source_config
        config, credential = held, workspace.credential_ref
        if token_env is not None or path is not None or token_stdin:
            config, credential = _source_options(slug, source, token_env, path, {}, stored=token_stdin)
            if token_stdin:
                database.settings.require("ENCRYPTION_KEY")
                token = read_token(source.title)
            config = {**held, **config}
        if given:
            config = changed_config(source, config, given)
            source.check(config)
        config = with_properties(config, relation_properties)
        with connection.transaction():
            workspaces.change(connection, workspace, name or workspace.name, config, credential)
            if reads_more(source, held, config):
                read_all_again(connection, workspace.workspace_id)
            if relation_properties:
                relate_by_properties(connection, workspace.workspace_id)
            if token is not None:
                keep(connection, database.settings, workspace.workspace_id, token)
        described = _described(connection, workspaces.find(connection, slug))
    if as_json:
        print_json(described)
    else:
        say("Workspace '{}' is changed. Next: arcana sync {}", slug, slug)


@command.command(cls=WorkspaceCommand)
@click.argument("slug")
@json_option
def pause(slug: str, as_json: bool) -> None:
    """Let no sensor and no schedule sync a workspace. It stays searchable, and `arcana sync` still works."""
    _set_status(slug, "paused", as_json)


@command.command(cls=WorkspaceCommand)
@click.argument("slug")
@json_option
def resume(slug: str, as_json: bool) -> None:
    """Let sensors and schedules sync a paused workspace again."""
    _set_status(slug, "active", as_json)


def _set_status(slug: str, status: Literal["active", "paused"], as_json: bool) -> None:
    database = open_database()
    upgrade(database)
    with database.connection() as connection:
        workspaces.set_status(connection, workspaces.find(connection, slug).workspace_id, status)
    if as_json:
        print_json({"workspace": slug, "status": status})
    else:
        click.echo(f"Workspace '{slug}' is {status}.")


@command.command()
@click.argument("slug")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def remove(slug: str, yes: bool, as_json: bool) -> None:
    """Remove a workspace: its partition, documents, indexes and directory. The slug is not given again.

    It cannot be undone: you are asked first. With --json, and where no one can be asked, it needs --yes.
    """
    from arcana_pipelines.defs import registration

    database = open_database()
    upgrade(database)
    with database.connection() as connection:
        workspaces.require_known(connection, slug)
    confirm(f"Remove workspace '{slug}' with everything that was indexed for it?", yes, as_json)
    registration.remove(database, slug)
    if as_json:
        print_json({"workspace": slug, "removed": True})
    else:
        click.echo(f"Workspace '{slug}' is removed.")


def _source_options(
    slug: str,
    source: Platform,
    token_env: str | None,
    path: Path | None,
    options: Mapping[str, Any],
    stored: bool = False,
) -> tuple[dict[str, Any], str | None]:
    if path is not None and source.path_is is None:
        raise WrongUse(f"--path belongs to a source that reads files; --source {source.option} reads none.")
    if token_env is not None and source.token_variable is None:
        raise WrongUse(f"--token-env belongs to a source with a token; --source {source.option} needs none.")
    if stored and (token_env is not None or source.token_variable is None):
        raise WrongUse("--token-stdin is for a source with a token, and goes without --token-env.")
    if token_env is not None and "=" in token_env:
        raise WrongUse("--token-env takes the name of a variable, which holds no =.")
    if path is None and source.path_is is not None:
        raise WrongUse(f"--source {source.option} needs --path: {source.path_is}.")
    config = source_config(source, options)
    if path is not None:
        config["path"] = str(path.expanduser().absolute())
    variable = STORED if stored else token_env or source.token_variable
    check_source(source.name, config, variable, slug)
    return config, variable


def _described(connection: Connection, row: workspaces.Workspace) -> dict[str, Any]:
    return {
        "workspace": row.slug,
        "company": name_of(connection, row.company_id),
        "name": row.name,
        "platform": row.platform,
        "status": row.status,
        "generation": row.generation,
        "source": row.source_config.get("path")
        or ("token in the database, encrypted" if row.credential_ref == STORED else f"token in {row.credential_ref}"),
        **{
            option.name: row.source_config[option.name]
            for option in source_options()
            if option.name in row.source_config
        },
        "storage_path": str(workspaces.storage_path(load_settings(), row.slug)),
        **({OF_PROPERTIES: held} if (held := row.source_config.get(OF_PROPERTIES)) else {}),
    }
