"""Each figure that is derived from the database: its name, its labels, and what it says.

Labels come from sets that are ours (states, modes, causes, tables), besides the workspace's slug and names that an
operator gave to an index or a target. None holds a title, a path, a query, a name of a person, or what an error said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure as Prometheus gets it.

    Attributes:
        name: with its unit; a counter's without the `_total` that Prometheus sees.
        help: what it says, as a sentence.
        labels: what tells its series apart.
        kind: a `counter` only grows.
    """

    name: str
    help: str
    labels: tuple[str, ...] = ()
    kind: Literal["gauge", "counter"] = "gauge"

    @property
    def shown(self) -> str:
        """The name that queries have."""
        return f"{self.name}_total" if self.kind == "counter" else self.name


_WORKSPACE = ("workspace",)
_TARGET = ("workspace", "target", "kind")
_INDEX = ("workspace", "index")

FIGURES = (
    Figure("arcana_database_up", "1: the database answered the last reading; 0: it did not, and says nothing else."),
    Figure("arcana_read_timestamp_seconds", "When all of this was read."),
    Figure("arcana_read_seconds", "How long that took."),
    Figure("arcana_build_info", "1: this release is at work.", ("version",)),
    # What is served, and how old it is.
    Figure("arcana_workspaces", "Workspaces.", ("status",)),
    Figure("arcana_publish_timestamp_seconds", "When an index changed last.", _INDEX),
    Figure("arcana_documents", "Documents that an index serves.", _INDEX),
    Figure("arcana_chunks", "Chunks that an index serves.", _INDEX),
    Figure("arcana_sync_timestamp_seconds", "When the newest finished sync ended.", _WORKSPACE),
    Figure(
        "arcana_fresh_timestamp_seconds", "When the index was last known to be as the source. Active ones.", _WORKSPACE
    ),
    # Runs.
    Figure(
        "arcana_syncs_day",
        "Syncs that began within a day: finished, running, interrupted by a person, or failed (which a killed one is).",
        ("workspace", "mode", "outcome"),
    ),
    Figure("arcana_sync_seconds", "How long the newest finished sync took.", ("workspace", "mode")),
    Figure("arcana_generations", "Syncs and estimates that ever began.", _WORKSPACE, "counter"),
    Figure("arcana_dagster_runs", "Runs in Dagster that are not over, of all its jobs.", ("status",)),
    Figure("arcana_dagster_runs_day", "Runs in Dagster that ended within a day.", ("status",)),
    Figure("arcana_dagster_queue_seconds", "How long the first run has waited in Dagster's queue; 0: none waits."),
    # What is read, and what waits.
    Figure("arcana_pages", "Pages, tickets and articles in the ledger.", ("workspace", "state")),
    Figure("arcana_files", "Files in the ledger.", ("workspace", "state")),
    Figure("arcana_removals_waiting", "Pages whose removal waits for a person.", _WORKSPACE),
    Figure("arcana_poll_failures", "Looks in a row that could not ask the source.", _WORKSPACE),
    Figure(
        "arcana_source_paused_seconds", "How long the source still wants not to be asked; 0: it may be.", _WORKSPACE
    ),
    Figure("arcana_events_waiting", "Changes that a webhook told and no sync has looked at.", _WORKSPACE),
    Figure("arcana_events_waiting_seconds", "How long the first of these has waited.", _WORKSPACE),
    Figure("arcana_batch_texts_waiting", "Texts that wait for the provider's batch interface.", _WORKSPACE),
    Figure("arcana_batch_waiting_seconds", "How long the first of these has waited.", _WORKSPACE),
    # What embeddings cost.
    Figure("arcana_embedding_tokens_month", "Tokens embedded this month (UTC).", _WORKSPACE),
    Figure("arcana_embedding_usd_month", "What that cost, in US dollars.", _WORKSPACE),
    Figure("arcana_embedding_budget_usd", "What it may cost in a month. Workspaces with a limit.", _WORKSPACE),
    # Targets.
    Figure("arcana_target_lag_seconds", "How long what waits first has waited.", _TARGET),
    Figure("arcana_target_documents_waiting", "To be delivered.", _TARGET),
    Figure("arcana_target_documents_parked", "Refused by the store.", _TARGET),
    Figure("arcana_target_failures", "Attempts in a row that failed.", _TARGET),
    Figure("arcana_target_live", "1: proven equal to what PostgreSQL serves.", _TARGET),
    # Topics and tickets.
    Figure("arcana_topics", "Topics of documents.", ("workspace", "origin")),
    Figure("arcana_topics_waiting", "Documents that wait for a person.", _WORKSPACE),
    Figure("arcana_topics_waiting_seconds", "How long the first has waited.", _WORKSPACE),
    Figure("arcana_topic_unknown_paths", "That came with documents.", _WORKSPACE),
    Figure("arcana_topic_coverage_ratio", "Documents with a topic, of all.", _WORKSPACE),
    Figure(
        "arcana_topic_assigned_ratio",
        "Of documents that bring the path of a node, those that have a topic.",
        _WORKSPACE,
    ),
    Figure("arcana_topic_matched_ratio", "Of documents that bring a path, those whose path is a node's.", _WORKSPACE),
    Figure("arcana_summaries", "Tickets by their summary.", ("workspace", "state")),
    Figure("arcana_summary_tokens_today", "Used since midnight UTC.", _WORKSPACE),
    # What people should know.
    Figure("arcana_alerts", "Open alerts; `broken` or `waiting` for a person.", ("cause", "severity", "workspace")),
    Figure("arcana_alerts_untold", "Alerts that one of their receivers has not taken for ten minutes."),
    Figure("arcana_component_state", "0: as it should be; 1: degraded; 2: down.", ("component",)),
    # Backups, where BACKUP_TO is set; read every ten minutes.
    Figure("arcana_backup_place_up", "1: the place of backups answers."),
    Figure("arcana_backup_timestamp_seconds", "The moment that the newest backup shows; 0: there is none."),
    Figure("arcana_backup_proven_timestamp_seconds", "When a drill last found a backup equal; 0: never."),
    # The server below.
    Figure("arcana_database_bytes", "What the database takes on its disk."),
    Figure("arcana_table_bytes", "What a table takes, with its indexes and all of its parts.", ("table",)),
    Figure("arcana_table_rows", "Rows, as the server estimates.", ("table",)),
    Figure("arcana_table_dead_rows", "Rows that are gone and take space until they are vacuumed.", ("table",)),
    Figure("arcana_connections", "Connections to this database, of all programs.", ("state",)),
    Figure("arcana_connections_most", "Connections that the server allows, to all databases."),
    Figure("arcana_locks_waiting", "Sessions that wait for a lock."),
    Figure("arcana_oldest_transaction_seconds", "How long the oldest open transaction is open."),
    Figure("arcana_statements_long", "Statements that have run for a minute or more."),
    Figure("arcana_statements_slow", "Kinds of statements that take a second on average (pg_stat_statements)."),
    Figure("arcana_statement_slowest_seconds", "The longest of these averages (pg_stat_statements)."),
    Figure("arcana_home_free_bytes", "Free on the disk of ARCANA_HOME, as who reads this sees it."),
    Figure("arcana_home_disk_bytes", "What that disk holds."),
)

BY_NAME = {figure.name: figure for figure in FIGURES}
