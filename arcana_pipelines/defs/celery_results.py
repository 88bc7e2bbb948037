"""Where Celery's workers note what became of runs, and Dagster's daemon looks it up now and then."""

from __future__ import annotations

from celery.backends.redis import RedisBackend


class Results(RedisBackend):  # type: ignore[misc]
    """Celery's own, whoever hands runs over not listening for what becomes of them.

    Celery would subscribe to each run before it sends it, and nobody would read what comes: the broker keeps that until
    it ends the connection, and each run would be asked for again at each new one.
    """

    def on_task_call(self, producer: object, task_id: str) -> None:
        """See `RedisBackend`."""
