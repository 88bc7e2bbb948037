"""The topics of the sample workspaces: a version of their taxonomy, and rules that find some of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from arcana_pipelines import demo
from arcana_pipelines.classification.conditions import Conditions
from arcana_pipelines.classification.rules import add_rule
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.retrieval.filters import Filters, PropertyCondition
from arcana_pipelines.taxonomy.exchange.csv_file import read_csv
from arcana_pipelines.taxonomy.labels import read_path
from arcana_pipelines.taxonomy.lookup import lookup
from arcana_pipelines.taxonomy.stored_versions import versions
from arcana_pipelines.taxonomy.versions import promote, store_draft
from arcana_pipelines.workspaces.workspaces import Workspace

FILE = Path(demo.__file__).parent / "taxonomy.csv"
VERSION = "1.0.0"


_Rule = tuple[str, str, Conditions]
# Each with its name and its topic.
_RULES: Mapping[str, Sequence[_Rule]] = {
    "handbook": (
        ("Time off", "People/Time off", Conditions(title=("vacation", "휴가"))),
        ("보안", "Workplace/Security and privacy", Conditions(Filters(below="보안과 데이터"))),
        ("Safety", "Robots/Safety", Conditions(Filters(properties=[PropertyCondition("Tags", "=", "Safety")]))),
    ),
    "support": (
        ("Invoices", "Customers/Invoices", Conditions(Filters(properties=[PropertyCondition("Type", "=", "Invoice")]))),
        ("Orders", "Customers/Parts and deliveries",
         Conditions(Filters(properties=[PropertyCondition("Type", "=", "Order")]))),
    ),
}  # fmt: skip


def add_sample_taxonomy(connection: Connection, workspace: Workspace) -> bool:
    """Give a sample workspace that was synced its topics; the next sync classifies its documents.

    False: it has had a taxonomy, and nothing is done: what somebody made of it, or dropped, stays as it is.
    """
    workspace_id = workspace.workspace_id
    if versions(connection, workspace_id):
        return False
    given = read_csv(FILE.read_text(encoding="utf-8"), FILE.name)
    store_draft(connection, workspace_id, given.nodes, VERSION, "the sample", "Topics of the handbook and the helpdesk")
    promote(connection, workspace_id, VERSION)
    rules = _RULES.get(workspace.slug, ())
    topics = lookup.require(connection, workspace_id, [read_path(path) for _, path, _ in rules])
    for name, path, conditions in rules:
        add_rule(connection, workspace_id, name, topics[read_path(path)], conditions)
    return True
