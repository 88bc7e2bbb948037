"""Zips that were left zipped among the pages of an export: parts that are missing, or attachments."""

from __future__ import annotations

from arcana_pipelines.errors import InvalidExport
from arcana_pipelines.sources.notion_export.archive import Archive, ExportFile, PackedFile
from arcana_pipelines.sources.notion_export.catalogue import Catalogue, Parent
from arcana_pipelines.sources.notion_export.names import dashed, split_name, stable_id
from arcana_pipelines.sources.notion_export.zipped import is_named_like_a_part

_UNZIP = "unzip it there, or take it out of the folder"


def look_at_zips(archive: Archive, catalogue: Catalogue) -> tuple[list[str], list[str]]:
    """Problems and remarks. A part that was not unpacked is a problem: its pages are missing from the listing.

    What lies in the folder of a page is that page's attachment and is not spoken of.
    """
    problems: list[str] = []
    remarks: list[str] = []
    for packed in archive.zips:
        if catalogue.holder_of(packed) == Parent():
            problem, remark = _look_at(packed, catalogue)
            problems += problem
            remarks += remark
    return problems, remarks


def _look_at(packed: PackedFile, catalogue: Catalogue) -> tuple[list[str], list[str]]:
    part = is_named_like_a_part(packed.path)
    if packed.open is None:
        return [], [f"{packed.path}: a zip beside pages, which is not read; if it holds pages, {_UNZIP}"]
    try:
        inside = packed.open()
    except (InvalidExport, OSError) as error:
        said = f"{packed.path}: is still zipped and cannot be looked into ({error})"
        return ([said], []) if part else ([], [said])
    try:
        files = inside.files
    finally:
        inside.close()
    missing = [file for file in files if not _is_there(file, packed.path, catalogue)]
    if not missing:
        return [], []
    count = f"{len(missing)} of its {len(files)} pages and tables"
    said = f"{packed.path}: is still zipped, and {count} are not here; {_UNZIP}"
    from_notion = part or any(split_name(file.stem.removesuffix("_all")).notion_id for file in missing)
    return ([said], []) if from_notion else ([], [said])


def _is_there(file: ExportFile, zip_path: str, catalogue: Catalogue) -> bool:
    """Whether a page or table of the zip is in the folder too, wherever it was unpacked to."""
    notion_id = split_name(file.stem.removesuffix("_all")).notion_id
    if notion_id is not None:
        own = dashed(notion_id)
        if file.is_page:
            return own in catalogue.pages
        return own in catalogue.databases or stable_id("database", own) in catalogue.databases
    above = zip_path.rpartition("/")[0]
    inside = zip_path[:-4]
    places = (f"{above}/{file.path}".lstrip("/"), f"{inside}/{file.path}")
    return any(catalogue.page_at(place) is not None for place in places)
