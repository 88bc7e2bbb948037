"""`arcana taxonomy show`, `diff`, `status`, `promote`, `rollback` and `drop`: versions."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import click

from arcana_pipelines.classification.rules import list_rules
from arcana_pipelines.cli.commands.taxonomy.opening import (
    MOST_NAMED,
    counted_changes,
    opened,
    spelled,
    version_meant,
)
from arcana_pipelines.cli.confirm import confirm
from arcana_pipelines.cli.one_workspace import WorkspaceCommand
from arcana_pipelines.cli.output import json_option, local_time, print_json, printable, say, so_many
from arcana_pipelines.taxonomy import stored_versions, versions
from arcana_pipelines.taxonomy.carry import OUTCOMES
from arcana_pipelines.taxonomy.counts import ORIGINS, TopicCounts, UnknownPath, topic_counts, unknown_paths
from arcana_pipelines.taxonomy.labels import read_path, spell_path
from arcana_pipelines.taxonomy.nodes import Change
from arcana_pipelines.taxonomy.outline import Entry, changes_between, outline
from arcana_pipelines.taxonomy.reports import PromotionReport
from arcana_pipelines.taxonomy.settings import settings_of
from arcana_pipelines.taxonomy.texts import TextChange, TextCounts, texts_changed

_KINDS = {
    "add": "+ {new}", "rename": "~ {old} is now {new}", "move": "> {old} is now {new}",
    "merge": "m {old} is part of {new}", "split": "s {old} is split, into {new}",
    "retire": "- {old} is retired, for {new}", "dropped": "- {old} is retired", "gone": "- {old} is not there any more",
}  # fmt: skip
# Where topics of documents are from.
_FROM = {
    "given": "came with the document", "person": "by people", "rule": "by rules", "nearest": "by nearness",
    "default": "in place of unknown paths",
}  # fmt: skip
_SHOWN = 200  # changes
# What becomes of topics of documents, and of what waits for a person.
_TOPICS = {
    "carried": "stay as they are, whatever the topic is called and wherever it stands then",
    "merged_into": "are of a topic that is merged into another, and become that one",
    "queued": "are of a topic that is split or goes: a person is asked what takes its place",
    "decided": "are of a topic that is split or goes, and what takes its place is known",
    "ended": "end: nothing takes their place",
}
_SUGGESTIONS = {
    "carried": "go on waiting",
    "merged_into": "go on waiting, for a topic that theirs is merged into",
    "queued": "go on waiting, for what takes the place of a topic that is split or goes",
    "decided": "are settled: it is known what takes the place of their topic",
    "ended": "end: nothing takes their place",
    "dropped": "were only near a topic that is merged, split or goes: the next sync looks for what is near",
}


@click.command(cls=WorkspaceCommand)
@click.argument("slug")
@click.option("--version", metavar="VERSION", help="Default: the active one, else the newest draft.")
@click.option("--below", metavar="PATH", help="Only this topic and what is below it.")
@click.option("--depth", type=click.IntRange(1, 16), metavar="N", help="So many levels. Default: all.")
@json_option
def show(slug: str, version: str | None, below: str | None, depth: int | None, as_json: bool) -> None:
    """Print the tree of a version, with how many documents are about each topic itself.

    For example: arcana taxonomy show handbook --below AI --depth 2
    """
    path = read_path(below) if below is not None else None
    with opened(slug) as (connection, workspace_id):
        version = version_meant(connection, workspace_id, version)
        state = stored_versions.find_version(connection, workspace_id, version).state
        entries = outline(connection, workspace_id, version, path, depth)
    if as_json:
        print_json({"workspace": slug, "version": version, "state": state, "nodes": [_told(each) for each in entries]})
        return
    say("[bold]{}[/bold] {} [dim]({})[/dim]", slug, version, state)
    _print_tree(entries, len(path) if path else 1, depth)


@click.command(cls=WorkspaceCommand)
@click.argument("slug")
@click.argument("old")
@click.argument("new")
@json_option
def diff(slug: str, old: str, new: str, as_json: bool) -> None:
    """Print what is other in version NEW than in version OLD: places and names, then what topics say of themselves.

    For example: arcana taxonomy diff handbook 1.0.0 1.1.0
    """
    with opened(slug) as (connection, workspace_id):
        changes = changes_between(connection, workspace_id, old, new)
        texts = texts_changed(connection, workspace_id, old, new)
    counts = versions.change_counts(changes)
    if as_json:
        print_json({
            "workspace": slug, "old": old, "new": new, "counts": counts,
            "changes": [_change(change) for change in changes], "texts": [_text(each) for each in texts],
        })  # fmt: skip
        return
    for change in changes[:_SHOWN]:
        said = _KINDS["dropped" if change.kind == "retire" and change.to_path is None else change.kind]
        click.echo(printable(said.format(old=spelled(change.from_path), new=spelled(change.to_path))))
    if len(changes) > _SHOWN:
        say("[dim]and {} more (--json lists them)[/dim]", f"{len(changes) - _SHOWN:,}")
    for each in texts[: max(_SHOWN - len(changes), 0)]:
        told = [f"loses its {_called(each.lost)}"] if each.lost else []
        told += [f"has another or a new {_called(each.changed)}"] if each.changed else []
        click.echo(printable(f'" {spell_path(each.path)} {" and ".join(told)}'))
    if texts and len(changes) + len(texts) > _SHOWN >= len(changes):
        say("[dim]and {} more (--json lists them)[/dim]", f"{len(changes) + len(texts) - _SHOWN:,}")
    differences = list(filter(None, [counted_changes(counts), *TextCounts.of(texts).sentences()]))
    say("[bold]{}[/bold] against {}: {}", new, old, "; ".join(differences) or "no difference")


@click.command(cls=WorkspaceCommand)
@click.argument("slug")
@json_option
def status(slug: str, as_json: bool) -> None:
    """Show the versions of a workspace's taxonomy, how many documents have topics, and what waits for a person.

    For example: arcana taxonomy status handbook
    """
    with opened(slug) as (connection, workspace_id):
        found = stored_versions.versions(connection, workspace_id)
        counts = next(iter(topic_counts(connection, workspace_id)), None)
        settings = settings_of(connection, workspace_id)
        rules = list_rules(connection, workspace_id) if found else []
        unknown = unknown_paths(connection, workspace_id, MOST_NAMED)
    resting = [rule.name for rule in rules if rule.rests]
    active = next((each.version for each in found if each.state == "active"), None)
    if as_json:
        print_json({
            "workspace": slug,
            "active": active,
            "versions": [asdict(each) for each in found],
            "topics": counts.as_dict() if counts else None,
            "rules": len(rules),
            "rules_resting": resting,
            "unknown_paths": [
                {"path": spell_path(tuple(each.path)), "documents": each.documents, "first_at": each.first_at}
                for each in unknown
            ],
            "settings": settings.as_dict(),
        })  # fmt: skip
        return
    if not found:
        say("'{}' has no taxonomy: arcana taxonomy import {} FILE makes a draft of one.", slug, slug)
        return
    for each in found:
        about = f", from {each.source}" if each.source else ""
        say(
            "[bold]{}[/bold]  {}  {}{}  [dim]{}{}[/dim]", each.version, each.state, so_many(each.nodes, "topic"), about,
            local_time(each.activated_at or each.created_at), f"  {each.note}" if each.note else "",
        )  # fmt: skip
    if counts is not None:
        _say_counts(slug, counts)
        _say_unknown(unknown, counts.unknown_paths)
    _say_rules(len(rules), resting)
    if settings.default_path is not None:
        say("[dim]unknown paths become:[/dim] {}", spell_path(settings.default_path))
    if settings.topic_properties:
        say("[dim]properties that bring topics:[/dim] {}", ", ".join(settings.topic_properties))
    said = "[dim]assigned from confidence {} on, asked of a person from {} on[/dim]"
    say(said, f"{settings.accept_at:g}", f"{settings.suggest_at:g}")


@click.command(cls=WorkspaceCommand)
@click.argument("slug")
@click.argument("version")
@click.option("--dry-run", is_flag=True, help="Only count what it would do.")
@click.option(
    "--retire-missing", is_flag=True,
    help="Nodes that the version does not have are retired: what is about them is suggested for what was above them.",
)  # fmt: skip
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def promote(slug: str, version: str, dry_run: bool, retire_missing: bool, yes: bool, as_json: bool) -> None:
    """Make a version the active one, and carry over what documents are about.

    What it will do is counted and shown first. `arcana taxonomy rollback` takes it back. A dry run of what would be
    refused says so, and exits with 3.

    For example: arcana taxonomy promote handbook 1.1.0 --dry-run
    """
    with opened(slug, writes=True) as (connection, workspace_id):
        if not (yes or dry_run):
            planned = versions.promote(
                connection, workspace_id, version, retire_missing=retire_missing, dry_run=True
            )  # fmt: skip
            if planned.refused is None:  # else it is refused, with what to do
                if not as_json:
                    _say_promotion(slug, planned)
                confirm(f"Make {version} the active version of '{slug}'?", yes, as_json, is_final=False)
        report = versions.promote(
            connection, workspace_id, version, retire_missing=retire_missing, dry_run=dry_run
        )  # fmt: skip
    if as_json:
        print_json({"workspace": slug, **asdict(report)})
    elif dry_run or yes:
        _say_promotion(slug, report)
    if report.refused is not None:
        sys.exit(3)
    if not (dry_run or as_json):
        say("Version [bold]{}[/bold] of '{}' is active.", version, slug)
        if report.queued:
            say("[dim]arcana taxonomy queue {} shows what waits for a person[/dim]", slug)


@click.command(cls=WorkspaceCommand)
@click.argument("slug")
@click.option("--to", metavar="VERSION", help="Default: the version that the active one was made from.")
@json_option
def rollback(slug: str, to: str | None, as_json: bool) -> None:
    """Make an earlier version the active one again.

    What documents were given meanwhile is carried back, as far as the earlier version has it.

    For example: arcana taxonomy rollback handbook
    """
    with opened(slug, writes=True) as (connection, workspace_id):
        report = versions.roll_back(connection, workspace_id, to)
    if as_json:
        print_json({"workspace": slug, **asdict(report)})
        return
    say("Version [bold]{}[/bold] of '{}' is active again, in place of {}.", report.version, slug, report.before)
    say(
        "{} assignments made meanwhile came along; {} are of topics that it does not have, and {} documents have no "
        "topic now.", f"{report.carried:,}", f"{report.left:,}", f"{report.documents_without:,}",
    )  # fmt: skip


@click.command(cls=WorkspaceCommand)
@click.argument("slug")
@click.argument("version")
@json_option
def drop(slug: str, version: str, as_json: bool) -> None:
    """Forget a draft. What was active once stays.

    For example: arcana taxonomy drop handbook 1.1.0
    """
    with opened(slug, writes=True) as (connection, workspace_id):
        versions.drop_draft(connection, workspace_id, version)
    if as_json:
        print_json({"workspace": slug, "version": version, "dropped": True})
    else:
        say("The draft {} of '{}' is dropped.", version, slug)


def _told(entry: Entry) -> dict[str, Any]:
    node = entry.node
    return {
        **asdict(node),
        "node_id": str(node.node_id),
        "parent_id": str(node.parent_id) if node.parent_id else None,
        "path": spell_path(node.path),
        "level": len(node.path),
        "documents": entry.documents,
        "below": entry.below,
    }


def _print_tree(entries: list[Entry], top: int, depth: int | None) -> None:
    """A line a node. Names stand in a column of one width, in which Korean syllables are two wide."""
    from rich.cells import cell_len

    names = [f"{'  ' * (len(each.node.path) - top)}{each.node.label}" for each in entries]
    widest = min(max(map(cell_len, names), default=0), 60)
    for name, each in zip(names, entries, strict=True):
        said = [label for label in each.node.labels.values() if label != each.node.label]
        if each.documents:
            said.append(so_many(each.documents, "document"))
        if each.below and depth is not None and len(each.node.path) - top + 1 == depth:
            said.append(f"{so_many(each.below, 'topic')} below")
        pad = " " * (max(widest - cell_len(name), 0) + 2) if said else ""
        # Thousands of lines: markup takes its time, and they have none.
        click.echo(printable(f"{name}{pad}{', '.join(said)}"))


def _change(change: Change) -> dict[str, Any]:
    return {
        "kind": change.kind,
        "from_node": str(change.from_node) if change.from_node else None,
        "to_node": str(change.to_node) if change.to_node else None,
        "from_path": spelled(change.from_path),
        "to_path": spelled(change.to_path),
    }


def _text(change: TextChange) -> dict[str, Any]:
    return {
        "node_id": str(change.node_id),
        "path": spell_path(change.path),
        "lost": change.lost,
        "changed": change.changed,
    }


def _called(texts: Sequence[str]) -> str:
    return " and ".join("names in other languages" if text == "names" else text for text in texts)


def _say_counts(slug: str, counts: TopicCounts) -> None:
    share = f" ({counts.coverage:.0%})" if counts.coverage is not None else ""
    of_page = f", {counts.by_page:,} of them by their page alone" if counts.by_page else ""
    say("{} of {} documents have a topic{}{}", f"{counts.with_topic:,}", f"{counts.documents:,}", share, of_page)
    if any(counts.assigned.values()):
        each = ", ".join(f"{counts.assigned[name]:,} {_FROM[name]}" for name in ORIGINS if counts.assigned.get(name))
        say("{} topics of documents: {}", f"{sum(counts.assigned.values()):,}", each)
    if counts.waiting and counts.waits_since is not None:
        since = local_time(counts.waits_since)
        said = "{} suggestions wait for a person, the first since {}: arcana taxonomy queue {}"
        say(said, f"{counts.waiting:,}", since, slug)


def _say_unknown(unknown: Sequence[UnknownPath], number: int) -> None:
    """The paths that documents bring and no topic has, those of most documents first."""
    if number:
        paths = "1 path that documents bring is" if number == 1 else f"{number:,} paths that documents bring are"
        say("[yellow]{} no topic[/yellow]:", paths)
    for each in unknown:
        say("  {}  {}", spell_path(tuple(each.path)), so_many(each.documents, "document"))
    if number > len(unknown):
        say("  [dim]and {} more[/dim]", f"{number - len(unknown):,}")


def _say_promotion(slug: str, report: PromotionReport) -> None:
    against = f" against {report.before}" if report.before else ""
    nodes = ("same", "added", "renamed", "moved", "merged", "split", "retired", "missing")
    say("[bold]{} {}[/bold]{}: {}", slug, report.version, against, _counted(report, nodes) or "no topics")
    if report.texts_lost:
        say(
            "[yellow]{} lose definitions, synonyms or names in other languages[/yellow]",
            so_many(report.texts_lost, "topic"),
        )
    if report.texts_changed:
        say("{} with other definitions, synonyms or names in other languages", so_many(report.texts_changed, "topic"))
    if report.refused is not None:
        say("[yellow]A promotion would be refused.[/yellow] {}", report.refused)
    topics = {name: getattr(report, name) - report.suggestions.get(name, 0) for name in OUTCOMES}
    if any(topics.values()):
        say("[bold]{}[/bold] topics of documents:", f"{sum(topics.values()):,}")
        _say_outcomes(topics, _TOPICS)
    if any(report.suggestions.values()):
        say("[bold]{}[/bold] suggestions that waited for a person:", f"{sum(report.suggestions.values()):,}")
        _say_outcomes(report.suggestions, _SUGGESTIONS)
    if report.persons_ended:
        say("[yellow]{} topics that a person gave end.[/yellow]", f"{report.persons_ended:,}")
    if report.documents_without:
        asked = (
            f"; something waits for a person of {report.documents_asked:,} of them" if report.documents_asked else ""
        )
        lost = so_many(report.documents_without, "document")
        say("[yellow]{} of {} with topics have none then{}.[/yellow]", lost, f"{report.documents:,}", asked)
    _say_rules(report.rules, report.rules_resting)


def _say_outcomes(counts: Mapping[str, int], words: Mapping[str, str]) -> None:
    for name, said in words.items():
        if counts.get(name):
            say("  {} {}", f"{counts[name]:,}", said)


def _say_rules(rules: int, resting: Sequence[str]) -> None:
    if resting:
        named = ", ".join(f"'{name}'" for name in resting[:MOST_NAMED])
        more = f" and {len(resting) - MOST_NAMED:,} more" if len(resting) > MOST_NAMED else ""
        said = "[yellow]{} of {} rules rest, and find nothing new:[/yellow] {}{}"
        say(said, f"{len(resting):,}", f"{rules:,}", named, more)


def _counted(report: PromotionReport, names: tuple[str, ...]) -> str:
    held = asdict(report)
    return ", ".join(f"{held[name]:,} {name.replace('_', ' ')}" for name in names if held[name])
