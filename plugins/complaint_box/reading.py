"""A letter's pages → its text, and where a person must look at it the reason why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .layout import Page, letter_of, page_of_text
from .ocr import NoReader, Reader
from .pages import BadPage, pages_of
from .pages import Page as Sheet

_UNREAD = Page("", 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read. ``doubt`` says in Chinese why a person must type it, "" where the machine is sure."""

    text: str
    pages: int
    mean: float
    doubt: str = ""


def read_letter(content: bytes, reader: Reader, least_mean: float, least_line: float) -> Reading:
    """Read every page that can be read, whatever is wrong with the others."""
    pages, faults = _read_pages(content, reader)
    text = letter_of(pages)
    letters = sum(len(page.text) for page in pages)
    mean = sum(page.mean * len(page.text) for page in pages) / letters if letters else 0.0
    doubt = "；".join(faults) or ("" if text else "扫描件上没有读到文字") or _doubt(pages, least_mean, least_line)
    return Reading(text, len(pages), round(mean, 3), doubt)


def _read_pages(content: bytes, reader: Reader) -> tuple[list[Page], list[str]]:
    pages: list[Page] = []
    faults: list[str] = []
    sheets = pages_of(content)
    while True:
        try:
            sheet = next(sheets)
        except StopIteration:
            return pages, faults
        except BadPage as error:
            return pages, [*faults, f"第 {len(pages) + 1} 页起{error}" if pages else f"扫描件{error}"]
        try:
            pages.append(_read_page(sheet, reader))
        except NoReader as error:
            pages.append(_UNREAD)
            faults += [] if str(error) in faults else [str(error)]
        except (BadPage, MemoryError) as error:
            pages.append(_UNREAD)
            faults.append(f"第 {len(pages)} 页{error if str(error) else '太大，内存不足'}")


def _read_page(sheet: Sheet, reader: Reader) -> Page:
    if text := sheet.text():
        return page_of_text(text)
    return reader.read(sheet.image(reader.longest))


def _doubt(pages: Sequence[Page], least_mean: float, least_line: float) -> str:
    for number, page in enumerate(pages, 1):
        if page.mean < least_mean or page.least < least_line:
            return f"第 {number} 页识别把握不足（平均 {page.mean:.2f}，最低一行 {page.least:.2f}）"
    return ""
