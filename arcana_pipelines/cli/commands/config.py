"""`arcana config`: what is configured, what is wrong with it, and the secrets that are missing."""

from __future__ import annotations

import click

from arcana_pipelines.cli.output import console, json_option, print_json, printable, runnable, say
from arcana_pipelines.environment import EnvFile


@click.group(name="config")
def command() -> None:
    """Show and check what is configured, and make the secrets that are missing."""


@command.command()
@click.option("--force", is_flag=True, help="Replace secrets in the file that cannot be used: short ones, examples.")
@json_option
def init(force: bool, as_json: bool) -> None:
    """Make the secrets that are missing: SECRET_KEY, API_KEY_SALT, ENCRYPTION_KEY and JWT_SECRET.

    They are written into .env in ARCANA_HOME, or into ARCANA_ENV_FILE, which nobody else can read then. What is set
    already, wherever, is kept. The secrets themselves are not shown.

    \b
    arcana config init
    ARCANA_ENV_FILE=./.env arcana config init
    """
    from arcana_pipelines.configuration.init import make_missing

    made = make_missing(_files(), replace_unusable=force)
    if as_json:
        print_json({"path": str(made.path), "made": list(made.made), "kept": list(made.kept)})
        return
    if made.made:
        say("Made in {} (mode 600): {}", made.path, ", ".join(made.made))
    if made.kept:
        say("Set already, and kept: {}", ", ".join(made.kept))
    if "ENCRYPTION_KEY" in made.made:
        say("Keep a copy of ENCRYPTION_KEY apart from the backups of the database: what it encrypts needs it.")
    if made.made:
        say("What runs already gets them when it is started again.")


@command.command()
@json_option
def show(as_json: bool) -> None:
    """Show each variable, where it comes from, and its value, without secrets.

    \b
    arcana config show
    arcana config show --json
    """
    from arcana_pipelines.configuration.variables import variables

    found = variables(_files())
    if as_json:
        print_json({"variables": [variable.as_dict() for variable in found]})
        return
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for column in ("variable", "value", "from"):
        table.add_column(column, overflow="fold")
    for variable in found:
        value = f"cannot be used: {variable.problem}" if variable.problem else variable.value or ""
        source = str(variable.path) if variable.path else "" if variable.source == "unset" else variable.source
        table.add_row(
            *(Text(printable(cell)) for cell in (variable.name, value, source)),
            style="red" if variable.problem else None,
        )
    console().print(table)


@command.command()
@json_option
@click.pass_context
def check(context: click.Context, as_json: bool) -> None:
    """Check the variables and the files that they come from; exit 2 when something has to be corrected.

    No server is asked: `arcana doctor` does.

    \b
    arcana config check
    """
    from arcana_pipelines.configuration.check import check as look

    checked = look(_files())
    if as_json:
        print_json({"ok": not checked.problems, "problems": list(checked.problems), "notes": list(checked.notes)})
    else:
        for problem in checked.problems:
            say("[red]FAIL[/] {}", runnable(problem))
        for note in checked.notes:
            say("note {}", runnable(note))
        if not checked.problems:
            say("[green]ok[/]: every variable that is set can be used")
    context.exit(2 if checked.problems else 0)


@command.command(name="rotate-encryption-key")
@json_option
def rotate_encryption_key(as_json: bool) -> None:
    """Make another ENCRYPTION_KEY, and encrypt the tokens in the database anew with it.

    Where the key stands in .env of the installation, a new one is written there, and the old one beside it as
    ENCRYPTION_KEY_PREVIOUS: backups from before need it. Where it is set elsewhere, set both there first. What runs
    needs to be started again afterwards.

    \b
    arcana config rotate-encryption-key
    """
    from arcana_pipelines.cli.database import open_database
    from arcana_pipelines.cli.database_changes import upgrade
    from arcana_pipelines.operations.encryption_key import rotate

    database = open_database()
    upgrade(database)
    rotated = rotate(database, _files())
    if as_json:
        path = None if rotated.path is None else str(rotated.path)
        print_json({"key_id": rotated.key_id, "encrypted_anew": rotated.encrypted_anew, "path": path})
        return
    say("Encrypted anew with the key {}: {} tokens", rotated.key_id, rotated.encrypted_anew)
    if rotated.path is not None:
        say("The new key stands in {}. Keep a copy, and start what runs again.", rotated.path)


def _files() -> list[EnvFile]:
    """The files `.env…` that this process has read."""
    files: list[EnvFile] = click.get_current_context().find_root().obj
    return files
