"""The faces a press holds are cut down to an office's characters: nobody sees it, and no character is lost."""

from pathlib import Path

import pypdfium2
import pytest
from PIL import Image, ImageChops

from kefud.compose import Press
from kefud.compose.fonts import covers, cut_faces
from kefud.compose.press import FONT_DIRECTORIES, SANS, SERIF
from kefud.shipped import shipped

TEMPLATES = shipped("templates")
WHOLE = Press([TEMPLATES])
NOTICE = WHOLE.samples()["notice"]


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("faces")


def page(pdf: bytes) -> Image.Image:
    document = pypdfium2.PdfDocument(pdf)
    try:
        return document[0].render(scale=1.5, grayscale=True).to_pil()
    finally:
        document.close()


def text(pdf: bytes) -> str:
    document = pypdfium2.PdfDocument(pdf)
    try:
        return document[0].get_textpage().get_text_range()
    finally:
        document.close()


def test_a_paper_looks_as_it_does_with_the_whole_faces(faces: Path) -> None:
    small = Press([TEMPLATES], cut=faces)
    cut, whole = small.print("notice", NOTICE), WHOLE.print("notice", NOTICE)
    assert text(cut) == text(whole)
    darkest = ImageChops.difference(page(cut), page(whole)).getextrema()[1]
    assert darkest < 90, "only the edges of strokes may differ, for the hints of the screen are gone"
    assert small._whole is None, "the usual characters need no whole face"
    kept = [f for d in faces.iterdir() for f in d.iterdir()]
    assert kept and sum(f.stat().st_size for f in kept) < 16_000_000


@pytest.mark.parametrize("name", ["㛃先生", "𠮷女士", "龘先生", "☎ 5550100"])
def test_a_rare_character_is_printed_with_the_whole_faces(faces: Path, name: str) -> None:
    assert not covers(name)
    small = Press([TEMPLATES], cut=faces)
    shown = text(small.print("notice", {**NOTICE, "contact": name}))
    assert name in shown
    small.rest()
    assert small._whole is None


def test_faces_are_cut_once_and_again_where_the_fonts_changed(tmp_path: Path) -> None:
    fonts, into = tmp_path / "fonts", tmp_path / "faces"
    fonts.mkdir()
    source = next(p for d in FONT_DIRECTORIES for p in sorted(Path(d).rglob("*.tt[cf]")) if "Bold" in p.name or "wqy" in p.name)
    (fonts / source.name).symlink_to(source)
    first = cut_faces([fonts], (SERIF, SANS), into)
    assert first and (made := [f.stat().st_mtime_ns for f in first.iterdir()])
    assert cut_faces([fonts], (SERIF, SANS), into) == first and [f.stat().st_mtime_ns for f in first.iterdir()] == made
    (fonts / source.name).unlink()
    (fonts / source.name).write_bytes(source.read_bytes())
    second = cut_faces([fonts], (SERIF, SANS), into)
    assert second and second != first and list(into.iterdir()) == [second], "the old ones are gone"


def test_where_nothing_can_be_cut_papers_are_printed_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    press = Press([TEMPLATES], cut=tmp_path / "file")
    assert press.print("notice", NOTICE).startswith(b"%PDF")
    assert cut_faces([], (SERIF, SANS), tmp_path / "none") is None


def test_faces_can_be_cut_before_the_first_paper(tmp_path: Path) -> None:
    press = Press([TEMPLATES], cut=tmp_path / "faces")
    press.prepare()
    [made] = (tmp_path / "faces").iterdir()
    assert cut_faces(press._present(), (SERIF, SANS), tmp_path / "faces") == made, "the press finds them"
    Press([], cut=tmp_path / "none", fonts=["/no/such/place"]).prepare()
