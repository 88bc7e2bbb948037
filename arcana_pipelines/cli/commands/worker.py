"""`arcana worker`: carries out runs of Dagster on this machine, where RUN_LAUNCHER is celery."""

from __future__ import annotations

import click

from arcana_pipelines.cli.database import open_database
from arcana_pipelines.cli.output import say


@click.command(name="worker")
@click.option("--runs", type=click.IntRange(1, 64), default=2, show_default=True, help="How many runs at once.")
@click.option(
    "--queue", "queues", multiple=True, default=["dagster"], show_default=True,
    help="The queue that runs are taken from. May be repeated.",
)  # fmt: skip
@click.option("--name", default="arcana", show_default=True, help="How this worker's name begins, among all.")
@click.pass_context
def command(context: click.Context, runs: int, queues: tuple[str, ...], name: str) -> None:
    """Carry out runs that Dagster's daemon hands to machines, until SIGTERM.

    For RUN_LAUNCHER=celery. This machine needs the same release, settings and tokens as the one with the daemon, an
    ARCANA_HOME of its own, and no other part of Arcana. On SIGTERM and Ctrl-C it takes no more runs and waits for those
    that it has begun; SIGQUIT ends them, and the next sync goes on from there. docs/many-machines.md tells the rest.
    """
    from arcana_pipelines.defs.worker import work

    def tell() -> None:
        say(
            "Ready for {} runs at once, from {} (Ctrl-C: no more are taken, and those that began come to their end)",
            runs,
            ", ".join(queues),
        )

    context.exit(work(open_database(), runs, queues, name, tell))
