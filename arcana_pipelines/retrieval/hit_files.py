"""Files among hits: which file it is, where in it the text stands, and that in words.

The source gives no address that opens a file at a page (signed ones end within the hour), so a hit says in words where
to look: `page 12 of Contract.pdf, attached to Sales handbook`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from arcana_pipelines.retrieval.results import HitFile, HoldingPage
from arcana_pipelines.retrieval.shown import safe_address, shown

MOST_PAGES = 20  # that a hit names with the same file


def hit_file(
    about: Mapping[str, Any] | None,
    place: Mapping[str, Any] | None,
    name: str,
    attached_to: HoldingPage | None = None,
    also_in: Sequence[HoldingPage] = (),
) -> HitFile:
    """What a hit says of its file.

    Args:
        about: `file` of the version's contents.
        place: of the chunk, as the publish keeps it.
        name: the title of the document.
    """
    place, rows = place or {}, (place or {}).get("rows")
    label, sheet = place.get("label"), place.get("sheet")
    return HitFile(
        name=name,
        mime_type=shown(str((about or {}).get("mime_type") or "application/octet-stream")),
        page=place.get("page"),
        last_page=place.get("last_page") if place.get("last_page") != place.get("page") else None,
        page_label=None if label is None else shown(str(label)),
        slide=place.get("slide"),
        sheet=None if sheet is None else shown(str(sheet)),
        rows=(rows[0], rows[1]) if rows else None,
        begin=place.get("begin"),
        end=place.get("end"),
        attached_to=attached_to,
        also_in=list(also_in),
    )


def shown_place(place: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Where a chunk stands in its file, as the publish keeps it, fit to be shown."""
    if place is None:
        return None
    return {name: shown(held) if isinstance(held, str) else held for name, held in place.items()}


def holding_page(external_id: str | None, title: str | None, url: str | None) -> HoldingPage | None:
    """A page of the ledger, as it may be shown; None where there is none."""
    return None if external_id is None else HoldingPage(external_id, shown(title or ""), safe_address(url))


def as_file(row: Mapping[str, Any], files: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A row of the statement `hits` as that of the first of these equal files, each as `files` gives it.

    Nothing is told of the file that has the text, which whoever asks may not know of.
    """
    pages = [holding_page(file["page_external_id"], file["page_title"], file["page_url"]) for file in files]
    others = {page.external_id: page for page in pages if page is not None and page != pages[0]}
    file, title = files[0], row["title"] or ""
    fields = ("document_id", "external_id", "title", "url", "path", "version", "last_edited_at", "file")
    return {
        **row,
        **{field: file[field] for field in fields},
        "text": _renamed(row["text"], title, file["title"]),
        "before": [_renamed(text, title, file["title"]) for text in row["before"]],
        "attached_to": pages[0],
        "also_in": list(others.values()),
        "related": row.get("related") if str(file["document_id"]) == str(row["document_id"]) else None,
    }


def _renamed(text: str, title: str, name: str) -> str:
    """A text that begins with one title with another in its place."""
    heading, line, rest = text.partition("\n")
    return f"# {name}{line}{rest}" if heading == f"# {title}" else text


def where_in_words(file: HitFile) -> str:
    """`page 12 of Contract.pdf, attached to Sales handbook`, with as much of it as is known."""
    where = _place(file, _ENGLISH)
    said = f"{where} of {file.name}" if where else file.name
    return f"{said}, attached to {file.attached_to.title or 'a page without a title'}" if file.attached_to else said


def where_in_korean(file: HitFile) -> str:
    """The same in Korean: `Contract.pdf 12쪽, Sales handbook에 첨부`."""
    said = " ".join(part for part in (file.name, _place(file, _KOREAN)) if part)
    return f"{said}, {file.attached_to.title or '제목 없는 페이지'}에 첨부" if file.attached_to else said


class _Forms(NamedTuple):
    """How a language says where something stands."""

    page: str
    pages: str
    printed: str
    slide: str
    sheet: str
    row: str
    rows: str
    between: str  # a sheet and its rows


_ENGLISH = _Forms(
    "page {}", "pages {}–{}", " (printed {})", "slide {}", "sheet {}", "row {}", "rows {}–{}", ", "
)  # fmt: skip
_KOREAN = _Forms(
    "{}쪽", "{}–{}쪽", "(인쇄된 쪽 번호 {})", "슬라이드 {}", "시트 {}", "{}행", "{}–{}행", " "
)  # fmt: skip


def _place(file: HitFile, forms: _Forms) -> str:
    if file.page is not None:
        if file.last_page is not None:
            return forms.pages.format(file.page, file.last_page)
        # The number that is printed on the page, where it is another.
        is_other = file.page_label not in (None, str(file.page))
        return forms.page.format(file.page) + (forms.printed.format(file.page_label) if is_other else "")
    if file.slide is not None:
        return forms.slide.format(file.slide)
    parts = [] if file.sheet is None else [forms.sheet.format(file.sheet)]
    if file.rows is not None:
        first, last = file.rows
        parts.append(forms.row.format(first) if first == last else forms.rows.format(first, last))
    return forms.between.join(parts) or _times(file)


def _times(file: HitFile) -> str:
    return "–".join(_clock(each) for each in (file.begin, file.end) if each is not None)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
