"""Rich text in Notion-flavored Markdown (v2)."""

from __future__ import annotations

import re

from arcana_pipelines.testing.notion_server.markdown.renderer import attributes, color_name
from arcana_pipelines.testing.notion_server.model.objects import Json
from arcana_pipelines.testing.notion_server.model.rich_text import RichText, Segment

_SPECIAL = re.compile(r"([\\*`~$\[\]<])|(?<![^\W_])(_)|(_)(?![^\W_])")
_ENTITY = re.compile(r"&(?=#?\w+;)")
_BLOCK_START = re.compile(r"(?m)^(\s*)(#{1,6}(?=\s|$)|[-+](?=\s|$)|-{3,}$|>|\d+(?=[.)](\s|$)))")


class InlineV2:
    """Writes segments; `line_break` is what a line break within a block becomes."""

    def __init__(self, line_break: str) -> None:
        self._line_break = line_break

    def text(self, segments: RichText) -> str:
        """Segments, those of one style written as one."""
        merged = _merge(segments)
        styled = [_is_styled(segment) for segment in merged]
        parts = []
        for at, segment in enumerate(merged):
            beside = (at > 0 and styled[at - 1]) or (at + 1 < len(merged) and styled[at + 1])
            before = merged[at - 1]["plain_text"][-1:] if at else ""
            after = merged[at + 1]["plain_text"][:1] if at + 1 < len(merged) else ""
            parts.append(self._segment(segment, tags=beside or _clings(segment["plain_text"], before, after)))
        return "".join(parts)

    def _segment(self, segment: Segment, *, tags: bool) -> str:
        style = segment["annotations"]
        if segment["type"] == "equation":
            body = f"${segment['equation']['expression']}$"
        elif segment["type"] == "mention":
            body = self._mention(segment)
        elif style["code"]:
            body = _code(segment["plain_text"])
        else:
            body = escape(segment["plain_text"]).replace("\n", self._line_break)
        body = _styled(body, style, tags)
        link = segment["text"]["link"] if segment["type"] == "text" else None
        if link:
            body = f"[{body}]({link['url'].replace(')', '%29')})"
        color = color_name(style["color"])
        return f'<span color="{color}">{body}</span>' if color else body

    def _mention(self, segment: Segment) -> str:
        mention: Json = segment["mention"]
        kind, label = mention["type"], escape(segment["plain_text"])
        if kind == "user":
            return f'<mention url="user://{mention["user"]["id"]}">{label.removeprefix("@")}</mention>'
        if kind in ("page", "database"):
            given = attributes(url=segment["href"], type="database" if kind == "database" else None)
            return f"<mention{given}>{label}</mention>"
        if kind == "date":
            return _date(mention["date"])
        if kind == "custom_emoji":
            return str(segment["plain_text"])
        if kind == "link_mention":
            return f"[{label}]({mention['link_mention']['href']})"
        return label


def escape(content: str) -> str:
    """Text whose characters must not be taken for Markdown or tags."""
    return _ENTITY.sub("&amp;", _SPECIAL.sub(lambda match: "\\" + match[0], content))


def starts_clean(body: str) -> str:
    """Lines that must not be taken for headings, lists, quotes or rules."""
    return _BLOCK_START.sub(
        lambda match: f"{match[1]}{match[2]}\\" if match[2].isdigit() else f"{match[1]}\\{match[2]}", body
    )


def _merge(segments: RichText) -> RichText:
    merged: RichText = []
    for segment in segments:
        last = merged[-1] if merged else None
        if (
            last is not None
            and last["type"] == segment["type"] == "text"
            and last["annotations"] == segment["annotations"]
            and last["text"]["link"] == segment["text"]["link"]
        ):
            merged[-1] = {**last, "plain_text": last["plain_text"] + segment["plain_text"]}
        else:
            merged.append(segment)
    return [segment for segment in merged if segment["plain_text"] or segment["type"] != "text"]


def _is_styled(segment: Segment) -> bool:
    style = segment["annotations"]
    return any(style[name] for name in ("bold", "italic", "strikethrough", "underline", "code"))


def _clings(content: str, before: str, after: str) -> bool:
    """Whether `**` around this text could fail to open or close, by CommonMark's flanking rules."""
    if not content or content != content.strip():
        return True
    edges_are_words = content[0].isalnum() and content[-1].isalnum()
    return not edges_are_words and bool(before.strip() or after.strip())


def _styled(body: str, style: Json, tags: bool) -> str:
    for name, mark, tag in (("bold", "**", "b"), ("italic", "*", "i"), ("strikethrough", "~~", "s")):
        if style[name]:
            body = f"<{tag}>{body}</{tag}>" if tags else f"{mark}{body}{mark}"
    return f"<u>{body}</u>" if style["underline"] else body


def _code(content: str) -> str:
    ticks = "``" if "`" in content else "`"
    space = " " if "`" in content else ""
    return f"{ticks}{space}{content}{space}{ticks}"


def _date(date: Json) -> str:
    def parts(moment: str | None) -> tuple[str | None, str | None]:
        if moment is None or "T" not in moment:
            return moment, None
        return moment[:10], moment[11:16]

    (start, start_time), (end, end_time) = parts(date["start"]), parts(date["end"])
    given = attributes(start=start, end=end, start_time=start_time, end_time=end_time, time_zone=date["time_zone"])
    return f"<date{given} />"
