"""Data is no text, and a reference is what it refers to."""

from __future__ import annotations

import base64
import hashlib
import random

import pytest

from arcana_pipelines.markdown.inline import readable
from arcana_pipelines.markdown.normalise import normalise

DATA = base64.b64encode(random.Random(5).randbytes(3000)).decode()
PICTURE = f"data:image/png;base64,{DATA}"
LINES = "\n".join(DATA[at : at + 76] for at in range(0, len(DATA), 76))


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (f"a\n\n![plan][pic]\n\nb\n\n[pic]: {PICTURE}", "a\n\nplan\n\nb"),
        (f"a\n\n[pic]:\n  <{PICTURE}> 'title'\n\nb", "a\n\nb"),
        (f"one: {PICTURE} two", "one: two"),
        (f"<img src={PICTURE} alt='dot' /> <img src='{PICTURE}'/> a", "dot a"),
        (f"[words]({PICTURE}) ![]({PICTURE}) <{PICTURE}>", "words"),
        (f"```css\na {{ background: url('{PICTURE}') }}\n```", "```css\na { background: url('') }\n```"),
        ("```\nurl(\"data:image/svg+xml;utf8,<svg xmlns='x'><g/></svg>\") x\n```", '```\nurl("") x\n```'),
        (f"| a | b |\n| - | - |\n| {PICTURE} | c |", "| a | b |\n| --- | --- |\n|  | c |"),
        (f"`{PICTURE}` a", "`` a"),
        (f"> {PICTURE}\n> a", "> a"),
        (f"data:image/png;base64,{LINES}\n\nend", "end"),
    ],
    ids=range(11),
)
def test_data_addresses_become_no_text_in_any_position(source: str, text: str) -> None:
    assert normalise(source).text == text


@pytest.mark.parametrize("source", [DATA, f"```\n-----BEGIN-----\n{LINES}\n-----END-----\n```", f"key={DATA} end"])
def test_of_a_long_run_of_base64_the_beginning_stays(source: str) -> None:
    text = normalise(source).text
    assert DATA[:24] + "…" in text and len(text) < 80
    assert normalise(text).text == text


@pytest.mark.parametrize(
    "text",
    [
        hashlib.sha512(b"a").hexdigest(),
        base64.b64encode(hashlib.sha512(b"a").digest()).decode(),
        "word/" * 200 + "end",
        "Donaudampfschiffahrtsgesellschaft" * 20,
        f"https://x.y/z?token={DATA}",
        "metadata:image/x,y and Data: image/png, two",
        "가나다라" * 300,
    ],
)
def test_words_hashes_and_addresses_are_no_data(text: str) -> None:
    assert normalise(text).text == text


PAGE = "1f7effb2-9211-800a-af32-c10cd6f51abc"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("see [the *plan*][p], [P], [p][]\n\n[p]: /a", "see the plan, P, p"),
        ("a ![][i]\n\n[I]: https://x.y/a%20b.png", "a a b.png"),
        ("[![alt][i]][p] `[p]` \\[p\\] [q] [p](/b)\n\n[p]: /a\n[i]: /b 'T'", "alt `[p]` [p] [q] p"),
        ("[p]\n\n```\n[p] = [p]\n[p]: /a\n```\n\n[p]: /a", "p\n\n```\n[p] = [p]\n[p]: /a\n```"),
        ("[SLA][sla], [SLA] and [sla][sla].\n\n[sla]: /a 'T'", "SLA, SLA and sla."),
        ("[note]: https://x.y", "[note]: https://x.y"),
        ("[^1]: a footnote", "[^1]: a footnote"),
        ("[공지]: 내일", "[공지]: 내일"),
    ],
    ids=str,
)  # fmt: skip
def test_references_are_read_as_what_they_refer_to(source: str, text: str) -> None:
    assert readable(normalise(source).text) == text


def test_a_reference_to_a_page_is_a_link() -> None:
    found = normalise(f"[plan][p]\n\n[p]: https://www.notion.so/Plan-{PAGE.replace('-', '')}")
    assert (found.text, found.links) == ("plan", (PAGE,))
