"""Every form prints, shows what it was given as text, and can reach nothing outside its own folder (S15)."""

import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pypdfium2
import pytest

from kefud.compose import Press, PressFault
from kefud.desk.ticket import Ticket
from kefud.desk.view import FORM_TITLES, form_data
from kefud.shipped import shipped

TEMPLATES = shipped("templates")
PRESS = Press([TEMPLATES])
SAMPLES = PRESS.samples()
MARKUP = (
    '#panic() *b* _i_ $x$ @ref <label> `raw` // c /* d */ \\n ~ = #{1+1} {{7*7}} <script> [z] <img src="file:///etc/passwd">'
)


@cache
def text_of(pdf: bytes) -> tuple[str, ...]:
    document = pypdfium2.PdfDocument(pdf)
    try:
        return tuple(page.get_textpage().get_text_range() for page in document)
    finally:
        document.close()


def squeezed(pages: tuple[str, ...]) -> str:
    return "".join("".join(pages).replace("\u200b", "").split())


def flat(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [t for v in value.values() for t in flat(v)]
    if isinstance(value, list):
        return [t for v in value for t in flat(v)]
    return [value] if isinstance(value, str) else []


HIDDEN = {"document_date", "urgency", "developer", "property_company", "hours_text", "timezone", "round", "previous"}


def test_every_form_of_the_rules_is_there_with_a_sample() -> None:
    assert set(PRESS.forms()) >= set(FORM_TITLES)
    named = json.loads((Path(TEMPLATES) / "forms" / "samples.json").read_text("utf-8"))
    assert set(named) == {*PRESS.forms(), "common"}
    assert PRESS.check() == []


@pytest.mark.parametrize("form", sorted(FORM_TITLES))
def test_a_form_shows_what_its_sample_says(form: str) -> None:
    pages = text_of(PRESS.print(form, SAMPLES[form]))
    shown = squeezed(pages)
    assert FORM_TITLES[form].split("表")[0][:2] in shown
    assert f"第{len(pages)}页共{len(pages)}页" in shown
    assert "谢样例" in shown and "何示例" in shown
    own = {k: v for k, v in SAMPLES[form].items() if k not in HIDDEN and k != "site"}
    choices = {"way", "nature", "medium_zh", "visit", "satisfaction", "attitude", "speed", "quality", "appointment", "lock"}
    for text in flat({k: v for k, v in own.items() if k not in choices}):
        assert "".join(text.split()) in shown, text


@pytest.mark.parametrize("form", PRESS.forms())
def test_markup_stays_text(form: str) -> None:
    def wicked(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: v if k in ("document_date", "site") else wicked(v) for k, v in value.items()}
        if isinstance(value, list):
            return [wicked(v) for v in value]
        return MARKUP if isinstance(value, str) else value

    shown = squeezed(text_of(PRESS.print(form, wicked(SAMPLES[form]))))
    for wanted in ("#panic()", "{{7*7}}", "$x$", "@ref", "//c", "<script>"):
        assert wanted in shown
    assert "root:" not in shown


@pytest.mark.parametrize("form", PRESS.forms())
def test_an_empty_form_can_be_printed_for_filling_in_by_hand(form: str) -> None:
    assert text_of(PRESS.print(form, {}))


def test_a_report_without_a_form_of_its_own_is_printed_as_tables() -> None:
    pages = text_of(PRESS.print("report_tables", SAMPLES["report_tables"]))
    shown = squeezed(pages)
    for table in SAMPLES["report_tables"]["tables"]:
        for text in (table["title"], *table["columns"], *flat(table["rows"])):
            assert "".join(text.split()) in shown


def test_a_ticket_fills_its_forms() -> None:
    at = datetime(2025, 3, 3, tzinfo=UTC)
    ticket = Ticket(number="KF20250303-0001", kind="complaint", house="3-2-501", summary="西门岗", created_at=at)
    for form in ("notice", "opinion_form", "visit_record", "approval_request", "extension_notice", "thanks_letter"):
        pdf = PRESS.print(form, form_data(form, ticket, SAMPLES["notice"]["site"], "Asia/Shanghai"))
        assert "KF20250303-0001" in squeezed(text_of(pdf))


def test_equal_data_give_equal_bytes() -> None:
    again = Press([TEMPLATES]).print("notice", dict(SAMPLES["notice"]))
    assert PRESS.print("notice", SAMPLES["notice"]) == again


def test_the_paper_names_nobody_in_its_metadata() -> None:
    pdf = PRESS.print("notice", SAMPLES["notice"])
    document = pypdfium2.PdfDocument(pdf)
    meta = document.get_metadata_dict()
    document.close()
    assert meta["Title"] == "工作联系单" and meta["Author"] == "客户服务中心" and meta["CreationDate"].startswith("D:20250303")


def test_pending_papers_say_so() -> None:
    pending = squeezed(text_of(PRESS.print("notice", {**SAMPLES["notice"], "pending": True})))
    assert "待批准" in pending and "待批准" not in squeezed(text_of(PRESS.print("notice", SAMPLES["notice"])))


def test_ticks_stand_where_they_belong() -> None:
    shown = squeezed(text_of(PRESS.print("visit_record", SAMPLES["visit_record"])))
    assert "√基本满意" in shown and "√满意" not in shown and "√上门" in shown


def test_rare_characters_show_and_halves_do_no_harm() -> None:
    data = {**SAMPLES["notice"], "contact": "业主 㛃䶮𬀩", "content": "一\ud800二\x00三\u202e四"}
    shown = squeezed(text_of(PRESS.print("notice", data)))
    assert "㛃䶮𬀩" in shown and "三四" in shown


@pytest.mark.parametrize("text", ["漏" * 1_048_576, "x" * 1_048_576, "x\n" * 30_000, "!" * 100_000])
def test_a_huge_text_flows_over_pages_and_is_cut_with_a_mark(text: str) -> None:
    pages = text_of(PRESS.print("notice", {**SAMPLES["notice"], "content": text}))
    assert len(pages) > 1 and f"全文共{len(text)}字" in squeezed(pages) and "回执" in squeezed(pages)


def test_a_long_register_repeats_its_head() -> None:
    rows = [{**SAMPLES["front_desk_ledger"]["rows"][0], "number": f"KF20250303-{i:04}"} for i in range(200)]
    pages = text_of(PRESS.print("front_desk_ledger", {**SAMPLES["front_desk_ledger"], "rows": rows}))
    assert len(pages) > 5 and all("约定答复时间" in squeezed((p,)) for p in pages[:5]) and "KF20250303-0199" in squeezed(pages)


@pytest.mark.parametrize(
    "source",
    [
        '#read("/etc/passwd")', '#read("../secret.txt")', '#read("secret.txt")', '#image("/etc/passwd")',
        '#import "@preview/cetz:0.3.0": *',
        '#import "@local/x:1.0.0"', '#include "secret.typ"', "#panic()", "#let x = (", '#set text(font: "No Such Font")\nx',
    ],
)  # fmt: skip
def test_a_form_can_reach_nothing_outside(tmp_path: Path, source: str) -> None:
    forms = tmp_path / "forms"
    forms.mkdir()
    (forms / "mine.typ").write_text(source, "utf-8")
    (forms / "secret.txt").write_text("secret", "utf-8")
    (forms / "secret.typ").write_text("secret", "utf-8")
    with pytest.raises(PressFault, match="mine"):
        Press([tmp_path]).print("mine", {})


def test_an_administrators_form_uses_the_shared_parts(tmp_path: Path) -> None:
    forms = tmp_path / "forms"
    forms.mkdir()
    (forms / "notice.typ").write_text('#import "_form.typ": *\n#show: paper.with("我们的单")\n#get("subject")', "utf-8")
    shown = squeezed(text_of(Press([tmp_path, TEMPLATES]).print("notice", SAMPLES["notice"])))
    assert "我们的单" in shown and "西门岗保安服务态度" in shown and "回执" not in shown


def test_unknown_forms_and_missing_fonts_are_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("nowhere", "../notice", "_form", ""):
        with pytest.raises(PressFault, match="form"):
            PRESS.print(name, {})
    bare = Press([TEMPLATES])
    bare.font_directories = ()
    with pytest.raises(PressFault, match="fonts-noto-cjk"):
        bare.print("notice", SAMPLES["notice"])
