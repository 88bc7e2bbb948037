"""Mails as Markdown: what their author wrote, without what they answer and without signatures."""

from __future__ import annotations

import time

import pytest

from arcana_pipelines.sources.freshdesk.html import markdown_of

QUOTED = "<p>Old question.</p><p>Older answer.</p>"


@pytest.mark.parametrize(
    "quote",
    [
        f'<blockquote class="freshdesk_quote">{QUOTED}</blockquote>',
        f'<div class="gmail_quote">On Mon, 2 Mar 2026 at 10:00, A &lt;a@b.example&gt; wrote:<br>{QUOTED}</div>',
        f'<blockquote type="cite">{QUOTED}</blockquote>',
        f'<div class="moz-cite-prefix">On 02/03/2026, A wrote:</div><blockquote type="cite">{QUOTED}</blockquote>',
        f'<div class="yahoo_quoted">{QUOTED}</div>',
        f'<div id="divRplyFwdMsg"><b>From:</b> A<br><b>Sent:</b> Monday</div>{QUOTED}',
        f'<div id="appendonsend"></div><hr>{QUOTED}',
        f"<p>-----Original Message-----</p>{QUOTED}",
        f"<p>----- 원본 메시지 -----</p>{QUOTED}",
        f"<p>On Mon, 2 Mar 2026 at 10:00, A wrote:</p><blockquote>{QUOTED}</blockquote>",
        f"<p>2026년 3월 2일 (월) 오전 10:00, A &lt;a@b.example&gt;님이 작성:</p><blockquote>{QUOTED}</blockquote>",
        f"<p><b>From:</b> A<br><b>Sent:</b> Monday, March 2<br><b>To:</b> B<br><b>Subject:</b> Old</p>{QUOTED}",
        f"<div>보낸 사람: A</div><div>보낸 날짜: 2026년 3월 2일</div><div>받는 사람: B</div>{QUOTED}",
    ],
)
@pytest.mark.parametrize("own", ["New answer.", "새 답변입니다."])
def test_a_reply_does_not_repeat_the_mail_that_it_answers(quote: str, own: str) -> None:
    assert markdown_of(f"<div>{own}</div>{quote}") == own


def test_an_answer_below_the_quoted_mail_stays() -> None:
    said = f'<blockquote class="freshdesk_quote">{QUOTED}</blockquote><p>Below.</p>'
    assert markdown_of(said) == "Below."
    said = f"<p>On Mon, 2 Mar 2026 at 10:00, A wrote:</p><blockquote>{QUOTED}</blockquote><p>Below.</p>"
    assert markdown_of(said) == "Below."


@pytest.mark.parametrize(
    "signature",
    [
        '<div class="gmail_signature">Kim<br>Acme</div>',
        '<div class="moz-signature">-- <br>Kim</div>',
        "<p>-- </p><p>Kim</p><p>Acme</p>",
        '<div id="Signature"><p>Kim</p></div>',
    ],
)
def test_a_signature_is_no_part_of_a_message(signature: str) -> None:
    assert markdown_of(f"<p>Answer.</p>{signature}") == "Answer."


def test_a_quotation_that_is_meant_stays() -> None:
    said = "<p>The manual says:</p><blockquote>Press both.</blockquote><p>I did.</p>"
    assert markdown_of(said) == "The manual says:\n\n> Press both.\n\nI did."


@pytest.mark.parametrize("said", ["From: Seoul To: Busan", "On Monday I wrote:", "보낸 사람: 김하늘"])
def test_what_only_looks_like_the_head_of_a_mail_stays(said: str) -> None:
    assert markdown_of(f"<p>{said}</p><p>Where is it?</p>") == f"{said}\n\nWhere is it?"


def test_a_message_that_only_quotes_keeps_all_of_it() -> None:
    assert markdown_of(f'<div class="gmail_quote">{QUOTED}</div>') == "Old question.\n\nOlder answer."
    assert markdown_of(f"<p>-----Original Message-----</p>{QUOTED}").endswith("Old question.\n\nOlder answer.")


def test_a_line_of_a_mail_stays_a_line() -> None:
    assert markdown_of("one<br>two<br/>three") == "one\n\ntwo\n\nthree"


def test_lists_tables_and_code_are_kept_and_headings_of_articles() -> None:
    said = (
        "<h2>Steps</h2><ul><li>one<li>two</ul><pre>x = 1</pre>"
        "<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>"
    )
    assert markdown_of(said) == markdown_of(said, is_mail=False).removeprefix("## ")
    assert (
        markdown_of(said, is_mail=False)
        == "## Steps\n\n- one\n- two\n\n```\nx = 1\n```\n\n| a | b |\n| --- | --- |\n| 1 | 2 |"
    )


def test_where_a_link_leads_is_told_unless_its_text_is_the_address() -> None:
    said = '<a href="https://a.example/x">here</a> <a href="https://a.example/y/">https://a.example/y</a>'
    assert markdown_of(said) == "here (https://a.example/x) https://a.example/y"


@pytest.mark.parametrize(
    "href",
    [
        "mailto:haneul@customer.example",
        "javascript:alert(1)",
        "cid:https://attachment.acme.example/1",
        "https://attachment.freshdesk.com/inline/attachment?token=eyJ0",
        "https://s3.amazonaws.com/cdn.freshdesk.com/data/helpdesk/attachments/production/1/a.txt?X-Amz-Signature=1",
        "https://[broken",
    ],
)
def test_addresses_of_people_and_signed_ones_are_not_shown(href: str) -> None:
    assert markdown_of(f'<p>See <a href="{href}">here</a>.</p>') == "See here."


def test_pictures_are_left_out_whatever_their_addresses_are() -> None:
    said = '<p>A <img src="cid:https://attachment.x/1" alt="image001.png">B <img src="http://[x" alt="y"></p>'
    assert markdown_of(said) == "A B"


@pytest.mark.parametrize(("html", "text"), [("", "Plain."), ("<img src=x>", "Plain."), (None, "Plain."), (5, "Plain.")])
def test_the_plain_text_stands_in_where_the_html_shows_nothing(html: object, text: str) -> None:
    assert markdown_of(html, text) == "Plain."


def test_what_would_be_markup_is_text() -> None:
    assert markdown_of("<p># no heading</p><p>*no* [link](x) | <script>alert(1)</script></p>").startswith("\\# no")
    assert "alert" not in markdown_of("<p>a</p><script>alert(1)</script>")


@pytest.mark.slow
@pytest.mark.parametrize(
    "said",
    [
        "<div>" * 300_000,
        "<blockquote>" * 100_000 + "x",
        "<b>" * 200_000,
        "-" * 500_000,
        "On 1 " + "a " * 200_000 + "wrote",
    ],
)
def test_nothing_takes_long(said: str) -> None:
    began = time.process_time()
    markdown_of(said, "spare")
    assert time.process_time() - began < 20
