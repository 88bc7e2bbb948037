"""The page that a person means: by its id, by an address that was copied from Notion, or by its title."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import rows, scalars
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.markdown.characters import clean
from arcana_pipelines.markdown.urls import canonical_id, page_id_of
from arcana_pipelines.retrieval.limits import check_text
from arcana_pipelines.retrieval.near import listed, nearest

load_sql = statements_beside(__file__)

_WITHOUT_SCHEME = re.compile(r"(?:[\w-]+\.)*notion\.(?:so|com|site)/", re.IGNORECASE)
_ID_ALONE = re.compile(r"(?:.*[-/ ])?[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE | re.DOTALL)
_SAMPLE = 20_000  # titles that are compared
_HOW = "Give its id, its address in its source, or its exact title."


@dataclass(frozen=True, slots=True)
class Place:
    """A page, database or file of the ledger, whether it is served or not.

    Attributes:
        external_id: the source's id, in its canonical spelling.
        is_container: a database (what the source calls its containers): it holds rows and is not a document itself.
        title: as it was listed last; it may be empty.
        state: where the ledger has it: `pending`, `fetched`, `unchanged`, `skipped`, `quarantined`, `suspect` or
            `tombstoned` (removed).
        is_indexed: it has a document that is not deleted; never so of a database.
    """

    external_id: str
    is_container: bool
    title: str
    state: str
    is_indexed: bool


def find_place(connection: Connection, workspace_id: UUID, asked: str, or_file: bool = True) -> Place:
    """The page or database of a workspace that `asked` means, removed and waiting ones included; else the file.

    Raises:
        WrongUse: there is none, or several have this title.
    """
    check_text("The page", asked)
    asked = asked.strip()
    external_id = id_in(asked)
    parameters = {
        "workspace_id": workspace_id,
        "asked": asked,
        "external_id": external_id,
        "hex": external_id.replace("-", "") if external_id else None,
        "title": clean(asked).strip(),  # as titles are stored: a file's name may have its letters decomposed
    }
    places = rows(connection, Place, load_sql("page"), parameters)
    if not places and or_file:
        places = rows(connection, Place, load_sql("file"), parameters)
    return place_meant(asked, places, lambda: _titles(connection, workspace_id))


def place_meant(asked: str, places: Sequence[Place], titles: Callable[[], Iterable[str]]) -> Place:
    """The one of these places that `asked` means: those of its id, or of its title; `titles` are all there are.

    Raises:
        WrongUse: see `find_place`.
    """
    external_id = id_in(asked)
    by_id = [place for place in places if place.external_id in (asked, external_id)]
    places = by_id or ([place for place in places if place.is_container] if external_id else places)
    if len(places) == 1:
        return places[0]
    if not places and external_id:
        raise WrongUse(f"There is no page of this id in this workspace. {_HOW}")
    if not places:
        near = nearest(asked, titles())
        said = f" Near it: {listed(near)}." if near else ""
        raise WrongUse(f"There is no page '{asked}' in this workspace.{said} {_HOW}")
    named = ", ".join(place.external_id for place in places[:5])
    raise WrongUse(f"{len(places)} pages are called '{asked}' ({named}): give the id of the one that is meant.")


def _titles(connection: Connection, workspace_id: UUID) -> list[str]:
    return scalars(
        connection,
        "SELECT DISTINCT left(title, 200) FROM source_page "
        "WHERE workspace_id = %s AND state <> 'tombstoned' AND title <> '' LIMIT %s",
        [workspace_id, _SAMPLE],
    )


def find_living_page(connection: Connection, workspace_id: UUID, asked: str) -> Place:
    """The page or database that `asked` means, if the source still has it; never a file.

    Raises:
        WrongUse: see `find_place`; or it was removed.
    """
    place = find_place(connection, workspace_id, asked, or_file=False)
    if place.state == "tombstoned":
        raise WrongUse(f"The page '{place.title or place.external_id}' was removed.")
    return place


def find_indexed(connection: Connection, workspace_id: UUID, asked: str) -> Place:
    """The same, if it can be found by a search, or a database, whose rows can.

    Raises:
        WrongUse: see `find_place`; or it is not in the index.
    """
    place = find_place(connection, workspace_id, asked)
    if place.state == "tombstoned":
        raise WrongUse(f"The page '{place.title or place.external_id}' was removed; nothing of it is in the index.")
    if not place.is_indexed and not place.is_container:
        raise WrongUse(
            f"The page '{place.title or place.external_id}' is not in the index ({place.state}): "
            "`arcana status` says why, and `arcana sync` tries again."
        )
    return place


def id_in(asked: str) -> str | None:
    """The id in an address, a file's name, or an id in any spelling."""
    if "://" not in asked and _WITHOUT_SCHEME.match(asked):
        asked = f"https://{asked}"
    if "://" in asked:
        return page_id_of(asked)
    return canonical_id(asked) if _ID_ALONE.fullmatch(asked) else None
