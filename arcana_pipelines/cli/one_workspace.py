"""The slug may be left out where there is one workspace alone."""

from __future__ import annotations

import click

from arcana_pipelines.cli.database import open_database
from arcana_pipelines.db.schema import require_current
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.pipeline import workspaces


class WorkspaceCommand(click.Command):
    """A command whose first argument is a workspace's slug.

    With fewer arguments than it takes, the first one given is the slug if a workspace has it; otherwise the slug was
    left out, and the only workspace is meant.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """See `click.Command.parse_args`."""
        return super().parse_args(ctx, self._completed(ctx, args))

    def _completed(self, ctx: click.Context, args: list[str]) -> list[str]:
        takes = [parameter for parameter in self.params if isinstance(parameter, click.Argument)]
        # What is wrong with the options is said by the real parsing, which begins where this one ends.
        with ctx.scope(cleanup=False):
            try:
                values, _, order = self.make_parser(ctx).parse_args(list(args))
            except click.UsageError:
                return args
        given = [values[argument.name] for argument in takes if isinstance(values.get(argument.name or ""), str)]
        asks_for_help = any(parameter.is_eager for parameter in order)
        if asks_for_help or len(given) == len(takes):
            return args
        slug = _only_slug(ctx, given[0] if given else None)
        return args if slug is None else [slug, *args]


def _only_slug(ctx: click.Context, first: str | None) -> str | None:
    """The slug of the only workspace, unless `first` names one.

    Raises:
        WrongUse: there is not one alone, and nothing else was given that could be a slug.
    """
    with ctx.scope(cleanup=False):
        database = open_database()
    try:
        require_current(database)
        with database.connection() as connection:
            slugs = workspaces.slugs(connection)
    finally:
        database.close()  # click closes nothing where parsing ends in an error
    if first in slugs:
        return None
    if len(slugs) == 1:
        return slugs[0]
    if first is not None:
        return None
    if not slugs:
        raise WrongUse("There is no workspace yet: `arcana workspace add` registers one.")
    raise WrongUse(
        f"Which workspace? There are {len(slugs)}: {', '.join(slugs[:20])}{' …' if len(slugs) > 20 else ''}."
    )
