"""Makes the font of boxes by which PDFium reads what names a CJK font and does not bring it.

    python -m arcana_pipelines_tests.files.make_boxes    # needs fonttools, which is none of the locked packages

Less than a kilobyte: every Hangul, kana and Han character is the same box (a `cmap` of format 13). It claims the code
pages of Korean, Japanese and Chinese and no others, so that PDFium takes it for no Latin text.
"""

from __future__ import annotations

import sys
from pathlib import Path

FONT = Path(__file__).parents[2] / "arcana_pipelines" / "files" / "parsing" / "fonts" / "boxes.ttf"
CHARACTERS = (
    range(0x1100, 0x1200), range(0x3000, 0x3190), range(0x4E00, 0xA000), range(0xAC00, 0xD7A4), range(0xFF01, 0xFF5F),
)  # fmt: skip
CODE_PAGES = range(17, 22)  # bits of ulCodePageRange1: Japanese, simplified Chinese, Korean, traditional Chinese, Johab


def make(to: Path) -> None:
    """Write the font."""
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.ttGlyphPen import TTGlyphPen
    from fontTools.ttLib.tables._c_m_a_p import cmap_classes

    pen = TTGlyphPen(None)
    pen.moveTo((50, -100))
    for corner in ((50, 800), (950, 800), (950, -100)):
        pen.lineTo(corner)
    pen.closePath()
    box = pen.glyph()
    font = FontBuilder(1000, isTTF=True)
    font.setupGlyphOrder([".notdef", "box"])
    font.setupCharacterMap({0x3000: "box"})
    characters = cmap_classes[13](13)
    characters.platformID, characters.platEncID, characters.language = 3, 10, 0
    characters.reserved = characters.length = characters.nGroups = 0
    characters.cmap = {character: "box" for some in CHARACTERS for character in some}
    font.font["cmap"].tables = [characters]
    font.setupGlyf({".notdef": box, "box": box})
    font.setupHorizontalMetrics({".notdef": (1000, 50), "box": (1000, 50)})
    font.setupHorizontalHeader(ascent=880, descent=-120)
    font.setupNameTable({"familyName": "Boxes", "styleName": "Regular"})
    pages = sum(1 << bit for bit in CODE_PAGES)
    font.setupOS2(sTypoAscender=880, usWinAscent=880, usWinDescent=120, ulCodePageRange1=pages)
    font.setupPost()
    font.font.recalcTimestamp = False
    font.font["head"].created = font.font["head"].modified = 0
    font.save(to)


if __name__ == "__main__":
    make(FONT)
    print(FONT.stat().st_size, file=sys.stderr)
