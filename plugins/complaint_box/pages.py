"""The stored bytes of a letter → its pages, one after the other, within limits that hold before anything is decoded (S14)."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .formats import MOST_PAGES, kind_of, unbundle

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_PIXELS = 40_000_000
PDF_DPI = 200
PDF_LONGEST = 2400
PREVIEW = 1400
PREVIEW_COLOURS = 64
LEAST_HAN = 5
LEAST_CONTRAST = 40


class BadPage(Exception):
    """A page, or all of them, cannot be shown; the text says in Chinese why."""


class Page:
    """One page: the text it carries itself, "" for a picture, and its picture on request."""

    def text(self) -> str:
        return ""

    def image(self, longest: int) -> Image:
        """The picture, upright, no side longer than ``longest`` pixels. Raises BadPage."""
        raise NotImplementedError


def pages_of(content: bytes) -> Iterator[Page]:
    """The pages in order; each is good until the next is asked for. A file that cannot be opened is one bad page.

    Raises BadPage where that goes for the whole letter.
    """
    try:
        files, _ = unbundle(content)
    except ValueError as error:
        raise BadPage(str(error)) from None
    number = 0
    for file in files:
        for page in _whatever_happens(_pages_of_file(file)):
            number += 1
            if number > MOST_PAGES:
                raise BadPage(f"超过 {MOST_PAGES} 页")
            yield page


def count_pages(content: bytes) -> int:
    """How many pages there are, 1 where that cannot be told."""
    try:
        return sum(1 for _ in pages_of(content)) or 1
    except BadPage:
        return 1


def preview(content: bytes, number: int = 0) -> bytes:
    """A smaller PNG of one page (counted from 0), for the mail that shows it to a person. Raises BadPage."""
    for place, page in enumerate(pages_of(content)):
        if place == number:
            return _png(page)
    raise BadPage(f"没有第 {number + 1} 页")


def _png(page: Page) -> bytes:
    with _guarded():
        image = page.image(PREVIEW)
        if image.mode != "L":
            image = image.quantize(PREVIEW_COLOURS)
        packed = io.BytesIO()
        image.save(packed, "PNG", optimize=True)
        return packed.getvalue()


class _Bad(Page):
    """A page that cannot be opened."""

    def __init__(self, fault: BadPage) -> None:
        self._fault = fault

    def text(self) -> str:
        raise self._fault

    def image(self, longest: int) -> Image:
        raise self._fault


def _whatever_happens(pages: Iterator[Page]) -> Iterator[Page]:
    try:
        yield from pages
    except BadPage as error:
        yield _Bad(error)


class _Picture(Page):
    """A page of an image file that is open at this page."""

    def __init__(self, source: Image) -> None:
        self._source = source

    def image(self, longest: int) -> Image:
        with _guarded():
            return _reduced(self._source, longest)


class _PdfPage(Page):
    def __init__(self, page: object) -> None:
        self._page = page

    def text(self) -> str:
        """The text layer, where it is writing that shows: not the hidden guess of a scanner's own reader."""
        with _guarded():
            text = str(self._page.get_textpage().get_text_bounded())  # type: ignore[attr-defined]
            return text if _is_writing(text) and not self._hidden() else ""

    def image(self, longest: int) -> Image:
        with _guarded():
            width, height = self._page.get_size()  # type: ignore[attr-defined]
            if min(width, height) < 1:
                raise BadPage("页面没有大小")
            scale = min(PDF_DPI / 72, min(longest, PDF_LONGEST) / max(width, height))
            return self._page.render(scale=scale).to_pil().convert("RGB")  # type: ignore[attr-defined, no-any-return]

    def _hidden(self) -> bool:
        import pypdfium2.raw as raw

        texts = list(self._page.get_objects(filter=[raw.FPDF_PAGEOBJ_TEXT]))  # type: ignore[attr-defined]
        unseen = (raw.FPDF_TEXTRENDERMODE_INVISIBLE, raw.FPDF_TEXTRENDERMODE_CLIP)
        return bool(texts) and all(raw.FPDFTextObj_GetTextRenderMode(text.raw) in unseen for text in texts)


def _pages_of_file(content: bytes) -> Iterator[Page]:
    kind = kind_of(content)
    if kind == "pdf":
        yield from _pdf_pages(content)
    elif kind in ("jpeg", "png", "tiff"):
        yield from _pictures(content, kind)
    else:
        raise BadPage("不是扫描件（只收 JPG、PNG、TIFF、PDF）")


def _pdf_pages(content: bytes) -> Iterator[Page]:
    try:
        import pypdfium2
    except ImportError:
        raise BadPage("没有安装 PDF 组件（ocr 扩展），无法打开 PDF") from None
    with _guarded():
        document = pypdfium2.PdfDocument(content)
    try:
        if len(document) > MOST_PAGES:
            raise BadPage(f"共 {len(document)} 页，超过 {MOST_PAGES} 页")
        for number in range(len(document)):
            with _guarded():
                page = document[number]
            yield _PdfPage(page)
    finally:
        document.close()


def _pictures(content: bytes, kind: str) -> Iterator[Page]:
    try:
        from PIL import Image
    except ImportError:
        raise BadPage("没有安装图像组件（ocr 扩展），无法打开图片") from None
    with _guarded():
        source = Image.open(io.BytesIO(content), formats=[kind.upper()])
    number = 0
    while True:
        yield _Picture(source)
        number += 1
        if kind != "tiff" or number > MOST_PAGES:
            return
        try:
            with _guarded():
                source.seek(number)
        except BadPage as error:
            if isinstance(error.__cause__, EOFError):
                return
            raise


def _reduced(source: Image, longest: int) -> Image:
    """The picture at a size for reading, as grey or RGB, turned as the camera says, on white paper."""
    from PIL import Image, ImageOps

    width, height = source.size
    if width * height > MOST_PIXELS:
        raise BadPage(f"图像 {width}×{height} 像素，超过 {MOST_PIXELS // 1_000_000} 百万像素")
    source.draft(None, (longest, longest))
    image = source.copy() if source.format == "TIFF" else source
    image.load()
    if image.mode.startswith(("I", "F")):
        image = image.point(lambda value: value / 256).convert("L")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        paper = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(paper, image.convert("RGBA"))
    image = image.convert("L" if image.mode in ("1", "L", "LA") else "RGB")
    image = ImageOps.exif_transpose(image)
    if max(image.size) > longest:
        image.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    return image


def _is_writing(text: str) -> bool:
    letters = [letter for letter in text if not letter.isspace()]
    han = sum("\u4e00" <= letter <= "\u9fff" for letter in letters)
    broken = sum(letter == "\ufffd" or "\ue000" <= letter <= "\uf8ff" for letter in letters)
    return han >= LEAST_HAN and broken * 10 < len(letters)


def _bombs_are_errors() -> None:
    try:
        from PIL.Image import DecompressionBombWarning
    except ImportError:
        return
    warnings.simplefilter("error", DecompressionBombWarning)


@contextmanager
def _guarded() -> Iterator[None]:
    """Whatever a decoder raises becomes BadPage; a warning of a decompression bomb is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _bombs_are_errors()
        try:
            yield
        except BadPage:
            raise
        except MemoryError:
            raise BadPage("图像太大，内存不足") from None
        except Exception as error:
            bomb = type(error).__name__.startswith("DecompressionBomb")
            raise BadPage("图像像素太多" if bomb else f"打不开（{type(error).__name__}）") from error
