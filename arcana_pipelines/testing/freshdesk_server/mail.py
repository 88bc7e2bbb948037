"""Replies by mail, as the programs write them that people use: each repeats below what it answers."""

from __future__ import annotations

import html
from typing import Literal, get_args

from arcana_pipelines.testing.freshdesk_server.model import Html

Program = Literal["freshdesk", "gmail", "gmail_korean", "outlook", "outlook_korean", "apple", "naver", "daum", "plain"]
PROGRAMS: tuple[Program, ...] = get_args(Program)

_DESK = "Acme Support &lt;help@acme.example&gt;"
_DESK_KOREAN = "고객지원 &lt;help@acme.example&gt;"
_WROTE = f"On Mon, Jan 5, 2026 at 9:02 AM, {_DESK} wrote:"

# What comes between an answer and the text that it repeats, and behind that text.
_AROUND: dict[Program, tuple[str, str]] = {
    "freshdesk": (
        f'<div class="freshdesk_quote"><blockquote class="freshdesk_quote">{_WROTE}<br>',
        "</blockquote></div>",
    ),
    "gmail": (
        f'<br><div class="gmail_quote"><div dir="ltr" class="gmail_attr">{_WROTE}<br></div>'
        '<blockquote class="gmail_quote" style="margin:0 0 0 .8ex">',
        "</blockquote></div>",
    ),
    "gmail_korean": (
        '<br><div class="gmail_quote"><div dir="ltr" class="gmail_attr">'
        f'2026년 1월 5일 (월) 오전 9:02, {_DESK_KOREAN}님이 작성:<br></div><blockquote class="gmail_quote">',
        "</blockquote></div>",
    ),
    "outlook": (
        '<div id="appendonsend"></div><hr style="display:inline-block;width:98%"><div id="divRplyFwdMsg" dir="ltr">'
        f"<font><b>From:</b> {_DESK}<br><b>Sent:</b> Monday, January 5, 2026 9:02 AM<br>"
        "<b>To:</b> Emma Fischer<br><b>Subject:</b> Re: Your request</font></div><div>",
        "</div>",
    ),
    "outlook_korean": (
        f'<hr tabindex="-1"><div id="divRplyFwdMsg"><b>보낸 사람:</b> {_DESK_KOREAN}<br>'
        "<b>보낸 날짜:</b> 2026년 1월 5일 월요일 오전 9:02<br><b>받는 사람:</b> 고객<br><b>제목:</b> 답변</div><div>",
        "</div>",
    ),
    "apple": (
        f'<div><br><blockquote type="cite"><div>On Jan 5, 2026, at 9:02 AM, {_DESK} wrote:</div><br>',
        "</blockquote></div>",
    ),
    "naver": (
        f"<p>-----Original Message-----<br><b>From:</b> {_DESK_KOREAN}<br><b>To:</b> 고객<br>"
        "<b>Sent:</b> 2026-01-05 (월) 09:02:11 (GMT+09:00)<br><b>Subject:</b> Re: 문의</p>",
        "",
    ),
    "daum": (
        f"<div>--------- 원본 메일 ---------</div><div>보낸사람: {_DESK_KOREAN}</div><div>받는사람: 고객</div>"
        "<div>날짜: 2026년 1월 5일 월요일, 09시 02분 11초</div><div>제목: Re: 문의</div>",
        "",
    ),
    "plain": (f"<div>{_WROTE}</div>", ""),
}


def mail(text: str, quoted: str, program: Program, *, signature: str = "") -> Html:
    """A reply to `quoted`, which a mail program repeats below; neither that nor the signature is what was said."""
    before, behind = _AROUND[program]
    signed = f"<div>-- </div>{_lines(signature)}" if signature else ""
    repeated = _lines(quoted, "&gt; " if program == "plain" else "")
    hidden = tuple(line for line in (*quoted.split("\n"), signature) if line)
    phrases = tuple(line for line in text.split("\n") if line)
    return Html(_lines(text) + signed + before + repeated + behind, phrases, hidden)


def _lines(text: str, mark: str = "") -> str:
    return "".join(f"<div>{mark}{html.escape(line, quote=False)}</div>" for line in text.split("\n"))
