"""The sheet between two letters of a batch: blank, or printed with broad black bars."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Literal

from .pages import BadPage, pages_of

if TYPE_CHECKING:
    from PIL.Image import Image

BARS = 6
LEAST_BARS = 4
SIZE = (1654, 2338)
THUMB = 600
DUST = 0.0002


def is_separator(content: bytes, kind: Literal["sheet", "blank"]) -> bool:
    """True for a single page that is blank or, where ``kind`` says so, carries the bars. False where it cannot be seen."""
    try:
        pages = pages_of(content)
        image = next(pages).image(THUMB).convert("L")
        if next(pages, None) is not None:
            return False
    except (BadPage, StopIteration):
        return False
    return _blank(image) or (kind == "sheet" and any(_bars(way) for way in (image, image.rotate(90, expand=True))))


def separator_sheet() -> bytes:
    """A PNG (A4, 200 dpi) to print and put between letters. Upside down or turned it works as well."""
    from PIL import Image, ImageDraw

    sheet = Image.new("L", SIZE, 255)
    draw = ImageDraw.Draw(sheet)
    width, height = SIZE
    for bar in range(BARS):
        top = height // 10 + bar * height // 7
        draw.rectangle((width // 14, top, width - width // 14, top + height // 16), fill=0)
    packed = io.BytesIO()
    sheet.save(packed, "PNG", dpi=(200, 200), optimize=True)
    return packed.getvalue()


def _inner(image: Image) -> Image:
    """Without the edges, where scanners leave shadows."""
    across, down = image.width // 25, image.height // 25
    return image.crop((across, down, image.width - across, image.height - down))


def _blank(image: Image) -> bool:
    from PIL import ImageChops, ImageFilter

    inner = _inner(image)
    darker = ImageChops.subtract(inner.filter(ImageFilter.BoxBlur(12)), inner)
    ink = sum(darker.histogram()[24:])
    lightest = max(value for value, count in enumerate(inner.histogram()) if count)
    return lightest > 120 and ink < DUST * inner.width * inner.height


def _bars(image: Image) -> bool:
    """True where at least four dark bands run across most of the page, with light between them."""
    from PIL import Image as Images

    profile = list(_inner(image).point(lambda v: 255 if v < 110 else 0).resize((1, 200), Images.Resampling.BOX).tobytes())
    bands, length = 0, 0
    for share in [*profile, 0]:
        if share > 160:
            length += 1
        else:
            bands += 5 <= length <= 30
            length = 0
    return bands >= LEAST_BARS
