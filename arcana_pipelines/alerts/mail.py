"""Alerts by e-mail, over SMTP that is encrypted."""

from __future__ import annotations

import hashlib
import logging
import smtplib
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as LINES_OF_SMTP
from email.utils import formatdate

from arcana_pipelines.alerts.message import lines, shorten, title
from arcana_pipelines.alerts.protocol import Alert, NotDelivered, Unanswered
from arcana_pipelines.mail_address import MailServer
from arcana_pipelines.net.certificates import trusted_certificates

log = logging.getLogger(__name__)

# One word of the server, and all of an alert. A tick of the sensor may take a minute.
WORD_SECONDS = 10.0
SECONDS = 20.0
MOST_TITLE = 150
MOST_LINE = 1000


@dataclass(frozen=True, slots=True)
class Mail:
    """Some addresses behind one mail server. See `protocol.Receiver`."""

    name: str
    server: MailServer
    sender: str
    recipients: Sequence[str]
    ui_url: str | None

    def send(self, alert: Alert) -> None:
        """Hand one e-mail to the server."""
        letter = message(alert, self.sender, self.recipients, self.ui_url).as_bytes(policy=LINES_OF_SMTP)
        with self._session(SECONDS) as smtp:
            _require(smtp.mail(self.sender)[0], f"takes nothing from {self.sender} (ALERT_EMAIL_FROM)")
            answers = {address: smtp.rcpt(address)[0] for address in self.recipients}
            refused = {address: code for address, code in answers.items() if code not in (250, 251)}
            if len(refused) == len(answers):
                address, code = next(iter(refused.items()))
                _require(code, f"takes nothing for {address}")
            for address, code in refused.items():
                log.warning("the mail server takes no alerts for %s: it answers %s", address, code)
            try:
                code, _ = smtp.data(letter)
            except smtplib.SMTPResponseException:
                raise
            except OSError:  # of which smtplib's errors are
                raise Unanswered(
                    f"{self.server.host} was sent an e-mail and did not say whether it takes it. It counts as arrived "
                    "for an hour. Check ALERT_SMTP_URL."
                ) from None
            _require(code, "does not take the e-mail")

    def check(self, seconds: float) -> str:
        """The server is greeted and logged in to, and nothing is sent."""
        with self._session(seconds) as smtp:
            how = "encrypted" if _is_encrypted(smtp) else "not encrypted, on this machine"
        user = f", as {self.server.user}" if self.server.user else ""
        return f"e-mail to {', '.join(self.recipients)} by {self.server.host} ({how}{user}); none was sent"

    @contextmanager
    def _session(self, seconds: float) -> Iterator[smtplib.SMTP]:
        """A session in which mail can be sent. What goes wrong in it is told without the server's words."""
        started = time.monotonic()
        try:
            smtp = self._connected(min(WORD_SECONDS, seconds))
            try:
                with _ended_after(smtp, max(0.0, seconds - (time.monotonic() - started))):
                    self._greet(smtp)
                    yield smtp
            finally:
                _leave(smtp)
        except _Refused as error:
            raise self._not_delivered(str(error)) from None
        except smtplib.SMTPAuthenticationError as error:
            raise self._not_delivered(f"refuses the user and password: it answers {error.smtp_code}") from None
        except smtplib.SMTPResponseException as error:
            raise self._not_delivered(f"answers {error.smtp_code}") from None
        except (TimeoutError, smtplib.SMTPServerDisconnected):
            raise self._not_delivered("did not answer in time, or ended the connection") from None
        except (OSError, ValueError) as error:
            # Of the library's words only the system's: others may repeat what was sent.
            words = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
            raise self._not_delivered(f"cannot be spoken to ({words})") from None

    def _connected(self, seconds: float) -> smtplib.SMTP:
        # smtplib asks for the name of this machine else, which takes long where no server knows it.
        name = socket.gethostname()
        here = name if "." in name and name.isascii() else "[127.0.0.1]"
        if self.server.is_tls:
            return smtplib.SMTP_SSL(
                self.server.host, self.server.port, here, timeout=seconds, context=trusted_certificates()
            )
        return smtplib.SMTP(self.server.host, self.server.port, here, timeout=seconds)

    def _greet(self, smtp: smtplib.SMTP) -> None:
        smtp.ehlo_or_helo_if_needed()
        if not _is_encrypted(smtp) and smtp.has_extn("starttls"):
            smtp.starttls(context=trusted_certificates())
            smtp.ehlo()
        if not _is_encrypted(smtp) and not self.server.is_here:
            raise _Refused("offers no STARTTLS, and nothing is sent unencrypted to another machine")
        if self.server.user:
            if not smtp.has_extn("auth"):
                raise _Refused("takes no user and password, and ALERT_SMTP_URL has them")
            smtp.login(self.server.user, self.server.password.get_secret_value())

    def _not_delivered(self, what: str) -> NotDelivered:
        return NotDelivered(f"The mail server {self.server.host} {what}. Alerts are sent again. Check ALERT_SMTP_URL.")


class _Refused(Exception):
    """The server said no, in our words."""


def _require(code: int, otherwise: str) -> None:
    if not 200 <= code < 300:
        raise _Refused(f"{otherwise}: it answers {code}")


def _is_encrypted(smtp: smtplib.SMTP) -> bool:
    return hasattr(smtp.sock, "cipher")


def _leave(smtp: smtplib.SMTP) -> None:
    # What the server says to that is not waited for: an e-mail that it took before is taken.
    with suppress(OSError):
        smtp.putcmd("quit")
    smtp.close()


@contextmanager
def _ended_after(smtp: smtplib.SMTP, seconds: float) -> Iterator[None]:
    """End the connection after so long: a server that says a letter every second would keep it forever."""
    expired = threading.Event()

    def end() -> None:
        expired.set()
        if (sock := smtp.sock) is not None:
            with suppress(OSError):  # it has ended by itself
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    except OSError as error:  # of which smtplib's errors are
        raise TimeoutError if expired.is_set() else error from None
    finally:
        timer.cancel()


def message(alert: Alert, sender: str, recipients: Sequence[str], ui_url: str | None) -> EmailMessage:
    """The e-mail. That an alert is over answers that it began, so that programs show the two together."""
    letter = EmailMessage()
    letter["From"] = Address("Arcana Pipelines", addr_spec=sender)
    letter["To"] = ", ".join(recipients)
    letter["Subject"] = shorten(f"[Arcana] {title(alert)}", MOST_TITLE)
    letter["Date"] = formatdate(localtime=False)
    domain, thread = sender.rpartition("@")[2], hashlib.sha256(alert.key.encode()).hexdigest()[:32]
    if alert.resolved_at is None:
        letter["Message-ID"] = f"<{thread}@{domain}>"
    else:
        letter["Message-ID"] = f"<{thread}.resolved@{domain}>"
        letter["In-Reply-To"] = letter["References"] = f"<{thread}@{domain}>"
    letter["Auto-Submitted"] = "auto-generated"
    letter.set_content("\n".join(shorten(line, MOST_LINE) for line in lines(alert, ui_url)) + "\n", cte="base64")
    return letter
