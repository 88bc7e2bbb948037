"""Sentences of ours that searches and alerts say in English, in Korean: by their form, with what stands in them.

What others have written, sources and providers, is not among them. A sentence that changes is looked for by its old
form no more: `arcana_pipelines_tests/web/people/test_sentences.py` meets each.
"""

from __future__ import annotations

import re

_HOW = "ID나 Notion 주소, 정확한 제목을 입력하세요."
_NEAR = r"(?: Near it: (?P<near>.+)\.)?"
# Each with what it is in Korean; a part that is there only sometimes has a form of its own in `_PARTS`.
_FORMS = {
    # Filters.
    r"There is no page of this id in this workspace\. .+": f"이 워크스페이스에 이 ID의 페이지가 없습니다. {_HOW}",
    rf"There is no page '(.+?)' in this workspace\.{_NEAR} Give its id, .+": (
        f"이 워크스페이스에 ‘{{0}}’ 페이지가 없습니다.{{near}} {_HOW}"
    ),
    r"(\d+) pages are called '(.+)' \((.+)\): give the id .+": (
        "제목이 ‘{1}’인 페이지가 {0}개 있습니다({2}). 원하는 페이지의 ID를 입력하세요."
    ),
    r"The page '(.+)' was removed; nothing of it is in the index\.": "‘{0}’ 페이지는 삭제되어 색인에 없습니다.",
    r"The page '(.+)' is not in the index \((\w+)\): .+": (
        "‘{0}’ 페이지는 색인에 없습니다({1}). 이유는 `arcana status`에 나오며, `arcana sync`로 다시 시도합니다."
    ),
    r"'(.+)' is not a condition: write .+": (
        "‘{0}’은(는) 조건이 아닙니다. ‘속성=값’으로 쓰거나 = 대신 != ~ > < >= <= 중 하나를 쓰세요."
    ),
    r"(.+) is not a day: write it as (\S+)\.": "{0}은(는) 날짜가 아닙니다. {1}처럼 쓰세요.",
    r"There is no property '(.+?)': this workspace has no documents with properties\.": (
        "‘{0}’ 속성이 없습니다. 이 워크스페이스에는 속성이 있는 문서가 없습니다."
    ),
    r"There is no property '(.+?)'\. Near it: (.+)\.": "‘{0}’ 속성이 없습니다. 비슷한 것: {1}.",
    r"There is no property '(.+?)'\. There are (.+?)(?: and (?P<more>\d+) more)?\.": (
        "‘{0}’ 속성이 없습니다. 있는 속성: {1}{more}."
    ),
    r"There are (.+): write '(.+)' as the one that is meant is spelled\.": (
        "{0}이(가) 있습니다. ‘{1}’을(를) 원하는 속성의 표기 그대로 쓰세요."
    ),
    r"'(.+)' holds dates, and '(.+)' is not one with one meaning: write .+": (
        "‘{0}’은(는) 날짜 속성인데 ‘{1}’은(는) 뜻이 하나인 날짜가 아닙니다. "
        "2026-03-05, 2026-03, 2026, 2026년 3월 5일처럼 쓰세요."
    ),
    r"'(.+)' holds numbers, and '(.+)' is not one: write .+": (
        "‘{0}’은(는) 숫자 속성인데 ‘{1}’은(는) 숫자가 아닙니다. 1000, 1,200.50, $1,000, 50%처럼 쓰세요."
    ),
    r"'(.+)' holds texts, which (\S+) does not compare: .+": (
        "‘{0}’은(는) 텍스트 속성이라 {1}로 비교할 수 없습니다. =, != 또는 ~(포함)를 쓰세요."
    ),
    r".+ has ([\d,]+) characters; at most ([\d,]+) are allowed\. Shorten it\.": (
        "{0}자입니다. 최대 {1}자까지 쓸 수 있으니 줄여 주세요."
    ),
    r".+ holds NUL or half of a surrogate pair, .+": "글에 있을 수 없는 문자가 들어 있습니다. 지워 주세요.",
    rf"No document has a '(.+?)' that contains '(.*?)'\.{_NEAR}": (
        "‘{0}’에 ‘{1}’이(가) 들어 있는 문서가 없습니다.{near}"
    ),
    r"No document has a '(.+?)'\.": "‘{0}’ 값이 있는 문서가 없습니다.",
    rf"No document has '(.+?)' = '(.*?)'\.{_NEAR}(?P<forms> (?:Dates|Numbers) are written as .+)?": (
        "‘{0}’ 값이 ‘{1}’인 문서가 없습니다.{near}{forms}"
    ),
    # Topics.
    r"There is no topic '(.+?)' in version (\S+) of the taxonomy of '.+?'(?: \(did you mean (?P<near>.+?)\?\))?: .+": (
        "분류 버전 {1}에 ‘{0}’ 주제가 없습니다.{near}"
    ),
    r"Several topics are called '(.+?)': (.+)\. Say which of them\.": (
        "‘{0}’(이)라는 주제가 여럿입니다: {1}. 하나를 골라 쓰세요."
    ),
    # Why a person is asked about a topic (taxonomy/carry.py, by_properties.py).
    r"merged from '(.+)'": "‘{0}’ 주제와 합쳐짐",
    r"split of '(.+)'": "‘{0}’ 주제에서 나뉨",
    r"retired: '(.+)'": "없어진 주제: ‘{0}’",
    r"property '(.+)'": "속성 ‘{0}’",
    r"unknown topic '(.+)'": "없는 주제 ‘{0}’",
    r"added with it": "파일과 함께 지정됨",
    r"'(.+?)' is no path of a topic: .+": "‘{0}’은(는) 주제의 경로가 아닙니다. People/Time off처럼 쓰세요.",
    r"The workspace '(.+)' has no active taxonomy: .+": "워크스페이스 ‘{0}’에는 주제가 없습니다.",
    r"(\S+) has decided on this at (.+): it is accepted\.": "{0}이(가) {1}에 이미 승인했습니다.",
    r"(\S+) has decided on this at (.+): it is rejected\.": "{0}이(가) {1}에 이미 거절했습니다.",
    r"Nothing of the kind waits for a person: .+": (
        "기다리는 제안이 아닙니다. 문서가 바뀌었거나 다른 주제가 제안되었습니다."
    ),
    # Of the gate.
    r"The key (\w+) lacks the scope '(\w+)' there\. (`.+`) makes one that has it\.": (
        "키 {0}에는 여기에서 `{1}` 권한이 없습니다. 권한이 있는 키는 {2} 명령으로 만듭니다."
    ),
    r"The key (\w+) may make ([\d,]+) searches a month, and has\. The month ends on (\S+) at 00:00 UTC; .+": (
        "키 {0}(으)로는 한 달에 {1}번까지 검색할 수 있습니다. {2} 00:00(UTC)에 새 달이 시작됩니다. "
        "키를 만든 사람이 더 많이 검색할 수 있는 키를 만들 수 있습니다."
    ),
    # Alerts (alerts/causes.py).
    r"the embedding provider does not answer\. .+": (
        "임베딩 제공자가 응답하지 않습니다. 새 내용이 없는 동기화는 성공하며, 검색은 낱말로만 합니다."
    ),
    r"the last sync failed\. .+": (
        "마지막 동기화가 실패했습니다. 게시된 내용은 그대로이고, 센서가 스스로 다시 시도합니다."
    ),
    r"a new build of an index could not be filled\. .+": (
        "색인의 새 빌드를 채우지 못했습니다. 이전 빌드가 계속 제공됩니다."
    ),
    r"the golden questions could not be asked, or .+": "기준 질문을 묻지 못했거나, 답이 기준선보다 나빠졌습니다.",
    r"the estimate of a sync failed\.": "동기화 비용 추정이 실패했습니다.",
    r"the job (\w+) failed\. The index that served goes on\.": (
        "{0} 작업이 실패했습니다. 제공하던 색인이 계속 제공됩니다."
    ),
    r"the job (\w+) failed\.": "{0} 작업이 실패했습니다.",
    r"the nightly check of the schema and of all workspaces failed\.": (
        "스키마와 모든 워크스페이스의 야간 점검이 실패했습니다."
    ),
    r"the nightly deleting of old records of runs failed\. .+": (
        "오래된 실행 기록의 야간 삭제가 실패했습니다. 성공할 때까지 기록이 쌓입니다."
    ),
    r"the nightly backup failed, or .+": "야간 백업이 실패했거나, 복원한 내용이 백업한 내용과 다릅니다.",
    r"the database's log of changes does not reach .+": (
        "데이터베이스의 변경 기록이 백업 위치에 도착하지 않습니다. 그동안 서버가 일부를 보관합니다."
    ),
    r"no summaries of tickets are made: .+": (
        "티켓 요약이 만들어지지 않습니다. 채팅 모델이 실패합니다. 동기화와 검색은 계속됩니다."
    ),
    r"the monthly limit for embeddings is reached\. .+": (
        "이번 달 임베딩 한도에 도달했습니다. 새 내용은 기다리고, 게시된 내용은 그대로 검색됩니다."
    ),
    r"the source's last (\w+) listing was cut short\. .+": (
        "원본의 마지막 {0} 목록이 중간에 끊겼습니다. 아무것도 삭제하지 않았고, 빠진 페이지가 있을 수 있습니다."
    ),
    r"(\d+) pages are gone from the source, .+": (
        "원본에서 페이지 {0}개가 사라졌습니다. 확인 없이 삭제하기에는 너무 많습니다. "
        "연결이 여전히 모든 것을 보는지 확인하고, 정말 없어졌다면 삭제를 허용하세요."
    ),
    r"(\d+) pages cannot be read, (\d+) a day ago\. .+": (
        "읽을 수 없는 페이지가 {0}개입니다(하루 전 {1}개). 마지막 버전이 계속 검색됩니다."
    ),
    r"(\d+) files could not be had or read and are not tried again, or have waited .+": (
        "파일 {0}개를 가져오거나 읽지 못해 다시 시도하지 않거나, 한 시간 넘게 기다리고 있습니다. "
        "이전에 읽은 내용은 계속 검색됩니다."
    ),
    r"the job parse_files failed\. .+": "작업 parse_files가 실패했습니다. 파일에서 읽은 내용은 그대로 있습니다.",
    r"the source could not be asked (\d+) times in a row\. .+": (
        "원본에 {0}번 연속으로 물어볼 수 없었습니다. 그동안 수정을 확인하지 못합니다."
    ),
    r"nothing has compared the index with its source for ([\d.]+) hours\.": (
        "{0}시간 동안 색인을 원본과 비교하지 못했습니다."
    ),
    r"the target '(.+)' is not up to date: (\d+) documents wait for it, the first for (\d+) minutes\. .+": (
        "색인 사본 ‘{0}’이(가) 뒤처져 있습니다. 문서 {1}개가 기다리며, 가장 오래된 것은 {2}분째입니다. 검색에는 영향이 "
        "없지만, 사본을 읽는 프로그램은 이전 내용을 봅니다."
    ),
    r"the target '(.+)' refuses (\d+) documents, .+": (
        "색인 사본 ‘{0}’이(가) 문서 {1}개를 거부해 게시된 내용이 들어가지 못했습니다."
    ),
    r"the target '(.+)' had lost what it held, and is filled again\. .+": (
        "색인 사본 ‘{0}’의 내용이 없어져 다시 채우는 중입니다. 검색에는 영향이 없지만, 사본을 읽는 프로그램은 다 "
        "채워질 때까지 아무것도 찾지 못하거나 일부만 찾습니다."
    ),
    r"the target '(.+)' has lost what it held: (.+) is not there any more\. .+": (
        "색인 사본 ‘{0}’의 내용이 없어졌습니다({1}이(가) 더는 없음). Dagster 데몬이 다시 채웁니다. 검색에는 영향이 "
        "없지만, 사본을 읽는 프로그램은 그때까지 아무것도 찾지 못하거나 일부만 찾습니다."
    ),
    r"documents bring the topic '(.+)', which version (\S+) of the taxonomy does not have, (\d+) of them\. .+": (
        "문서에 적힌 주제 ‘{0}’이(가) 분류 체계 버전 {1}에 없습니다(문서 {2}개). "
        "문서는 검색되지만 이 주제로는 찾을 수 없습니다."
    ),
    r"documents bring (\d+) more topics that version (\S+) of the taxonomy does not have\.": (
        "문서에 적힌 주제 가운데 {0}개가 더 분류 체계 버전 {1}에 없습니다."
    ),
    r"([\d.]+) of ([\d.]+) USD are spent": "{1}달러 중 {0}달러를 썼습니다.",
    # Why a run failed (defs/failed_runs.py).
    r"The process of this run is gone: .+": (
        "이 실행의 프로세스가 없어졌습니다. 강제로 종료되었거나 컴퓨터가 꺼졌습니다. 그때까지 저장한 내용은 그대로이며 "
        "다음 실행이 이어서 합니다."
    ),
    r"The daemon could not start this run within ([\d.]+) seconds: .+": (
        "데몬이 {0}초 안에 이 실행을 시작하지 못했습니다. 디스크가 가득 찼거나, 컴퓨터에 할 일이 너무 많거나, 그동안 "
        "데몬이 꺼졌습니다. 디스크는 `arcana doctor`로 확인하세요."
    ),
    r"No worker began this run within ([\d.]+) seconds .+": (
        "브로커에 넘긴 이 실행을 {0}초 안에 시작한 작업자가 없습니다. 이 대기열을 맡은 작업자가 없거나 모두 바쁩니다. "
        "다른 컴퓨터에서 `arcana worker`를 시작하세요. 작업자가 몇인지는 `arcana doctor`로 확인하세요."
    ),
    r"The container of this run did not begin it within ([\d.]+) seconds: .+": (
        "이 실행의 컨테이너가 {0}초 안에 실행을 시작하지 못했습니다. 이유는 `docker ps -a`와 `docker logs`로, "
        "Docker의 상태는 `arcana doctor`로 확인하세요."
    ),
    r"The Job of this run did not begin it within ([\d.]+) seconds: .+": (
        "이 실행의 Job이 {0}초 안에 실행을 시작하지 못했습니다. 이유(자리, 이미지, 할당량)는 `kubectl get pods`, "
        "`kubectl describe pod`로, 클러스터의 상태는 `arcana doctor`로 확인하세요."
    ),
    # Dagster's UI.
    r"Dagster's UI starts and stops the runs of every workspace: .+": (
        "Dagster UI는 모든 워크스페이스의 실행을 시작하고 멈출 수 있어, 회사 전체의 ‘admin’ 권한이 있는 키로만 "
        "열립니다. `arcana key create --company 이름 --scope admin`으로 만들 수 있습니다."
    ),
    r"Dagster's UI shows the runs of all companies, .+": (
        "Dagster UI에는 모든 회사의 실행이 보이는데 이 설치에는 여러 회사의 워크스페이스가 있어, 어느 회사의 키로도 "
        "열리지 않습니다. 설치를 운영하는 사람은 그 컴퓨터에서 직접 엽니다(docs/operating.md)."
    ),
    r"Dagster's web server does not answer at DAGSTER_UI_URL\. .+": (
        "DAGSTER_UI_URL의 Dagster 웹 서버가 응답하지 않습니다. 서버를 시작하고 `arcana doctor`로 확인하세요."
    ),
    r"What answers at DAGSTER_UI_URL is not Dagster's web server below /dagster\. Start it by (`.+`), or by (`.+`)\.": (
        "DAGSTER_UI_URL에서 응답하는 것은 /dagster 아래의 Dagster 웹 서버가 아닙니다. {0} 또는 {1}로 시작하세요."
    ),
    r"Dagster's web server is not asked by the name that DAGSTER_UI_URL has for it: .+": (
        "Dagster 웹 서버가 DAGSTER_UI_URL에 적힌 이름을 모릅니다. 그 서버의 ARCANA_UI_HOSTS에 이 이름을 넣으세요."
    ),
    r"Dagster's web server leads elsewhere, .+": (
        "Dagster 웹 서버가 다른 곳으로 보내려 해서 따르지 않았습니다. DAGSTER_UI_URL을 확인하세요."
    ),
    # What a search notes of a question.
    r"No text has '(.+)'\.": "‘{0}’이(가) 있는 내용이 없습니다.",
    r"(arcana status \S+), then (arcana retry \S+)": "{0}, 그다음 {1}",
    r"(arcana target list \S+), then (arcana doctor|arcana target verify \S+ \S+)": "{0}, 그다음 {1}",
    r"(arcana doctor), then (arcana file retry \S+)": "{0}, 그다음 {1}",
}
_PARTS = {
    "near": " 비슷한 것: {}.",
    "more": " 외 {}개",
    "forms": " 날짜는 2026-03-05처럼, 숫자는 1,200.50처럼 씁니다.",
}
_KOREAN = [(re.compile(form, re.DOTALL), korean) for form, korean in _FORMS.items()]


def in_korean(sentence: str) -> str | None:
    """A sentence of ours in Korean; None where it is none that is known."""
    for form, korean in _KOREAN:
        if found := form.fullmatch(sentence):
            parts = {
                name: _PARTS[name].format(part.replace("' or '", "', '")) if part else ""
                for name, part in found.groupdict().items()
            }
            return korean.format(*found.groups(), **parts)
    return None
