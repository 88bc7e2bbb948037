"""Open an export, whatever it is, or say in one sentence why it cannot be opened."""

from __future__ import annotations

import hashlib
import logging
import os
import stat
from pathlib import Path

from arcana_pipelines.errors import InvalidExport, SourceUnavailable
from arcana_pipelines.sources.notion_export.archive import Archive
from arcana_pipelines.sources.notion_export.catalogue import Catalogue
from arcana_pipelines.sources.notion_export.folder import FolderExport
from arcana_pipelines.sources.notion_export.names import ImpossiblePath, split_name
from arcana_pipelines.sources.notion_export.zipped import ZipExport

logger = logging.getLogger(__name__)

_HOW = "In Notion choose Settings > Export, format Markdown & CSV, and give the zip or the folder it unpacks to."


def open_export(path: Path, with_attachments: bool = False) -> Archive:
    """Look at an export now.

    Raises:
        InvalidExport: it is missing, is neither folder nor zip, is malformed, unsafe or empty.
        SourceUnavailable: the disk did not answer; trying again may help.
    """
    try:
        archive: FolderExport | ZipExport = (
            FolderExport(path, with_attachments) if _is_folder(path) else ZipExport(path, with_attachments)
        )
    except OSError as error:
        raise _refusal(path, error) from error
    except ImpossiblePath as error:
        raise not_safe(path, error) from error
    if not archive.files and not archive.problems:
        archive.close()
        raise InvalidExport(f"The export {path} holds no .md and no .csv file. {_hint(path, archive)}")
    if _is_html(archive):
        archive.close()
        raise InvalidExport(f"The export {path} holds no .md file. {_hint(path, archive)}")
    return archive


def _is_html(archive: FolderExport | ZipExport) -> bool:
    """Whether the pages are HTML, with tables as CSV beside them."""
    if any(file.is_page for file in archive.files):
        return False
    return any(split_name(name.rpartition("/")[2].rpartition(".")[0]).notion_id for name in archive.html)


def not_safe(path: Path, error: ImpossiblePath) -> InvalidExport:
    """What to say of an export that names or folders could blow up."""
    return InvalidExport(f"The export {path} is not safe to read: {error}. Export again from Notion.")


def validate_export(path: Path) -> None:
    """Refuse a path that cannot be a source, before anything is registered.

    Raises:
        InvalidExport: see `open_export`.
    """
    archive = open_export(path)
    try:
        if not archive.files:
            raise InvalidExport(
                f"The export {path} cannot be read: {archive.problems[0]}. Change its permissions and try again."
            )
        Catalogue(archive.files, archive.zips)
        logger.info("notion export %s: %d files", path, len(archive.files))
    except ImpossiblePath as error:
        raise not_safe(path, error) from error
    finally:
        archive.close()


def fingerprint(path: Path, with_attachments: bool = False) -> str:
    """A hash that changes when a file came, went or changed. Nothing is read, only looked at.

    Raises:
        InvalidExport: there is no export at the path.
        SourceUnavailable: the disk did not answer.
    """
    try:
        if _is_folder(path):
            return FolderExport(path, with_attachments).fingerprint()
        status = path.stat()
    except OSError as error:
        raise _refusal(path, error) from error
    except ImpossiblePath as error:
        raise not_safe(path, error) from error
    return hashlib.sha256(f"{path}\0{status.st_size}\0{status.st_mtime_ns}".encode("utf-8", "replace")).hexdigest()


def _is_folder(path: Path) -> bool:
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        return True
    if not stat.S_ISREG(mode):
        raise InvalidExport(f"The export {path} is neither a folder nor a zip. {_HOW}")
    with open(path, "rb") as file:
        # "PK" and not zipfile.is_zipfile: a zip cut off in mid-download should be called damaged.
        if file.read(2) != b"PK":
            raise InvalidExport(f"The export {path} is neither a folder nor a zip. {_HOW}")
    return False


def _refusal(path: Path, error: OSError) -> InvalidExport | SourceUnavailable:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return InvalidExport(f"The export {path} does not exist. Check the path. {_HOW}")
    if isinstance(error, PermissionError):
        return InvalidExport(f"The export {path} may not be read by this user. Change its permissions.")
    return SourceUnavailable(f"The export {path} cannot be read now ({error}). Check the disk and try again.")


def _hint(path: Path, archive: FolderExport | ZipExport) -> str:
    if archive.html:
        return f"It is an HTML export ({archive.html[0]}): export again as Markdown & CSV."
    if archive.zips:
        return "It holds zips: unzip them there, or give the zip that came from Notion."
    try:
        names = os.listdir(path) if path.is_dir() else []
    except OSError:
        names = []
    if any(name.lower().endswith(".pdf") for name in names):
        return "It looks like a PDF export: export again as Markdown & CSV."
    return _HOW
