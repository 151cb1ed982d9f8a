"""Makes scans of letters for tests: a Chinese text becomes pages as an office scanner delivers them.

    render_letter("物业公司：\\n…", "tiff")  → bytes of a multi-page TIFF

Needs Pillow and a Chinese font (Debian: fonts-noto-cjk).
"""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Literal

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

Format = Literal["png", "jpeg", "tiff", "pdf"]

PAPER = (8.27, 11.69)
MARGIN = 1.0
LETTER_HEIGHT = 0.19
LINE_HEIGHT = 1.8
PLACES = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts")
FAMILIES = ("NotoSerifCJK-Regular*", "NotoSansCJK-Regular*", "NotoSansSC-Regular*", "SourceHan*Regular*", "wqy-*.ttc")


def render_letter(
    text: str, fmt: Format = "png", dpi: int = 200, *, angle: float = 0.4, noise: int = 6, seal: bool = False
) -> bytes:
    """A scan of ``text`` in ``fmt``, without a text layer; equal input gives equal bytes.

    A form feed starts a new page. TIFF and PDF take as many pages as are needed, PNG and JPEG hold one: ValueError beyond.
    """
    pages = render_pages(text, dpi, angle=angle, noise=noise, seal=seal)
    if fmt in ("png", "jpeg") and len(pages) > 1:
        raise ValueError(f"the text fills {len(pages)} pages; {fmt} holds one, use tiff or pdf")
    options: dict[str, object] = {"dpi": (dpi, dpi)}
    if fmt in ("tiff", "pdf"):
        options = {"save_all": True, "append_images": pages[1:]}
        options |= {"compression": "tiff_lzw", "dpi": (dpi, dpi)} if fmt == "tiff" else {"resolution": dpi, "quality": 85}
    scan = io.BytesIO()
    pages[0].save(scan, fmt.upper(), **(options | ({"quality": 85} if fmt == "jpeg" else {})))
    return _undated(scan.getvalue()) if fmt == "pdf" else scan.getvalue()


def render_pages(text: str, dpi: int = 200, *, angle: float = 0.4, noise: int = 6, seal: bool = False) -> list[Image.Image]:
    """The pages of a letter as grey images, in colour with a red seal."""
    font = chinese_font(round(LETTER_HEIGHT * dpi))
    width, height = (round(side * dpi) for side in PAPER)
    step = round(LETTER_HEIGHT * LINE_HEIGHT * dpi)
    per_page = (height - 2 * round(MARGIN * dpi)) // step
    pages = []
    for sheet in text.split("\f"):
        lines = list(_wrapped(sheet, font, width - 2 * round(MARGIN * dpi))) or [""]
        for start in range(0, len(lines), per_page):
            pages.append(_page(lines[start : start + per_page], font, (width, height), step, dpi))
    return [_scanned(_sealed(page, dpi) if seal else page, angle, noise, number) for number, page in enumerate(pages)]


@lru_cache
def chinese_font(size: int) -> ImageFont.FreeTypeFont:
    """A font with simplified Chinese characters. Raises LookupError where none is installed."""
    for family in FAMILIES:
        for place in PLACES:
            for path in sorted(Path(place).expanduser().rglob(family)):
                return _simplified(path, size)
    raise LookupError("no Chinese font found; install fonts-noto-cjk")


def _simplified(path: Path, size: int) -> ImageFont.FreeTypeFont:
    faces = []
    for index in range(8):
        try:
            faces.append(ImageFont.truetype(str(path), size, index=index))
        except OSError:
            break
    return next((face for face in faces if "SC" in (face.getname()[0] or "")), faces[0])


def _wrapped(text: str, font: ImageFont.FreeTypeFont, width: int) -> Iterator[str]:
    """Lines that fit; no closing mark begins a line."""
    for paragraph in text.strip("\n").split("\n"):
        line = ""
        for letter in paragraph:
            if font.getlength(line + letter) > width and letter not in "，。、；：！？）》”":
                yield line
                line = ""
            line += letter
        yield line


def _page(lines: list[str], font: ImageFont.FreeTypeFont, size: tuple[int, int], step: int, dpi: int) -> Image.Image:
    page = Image.new("L", size, 247)
    draw = ImageDraw.Draw(page)
    for number, line in enumerate(lines):
        draw.text((round(MARGIN * dpi), round(MARGIN * dpi) + number * step), line, font=font, fill=35)
    return page


def _sealed(page: Image.Image, dpi: int) -> Image.Image:
    colour = page.convert("RGB")
    centre, radius = (round(2.6 * dpi), round(1.7 * dpi)), round(0.8 * dpi)
    ring = Image.new("RGB", page.size, "white")
    draw = ImageDraw.Draw(ring)
    box = (centre[0] - radius, centre[1] - radius, centre[0] + radius, centre[1] + radius)
    draw.ellipse(box, outline=(225, 40, 45), width=round(0.06 * dpi))
    draw.text(centre, "样例专用章", font=chinese_font(round(0.22 * dpi)), fill=(225, 40, 45), anchor="mm")
    return ImageChops.multiply(colour, ring)


def _scanned(page: Image.Image, angle: float, noise: int, seed: int) -> Image.Image:
    """As from the glass of a scanner: not quite straight, a little soft, a little dirty."""
    paper = 247 if page.mode == "L" else (247, 247, 247)
    turned = page.rotate(angle, Image.Resampling.BICUBIC, fillcolor=paper).filter(ImageFilter.GaussianBlur(0.6))
    if not noise:
        return turned
    grain = Image.frombytes("L", (256, 256), random.Random(seed).randbytes(65536)).point(lambda v: v * noise // 255)
    dirt = Image.new("L", page.size)
    for top in range(0, page.height, 256):
        for left in range(0, page.width, 256):
            dirt.paste(grain, (left, top))
    return ImageChops.subtract(turned, dirt if page.mode == "L" else Image.merge("RGB", (dirt, dirt, dirt)))


def _undated(pdf: bytes) -> bytes:
    """The same bytes on every day: Pillow writes the time into a PDF, at a fixed width."""
    for key in (b"/CreationDate", b"/ModDate"):
        start = pdf.find(key)
        if start >= 0:
            opening = pdf.index(b"(", start) + 1
            closing = pdf.index(b")", opening)
            pdf = pdf[:opening] + b"D:20250101000000Z".ljust(closing - opening)[: closing - opening] + pdf[closing:]
    return pdf


def typed_letter(text: str) -> bytes:
    """A one-page PDF whose text is text, as a computer writes it; needs neither Pillow nor a font."""
    lines = "".join(f"<{line.encode('utf-16-be').hex()}> Tj T*\n" for line in text.strip("\n").split("\n"))
    drawn = f"BT /F1 14 Tf 24 TL 72 760 Td\n{lines}ET".encode()
    font = "<< /Type /Font /Subtype /Type0 /BaseFont /STSong-Light /Encoding /UniGB-UCS2-H /DescendantFonts [6 0 R] >>"
    cid = (
        "<< /Type /Font /Subtype /CIDFontType0 /BaseFont /STSong-Light /DW 1000 /FontDescriptor 7 0 R "
        "/CIDSystemInfo << /Registry (Adobe) /Ordering (GB1) /Supplement 2 >> >>"
    )
    look = "/Flags 6 /ItalicAngle 0 /Ascent 880 /Descent -120 /CapHeight 880 /StemV 90 /FontBBox [-25 -254 1000 880]"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawn), drawn),
        font.encode(),
        cid.encode(),
        f"<< /Type /FontDescriptor /FontName /STSong-Light {look} >>".encode(),
    ]
    pdf, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(pdf))
        pdf += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    end = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, len(pdf))
    return pdf + head + table + end
