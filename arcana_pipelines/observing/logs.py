"""Lines of the log as JSON (`LOG_FORMAT=json`), for programs that collect them.

A line has what our own code says in words, who it worked for, and of an error its class and where it came from: what an
error says may quote a row. Keys, tokens and passwords in addresses are masked, whoever wrote them.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import traceback
from datetime import UTC, datetime
from typing import TextIO

from arcana_pipelines.observing import context

OURS = "arcana_pipelines"
# What else a call may say of a line (`extra=`).
EXTRAS = ("route", "method", "status", "milliseconds")
_LONGEST = 2000
_FRAMES = 12
_SECRETS = (
    (re.compile(r"(?<=://)[^/\s:@]*:[^/\s@]*(?=@)"), "***"),
    (re.compile(r"\b(?:arc|ntn|sk|secret|ghp|xox[abp])[_-][A-Za-z0-9_-]{8,}"), "***"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"), r"\1 ***"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"), "***"),
    (re.compile(r"(?i)\b(password|token|secret|api[_-]?key)(\s*[=:]\s*)\S+"), r"\1\2***"),
)


def is_json() -> bool:
    """Whether the environment asks for it."""
    return os.environ.get("LOG_FORMAT", "").strip().lower() == "json"


class JsonLines(logging.Formatter):
    """One line of JSON for each record."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        line: dict[str, object] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": masked(_message(record))[:_LONGEST],
        }
        line |= {name: value for name in EXTRAS if (value := getattr(record, name, None)) is not None}
        line |= context.now()
        line |= _trace_of(record)
        if record.exc_info and record.exc_info[0] is not None:
            line |= _error(record.exc_info[0], record.exc_info[1])
        return json.dumps(line, ensure_ascii=False, default=str)


def masked(text: str) -> str:
    """A text without keys, tokens and passwords."""
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text


def json_handler(stream: TextIO) -> logging.Handler:
    """Writes JSON. Of others' loggers only what is wrong: what else they say are addresses that were asked."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    handler.addFilter(lambda record: record.levelno >= logging.WARNING or _is_ours(record))
    return handler


def _is_ours(record: logging.LogRecord) -> bool:
    return record.name.split(".")[0] == OURS


def configure(verbose: bool) -> None:
    """How this process logs to standard error: as lines for people, or as JSON."""
    if is_json():
        configure_ours()
        handler = json_handler(sys.stderr)
        handler.addFilter(lambda record: not _is_ours(record))
    else:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, handlers=[handler])


def configure_ours() -> None:
    """Our own loggers write JSON, where that is asked for, and once; also in a process of Dagster's.

    Before Dagster's handler comes, which writes its own words into what it is given and takes errors for text.
    """
    ours = logging.getLogger(OURS)
    if is_json() and not any(isinstance(handler.formatter, JsonLines) for handler in ours.handlers):
        ours.addHandler(json_handler(sys.stderr))


def _message(record: logging.LogRecord) -> str:
    """What a line says; an error that it names is told by its class."""
    if isinstance(record.args, tuple) and record.args:
        args = tuple(type(each).__qualname__ if isinstance(each, BaseException) else each for each in record.args)
        return str(record.msg) % args
    return record.getMessage()


def _error(kind: type[BaseException], error: BaseException | None) -> dict[str, object]:
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:] if error is not None else []
    return {
        "error": f"{kind.__module__}.{kind.__qualname__}",
        "at": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
    }


def _trace_of(record: logging.LogRecord) -> dict[str, str]:
    from arcana_pipelines.observing import traces

    return traces.ids()
