"""One POST of an alert to an address that is a secret, or holds one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from arcana_pipelines.alerts.protocol import NotDelivered, Unanswered
from arcana_pipelines.net.post import NoAnswer, host_of, status_of

# A receiver that passes alerts on may take long. A tick of the sensor may take a minute.
ANSWER_SECONDS = 20.0
GATEWAY_TIMEOUT = 504


def post(url: str, body: Mapping[str, Any], check: str) -> None:
    """Post JSON; any 2xx is taken. `check` names the settings to look at when it is not.

    Raises:
        Unanswered: it was sent, and no answer came in time.
        NotDelivered: it could not be sent, or the answer is not 2xx.
    """
    content = json.dumps(body).encode()
    try:
        status = status_of(url, {"Content-Type": "application/json"}, content, ANSWER_SECONDS)
    except NoAnswer as error:
        if error.was_sent:
            raise _unanswered(str(error), check) from None
        raise NotDelivered(f"The receiver of alerts: {error}. They are sent again. Check {check}.") from None
    if status == GATEWAY_TIMEOUT:
        raise _unanswered(f"{host_of(url)} answered {status}", check)
    if not 200 <= status < 300:
        raise NotDelivered(
            f"The receiver of alerts ({host_of(url)}) answered {status}. They are sent again. Check {check}."
        )


def _unanswered(what: str, check: str) -> Unanswered:
    return Unanswered(f"The receiver of alerts: {what}. What it was sent counts as arrived for an hour. Check {check}.")
