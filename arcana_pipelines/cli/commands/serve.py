"""`arcana serve`: searches and documents over HTTP."""

from __future__ import annotations

from typing import Any

import click

from arcana_pipelines import plugins
from arcana_pipelines.cli.database import open_database
from arcana_pipelines.cli.database_changes import upgrade
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.workspaces.workspaces import Workspace


@click.command(name="serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True)
@click.option("--metrics-port", type=click.IntRange(0, 65535), help="Tell Prometheus what it counts, at this port.")
@click.option(
    "--metrics-host",
    default="127.0.0.1",
    show_default=True,
    help="The address of that port. No key opens it: mind who can reach it.",
)
@click.option("--name", "names", multiple=True, help="A name by which assistants reach it. May be repeated.")
def command(host: str, port: int, metrics_port: int | None, metrics_host: str, names: tuple[str, ...]) -> None:
    """Serve searches and documents over HTTP, for programs that have a key.

    Programs ask below /v1, assistants at /mcp, people have a page at /.

    `arcana key create` makes a key. Where DATABASE_URL is set, SERVE_DATABASE_URL is the address of a user who may
    serve companies and nothing else; without it DATABASE_URL is, and nothing can be changed through the server. TLS is
    the business of a proxy in front of it. docs/serving.md tells how.
    """
    with plugins.optional("`arcana serve`", "serve"):
        import fastapi  # noqa: F401
    from arcana_pipelines.db.engine import Database
    from arcana_pipelines.db.schema import require_current
    from arcana_pipelines.db.server import refuse_unbound
    from arcana_pipelines.web.administration import Administration
    from arcana_pipelines.web.api import make_api
    from arcana_pipelines.web.receiver import listen
    from arcana_pipelines.web.server import serve

    opened = open_database()
    if opened.settings.database_url is None:
        upgrade(opened)  # who serves at DATABASE_URL may not
    salt = opened.settings.require("API_KEY_SALT").get_secret_value()
    opened.settings.require("SECRET_KEY")  # not only when the first list goes on
    database = Database(opened.settings, serves=True)
    require_current(database)
    with database.connection() as connection:
        refuse_unbound(connection)
    try:
        sock = listen(host, port)
    except OSError as error:
        raise WrongUse(
            f"{host}:{port} cannot be listened at ({error.strerror or error}): choose --host or --port."
        ) from error
    administration = None
    if opened.settings.database_url is None or opened.settings.serve_database_url is not None:
        administration = Administration(opened, salt, _register, _remove)
    elif opened.settings.dagster_ui_url is not None:
        click.echo(
            "Dagster's UI is not served: DAGSTER_UI_URL needs SERVE_DATABASE_URL beside the application's DATABASE_URL "
            "(docs/serving.md).",
            err=True,
        )
    app = make_api(database, salt, names, administration)
    if metrics_port is not None:
        told_at = app.state.metrics.listen(metrics_host, metrics_port)
        click.echo(f"Metrics at http://{metrics_host}:{told_at}/metrics", err=True)
    ui = "; Dagster's UI: /dagster/" if app.state.has_sockets else ""
    click.echo(
        f"Serving at http://{host}:{sock.getsockname()[1]}/v1 (OpenAPI: /openapi.json; a page for people: /{ui})",
        err=True,
    )
    try:
        serve(app, sock)
    finally:
        database.close()
        opened.close()


def _register(*wanted: Any, **options: Any) -> Workspace:
    from arcana_pipelines.defs.registration import register  # brings Dagster, which most servers never need

    return register(*wanted, **options)


def _remove(*wanted: Any) -> None:
    from arcana_pipelines.defs.registration import remove

    remove(*wanted)
