"""Images: their pixels for OCR, the right way up, and nothing else of them.

What cameras and programs write into them (EXIF, comments: places, names, devices) never leaves this module.
"""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from arcana_pipelines.files.parsing.blocks import NOWHERE, Note, Picture, Place, Said
from arcana_pipelines.files.parsing.protocol import Job, Reason, Unreadable

# All others stay closed. Pillow would read some of them by starting programs.
_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "DIB", "TIFF", "WEBP", "AVIF", "JPEG2000")
_BEGINNINGS = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"RIFF", b"\0\0\0\x0cjP")
# An A3 sheet scanned at 600 dpi has 70 million. Decoded, a pixel takes up to four bytes, and twice that for a moment.
MOST_PIXELS = 100_000_000
# What OCR is given: an A4 sheet at 400 dpi has 15 million.
_MOST_PIXELS_DRAWN = 20_000_000
# Icons, bullets and rules: no line of text fits in.
_SMALLEST_SIDE = 64
# Of a TIFF, which holds the sheets of a fax or a scan.
_MOST_SHEETS = 50
_DAMAGED = (OSError, SyntaxError, ValueError, LookupError, EOFError, TypeError, struct.error, zlib.error)


def parse(job: Job) -> Iterator[Said]:
    """Say an image as the pictures whose text OCR reads: one, or one a sheet of a TIFF.

    Raises:
        Unreadable: without OCR, and for what is too large, too small, damaged or of another format (SVG, HEIC).
    """
    with job.path.open("rb") as source:
        _check(source)
        if not job.pictures:
            raise Unreadable(Reason.NEEDS_OCR, "an image, which only OCR can read")
        yield from pictures(source, job.directory, "sheet")


def pictures(source: BinaryIO, directory: Path, stem: str) -> Iterator[Picture | Note]:
    """Write the sheets of an image as grey PNGs named after `stem`, upright, on white.

    Raises:
        Unreadable: see `parse`.
    """
    with _opened(source) as image:
        sheets = _sheets_of(image)
        for number in range(1, min(sheets, _MOST_SHEETS) + 1):
            path = directory / f"{stem}-{number}.png"
            try:
                _draw(image, number, path)
            except Unreadable:
                if sheets == 1:
                    raise
                yield Note(f"sheet {number} cannot be read")
                continue
            yield Picture(path.name, Place(page=number) if sheets > 1 else NOWHERE, "an image")
        if sheets > _MOST_SHEETS:
            yield Note(f"sheets after the first {_MOST_SHEETS}")


def _sheets_of(image: ImageFile.ImageFile) -> int:
    """How many a TIFF has. Of what moves the first picture is enough."""
    try:
        return int(getattr(image, "n_frames", 1)) if image.format == "TIFF" else 1
    except _DAMAGED as error:
        raise _damaged() from error


def _check(source: BinaryIO) -> None:
    with _opened(source) as image:
        try:
            image.verify()
        except _DAMAGED as error:
            raise _damaged() from error
    source.seek(0)


def _opened(source: BinaryIO) -> ImageFile.ImageFile:
    beginning = source.read(16)
    source.seek(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own bound is lower, and below
            image = Image.open(source, formats=_FORMATS)
    except Image.DecompressionBombError as error:
        raise _too_large() from error
    except UnidentifiedImageError as error:
        if beginning.startswith(_BEGINNINGS):
            raise _damaged() from error
        raise Unreadable(Reason.UNSUPPORTED, "an image of a format that is not read") from error
    except _DAMAGED as error:
        raise _damaged() from error
    _check_size(image)
    return image


def _check_size(image: Image.Image) -> None:
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise _too_large()
    if min(width, height) < _SMALLEST_SIDE:
        raise Unreadable(Reason.NO_TEXT, f"an image of {width} x {height} pixels, too small for text")


def _draw(sheet: ImageFile.ImageFile, number: int, path: Path) -> None:
    try:
        sheet.seek(number - 1)
        _check_size(sheet)  # each sheet of a TIFF has its own
        scale = min(1.0, (_MOST_PIXELS_DRAWN / (sheet.width * sheet.height)) ** 0.5)
        size = max(1, int(sheet.width * scale)), max(1, int(sheet.height * scale))
        sheet.draft("L", size)  # of a JPEG only what is needed is decoded
        sheet.load()
        # Of bits and of colours by number no mean can be taken, which makes a picture smaller.
        image = sheet.convert("L") if sheet.mode in ("1", "P") and not _transparent(sheet) else sheet
        if scale < 1:
            image.thumbnail(size)
        upright = _grey(ImageOps.exif_transpose(image))
        # A picture of its own: nothing that was said about the old one is saved with it.
        clean = Image.new("L", upright.size)
        clean.paste(upright)
        clean.save(path, format="PNG", compress_level=1)
    except Image.DecompressionBombError as error:
        raise _too_large() from error
    except _DAMAGED as error:
        raise _damaged() from error


def _grey(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        # 16 bits a pixel and more: stretched over what there is, where Pillow would cut off all above 255.
        wide = image.convert("F")
        darkest, lightest = cast(tuple[float, float], wide.getextrema())
        stretch = 255.0 / ((lightest - darkest) or 1.0)
        return wide.point(lambda value: value * stretch - darkest * stretch).convert("L")
    if _transparent(image):
        seen = image.convert("RGBA")
        white = Image.new("RGBA", seen.size, "white")
        white.alpha_composite(seen)
        return white.convert("L")
    return image.convert("L")


def _transparent(image: Image.Image) -> bool:
    return "A" in image.getbands() or "a" in image.getbands() or "transparency" in image.info


def _damaged() -> Unreadable:
    return Unreadable(Reason.DAMAGED, "the image is damaged")


def _too_large() -> Unreadable:
    return Unreadable(Reason.TOO_LARGE, f"an image of more than {MOST_PIXELS // 10**6} million pixels")
