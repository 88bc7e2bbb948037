"""`arcana export`: what an index serves, as a file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

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


@click.command(name="export", cls=WorkspaceCommand)
@click.argument("slug")
@click.option("--documents", type=_FILE, metavar="FILE", help="Write the documents, with their whole text.")
@click.option("--chunks", type=_FILE, metavar="FILE", help="Write the chunks, with the page that each is of.")
@click.option("--embeddings", type=_FILE, metavar="FILE", help="Write the vectors of the chunks.")
@click.option("--index", default=DEFAULT_INDEX, show_default=True, help="Which of the workspace's indexes.")
@click.option("--force", is_flag=True, help="Overwrite the file if it is there.")
@json_option
def command(
    slug: str, documents: Path | None, chunks: Path | None, embeddings: Path | None, index: str, force: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Write what an index serves into a file: FILE ends in .parquet, .csv or .jsonl.

    All rows are of one moment, whatever a sync does meanwhile. The file is there when it is whole.
    """
    wanted: dict[export.Kind, Path | None] = {"documents": documents, "chunks": chunks, "embeddings": embeddings}
    given = [(kind, file) for kind, file in wanted.items() if file is not None]
    if len(given) != 1:
        raise WrongUse("Say what to write: one of --documents, --chunks and --embeddings.")
    ((kind, file),) = given
    database = open_database()
    require_current(database)
    with database.connection() as connection:
        workspace_id = workspaces.find(connection, slug).workspace_id
        with counted(f"{slug}: writing {kind}", not as_json) as tell:
            written = export.export(connection, workspace_id, kind, file, index, force, tell)
    if as_json:
        print_json({"workspace": slug, "kind": kind, "file": str(file), **asdict(written)})
    else:
        say("Wrote {} {} of '{}' into {} ({} bytes)", f"{written.rows:,}", kind, slug, file, f"{written.bytes:,}")
