"""Numbers, dates and check boxes as people write them, in English and Korean."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from time import thread_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcana_pipelines.documents.values import read_checkbox, read_number, read_period, read_span


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("20", "20"), ("-7", "-7"), ("0.5", "0.5"), ("1,234", "1234"), ("1.234", "1.234"), ("3,14", "3.14"),
        ("$2,400.75", "2400.75"), ("-$5", "-5"), ("($1,200)", "-1200"), ("€950,00", "950"), ("1.200,50 €", "1200.5"),
        ("1 200,50 €", "1200.5"), ("£3.20", "3.2"), ("¥12,000", "12000"), ("₩1,000,000", "1000000"), ("US$3", "3"),
        ("CHF 1'200.00", "1200"), ("₹1,00,000", "100000"), ("12,000원", "12000"), ("300만원", "3000000"),
        ("1억 2,000만원", "120000000"), ("50%", "0.5"), ("12.5 %", "0.125"), ("-3%", "-0.03"), ("1e3", "1000"),
        ("￥5000", "5000"), ("￦１，２００", "1200"), ("１２．５％", "0.125"), ("－5", "-5"), ("–5", "-5"),
        ("﹣７", "-7"), ("5,000円", "5000"), ("500元", "500"), ("5천원", "5000"), ("3천만 원", "30000000"),
        ("1만 5천원", "15000"),
                ("50 퍼센트", "0.5"), ("US$ 5", "5"), ("(5.00)", "-5"), ("（１，０００）", "-1000"), ("(500)", "-500"),
        ("\u200e-5", "-5"),
    ],
)  # fmt: skip
def test_numbers_amounts_and_percentages_are_read(text: str, number: str) -> None:
    assert read_number(text) == Decimal(number)


# How Unicode's CLDR writes five of each currency that Notion's numbers can have, where the reader is English or Korean.
@pytest.mark.parametrize(
    "text",
    """$5.00 US$5.00 CA$5.00 €5.00 £5.00 ¥5 JP¥5 ₹5.00 ₩5 CN¥5.00 R$5.00 HK$5.00 NZ$5.00 MX$5.00 NT$5.00 ฿5.00 ₪5.00
    ₱5.00 元5.00 A$5.00 AU$5.00 ₽5.00 ₺5.00 RUB_5.00 TRY_5.00 IDR_5.00 CHF_5.00 SEK_5.00 NOK_5.00 ZAR_5.00 DKK_5.00
    PLN_5.00 HUF_5.00 CZK_5.00 CLP_5 AED_5.00 COP_5.00 SAR_5.00 MYR_5.00 RON_5.00 ARS_5.00 UYU_5.00 SGD_5.00 PEN_5.00
    THB_5.00 PHP_5.00 ILS_5.00 RON5.00 SEK5.00 5.00_RON 5,00_AU$ kr_5 5_kr. RM5.00 S/5.00 Rp5""".split(),
)
def test_every_currency_of_notion_is_money(text: str) -> None:
    for space in ("\u00a0", " "):
        written = text.replace("_", space)
        amounts = {read_number(written), -read_number(f"-{written}"), -read_number(f"({written})")}  # type: ignore[operator]
        assert amounts == {Decimal(5)}


@pytest.mark.parametrize(
    "text",
    [
        "PEN5",
        "RM12",
        "만원",
        "천",
        "(-5)",
        "5-",
        "",
        "원",
        "1.2.3",
        "1,2,3",
        "v1",
        "10 apples",
        "12-34",
        "1,23,4",
        "$",
        "%",
        "--5",
        "a1",
        "1" * 500,
    ],
)
def test_what_is_no_number_is_none(text: str) -> None:
    assert read_number(text) is None


def test_a_single_separator_before_three_digits_is_read_as_it_is_told() -> None:
    assert read_number("1.200", decimal_comma=True) == 1200
    assert read_number("1,200", decimal_comma=True) == Decimal("1.2")


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("March 5, 2026", "2026-03-05", None),
        ("@Mar 5, 2026", "2026-03-05", None),
        ("5 March 2026", "2026-03-05", None),
        ("Sept. 5, 2026", "2026-09-05", None),
        ("2026/03/05", "2026-03-05", None),
        ("2026년 3월 5일", "2026-03-05", None),
        ("2026년 3월 5일 (목)", "2026-03-05", None),
        ("２０２６年３月５日", "2026-03-05", None),
        ("２０２６／０３／０５", "2026-03-05", None),
        ("2026. 3. 5.", "2026-03-05", None),
        ("25/03/2026", "2026-03-25", None),
        ("03/25/2026", "2026-03-25", None),
        ("2026년 3월 5일 오후 3:30", "2026-03-05T15:30:00.000", None),
        ("2026년 3월 5일 오전 12:05", "2026-03-05T00:05:00.000", None),
        ("2026년 3월 5일 오후 3시 30분", "2026-03-05T15:30:00.000", None),
        ("March 5, 2026 12:00 PM (GMT+5:30)", "2026-03-05T12:00:00.000+05:30", None),
        ("2026/03/05 9:30 (GMT+9) → 10:30", "2026-03-05T09:30:00.000+09:00", "2026-03-05T10:30:00.000+09:00"),
        (
            "2026년 3월 5일 오후 1:00 (GMT+9) → 오후 3:00",
            "2026-03-05T13:00:00.000+09:00",
            "2026-03-05T15:00:00.000+09:00",
        ),
        ("March 5, 2026 → March 9, 2026", "2026-03-05", "2026-03-09"),
        ("March 5, 2026 9:00 AM (PST)", "2026-03-05T09:00:00.000", None),
        ("2026-03-05T09:00:00Z", "2026-03-05T09:00:00.000+00:00", None),
    ],
)
def test_dates_times_and_ranges_are_read(text: str, start: str, end: str | None) -> None:
    period = read_period(text)
    assert period is not None and period.value == {"start": start, "end": end, "time_zone": None}


@pytest.mark.parametrize(
    "text",
    ["", "Today", "7월 10일", "2026-13-01", "2026-02-30", "1.10", "March 5, 2026 soon", "05/03/2026",
     "March 5, 2026 → x", "March 9, 2026 → March 5, 2026", "2026년 3월 5일 오후 13:00", "March 5, 2026 " * 50],
)  # fmt: skip
def test_what_is_no_date_or_may_be_two_is_none(text: str) -> None:
    assert read_period(text) is None


def test_an_order_of_day_and_month_that_is_known_is_used_where_both_are_possible() -> None:
    both = [read_period("05/03/2026", day_first) for day_first in (True, False)]
    assert [one.start.iso for one in both if one] == ["2026-03-05", "2026-05-03"]


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("2026", (datetime(2026, 1, 1), datetime(2027, 1, 1))),
        ("2026-12", (datetime(2026, 12, 1), datetime(2027, 1, 1))),
        ("2026년 3월", (datetime(2026, 3, 1), datetime(2026, 4, 1))),
        ("2026-03-05", (datetime(2026, 3, 5), datetime(2026, 3, 6))),
        ("March 5, 2026 3:30 PM", (datetime(2026, 3, 5, 15, 30), datetime(2026, 3, 5, 15, 31))),
        ("9999-12-31", None),
        ("0000", None),
        ("soon", None),
    ],
)
def test_a_typed_date_means_all_of_the_time_that_it_names(text: str, span: object) -> None:
    assert read_span(text) == span


def test_check_boxes_are_read_in_both_languages() -> None:
    assert [read_checkbox(text) for text in ("Yes", "예", "true", "ＮＯ", "아니요", "false", "maybe", "")] == [
        True, True, True, False, False, False, None, None,
    ]  # fmt: skip


@given(st.text(max_size=80) | st.text("0123456789,.-/:%$￥５원천만억년월일오후전 →()GMT+", max_size=40))
def test_no_text_is_too_odd_to_be_asked(text: str) -> None:
    read_number(text), read_number(text, True), read_period(text, True), read_span(text), read_checkbox(text)


@pytest.mark.parametrize("beginning", ["", "1억", "1천", "1만 5천", "$", "-", "1", "March", "2026년", "(GMT", "오후"])
@pytest.mark.parametrize("blank", [" ", "\u00a0", "\t"])
def test_a_cell_of_blanks_is_read_at_once(beginning: str, blank: str) -> None:
    started = thread_time()
    for end in ("x", "1x", "억x", "원x"):
        text = f"{beginning}{blank * 60}1{blank * 40}{end}"
        read_number(text)
        read_period(text, True)
    assert thread_time() - started < 0.5
