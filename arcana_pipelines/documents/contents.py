"""What one version of a document holds, and the hash that says whether it is a new version."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from arcana_pipelines.documents.comparables import comparable
from arcana_pipelines.documents.read_page import ReadPage
from arcana_pipelines.markdown.characters import clean
from arcana_pipelines.markdown.normalise import normalise
from arcana_pipelines.markdown.share import check_size
from arcana_pipelines.markdown.urls import safe_url
from arcana_pipelines.markdown.version import NORMALISER_VERSION

_HASH_FORM = 1  # another number makes new versions of all pages
UNTITLED = "Untitled"  # what Notion shows for a page without a title


@dataclass(frozen=True, slots=True)
class Contents:
    """A normalised page.

    Attributes:
        data: the JSON kept as the version.
        links: the ids of the pages that it names.
        content_hash: 16 bytes in hex; another one makes a new version.
        user_id: of the person who edited the page last (see `user_id_of`); None where the source does not say.
    """

    data: dict[str, Any]
    links: tuple[str, ...]
    content_hash: str
    user_id: UUID | None


def make_contents(page: ReadPage, titles: Mapping[str, str]) -> Contents:
    """Normalise one ledger row into a version's contents.

    `titles` resolves the ids in relation properties to what a person sees in the cell.

    Raises:
        PageTooLarge: it has more characters, those of its properties included, or takes more time, than a page may.
    """
    named = sum(len(name) + len(str(value.get("text") or "")) for name, value in page["properties"].items())
    check_size(len(page["body"] or "") + len(page["title"]) + named)
    body = normalise(page["body"] or "")
    links = tuple(dict.fromkeys((*body.links, *page["body_links"])))
    properties = {name: _shown(value, titles) for name, value in page["properties"].items()}
    title = clean(page["title"]).strip() or UNTITLED
    # A person sees it above the row's title, and asks for "the task that …".
    database = clean(page.get("database") or "").strip()
    data = {
        "title": title,
        "text": body.text,
        "database": database,
        "properties": properties,
        "external_id": page["external_id"],
        "kind": page["kind"],
        "url": safe_url(page["url"]),
        "links": list(links),
        "partial": page["partial"],
        "last_edited_at": page["last_edited_at"].isoformat() if page["last_edited_at"] else None,
        "edited_by": clean(page.get("editor_name") or "").strip() or None,
        "normaliser": NORMALISER_VERSION,
    }
    # Only what a person reads, and where links lead, makes a version: not times, addresses or editors. What a property
    # is compared as does too, for a search of the past finds it in the versions.
    # Not the normaliser's number: a page that a new one reads as before keeps its version and its chunks.
    facts = [
        _HASH_FORM,
        title,
        body.text,
        [[name, value["text"], value.get("means")] for name, value in properties.items()],
        sorted(links),
        *([database] if database else []),
    ]
    digest = hashlib.blake2b(json.dumps(facts).encode(), digest_size=16).hexdigest()
    editor = page.get("editor_id")
    user_id = user_id_of(page["platform"], editor) if editor else None
    return Contents(data, links, digest, user_id)


def user_id_of(platform: str, editor_id: str) -> UUID:
    """The id that a person of a source has here: the same in every workspace, made of the source's own id alone."""
    return uuid5(NAMESPACE_URL, f"{platform}:{editor_id}")


def _shown(value: Mapping[str, Any], titles: Mapping[str, str]) -> dict[str, Any]:
    text = str(value.get("text") or "")
    named = [titles[target] for target in relation_targets(value) if titles.get(target)]
    if value.get("type") == "relation" and not text:
        text = ", ".join(named)
    shown = {"type": value.get("type"), "text": text, "value": value.get("value")}
    means = comparable(shown, named)
    return {
        **shown,
        **({"means": means} if means else {}),
        # For filters: no part of the text.
        **({"hidden": True} if value.get("hidden") is True else {}),
    }


def relation_targets(value: Mapping[str, Any]) -> list[str]:
    """The ids a relation property points to."""
    targets = value.get("value")
    if value.get("type") != "relation" or not isinstance(targets, list):
        return []
    return [target for target in targets if isinstance(target, str)]
