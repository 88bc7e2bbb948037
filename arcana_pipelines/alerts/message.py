"""The words of an alert, which each receiver escapes in its own way."""

from __future__ import annotations

from arcana_pipelines.alerts.protocol import Alert


def title(alert: Alert) -> str:
    """Workspace and cause, on one line."""
    over = "resolved: " if alert.resolved_at is not None else ""
    return f"{_place(alert)}: {over}{alert.cause.replace('_', ' ')}"


def lines(alert: Alert, ui_url: str | None) -> list[str]:
    """Workspace, cause, next step and a link to the run; or, shortly, that it is over."""
    if alert.resolved_at is not None:
        minutes = max(1, round((alert.resolved_at - alert.since).total_seconds() / 60))
        return [f"{_place(alert)}: resolved after {minutes} min: {alert.cause.replace('_', ' ')}."]
    said = [f"{_place(alert)}: {alert.text}"]
    if alert.detail:
        said.append(f"Why: {alert.detail}")
    if alert.next_step:
        said.append(f"Next: {alert.next_step}")
    if run := run_url(alert, ui_url):
        said.append(f"Run: {run}")
    return said


def run_url(alert: Alert, ui_url: str | None) -> str | None:
    """The page of its run; None where no run shows it, or the UI's address is not known."""
    return f"{ui_url}/runs/{alert.run_id}" if alert.run_id and ui_url else None


def _place(alert: Alert) -> str:
    return alert.workspace or "Arcana"


def shorten(text: str, most: int) -> str:
    """Text from outside on one line of at most `most` characters, without what is not printable."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
