"""Reading a picture of a page: rapidocr with settings that keep every line, in this process, from local files only."""

from __future__ import annotations

import ctypes
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from .layout import Line, Page, page_of

if TYPE_CHECKING:
    from PIL.Image import Image

MODELS = ("PP-OCRv6_det_small.onnx", "PP-OCRv6_rec_small.onnx")
DOUBTFUL = 0.8
BAND_PIXELS = 450_000
LEAST_BAND = 300
OVERLAP = 160
EDGE = 6
_M_ARENA_MAX = -8
BORDER = 24
BLANK = 0.0002
RED_INK = 0.5


class NoReader(Exception):
    """There is nothing to read with; the text says in Chinese what is missing."""


class Reader:
    """Reads pictures of pages. The engine (some 30 MB of models) is loaded with the first page and kept."""

    def __init__(self, longest: int = 1800, threads: int = 1) -> None:
        self.longest = longest
        self._threads = threads
        self._engine: Any = None

    def read(self, image: Image) -> Page:
        """The page as read; where that came out badly, turned round and read again. An empty page is sure to be empty.

        Raises NoReader, MemoryError.
        """
        self._prepare()
        ways = list(_inks(image))
        if not ways:
            return Page("", 1.0, 1.0)
        best = max((self._lines(way) for way in ways), key=_certainty)
        if _sideways(best) or _mean(best) < DOUBTFUL:
            best = self._turned(ways, best)
        return page_of(_upright(best) if _sideways(best) else best)

    def _turned(self, ways: Sequence[Image], best: list[Line]) -> list[Line]:
        """The best reading of the page turned round; vertical writing reads best as it is."""
        turns = (90, 270) if _sideways(best) else (180,) if best else (180, 90, 270)
        turned = [self._lines(way.rotate(turn, expand=True)) for turn in turns for way in ways]
        level = [lines for lines in turned if not _sideways(lines) and _mean(lines) >= DOUBTFUL]
        return max(level or [best, *turned], key=_mean)

    def _prepare(self) -> None:
        if self._engine is not None:
            return
        _save_memory(self._threads)
        try:
            import rapidocr
        except ImportError:
            raise NoReader("没有安装文字识别组件（ocr 扩展）") from None
        models = Path(rapidocr.__file__).parent / "models"
        det, rec = (models / name for name in MODELS)
        if missing := [path.name for path in (det, rec) if not path.is_file()]:
            raise NoReader(f"文字识别组件缺少模型文件 {'、'.join(missing)}，请重新安装 ocr 扩展")
        self._engine = rapidocr.RapidOCR(
            params={
                "Global.use_cls": False,
                "Global.text_score": 0.0,
                "Global.max_side_len": self.longest,
                "Global.log_level": "error",
                "EngineConfig.onnxruntime.intra_op_num_threads": self._threads,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
                "Det.model_path": str(det),
                "Det.limit_type": "max",
                "Det.limit_side_len": self.longest,
                "Rec.model_path": str(rec),
                "Rec.rec_batch_num": 1,
            }
        )

    def _lines(self, ink: Image) -> list[Line]:
        """The lines of the part of the page that is written on, read band by band to bound the memory."""
        part = ink.crop(_written(ink) or (0, 0, *ink.size))
        quads: list[_Quad] = []
        for top, bottom, above, below in _bands(part):
            found = self._band(part.crop((0, above, part.width, below)))
            moved = [quad.down(above) for quad in found]
            quads += [q for q in moved if top - EDGE <= q.middle < bottom + EDGE and not any(map(q.covers, quads))]
        return _straight(quads)

    def _band(self, ink: Image) -> list[_Quad]:
        """One band; where memory ran out, once more with an engine that holds none yet."""
        try:
            return self._recognised(ink)
        except MemoryError:
            self._engine = None
        finally:
            _return_memory()
        self._prepare()
        return self._recognised(ink)

    def _recognised(self, ink: Image) -> list[_Quad]:
        import numpy

        pixels = numpy.asarray(ink)
        try:
            found = self._engine(numpy.stack((pixels,) * 3, axis=-1))
        except Exception as error:
            if "bad_alloc" in str(error) or "allocate" in str(error) or "insufficient memory" in str(error).lower():
                raise MemoryError from None
            raise
        if found.boxes is None or found.txts is None:
            return []
        return [_Quad(*told) for told in zip(found.boxes.tolist(), found.txts, found.scores, strict=True)]


@dataclass(frozen=True, slots=True)
class _Quad:
    """A piece of writing as the engine tells it: four corners, text, score."""

    corners: list[list[float]]
    text: str
    score: float

    @property
    def middle(self) -> float:
        return sum(y for _, y in self.corners) / 4

    def down(self, pixels: float) -> _Quad:
        return replace(self, corners=[[x, y + pixels] for x, y in self.corners])

    def covers(self, other: _Quad) -> bool:
        """True for the same piece, seen again in the next band."""
        across = [(min(c[0] for c in q.corners), max(c[0] for c in q.corners)) for q in (self, other)]
        height = abs(self.corners[3][1] - self.corners[0][1])
        shared = min(end for _, end in across) - max(start for start, _ in across)
        return abs(self.middle - other.middle) < height / 2 and shared > 0.5 * min(end - start for start, end in across)


def ink_share(image: Image) -> float:
    """Which part of the page is darker than the paper around it."""
    mask = _ink_mask(image.convert("L"))
    return float(mask.mean()) if mask.size else 0.0


def _inks(image: Image) -> Iterator[Image]:
    """The page as dark on light: the red channel, where red seals vanish; the grey one too, where red was all the ink."""
    if image.mode == "L":
        if ink_share(image) > BLANK:
            yield image
        return
    red, grey = image.getchannel("R"), image.convert("L")
    in_red, in_grey = ink_share(red), ink_share(grey)
    if in_red > BLANK:
        yield red
    if in_grey > BLANK and in_red < RED_INK * in_grey:
        yield grey


def _ink_mask(grey: Image) -> Any:
    """True where a quarter-size page is darker than its surroundings; shadows of a photo do not count."""
    import numpy
    from PIL import ImageFilter

    small = grey.reduce(4) if min(grey.size) >= 8 else grey
    around = small.filter(ImageFilter.BoxBlur(24))
    return numpy.asarray(around, dtype="int16") - numpy.asarray(small, dtype="int16") > 24


def _written(grey: Image) -> tuple[int, int, int, int] | None:
    """The box around all ink, with a border; None for an empty page."""
    import numpy

    mask = _ink_mask(grey)
    rows, columns = (numpy.flatnonzero(mask.sum(axis=axis) >= 2) for axis in (1, 0))
    if not rows.size or not columns.size:
        return None
    left, right, top, bottom = columns[0] * 4, columns[-1] * 4 + 4, rows[0] * 4, rows[-1] * 4 + 4
    return (
        int(max(0, left - BORDER)), int(max(0, top - BORDER)),
        int(min(grey.width, right + BORDER)), int(min(grey.height, bottom + BORDER)),
    )  # fmt: skip


def _bands(ink: Image) -> list[tuple[int, int, int, int]]:
    """Where to cut a page into bands, best between two lines: top, bottom, and how far to look above and below."""
    height = max(LEAST_BAND, BAND_PIXELS // max(1, ink.width))
    if ink.height <= height * 1.3:
        return [(0, ink.height, 0, ink.height)]
    rows = _ink_mask(ink).sum(axis=1).tolist()
    cuts = [(0, 0)]
    while ink.height - cuts[-1][0] > height * 1.3:
        aim = (cuts[-1][0] + height) // 4
        near = range(max(1, aim - height // 16), min(len(rows), aim + height // 16))
        row = min(near, key=lambda r: (rows[r], abs(r - aim)))
        cuts.append((row * 4, OVERLAP if rows[row] else 0))
    cuts.append((ink.height, 0))
    return [
        (top, bottom, max(0, top - more), min(ink.height, bottom + less))
        for (top, more), (bottom, less) in zip(cuts, cuts[1:], strict=False)
    ]


def _straight(quads: list[_Quad]) -> list[Line]:
    """Lines with upright boxes: the whole page is turned back by the slant most lines share."""
    if not quads:
        return []
    slant = median(math.atan2(q.corners[1][1] - q.corners[0][1], q.corners[1][0] - q.corners[0][0]) for q in quads)
    slant = slant if abs(slant) < math.pi / 6 else 0.0
    cos, sin = math.cos(-slant), math.sin(-slant)
    lines = []
    for quad in quads:
        points = [(x * cos - y * sin, x * sin + y * cos) for x, y in quad.corners]
        across, down = sorted(x for x, _ in points), sorted(y for _, y in points)
        sides = (sum(across[:2]) / 2, sum(down[:2]) / 2, sum(across[2:]) / 2, sum(down[2:]) / 2)
        lines.append(Line(quad.text.strip(), float(quad.score), *sides))
    return lines


def _save_memory(threads: int) -> None:
    """Before the libraries are loaded: no threads beyond those wanted, and one heap instead of one for each thread.

    Without this a page needs 1.3 GiB of address space, with it 0.9.
    """
    for library in ("OMP", "OPENBLAS"):
        os.environ.setdefault(f"{library}_NUM_THREADS", str(threads))
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(_M_ARENA_MAX, 1)


def _return_memory() -> None:
    """Give freed memory back to the system; glibc would keep some 200 MiB after a page."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)


def _sideways(lines: list[Line]) -> bool:
    """True where most of the writing runs down the page."""
    letters = sum(len(line.text) for line in lines)
    down = sum(len(line.text) for line in lines if line.height > 1.5 * (line.right - line.left))
    return down * 2 > letters


def _upright(lines: list[Line]) -> list[Line]:
    """Vertical writing, columns from right to left, as rows from top to bottom."""
    return [Line(x.text, x.score, x.top, -x.right, x.bottom, -x.left) for x in lines]


def _mean(lines: list[Line]) -> float:
    letters = sum(len(line.text) for line in lines)
    return sum(line.score * len(line.text) for line in lines) / letters if letters else 0.0


def _certainty(lines: list[Line]) -> float:
    """How much was read, and how surely."""
    return sum(line.score**2 * len(line.text) for line in lines)
