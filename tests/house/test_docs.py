"""The guide and the program say the same: keys of the configuration with their defaults, plugins, commands."""

import ast
import re
import tomllib
import typing
from pathlib import Path

import pytest
from pydantic import BaseModel

from kefud.cli import COMMANDS
from kefud.config import DEFAULT_DEADLINES, Config

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "configure.md").read_text("utf-8")
PLUGINS = sorted(p for p in (ROOT / "plugins").iterdir() if (p / "__init__.py").exists())


def models(model=Config, name=""):
    """Every table of the configuration: its heading in the guide → its model."""
    yield f"`{name}`" if name else "Top of the file", model
    for key, field in model.model_fields.items():
        inner, many = table_of(field.annotation)
        if inner:
            path = f"{name.strip('[]')}.{key}".lstrip(".")
            yield from models(inner, f"[[{path}]]" if many else f"[{path}]")


def table_of(annotation):
    """The model an annotation holds, if any, and whether it holds many."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    for inside in typing.get_args(annotation):
        found, many = table_of(inside)
        if found:
            return found, many or typing.get_origin(annotation) is tuple
    return None, False


def documented():
    """Heading → {key: cell with the default}."""
    tables, heading, inside = {}, "", False
    for line in GUIDE.splitlines():
        if line.startswith("## "):
            heading = line[3:]
            tables[heading] = {}
        inside = line.startswith("| key | default |") or (inside and line.startswith("|"))
        if inside and (row := re.match(r"\| `([\w.]+)` \| (.*?) \| ", line)):
            tables[heading][row[1]] = row[2]
    return tables


TABLES = dict(models())
KEYS = documented()


def expected(heading, model):
    """The keys a chapter must have; tables with a chapter of their own need no row at the top, but knowledge may be a path."""
    if heading != "Top of the file":
        return dict(model.model_fields)
    chapters = {h.strip("`[]") for h in TABLES} - {"knowledge"}
    return {key: field for key, field in model.model_fields.items() if key not in chapters}


def test_every_table_has_its_chapter():
    chapters = {h for h, rows in KEYS.items() if rows}
    assert chapters == {*TABLES, "`[deadlines]`"}


@pytest.mark.parametrize("heading", TABLES)
def test_every_key_is_documented_and_every_documented_key_exists(heading):
    assert set(KEYS[heading]) == set(expected(heading, TABLES[heading]))


def plain(value):
    """A default as TOML would give it."""
    if isinstance(value, BaseModel):
        return {k: plain(v) for k, v in value}
    if isinstance(value, tuple | list):
        return [plain(v) for v in value]
    return value


@pytest.mark.parametrize(("heading", "key"), [(h, k) for h, m in TABLES.items() for k in expected(h, m)])
def test_the_default_in_the_guide_is_the_default(heading, key):
    field, cell = TABLES[heading].model_fields[key], KEYS[heading].get(key, "")
    # A table that is left out altogether counts as well: Config() has its own idea of some.
    whole = getattr(Config(), heading.strip("`[]"), None)
    default = getattr(whole, key, None) if isinstance(whole, BaseModel) else field.get_default(call_default_factory=True)
    if field.is_required():
        assert cell == "—"
    elif default is None:
        assert cell == "absent"
    else:
        assert tomllib.loads(f"value = {cell.strip('`')}")["value"] == plain(default)


def test_every_deadline_is_documented_with_its_term():
    assert {k: cell.strip('`"') for k, cell in KEYS["`[deadlines]`"].items()} == DEFAULT_DEADLINES


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda p: p.name)
def test_every_plugin_is_named_in_the_guide(plugin):
    assert f"plugins/{plugin.name}/README.md" in GUIDE


def settings_of(plugin):
    """Fields of the class Settings in a plugin's settings.py, by the name an administrator writes."""
    file = plugin / "settings.py"
    tree = ast.parse(file.read_text("utf-8")) if file.exists() else ast.Module([], [])
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name == "Settings":
            for line in node.body:
                if isinstance(line, ast.AnnAssign):
                    alias = re.search(r"alias='(\w+)'", ast.unparse(line))
                    yield alias[1] if alias else line.target.id


@pytest.mark.parametrize("plugin", [p for p in PLUGINS if list(settings_of(p))], ids=lambda p: p.name)
def test_a_plugin_documents_its_settings(plugin):
    text = (plugin / "README.md").read_text("utf-8")
    assert [key for key in settings_of(plugin) if not re.search(rf"`{key}\b|^{key} *=", text, re.M)] == []


def test_every_command_is_in_the_guide():
    text = (ROOT / "docs" / "operate.md").read_text("utf-8")
    assert [name for name in COMMANDS if f"`kefud {name}" not in text] == []


LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#]+)(#[\w-]+)?\)")


PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("plugins/*/README.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page):
    for target, _ in LINK.findall(page.read_text("utf-8")):
        assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}"
