"""What people write to a help desk, half in Korean and half in English; invented."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topic:
    """One sort of request. `{n}` in a text is the ticket's number, so that no two tickets say the same.

    Attributes:
        talk: customer and agent in turns, the agent first.
        note: what the agents say among themselves.
    """

    subject: str
    question: str
    talk: tuple[str, ...]
    note: str
    type: str
    tag: str
    priority: int
    product: str


TOPICS = (
    Topic(
        "Cannot log in after the update ({n})",
        "Since this morning the app signs me out after I enter the code.\nThe session of device D-{n} ends at once.",
        (
            "Please clear the app's data once, then sign in again on device D-{n}.",
            "I did, and the code still does not arrive on D-{n}.",
            "The code goes to the address in your profile; request {n} sent it there a minute ago.",
            "Found it in the spam folder. Login {n} works, thank you.",
        ),
        "Mail provider of customer {n} greylists us; do not promise a date.",
        "Incident",
        "login",
        3,
        "Mobile app",
    ),
    Topic(
        "인증번호가 오지 않습니다 ({n})",
        "회원가입 화면에서 인증번호를 세 번 요청했지만 문자가 오지 않습니다.\n접수번호는 A-{n}입니다.",
        (
            "통신사 스팸 차단 목록에서 1588 번호를 해제하신 뒤 A-{n} 건으로 다시 요청해 주세요.",
            "해제했는데도 A-{n} 인증 문자가 도착하지 않습니다.",
            "방금 A-{n} 건의 발송 제한을 초기화했습니다. 5분 뒤 다시 시도해 주세요.",
            "A-{n} 인증이 완료되었습니다. 감사합니다.",
        ),
        "고객 {n}: 같은 번호로 계정이 두 개 있음. 본인 확인 전에는 알려 주지 말 것.",
        "Incident",
        "인증",
        3,
        "모바일 앱",
    ),
    Topic(
        "Refund for a double charge, invoice {n}",
        "Invoice {n} was charged twice on the same card on Monday.\nPlease return the second payment of invoice {n}.",
        (
            "We see both payments of invoice {n}; the second one will be returned within five working days.",
            "It has been six days and payment {n} is still missing.",
            "The bank has confirmed the transfer for invoice {n} today.",
        ),
        "Finance approved the refund of invoice {n} by hand, over the usual limit.",
        "Refund",
        "billing",
        2,
        "Billing",
    ),
    Topic(
        "환불 규정 문의, 주문 {n}",
        "배송 전에 주문 {n}을 취소하면 전액 환불되나요?\n쿠폰으로 낸 주문 {n}의 금액도 돌려받나요?",
        (
            "주문 {n}은 출고 전이므로 전액 환불됩니다. 쿠폰은 같은 조건으로 다시 발급해 드립니다.",
            "주문 {n}의 쿠폰 유효기간이 지났는데 어떻게 되나요?",
            "주문 {n}에 쓰신 쿠폰은 발급일부터 30일 동안 다시 쓰실 수 있습니다.",
        ),
        "주문 {n}: 환불 예외 승인은 팀장만 가능. 고객에게 내부 한도를 말하지 않기.",
        "Refund",
        "환불",
        1,
        "결제",
    ),
    Topic(
        "Export of report {n} stops at 50 %",
        "The export of report {n} stops at fifty per cent and no file appears.\nSmaller reports work.",
        (
            "Reports above 100,000 rows are sent by mail; we have started export {n} for you.",
            "The mail for export {n} has arrived, but columns are missing.",
            "Columns without a name were left out of export {n}; please name them and export again.",
            "Now export {n} is complete.",
        ),
        "Known bug in exports since release 4.2, customer {n} is the ninth.",
        "Problem",
        "export",
        2,
        "Reports",
    ),
    Topic(
        "세금계산서 재발행 요청 {n}",
        "사업자등록번호가 바뀌어 세금계산서 {n}을 다시 발행해 주시기 바랍니다.\n이번 달 안에 처리되어야 합니다.",
        (
            "새 사업자등록증 사본을 보내 주시면 계산서 {n}을 수정 발행하겠습니다.",
            "사본을 첨부했습니다. 계산서 {n} 작성일자는 그대로 두어 주세요.",
            "계산서 {n}을 같은 작성일자로 수정 발행하여 메일로 보내 드렸습니다.",
        ),
        "계산서 {n} 담당 세무사 확인 완료, 다음부터는 자동 승인 가능.",
        "Question",
        "세금계산서",
        2,
        "결제",
    ),
    Topic(
        "How do I add a teammate to workspace {n}?",
        "Our plan says ten seats, but the invitation for workspace {n} is refused.\nWho can change that?",
        (
            "Only owners invite people. The owner of workspace {n} finds it under Settings, Members.",
            "The owner of workspace {n} has left the company.",
            "Then we move the ownership of workspace {n} to you once your domain is verified.",
        ),
        "Check the domain of workspace {n} twice: there was a takeover attempt in May.",
        "Question",
        "seats",
        1,
        "Accounts",
    ),
    Topic(
        "배송지 변경 요청 (송장 {n})",
        "송장 {n} 상품의 배송지를 회사 주소로 바꾸고 싶습니다.\n아직 출발 전이라고 나옵니다.",
        (
            "송장 {n}은 오늘 오후 6시에 출고되므로 지금 변경해 드렸습니다.",
            "문자에는 송장 {n} 주소가 예전 그대로입니다.",
            "문자는 다음 상태 변경 때 갱신됩니다. 송장 {n}의 실제 배송지는 회사로 되어 있습니다.",
            "송장 {n} 잘 받았습니다.",
        ),
        "송장 {n}: 택배사에 직접 전화함. 고객이 화가 많이 나 있음.",
        "Question",
        "배송",
        2,
        "배송",
    ),
    Topic(
        "Feature request {n}: dark mode in the reports",
        "We work at night and the white reports hurt.\nPlease count request {n} as a vote for a dark mode.",
        (
            "Thank you, vote {n} is with the product team. There is no date yet.",
            "Is there a preview for request {n}?",
            "Not yet; we will answer on ticket {n} when there is one.",
        ),
        "Product says dark mode is planned for the third quarter; not public, ticket {n}.",
        "Feature Request",
        "ui",
        1,
        "Reports",
    ),
    Topic(
        "연동 API 오류 429 ({n})",
        "연동 프로그램에서 요청 {n}번째부터 429 오류가 반환됩니다.\n분당 한도를 늘릴 수 있는지 문의드립니다.",
        (
            "현재 요금제의 한도는 분당 200회입니다. 응답 헤더의 남은 횟수를 보고 요청 {n}을 나누어 보내 주세요.",
            "헤더 값을 보니 요청 {n} 이후로 다른 앱이 한도를 쓰고 있었습니다.",
            "요청 {n}의 앱 키를 분리해 두었으니 서로 영향을 주지 않습니다.",
        ),
        "고객 {n} 한도 상향은 영업팀 견적 후 진행.",
        "Problem",
        "api",
        4,
        "연동",
    ),
)

CUSTOMERS = (
    ("박지민", "jimin.park@hanbit.example"),
    ("Emma Fischer", "emma@northwind.example"),
    ("최서연", "seoyeon@saebyeok.example"),
    ("Oliver Brown", "oliver.brown@contoso.example"),
    ("정민준", "minjun@hanbit.example"),
    ("Sofia Rossi", "sofia@northwind.example"),
)

COMPANIES = ("한빛전자", "Northwind Traders", "새벽물류", "Contoso")

ARTICLES = (
    ("Getting started", "Accounts", "How to reset your password", "Open the sign-in page.\nChoose Forgot password."),
    ("Getting started", "Accounts", "Inviting teammates", "Only owners can invite.\nOpen Settings, then Members."),
    (
        "결제",
        "환불",
        "환불은 언제 되나요?",
        "환불은 영업일 기준 3일에서 5일이 걸립니다.\n카드사에 따라 다를 수 있습니다.",
    ),
    ("결제", "환불", "세금계산서 발행 방법", "결제 내역에서 계산서 발행을 누르세요.\n사업자등록번호가 필요합니다."),
)
