"""Each receiver over a real connection: what it is sent, and what becomes of one that fails."""

from __future__ import annotations

import email
import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from pydantic import SecretStr

from arcana_pipelines.alerts import mail
from arcana_pipelines.alerts.mail import Mail
from arcana_pipelines.alerts.pagerduty import PagerDuty
from arcana_pipelines.alerts.protocol import Alert, NotDelivered, Unanswered
from arcana_pipelines.mail_address import MailServer
from arcana_pipelines_tests.alerts.conftest import Events, Mailbox

SINCE = datetime(2026, 1, 1, 12, tzinfo=UTC)
ALERT = Alert(
    7, "failed_run", "acme", "the last sync failed.", "토큰이 거부되었습니다 & <b>", "arcana sync acme", "run-1", SINCE,
    SINCE, None, "sync",
)  # fmt: skip
OVER = replace(ALERT, resolved_at=SINCE + timedelta(minutes=5))
UI = "http://localhost:3000"
PASSWORD = "p@ss:word/1"
KEY = "R0123456789abcdefghijklmnopqrstu"


def by_mail(box: Mailbox, *, user: str = "", host: str = "127.0.0.1", is_tls: bool = False) -> Mail:
    server = MailServer(host, box.port, is_tls, user, SecretStr(PASSWORD if user else ""))
    return Mail("email", server, "arcana@acme.example", ["ops@acme.example", "boss@acme.example"], UI)


def read(letter: bytes) -> EmailMessage:
    parsed = email.message_from_bytes(letter, policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


class TestMail:
    def test_an_alert_is_a_letter_and_its_end_an_answer_to_it(self, mailbox: Mailbox) -> None:
        for alert in (ALERT, OVER):
            by_mail(mailbox).send(alert)
        (sender, recipients, first), (_, _, second) = mailbox.letters
        assert (sender, recipients) == ("arcana@acme.example", ["ops@acme.example", "boss@acme.example"])
        began, over = read(first), read(second)
        assert began["Subject"] == "[Arcana] acme: failed run"
        assert began["From"] == "Arcana Pipelines <arcana@acme.example>"
        assert began.get_content().split("\n")[:4] == [
            "acme: the last sync failed.", "Why: 토큰이 거부되었습니다 & <b>", "Next: arcana sync acme",
            "Run: http://localhost:3000/runs/run-1",
        ]  # fmt: skip
        assert over["Subject"] == "[Arcana] acme: resolved: failed run"
        assert over["In-Reply-To"] == began["Message-ID"] != over["Message-ID"]
        assert "resolved after 5 min" in over.get_content()

    @pytest.mark.parametrize("is_tls", [False, True])
    def test_it_is_encrypted_before_anybody_logs_in(self, certificate: Path, is_tls: bool) -> None:
        with Mailbox(certificate, is_tls=is_tls) as box:
            by_mail(box, user="arcana@acme.example", host="localhost", is_tls=is_tls).send(ALERT)
            box.shutdown()
        assert len(box.letters) == 1
        assert box.logins == [f"\0arcana@acme.example\0{PASSWORD}"]
        assert is_tls or box.commands.index("STARTTLS") < box.commands.index("AUTH")

    def test_a_certificate_that_nobody_vouches_for_is_not_spoken_to(self, certificate: Path) -> None:
        with Mailbox(certificate) as box:
            with pytest.raises(NotDelivered, match="cannot be spoken to"):
                by_mail(box, user="u").send(ALERT)  # it is of localhost, and not of 127.0.0.1
            box.shutdown()
        assert box.logins == box.letters == []

    def test_another_machine_without_encryption_is_told_nothing(
        self, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(MailServer, "is_here", False)
        with pytest.raises(NotDelivered, match="offers no STARTTLS"):
            by_mail(mailbox, user="u").send(ALERT)
        assert mailbox.logins == mailbox.letters == []

    @pytest.mark.parametrize(
        ("word", "answer", "said"),
        [
            ("MAIL", b"550 no", "takes nothing from arcana@acme.example"),
            ("RCPT", b"550 no", "takes nothing for ops@acme.example: it answers 550"),
            ("DATA", b"451 later", "answers 451"),
            (".", b"552 too large", "does not take the e-mail: it answers 552"),
            ("AUTH", b"535 AHAuMHBAc3M6d29yZC8x is wrong", "refuses the user and password: it answers 535"),
            ("EHLO", b"", "ended the connection"),
            ("RCPT", b"", "ended the connection"),
        ],
    )
    def test_one_that_refuses_is_told_in_our_words(
        self, mailbox: Mailbox, word: str, answer: bytes, said: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        mailbox.answers[word] = answer
        with caplog.at_level(logging.DEBUG), pytest.raises(NotDelivered) as refused:
            by_mail(mailbox, user="user").send(ALERT)
        assert said in str(refused.value) and mailbox.letters == []
        for secret in (PASSWORD, "AHAuMHBAc3M6d29yZC8x"):
            assert secret not in str(refused.value) + caplog.text

    def test_of_several_addresses_one_that_is_refused_costs_the_others_nothing(
        self, mailbox: Mailbox, caplog: pytest.LogCaptureFixture
    ) -> None:
        receiver = by_mail(mailbox)
        refuse_first(mailbox)
        receiver.send(ALERT)
        assert [recipients for _, recipients, _ in mailbox.letters] == [["boss@acme.example"]]
        assert "no alerts for ops@acme.example: it answers 550" in caplog.text

    @pytest.mark.parametrize("how", ["mute", "gone"])
    def test_one_that_got_the_letter_and_says_nothing_has_it_most_likely(
        self, mailbox: Mailbox, how: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(mail, "SECONDS", 0.2)
        if how == "mute":
            mailbox.silent.add(".")
        else:
            mailbox.answers["."] = b""
        with pytest.raises(Unanswered, match="counts as arrived for an hour"):
            by_mail(mailbox).send(ALERT)

    def test_one_that_is_mute_costs_its_deadline(self, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(mail, "SECONDS", 0.2)
        mailbox.silent.add("MAIL")
        with pytest.raises(NotDelivered, match="did not answer in time"):
            by_mail(mailbox).send(ALERT)

    def test_one_that_is_down_is_named_without_its_password(self) -> None:
        server = MailServer("127.0.0.1", 9, False, "user", SecretStr(PASSWORD))
        receiver = Mail("email", server, "a@b.example", ["c@d.example"], None)
        with pytest.raises(NotDelivered, match=r"127\.0\.0\.1 cannot be spoken to") as down:
            receiver.send(ALERT)
        assert PASSWORD not in str(down.value) + repr(receiver)

    def test_what_it_says_to_the_end_of_a_session_costs_nothing(self, mailbox: Mailbox) -> None:
        mailbox.answers["QUIT"] = b"500 never"
        by_mail(mailbox).send(ALERT)
        assert len(mailbox.letters) == 1

    @pytest.mark.parametrize(
        "hostile", ["x\r\nBcc: evil@example.com", "x\r\n.\r\nMAIL FROM:<evil@example.com>", "\u2028x\x00"]
    )
    def test_texts_from_outside_are_neither_headers_nor_commands(self, mailbox: Mailbox, hostile: str) -> None:
        by_mail(mailbox).send(replace(ALERT, text=hostile, workspace=hostile, cause=hostile, detail=hostile))
        ((_, _, letter),) = mailbox.letters
        sent = read(letter)
        assert sent["Bcc"] is None and "\n" not in sent["Subject"]
        assert all(len(line.split(": ")) > 1 for line in sent.get_content().strip().splitlines())
        assert mailbox.commands.count("MAIL") == 1

    def test_it_is_looked_at_without_being_sent_anything(self, mailbox: Mailbox) -> None:
        said = by_mail(mailbox, user="user").check(3)
        assert said == (
            "e-mail to ops@acme.example, boss@acme.example by 127.0.0.1 (not encrypted, on this machine, as user); "
            "none was sent"
        )
        assert set(mailbox.commands) <= {"EHLO", "AUTH", "QUIT"}
        mailbox.answers["AUTH"] = b"535 no"
        with pytest.raises(NotDelivered, match="535"):
            by_mail(mailbox, user="user").check(3)


def refuse_first(box: Mailbox) -> None:
    """The first recipient is refused, and those after it are taken."""

    class Once(dict[str, bytes]):
        def get(self, key: str, default: bytes | None = None) -> bytes | None:  # type: ignore[override]
            return self.pop(key, default)

    box.answers = Once(RCPT=b"550 no such user")


@pytest.fixture
def pagerduty(events: Events) -> PagerDuty:
    return PagerDuty(f"{events.address}/", SecretStr(KEY), UI)


class TestPagerDuty:
    def test_an_alert_triggers_an_incident_and_its_end_resolves_it(self, events: Events, pagerduty: PagerDuty) -> None:
        for alert in (ALERT, OVER):
            pagerduty.send(alert)
        began, over = events.events
        assert began == {
            "routing_key": KEY,
            "event_action": "trigger",
            "dedup_key": "arcana/acme/failed_run/sync/20260101T120000.000000Z-7",
            "client": "Arcana Pipelines",
            "payload": {
                "summary": "acme: the last sync failed.",
                "source": "acme",
                "severity": "error",
                "timestamp": "2026-01-01T12:00:00+00:00",
                "class": "failed_run",
                "custom_details": {"Why": "토큰이 거부되었습니다 & <b>", "Next": "arcana sync acme"},
            },
            "links": [{"href": "http://localhost:3000/runs/run-1", "text": "The run in Dagster"}],
        }
        assert over == {"routing_key": KEY, "event_action": "resolve", "dedup_key": began["dedup_key"]}

    def test_what_waits_for_a_person_is_a_warning(self, events: Events, pagerduty: PagerDuty) -> None:
        pagerduty.send(replace(ALERT, cause="stale", workspace="", run_id=None))
        (event,) = events.events
        assert (event["payload"]["severity"], event["payload"]["source"]) == ("warning", "arcana")
        assert "links" not in event

    def test_what_is_too_long_for_it_is_cut(self, events: Events, pagerduty: PagerDuty) -> None:
        pagerduty.send(replace(ALERT, text="가" * 5000, subject="s" * 5000, workspace="w" * 63))
        (event,) = events.events
        assert len(event["payload"]["summary"]) == 1024 and len(event["dedup_key"]) <= 255

    @pytest.mark.parametrize("status", [400, 403, 429, 500])
    def test_one_that_refuses_gets_it_later(self, events: Events, pagerduty: PagerDuty, status: int) -> None:
        events.status = status
        with pytest.raises(NotDelivered, match=f"answered {status}.*ALERT_PAGERDUTY_KEY") as refused:
            pagerduty.send(ALERT)
        assert KEY not in str(refused.value) + repr(pagerduty)

    def test_it_is_looked_at_without_an_incident(self, events: Events, pagerduty: PagerDuty) -> None:
        assert "only `arcana alert test` tells" in pagerduty.check(3)
        assert events.events == []
        with pytest.raises(NotDelivered, match="32 letters and digits"):
            PagerDuty("https://events.pagerduty.com", SecretStr("short"), None).check(3)
