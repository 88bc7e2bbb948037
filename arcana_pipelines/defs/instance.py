"""Dagster's own instance: `dagster.yaml` in ARCANA_HOME, its tables in the schema `dagster` of our database."""

from __future__ import annotations

import os
from pathlib import Path

import dagster as dg
from sqlalchemy.exc import OperationalError

from arcana_pipelines.db.engine import DAGSTER_SCHEMA, DAGSTER_VARIABLE, Database
from arcana_pipelines.defs.instance_file import fault
from arcana_pipelines.errors import InvalidSetting
from arcana_pipelines.home import make_home
from arcana_pipelines.settings import Settings

_MEND_HOME = "Unset it, and ARCANA_HOME/dagster is used, or make the folder and give its absolute path."

# Unless it says where, Dagster keeps the logs of runs below DAGSTER_HOME, too.
DAGSTER_YAML = Path(__file__).with_name("dagster.yaml")


def prepare(database: Database) -> None:
    """Write `dagster.yaml` if it is missing, make the schema, and point this process's environment at both.

    A DAGSTER_HOME that is set already is the user's own instance and is left alone.
    """
    os.environ[DAGSTER_VARIABLE] = database.dagster_url
    with database.connection() as connection:
        # IF NOT EXISTS asks for the right to make one even where there is one.
        if connection.execute("SELECT to_regnamespace(%s)", [DAGSTER_SCHEMA]).fetchone() == (None,):
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {DAGSTER_SCHEMA}")
    if not os.environ.get("DAGSTER_HOME"):
        home = database.settings.dagster_home
        make_home(database.settings.home)
        _write_yaml(home)
        os.environ["DAGSTER_HOME"] = str(home)
    check_home(database.settings)


def check_home(settings: Settings) -> Path:
    """Where Dagster's instance is; refused where Dagster could not use it. Nothing is made or opened.

    Raises:
        InvalidSetting: DAGSTER_HOME is not an absolute path of a folder, or the `dagster.yaml` cannot be used.
    """
    named = os.environ.get("DAGSTER_HOME", "")
    if named and not Path(named).is_absolute():
        raise InvalidSetting(f"DAGSTER_HOME is '{named}', which is not an absolute path. {_MEND_HOME}")
    if named and not Path(named).is_dir():
        raise InvalidSetting(f"DAGSTER_HOME is '{named}', where there is no folder. {_MEND_HOME}")
    home = Path(named) if named else settings.dagster_home
    fault = _fault(home / "dagster.yaml")
    if fault is not None:
        raise InvalidSetting(
            f"The file {home / 'dagster.yaml'} cannot be used: {fault}. Correct it, {_other_way(home, settings)}."
        )
    return home


def is_own_home(home: Path, settings: Settings) -> bool:
    """Whether the Dagster of this folder is Arcana's alone: it is ours, or its `dagster.yaml` is made from ours."""
    if home == settings.dagster_home or home.resolve() == settings.dagster_home.resolve():
        return True
    file = home / "dagster.yaml"
    return file.exists() and DAGSTER_VARIABLE in file.read_text(encoding="utf-8-sig")


def keeps_runs_here(settings: Settings) -> bool:
    """Whether Dagster's runs are in our database, and so in its backups. Nothing is made or opened.

    Raises:
        InvalidSetting: see `check_home`.
    """
    file = (home := check_home(settings)) / "dagster.yaml"
    if not file.exists():
        return home == settings.dagster_home  # ours is written there
    return DAGSTER_VARIABLE in file.read_text(encoding="utf-8-sig")


def require_own_home(settings: Settings) -> None:
    """Refuse to start a daemon on the user's own Dagster, whose runs and schedules it would start, too.

    Raises:
        InvalidSetting: DAGSTER_HOME names another folder than ours, and its `dagster.yaml` is not made from ours.
    """
    if not is_own_home(home := check_home(settings), settings):
        raise InvalidSetting(
            f"DAGSTER_HOME is {home}, a Dagster that is not Arcana's: `arcana up` would start a second daemon on it, "
            "which takes its runs and schedules, too. Unset DAGSTER_HOME, and ARCANA_HOME/dagster is used; or add "
            "Arcana to that Dagster (docs/embedding-in-dagster.md)."
        )


def _fault(file: Path) -> str | None:
    known = os.environ.get(DAGSTER_VARIABLE)
    os.environ.setdefault(DAGSTER_VARIABLE, "postgresql+psycopg2:///")  # what our file reads: each command sets it
    try:
        return fault(file)
    finally:
        if known is None:
            del os.environ[DAGSTER_VARIABLE]


def open_instance(database: Database) -> dg.DagsterInstance:
    """Dagster's instance, its tables created.

    Raises:
        InvalidSetting: DAGSTER_HOME is not a folder, or its dagster.yaml or the storage that it names cannot be used.
    """
    prepare(database)
    home = Path(os.environ["DAGSTER_HOME"])
    try:
        return _opened(str(home))
    except Exception as error:  # the file may name any class, and each raises what it likes
        raise InvalidSetting(
            f"Dagster cannot be opened as {home / 'dagster.yaml'} says: {_said(error)}. "
            f"Correct it, {_other_way(home, database.settings)}."
        ) from error


def _said(error: BaseException) -> str:
    """Why the instance did not open. Only the kind is told of what may repeat a password."""
    causes = [error]
    while (cause := causes[-1].__cause__) is not None and cause not in causes:
        causes.append(cause)
    told = [cause for cause in causes if isinstance(cause, (OperationalError, OSError))]
    if told:
        said = str(getattr(told[0], "orig", None) or told[0]).partition("\n")[0]
    elif isinstance(error, (dg.DagsterError, ImportError, AttributeError)):
        said = " ".join(str(error).split())
    else:
        said = ""
    return said.rstrip(".") or type(error).__name__


def _other_way(home: Path, settings: Settings) -> str:
    """What to do instead of correcting a `dagster.yaml`."""
    if home == settings.dagster_home:
        return "or delete it to get the defaults back"
    return "or unset DAGSTER_HOME to use Arcana's own"


def _opened(home: str) -> dg.DagsterInstance:
    """The instance. Commands of ours send no statistics to Dagster where its file does not allow it."""
    try:
        from dagster._core.instance.ref import InstanceRef
    except ImportError:
        return dg.DagsterInstance.get()
    read = InstanceRef.from_dir(home)
    if "telemetry" not in read.settings:
        read = read._replace(settings={**read.settings, "telemetry": {"enabled": False}})
    return dg.DagsterInstance.from_ref(read)


def _write_yaml(home: Path) -> None:
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = home / "dagster.yaml"
    if not path.exists():
        path.write_text(DAGSTER_YAML.read_text(encoding="utf-8"), encoding="utf-8")
