"""Pages as HTML: templates that escape what they are given, and what every answer of the page says to browsers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from arcana_pipelines.retrieval.shown import safe_address, shown
from arcana_pipelines.web.people.languages import NAMES, Words, language_of

HERE = Path(__file__).parent
# Nothing that a browser would run, load or send elsewhere, whatever stands on a page.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex",
}


def render(template: str, words: Words, status: int = 200, **given: Any) -> HTMLResponse:
    """The page of a template in a language."""
    html = _TEMPLATES.get_template(template).render(
        t=words, ago=words.ago, language=words.language, languages=NAMES, **given
    )
    return HTMLResponse(html, status)


def marked(text: str, spans: Sequence[tuple[int, int]]) -> Iterator[tuple[str, bool]]:
    """The parts of a text, each with whether it is in one of the spans, which are in order and apart."""
    at = 0
    for begin, end in spans:
        yield text[at:begin], False
        yield text[begin:end], True
        at = end
    yield text[at:], False


def _moment(time: datetime | str) -> str:
    given = datetime.fromisoformat(time) if isinstance(time, str) else time
    return f"{given.astimezone(UTC):%Y-%m-%d %H:%M}"


def _day(time: datetime | str) -> str:
    return _moment(time)[:10]


def _is_notion(address: str) -> bool:
    return address.startswith(("https://www.notion.so/", "https://notion.so/", "https://app.notion.com/", "notion:"))


_TEMPLATES = Environment(
    loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
    lstrip_blocks=True, auto_reload=False,
)  # fmt: skip
_TEMPLATES.filters |= {
    "address": safe_address, "shown": shown, "lang_of": language_of, "moment": _moment, "day": _day,
    "is_notion": _is_notion,
}  # fmt: skip
_TEMPLATES.globals["marked"] = marked
