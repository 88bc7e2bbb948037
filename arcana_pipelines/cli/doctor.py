"""`arcana doctor`: check what this installation needs and say how to mend it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator

import click

from arcana_pipelines.cli.output import json_option, print_json, say
from arcana_pipelines.db import schema
from arcana_pipelines.db.engine import Database
from arcana_pipelines.errors import ArcanaError
from arcana_pipelines.indexes.health import look_at, pgvector
from arcana_pipelines.pipeline.workspaces import every
from arcana_pipelines.settings import Settings, load_settings
from arcana_pipelines.sources.registry import DEFAULT_TOKEN_VARIABLE, open_notion_api

Finding = tuple[str, bool, str]


@click.command(name="doctor")
@json_option
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """Check the environment; exit 1 when something needs mending."""
    findings = list(_findings())
    if as_json:
        print_json({"checks": [{"name": name, "ok": ok, "detail": detail} for name, ok, detail in findings]})
    else:
        for name, ok, detail in findings:
            say(f"[{'green' if ok else 'red'}]{'ok  ' if ok else 'FAIL'}[/] {{}}: {{}}", name, detail)
    context.exit(0 if all(ok for _, ok, _ in findings) else 1)


def _findings() -> Iterator[Finding]:
    yield ("python", sys.version_info >= (3, 11), f"{sys.version.split()[0]} (3.11 or newer is needed)")
    try:
        settings = load_settings()
    except ArcanaError as error:
        yield ("settings", False, str(error))
        return
    yield ("settings", True, f"ARCANA_HOME is {settings.home}")
    yield _tried("home", lambda: _writable(settings))
    database = Database(settings)
    click.get_current_context().call_on_close(database.close)
    yield _tried("database", lambda: _server(database))
    schema_found = _tried("schema", lambda: _schema(database))
    yield schema_found
    if schema_found[1]:
        yield from _indexes(database)
    yield _tried("embedder", lambda: _embedder(settings))
    if settings.reranker_url:
        yield _tried("reranker", lambda: _reranker(settings))
    if os.environ.get(DEFAULT_TOKEN_VARIABLE):
        yield _tried("notion", lambda: _notion(database))


def _tried(name: str, check: Callable[[], str]) -> Finding:
    try:
        return (name, True, check())
    except ArcanaError as error:
        return (name, False, str(error))


def _writable(settings: Settings) -> str:
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        probe = settings.home / ".doctor"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ArcanaError(f"{settings.home} is not writable ({error.strerror}): set ARCANA_HOME") from error
    return f"{settings.home} is writable"


def _server(database: Database) -> str:
    with database.connection() as connection:
        version = connection.info.server_version // 10000
    if version < schema.LOWEST_POSTGRES:
        raise ArcanaError(f"PostgreSQL {version} is too old: {schema.LOWEST_POSTGRES} or newer is needed")
    return f"PostgreSQL {version}"


def _indexes(database: Database) -> Iterator[Finding]:
    """pgvector, and whatever is wrong with an index; of those that are well only how many there are."""
    with database.connection() as connection:
        found = pgvector(connection)
        yield (found.name, found.ok, found.detail)
        looked_at = [(row.slug, each) for row in every(connection) for each in look_at(connection, row.workspace_id)]
    for slug, each in looked_at:
        if not each.ok:
            yield (f"{each.name} of {slug}", False, each.detail)
    well = sum(each.ok for _, each in looked_at)
    yield ("indexes", well == len(looked_at), f"{well} of {len(looked_at)} looks at validity, size and recall are well")


def _schema(database: Database) -> str:
    schema.require_current(database)
    differences = schema.drift(database)
    if differences:
        raise ArcanaError(f"{len(differences)} differences from the models: `arcana db check` lists them")
    return f"revision {schema.newest_revision()}, no drift"


def _embedder(settings: Settings) -> str:
    from arcana_pipelines.embedding.provider import model_of, probe

    model, dimensions = model_of(settings)
    probe(settings, model, dimensions)
    return f"{model} answers with {dimensions} dimensions"


def _reranker(settings: Settings) -> str:
    from arcana_pipelines.retrieval.reranker import open_reranker

    reranker = open_reranker(settings)
    assert reranker is not None
    one, other = reranker.scores("Which animal says moo?", ["Cows say moo.", "The invoice is due in May."])
    if one <= other:
        raise ArcanaError(f"it answers, and prefers an invoice to a cow: is '{settings.reranker_model}' a reranker?")
    return f"{settings.reranker_model or 'its model'} answers"


def _notion(database: Database) -> str:
    schema.require_current(database)
    api = open_notion_api(DEFAULT_TOKEN_VARIABLE, "doctor", database)
    try:
        bot = api.call("GET", "users/me").get("bot") or {}
    finally:
        api.close()
    return f"the token of {DEFAULT_TOKEN_VARIABLE} belongs to '{bot.get('workspace_name') or 'a workspace'}'"
