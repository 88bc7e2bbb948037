"""`arcana doctor`: check what this installation needs and say how to repair it."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shlex
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial

import click
import psycopg
from sqlalchemy.exc import SQLAlchemyError

from arcana_pipelines import plugins
from arcana_pipelines.audit import chain
from arcana_pipelines.cli.output import json_option, local_time, print_json, runnable, say
from arcana_pipelines.configuration.check import problems_of
from arcana_pipelines.credentials.cipher import KeyRing
from arcana_pipelines.credentials.store import key_ids
from arcana_pipelines.db import schema
from arcana_pipelines.db.embedded import lease
from arcana_pipelines.db.embedded.private_folders import closing_mode
from arcana_pipelines.db.engine import Database, require_installation
from arcana_pipelines.db.replica import CONNECT_SECONDS, OTHER_HISTORY, position_of, problem_of, replica_database
from arcana_pipelines.db.server import check_server, companies_without_role, reader, refuse_unbound
from arcana_pipelines.environment import EnvFile
from arcana_pipelines.errors import ArcanaError
from arcana_pipelines.files.parsing.probe import probe as probe_parsers
from arcana_pipelines.files.stores.probe import probe as probe_files
from arcana_pipelines.home import is_empty
from arcana_pipelines.indexes.builds import live_builds
from arcana_pipelines.indexes.health import Finding as HealthFinding
from arcana_pipelines.indexes.health import inspect_indexes, pgvector
from arcana_pipelines.indexes.targets.probe import probe
from arcana_pipelines.indexes.targets.targets import all_targets
from arcana_pipelines.keys import keys
from arcana_pipelines.learning import reports
from arcana_pipelines.learning.health import EMBEDDER
from arcana_pipelines.monitoring.installation import installation_state
from arcana_pipelines.multilingual_e5.weights_file import checked_weights, weights_problem
from arcana_pipelines.net.asked import asked
from arcana_pipelines.observing import traces
from arcana_pipelines.operations.database_advice import advice, machine_of, server_sizes
from arcana_pipelines.operations.disk import disk_of
from arcana_pipelines.operations.encryption import in_public, is_encrypted_volume, ways
from arcana_pipelines.operations.source_tokens import token_checks
from arcana_pipelines.settings import Settings, load_settings
from arcana_pipelines.ui.address import PREFIX
from arcana_pipelines.workspaces.workspaces import list_all

Finding = tuple[str, bool, str]

# What one check may take.
SECONDS = 3
# A segment of PostgreSQL's log, which it makes before it writes on.
_NOTHING_BYTES = 16 * 2**20


@click.command(name="doctor")
@json_option
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """Check the environment; exit 1 when something needs repair."""
    findings = list(_findings())
    if as_json:
        print_json({"checks": [{"name": name, "ok": ok, "detail": detail} for name, ok, detail in findings]})
    else:
        for name, ok, detail in findings:
            say(f"[{'green' if ok else 'red'}]{'ok  ' if ok else 'FAIL'}[/] {{}}: {{}}", name, runnable(detail))
    context.exit(0 if all(ok for _, ok, _ in findings) else 1)


def _findings() -> Iterator[Finding]:
    yield ("python", sys.version_info >= (3, 11), f"{sys.version.split()[0]} (3.11 or newer is needed)")
    try:
        settings = load_settings()
    except ArcanaError as error:
        yield ("settings", False, str(error))
        return
    yield ("settings", True, f"ARCANA_HOME is {settings.home}")
    yield from _env_files()
    yield _tried("home", lambda: _writable(settings))
    yield _tried("dagster", lambda: _dagster_home(settings))
    yield _tried("runs", lambda: _runs(settings))
    yield _tried("schedules", lambda: _schedules(settings))
    installed = _tried("installation", lambda: _installation(settings))
    yield installed
    targets: dict[str, str] = {}
    embedder = _tried("embedder", lambda: _embedder(settings))
    if installed[1]:
        database = Database(settings)
        click.get_current_context().call_on_close(database.close)
        yield from _database(database, targets, embedder[1])
        yield from _secrets_in_reach(settings)
    if settings.embedding_provider == "local" or weights_problem() is None:
        yield _tried("weights", _weights)
    yield embedder
    if settings.reranker_url or settings.reranker != "endpoint":
        yield _tried("reranker", lambda: _reranker(settings))
    if settings.oauth_issuer is not None:
        yield _tried("oauth", lambda: _issuer(settings))
    if (ui := settings.dagster_ui_url) is not None:
        yield _tried("dagster ui", lambda: _dagster_ui(settings, ui))
    if settings.redis_url is not None:
        yield _tried("cache", lambda: _cache(settings))
    if settings.summary_model is not None:
        yield _tried("summaries", lambda: _summaries(settings))
    if settings.files == "on":
        yield _tried("file_store", lambda: probe_files(settings, SECONDS))
        yield _tried("parsers", lambda: probe_parsers(settings))
    yield from _backups(settings)
    yield from _alerts(settings)
    yield _tried("monitoring", lambda: _monitoring(settings))
    yield _tried("encryption", lambda: _encryption(settings, targets))


def _database(database: Database, places: dict[str, str], embeds: bool) -> Iterator[Finding]:
    """The server, the schema, and what needs both; what cannot be reached is told once.

    `places` gets where targets are; `embeds`: the embedding provider has just answered.
    """
    server = _tried("database", lambda: _server(database))
    yield server
    if not server[1]:
        return
    with database.connection() as connection:
        only_searches = reader(connection) is not None
    if only_searches:
        yield _tried("schema", lambda: _schema_of_reader(database))
        return
    schema_found = _tried("schema", lambda: _schema(database))
    yield schema_found
    if not schema_found[1]:
        return
    yield _tried("companies", lambda: _companies(database))
    yield _tried("serving", lambda: _serving(database))
    if database.settings.search_database_url is not None:
        yield _tried("replica", lambda: _replica(database))
    yield _tried("tuning", lambda: _tuning(database))
    yield _tried("audit log", lambda: _audit_log(database))
    yield _tried("health", lambda: _health(database, embeds))
    yield _tried("size", lambda: _size(database))
    if database.settings.run_launcher != "local":
        yield _tried("machines", lambda: _machines(database))
    yield from _stored_tokens(database)
    yield from _indexes(database)
    yield from _targets(database, places)
    yield from _models(database)
    for name, check in token_checks(database, SECONDS):
        yield _tried(name, check)


def _stored_tokens(database: Database) -> Iterator[Finding]:
    """Whether the tokens in the database can be read; nothing is told where there are none."""
    with database.connection() as connection:
        used = key_ids(connection)
    if used:
        yield _tried("tokens", lambda: _readable(database.settings, used))


def _readable(settings: Settings, used: dict[str, int]) -> str:
    ring = KeyRing.of(settings)
    ring.require(list(used))
    older = sum(number for key_id, number in used.items() if key_id != ring.current.key_id)
    left = f", {older} with the one before: `arcana config rotate-encryption-key`" if older else ""
    return f"{sum(used.values())} in the database, encrypted with the key {ring.current.key_id}{left}"


def _secrets_in_reach(settings: Settings) -> Iterator[Finding]:
    """What a server that was taken over could read beside its own files; nothing is told where it is nothing."""
    if settings.database_url is None and (files := lease.secrets_in_reach(settings.home)):
        names = " ".join(shlex.quote(str(path)) for path in files)
        yield ("secrets", False, f"the user that the embedded PostgreSQL runs as could read these: chmod o-r {names}")


def _env_files() -> Iterator[Finding]:
    """The files `.env…` that were read, and what is wrong with them."""
    files: list[EnvFile] = click.get_current_context().find_root().obj
    for file in files:
        problems = list(problems_of(file))
        yield from ((".env", False, problem) for problem in problems)
        if not problems:
            left_out = f"; not ours and left out: {', '.join(file.left_out)}" if file.left_out else ""
            yield (".env", True, f"{file.path} is read{left_out}")


def _backups(settings: Settings) -> Iterator[Finding]:
    """Whether the place of backups can be read; nothing is told where there is none."""
    if settings.backup_to is None:
        return
    try:
        yield ("backups", True, asked(partial(_newest_backup, settings)).result(SECONDS))
    except TimeoutError:
        yield ("backups", False, f"{settings.backup_to} did not answer within {SECONDS:.0f} seconds")
    except ArcanaError as error:
        yield ("backups", False, str(error))


def _newest_backup(settings: Settings) -> str:
    from arcana_pipelines.backup import manifest
    from arcana_pipelines.backup.vault import open_vault

    assert settings.backup_to is not None
    with open_vault(settings.backup_to, settings) as vault:
        made = manifest.newest(vault)
        hidden = "encrypted" if vault.is_encrypted else "NOT encrypted (ENCRYPTION_KEY was not set)"
        return f"the newest of {local_time(made.at)} ({made.kind}), {hidden}, at {vault.place.shown}"


def _tried(name: str, check: Callable[[], str]) -> Finding:
    try:
        return (name, True, check())
    except (ArcanaError, psycopg.Error, SQLAlchemyError, OSError) as error:
        return (name, False, next(iter(str(error).splitlines()), type(error).__name__))


def _writable(settings: Settings) -> str:
    home = settings.home
    if home.is_dir():
        disk = disk_of(home)
        if disk is not None and disk.free_bytes < _NOTHING_BYTES:
            todo = 'Make room (docs/incidents.md, "The disk is full")'
            raise ArcanaError(f"the disk of {home} is full: {disk.said}. {todo}")
        if not os.access(home, os.W_OK | os.X_OK):
            # As in a container with a read-only root, whose volumes are mounted below it.
            if settings.database_url is not None and os.access(settings.storage_root, os.W_OK | os.X_OK):
                return f"{settings.storage_root} is writable"
            raise ArcanaError(f"{home} is not writable: set ARCANA_HOME, or change its permissions")
        mode = closing_mode(home)
        if mode is not None and is_empty(home):
            return f"{home} is writable; it is empty, and will be closed to others"
        if mode is not None:
            raise ArcanaError(
                f"others can get into {home} (mode {stat.S_IMODE(home.stat().st_mode):o}), where an older release may "
                f"have left files that they can read: chmod {mode} {shlex.quote(str(home))}"
            )
        return f"{home} is writable"
    if home.exists() or home.is_symlink():
        raise ArcanaError(f"{home} is not a folder: set ARCANA_HOME to one")
    parent = next(folder for folder in home.parents if folder.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise ArcanaError(f"{home} cannot be made: {parent} is not a folder that you can write to. Set ARCANA_HOME")
    return f"{home} will be made"


def _dagster_home(settings: Settings) -> str:
    from arcana_pipelines.defs.instance import check_home

    home = check_home(settings)
    if not os.environ.get("DAGSTER_HOME"):
        return "its home is in ARCANA_HOME"
    if not (home / "dagster.yaml").exists():
        return f"its home is {home} (DAGSTER_HOME), which has no dagster.yaml: Dagster keeps its runs in files there"
    return f"its home is {home} (DAGSTER_HOME)"


def _runs(settings: Settings) -> str:
    """Where runs are started, and whether they could be now."""
    from arcana_pipelines.defs.instance import check_home
    from arcana_pipelines.defs.launcher_check import looked_at

    return f"started {looked_at(settings, check_home(settings), SECONDS)} (RUN_LAUNCHER)"


def _schedules(settings: Settings) -> str:
    from arcana_pipelines.defs.schedule_times import require_times, times_by_name

    require_times(settings)
    times = ", ".join(f"{name} {cron}" for name, cron in times_by_name(settings).items())
    return f"{times} ({settings.schedule_time_zone})"


def _installation(settings: Settings) -> str:
    require_installation(settings)
    return "an embedded database" if settings.database_url is None else "the database of DATABASE_URL"


def _server(database: Database) -> str:
    with database.connect(connect_timeout=SECONDS) as connection:
        user = reader(connection)
        if user is None:
            check_server(connection)
        may = "" if user is None else f"; '{user}' may only search, and commands that sync or change need the owner's"
        return f"PostgreSQL {connection.info.server_version // 10000} at {database.safe_url}{may}"


def _indexes(database: Database) -> Iterator[Finding]:
    """pgvector, and whatever is wrong with an index; of those that are well only how many there are."""
    with database.connection() as connection:
        finding = pgvector(connection)
        yield (finding.name, finding.ok, finding.detail)
        looked_at = [
            (row.slug, each) for row in list_all(connection) for each in inspect_indexes(connection, row.workspace_id)
        ]
    for slug, each in looked_at:
        if not each.ok:
            yield (f"{each.name} of {slug}", False, each.detail)
    yield ("indexes", all(each.ok for _, each in looked_at), _of_indexes([each for _, each in looked_at]))


def _of_indexes(looked_at: list[HealthFinding]) -> str:
    serving = sum(each.name.startswith("indexes of ") for each in looked_at)
    measured = sum(each.name.startswith("recall of ") for each in looked_at)
    if not serving:
        return "none serves yet"
    bad = [each.name for each in looked_at if not each.ok]
    counted = f"{serving} serving" if serving > 1 else "1 serves"
    if bad:
        return f"{counted}; not well: {', '.join(bad)}"
    recall = f", {measured} approximate with enough recall" if measured else ""
    return f"{counted}: valid and of a fit size{recall}"


def _targets(database: Database, places: dict[str, str]) -> Iterator[Finding]:
    """The store of each target."""
    with database.connection() as connection:
        targets = all_targets(connection)
    places.update({f"target {each.name} of {each.slug}": each.location for each in targets})
    for each in probe(database.settings, targets, SECONDS):
        target = each.target
        waiting = f"; {target.waiting} documents wait" if target.waiting else ""
        refused = f"; {target.parked} are refused: `arcana target verify {target.slug}`" if target.parked else ""
        said = f"{each.said}, {target.state}{waiting}{refused}"
        if each.problem is not None:
            said = f"{each.problem} What is published waits for it{waiting}; PostgreSQL answers searches"
        yield (f"target {target.name} of {target.slug}", each.problem is None, said)


def _machines(database: Database) -> str:
    """What runs on other machines would not find there, unless its folder is shared."""
    settings = database.settings
    with database.connection() as connection:
        targets = [each for each in all_targets(connection) if each.location.startswith("/")]
        exports = [row.slug for row in list_all(connection) if "path" in row.source_config]
    here = [f"the target {each.name} of {each.slug}" for each in targets]
    here += [f"the export of {slug}" for slug in exports]
    if settings.files == "on" and settings.s3_bucket_name is None:
        here.append("the bytes of files (S3_BUCKET_NAME is not set)")
    if not here:
        return "runs share the database and nothing else"
    return (
        f"{', '.join(here)}: in a folder. Every machine needs that folder at the same path, on a shared file system "
        "(docs/many-machines.md)"
    )


def _schema(database: Database) -> str:
    schema.require_current(database)
    differences = schema.drift(database)
    if differences:
        raise ArcanaError(f"{len(differences)} differences from the models: `arcana db check` lists them")
    return f"revision {schema.newest_revision()}, no drift"


def _companies(database: Database) -> str:
    with database.connection() as connection:
        without_role = companies_without_role(connection)
    if without_role is None:
        return "none can be served: the database has no roles arcana_server and arcana_tenant (docs/operating.md)"
    if without_role:
        raise ArcanaError(
            f"{without_role} cannot be served, for the database's user may make no roles: let a superuser give it "
            "CREATEROLE (ALTER ROLE … CREATEROLE), and run `arcana db upgrade`"
        )
    return "each is read by a role of its own"


def _serving(database: Database) -> str:
    """Whether `arcana serve` could begin: its secrets, and a user whom policies bind."""
    settings = database.settings
    if settings.api_key_salt is None:
        with database.connection() as connection:
            made = keys.good(connection)
        if made:
            said = (
                f"API_KEY_SALT is not set here, by which the keys of programs in the database ({made}) are checked: a "
                "server opens none of them. Set it to what it was; with a new one (`arcana config init`) new keys have "
                "to be made"
            )
            # The server may be another machine's, and what it needs is not kept on this one.
            if settings.database_url is None:
                raise ArcanaError(said)
            return said
    if settings.api_key_salt is None or settings.secret_key is None:
        return "`arcana serve` is not set up: `arcana config init` makes its secrets"
    if settings.database_url is not None and settings.serve_database_url is None:
        return "SERVE_DATABASE_URL is not set: `arcana serve` needs a user who may serve companies (docs/serving.md)"
    served = Database(settings, serves=True)
    with closing(served.connect(connect_timeout=SECONDS)) as connection:
        refuse_unbound(connection)
        user = connection.info.user
    if importlib.util.find_spec("fastapi") is None:
        raise ArcanaError("pip install 'arcana-pipelines[serve]' brings what `arcana serve` needs")
    return f"`arcana serve` has its secrets, and '{user}' sees nothing but for the company of a key"


def _replica(database: Database) -> str:
    """Whether searches could be read from the replica: what it is, and how far behind."""
    with closing(replica_database(database.settings)) as opened:
        with closing(opened.connect(connect_timeout=CONNECT_SECONDS)) as connection:
            replica = position_of(connection)
            refuse_unbound(connection)
        with database.connection() as connection:
            primary = position_of(connection)
    problem = problem_of(primary, replica)
    if problem is None and replica.position > primary.position:
        problem = OTHER_HISTORY
    if problem is not None:
        raise ArcanaError(f"the replica at {opened.safe_url} is not read: {problem}")
    behind = primary.position - replica.position
    return f"{opened.safe_url} is a standby of the database, and {behind:,} bytes of its log behind"


def _issuer(settings: Settings) -> str:
    """Whether tokens of the issuer could be looked at: its keys are asked for, and nothing else."""
    with plugins.optional("OAUTH_ISSUER", "serve"):
        from arcana_pipelines.web.issuer import Issuer
    signing = Issuer(settings, SECONDS).fetch()
    return f"{settings.oauth_issuer} has {len(signing)} key{'s' if len(signing) > 1 else ''} for tokens that it signs"


def _dagster_ui(settings: Settings, url: str) -> str:
    """Whether Dagster's web server answers where `arcana serve` would pass it on, which can be done here."""
    from arcana_pipelines.web.dagster_ui.upstream import check

    asyncio.run(check(url, SECONDS))
    if settings.database_url is not None and settings.serve_database_url is None:
        raise ArcanaError("Dagster's web server answers, and no server has it: SERVE_DATABASE_URL is not set")
    return f"Dagster's web server answers at {url}; `arcana serve` has it below {PREFIX}"


def _cache(settings: Settings) -> str:
    """Whether Redis answers as fast as searches wait for it, and drops what is old when it is full."""
    settings.require("SECRET_KEY")
    with plugins.optional("REDIS_URL", "serve"):
        from arcana_pipelines.caching.redis import looked_at
    return looked_at(settings)


def _tuning(database: Database) -> str:
    """What would suit the server better; none of it fails."""
    settings = database.settings
    most = settings.database_pool_size + settings.database_max_overflow
    with database.connection() as connection:
        sizes = server_sizes(connection)
        told = advice(sizes, machine_of(connection, settings.database_url is None), most)
    kept = (
        f"{sizes.database_size / 1e6:,.0f} MB in the database, {most} connections a process at most, "
        f"{sizes.connections} in all"
    )
    return f"{kept}. Advice: {'; '.join(told)}" if told else kept


def _audit_log(database: Database) -> str:
    with database.connection() as connection:
        found = chain.verified(connection)
    if not found.is_whole:
        raise ArcanaError(f"{found.problem} `arcana audit list` shows what is there")
    return f"{found.entries} rows, each as it was written"


def _health(database: Database, embeds: bool) -> str:
    """What servers and the daemon have said of what they need; not of an embedder that failed here a moment ago."""
    with database.connection() as connection:
        told = [
            each for each in reports.health(connection) if embeds or each.state != "ok" or each.component != EMBEDDER
        ]
    if bad := [each for each in told if each.state != "ok"]:
        first = bad[0]
        raise ArcanaError(
            f"{first.reporter}: {first.component} is {first.state} since {first.at:%H:%M} UTC. {first.detail}"
        )
    return (
        ", ".join(f"{each.reporter}: {each.component}" for each in told) + " are well"
        if told
        else "nothing was told yet"
    )


def _size(database: Database) -> str:
    """What the database takes, and what of it is bloated, slow or open too long; a full disk is a fault."""
    with database.connection() as connection:
        state = installation_state(connection, database.settings.home)
    told = "; ".join([f"the database takes {state.database_bytes / 1e6:,.0f} MB", *state.problems])
    if state.slow_statements is None:
        told += "; statements are not timed (docs/monitoring.md)"
    if state.disk is not None and state.disk.is_nearly_full:
        raise ArcanaError(f"{told}: docs/monitoring.md says what can be done")
    return told


def _monitoring(settings: Settings) -> str:
    """How logs are written, and whether the collector of traces takes some: none are sent."""
    told = f"logs are {'JSON' if settings.log_format == 'json' else 'text'}"
    if settings.otel_exporter_otlp_endpoint is None:
        return f"{told}; no traces (OTEL_EXPORTER_OTLP_ENDPOINT is not set)"
    if not traces.is_taken(SECONDS):
        raise ArcanaError(f"{settings.otel_exporter_otlp_endpoint} takes no traces (OTEL_EXPORTER_OTLP_ENDPOINT)")
    return f"{told}; {settings.otel_exporter_otlp_endpoint} takes traces"


def _schema_of_reader(database: Database) -> str:
    schema.require_current(database)
    return f"revision {schema.newest_revision()}, which searches can read; the owner's doctor looks at the rest"


def _models(database: Database) -> Iterator[Finding]:
    """The models of indexes that new indexes do not get: each embeds the queries to its index."""
    from arcana_pipelines.embedding.registry import model_of

    of_indexes: dict[tuple[str, int], list[str]] = {}
    with database.connection() as connection:
        for workspace in list_all(connection):
            for build in live_builds(connection, workspace.workspace_id, filling=True):
                used = of_indexes.setdefault((build.embedding_model, build.settings.dimensions), [])
                used.append(f"{build.index_name} of {workspace.slug}")
    for (model, dimensions), indexes in of_indexes.items():
        if (model, dimensions) != model_of(database.settings):
            name, ok, detail = _tried(f"model {model}", partial(_answers, database.settings, model, dimensions))
            yield (name, ok, f"{', '.join(dict.fromkeys(indexes))}: {detail}")


def _weights() -> str:
    return f"{checked_weights()} is the file that this release was made for"


def _embedder(settings: Settings) -> str:
    from arcana_pipelines.embedding.registry import model_of

    return _answers(settings, *model_of(settings))


def _answers(settings: Settings, model: str, dimensions: int) -> str:
    from arcana_pipelines.embedding.registry import probe

    probe(settings.model_copy(update={"openai_timeout": SECONDS, "openai_max_retries": 0}), model, dimensions)
    return f"{model} answers with {dimensions} dimensions"


def _reranker(settings: Settings) -> str:
    from arcana_pipelines.retrieval.reranking.registry import open_reranker

    reranker = open_reranker(settings)
    assert reranker is not None
    named = settings.reranker_model or str(settings.reranker_model_path or "its model")
    one, other = reranker.scores("Which animal says moo?", ["Cows say moo.", "The invoice is due in May."])
    if one <= other:
        raise ArcanaError(f"it answers, and prefers an invoice to a cow: is {named} a reranker?")
    return f"{named} answers"


def _summaries(settings: Settings) -> str:
    from arcana_pipelines.tickets.summaries.probe import looked_at

    return (
        f"{looked_at(settings, SECONDS)}; the sensor ticket_summaries has the tickets of every workspace but the "
        f"sample's sent there, {settings.summary_budget:,} tokens a day and workspace at most (SUMMARY_BUDGET). Switch "
        "it off in Dagster to stop that"
    )


def _alerts(settings: Settings) -> Iterator[Finding]:
    """Each receiver of alerts, as far as that is seen without telling it anything."""
    from arcana_pipelines.alerts.registry import receivers

    opened = receivers(settings)
    if not opened:
        yield (
            "alerts", True, "no one is told: set ALERT_WEBHOOK_URL, ALERT_EMAIL_TO or ALERT_PAGERDUTY_KEY, or watch "
            "`arcana status --check`",
        )  # fmt: skip
    for receiver in opened:
        yield _tried(f"alerts by {receiver.name}", partial(receiver.check, SECONDS))
    named = {route.receiver for route in settings.routes_of_alerts}
    if named and (left_out := [each.name for each in opened if each.name not in named]):
        yield ("alerts", True, f"ALERT_ROUTES leaves out {', '.join(left_out)}")


def _encryption(settings: Settings, targets: dict[str, str]) -> str:
    """What goes to other machines unencrypted, and where what is kept lies; fails where the way is the Internet's."""
    found = ways(settings, targets)
    if public := in_public(found, SECONDS):
        raise ArcanaError(
            "; ".join(
                f"{way.name} goes to {way.host}, in the Internet, unencrypted: use {way.instead}" for way in public
            )
        )
    open_ways = [f"{way.name} to {way.host} (instead: {way.instead})" for way in found if not way.is_encrypted]
    unproven = [f"{way.name} to {way.host} ({way.instead})" for way in found if way.is_encrypted and way.instead]
    said = ["all that leaves this machine is encrypted" if found else "nothing leaves this machine"]
    if open_ways:
        said = [f"NOT encrypted, so for networks of your own alone: {', '.join(open_ways)}"]
    if unproven:
        said.append(f"encrypted, with nobody proving who answers: {', '.join(unproven)}")
    lies: dict[bool | None, str] = {
        True: "is on a volume that the kernel encrypts",
        False: "is on a volume that the kernel does not encrypt",
        None: "is on a volume of which the kernel does not tell whether it is encrypted",
    }
    said.append(f"{settings.home} {lies[is_encrypted_volume(settings.home)]}")
    if settings.encryption_key is None:
        said.append("no ENCRYPTION_KEY, so no tokens in the database and backups that anyone can read")
    return "; ".join(said)
