"""What a chat model answers about a ticket is a summary of bounded, plain text in its language, or nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from arcana_pipelines.errors import SummaryUnusable
from arcana_pipelines.tickets.summaries.answer import MOST_FIELD, SummaryText, checked, plain

ENGLISH = {"symptom": "The app cannot log in.", "cause": "An old token.", "resolution": None, "language": "en"}
KOREAN = {
    "symptom": "앱에 로그인할 수 없습니다.",
    "cause": "토큰이 만료되었습니다.",
    "resolution": "HTTP 502",
    "language": "ko",
}


def said(**other: Any) -> str:
    return json.dumps({**ENGLISH, **other}, ensure_ascii=False)


def test_a_proper_answer_is_the_summary() -> None:
    assert checked(said(), of_korean=False) == SummaryText("The app cannot log in.", "An old token.", None, "en")
    assert checked(json.dumps(KOREAN), of_korean=True) == SummaryText(**KOREAN)


def test_a_fence_around_it_is_no_harm() -> None:
    assert checked(f"```json\n{said()}\n```", of_korean=False).language == "en"


def test_a_region_of_the_language_is_left_out_and_what_is_not_known_is_none() -> None:
    assert checked(said(language="en-US", cause=" "), of_korean=False) == SummaryText(
        "The app cannot log in.", None, None, "en"
    )


@pytest.mark.parametrize(
    "answer",
    [
        None,
        "",
        "{",
        "null",
        "[]",
        '"a text"',
        "The customer cannot log in.",
        f"Here it is: {said()}",
        said() + said(),
        said(symptom=""),
        said(symptom="<b></b>"),
        said(symptom=None),
        said(symptom=5),
        said(symptom=["The app"]),
        said(cause={"text": "An old token."}),
        said(key="sk-secret"),
        said(language="english"),
        said(language=""),
        '{"symptom": "The app cannot log in.", "language": "en"}',
        said(symptom="a" * 30_000),
        "[" * 15_000,
    ],
)
def test_what_is_no_summary_is_refused(answer: str | None) -> None:
    with pytest.raises(SummaryUnusable):
        checked(answer, of_korean=False)


def test_why_an_answer_is_refused_quotes_nothing_of_it() -> None:
    for answer in (said(kim_secret="kim@corp.com"), said(symptom=["kim-secret"]), "kim-secret"):
        with pytest.raises(SummaryUnusable) as refused:
            checked(answer, of_korean=False)
        assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("answer", "of_korean"),
    [
        (ENGLISH, True),
        ({**KOREAN, "language": "en"}, True),
        ({**KOREAN, "cause": "The token has expired and nobody has renewed it since the spring."}, True),
        (KOREAN, False),
        ({**KOREAN, "language": "en"}, False),
    ],
)
def test_a_summary_is_in_the_language_of_its_ticket(answer: dict[str, Any], of_korean: bool) -> None:
    with pytest.raises(SummaryUnusable, match="Korean"):
        checked(json.dumps(answer), of_korean)


def test_where_the_ticket_may_be_either_the_summary_is_in_the_language_that_it_names() -> None:
    for answer in (ENGLISH, KOREAN):
        assert checked(json.dumps(answer), of_korean=None).language == answer["language"]
        other = "en" if answer["language"] == "ko" else "ko"
        with pytest.raises(SummaryUnusable, match="language that it names"):
            checked(json.dumps({**answer, "language": other}), of_korean=None)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Press **Save**.", "Press Save."),
        ("# Title\n- one\n- two", "Title one two"),
        ("See [the guide](https://evil.example/?q=secret).", "See the guide."),
        ("![pixel](https://evil.example/p.png) seen", "pixel seen"),
        ("[a [b](https://evil.example)](javascript:alert(1)) c", "a b) c"),
        ("Go to https://evil.example/login now", "Go to [link] now"),
        ("Go to www.evil.example/login now", "Go to [link] now"),
        ("javascript:alert(1)", "[link])"),
        ("![[x](<https://evil.example>)](y)", "x"),
        ("<script>alert(1)</script>It fails", "alert(1) It fails"),
        ("<scr<b>ipt>x", "x"),
        ("1 < 2 and 3 > 2", "1 ‹ 2 and 3 › 2"),
        ("ht**tps://evil.example**", "ht[link]"),
        ("a\u202eb\u0000c\ud800d\U000e0041e", "abcde"),
        ("Ask kim@corp.co.kr or 010-1234-5678", "Ask [e-mail] or [phone]"),
        ("공백  과\n줄바꿈", "공백 과 줄바꿈"),
        (None, ""),
    ],
)
def test_no_markup_link_or_address_comes_through(text: str | None, shown: str) -> None:
    assert plain(text) == shown


@pytest.mark.parametrize(
    "text",
    ["word " * 5000, "단어" * 5000, "<" * 20_000, "[" * 20_000, "](" * 10_000, "a@" * 9000, "+1" * 9000, "*_" * 9000],
)
def test_a_field_has_a_bounded_length_however_long_the_answer_is(text: str) -> None:
    shown = plain(text)
    assert len(shown) <= MOST_FIELD
    assert "](" not in shown and "<" not in shown
