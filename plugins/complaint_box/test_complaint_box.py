"""Every letter of the box becomes one arrival when it is whole; what a machine cannot read for sure, a person types."""

from __future__ import annotations

import io
import os
import resource
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
from paper import render_letter, render_pages, typed_letter
from PIL import Image

from kefud.api import Arrival, Message, Unreadable
from kefud.testing import ManualClock, MemoryLedger, channel_contract, site, take_in

from . import ocr, pages
from .channel import ComplaintBox
from .formats import bundle, complete, kind_of, unbundle
from .layout import Line, page_of, page_of_text
from .separator import is_separator, separator_sheet
from .settings import Settings

OPENED = datetime.fromisoformat("2025-03-11T10:00:00+08:00")
TOML = '[[channel]]\nid = "box"\nplugin = "complaint_box"\nfolder = "box"\nbox = "东门意见箱"\n'
LETTER = "客服中心:\n4号楼电梯里贴满小广告,地上有痰,三天都没人擦。\n住户"


class Desk:
    """A folder of scans, the channel that reads it, and a ledger."""

    def __init__(self, folder: Path, more: str = "") -> None:
        (folder / "box").mkdir(exist_ok=True)
        self.folder = folder / "box"
        self.site = site(folder, TOML + more)
        self.clock = ManualClock(OPENED)
        self.ledger = MemoryLedger()
        self.channel = self.make()

    def make(self) -> ComplaintBox:
        config = self.site.channels_of("complaint_box")[0]
        return ComplaintBox(config.id, Settings.of(config, self.site), self.site)

    def drop(self, content: bytes | str, name: str = "scan.pdf") -> None:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        os.utime(path, (OPENED.timestamp(), OPENED.timestamp()))

    def look(self) -> list[Arrival]:
        return take_in(self.channel, self.ledger, self.clock)

    def arrivals(self, after: float = 6) -> list[Arrival]:
        first = self.look()
        self.clock.advance(after)
        return first + self.look()

    def read(self, content: bytes) -> Message:
        arrival = Arrival("ref", OPENED, content, "paper")
        return self.channel.read(content, arrival, self.site)

    def refusal(self, content: bytes) -> Unreadable:
        with pytest.raises(Unreadable) as refused:
            self.read(content)
        assert refused.value.transcribe
        return refused.value


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture(scope="module")
def scans() -> dict[str, bytes]:
    """Small files of every format that look like scans and say nothing."""
    blank = Image.new("L", (300, 400), 250)
    made = {}
    for fmt in ("png", "jpeg", "tiff", "pdf"):
        packed = io.BytesIO()
        blank.save(packed, fmt.upper(), **({"save_all": True, "append_images": [blank]} if fmt == "tiff" else {}))
        made[fmt] = packed.getvalue()
    return made


# ── Taking in ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_keeps_the_contract_of_channels(desk: Desk) -> None:
    def put(n: int) -> None:
        desk.drop(typed_letter(f"客服中心：第{n}封来信，楼道灯不亮。"), f"{n}.pdf")
        desk.drop("", f"{n}.ok")

    channel_contract(desk.make, put, facts=desk.site, garbage=b"MZ", now=desk.clock)


def test_a_scan_is_one_letter_and_goes_to_the_done_folder(desk: Desk, scans: dict[str, bytes]) -> None:
    desk.drop(scans["jpeg"], "IMG_1.HEIC")
    (arrival,) = desk.arrivals()
    assert arrival.content == scans["jpeg"] and arrival.received_at == OPENED
    assert [p.name for p in desk.folder.iterdir()] == ["done"] and (desk.folder / "done" / "IMG_1.HEIC").exists()


def test_the_same_scan_again_is_no_new_letter(desk: Desk, scans: dict[str, bytes]) -> None:
    desk.drop(scans["png"], "a.png")
    desk.drop(scans["png"], "b.png")
    assert len(desk.arrivals()) == 1
    desk.drop(scans["png"], "a.png")
    assert desk.arrivals() == []
    assert sorted(p.name for p in (desk.folder / "done").iterdir()) == ["a-2.png", "a.png", "b.png"]


@pytest.mark.parametrize("fmt", ["png", "jpeg", "tiff", "pdf"])
def test_a_file_that_does_not_close_waits(desk: Desk, scans: dict[str, bytes], fmt: str) -> None:
    whole = scans[fmt]
    assert kind_of(whole) == kind_of(whole[:60]) == fmt
    assert complete(whole, kind_of(whole) or "pdf") and not complete(whole[: len(whole) * 3 // 4], kind_of(whole) or "pdf")
    desk.drop(whole[: len(whole) * 3 // 4], "scan")
    assert desk.arrivals() == []
    desk.clock.advance(minutes=15)
    desk.look()
    assert ["没有写完" in problem for problem in desk.ledger.problems] == [True]
    desk.drop(whole, "scan")
    assert len(desk.arrivals()) == 1


def test_an_empty_placeholder_waits_for_its_data(desk: Desk, scans: dict[str, bytes]) -> None:
    desk.drop(b"", "scan.png")
    assert desk.arrivals() == []
    desk.drop(scans["png"], "scan.png")
    assert len(desk.arrivals()) == 1


def test_what_is_no_scan_stays_and_is_reported_once(desk: Desk, tmp_path: Path, scans: dict[str, bytes]) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(scans["png"])
    os.symlink(secret, desk.folder / "link.png")
    os.link(secret, desk.folder / "hard.png")
    os.mkfifo(desk.folder / "pipe.png")
    desk.drop("你好", "letter.txt")
    desk.drop(b"MZ\x90\0" * 99, "scan.png")
    assert desk.arrivals() == [] and desk.arrivals() == []
    assert len(desk.ledger.problems) == 5 and len(list(desk.folder.iterdir())) == 5


def test_a_sub_folder_is_one_letter_with_its_pages_in_order(desk: Desk, scans: dict[str, bytes]) -> None:
    desk.drop(scans["png"], "letter 7/page10.png")
    desk.drop(scans["jpeg"], "letter 7/page2.jpg")
    (arrival,) = desk.arrivals()
    assert unbundle(arrival.content)[0] == [scans["jpeg"], scans["png"]]
    assert arrival.content == bundle([("page2.jpg", scans["jpeg"]), ("page10.png", scans["png"])])
    assert (desk.folder / "done" / "letter 7" / "page2.jpg").exists()


def test_separator_sheets_divide_a_batch_into_letters(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 'batch = true\nbatch_pause = "30s"\n')
    sheets = [render_letter(f"第{n}页", "jpeg", 60) for n in range(4)]
    empty = render_letter("", "jpeg", 60)
    for number, sheet in enumerate([separator_sheet(), sheets[0], sheets[1], empty, sheets[2], separator_sheet(), sheets[3]]):
        desk.drop(sheet, f"scan{number}.jpg")
    assert [unbundle(a.content)[0] for a in desk.arrivals()] == [sheets[:2], sheets[2:3]]
    assert [unbundle(a.content)[0] for a in desk.arrivals(after=31)] == [sheets[3:]]
    assert len(list((desk.folder / "done").iterdir())) == 7


def test_a_separator_is_known_upside_down_and_a_short_letter_is_none() -> None:
    turned = io.BytesIO()
    Image.open(io.BytesIO(separator_sheet())).rotate(180).convert("1").save(turned, "TIFF")
    assert is_separator(turned.getvalue(), "sheet") and not is_separator(separator_sheet(), "blank")
    assert not is_separator(render_letter("谢谢", "png"), "sheet")
    assert is_separator((Path(__file__).parent / "separator.png").read_bytes(), "sheet")


# ── The register of an opening ──────────────────────────────────────────────────────────────────────────────────────


def test_the_register_tells_when_and_by_whom_a_box_was_opened(desk: Desk) -> None:
    desk.drop('opened_at = 2025-03-10T09:30:00\nopener = "客服内勤"\nwitness = "保安队长"\nlock = "完好"\ncount = 1\n', "box.toml")
    desk.drop(typed_letter("客服中心：楼道灯不亮，请派人修。"))
    (arrival,) = [*desk.arrivals(), *desk.arrivals()]
    message = desk.channel.read(arrival.content, arrival, desk.site)
    assert f"{message.received_at:%m-%d %H:%M}" == "03-10 09:30"
    assert message.paper and (message.paper.opener, message.paper.box) == ("客服内勤", "东门意见箱")
    assert (message.paper.witness, message.paper.lock, message.paper.registered) == ("保安队长", "完好", True)
    assert message.remarks == ("见证人：保安队长",)


def test_three_scans_for_four_registered_letters_are_reported(desk: Desk) -> None:
    desk.drop("count = 4\n", "box.toml")
    for n in range(3):
        desk.drop(typed_letter(f"第{n}封"), f"{n}.pdf")
    assert len(desk.arrivals() + desk.arrivals()) == 3 and not desk.ledger.problems
    desk.clock.advance(minutes=15)
    desk.look()
    assert desk.ledger.problems == ["东门意见箱：开箱登记 4 件，扫描件 3 件，请核对"]


def test_a_register_serves_one_opening_only(desk: Desk) -> None:
    desk.drop("opened_at = 2025-03-10T09:30:00\ncount = 1\n", "box.toml")
    desk.drop(typed_letter("第一封"))
    assert len(desk.arrivals() + desk.arrivals()) == 1
    desk.clock.advance(minutes=16)
    desk.look()
    assert not (desk.folder / "box.toml").exists() and (desk.folder / "done" / "box-20250310-0930.toml").exists()
    assert not desk.ledger.problems


def test_a_note_beside_a_scan_comes_before_the_register(desk: Desk) -> None:
    desk.drop("opened_at = 2025-03-10T09:30:00\n", "box.toml")
    desk.drop('opened_at = "2025-03-08T10:00:00+08:00"\nbox = "西门意见箱"\n', "scan.toml")
    desk.drop(typed_letter("客服中心：楼道灯不亮，请派人修。"))
    (arrival,) = [*desk.arrivals(), *desk.arrivals()]
    message = desk.channel.read(arrival.content, arrival, desk.site)
    assert message.paper and message.paper.box == "西门意见箱" and message.received_at.day == 8


def test_a_register_without_a_time_tells_the_rest(desk: Desk) -> None:
    """The time is that of the scan, and is marked as such."""
    desk.drop('lock = "异常"\n', "box.toml")
    desk.drop(typed_letter("客服中心：楼道灯不亮，请派人修。"))
    (arrival,) = [*desk.arrivals(), *desk.arrivals()]
    message = desk.channel.read(arrival.content, arrival, desk.site)
    assert message.paper and (message.paper.lock, message.paper.registered) == ("异常", False)


def test_a_spoilt_register_is_reported_and_letters_wait_for_it(desk: Desk) -> None:
    desk.drop("count = viele\n", "box.toml")
    desk.drop(typed_letter("第一封"))
    assert desk.arrivals() == [] and "请更正" in desk.ledger.problems[0]
    desk.drop("count = 1\n", "box.toml")
    assert len(desk.arrivals() + desk.arrivals()) == 1


# ── Reading ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_text_layer_needs_no_machine_reader(desk: Desk) -> None:
    message = desk.read(typed_letter("客服中心：\n我家厨房漏水，请尽快来修。\n3-2-501 电话 13800000201"))
    assert message.text == "客服中心：\n我家厨房漏水，请尽快来修。\n3-2-501 电话 13800000201"
    assert message.subject == "东门意见箱来信：我家厨房漏水，请尽快来修。"
    assert message.paper and (message.paper.pages, message.paper.confidence) == (1, 1.0)
    assert message.received_at == OPENED and not message.identity


def test_a_scan_is_read_as_it_was_written(desk: Desk) -> None:
    text = "客服中心:\n一、我想租一个地下车位。\n二、左边的秋千链子断了,孩子差点摔下来,请尽快修。\n4-1-1102 电话 1380000 0209"
    message = desk.read(render_letter(text, "tiff", seal=True))
    plain = str.maketrans({" ": None, "，": ",", "：": ":"})
    assert message.text.translate(plain) == text.translate(plain)
    assert message.paper and message.paper.confidence > 0.95


def test_a_page_that_lies_on_its_head_is_read(desk: Desk) -> None:
    packed = io.BytesIO()
    render_pages(LETTER)[0].rotate(180).save(packed, "PNG")
    assert "4号楼电梯里贴满小广告" in desk.read(packed.getvalue()).text


def test_a_doubtful_scan_goes_to_a_person_with_picture_and_draft(desk: Desk) -> None:
    faint = render_pages(LETTER, 60, angle=4, noise=90)[0].point(lambda value: 190 + value // 6)
    packed = io.BytesIO()
    faint.save(packed, "JPEG", quality=15)
    refused = desk.refusal(packed.getvalue())
    assert "请人工誊录" in refused.reason and (refused.confidence or 0) < 0.9
    assert desk.channel.page_image(packed.getvalue(), 0).startswith(b"\x89PNG")
    typed = desk.channel.transcribed(packed.getvalue(), Arrival("ref", OPENED, b"", "paper"), desk.site, LETTER)
    assert typed.text == LETTER and typed.paper and typed.paper.confidence == 1.0


def test_a_bad_page_is_named_and_the_others_are_the_draft(desk: Desk) -> None:
    good, bad = typed_letter("客服中心：我家厨房漏水。"), b"\x89PNG\r\n\x1a\n" + b"x" * 99
    refused = desk.refusal(bundle([("1.pdf", good), ("2.png", bad), ("3.pdf", good)]))
    assert refused.reason.startswith("第 2 页打不开") and refused.draft.count("漏水") == 2


def test_an_empty_page_says_so(desk: Desk, scans: dict[str, bytes]) -> None:
    assert "没有读到文字" in desk.refusal(scans["png"]).reason


def test_without_the_reader_a_person_is_asked(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rapidocr", None)
    assert "没有安装文字识别组件" in desk.refusal(render_letter(LETTER, "png", 60)).reason


def test_a_missing_model_file_starts_no_download(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ocr, "MODELS", ("absent.onnx", "absent.onnx"))
    assert "缺少模型文件" in desk.refusal(render_letter(LETTER, "png", 60)).reason


def test_pictures_that_would_burst_are_not_decoded(desk: Desk) -> None:
    packed = io.BytesIO()
    Image.new("1", (13_300, 13_300)).save(packed, "PNG")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "像素太多" in desk.refusal(packed.getvalue()).reason
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000
    packed = io.BytesIO()
    Image.new("1", (8_000, 6_000)).save(packed, "PNG")
    assert "百万像素" in desk.refusal(packed.getvalue()).reason


def test_a_huge_pdf_page_is_drawn_small(desk: Desk) -> None:
    huge = typed_letter("漏水").replace(b"[0 0 595 842]", b"[0 0 14400 14400]")
    (sheet,) = [page.image(1800).size for page in pages.pages_of(huge)]
    assert max(sheet) <= 1800


def test_more_than_two_hundred_pages_are_not_read(desk: Desk, scans: dict[str, bytes]) -> None:
    assert "超过 200 页" in desk.refusal(bundle([(str(n), scans["tiff"]) for n in range(101)])).reason


def test_reading_keeps_within_a_gibibyte(tmp_path: Path) -> None:
    (tmp_path / "scan.png").write_bytes(render_letter("\n".join([LETTER] * 8), "png"))
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30));"
        "from complaint_box.reading import read_letter; from complaint_box.ocr import Reader;"
        f"print(read_letter(open({str(tmp_path / 'scan.png')!r}, 'rb').read(), Reader(), .9, .6).doubt or 'sure')"
    )
    path = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
    ran = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}, capture_output=True, check=False)
    assert ran.stdout.decode().strip() == "sure", ran.stderr.decode()[-2000:]


# ── Lines and paragraphs ────────────────────────────────────────────────────────────────────────────────────────────


def lines(*told: tuple[str, int, int]) -> list[Line]:
    """Lines of writing: text, left edge and row."""
    return [Line(text, 0.99, left, row * 40, left + 15 * len(text.encode("gbk")), row * 40 + 30) for text, left, row in told]


def test_wrapped_lines_are_joined_and_new_matters_are_not() -> None:
    written = lines(
        ("二、地下车库没有灯。", 100, 2), ("一、三号楼电梯里贴满小广告", 100, 0), ("，没人擦。", 100, 1), ("住户", 400, 3),
    )  # fmt: skip
    assert page_of(written).text == "一、三号楼电梯里贴满小广告，没人擦。\n二、地下车库没有灯。\n住户"


def test_pieces_on_one_row_are_one_line() -> None:
    assert page_of(lines(("电话", 400, 0), ("4-1-1102", 100, 0), ("谢谢", 100, 1))).text == "4-1-1102 电话\n谢谢"


def test_a_date_or_a_telephone_number_ends_a_sentence() -> None:
    written = lines(("我是四号楼一单元的业主严填充", 100, 0), ("我的电话号码是13800000209", 100, 1), ("三月十二日", 100, 2))
    assert page_of(written).text == "我是四号楼一单元的业主严填充我的电话号码是13800000209\n三月十二日"


def test_columns_are_read_one_after_the_other() -> None:
    left = [(f"左边第{row}行写满写满", 100, row) for row in range(4)]
    right = [(f"右边第{row}行写满写满", 600, row) for row in range(4)]
    text = page_of(lines(*left, *right)).text
    assert text.index("左边第3行") < text.index("右边第0行")


def test_faint_lines_count_but_are_left_out() -> None:
    page = page_of([*lines(("请尽快修理电梯", 100, 0)), Line("、", 0.1, 100, 80, 110, 90)])
    assert page.text == "请尽快修理电梯" and page.least == 0.1


def test_a_typed_text_keeps_its_lines() -> None:
    assert page_of_text("客服中心：\n  我家漏水，\n请来修。\n").text == "客服中心：\n我家漏水，\n请来修。"
