"""`arcana taxonomy rule`: what makes a document one about a topic, said once."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

import click

from arcana_pipelines.classification import rules
from arcana_pipelines.classification.conditions import Conditions, read_conditions, told
from arcana_pipelines.classification.rules import Rule, Trial
from arcana_pipelines.cli.commands.taxonomy.opening import opened, spelled
from arcana_pipelines.cli.confirm import confirm
from arcana_pipelines.cli.one_workspace import WorkspaceCommand
from arcana_pipelines.cli.output import json_option, print_json, say, so_many
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.retrieval.filters import KINDS, Filters, PropertyCondition
from arcana_pipelines.taxonomy.labels import read_path, spell_path
from arcana_pipelines.taxonomy.lookup import lookup

_WHEN = (
    click.option("--title", "titles", multiple=True, metavar="WORD", help="A word of the title; one of several."),
    click.option("--source-path", metavar="PATTERN", help="Where it lies: titles above it, 'Policies/*'."),
    click.option("--below", metavar="PAGE", help="This page and what is below it, as in arcana search."),
    click.option("--kind", "kinds", multiple=True, type=click.Choice(KINDS), help="Documents of this kind."),
    click.option("--where", multiple=True, metavar="CONDITION", help="A property, as in arcana search: Status=Done."),
    click.option("--when", metavar="JSON", help='All conditions as JSON: {"filters": {…}, "title": […]}.'),
)


def _conditions(command: Any) -> Any:
    for option in reversed(_WHEN):
        command = option(command)
    return command


@click.group(name="rule")
def rule() -> None:
    """Say what makes a document one about a topic. All that a rule names has to hold."""


@rule.command(cls=WorkspaceCommand)
@click.argument("slug")
@click.argument("name")
@click.argument("topic")
@_conditions
@click.option("--confidence", type=click.FloatRange(0, 1), default=1.0, show_default=True, help="Of what it finds.")
@click.option("--position", type=click.IntRange(1, 10_000), help="Its place among the rules. Default: the last.")
@json_option
def add(
    slug: str, name: str, topic: str, titles: tuple[str, ...], source_path: str | None, below: str | None,
    kinds: tuple[str, ...], where: tuple[str, ...], when: str | None, confidence: float, position: int | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Make a rule; the next sync follows it. Below the workspace's accept-at, what it finds waits for a person.

    For example: arcana taxonomy rule add handbook leave "People/Time off" --title vacation --title 휴가
    """
    conditions = _read(titles, source_path, below, kinds, where, when)
    path = read_path(topic)
    with opened(slug, writes=True) as (connection, workspace_id):
        node = lookup.one(connection, workspace_id, path)
        trial = rules.try_rule(connection, workspace_id, conditions, node)
        made = rules.add_rule(connection, workspace_id, name, node, conditions, confidence, position)
    if as_json:
        print_json({"workspace": slug, **_told(made), "trial": _tried(trial)})
        return
    say("The rule '{}' is made: {} by the next sync.", made.name, spell_path(path))
    _say_trial(trial)


@rule.command(name="list", cls=WorkspaceCommand)
@click.argument("slug")
@json_option
def list_(slug: str, as_json: bool) -> None:
    """List the rules in their order, and why one rests.

    For example: arcana taxonomy rule list handbook
    """
    with opened(slug) as (connection, workspace_id):
        found = rules.list_rules(connection, workspace_id)
        titles = rules.titles_of(connection, workspace_id, found)
    if as_json:
        print_json({"workspace": slug, "rules": [_told(each) for each in found]})
        return
    if not found:
        say("There are no rules in '{}'.", slug)
    for each in found:
        topic = spelled(each.path or each.was) or "a topic that is not there any more"
        say("[bold]{}[/bold]  {}  [dim]{}[/dim]", each.name, topic, _typed(each, titles))
        if each.rests:
            say("  [yellow]rests[/yellow]: {}", each.rests)


@rule.command(name="test", cls=WorkspaceCommand)
@click.argument("slug")
@click.argument("name", required=False)
@click.option("--topic", metavar="PATH", help="Of a rule that is not made yet: to count what people have said of it.")
@_conditions
@json_option
def test_(
    slug: str, name: str | None, topic: str | None, titles: tuple[str, ...], source_path: str | None,
    below: str | None, kinds: tuple[str, ...], where: tuple[str, ...], when: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Count what a rule finds, or one with these conditions would, and what people have said of those documents.

    For example: arcana taxonomy rule test handbook --title vacation --topic "People/Time off"
    """
    given = bool(titles or source_path or below or kinds or where or when)
    if given == (name is not None):
        raise WrongUse("Name a rule, or give the conditions of one that is not made yet.")
    path = read_path(topic) if topic is not None else None
    with opened(slug) as (connection, workspace_id):
        node = lookup.one(connection, workspace_id, path) if path else None
        if name is not None:
            found = rules.find_rule(connection, workspace_id, name)
            conditions, node = found.conditions, found.node_id
        else:
            conditions = _read(titles, source_path, below, kinds, where, when)
        trial = rules.try_rule(connection, workspace_id, conditions, node)
    if as_json:
        print_json({"workspace": slug, "rule": name, "conditions": told(conditions), **_tried(trial)})
    else:
        _say_trial(trial)


@rule.command(cls=WorkspaceCommand)
@click.argument("slug")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def remove(slug: str, name: str, yes: bool, as_json: bool) -> None:
    """Remove a rule with what it assigned, which is counted and asked about. What people said stays.

    For example: arcana taxonomy rule remove handbook leave
    """
    with opened(slug, writes=True) as (connection, workspace_id):
        loses = rules.documents_of(connection, workspace_id, rules.find_rule(connection, workspace_id, name))
        if loses:
            asked = f"Remove the rule '{name}', and what it says of {so_many(loses, 'document')}?"
            confirm(asked, yes, as_json, is_final=False)
        documents = rules.remove_rule(connection, workspace_id, name)
    if as_json:
        print_json({"workspace": slug, "rule": name, "removed": True, "documents": documents})
    else:
        say("The rule '{}' is removed, and what it had assigned to {}.", name, so_many(documents, "document"))


def _read(
    titles: tuple[str, ...], source_path: str | None, below: str | None, kinds: tuple[str, ...],
    where: tuple[str, ...], when: str | None,
) -> Conditions:  # fmt: skip
    if when is not None:
        if titles or source_path or below or kinds or where:
            raise WrongUse("--when has all conditions: give it alone.")
        return read_conditions(when)
    if not (titles or source_path or below or kinds or where):
        raise WrongUse(
            "A rule without conditions would hold of everything: give --title WORD, --source-path PATTERN, "
            "--below PAGE, --kind KIND or --where CONDITION."
        )
    properties = [PropertyCondition.parse(condition) for condition in where]
    return Conditions(Filters(below=below, kinds=kinds, properties=properties), titles, source_path)


def _typed(made: Rule, titles: Mapping[str, str]) -> str:
    """The options that make it again."""
    conditions, filters = made.conditions, made.conditions.filters
    sure = [] if made.confidence == 1 else ["--confidence", f"{made.confidence:g}"]
    if filters.links_to or filters.edited_since or filters.internal is not None:
        return shlex.join(["--when", json.dumps(told(conditions), ensure_ascii=False), *sure])
    below = [] if filters.below is None else [titles.get(filters.below, filters.below)]
    given = {
        "--title": conditions.title,
        "--source-path": [] if conditions.source_path is None else [conditions.source_path],
        "--below": below,
        "--kind": filters.kinds,
        "--where": [f"{each.name}{each.operator}{each.value}" for each in filters.properties],
    }
    return shlex.join(
        [*(word for option, values in given.items() for each in values for word in (option, each)), *sure]
    )


def _told(made: Rule) -> dict[str, Any]:
    return {
        "rule_id": str(made.rule_id),
        "name": made.name,
        "position": made.position,
        "node_id": str(made.node_id),
        "path": spelled(made.path),
        "conditions": told(made.conditions),
        "confidence": made.confidence,
        "rests": made.rests,
    }


def _tried(trial: Trial) -> dict[str, Any]:
    first = [{"document_id": str(document), "title": title} for document, title in trial.first]
    return {"documents": trial.documents, "rejected": trial.rejected, "elsewhere": trial.elsewhere, "first": first}


def _say_trial(trial: Trial) -> None:
    shown = ", ".join(f"'{title}'" for _, title in trial.first)
    more = " …" if trial.documents > len(trial.first) else ""
    say("It finds {}{}{}", so_many(trial.documents, "document"), f": {shown}" if shown else ".", more)
    if trial.rejected:
        said = "[yellow]Of {} of them people have said that they are not about it: they do not get it.[/yellow]"
        say(said, f"{trial.rejected:,}")
    if trial.elsewhere:
        said = "[yellow]Of {} of them people have said that they are about others: they get it besides.[/yellow]"
        say(said, f"{trial.elsewhere:,}")
