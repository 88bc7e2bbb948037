"""A machine that carries out runs for `RUN_LAUNCHER=celery`: Celery's worker, set up as the launcher is.

Each run has a process of its own, forked from one that has loaded the definitions: it begins within a tenth of a
second, and leaves nothing behind for the next.

https://docs.celeryq.dev/en/stable/userguide/workers.html
"""

from __future__ import annotations

import importlib
import socket
from collections.abc import Callable, Sequence
from typing import Any

from arcana_pipelines.db.engine import Database
from arcana_pipelines.db.schema import require_current
from arcana_pipelines.defs.instance import open_instance
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.plugins import optional

DEFINITIONS = "arcana_pipelines.definitions"


def work(database: Database, runs: int, queues: Sequence[str], name: str, is_ready: Callable[[], None]) -> int:
    """Carry out runs until SIGTERM, which lets those that have begun come to their end; returns an exit code.

    Args:
        runs: how many at once.
        queues: those that runs are taken from.
        name: of this worker among those of its host.
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
        "--hostname": f"{name}@{socket.gethostname()}",
    }
    code: int | None = app.worker_main(
        ["--quiet", "worker", *(str(each) for pair in arguments.items() for each in pair)]
    )
    return code or 0


def _app(database: Database, is_ready: Callable[[], None]) -> Any:
    """Celery's, as the launcher of this machine's instance has it, with the tasks of runs."""
    with optional("`arcana worker`", "celery"):
        from celery.signals import worker_process_init, worker_ready
        from dagster_celery.launcher import CeleryRunLauncher
        from dagster_celery.make_app import make_app
        from dagster_celery.tasks import create_execute_job_task, create_resume_job_task
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
    create_execute_job_task(app)
    create_resume_job_task(app)
    worker_process_init.connect(_may_have_children)
    worker_ready.connect(lambda **_: is_ready(), weak=False)
    return app


def _may_have_children(**_: object) -> None:
    """A run may compute in processes of its own (`WORKER_PROCESSES`), which Celery's could not start."""
    from billiard.process import current_process

    # No public way leads there: the property does not let itself be set in a process that runs.
    current_process()._config["daemon"] = False
