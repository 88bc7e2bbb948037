"""Tells figures to Prometheus: as a collector in a server that is scraped, or as a file for node_exporter."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, start_http_server, write_to_textfile
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from arcana_pipelines.db.engine import Database
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.monitoring.backups import read_backups
from arcana_pipelines.monitoring.catalogue import BY_NAME
from arcana_pipelines.monitoring.figures import read
from arcana_pipelines.monitoring.sample import Sample

# Several Prometheuses, or an impatient one, do not make the database work more often.
KEPT_SECONDS = 15.0
# In a large installation a reading takes a second: then it is done in a twentieth of the time at most.
LONG_SECONDS, SHARE_OF_TIME = 1.0, 0.05
# To list a bucket takes a while, and costs something.
BACKUPS_KEPT_SECONDS = 600.0


class Figures(Collector):
    """The figures of one database, read when they are asked for and kept for some seconds. Threads may share it."""

    def __init__(
        self, database: Database, kept_seconds: float = KEPT_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`database`: as the application. `clock` gives seconds that only grow."""
        self._database, self.kept_seconds, self._clock = database, kept_seconds, clock
        self._lock = threading.Lock()
        self._read_again_at = self._backups_read_at = float("-inf")
        self._samples: list[Sample] = []
        self._of_backups: list[Sample] = []

    def describe(self) -> Iterable[Metric]:
        """Nothing: the names are registered without asking the database."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """See `Collector.collect`."""
        with self._lock:
            if (began := self._clock()) >= self._read_again_at:
                self._samples = read(self._database)
                took = self._clock() - began
                self._read_again_at = began + max(self.kept_seconds, took / SHARE_OF_TIME if took > LONG_SECONDS else 0)
            if self._clock() - self._backups_read_at >= BACKUPS_KEPT_SECONDS:
                self._of_backups, self._backups_read_at = list(read_backups(self._database.settings)), self._clock()
            samples = [*self._samples, *self._of_backups]
        yield from _families(samples)


def _families(samples: Iterable[Sample]) -> Iterable[Metric]:
    families: dict[str, GaugeMetricFamily | CounterMetricFamily] = {}
    for sample in samples:
        family = families.get(sample.name)
        if family is None:
            figure = BY_NAME[sample.name]
            made = CounterMetricFamily if figure.kind == "counter" else GaugeMetricFamily
            family = families[sample.name] = made(figure.name, figure.help, labels=figure.labels)
        family.add_metric(sample.labels, sample.value)
    return families.values()


def listen(registry: CollectorRegistry, host: str, port: int, option: str) -> int:
    """Answer Prometheus at this address, in a thread of its own; returns the port.

    Raises:
        WrongUse: it cannot be listened at; `option` names what to choose anew.
    """
    try:
        server, _ = start_http_server(port, host, registry)
    except OSError as error:
        raise WrongUse(
            f"{host}:{port} cannot be listened at ({error.strerror or error}): choose another {option}."
        ) from error
    return int(server.server_port)


def write_textfile(registry: CollectorRegistry, file: Path) -> None:
    """Write what a scrape would get into a file, whole or not at all.

    Raises:
        WrongUse: it cannot be written.
    """
    try:
        write_to_textfile(str(file), registry)
    except OSError as error:
        raise WrongUse(f"{file} cannot be written ({error.strerror or error}).") from error
    file.chmod(0o644)  # node_exporter is another user
