"""Forms on paper: typst templates and data make a PDF. What people wrote reaches typst as JSON strings only (S15).

A form is compiled from memory with an empty root directory: it can read no file, import no package, and sees nothing but its
own source, the other ``_*.typ`` files of its directory and the data. Equal data give equal bytes.
"""

from __future__ import annotations

import json
import os
import re
import stat
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kefud.compose.fonts import covers, cut_ahead, cut_faces
from kefud.errors import KefudError, Problem

if TYPE_CHECKING:
    import typst

SERIF = ("Noto Serif CJK SC", "Source Han Serif SC", "Noto Sans CJK SC", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei")
SANS = ("Noto Sans CJK SC", "Source Han Sans SC", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "Noto Serif CJK SC")
FONT_DIRECTORIES = (
    "/usr/share/fonts/opentype/noto", "/usr/share/fonts/truetype/wqy", "/usr/share/fonts/noto-cjk",
    "/usr/share/fonts/google-noto-cjk", "/usr/local/share/fonts",
)  # fmt: skip
"""Where Debian, Arch and Fedora put the fonts; [service] may name others. A whole system scan would cost a second."""

SHORT = 6_000
"""Characters of data up to which a paper is first tried as a single page."""

LONGEST_TEXT = 20_000
LONGEST_WORD = 12
MOST_ROWS = 2_000
DEEPEST = 8

_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_WORD = re.compile(r"[0-9A-Za-z_]{21,}|[!-/:-@\[-`{-~]{13,}|[!-~]{61,}")
_PAGES = re.compile(rb"/Count (\d+)")
_PACKAGE = re.compile(r"""["']\s*@""")


@cache
def _typst() -> Any:
    """The library, loaded with the first paper: the daemon itself prints none. None where the extra "pdf" is not installed."""
    try:
        return import_module("typst")
    except ImportError:
        return None


class PressFault(KefudError):
    """A form cannot be printed; the sentence says what to install or mend."""


class Press:
    """Prints forms from the ``forms`` folder of each directory; the first directory that has a form wins.

    ``fonts`` are directories searched before the usual ones. Constructing does no I/O; fonts are read with the first form.
    With a directory ``cut``, faces cut down to the usual characters are kept there and used wherever they suffice.
    """

    def __init__(self, directories: Sequence[str | Path], fonts: Sequence[str] = (), cut: Path | None = None) -> None:
        self.directories = [Path(d) for d in directories]
        self.font_directories = (*fonts, *FONT_DIRECTORIES)
        self._cut = cut
        self._forms: dict[str, _Form] = {}
        self._whole: _Types | None = None

    def print(self, form: str, data: Mapping[str, Any]) -> bytes:
        """The PDF of ``form`` filled with ``data``. Raises PressFault."""
        if _typst() is None:  # letters still leave, papers wait
            raise PressFault("typst is not installed, no paper can be printed; run: pip install 'kefud[pdf]'")
        said = printable(data)
        plain = json.dumps(said, ensure_ascii=False)
        known = self._form(form)
        few = self._few if known.usual and covers(plain) else None
        short = len(plain) < SHORT
        pdf = self._compiled(form, known, few or self._all, {**said, "one_page": short})
        if short and max(map(int, _PAGES.findall(pdf)), default=1) > 1:
            pdf = self._compiled(form, known, few or self._all, said)
        (few or self._all).age()
        return pdf

    def prepare(self) -> None:
        """Cut the faces where that was never done. Takes a second of another process, loads nothing here."""
        if self._cut:
            cut_ahead(self._present(), (SERIF, SANS), self._cut)

    def rest(self) -> None:
        """Let go of the whole faces, where a paper with a rare character needed them: 46 MB."""
        if self._whole is not None and self._few:
            self._whole = None

    def _compiled(self, form: str, known: _Form, types: _Types, said: Mapping[str, Any]) -> bytes:
        filled: Any = {**known.sources, "data.json": json.dumps(said).encode("ascii")}
        try:
            pdf, warnings = types.compiler(form).compile_with_warnings(input=filled, format="pdf", timestamp=0, pdf_tags=False)
        except _typst().TypstError as error:
            raise PressFault(f"form {form}: {_place(error)}{error.message}") from None
        for warning in warnings:
            if "font" in warning.message:
                raise PressFault(f"form {form}: {warning.message}; install the package fonts-noto-cjk")
        if not isinstance(pdf, bytes):
            raise PressFault(f"form {form}: typst gave no document")
        return pdf

    def forms(self) -> tuple[str, ...]:
        """Every form there is."""
        found = {p.stem for d in self.directories for p in (d / "forms").glob("*.typ") if not p.name.startswith("_")}
        return tuple(sorted(found))

    def check(self, samples: Mapping[str, Mapping[str, Any]] | None = None) -> list[Problem]:
        """What is wrong with the forms: each is printed once with its sample of forms/samples.json."""
        problems = []
        samples = self.samples() if samples is None else samples
        for form in self.forms():
            try:
                self.print(form, samples.get(form, {}))
            except PressFault as fault:
                problems.append(Problem(str(self._file(f"{form}.typ")), 0, form, str(fault)))
        return problems

    def samples(self) -> dict[str, Any]:
        """Invented data for every form, from the last directory's forms/samples.json."""
        path = self.directories[-1] / "forms" / "samples.json"
        found = json.loads(path.read_text("utf-8")) if path.is_file() else {}
        return {form: {**found.get("common", {}), **found.get(form, {})} for form in self.forms()}

    def _form(self, form: str) -> _Form:
        if form not in self._forms:
            self._forms[form] = self._read(form)
        return self._forms[form]

    def _read(self, form: str) -> _Form:
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,60}", form):
            raise PressFault(f"{form!r} is no name of a form")
        main = self._file(f"{form}.typ")
        if not main.is_file():
            raise PressFault(f"there is no form {form}; known are {', '.join(self.forms())}")
        shared = {p.name: p for d in reversed(self.directories) for p in (d / "forms").glob("_*.typ")}
        sources = {"main.typ": main.read_bytes(), **{name: path.read_bytes() for name, path in shared.items()}}
        texts = {name: source.decode("utf-8", "replace") for name, source in sources.items()}
        for name, text in texts.items():
            if _PACKAGE.search(text):
                raise PressFault(f"form {form}: {name} imports a package; forms may use their own directory only")
        return _Form(sources, all(map(covers, texts.values())))

    def _file(self, name: str) -> Path:
        return next((d / "forms" / name for d in self.directories if (d / "forms" / name).is_file()), Path("forms") / name)

    @cached_property
    def _few(self) -> _Types | None:
        """Set with faces that were cut down, where there are such."""
        found = cut_faces(self._present(), (SERIF, SANS), self._cut) if self._cut else None
        types = _Types([found]) if found else None
        return types if types and types.families["serif"] else None

    @property
    def _all(self) -> _Types:
        if self._whole is None:
            self._whole = _Types(self._present())
        if not self._whole.families["serif"]:
            where = ", ".join(self.font_directories)
            raise PressFault(f"no Chinese font found in {where}; install the package fonts-noto-cjk (or fonts-wqy-zenhei)")
        return self._whole

    def _present(self) -> list[str | Path]:
        return [d for d in self.font_directories if Path(d).is_dir()]


@dataclass(frozen=True, slots=True)
class _Form:
    """The sources of a form by file name, and whether all their characters are usual ones."""

    sources: Mapping[str, bytes]
    usual: bool


class _Types:
    """The faces of some directories, and a compiler for each form that is set with them."""

    def __init__(self, directories: Sequence[str | Path]) -> None:
        self._fonts = _typst().Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(d) for d in directories])
        known = set(self._fonts.families())
        self.families = {
            "serif": ",".join(f for f in SERIF if f in known),
            "sans": ",".join(f for f in SANS if f in known),
        }
        self._compilers: dict[str, typst.Compiler] = {}

    def compiler(self, form: str) -> typst.Compiler:
        if form not in self._compilers:
            nowhere = _nowhere()
            self._compilers[form] = _typst().Compiler(
                root=nowhere, font_paths=self._fonts, sys_inputs=self.families, package_path=nowhere, package_cache_path=nowhere
            )
        return self._compilers[form]

    def age(self) -> None:
        """Let typst forget sooner: it keeps what it worked out for the last ten papers, 1.3 MB each. Nothings count as papers."""
        nothing: Any = {"main.typ": b""}
        for _ in range(8):
            self.compiler("").compile(input=nothing, format="svg")


@cache
def _nowhere() -> str:
    """An empty directory of our own, the same for every process: children end without cleaning up."""
    path = Path(tempfile.gettempdir()) / f"kefud-press-{os.getuid()}"
    path.mkdir(mode=0o700, exist_ok=True)
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or any(path.iterdir()):
        return tempfile.mkdtemp(prefix="kefud-press-")
    return str(path)


def printable(value: Any, depth: int = 0) -> Any:
    """``value`` as JSON typst can set: clean strings of bounded length with places to break, dates as text."""
    if isinstance(value, str):
        return _setting(value)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if depth >= DEEPEST:
        return "……"
    if isinstance(value, Mapping):
        return {_setting(str(k)): printable(v, depth + 1) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        rows = list(value)
        return [printable(v, depth + 1) for v in rows[:MOST_ROWS]]
    return _setting(str(value))


def _setting(text: str) -> str:
    if len(text) > LONGEST_TEXT:
        text = f"{text[:LONGEST_TEXT]}……（以下从略，全文共{len(text)}字，见工单原件）"
    if not text.isprintable():
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        text = _SURROGATES.sub("\ufffd", _CONTROLS.sub("", text))
    return _WORD.sub(_breakable, text) if len(text) > LONGEST_WORD else text


def _breakable(match: re.Match[str]) -> str:
    """A long word with places to break, where it would run out of its cell."""
    word = match[0]
    step = 16 if word.isidentifier() or word.isalnum() else LONGEST_WORD
    if len(word) > 60 and step == LONGEST_WORD:
        return "\u200b".join(_WORD.sub(_breakable, piece) for piece in re.findall(r".{1,40}(?:\W|$)|.{1,40}", word))
    return "\u200b".join(word[i : i + step] for i in range(0, len(word), step))


def _place(error: typst.TypstError) -> str:
    found = re.search(r"([\w.-]+\.typ):(\d+)", error.diagnostic)
    return f"{found[1]}:{found[2]}: " if found else ""
