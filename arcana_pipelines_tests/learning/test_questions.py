"""What is kept of a question names nobody, and tells nobody whether it was asked."""

from __future__ import annotations

import time
from uuid import uuid4

import pytest

from arcana_pipelines.learning.questions import LONGEST, kept, masked
from arcana_pipelines.settings import Settings

SECRET = "what-signs-the-cursors-of-these-Tests"


def settings(keep: str = "text") -> Settings:
    return Settings(keep_questions=keep, secret_key=SECRET)


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ("mail of ada.lovelace+x@example.co.kr please", "mail of <address> please"),
        ("<ada@example.com>, (bob@example.com)", "<<address>>, (<address>)"),
        ("홍길동@예시.한국 연락처", "<address> 연락처"),
        ("a@b@c", "<address>"),
        ("call 010-1234-5678", "call <number>"),
        ("call +82 10 1234 5678 now", "call <number> now"),
        ("주민번호 900101-1234567", "주민번호 <number>"),
        ("card 4111 1111 1111 1111", "card <number>"),
        ("ticket 123456", "ticket <number>"),
        ("\uff10\uff11\uff10\uff11\uff12\uff13\uff14", "<number>"),
        ("what happened on 2026-01-05?", "what happened on 2026-01-05?"),
        ("ticket 12345 of HR-450", "ticket 12345 of HR-450"),
        ("  two\nlines\t\x00\u202e  here ", "two lines here"),
    ],
)
def test_addresses_and_long_numbers_are_left_out(asked: str, wanted: str) -> None:
    assert masked(asked) == wanted


def test_of_what_a_question_holds_nothing_makes_it_slow() -> None:
    for asked in ("a" * 4000, "a@" * 2000, "1 " * 2000, "12345-" * 600, "+" * 4000, "@" * 4000, "1-1-1-1-a" * 400):
        began = time.process_time()
        masked(asked)
        assert time.process_time() - began < 0.1, asked[:20]


def test_the_same_question_is_one_whatever_its_spaces_and_case_and_the_number_in_it() -> None:
    company = uuid4()
    first = kept("Who has  010-1234-5678?", company, settings())
    assert first == kept("Who has 010-9999-0000?", company, settings())
    assert kept("WHO HAS 010-1234-5678?", company, settings()).query_hash == first.query_hash
    assert first.question == "Who has <number>?"
    assert kept("Who has it?", company, settings()).query_hash != first.query_hash


def test_a_hash_does_not_tell_that_two_companies_asked_the_same() -> None:
    hashes = {kept("vacation", uuid4(), settings()).query_hash for _ in range(2)}
    other = Settings(keep_questions="text", secret_key=SECRET.swapcase())
    company = uuid4()
    assert len(hashes) == 2
    assert kept("vacation", company, other).query_hash != kept("vacation", company, settings()).query_hash


def test_a_setting_says_whether_the_text_or_a_hash_or_nothing_is_kept() -> None:
    company = uuid4()
    text, hashed, off = (kept("vacation", company, settings(keep)) for keep in ("text", "hash", "off"))
    assert (text.question, hashed.question, off.question) == ("vacation", None, None)
    assert text.query_hash == hashed.query_hash is not None and off.query_hash is None
    assert len(kept("long " * 800, company, settings()).question or "") == LONGEST
