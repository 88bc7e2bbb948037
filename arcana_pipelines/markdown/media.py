"""What a person sees of a picture, file or bookmark beside its caption."""

from __future__ import annotations

from arcana_pipelines.markdown.urls import file_label, file_name, without_signature

_ADDRESS_SHOWN = frozenset({"bookmark", "embed", "link_preview", "link-preview"})
FILES = frozenset({"image", "pdf", "file", "audio", "video"})
MEDIA = _ADDRESS_SHOWN | FILES


def media_label(kind: str, url: str, caption: str, name: str = "") -> str:
    """The text that stands for a medium next to its caption, if any is due.

    A bookmark shows its address, a file its name; a picture's name is shown only when it has no caption.
    """
    if kind in _ADDRESS_SHOWN:
        label = without_signature(url)
    elif kind == "image":
        label = "" if caption.strip() else file_name(url)
    else:
        label = (without_signature(name) if name else "") or file_label(url)
    return "" if label in caption else label
