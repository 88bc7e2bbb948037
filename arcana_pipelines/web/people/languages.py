"""What the page says, in English and Korean. What others have written, pages and servers, stays in their words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Literal, get_args

from markupsafe import Markup, escape

from arcana_pipelines.retrieval.hit_files import where_in_korean, where_in_words
from arcana_pipelines.retrieval.results import HitFile
from arcana_pipelines.web.people.sentences import in_korean

Language = Literal["en", "ko"]
NAMES: dict[Language, str] = {"en": "English", "ko": "한국어"}
COOKIE = "arcana-language"

_QUALITY = re.compile(r"\s*([A-Za-z*]{1,8})(?:-[\w-]*)?\s*(?:;\s*q\s*=\s*([01](?:\.\d{0,3})?))?\s*", re.ASCII)
_HANGUL = re.compile("[\uac00-\ud7a3]")

TEXTS: dict[str, tuple[str, str]] = {
    "title": ("Arcana search", "Arcana 검색"),
    "skip": ("Skip to the content", "본문으로 건너뛰기"),
    "menu": ("Menu", "메뉴"),
    "search": ("Search", "검색"),
    "state": ("State", "상태"),
    "dagster_ui": ("Runs (Dagster)", "실행 (Dagster)"),
    "language": ("Language", "언어"),
    "log_in": ("Log in", "로그인"),
    "log_out": ("Log out", "로그아웃"),
    "logged_in_as": ("Key {key}", "키 {key}"),
    "log_in_hint": (
        "Search your company's knowledge with an API key. It is kept nowhere: for twelve hours the browser holds a "
        "signed note of which key it was.",
        "API 키로 회사의 지식을 검색합니다. 키는 어디에도 저장되지 않으며, 브라우저는 어떤 키였는지만 적힌 서명된 "
        "쿠키를 12시간 동안 보관합니다.",
    ),
    "api_key": ("API key", "API 키"),
    "api_key_hint": ("It begins with arc_", "arc_로 시작합니다"),
    "unauthorized": (
        "This key opens nothing (any more). Check that it is whole, or ask for another.",
        "이 키로는 아무것도 열 수 없습니다. 전체를 입력했는지 확인하거나 새 키를 요청하세요.",
    ),
    "is-token": (
        "This is a token. Log in with the key itself.",
        "이것은 토큰입니다. 키 자체로 로그인하세요.",
    ),
    "form-over": (
        "This form was open for too long, or is not from here. Please send it again.",
        "양식이 너무 오래 열려 있었거나 이 페이지의 것이 아닙니다. 다시 보내 주세요.",
    ),
    "session_over": (
        "You were logged out: the session has ended, or its key has. Please log in again.",
        "로그아웃되었습니다. 세션이나 키가 끝났습니다. 다시 로그인하세요.",
    ),
    "logged_out": (
        "You have logged out: this session is over, and so is any copy of its cookie. Your key still works; that of a "
        "link of `arcana up` has ended.",
        "로그아웃했습니다. 이 세션은 끝났고, 복사한 쿠키로도 들어올 수 없습니다. 키는 계속 쓸 수 있으며, "
        "`arcana up`의 링크로 들어왔다면 그 키도 끝났습니다.",
    ),
    "link_title": ("Log in on this computer", "이 컴퓨터에서 로그인"),
    "link_hint": (
        "The link works once, for ten minutes after the start.",
        "이 링크는 시작 후 10분 동안 한 번만 쓸 수 있습니다.",
    ),
    "link-over": (
        "This link was used already, or is too old. Log in with a key, or start `arcana up` again: it prints another "
        "where all workspaces are of one company.",
        "이 링크는 이미 쓰였거나 너무 오래되었습니다. 키로 로그인하거나 `arcana up`을 다시 시작하세요. "
        "모든 워크스페이스가 한 회사의 것이면 새 링크가 나옵니다.",
    ),
    "query": ("What are you looking for?", "무엇을 찾으시나요?"),
    "workspace": ("Workspace", "워크스페이스"),
    "filters": ("Filters", "필터"),
    "kind": ("Kind", "종류"),
    "any_kind": ("All kinds", "모든 종류"),
    "page": ("Pages", "페이지"),
    "row": ("Rows of databases", "데이터베이스의 행"),
    "file": ("Files", "파일"),
    "ticket": ("Tickets", "티켓"),
    "notes": ("Private notes of tickets", "티켓의 비공개 메모"),
    "article": ("Articles", "도움말 문서"),
    "below": ("Below the page", "이 페이지 아래"),
    "below_hint": ("Exact title, address or id", "정확한 제목, 주소 또는 ID"),
    "since": ("Edited since (UTC)", "이후에 수정됨 (UTC)"),
    "property": ("Property", "속성"),
    "property_hint": ("For example Status=Done", "예: 상태=완료"),
    "topic": ("Topic", "주제"),
    "topic_hint": ("Its path, for example People/Time off", "경로, 예: People/Time off"),
    "topics": ("Topics", "주제"),
    "all_topics": ("All topics", "모든 주제"),
    "welcome": (
        "Ask as you would ask a colleague, in English or Korean.",
        "동료에게 묻듯이, 한국어나 영어로 물어보세요.",
    ),
    "no_workspace": (
        "This key opens no workspace for searching. Ask whoever gave it to you for one with the scope `search`.",
        "이 키로 검색할 수 있는 워크스페이스가 없습니다. 키를 준 사람에게 `search` 권한이 있는 키를 요청하세요.",
    ),
    "results": ("Results", "검색 결과"),
    "found_one": ("1 page", "페이지 1개"),
    "found": ("{n} pages", "페이지 {n}개"),
    "nothing": ("Nothing was found.", "찾은 것이 없습니다."),
    "nothing_hint": (
        "Try other words, or fewer filters.",
        "다른 말로 찾거나 필터를 줄여 보세요.",
    ),
    "nearest": (
        "Nothing answers this. What comes nearest:",
        "질문에 답하는 내용이 없습니다. 가장 가까운 내용은 다음과 같습니다.",
    ),
    "corrected": (
        "No page has “{word}”; “{meant}” was searched too.",
        "“{word}”이(가) 있는 페이지가 없어 “{meant}”도 찾았습니다.",
    ),
    "doubtful": (
        "It is not certain that one of these answers it: read before you rely on it.",
        "이 중에 답이 있는지 확실하지 않습니다. 내용을 읽고 판단하세요.",
    ),
    "less_likely_one": ("Less likely: 1 page", "가능성이 낮은 페이지 1개"),
    "less_likely": ("Less likely: {n} pages", "가능성이 낮은 페이지 {n}개"),
    "more": ("More results", "결과 더 보기"),
    "repeated": ("Shown already, and also on:", "이미 나온 내용이 다음에도 있습니다:"),
    "duplicates": ("Also on", "같은 내용"),
    "related": ("Related", "관련 문서"),
    "also_attached": ("The same file is on", "같은 파일이 있는 페이지"),
    "other_parts_one": ("1 other passage on this page", "이 페이지의 다른 구절 1개"),
    "other_parts": ("{n} other passages on this page", "이 페이지의 다른 구절 {n}개"),
    "edited": ("Edited {time}", "{time} 수정"),
    "version": ("Version {n}", "버전 {n}"),
    "open_notion": ("Open in Notion", "Notion에서 열기"),
    "open_source": ("Open the page", "페이지 열기"),
    "document": ("Document", "문서"),
    "versions": ("Versions", "버전"),
    "served_now": ("served now", "현재 제공 중"),
    "served_until": ("{begin} to {end}", "{begin}부터 {end}까지"),
    "served_since": ("since {begin}", "{begin}부터"),
    "properties": ("Properties", "속성"),
    "text": ("Text", "내용"),
    "table": ("Table", "표"),
    "no_text": ("This version has no text.", "이 버전에는 내용이 없습니다."),
    "old_version": (
        "You are reading version {n}, edited {time}. The newest is version {newest}.",
        "{time}에 수정된 버전 {n}을 보고 있습니다. 최신은 버전 {newest}입니다.",
    ),
    "to_newest": ("Read that", "최신 버전 보기"),
    "served_no_more": (
        "This document was removed: it was served until {time}.",
        "삭제된 문서입니다. {time}까지 제공되었습니다.",
    ),
    "done": ("Done", "완료"),
    "open": ("Open", "미완료"),
    "back": ("Back to the results", "검색 결과로 돌아가기"),
    "helpful": ("Helpful", "도움이 됨"),
    "unhelpful": ("Not helpful", "도움이 안 됨"),
    "thanks": ("Thank you, that was noted.", "감사합니다. 의견을 기록했습니다."),
    "state_title": ("State of the workspaces", "워크스페이스 상태"),
    "state_searches": (
        "{n} of the {most} searches that the company may make this month (UTC).",
        "이번 달(UTC) 회사 전체 검색 {most}회 중 {n}회를 썼습니다.",
    ),
    "state_none": ("This key sees no workspace.", "이 키로 볼 수 있는 워크스페이스가 없습니다."),
    "state_no_read": (
        "The state is for keys with the scope `read` there.",
        "상태를 보려면 이 워크스페이스에 `read` 권한이 있는 키가 필요합니다.",
    ),
    "paused": ("Paused: nothing is synced.", "일시 중지: 동기화하지 않습니다."),
    "paused_mark": ("Paused", "일시 중지"),
    "fresh": ("Up to date", "최신 상태"),
    "syncing": ("Syncing", "동기화 중"),
    "attention": ("Needs attention", "확인 필요"),
    "pages_served": ("Pages", "페이지"),
    "chunks_served": ("Passages", "구절"),
    "index": ("Index", "색인"),
    "model": ("Model", "모델"),
    "counted": ("Counted", "집계"),
    "indexes": ("Indexes", "색인"),
    "lag": ("Edits seen", "수정 확인"),
    "lag_hint": ("What was edited by then can be found.", "이때까지의 수정은 검색됩니다."),
    "never": ("never", "없음"),
    "last_sync": ("Last sync", "마지막 동기화"),
    "sync_running": ("running since {time}", "{time}부터 진행 중"),
    "sync_finished": ("finished {time}", "{time} 완료"),
    "sync_ended": ("stopped early; the next one goes on", "도중에 멈춤, 다음 동기화가 이어서 진행"),
    "sync_waiting": ("waiting to begin", "시작 대기 중"),
    "listing_incomplete": (
        "The source did not list everything; nothing was removed.",
        "원본이 목록을 다 주지 않아 아무것도 삭제하지 않았습니다.",
    ),
    "waiting_pages": ("Waiting", "대기"),
    "quarantined": ("In quarantine", "격리됨"),
    "suspect": ("Missing", "사라짐"),
    "skipped": ("Nothing to search", "검색할 내용 없음"),
    "removals": (
        "{n} pages are gone from the source. If that is right, allow their removal:",
        "원본에서 페이지 {n}개가 사라졌습니다. 맞다면 삭제를 허용하세요:",
    ),
    "targets": ("Copies in other stores", "다른 저장소의 사본"),
    "target_live": ("equal to the index", "색인과 같음"),
    "target_filling": ("being filled", "채우는 중"),
    "target_paused": ("paused", "일시 정지"),
    "target_waiting": ("{n} waiting, for {seconds} s", "{n}개가 {seconds}초째 기다림"),
    "target_parked": ("{n} refused", "{n}개 거부됨"),
    "builds": ("Builds in the making", "만들고 있는 빌드"),
    "build": ("Index {index}, build {build}", "색인 {index}, 빌드 {build}"),
    "source_problem": ("The source cannot be read.", "원본을 읽을 수 없습니다."),
    "source_paused": (
        "The source asked for a pause until {time}.",
        "원본이 {time}까지 쉬어 달라고 했습니다.",
    ),
    "not_indexed": ("Not indexed, and why", "색인되지 않은 페이지와 이유"),
    "partial": ("Incomplete in the index", "일부만 색인된 페이지"),
    "n_pages_one": ("1 page", "페이지 1개"),
    "n_pages": ("{n} pages", "페이지 {n}개"),
    "n_passages": ("{n} passages", "구절 {n}개"),
    "in_pending": ("waiting", "대기 중"),
    "in_skipped": ("nothing to search", "검색할 내용 없음"),
    "in_quarantined": ("in quarantine", "격리됨"),
    "in_suspect": ("missing", "사라짐"),
    "alerts": ("Alerts", "경고"),
    "alert_since": ("since {time}", "{time}부터"),
    "next_step": ("What to do", "할 일"),
    "next_workspaces": ("Further workspaces", "다음 워크스페이스"),
    "review": ("Review", "검토"),
    "review_title": ("Topics that wait for you", "검토를 기다리는 주제"),
    "review_none": (
        "This key reviews no topics. Ask whoever gave it to you for one with the scope `review`.",
        "이 키로는 주제를 검토할 수 없습니다. 키를 준 사람에게 `review` 권한이 있는 키를 요청하세요.",
    ),
    "review_hint": (
        "Searches use nothing of this before somebody has accepted it. What you decide is kept, and not asked again.",
        "승인하기 전에는 검색에 쓰이지 않습니다. 결정한 내용은 그대로 남고 다시 묻지 않습니다.",
    ),
    "review_below": ("Only below the topic", "이 주제 아래만"),
    "review_show": ("Show", "보기"),
    "review_about": ("Suggested topic:", "제안된 주제:"),
    "review_suggestions": ("Suggestions", "제안"),
    "review_waiting_one": ("1 document waits", "문서 1개가 기다립니다"),
    "review_waiting": ("{n} documents wait", "문서 {n}개가 기다립니다"),
    "review_empty": ("Nothing waits for you.", "기다리는 제안이 없습니다."),
    "review_confidence": ("Confidence {share}", "확신도 {share}"),
    "review_accept": ("Accept", "승인"),
    "review_reject": ("Reject", "거절"),
    "review_alternatives": ("Or rather:", "또는:"),
    "review_other": ("Another topic", "다른 주제"),
    "review_instead": ("The topic's path, such as People/Time off", "주제의 경로, 예: People/Time off"),
    "review_take": ("Take this one", "이 주제로"),
    "review_more": ("Further suggestions", "다음 제안"),
    "review_done_accept": ("Accepted.", "승인했습니다."),
    "review_done_reject": ("Rejected.", "거절했습니다."),
    "review_done_instead": ("The other topic was taken.", "다른 주제로 정했습니다."),
    "origin_given": ("Given with the document", "문서와 함께 지정됨"),
    "origin_person": ("Said by a person", "사람이 지정함"),
    "origin_rule": ("By a rule", "규칙에 따름"),
    "origin_nearest": ("Nearest in meaning", "의미가 가장 가까움"),
    "origin_default": ("In place of a path that is not there", "없는 경로를 대신함"),
    "untitled": ("Untitled", "제목 없음"),
    "now": ("just now", "방금"),
    "minutes_one": ("1 minute ago", "1분 전"),
    "minutes": ("{n} minutes ago", "{n}분 전"),
    "hours_one": ("1 hour ago", "1시간 전"),
    "hours": ("{n} hours ago", "{n}시간 전"),
    "days_one": ("1 day ago", "1일 전"),
    "days": ("{n} days ago", "{n}일 전"),
    "error": ("That did not work", "처리하지 못했습니다"),
    "error_id": ("Request {id}", "요청 {id}"),
    "go_on": ("Go on", "계속"),
    "to_start": ("To the search", "검색으로"),
    "try_in": ("Try again in {n} seconds.", "{n}초 뒤에 다시 시도하세요."),
    # What went wrong, by the kinds of problems.py.
    "forbidden": ("Your key may not do this.", "이 키에는 권한이 없습니다."),
    "bad-gateway": (
        "What was asked for is at another server, which does not answer.",
        "요청한 내용이 있는 다른 서버가 응답하지 않습니다.",
    ),
    "not-found": ("There is no such thing here for your key.", "이 키로 볼 수 있는 것 중에는 없습니다."),
    "unknown-topic": ("There is no such topic.", "그런 주제가 없습니다."),
    "conflict": ("That is not possible now.", "지금은 할 수 없습니다."),
    "not-remembered": ("That is not remembered any more.", "더 이상 기억하지 않는 내용입니다."),
    "cursor-refused": (
        "The index has changed since. Please search again.",
        "그사이 색인이 바뀌었습니다. 다시 검색하세요.",
    ),
    "invalid-request": ("This cannot be searched for.", "이대로는 검색할 수 없습니다."),
    "too-large": ("That is too large.", "내용이 너무 큽니다."),
    "rate-limited": ("Too many requests.", "요청이 너무 많습니다."),
    "quota-used-up": (
        "The searches of the month are used up.",
        "이번 달 검색 횟수를 모두 썼습니다.",
    ),
    "unavailable": (
        "The database cannot answer now. Please try again in a moment.",
        "지금은 데이터베이스가 응답하지 않습니다. 잠시 뒤에 다시 시도하세요.",
    ),
    "internal": (
        "Something is wrong on the server. Its log says more under the number of the request.",
        "서버에 문제가 있습니다. 요청 번호로 서버 로그에서 확인할 수 있습니다.",
    ),
    # What searches note, by what they say of it in English (retrieval).
    "note_by_words": (
        "The model for meanings does not answer now: only pages with the words themselves were found.",
        "지금은 의미 모델이 응답하지 않아, 같은 낱말이 있는 페이지만 찾았습니다.",
    ),
    "note_nothing_left": (
        "Nothing meets the filters: the page, the property or the value may not be there.",
        "필터에 맞는 것이 없습니다. 페이지나 속성, 값이 없을 수 있습니다.",
    ),
    "note_nothing_indexed": ("Nothing is indexed here yet.", "아직 색인된 것이 없습니다."),
    # Causes of alerts, by their names (alerts/causes.py).
    "failed_run": ("A job failed", "작업 실패"),
    "source_unreachable": ("The source does not answer", "원본 응답 없음"),
    "embedder_unreachable": ("The embedding provider does not answer", "임베딩 제공자 응답 없음"),
    "disk_full": ("The disk is nearly full", "디스크 공간 부족"),
    "incomplete_listing": ("A listing was cut short", "목록이 중간에 끊김"),
    "waiting_removals": ("Removals wait for a person", "삭제 승인 대기"),
    "quarantine_growing": ("More pages cannot be read", "읽을 수 없는 페이지 증가"),
    "files_unread": ("Files wait to be read", "읽지 못한 파일"),
    "budget_reached": ("The embedding budget is used up", "임베딩 예산 소진"),
    "stale": ("The index is stale", "오래된 색인"),
    "target_behind": ("A copy in another store is behind", "뒤처진 사본"),
    "target_refuses": ("A copy in another store refuses documents", "문서를 거부하는 사본"),
    "target_wiped": ("A copy in another store was lost", "사라진 사본"),
}  # fmt: skip


class Words:
    """The texts of the page in one language."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self._column = get_args(Language).index(language)

    def __call__(self, name: str, **values: object) -> str:
        """The text of this name with the values in their places."""
        return TEXTS[name][self._column].format(**values)

    def has(self, name: str) -> bool:
        """Whether there is a text of this name."""
        return name in TEXTS

    def count(self, name: str, n: int) -> str:
        """The text for so many."""
        return self(f"{name}_one" if n == 1 else name, n=f"{n:,}")

    def known(self, sentence: str) -> str | None:
        """A sentence of ours that is English elsewhere, in this language; None: its own words have to do."""
        return in_korean(sentence) if self.language == "ko" else None

    def where(self, file: HitFile) -> str:
        """In which file a text stands, and where in it."""
        return where_in_korean(file) if self.language == "ko" else where_in_words(file)

    def with_code(self, name: str, **values: object) -> Markup:
        """The same for a page: what stands between backticks is code. The values are escaped."""
        parts = str(escape(self(name, **values))).split("`")
        return Markup("".join(f"<code>{part}</code>" if at % 2 else part for at, part in enumerate(parts)))

    def ago(self, moment: datetime, now: datetime | None = None) -> str:
        """How long ago that was."""
        passed = (now or datetime.now(UTC)) - moment
        for name, unit in (
            ("days", timedelta(days=1)),
            ("hours", timedelta(hours=1)),
            ("minutes", timedelta(minutes=1)),
        ):
            if passed >= unit:
                return self.count(name, passed // unit)
        return self("now")


def is_language(text: str | None) -> bool:
    """Whether the page speaks it."""
    return text in get_args(Language)


def accepted(header: str) -> Language:
    """The language that a browser would rather have, of those that there are."""
    best: Language = "en"
    most = 0.0
    for name, quality in _accepted(header):
        language: Language | None = "ko" if name == "ko" else "en" if name in ("en", "*") else None
        if language and quality > most:
            best, most = language, quality
    return best


def _accepted(header: str) -> Iterator[tuple[str, float]]:
    for part in header[:500].split(","):
        if found := _QUALITY.fullmatch(part):
            yield found[1].lower(), float(found[2] or 1)


_NOTES = {
    "Nothing is indexed yet ": "note_nothing_indexed",
    "Nothing that may be found here meets the filters": "note_nothing_left",
    "The embedding provider does not answer": "note_by_words",
}


def note_name(note: str) -> str | None:
    """The name of the text that says what a search has noted; None: there is none, and its own words have to do."""
    return next((name for begin, name in _NOTES.items() if note.startswith(begin)), None)


def language_of(text: str) -> str:
    """What `lang` says of a text that others have written: Korean where it has Hangul, else it is not known."""
    return "ko" if _HANGUL.search(text) else ""
