"""Addresses and numbers of persons do not leave the machine."""

from __future__ import annotations

import pytest

from arcana_pipelines.tickets.summaries.masking import masked


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("Write to kim.minsu+help@corp.co.kr.", "Write to [e-mail]."),
        ("[kim@corp.com](mailto:kim@corp.com)", "[[e-mail]](mailto:[e-mail])"),
        ("메일은 kim@corp.co.kr로 주세요", "메일은 [e-mail]로 주세요"),
        ("이메일:홍길동@회사.한국", "이메일:[e-mail]"),
        ("kim＠corp．com", "[e-mail]"),
        ("전화010-1234-5678로 주세요", "전화[phone]로 주세요"),
        ("01012345678", "[phone]"),
        ("010.1234.5678 / 02-123-4567 / 031) 123-4567", "[phone] / [phone] / [phone]"),
        ("＋82 10-1234-5678", "[phone]"),
        ("+82-(0)10-1234-5678", "[phone]"),
        ("+49 (0) 30 1234567, +1 (555) 123-4567", "[phone], [phone]"),
        ("(555) 123-4567 or 555-123-4567", "[phone] or [phone]"),
        ("고객센터 1588-1234", "고객센터 [phone]"),
        ("kim\\_min\\_su@corp\\.com, lee.a*b@corp.com, kim @ corp.com", "[e-mail], [e-mail], [e-mail]"),
        ("<park@corp.com> mailto:kim%40corp.com", "<[e-mail]> mailto:[e-mail]"),
        ("**010**-1234-5678, 010-**1234**-5678", "**[phone], [phone]"),
        ("_010_1234_5678_ 010\u00a01234\u00a05678", "_[phone]_ [phone]"),
        ("주세요.010-1234-5678", "주세요.[phone]"),
        ("0 1 0 - 1 2 3 4 - 5 6 7 8", "[phone]"),
        ("| 전화 | 010-1234-5678 |\n| 팩스 | 02-123-4567 |", "| 전화 | [phone] |\n| 팩스 | [phone] |"),
        ("주민번호 900101-1234567", "주민번호 [number]"),
        ("card 4111 1111 1111 1111", "card [number]"),
    ],
)
def test_addresses_and_numbers_are_masked(text: str, sent: str) -> None:
    assert masked(text) == sent


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-05 14:02:11",
        "05.03.2026 and 03-05-2026",
        "release 2.14.0 of 192.168.0.1",
        "order 20260305-1",
        "Error 0x80070005, HTTP 502, 1990-2000",
        "@scope/package",
        "E-1234-5678-90",
        "0.12345678",
        "10.0.0.12, 2001:db8::1 and 00:1a:2b:3c:4d:5e",
        "0.9.1.2.3.4.5.6.7",
        "1,000,000 and +5 and (0)",
        "90231 4455 / 3.14159265358979",
        "0\n1\n2\n3\n4\n5\n6\n7\n8\n9",
    ],
)
def test_dates_versions_and_errors_stay(text: str) -> None:
    assert masked(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "a" * 100_000,
        "a." * 50_000,
        "0" * 100_000,
        "+1 " * 30_000,
        "a@b." * 25_000,
        "(0" * 50_000,
        "0 (*_" * 20_000,
        "+(" * 50_000,
        "0.0." * 25_000,
    ],
)
def test_no_text_makes_it_slow(text: str) -> None:
    assert masked(text) is not None
