"""The RTF in which Outlook keeps the text of a mail ([MS-OXRTFCP]): what it repeats is named by its place."""

from __future__ import annotations

import struct

_BEGINNING = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor MS Sans Serif"
    rb"SymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0" + b"\r\n"
    rb"\par \pard\plain\f0\fs20\b\i\u\tab\tx"
)
_WINDOW = 4096
# It is unpacked byte by byte, some millions in a second.
_MOST_BYTES = 20 * 2**20
_HEADER = 16
_COMPRESSED, _PLAIN = b"LZFu", b"MELA"


def unpacked(data: bytes) -> bytes:
    """The RTF of a property; nothing where it is none, or too large."""
    if len(data) < _HEADER:
        return b""
    size, kind = struct.unpack_from("<I", data, 4)[0], data[8:12]
    if size > _MOST_BYTES:
        return b""
    if kind == _PLAIN:
        return data[_HEADER : _HEADER + size]
    return _decompressed(data, size) if kind == _COMPRESSED else b""


def _decompressed(data: bytes, size: int) -> bytes:
    window = bytearray(_BEGINNING.ljust(_WINDOW, b"\0"))
    to = len(_BEGINNING)
    out = bytearray()
    at = _HEADER
    while at < len(data) and len(out) < size:
        control = data[at]
        at += 1
        for bit in range(8):
            if control >> bit & 1:
                if at + 2 > len(data):
                    return bytes(out)
                begin, length = divmod(data[at] << 8 | data[at + 1], 16)
                at += 2
                if begin == to:  # how it says that it ends
                    return bytes(out)
                places = range(begin, begin + length + 2)
            else:
                if at >= len(data):
                    return bytes(out)
                window[to] = data[at]
                at += 1
                places = range(to, to + 1)
            for place in places:
                byte = window[place % _WINDOW]
                out.append(byte)
                window[to] = byte
                to = (to + 1) % _WINDOW
    return bytes(out[:size])
