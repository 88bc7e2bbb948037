"""`arcana webhooks`: receive Notion's announcements of changes."""

from __future__ import annotations

import click

from arcana_pipelines.cli.database import open_database
from arcana_pipelines.db.schema import upgrade


@click.command(name="webhooks")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option("--port", type=click.IntRange(0, 65535), default=3100, show_default=True)
def command(host: str, port: int) -> None:
    """Receive Notion's webhooks, so that changes are synced within seconds.

    Without this everything is found too, only later. Notion must reach POST /webhooks/notion over https: put a
    proxy in front. docs/operating.md tells how to subscribe.
    """
    import uvicorn

    from arcana_pipelines.serving.webhooks import PATH, make_app

    database = open_database()
    upgrade(database)
    click.echo(f"Listening for Notion's webhooks at http://{host}:{port}{PATH}", err=True)
    uvicorn.run(make_app(database), host=host, port=port, log_level="warning", access_log=False)
