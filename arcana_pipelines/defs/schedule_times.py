"""The times of our schedules: whether they are any, and when they come. No schedule is made here."""

from __future__ import annotations

import datetime as dt
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence

import dagster as dg

from arcana_pipelines.errors import InvalidSetting
from arcana_pipelines.settings import ScheduleTimes

ZONE = "time_zone"
# The schedules by the key of their time, which is that of a variable (SCHEDULE_AUDIT) and of the component's YAML.
NAMES = {
    "audit": "audit_sweep",
    "quality": "quality_sweep",
    "check_installation": "installation_sweep",
    "maintenance": "maintenance_sweep",
    "backup": "backup_sweep",
}
LOG_SWEEP, LOG_TIMES = "backup_log_sweep", "*/10 * * * *"  # no setting: it is how much a lost machine costs at most
# A schedule has one job, and so there is one of audits for each asset that reads workspaces; all come at one time.
AUDIT_SCHEDULES = {"notion_pages": NAMES["audit"], "support_tickets": "ticket_audit_sweep"}


def cron_of(times: ScheduleTimes, key: str) -> str:
    """When the schedule with this key comes."""
    return str(getattr(times, f"schedule_{key}"))


def times_by_name(times: ScheduleTimes) -> dict[str, str]:
    """When each of our schedules comes, those of audits first."""
    others = {name: cron_of(times, key) for key, name in NAMES.items() if key != "audit"}
    return {**dict.fromkeys(AUDIT_SCHEDULES.values(), cron_of(times, "audit")), **others, LOG_SWEEP: LOG_TIMES}


def require_times(times: ScheduleTimes) -> None:
    """Refuse times that never come.

    Raises:
        InvalidSetting: a time or the time zone is none that Dagster knows.
    """
    wrong = time_problems({key: cron_of(times, key) for key in (*NAMES, ZONE)})
    if wrong:
        raise InvalidSetting(
            "; ".join(f"SCHEDULE_{key.upper()}: {problem}" for key, problem in wrong.items())
            + ". Correct the environment or the .env file (.env.example explains each variable)."
        )


def time_problems(at: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with each of these times (keys of `NAMES`) and the time zone, by key. No value is repeated."""
    problems = {}
    for key, value in at.items():
        if key == ZONE:
            if not value.strip() or not _is_taken("0 3 * * *", value):
                problems[key] = "must be the name of a time zone, for example Asia/Seoul or UTC"
        elif not _is_taken(value, "UTC"):
            problems[key] = (
                "must be a cron expression of five fields (minute, hour, day of the month, month, day of the week), "
                "for example 0 3 * * * for every day at three"
            )
        elif not _ever_comes(value):
            problems[key] = "must be a time that comes: no month has that day"
    return problems


def coming(cron: str | Sequence[str], time_zone: str | None) -> Iterator[dt.datetime] | None:
    """The times at which a schedule comes from now on; None where this release of Dagster does not say."""
    try:
        from dagster._utils.schedules import schedule_execution_time_iterator
    except ImportError:
        return None
    return schedule_execution_time_iterator(time.time(), cron, time_zone)


def _is_taken(cron: str, time_zone: str) -> bool:
    """Whether Dagster takes them for a schedule."""
    with warnings.catch_warnings():
        # Of intervals such as */40, which the schedule itself then warns of.
        warnings.simplefilter("ignore", UserWarning)
        try:
            dg.ScheduleDefinition(name="tried", job_name="tried", cron_schedule=cron, execution_timezone=time_zone)
        except dg.DagsterInvalidDefinitionError:
            return False
    return True


def _ever_comes(cron: str) -> bool:
    """False for "0 0 31 4 *": Dagster takes it, and its daemon then fails at each look. True where it does not say."""
    times = coming(cron, "UTC")
    if times is None:
        return True
    try:
        next(times)
    except Exception:
        return False
    return True
