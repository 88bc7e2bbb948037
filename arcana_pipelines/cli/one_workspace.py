"""The slug may be left out where there is one workspace alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from arcana_pipelines.cli.database import open_database
from arcana_pipelines.db.schema import require_current
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.workspaces import workspaces

_LEFT_OUT = "arcana.slug_left_out"


class WorkspaceCommand(click.Command):
    """A command whose first argument is a workspace's slug.

    With fewer arguments than it takes, the first one given is the slug if a workspace has it; else the slug was
    left out, and the only workspace is meant.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """See `click.Command.parse_args`."""
        with _both_readings(ctx):
            return super().parse_args(ctx, self._completed(ctx, args))

    def invoke(self, ctx: click.Context) -> Any:
        """See `click.Command.invoke`."""
        with _both_readings(ctx):
            return super().invoke(ctx)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """See `click.Command.collect_usage_pieces`."""
        return ["[SLUG]" if piece == "SLUG" else piece for piece in super().collect_usage_pieces(ctx)]

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
        first = given[0] if given else None
        slug = _only_slug(ctx, first, is_enough=len(given) >= sum(argument.required for argument in takes))
        if slug is None:
            return args
        if first is not None:
            ctx.meta[_LEFT_OUT] = (first, slug)
        return [slug, *args]


@contextmanager
def _both_readings(ctx: click.Context) -> Iterator[None]:
    """Where the slug was taken as left out, a complaint about the argument in its place says so."""
    try:
        yield
    except (WrongUse, click.UsageError) as error:
        first, slug = ctx.meta.get(_LEFT_OUT, (None, None))
        said = error.format_message() if isinstance(error, click.UsageError) else str(error)
        if first is None or f"'{first}'" not in said:
            raise
        raise WrongUse(
            f"{said} (There is no workspace '{first}' either, so '{slug}', the only one, was meant.)"
        ) from error


def _only_slug(ctx: click.Context, first: str | None, is_enough: bool) -> str | None:
    """The slug of the only workspace, unless `first` names one.

    Raises:
        WrongUse: there is not one alone, and what was given is not enough (`is_enough`) to hold a slug.
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
    if first is not None and is_enough:
        return None
    if not slugs:
        raise WrongUse("There is no workspace yet: `arcana workspace add` registers one.")
    raise WrongUse(
        f"Which workspace? There are {len(slugs)}: {', '.join(slugs[:20])}{' …' if len(slugs) > 20 else ''}."
    )
