"""Writes the pages of `docs/reference/` and the drawing in `docs/architecture.md` from the code itself.

`make reference` runs it; `test_reference.py` fails while a page differs from what the code says.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import tomllib
from collections.abc import Callable, Iterable
from enum import Enum
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "arcana_pipelines"
FOLDER = ROOT / "docs" / "reference"
ARCHITECTURE = ROOT / "docs" / "architecture.md"
MONITORING = ROOT / "docs" / "monitoring.md"
BEGIN_FIGURES, END_FIGURES = "<!-- table of figures: make reference -->", "<!-- end of the table -->"
BEGIN, END = "<!-- drawing of rooms: make reference -->", "<!-- end of the drawing -->"
NOTE = "<!-- Written by `make reference`; do not edit. -->"

# What other people's code may rely on. Everything else may move in any release.
FACES = (
    "arcana_pipelines.retrieval",
    "arcana_pipelines.defs.build",
    "arcana_pipelines.sources.protocol",
    "arcana_pipelines.embedding.protocol",
    "arcana_pipelines.tickets.repository",
    "arcana_pipelines.testing.freshdesk_server",
    "arcana_pipelines.testing.indexed_workspace",
    "arcana_pipelines.testing.notion_server",
)

# A number without a unit cannot be set; each setting that is a number stands here.
UNITS = {
    "database_pool_size": "connections",
    "database_max_overflow": "connections",
    "notion_requests_per_minute": "requests a minute",
    "key_requests_per_minute": "requests a minute",
    "refused_keys_per_minute": "keys a minute",
    "usage_log_months": "months",
    "conversation_days": "days",
    "search_log_days": "days",
    "question_days": "days",
    "analytics_months": "months",
    "redis_db": "number of a database",
    "redis_max_connections": "connections",
    "milvus_timeout": "seconds",
    "milvus_port": "port",
    "file_max_bytes": "bytes",
    "cache_ttl": "seconds",
    "search_cache_ttl": "seconds",
    "search_replica_lag": "seconds",
    "embedding_cache_ttl": "seconds",
    "notion_timeout": "seconds",
    "freshdesk_requests_per_minute": "credits a minute",
    "freshdesk_timeout": "seconds",
    "sweep_share": "of the requests",
    "openai_embedding_dimensions": "numbers a vector",
    "openai_max_retries": "retries",
    "openai_timeout": "seconds",
    "openai_batch_above": "texts",
    "embedding_price_per_million_tokens": "US dollars a million tokens",
    "embedding_monthly_budget_usd": "US dollars a month",
    "summary_budget": "tokens a day",
    "summary_timeout": "seconds",
    "retention_days": "days",
    "backup_keep_days": "days",
    "batch_size": "texts",
    "max_concurrent_requests": "requests",
    "worker_processes": "processes",
}


def cli() -> str:
    """Each command of `arcana` with its arguments and options, from click."""
    import click

    from arcana_pipelines.cli.main import cli as arcana

    lines = [NOTE, "# Command line", ""]

    def write(command: click.Command, path: str, parent: click.Context | None) -> None:
        context = click.Context(command, parent=parent, info_name=path.rsplit(" ", 1)[-1])
        usage = " ".join([path, *command.collect_usage_pieces(context)])
        lines.extend([f"## `{path}`", "", inspect.cleandoc(command.help or "").replace("\b\n", ""), ""])
        lines.extend(["```", usage, "```", ""])
        options = [parameter.get_help_record(context) for parameter in command.get_params(context)]
        rows = [
            [f"`{_cell(record[0])}`", _cell(record[1])] for record in options if record and "--help" not in record[0]
        ]
        if rows:
            lines.extend([*_table(["option", "meaning"], rows), ""])
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                child = command.get_command(context, name)
                if child is not None and not child.hidden:
                    write(child, f"{path} {name}", context)

    write(arcana, "arcana", None)
    return _page(lines)


def settings() -> str:
    """Each setting: its meaning from `.env.example`, its default and unit from the model and `UNITS`."""
    from arcana_pipelines.settings import Settings

    meanings = _meanings_of_settings()
    rows = []
    for name, field in sorted(Settings.model_fields.items()):
        default = "" if field.default in (None, "") else f"`{field.default}`"
        rows.append([f"`{name.upper()}`", _cell(meanings[name.upper()]), default, UNITS.get(name, "")])
    intro = "Variables of the environment. Variables of one paragraph of `.env.example` share their meaning."
    return _page([NOTE, "# Settings", "", intro, "", *_table(["name", "meaning", "default", "unit"], rows)])


def _meanings_of_settings() -> dict[str, str]:
    meanings: dict[str, str] = {}
    for paragraph in (ROOT / ".env.example").read_text(encoding="utf-8").split("\n\n"):
        lines = [line.removeprefix("# ") for line in paragraph.strip().splitlines()]
        named = [line.partition("=")[0] for line in lines if re.match(r"[A-Z][A-Z0-9_]+=", line)]
        text = " ".join(line for line in lines if not re.match(r"[A-Z][A-Z0-9_]+=", line))
        meanings.update(dict.fromkeys(named, text))
    return meanings


def tables() -> str:
    """Each table of the schema with its columns and keys, from the SQLAlchemy models."""
    from sqlalchemy.dialects import postgresql

    from arcana_pipelines.db.models import Base

    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    classes = [mapper.class_ for mapper in Base.registry.mappers]
    docs = {each.__tablename__: inspect.cleandoc(each.__doc__ or "") for each in classes}
    lines = [NOTE, "# Tables", ""]
    for name, table in sorted(Base.metadata.tables.items()):
        lines.extend([f"## `{name}`", "", docs.get(table.name, ""), ""])
        rows = []
        for column in table.columns:
            keys = ["primary key"] if column.primary_key else []
            keys += sorted(f"→ `{key.target_fullname}`" for key in column.foreign_keys)
            null = "" if column.nullable else "not null"
            meaning = column.comment or column.doc or ""
            kind = column.type.compile(dialect=dialect)
            rows.append([f"`{column.name}`", f"`{kind}`", null, ", ".join(keys), _cell(meaning)])
        lines.extend([*_table(["column", "type", "null", "keys", "meaning"], rows), ""])
    return _page(lines)


def python() -> str:
    """The public names, those in `__all__` of the public faces, with signature and docstring."""
    lines = [NOTE, "# Python", "", "What is not named here may move in any release.", ""]
    for face in FACES:
        module = import_module(face)
        lines.extend([f"## `{face}`", "", inspect.getdoc(module) or "", ""])
        for name in sorted(module.__all__):
            thing = getattr(module, name)
            lines.extend([f"### `{name}`", ""])
            if (inspect.isclass(thing) or inspect.isfunction(thing)) and (signature := _signature(thing)):
                lines.extend(["```python", f"{name}{signature}", "```", ""])
            lines.extend(_doc(thing))
            if inspect.isclass(thing):
                for method, value in vars(thing).items():
                    if inspect.isfunction(value) and not method.startswith("_"):
                        lines.extend([f"`{name}.{method}{_signature(value)}`", "", *_doc(value)])
    return _page(lines)


def _signature(thing: Any) -> str:
    # How an enumeration is called differs from one Python to the next, and nobody calls it.
    if inspect.isclass(thing) and issubclass(thing, Enum):
        return ""
    return str(inspect.signature(thing))


def _doc(thing: Any) -> list[str]:
    text = thing.__doc__ if inspect.isclass(thing) or inspect.isroutine(thing) or inspect.ismodule(thing) else None
    return ["```text", inspect.cleandoc(text), "```", ""] if text else []


def rooms() -> str:
    """To change X, open Y: the first sentence of each module's docstring."""
    lines = [NOTE, "# To change X, open Y", "", "Each room and module with the first sentence of its docstring.", ""]
    rows = []
    for file in sorted(PACKAGE.rglob("*.py")):
        doc = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
        if doc and "versions" not in file.parts:
            sentence = re.split(r"(?<=[.!?])\s", " ".join(doc.split("\n\n")[0].split()))[0]
            rows.append([_cell(sentence), f"`{file.relative_to(PACKAGE)}`"])
    return _page([*lines, *_table(["to change", "open"], rows)])


def definitions() -> str:
    """A snapshot of everything that Dagster is given, as JSON."""
    from arcana_pipelines.definitions import defs

    repository = defs.get_repository_def()
    graph = repository.asset_graph
    assets = {
        key.to_user_string(): {
            "group": graph.get(key).group_name,
            "description": graph.get(key).description,
            "after": sorted(parent.to_user_string() for parent in graph.get(key).parent_keys),
            "partitioned": graph.get(key).is_partitioned,
            "checks": sorted(check.name for check in graph.get(key).check_keys),
            "fails_after_hours": _fails_after(graph.get(key).freshness_policy),
        }
        for key in sorted(graph.get_all_asset_keys())
    }
    jobs = {
        job.name: {
            "description": job.description,
            "steps": sorted(node.name for node in job.graph.nodes),
            "partitioned": job.partitions_def is not None,
        }
        for job in sorted(repository.get_all_jobs(), key=lambda job: job.name)
    }
    sensors = {
        sensor.name: {
            "description": sensor.description,
            "every_seconds": sensor.minimum_interval_seconds,
            "status": sensor.default_status.value,
        }
        for sensor in sorted(repository.sensor_defs, key=lambda sensor: sensor.name)
    }
    schedules = {
        schedule.name: {
            "cron": schedule.cron_schedule,
            "time_zone": schedule.execution_timezone,
            "job": schedule.job_name,
            "status": schedule.default_status.value,
        }
        for schedule in sorted(repository.schedule_defs, key=lambda schedule: schedule.name)
    }
    everything = {"assets": assets, "jobs": jobs, "sensors": sensors, "schedules": schedules}
    return json.dumps(everything, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def _fails_after(policy: Any) -> float | None:
    return None if policy is None else policy.fail_window.to_timedelta().total_seconds() / 3600


def layers() -> list[list[str]]:
    """The rooms of each layer, top first, as the import contract names them."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    [contract] = [each for each in contracts["contracts"] if each.get("containers") == ["arcana_pipelines"]]
    return [[room.strip() for room in re.split(r"[|:]", layer)] for layer in contract["layers"]]


def arrows() -> set[tuple[str, str]]:
    """Which room imports which, from the imports in the code."""
    import grimp

    graph = grimp.build_graph("arcana_pipelines", cache_dir=None)
    found = set()
    for module in graph.modules:
        for imported in graph.find_modules_directly_imported_by(module):
            pair = (_room(module), _room(imported))
            if pair[0] != pair[1] and all(pair):
                found.add(pair)
    return found


def _room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def reduced(pairs: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """The arrows without those that follow from others, so that a drawing of them can be read."""
    pairs = set(pairs)
    reached: dict[str, set[str]] = {}

    def reach(room: str) -> set[str]:
        if room not in reached:
            below = {low for high, low in pairs if high == room}
            reached[room] = below.union(*(reach(low) for low in below))
        return reached[room]

    return {
        (high, low) for high, low in pairs if not any(low in reach(via) for top, via in pairs if top == high != via)
    }


def drawing() -> str:
    """The rooms by layer, and who imports whom, for mermaid."""
    lines = ["```mermaid", "flowchart TB"]
    for number, layer in enumerate(layers()):
        lines.append(f'    subgraph layer{number}[" "]')
        lines.extend(f"        {room}[{room}]" for room in layer)
        lines.append("    end")
    # Invisible links keep a layer below the one above it, also where no arrow does.
    lines.extend(f"    {above[0]} ~~~ {below[0]}" for above, below in pairwise(layers()))
    lines.extend(f"    {high} --> {low}" for high, low in sorted(reduced(arrows())))
    return "\n".join([BEGIN, *lines, "```", END])


def architecture() -> str:
    """The page with the drawing between its two markers written anew."""
    page = ARCHITECTURE.read_text(encoding="utf-8")
    before, after = page.split(BEGIN)[0], page.split(END)[1]
    return before + drawing() + after


def figures() -> list[tuple[str, str, tuple[str, ...], str, str]]:
    """What Prometheus is told: name in queries, kind, labels, meaning, and whether it is counted or read."""
    from prometheus_client.metrics import MetricWrapperBase

    from arcana_pipelines.db.engine import Database
    from arcana_pipelines.monitoring.catalogue import FIGURES
    from arcana_pipelines.settings import Settings
    from arcana_pipelines.web.metrics import OF_CACHES, OF_LOOKUPS, OF_REPLICA, Metrics

    metrics = Metrics(Database(Settings(database_url="postgresql://nobody@localhost/nothing")))  # type: ignore[arg-type]
    counted = []
    for collector in {id(each): each for each in metrics.registry._names_to_collectors.values()}.values():
        if isinstance(collector, MetricWrapperBase):
            name = f"{collector._name}_total" if collector._type == "counter" else collector._name
            counted.append((name, collector._type, collector._labelnames, collector._documentation, "server"))
    for figure in (*OF_CACHES, *OF_LOOKUPS, *OF_REPLICA):
        counted.append((figure.shown, figure.kind, figure.labels, figure.help, "server"))
    read = [(each.shown, each.kind, each.labels, each.help, "database") for each in FIGURES]
    return [*sorted(counted), *read]


def monitoring() -> str:
    """The page with the table of figures between its two markers written anew."""
    page = MONITORING.read_text(encoding="utf-8")
    rows = [
        [f"`{name}`", kind, ", ".join(f"`{label}`" for label in labels), _cell(meaning), by]
        for name, kind, labels, meaning, by in figures()
    ]
    table = "\n".join([BEGIN_FIGURES, "", *_table(["name", "kind", "labels", "meaning", "of"], rows), "", END_FIGURES])
    return page.split(BEGIN_FIGURES)[0] + table + page.split(END_FIGURES)[1]


PAGES: dict[Path, Callable[[], str]] = {
    FOLDER / "cli.md": cli,
    FOLDER / "settings.md": settings,
    FOLDER / "tables.md": tables,
    FOLDER / "python.md": python,
    FOLDER / "rooms.md": rooms,
    FOLDER / "definitions.json": definitions,
    ARCHITECTURE: architecture,
    MONITORING: monitoring,
}


def _cell(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


def _table(head: list[str], rows: Iterable[list[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]


def _page(lines: list[str]) -> str:
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for path, write in PAGES.items():
        path.write_text(write(), encoding="utf-8")
