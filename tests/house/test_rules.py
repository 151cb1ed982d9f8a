"""docs/rules.md is true: every clause once, every path and test it names exists, every rule the code quotes stands there."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "rules.md").read_text("utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if re.match(r"\| S\d-", line)]
NUMBERS = [row[0] for row in ROWS]
CLAUSES = {"S0": 48, "S1": 72, "S2": 44, "S3": 47, "S4": 34}
"""How many clauses each of the five texts has."""


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


@cache
def functions_of(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def test_every_clause_stands_there_once() -> None:
    assert {text: sum(n.startswith(text) for n in NUMBERS) for text in CLAUSES} == CLAUSES
    assert len(NUMBERS) == len(set(NUMBERS))


@pytest.mark.parametrize("row", ROWS, ids=NUMBERS)
def test_a_clause_is_carried_out_and_shown_or_says_why_not(row: list[str]) -> None:
    number, does, where, shown = row
    if re.match(r"(not yet|out of scope): \S", shown):
        assert (does, where) == ("–", "–")
        return
    assert len(does) > 4 and quoted(where) and quoted(shown)
    for path in quoted(where):
        assert (ROOT / path).exists(), f"{number}: there is no {path}"
    for test in quoted(shown):
        file, _, name = test.partition("::")
        assert (ROOT / file).is_file(), f"{number}: there is no {file}"
        assert name in functions_of(file), f"{number}: {file} has no {name}"


QUOTE = re.compile(r"\bS[0-4]-(?:[A-Z]\d|\d)[0-9A-Za-z.]*(?:-\d+)?")
FOLDERS = ("src", "plugins", "templates", "config")
ENDINGS = (".py", ".toml", ".txt", ".typ", ".html", ".md")


def quotes() -> dict[str, str]:
    """Every rule number in code, data and templates, and one place where it stands."""
    found: dict[str, str] = {}
    for folder in FOLDERS:
        for file in sorted((ROOT / folder).rglob("*")):
            if file.suffix in ENDINGS and file.is_file():
                for number in QUOTE.findall(file.read_text("utf-8")):
                    found.setdefault(number.rstrip("."), str(file.relative_to(ROOT)))
    return found


QUOTES = quotes()


@pytest.mark.parametrize("number", sorted(QUOTES))
def test_a_rule_that_is_quoted_stands_in_the_list(number: str) -> None:
    """As it is, or as the clause to which several of the list belong (S0-4.2.1 for S0-4.2.1a to d)."""
    part_of = re.compile(rf"{re.escape(number)}(?:[a-z.]|$|-\d+$)")
    assert any(part_of.match(n) for n in NUMBERS), f"{QUOTES[number]} quotes {number}, which docs/rules.md does not have"


def test_the_code_quotes_many() -> None:
    assert len(QUOTES) > 100
