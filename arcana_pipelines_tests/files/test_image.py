"""Images: pixels for OCR, upright and bounded, and never a word that was written into them."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image

from arcana_pipelines.files.kinds import FileKind
from arcana_pipelines.files.parsing.blocks import Note, Picture, Place
from arcana_pipelines.files.parsing.parsers import image
from arcana_pipelines.files.parsing.protocol import Reason
from arcana_pipelines_tests.files.sayings import reason_of, said_of, shared

IMAGE = FileKind.IMAGE


def drawn(file: bytes | Path, directory: Path) -> list[Image.Image]:
    """The pictures that OCR is given."""
    said = said_of(image, file, IMAGE, directory, pictures=True)
    found = [Image.open(directory / "written" / picture.path) for picture in said if isinstance(picture, Picture)]
    for picture in found:
        picture.load()
    return found


def saved(picture: Image.Image, kind: str, **more: object) -> bytes:
    picture.save(whole := io.BytesIO(), kind, **more)
    return whole.getvalue()


def corner(mode: str = "RGB", size: tuple[int, int] = (200, 100)) -> Image.Image:
    """White, with its upper left quarter black."""
    picture = Image.new("L", size, 255)
    picture.paste(0, (0, 0, size[0] // 2, size[1] // 2))
    return picture.convert(mode)


def test_an_image_waits_for_ocr_and_is_given_to_it_in_grey(tmp_path: Path) -> None:
    for name in ("image/english-korean.png", "image/korean-scan.png", "image/photo-exif.jpg"):
        assert reason_of(image, shared(name), IMAGE, tmp_path) is Reason.NEEDS_OCR
        (picture,) = drawn(shared(name), tmp_path)
        assert (picture.mode, picture.format, picture.info) == ("L", "PNG", {})


def test_what_a_camera_wrote_into_a_photograph_stays_in_it(tmp_path: Path) -> None:
    assert b"Canon" in shared("image/photo-exif.jpg").read_bytes()
    said = said_of(image, shared("image/photo-exif.jpg"), IMAGE, tmp_path, pictures=True)
    assert said == [Picture("sheet-1.png", why="an image")]
    assert b"Canon" not in (tmp_path / "written" / "sheet-1.png").read_bytes()


@pytest.mark.parametrize(("orientation", "dark"), [(1, (0, 0)), (3, (1, 1)), (6, (1, 0)), (8, (0, 1))])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_a_photograph_is_turned_as_its_camera_was_held(
    kind: str, orientation: int, dark: tuple[int, int], tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    (picture,) = drawn(saved(corner(), kind, exif=exif), tmp_path)
    assert picture.size == ((100, 200) if orientation >= 5 else (200, 100))
    width, height = picture.size
    quarters = [(x, y) for x in (0, 1) for y in (0, 1)]
    middles = {(x, y): (width // 4 + x * width // 2, height // 4 + y * height // 2) for x, y in quarters}
    assert [quarter for quarter, middle in middles.items() if picture.getpixel(middle) < 40] == [dark]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "CMYK"])
def test_each_way_to_keep_colours_becomes_grey(mode: str, tmp_path: Path) -> None:
    if mode == "I;16":
        sixteen = Image.new("I;16", (200, 100), 60_000)
        sixteen.paste(0, (0, 0, 100, 50))
        data = saved(sixteen, "PNG")
    else:
        data = saved(corner(mode), "TIFF" if mode == "CMYK" else "PNG")
    (picture,) = drawn(data, tmp_path)
    assert picture.getpixel((50, 25)) < 20 and picture.getpixel((150, 75)) > 230


def test_what_is_transparent_is_white(tmp_path: Path) -> None:
    for clear in (Image.new("RGBA", (100, 100), (0, 0, 0, 0)), Image.new("LA", (100, 100), (0, 0))):
        (picture,) = drawn(saved(clear, "PNG"), tmp_path)
        assert picture.getpixel((50, 50)) == 255


def test_the_sheets_of_a_tiff_are_pages_and_an_animation_is_one(tmp_path: Path) -> None:
    sheets = [corner("L", (100, 80 + number)) for number in range(3)]
    fax = saved(sheets[0], "TIFF", save_all=True, append_images=sheets[1:])
    said = said_of(image, fax, IMAGE, tmp_path, pictures=True)
    assert [(picture.path, picture.place) for picture in said] == [
        (f"sheet-{number}.png", Place(page=number)) for number in (1, 2, 3)
    ]
    colours = [Image.new("L", (100, 100), shade) for shade in (0, 100, 200)]
    assert len(drawn(saved(colours[0], "GIF", save_all=True, append_images=colours[1:]), tmp_path)) == 1


def test_a_sheet_that_is_damaged_costs_only_itself(tmp_path: Path) -> None:
    sheets = [corner("L") for _ in range(3)]
    fax = bytearray(saved(sheets[0], "TIFF", save_all=True, append_images=sheets[1:], compression="tiff_adobe_deflate"))
    begin = [at for at in range(len(fax)) if fax.startswith(zlib.compress(b"", 6)[:2], at)][1]
    fax[begin : begin + 20] = bytes(20)
    said = said_of(image, bytes(fax), IMAGE, tmp_path, pictures=True)
    assert [type(each) for each in said] == [Picture, Note, Picture] and said[1] == Note("sheet 2 cannot be read")


def test_a_large_image_is_made_smaller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image, "_MOST_PIXELS_DRAWN", 5_000)
    for mode in ("1", "P", "RGB", "RGBA"):
        (picture,) = drawn(saved(corner(mode), "PNG"), tmp_path)
        assert picture.size == (100, 50) and picture.getpixel((25, 12)) < 20


def bomb(width: int, height: int) -> bytes:
    """A PNG that says how large it is, and begins."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(bytes(1000)))]
    sums = (struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks)
    packed = (
        struct.pack(">I", len(data)) + name + data + total for (name, data), total in zip(chunks, sums, strict=True)
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


@pytest.mark.parametrize("side", [10_001, 20_000, 30_000, 2**31 - 1])
def test_an_image_that_would_not_fit_into_memory_is_not_decoded(side: int, tmp_path: Path) -> None:
    assert reason_of(image, bomb(side, side), IMAGE, tmp_path, pictures=True) is Reason.TOO_LARGE


def test_an_icon_has_no_text(tmp_path: Path) -> None:
    assert reason_of(image, saved(corner(size=(800, 63)), "PNG"), IMAGE, tmp_path) is Reason.NO_TEXT


def test_a_damaged_image_is_told_from_a_format_that_is_not_read(tmp_path: Path) -> None:
    whole = saved(corner(), "PNG")
    for cut in (whole[:8], whole[:40], whole[:-30], saved(corner(), "JPEG")[:600]):
        assert reason_of(image, cut, IMAGE, tmp_path, pictures=True) is Reason.DAMAGED
    for other in (b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"\0\0\0\x18ftypheic", b"%!PS-Adobe-3.0 EPSF-3.0\n"):
        assert reason_of(image, other, IMAGE, tmp_path, pictures=True) is Reason.UNSUPPORTED
