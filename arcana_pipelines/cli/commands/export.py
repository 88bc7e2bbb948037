"""`arcana export`: what an index serves, as a file."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path

import click

from arcana_pipelines import plugins
from arcana_pipelines.cli.database import open_database
from arcana_pipelines.cli.one_workspace import WorkspaceCommand
from arcana_pipelines.cli.output import json_option, print_json, say
from arcana_pipelines.cli.progress import counted
from arcana_pipelines.db.schema import require_current
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.indexes.builds import DEFAULT_INDEX
from arcana_pipelines.operations import export
from arcana_pipelines.workspaces import workspaces

_FILE = click.Path(path_type=Path)
_ONE = "Say what to write: one of --documents, --chunks, --embeddings and --sqlite."


@click.command(name="export", cls=WorkspaceCommand)
@click.argument("slug")
@click.option("--documents", type=_FILE, metavar="FILE", help="Write the documents, with their whole text.")
@click.option("--chunks", type=_FILE, metavar="FILE", help="Write the chunks, with the page that each is of.")
@click.option("--embeddings", type=_FILE, metavar="FILE", help="Write the vectors of the chunks.")
@click.option(
    "--sqlite",
    type=_FILE,
    metavar="FILE",
    help="Write the index itself, to be searched without PostgreSQL; in a file of before, change what differs.",
)
@click.option("--index", default=DEFAULT_INDEX, show_default=True, help="Which of the workspace's indexes.")
@click.option(
    "--internal-notes", is_flag=True,
    help="With private notes of tickets and their files. Without it the file has none: it may be given to others.",
)  # fmt: skip
@click.option(
    "--encrypt-to", "recipients", multiple=True, metavar="KEY",
    help="Encrypt it (age) for who has the private key of this public one: age1…, or ssh-ed25519 …. FILE ends in .age; "
    "may be given several times.",
)  # fmt: skip
@click.option("--force", is_flag=True, help="Overwrite the file if it is there.")
@json_option
def command(
    slug: str, documents: Path | None, chunks: Path | None, embeddings: Path | None, sqlite: Path | None, index: str,
    internal_notes: bool, recipients: tuple[str, ...], force: bool, as_json: bool,
) -> None:  # fmt: skip
    """Write what an index serves into a file: FILE ends in .parquet, .csv or .jsonl.

    All rows are of one moment, whatever a sync does meanwhile. The file is there when it is whole. With --sqlite it may
    be called as you like, and is there already when it is renewed; one that is encrypted is written anew.
    """
    if sqlite is not None:
        if documents or chunks or embeddings:
            raise WrongUse(_ONE)
        _export_index(slug, sqlite, index, force, as_json, internal_notes, recipients)
        return
    wanted: dict[export.Kind, Path | None] = {"documents": documents, "chunks": chunks, "embeddings": embeddings}
    given = [(kind, file) for kind, file in wanted.items() if file is not None]
    if len(given) != 1:
        raise WrongUse(_ONE)
    ((kind, file),) = given
    database = open_database()
    require_current(database)
    with database.connection() as connection:
        workspace_id = workspaces.find(connection, slug).workspace_id
        with counted(f"{slug}: writing {kind}", not as_json) as tell, _place(file, recipients, force) as place:
            written = export.export(connection, workspace_id, kind, place, index, force, tell, internal_notes)
    if as_json:
        print_json({"workspace": slug, "kind": kind, "file": str(file), **asdict(written)})
    else:
        say("Wrote {} {} of '{}' into {} ({} bytes)", f"{written.rows:,}", kind, slug, file, f"{written.bytes:,}")


def _place(file: Path, recipients: tuple[str, ...], force: bool) -> AbstractContextManager[Path]:
    """Where to write what is then in the file."""
    if not recipients:
        return nullcontext(file)
    with plugins.optional("An encrypted file", "age"):
        from arcana_pipelines.operations.export_encrypted import encrypted
    return encrypted(file, recipients, force)


def _export_index(
    slug: str, file: Path, index: str, force: bool, as_json: bool, internal_notes: bool, recipients: tuple[str, ...]
) -> None:
    with plugins.optional("An index in a file", "sqlite"):
        from arcana_pipelines.operations.export_index import export_index
    database = open_database()
    require_current(database)
    started = time.monotonic()
    with database.connection() as connection:
        workspace_id = workspaces.find(connection, slug).workspace_id
        with counted(f"{slug}: writing the index", not as_json) as tell, _place(file, recipients, force) as place:
            written = export_index(connection, workspace_id, slug, place, index, force, tell, internal_notes)
    seconds = time.monotonic() - started
    if as_json:
        print_json({"workspace": slug, "kind": "sqlite", "file": str(file), **asdict(written), "seconds": seconds})
        return
    say(
        "Wrote {} chunks and took {} out of {}: {} documents in {} chunks of '{}' ({} MB, {} s)",
        f"{written.put:,}", f"{written.taken:,}", file, f"{written.documents:,}", f"{written.chunks:,}", slug,
        f"{written.bytes / 1e6:.1f}", f"{seconds:.1f}",
    )  # fmt: skip
