"""Words for workspaces that are made up, in English and Korean."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What the seeded pages in one language are made of.

    Attributes:
        topics: titles of pages, before a number.
        headings: of sections and toggles.
        teams: for `{team}` in a sentence.
        things: for `{thing}`.
        reasons: for `{reason}`.
        days: for `{day}`.
        sentences: with `{team}`, `{thing}`, `{reason}`, `{day}` and `{number}` in them, any of these or none.
        columns: the header of a table: team, thing, number.
        see: what stands before a mention of another page, with its space.
    """

    topics: tuple[str, ...]
    headings: tuple[str, ...]
    teams: tuple[str, ...]
    things: tuple[str, ...]
    reasons: tuple[str, ...]
    days: tuple[str, ...]
    sentences: tuple[str, ...]
    columns: tuple[str, ...]
    see: str


ENGLISH = Vocabulary(
    topics=(
        "Onboarding guide",
        "Release checklist",
        "Incident review",
        "Pricing policy",
        "Security handbook",
    ),
    headings=("Background", "Decision", "How it works", "Open questions", "Next steps", "Who to ask"),
    teams=("Platform", "Billing", "Support", "Mobile", "Research", "Sales"),
    things=("deployment", "invoice export", "backup", "search index", "travel budget", "access request"),
    reasons=("the last outage", "a customer request", "the audit", "rising costs", "a new law"),
    days=("Monday", "Tuesday", "Wednesday", "Thursday", "Friday"),
    sentences=(
        "The {team} team reviews every {thing} on {day} because of {reason}.",
        "Ticket {number} explains how the {team} team handles the {thing}.",
        "After {reason}, we limit each {thing} to {number} per week.",
        "Ask {team} before {day} if the {thing} takes longer than {number} minutes.",
    ),
    columns=("Team", "Subject", "Count"),
    see="See also ",
)

KOREAN = Vocabulary(
    topics=("입사 안내", "배포 점검표", "장애 보고서", "휴가 정책", "보안 지침"),
    headings=("배경", "결정 사항", "진행 방법", "남은 질문", "다음 단계", "담당자"),
    teams=("플랫폼", "결제", "고객지원", "모바일", "연구", "영업"),
    things=("배포", "청구서", "백업", "검색 색인", "출장비", "접근 권한"),
    reasons=("지난 장애", "고객 요청", "감사", "비용 증가", "새로운 규정"),
    days=("월요일", "화요일", "수요일", "목요일", "금요일"),
    sentences=(
        "{team} 팀은 {reason} 때문에 {day}마다 모든 {thing} 항목을 검토합니다.",
        "{team} 팀의 {thing} 처리 방법은 티켓 {number}번에 정리되어 있습니다.",
        "{reason} 이후 {thing} 요청은 한 주에 {number}건으로 제한합니다.",
        "{thing} 작업이 {number}분을 넘으면 {day}까지 {team} 팀에 문의하세요.",
    ),
    columns=("팀", "항목", "건수"),
    see="함께 보기: ",
)
