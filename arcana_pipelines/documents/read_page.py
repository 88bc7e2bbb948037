"""A page as the ledger hands it on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NotRequired, TypedDict


class ReadPage(TypedDict):
    """A page as the ledger has it: what was listed of it and its body, neither normalised.

    Attributes:
        external_id: the source's id, in its canonical spelling.
        kind: `page`, `row` of a database, or another of `PageRef`.
        title: as it was listed; it may be empty.
        url: where the source shows it; None where it has no address.
        properties: `{"type": str, "text": str, "value": JSON}` by name, the title apart; `hidden` as in `PageRef`.
        body: Markdown; None where it is not held any more.
        body_links: the ids of pages that the body points to where its Markdown does not show it.
        partial: what could not be read of the page, in words.
        last_edited_at: as the source says; aware. None: it is not known.
        database: the title of a row's database.
        platform: the kind of source, without which its `editor_id` says nothing.
        editor_id: the source's own id of who edited the page last; None where the source does not say.
        editor_name: what people call them; None likewise.
        written_by: the transaction that wrote this, where others may write it meanwhile (`ledger.pages.just_read`).
    """

    external_id: str
    kind: str
    title: str
    url: str | None
    properties: Mapping[str, Mapping[str, Any]]
    body: str | None
    body_links: Sequence[str]
    partial: Sequence[str]
    last_edited_at: datetime | None
    database: NotRequired[str | None]
    platform: NotRequired[str]
    editor_id: NotRequired[str | None]
    editor_name: NotRequired[str | None]
    written_by: NotRequired[str]
