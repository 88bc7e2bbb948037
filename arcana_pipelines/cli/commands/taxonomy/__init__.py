"""`arcana taxonomy`: a workspace's tree of topics in its versions, and what its documents are about."""

from __future__ import annotations

import click

from arcana_pipelines.cli.commands.taxonomy import documents, exchange, review, rules, settings, versions


@click.group(name="taxonomy")
def command() -> None:
    """Keep a tree of topics in versions, and say what documents are about.

    An import makes a draft, which promote makes the active version: the one that searches, syncs and keys look at.
    Topics are named by their paths: AI/RAG, with \\/ for a slash in a name.
    """


for _each in (
    exchange.import_, exchange.export, versions.show, versions.diff, versions.status, versions.promote,
    versions.rollback, versions.drop, documents.lookup_, documents.topics, documents.assign_, documents.unassign_,
    review.queue, review.accept, review.reject, rules.rule, settings.set_,
):  # fmt: skip
    command.add_command(_each)
