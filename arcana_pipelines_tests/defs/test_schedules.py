"""Times of the schedules: from the environment, in one time zone, and refused with a sentence where they are none."""

from __future__ import annotations

import pytest

from arcana_pipelines.defs.build import build_defs
from arcana_pipelines.defs.schedules import schedules
from arcana_pipelines.errors import InvalidSetting
from arcana_pipelines.settings import ScheduleTimes

VARIABLES = (
    "SCHEDULE_AUDIT",
    "SCHEDULE_QUALITY",
    "SCHEDULE_CHECK_INSTALLATION",
    "SCHEDULE_MAINTENANCE",
    "SCHEDULE_BACKUP",
)


def _times() -> dict[str, tuple[object, str | None]]:
    return {each.name: (each.cron_schedule, each.execution_timezone) for each in build_defs().schedules or ()}  # type: ignore[union-attr]


def test_every_schedule_is_at_the_time_of_its_variable_in_the_one_time_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    for hour, variable in enumerate(VARIABLES, start=7):
        monkeypatch.setenv(variable, f"10 {hour} * * MON-FRI")
    monkeypatch.setenv("SCHEDULE_TIME_ZONE", "Asia/Seoul")
    assert _times() == {
        "audit_sweep": ("10 7 * * MON-FRI", "Asia/Seoul"),
        "ticket_audit_sweep": ("10 7 * * MON-FRI", "Asia/Seoul"),
        "quality_sweep": ("10 8 * * MON-FRI", "Asia/Seoul"),
        "installation_sweep": ("10 9 * * MON-FRI", "Asia/Seoul"),
        "maintenance_sweep": ("10 10 * * MON-FRI", "Asia/Seoul"),
        "backup_sweep": ("10 11 * * MON-FRI", "Asia/Seoul"),
        "backup_log_sweep": ("*/10 * * * *", "Asia/Seoul"),
    }


def test_no_other_variable_is_needed_or_read_when_definitions_are_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "nonsense")
    monkeypatch.setenv("SCHEDULE_QUALITY", "")
    assert _times()["quality_sweep"] == ("0 5 * * *", "UTC"), "an empty variable is an unset one"


@pytest.mark.parametrize("variable", VARIABLES)
@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("hunter2", "cron expression"),
        ("7 3 * *", "five fields"),
        ("0 0 3 * * *", "five fields"),
        ("61 3 * * *", "cron expression"),
        ("@reboot", "cron expression"),
        ("0 0 31 4,6 *", "a time that comes"),
        ("0 0 30 2 *", "cron expression"),
    ],
)
def test_what_is_no_time_is_refused_with_its_variable(
    variable: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(InvalidSetting) as error:
        build_defs()
    assert variable in str(error.value) and said in str(error.value)
    assert value not in str(error.value), "it may be a secret at the wrong place"


@pytest.mark.parametrize("zone", ["Mars/Olympus", "KST", "+09:00", "Asia", "../../etc/passwd", "  "])
def test_what_is_no_time_zone_is_refused(zone: str) -> None:
    with pytest.raises(InvalidSetting, match="SCHEDULE_TIME_ZONE: must be the name of a time zone"):
        schedules(ScheduleTimes(schedule_time_zone=zone))


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(InvalidSetting) as error:
        schedules(ScheduleTimes(schedule_audit="x", schedule_maintenance="y", schedule_time_zone="z"))
    assert [name for name in (*VARIABLES, "SCHEDULE_TIME_ZONE") if name in str(error.value)] == [
        "SCHEDULE_AUDIT", "SCHEDULE_MAINTENANCE", "SCHEDULE_TIME_ZONE"
    ]  # fmt: skip
