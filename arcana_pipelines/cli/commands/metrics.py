"""`arcana metrics`: what the database says, for Prometheus."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import click

from arcana_pipelines import plugins
from arcana_pipelines.cli.database import open_database
from arcana_pipelines.db.schema import require_current
from arcana_pipelines.errors import WrongUse


@click.command(name="metrics")
@click.option("--listen", "address", metavar="HOST:PORT", help="Answer Prometheus there until Ctrl-C or SIGTERM.")
@click.option(
    "--textfile", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Write them once into this file, whole or not at all: one in the directory of node_exporter's textfile "
    "collector, whose name ends in .prom.",
)  # fmt: skip
def command(address: str | None, textfile: Path | None) -> None:
    """Tell Prometheus what the database says: once, at an address, or in a file.

    `arcana serve --metrics-port` tells the same besides what it counts itself; one of the two is enough. Whoever
    reaches the address reads the names of workspaces: no key opens it. docs/monitoring.md has each figure.
    """
    if address and textfile:
        raise WrongUse("--listen and --textfile are two ways: choose one.")
    host, port = _split(address) if address else ("", 0)
    with plugins.optional("`arcana metrics`", "metrics"):
        from prometheus_client import CollectorRegistry, generate_latest

        from arcana_pipelines.monitoring.exporter import Figures, listen, write_textfile
    database = open_database()
    require_current(database)
    registry = CollectorRegistry()
    registry.register(Figures(database))
    if textfile:
        write_textfile(registry, textfile)
    elif address:
        told_at = listen(registry, host, port, "--listen")
        click.echo(f"Metrics at http://{host}:{told_at}/metrics", err=True)
        ends = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: ends.set())
        ends.wait()
    else:
        click.echo(generate_latest(registry).decode(), nl=False)


def _split(address: str) -> tuple[str, int]:
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise WrongUse(f"'{address}' is no address: --listen 127.0.0.1:9101")
    return host.strip("[]") or "127.0.0.1", int(port)
