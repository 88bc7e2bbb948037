"""The asset that is backed up every night, where BACKUP_TO says where to, and the check that what was backed up can be
restored.

No postponed annotations here: Dagster reads the types of resources at run time.
"""

import datetime as dt
from collections.abc import Iterator

import dagster as dg

from arcana_pipelines.backup import manifest, wal
from arcana_pipelines.backup.create import create
from arcana_pipelines.backup.drill import drill, drills, is_proven
from arcana_pipelines.backup.manifest import Kind
from arcana_pipelines.backup.prune import prune
from arcana_pipelines.backup.vault import open_vault
from arcana_pipelines.defs.assets import OWNERS
from arcana_pipelines.defs.jobs import SHIP_JOB, tags_of
from arcana_pipelines.defs.names import ASSET_TAG
from arcana_pipelines.defs.resources import ArcanaResource
from arcana_pipelines.defs.tables import table
from arcana_pipelines.errors import BackupRefused, WrongUse
from arcana_pipelines.settings import Settings, load_settings

# Of the embedded server the files are backed up: all of them so often, and in between what changed.
FULL_EVERY = dt.timedelta(days=7)
PROVEN_WITHIN = dt.timedelta(days=1)
_OFF = "BACKUP_TO is not set: nothing is backed up."


@dg.asset(
    group_name="notion_index",
    kinds={"postgres"},
    tags={ASSET_TAG: "backups"},
    owners=OWNERS,
    code_version="1",
    description="Copies of the database, of files and settings in another place (BACKUP_TO), which are deleted when "
    "they are older than BACKUP_KEEP_DAYS. Without BACKUP_TO nothing is made.",
    output_required=False,
)
def backups(context: dg.AssetExecutionContext, arcana: ArcanaResource) -> Iterator[dg.MaterializeResult]:  # type: ignore[type-arg]  # as in assets.py
    """Back up the installation, and delete old backups."""
    database = arcana.database
    place = database.settings.backup_to
    if place is None:  # whoever materializes everything has not asked for backups
        context.log.info(_OFF)
        return
    now = dt.datetime.now(dt.UTC)
    made = create(database, place, _kind(database.settings, place, now))
    with open_vault(place, database.settings) as vault:
        try:
            pruned = prune(vault, database.settings.backup_keep_days, now)
        except BackupRefused:  # somebody reads there: tomorrow
            pruned = None
    told = made.manifest
    yield dg.MaterializeResult(
        metadata={
            "backup_id": told.backup_id,
            "kind": told.kind,
            "encrypted": made.is_encrypted,
            "bytes": dg.MetadataValue.int(told.kept),
            "seconds": round(told.seconds, 3),
            "files": told.objects,
            "files_missing": len(told.missing),
            "deleted": 0 if pruned is None else len(pruned.backups),
            "kept": dg.MetadataValue.int(pruned.kept) if pruned is not None else dg.MetadataValue.null(),
        }
    )


@dg.asset_check(
    asset=backups,
    description="A backup of the last day was restored somewhere, and was equal. Where none was, the newest is "
    "restored now, into a server of its own.",
)
def backup_is_proven(arcana: ArcanaResource) -> dg.AssetCheckResult:
    """Whether what was backed up can be restored."""
    settings = arcana.database.settings
    place = _place(settings)
    since = dt.datetime.now(dt.UTC) - PROVEN_WITHIN
    with open_vault(place, settings) as vault:
        is_known = is_proven(vault, since)
    if not is_known:
        drill(settings, place)
    with open_vault(place, settings) as vault:
        *_, last = drills(vault)
        passed = is_proven(vault, since)
    return dg.AssetCheckResult(
        passed=passed,
        metadata={
            "backup_id": last.backup_id,
            "restored_at": last.at,
            "restore_seconds": last.restore_seconds,
            "tables": last.tables,
            "rows": dg.MetadataValue.int(last.rows),
            "searches": last.searches,
            "files": dg.MetadataValue.int(last.files),
            "differences": table({"difference": "string"}, [[each] for each in last.differences]),
        },
    )


@dg.op
def ship_log(context: dg.OpExecutionContext, arcana: ArcanaResource) -> int:
    """Put the server's log of changes into the place; returns how many files of it."""
    database = arcana.database
    place = _place(database.settings)
    if not wal.is_kept(database):
        context.log.info("There was no backup yet with BACKUP_WAL: the log of changes is kept from the next one on.")
        return 0
    with open_vault(place, database.settings) as vault, vault.place.locked(exclusive=False):
        shipped = wal.ship(vault, database)
    context.log.info(f"Everything up to {shipped.until.isoformat()} can be restored.")
    return shipped.segments


@dg.job(
    name=SHIP_JOB,
    tags=tags_of(SHIP_JOB),
    executor_def=dg.in_process_executor,
    description="Puts the server's log of changes into the place of backups, so that any moment can be restored "
    "(BACKUP_WAL). The schedule `backup_log_sweep` runs it.",
)
def ship_changes() -> None:
    ship_log()


def wanted_backup(_: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """A backup, where there is a place for it."""
    yield dg.RunRequest() if load_settings().backup_to else dg.SkipReason(_OFF)


def wanted_log(_: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """The log of changes, where it is kept."""
    settings = load_settings()
    if settings.backup_to and settings.backup_wal == "on":
        yield dg.RunRequest()
    else:
        yield dg.SkipReason("BACKUP_WAL is off, or BACKUP_TO not set.")


def _place(settings: Settings) -> str:
    if settings.backup_to is None:
        raise WrongUse(_OFF)
    return settings.backup_to


def _kind(settings: Settings, place: str, now: dt.datetime) -> Kind:
    """Logical of a server of one's own; of the embedded one what changed, on a whole one that is not too old."""
    if settings.database_url is not None:
        return "logical"
    try:
        with open_vault(place, settings) as vault:
            whole = [each for each in manifest.all_of(vault) if each.kind == "full"]
    except BackupRefused:  # there is none yet, or `create` says why not
        return "full"
    return "incremental" if whole and now - whole[-1].at < FULL_EVERY else "full"
