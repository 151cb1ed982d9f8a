"""Files people open with a spreadsheet: nothing a stranger wrote becomes a formula or markup (S09)."""

import csv
import io
import json
import re
import zipfile
from xml.etree import ElementTree

import pytest

from kefud.reports import Table, gated
from kefud.reports.export import comma_separated, document, page, workbook
from kefud.reports.ledger import LEDGER
from kefud.reports.table import LONGEST_CELL, of_rows

HOSTILE = (
    "=cmd|'/c calc'!A1",
    "-2+3",
    "+1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "＝1+1",
    "＋1",
    "－1",
    "＠A1",
    "\x00=1",
    " =1",
)
SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def cells(book, sheet=1):
    """Texts of a workbook's cells, and how many formulas it holds."""
    with zipfile.ZipFile(io.BytesIO(book)) as package:
        root = ElementTree.fromstring(package.read(f"xl/worksheets/sheet{sheet}.xml"))
    texts = [
        "".join(t.text or "" for t in c.iter(f"{SHEET}t")).replace("_x000D_", "\r") or c.findtext(f"{SHEET}v") or ""
        for c in root.iter(f"{SHEET}c")
    ]
    return texts, len(list(root.iter(f"{SHEET}f")))


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_column_of_the_ledger_lets_a_formula_through(hostile):
    rows = [{key: hostile for key, _ in LEDGER}]
    texts, formulas = cells(workbook("台帐", [of_rows("台帐", LEDGER, rows)]))
    assert formulas == 0
    for text in texts[len(LEDGER) :]:
        assert text.startswith("'") and text.lstrip("'").strip() == hostile.replace("\x00", "").strip()


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_csv_field_begins_like_a_formula(hostile):
    text = comma_separated([Table("表", ("列",), [[hostile]])]).decode("utf-8-sig")
    assert list(csv.reader(io.StringIO(text, newline="")))[1][0].startswith("'")


@pytest.mark.parametrize("text", ["普通", "a=b", "1-2", "https://example.com/x", "<b>", "‘=1"])
def test_plain_text_stays_as_it_is(text):
    assert gated(text) == text


def test_numbers_stay_numbers():
    assert gated(-3) == -3 and gated(None) is None
    assert cells(workbook("表", [Table("表", ("数",), [[-3]])]))[0][-1] == "-3"


def test_an_address_becomes_no_link():
    book = workbook("表", [Table("表", ("列",), [["https://example.com/"]])])
    with zipfile.ZipFile(io.BytesIO(book)) as package:
        assert not [n for n in package.namelist() if "rels" in n and "worksheets" in n]


def test_a_cell_ends_where_the_format_ends():
    long = gated("长" * 40_000)
    assert len(long) == LONGEST_CELL and long.endswith("(截断)")
    assert len(cells(workbook("表", [Table("表", ("列",), [["长" * 40_000]])]))[0][-1]) == LONGEST_CELL


def test_control_characters_are_gone():
    assert gated("a\x00b\x08c\x1b\u202ed") == "abcd"


def test_markup_is_escaped():
    made = page("<script>alert(1)</script>", [Table("<b>", ("<i>",), [["<img src=x onerror=alert(1)>", '"&']])]).decode()
    assert not re.search("<script|<img|<b>|<i>", made)


def test_the_same_data_are_the_same_bytes():
    def made():
        tables = [Table("一", ("列",), [["值", 1], ["=1", None]])]
        return workbook("表", tables), comma_separated(tables), page("表", tables), document({"a": "值"})

    assert made() == made()


def test_sheets_get_different_names_a_spreadsheet_accepts():
    tables = [Table("a/b:c" * 20, ("列",), []), Table("a/b:c" * 20, ("列",), [])]
    with zipfile.ZipFile(io.BytesIO(workbook("表", tables))) as package:
        names = re.findall(r'<sheet name="([^"]+)"', package.read("xl/workbook.xml").decode())
    assert len(set(names)) == 2 and all(len(n) <= 31 for n in names)


def test_json_survives_half_a_character():
    assert json.loads(document({"a": "x\ud800"}).decode())["a"] == "x?"
