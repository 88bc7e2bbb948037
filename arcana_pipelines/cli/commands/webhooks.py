"""`arcana webhooks`: receive Notion's announcements of changes."""

from __future__ import annotations

import errno

import click

from arcana_pipelines.cli.database import open_database
from arcana_pipelines.cli.database_changes import upgrade
from arcana_pipelines.errors import WrongUse


@click.command(name="webhooks")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option("--port", type=click.IntRange(0, 65535), default=3100, show_default=True)
@click.option("--subscribe", is_flag=True, help="Take one new subscription within the next ten minutes.")
def command(host: str, port: int, subscribe: bool) -> None:
    """Receive Notion's webhooks, so that changes are synced within seconds.

    Without this everything is found too, only later. Notion must reach POST /webhooks/notion over https: put a
    proxy in front. With --subscribe, also beside a receiver that runs already, the next handshake is taken: make the
    subscription in Notion's developer portal then. docs/operating.md tells how.
    """
    from arcana_pipelines.web import handshake
    from arcana_pipelines.web.receiver import listen, serve
    from arcana_pipelines.web.webhooks import PATH, make_app

    database = open_database()
    upgrade(database)
    if subscribe:
        handshake.invite(database.settings)
        minutes = handshake.OPEN_SECONDS / 60
        click.echo(
            f"The next handshake is taken within {minutes:.0f} minutes. Make the subscription in Notion now; its token "
            f"will be in {handshake.key_file(database.settings)}.",
            err=True,
        )
    try:
        sock = listen(host, port)
    except OSError as error:
        if subscribe and error.errno == errno.EADDRINUSE:
            click.echo(f"What listens at {host}:{port} already takes it.", err=True)
            return
        raise WrongUse(
            f"{host}:{port} cannot be listened at ({error.strerror or error}): choose --host or --port."
        ) from error
    if not subscribe and handshake.known_key(database.settings) is None:
        click.echo(
            "No subscription is known yet: everything is refused. `arcana webhooks --subscribe` takes one.", err=True
        )
    click.echo(f"Listening for Notion's webhooks at http://{host}:{sock.getsockname()[1]}{PATH}", err=True)
    serve(make_app(database), sock)
