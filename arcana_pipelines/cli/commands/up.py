"""`arcana up`: database, schema, sample workspace, then Dagster's web server and daemon, and the API, until Ctrl-C."""

from __future__ import annotations

import ctypes
import importlib.util
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import closing
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import FrameType
from uuid import UUID

import click

from arcana_pipelines import demo
from arcana_pipelines.backup.places import has_backups
from arcana_pipelines.cli.code_server import CodeServer
from arcana_pipelines.cli.database_changes import upgrade
from arcana_pipelines.cli.output import say
from arcana_pipelines.cli.runs import run_sync
from arcana_pipelines.cli.sample_taxonomy import add_sample_taxonomy
from arcana_pipelines.configuration.init import make_missing
from arcana_pipelines.db.embedded import lease
from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.environment import read_env_files
from arcana_pipelines.errors import ArcanaError, ModelMissing, WrongUse
from arcana_pipelines.home import make_home
from arcana_pipelines.keys import keys
from arcana_pipelines.keys.access import Permission, Scope
from arcana_pipelines.settings import Settings, load_settings
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.sources.registry import open_source
from arcana_pipelines.workspaces import workspaces

DEMO_SLUG, HELPDESK_SLUG = "handbook", "support"
DEMO_SOURCE = Path(demo.__file__).parent / "handbook"
START_SECONDS = 120.0
STOP_SECONDS = 60.0
LOG_BYTES = 10 * 1024 * 1024
LOGS_KEPT = 3
# A log that cannot be written (a full disk) is told so often, and ARCANA_HOME is looked for so often.
TELL_SECONDS = 60.0
LOOK_SECONDS = 5.0
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
# With `admin` the page's state says why something is as it is, and Dagster's UI is opened.
_OF_PAGE: tuple[Scope, ...] = ("search", "read", "feedback", "review", "admin")


@click.command(name="up")
@click.option("--port", type=click.IntRange(1, 65535), default=3000, show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="The UI has no log-in: mind who can reach it.")
@click.option(
    "--api-port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="Where `arcana serve` listens."
)
@click.option("--no-demo", is_flag=True, help="Do not register the sample workspaces in a new installation.")
def command(port: int, host: str, api_port: int, no_demo: bool) -> None:
    """Start everything: database, Dagster UI and daemon, sensors running, and the API. Ctrl-C stops it all.

    A new installation with the embedded database gets two sample workspaces, 'handbook' and 'support', and with the
    extra `serve` the secrets of `arcana config init`; with a database of DATABASE_URL none of it is made.
    """
    started = time.monotonic()
    _refuse_taken_port(host, port)
    settings = load_settings()
    _refuse_beside_backups(settings)
    from arcana_pipelines.defs.instance import check_home, prepare, require_own_home
    from arcana_pipelines.defs.launcher_check import require_heard
    from arcana_pipelines.defs.schedule_times import require_times

    require_own_home(settings)
    require_heard(settings, check_home(settings))
    require_times(settings)  # A time that is none is told here, not in Dagster's log.
    database = Database(settings, may_create=True)
    upgrade(database)
    say("Database ready ({})", database.safe_url)
    prepare(database)
    if not no_demo and settings.database_url is None:
        _prepare_demo(database)
    with database.connection() as connection:
        samples = {DEMO_SLUG, HELPDESK_SLUG}.intersection(workspaces.slugs(connection))
    database.close()
    why_not = _why_no_api(settings, host, api_port)
    api = _start_api(host, port, api_port, settings.home) if why_not is None else None
    server = _start_dagster(host, port, settings.home)
    # What is removed first and never made anew.
    place = lease.server_folder(settings.home) if settings.database_url is None else settings.home
    known = _inode(place)
    stopping = _forward_signals([each for each in (server, api) if each is not None])
    try:
        if _wait_until_up(server, host, port):
            _say_where(host, port, time.monotonic() - started, samples)
            if api is not None and _answers(api, host, api_port, "/readyz"):
                say("[bold]API:[/bold] {}   (arcana key create makes a key; docs/serving.md)", _api(host, api_port))
                _say_page(host, api_port)
            else:
                say("[yellow]The API is not served: {}[/yellow]", why_not or f"{settings.home / 'api.log'} says why.")
        code = _wait(server, place, known, CodeServer(f"http://{_reached(host)}:{port}"))
    finally:
        if api is not None:
            _stop(api)
        _stop(server)
    lease.release_lease(settings.home)
    if _inode(place) != known:
        raise ArcanaError(
            f"{place} was removed while it was in use, or something else was put in its place. Everything that ran "
            "here was stopped. What a backup has comes back by `arcana restore` (docs/disaster-recovery.md)."
        )
    if settings.database_url is None and lease.wait_until_stopped(settings.home):
        say("The database is stopped too.")
    if not stopping and code != 0:
        raise ArcanaError(f"Dagster ended by itself with code {code}; its log says why.")


def _refuse_beside_backups(settings: Settings) -> None:
    """Refuse to make a new installation where an old one seems to be lost: the place of backups has some.

    Raises:
        WrongUse: it has.
    """
    if settings.database_url is not None or settings.backup_to is None or lease.exists(settings.home):
        return
    try:
        has_some = has_backups(settings.backup_to, settings)
    except ArcanaError as error:
        say("[yellow]Whether there are backups of an older installation is not known: {}[/yellow]", error)
        return
    if has_some:
        raise WrongUse(
            f"There is no installation in {settings.home} (ARCANA_HOME), and there are backups in BACKUP_TO: `arcana "
            "restore` brings back what is lost; `arcana db upgrade` makes a new one on purpose, then start again."
        )


def _wait(server: subprocess.Popen[str], place: Path, known: int | None, code: CodeServer) -> int | None:
    """The code that a server ended with; None where it runs, and the folder that it works in is not there any more."""
    while True:
        try:
            return server.wait(LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            if _inode(place) != known:
                return None
            code.look()


def _inode(folder: Path) -> int | None:
    try:
        return folder.stat().st_ino
    except FileNotFoundError:
        return None


def _prepare_demo(database: Database) -> None:
    """Register and index the samples in an installation that has no workspace and had no handbook."""
    with database.connection() as connection:
        if workspaces.slugs(connection):
            return
        slugs = [DEMO_SLUG, HELPDESK_SLUG]
        rows = connection.execute("SELECT slug FROM retired_slug WHERE slug = ANY(%s)", [slugs])
        retired = {slug for (slug,) in rows}
    if DEMO_SLUG in retired:
        return
    folder = database.settings.home / "handbook"
    if not folder.exists():
        make_home(database.settings.home)
        shutil.copytree(DEMO_SOURCE, folder)
    try:
        _index_sample(database, DEMO_SLUG, "notion_export", {"path": str(folder)}, "Sample handbook", "pages")
    except ModelMissing as error:
        say("[yellow]There is no sample workspace: {}[/yellow]", error)
        return
    if HELPDESK_SLUG in retired:
        return
    try:
        open_source("sample_helpdesk", {}, None, HELPDESK_SLUG, database).close()
    except WrongUse as error:
        say("[yellow]There is no sample of tickets: {}[/yellow]", error)
        return
    _index_sample(database, HELPDESK_SLUG, "sample_helpdesk", {}, "Sample helpdesk", "documents")


def _index_sample(database: Database, slug: str, platform: str, config: dict[str, str], name: str, items: str) -> None:
    from arcana_pipelines.defs.registration import register

    register(database, slug, platform, config, name=name)
    ran = run_sync(database, slug, Mode.FULL)
    say(
        "Sample workspace '{}' indexed: {} {}, {} chunks in {} s",
        slug, ran.report.pages.added, items, ran.report.chunks.published, f"{ran.seconds:.1f}",
    )  # fmt: skip
    with database.connection() as connection:
        has_topics = add_sample_taxonomy(connection, workspaces.find(connection, slug))
    if has_topics:
        run_sync(database, slug, Mode.FULL)


def _start_dagster(host: str, port: int, home: Path) -> subprocess.Popen[str]:
    log = home / "dagster.log"
    say("Starting Dagster … (it writes to {})", log)
    # `dagster dev` holds a lease on the embedded database through its code server.
    dagster_dev = [sys.executable, "-W", "ignore", "-m", "arcana_pipelines.defs.dev", "--log-level", "warning"]
    command = [*dagster_dev, "-m", "arcana_pipelines.definitions", "-h", host, "-p", str(port)]
    # Dagster puts a file `.env` of its own folder over the environment; none of ours lies in this one.
    folder = home / "dagster"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return _start(command, home, log, {"ARCANA_UI_URL": f"http://{_shown(host)}:{port}"}, folder)


def _why_no_api(settings: Settings, host: str, port: int) -> str | None:
    """Why there can be no API here; None: there can be one, and it has its secrets."""
    if importlib.util.find_spec("fastapi") is None:
        return "pip install 'arcana-pipelines[serve]' brings what it needs."
    if settings.database_url is not None and settings.serve_database_url is None:
        return "SERVE_DATABASE_URL has to name a user who may serve companies (docs/serving.md)."
    try:
        _refuse_taken_port(host, port)
    except WrongUse:
        return f"port {port} is taken; --api-port chooses another."
    if settings.api_key_salt is None or settings.secret_key is None:
        if settings.database_url is not None:
            return "`arcana config init` makes the secrets that it needs."
        try:
            made = make_missing(click.get_current_context().find_root().obj)
        except WrongUse as error:
            return str(error)
        say("Made in {} (mode 600): {}", made.path, ", ".join(made.made))
    return None


def _start_api(host: str, ui_port: int, port: int, home: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "arcana_pipelines.cli", "serve", "--host", host, "--port", str(port)]
    return _start(command, home, home / "api.log", {"DAGSTER_UI_URL": f"http://{_reached(host)}:{ui_port}"}, home)


def _reached(host: str) -> str:
    """What a server that listens at an address of this machine is asked by."""
    return "127.0.0.1" if host == "0.0.0.0" else f"[{host}]" if ":" in host else host


def _api(host: str, port: int) -> str:
    return f"http://{_shown(host)}:{port}/v1"


def _say_page(host: str, port: int) -> None:
    """Where people search; on this machine with a link that logs in once."""
    from arcana_pipelines.web.people.sessions import Sessions

    page = f"http://{_shown(host)}:{port}/"
    read_env_files()  # the secrets may have been made since
    settings = load_settings()
    database = Database(settings)
    with closing(database), database.connection() as connection:
        companies = {workspace.company_id for workspace in workspaces.list_all(connection)}
        if host in _LOOPBACK and len(companies) == 1:
            once = Sessions(settings).write_link(_key_of_link(connection, settings, companies.pop()))
            say("[bold]Search page:[/bold] {}   (logs in once, in the next ten minutes)", f"{page}link?once={once}")
            return
    say("[bold]Search page:[/bold] {}   (no link logs in here: {})", page, _why_no_link(host, len(companies)))
    say(
        "  arcana key create --workspace SLUG --scope search --scope read --scope feedback   makes a key to log in with"
    )


def _why_no_link(host: str, companies: int) -> str:
    if host not in _LOOPBACK:
        return f"others can reach {host}, too"
    return "several companies share this database" if companies else "there is no workspace yet"


def _key_of_link(connection: Connection, settings: Settings, company_id: UUID) -> str:
    """The id of a key that is made for the link and that nobody has."""
    salt = settings.require("API_KEY_SALT").get_secret_value()
    granted = [Permission(scope, None, None) for scope in _OF_PAGE]
    return keys.create(connection, salt, company_id, granted, keys.LINK_NAME, 1).key_id


def _start(command: list[str], home: Path, log: Path, usual: dict[str, str], folder: Path) -> subprocess.Popen[str]:
    """Start a server that writes to a log; `usual` are variables where the environment has no other value."""
    # A session of its own: Ctrl-C reaches us alone and we stop it in order; PR_SET_PDEATHSIG stops it even
    # when we are killed.
    server = subprocess.Popen(
        command,
        # Safe path: no process imports a module of the directory that it was started in.
        env={**usual, **os.environ, "ARCANA_HOME": str(home), "PYTHONUNBUFFERED": "1", "PYTHONSAFEPATH": "1"},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
        preexec_fn=_listen_to_parent,
    )
    threading.Thread(target=_keep_log, args=(server, log), daemon=True).start()
    return server


class _Log(RotatingFileHandler):
    """A log that says now and then that it cannot be written, where `logging` would print a traceback for each line."""

    _told_at = -TELL_SECONDS

    def handleError(self, record: logging.LogRecord) -> None:
        """See `logging.Handler`."""
        if time.monotonic() - self._told_at >= TELL_SECONDS:
            self._told_at = time.monotonic()
            say("[yellow]{} cannot be written: {}[/yellow]", self.baseFilename, sys.exc_info()[1])


def _keep_log(server: subprocess.Popen[str], path: Path) -> None:
    """Write what a server says to a file that is turned over when it has grown large."""
    file = _Log(path, maxBytes=LOG_BYTES, backupCount=LOGS_KEPT, encoding="utf-8", delay=True)
    assert server.stdout is not None
    with server.stdout as lines, closing(file):
        for line in lines:
            file.emit(logging.LogRecord("server", logging.INFO, "", 0, line.rstrip("\n"), None, None))


def _listen_to_parent() -> None:
    """End when the parent ends, and hear SIGINT even when a shell started us in the background, deaf to it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGINT)


def _forward_signals(servers: list[subprocess.Popen[str]]) -> list[int]:
    received: list[int] = []

    def stop(number: int, _: FrameType | None) -> None:
        if not received:
            say("\nStopping …")
        for server in servers:
            server.send_signal(signal.SIGTERM if received else signal.SIGINT)
        received.append(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    return received


def _wait_until_up(server: subprocess.Popen[str], host: str, port: int) -> bool:
    return _answers(server, host, port, "/server_info", _refuse_unguarded)


def _answers(
    server: subprocess.Popen[str], host: str, port: int, path: str,
    look: Callable[[str, int], None] = lambda host, port: None,
) -> bool:  # fmt: skip
    """Whether a server answers at this path, and `look` takes what it is; waits for it."""
    shown = "127.0.0.1" if host == "0.0.0.0" else host
    deadline = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://{shown}:{port}{path}", timeout=2) as answer:
                if answer.status == 200:
                    look(shown, port)
                    return True
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    return False


def _refuse_unguarded(host: str, port: int) -> None:
    """Raise unless the UI refuses a host name that it was not given (docs/operating.md, "Security")."""
    stranger = urllib.request.Request(f"http://{host}:{port}/server_info", headers={"Host": "stranger.invalid"})
    try:
        with urllib.request.urlopen(stranger, timeout=10):
            pass
    except urllib.error.HTTPError as refused:
        with refused:
            if refused.code == 403:
                return
    raise ArcanaError(
        "This release of Dagster starts its web server without our guard, so any web page could reach it. Nothing is "
        "served: install a release that pyproject.toml allows."
    )


def _shown(host: str) -> str:
    return "localhost" if host in ("127.0.0.1", "0.0.0.0") else host


def _say_where(host: str, port: int, seconds: float, samples: set[str]) -> None:
    say(
        "\n[bold]Dagster UI:[/bold] {}   (up after {} s; Ctrl-C stops everything)",
        f"http://{_shown(host)}:{port}", round(seconds),
    )  # fmt: skip
    if DEMO_SLUG in samples:
        say("[bold]Try:[/bold]")
        say('  arcana search {} "How many vacation days carry over?"', DEMO_SLUG)
        say('  arcana search {} "부풀어 오른 배터리"', DEMO_SLUG)
        if HELPDESK_SLUG in samples:
            say('  arcana search {} "charger is amber and shows D-12"', HELPDESK_SLUG)
        say("  edit a file in {} and search again half a minute later", load_settings().home / "handbook")
    else:
        say("Next: arcana workspace add SLUG --source notion (or --source notion-export --path EXPORT)")


def _stop(server: subprocess.Popen[str]) -> None:
    if server.poll() is None:
        server.send_signal(signal.SIGINT)
    try:
        server.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _refuse_taken_port(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise WrongUse(
                f"Port {port} on {host} cannot be used ({error.strerror}). Choose another with --port."
            ) from error
