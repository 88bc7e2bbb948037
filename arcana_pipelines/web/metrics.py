"""What the server counts of itself, for Prometheus, on a port of its own: no key opens it, and no proxy should.

Labels come from closed sets (routes as they are written, methods, statuses), so that nobody can make series. Targets
are named by workspace and name: who makes them is an operator.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from http import HTTPMethod

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Receive, Scope, Send

from arcana_pipelines.caching.caches import Caches, Level, Outcome
from arcana_pipelines.db.engine import Database
from arcana_pipelines.errors import ArcanaError, WrongUse
from arcana_pipelines.indexes.targets.targets import all_targets
from arcana_pipelines.taxonomy.counts import ORIGINS, topic_counts
from arcana_pipelines.taxonomy.lookup import lookup
from arcana_pipelines.tickets.summaries.counts import summary_counts
from arcana_pipelines.web.outcomes import answered, route_of

log = logging.getLogger(__name__)

# Of seconds. A search takes a few hundredths, a first one some tenths.
_BUCKETS = (0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 1.2, 2.5, 5, 10)
_OTHER = "other"
_METHODS = frozenset(HTTPMethod)


class Metrics:
    """The counts of one server."""

    def __init__(self, database: Database) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter(
            "arcana_http_requests",
            "Requests that were answered.",
            ("route", "method", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "arcana_http_request_seconds", "How long answers took.", ("route",),
            buckets=_BUCKETS, registry=self.registry,
        )  # fmt: skip
        self._caches = Counter(
            "arcana_cache", "Values that were asked for.", ("level", "outcome"), registry=self.registry
        )
        self.in_progress = Gauge("arcana_http_requests_in_progress", "Requests being answered.", registry=self.registry)
        connections = Gauge("arcana_database_connections_used", "Connections in use.", registry=self.registry)
        connections.set_function(lambda: database.pool.lent)
        most = Gauge("arcana_database_connections_most", "Connections that may be in use.", registry=self.registry)
        most.set(database.settings.database_pool_size + database.settings.database_max_overflow)
        self.registry.register(_Lookups())

    def listen(self, host: str, port: int) -> int:
        """Answer Prometheus at this address, in a thread of its own; returns the port.

        Raises:
            WrongUse: it cannot be listened at.
        """
        try:
            server, _ = start_http_server(port, host, self.registry)
        except OSError as error:
            raise WrongUse(
                f"{host}:{port} cannot be listened at ({error.strerror or error}): choose another --metrics-port."
            ) from error
        return int(server.server_port)

    def note(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        self._requests.labels(route, method if method in _METHODS else _OTHER, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def note_cache(self, level: Level, outcome: Outcome) -> None:
        """Count a value that was asked for: a hit, a miss, or one that was being made for another."""
        self._caches.labels(level, outcome).inc()

    def watch_caches(self, caches: Caches) -> None:
        """Measure what they hold."""
        megabytes = Gauge("arcana_cache_megabytes", "What caches hold.", ("level",), registry=self.registry)
        if caches.redis is not None:  # all levels are in one
            megabytes.labels("all").set_function(caches.embeddings.megabytes)
            return
        for cache in (caches.embeddings, caches.searches):
            megabytes.labels(cache.level).set_function(cache.megabytes)

    def watch_targets(self, database: Database) -> None:
        """Tell how far the targets of all workspaces are behind. `database`: as the application."""
        self.registry.register(_Targets(database))

    def watch_summaries(self, database: Database) -> None:
        """Tell how many tickets have summaries. `database`: as the application."""
        self.registry.register(_Summaries(database))

    def watch_topics(self, database: Database) -> None:
        """Tell what documents are about, and what waits for a person. `database`: as the application."""
        self.registry.register(_Topics(database))


class _Lookups(Collector):
    """Reads, whenever Prometheus asks, how often paths of topics were known without asking the database."""

    def collect(self) -> Iterator[Metric]:
        """See `Collector.collect`. Nothing until a path was looked up."""
        report = lookup.report()
        if not report.asked:
            return
        asked = CounterMetricFamily("arcana_topic_lookups", "Paths that were looked up.", labels=("outcome",))
        asked.add_metric(("hit",), report.hits)
        asked.add_metric(("miss",), report.misses)
        left = CounterMetricFamily("arcana_topic_lookups_left", "Paths kept no longer.", labels=("why",))
        left.add_metric(("expired",), report.expired)
        left.add_metric(("evicted",), report.evicted)
        yield from (asked, left, GaugeMetricFamily("arcana_topic_lookups_kept", "Paths kept.", value=report.size))


class _Topics(Collector):
    """Reads, whenever Prometheus asks, how many documents have topics, and how many wait."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def describe(self) -> Iterable[Metric]:
        """Nothing, as for targets."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """See `Collector.collect`. Nothing while the database is away, and nothing where there is no taxonomy."""
        labels = ("workspace",)
        assigned = GaugeMetricFamily("arcana_topics", "Topics of documents.", labels=("workspace", "origin"))
        waiting = GaugeMetricFamily("arcana_topics_waiting", "Documents that wait for a person.", labels=labels)
        age = GaugeMetricFamily("arcana_topics_waiting_seconds", "How long the first has waited.", labels=labels)
        unknown = GaugeMetricFamily("arcana_topic_unknown_paths", "That came with documents.", labels=labels)
        coverage = GaugeMetricFamily("arcana_topic_coverage_ratio", "Documents with a topic, of all.", labels=labels)
        try:
            with self._database.connection() as connection:
                counts = topic_counts(connection)
        except ArcanaError as error:
            log.warning("topics are not told to Prometheus: %s", error)
            return
        for each in counts:
            names = (each.workspace,)
            for origin in ORIGINS:
                assigned.add_metric((each.workspace, origin), each.assigned.get(origin, 0))
            waiting.add_metric(names, each.waiting)
            since = each.waits_since
            age.add_metric(names, (datetime.now(UTC) - since).total_seconds() if since else 0)
            unknown.add_metric(names, each.unknown_paths)
            if each.coverage is not None:
                coverage.add_metric(names, each.coverage)
        if counts:
            yield from (assigned, waiting, age, unknown, coverage)


class _Summaries(Collector):
    """Reads, whenever Prometheus asks, how many tickets have summaries."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def describe(self) -> Iterable[Metric]:
        """Nothing, as for targets."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """See `Collector.collect`. Nothing while the database is away, and nothing where no workspace has tickets."""
        states = GaugeMetricFamily("arcana_summaries", "Tickets by their summary.", labels=("workspace", "state"))
        tokens = GaugeMetricFamily("arcana_summary_tokens_today", "Used since midnight UTC.", labels=("workspace",))
        try:
            with self._database.connection() as connection:
                counts = summary_counts(connection)
        except ArcanaError as error:
            log.warning("summaries are not told to Prometheus: %s", error)
            return
        for each in counts:
            for state in ("made", "failed", "waiting", "under_way"):
                states.add_metric((each.workspace, state), getattr(each, state))
            tokens.add_metric((each.workspace,), each.tokens_today)
        if counts:
            yield from (states, tokens)


class _Targets(Collector):
    """Reads, whenever Prometheus asks, what waits for targets."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def describe(self) -> Iterable[Metric]:
        """Nothing: the names are registered without asking the database."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """See `Collector.collect`. Nothing while the database is away, so that the other counts are told."""
        labels = ("workspace", "target", "kind")
        lag = GaugeMetricFamily("arcana_target_lag_seconds", "How long what waits first has waited.", labels=labels)
        waiting = GaugeMetricFamily("arcana_target_documents_waiting", "To be delivered.", labels=labels)
        parked = GaugeMetricFamily("arcana_target_documents_parked", "Refused by the store.", labels=labels)
        failures = GaugeMetricFamily("arcana_target_failures", "Attempts in a row that failed.", labels=labels)
        live = GaugeMetricFamily("arcana_target_live", "1: proven equal to what PostgreSQL serves.", labels=labels)
        try:
            with self._database.connection() as connection:
                targets = all_targets(connection)
        except ArcanaError as error:
            log.warning("targets are not told to Prometheus: %s", error)
            return
        for target in targets:
            names = (target.slug, target.name, target.kind)
            lag.add_metric(names, target.lag_seconds)
            waiting.add_metric(names, target.waiting)
            parked.add_metric(names, target.parked)
            failures.add_metric(names, target.failures)
            live.add_metric(names, target.state == "live")
        yield from (lag, waiting, parked, failures, live)


class Metered:
    """An ASGI application in front of another: counts what that answers."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See `Metered`."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        def note(status: int, seconds: float) -> None:
            self._metrics.note(route_of(scope), scope["method"], status, seconds)

        with self._metrics.in_progress.track_inprogress():
            await answered(self._app, scope, receive, send, note)
