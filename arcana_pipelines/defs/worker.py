"""A machine that carries out runs for `RUN_LAUNCHER=celery`: Celery's worker, set up as the launcher is.

Each run has a process of its own, forked from one that has loaded the definitions: it begins within a tenth of a
second, and leaves nothing behind for the next.

https://docs.celeryq.dev/en/stable/userguide/workers.html
"""

from __future__ import annotations

import importlib
import logging
import secrets
import socket
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from arcana_pipelines.db.engine import Database
from arcana_pipelines.db.query import scalar
from arcana_pipelines.db.schema import require_current
from arcana_pipelines.defs.instance import open_instance
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.plugins import optional

log = logging.getLogger(__name__)

DEFINITIONS = "arcana_pipelines.definitions"
_NAMESPACE = 7270066  # of the advisory locks of runs


def work(database: Database, runs: int, queues: Sequence[str], name: str, is_ready: Callable[[], None]) -> int:
    """Carry out runs until SIGTERM, which lets those that have begun come to their end; returns an exit code.

    Args:
        runs: how many at once.
        queues: those that runs are taken from.
        name: how this worker's name begins (see `node_name`).
        is_ready: called when runs are taken.

    Raises:
        WrongUse: runs are not started by Celery here, or its package is not installed.
        ArcanaError: the database, its schema or Dagster's instance cannot be used.
    """
    require_current(database)
    app = _app(database, is_ready)
    database.close()  # processes that fork must not share connections
    # What a run imports, before the first one begins.
    importlib.import_module(DEFINITIONS)
    arguments = {
        "--concurrency": runs,
        "--max-tasks-per-child": 1,
        "--queues": ",".join(queues),
        "--hostname": node_name(name),
    }
    code: int | None = app.worker_main(
        ["--quiet", "worker", *(str(each) for pair in arguments.items() for each in pair)]
    )
    return code or 0


def node_name(name: str) -> str:
    """A name that no other worker has: who asks all of them takes the answers of two of one name for one worker's."""
    return f"{name}-{secrets.token_hex(4)}@{socket.gethostname()}"


def _app(database: Database, is_ready: Callable[[], None]) -> Any:
    """Celery's, as the launcher of this machine's instance has it, with the task of runs."""
    with optional("`arcana worker`", "celery"):
        from celery.signals import worker_process_init, worker_ready
        from dagster_celery.launcher import CeleryRunLauncher
        from dagster_celery.make_app import make_app
    with open_instance(database) as instance:
        launcher = instance.run_launcher
    if not isinstance(launcher, CeleryRunLauncher):
        raise WrongUse(
            f"Runs are started by {type(launcher).__name__} here, and no worker gets them: RUN_LAUNCHER=celery is set "
            "for Dagster's daemon and for each worker (docs/many-machines.md)."
        )
    app: Any = make_app(launcher.app_args())  # type: ignore[no-untyped-call]
    # Lines are written as LOG_FORMAT says, and each once.
    app.conf.worker_hijack_root_logger = app.conf.worker_redirect_stdouts = False
    add_task(app, database)
    worker_process_init.connect(_may_have_children)
    worker_ready.connect(lambda **_: is_ready(), weak=False)
    return app


def add_task(app: Any, database: Database) -> Any:
    """Add what carries a run out, and nothing else that a message could name; returns it.

    A broker hands a run out twice after its link was cut, or when somebody says so who can write there. Dagster refuses
    one that has begun; of two that begin at once both would sync, as processes of one run that share its lease. Its
    task that goes on with a run that has begun would do the same to one that lives.
    """
    from dagster_celery.tasks import create_execute_job_task

    task = create_execute_job_task(app)
    task.run = partial(_once, database, task.run)
    return task


def _once(database: Database, carry_out: Callable[[Any], int], execute_job_args_packed: Any) -> int:
    """Carry a run out unless another process does, on whatever machine: for so long a lock of the database is its."""
    from dagster._grpc.types import ExecuteRunArgs
    from dagster._serdes import unpack_value

    run_id = unpack_value(execute_job_args_packed, as_type=ExecuteRunArgs).run_id
    with database.own_connection() as connection:
        if not scalar(connection, "SELECT pg_try_advisory_lock(hashtextextended(%s, %s))", [run_id, _NAMESPACE]):
            log.warning("run %s was handed out twice: another process carries it out", run_id)
            return 0
        return carry_out(execute_job_args_packed)


def _may_have_children(**_: object) -> None:
    """A run may compute in processes of its own (`WORKER_PROCESSES`), which Celery's could not start."""
    from billiard.process import current_process

    # No public way leads there: the property does not let itself be set in a process that runs.
    current_process()._config["daemon"] = False
