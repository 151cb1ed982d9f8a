"""The import table of ARCHITECTURE.md holds: in src/kefud, and in every plugin."""

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "kefud"
PLUGINS = ROOT / "plugins"
STANDARD = {*sys.stdlib_module_names, "__future__"}


def rows(first_head: str) -> Iterator[list[str]]:
    """The cells of the table whose first column has that head."""
    inside = False
    for line in (ROOT / "ARCHITECTURE.md").read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|"):
            inside = False
        elif cells[0] == first_head:
            inside = True
        elif inside and not set(line) <= set("|- "):
            yield cells


@dataclass(frozen=True)
class Room:
    name: str
    may_import: frozenset[str]
    libraries: frozenset[str]


def named(cell: str) -> frozenset[str]:
    return frozenset(re.findall(r"`(\w+)`", cell))


def listed(cell: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", cell))


ROOMS = {
    room.name: room
    for head, _, may_import, libraries in rows("room")
    for room in [Room(*named(head), named(may_import), listed(libraries))]
}
PLUGIN_LIBRARIES = {next(iter(named(head))): listed(libraries) for head, libraries in rows("plugin")}


def imports(file: Path, package: str, *, top_only: bool = False) -> Iterator[tuple[int, str]]:
    """Line and full dotted name of every import; ``from a import b`` counts as a.b. Relative ones start at ``package``."""
    tree = ast.parse(file.read_text("utf-8"))
    for node in tree.body if top_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                yield node.lineno, f"{base}.{alias.name}"


def package_of(file: Path, top: Path, name: str) -> str:
    return ".".join([name, *file.relative_to(top).parent.parts])


def modules(directory: Path) -> list[Path]:
    return sorted(f for f in directory.rglob("*.py") if "__pycache__" not in f.parts)


def room_of(file: Path) -> str:
    return file.relative_to(SOURCE).with_suffix("").parts[0]


def faults_of_source(file: Path) -> Iterator[str]:
    room = ROOMS.get(room_of(file))
    if room is None:
        yield f"{file.relative_to(ROOT)}: the room {room_of(file)} is not in the table of ARCHITECTURE.md"
        return
    for line, name in imports(file, package_of(file, SOURCE, "kefud")):
        top, _, rest = name.partition(".")
        place = f"{file.relative_to(ROOT)}:{line}"
        other = rest.split(".")[0]
        if top == "kefud" and other not in (room.name, "__version__") and other not in room.may_import:
            yield f"{place}: {room.name} may not import {other}"
        elif top not in STANDARD and top != "kefud" and top not in room.libraries:
            yield f"{place}: {room.name} may not import the library {top}"


IN_ROOMS = [f for f in modules(SOURCE) if f != SOURCE / "__init__.py"]


@pytest.mark.parametrize("file", IN_ROOMS, ids=lambda f: str(f.relative_to(SOURCE)))
def test_a_room_imports_only_what_the_table_grants(file):
    assert list(faults_of_source(file)) == []


def test_the_root_imports_nothing():
    assert list(imports(SOURCE / "__init__.py", "kefud")) == []


def test_the_table_leads_upwards_only():
    above: set[str] = set()
    for room in ROOMS.values():
        assert room.may_import <= above, f"{room.name} imports {sorted(room.may_import - above)}, which do not stand above it"
        above.add(room.name)


def test_no_library_has_two_homes():
    shared = {"pluggy"}  # its markers are the API, its manager is the loader's and the test double's
    homes: dict[str, list[str]] = {}
    for room in ROOMS.values():
        for library in room.libraries - shared:
            homes.setdefault(library, []).append(room.name)
    assert {library: rooms for library, rooms in homes.items() if len(rooms) > 1} == {}


def test_no_modules_import_each_other_in_a_circle():
    files = {module_name(f): f for f in modules(SOURCE)}
    graph = {name: set(neighbours(name, file, files)) for name, file in files.items()}
    assert circle(graph) == []


def module_name(file: Path) -> str:
    parts = file.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def neighbours(name: str, file: Path, files: dict[str, Path]) -> Iterator[str]:
    for _, imported in imports(file, package_of(file, SOURCE, "kefud"), top_only=True):
        target = imported if imported in files else imported.rpartition(".")[0]
        if target in files and target != name and not name.startswith(target + "."):
            yield target


def circle(graph: dict[str, set[str]]) -> list[str]:
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name not in done:
            for target in sorted(graph[name]):
                if found := visit(target, [*path, name]):
                    return found
            done.add(name)
        return []

    return next((found for name in sorted(graph) if (found := visit(name, []))), [])


PLUGIN_FOLDERS = sorted(p for p in PLUGINS.iterdir() if (p / "__init__.py").exists()) if PLUGINS.is_dir() else []
MAY_TEST_WITH = ("kefud.testing", "kefud.config", "kefud.desk", "kefud.errors", "kefud.mime")


def is_test(file: Path) -> bool:
    return file.name.startswith("test_") or file.name == "conftest.py"


def granted(name: str, plugin: str, testing: bool) -> bool:
    top = name.split(".")[0]
    if top in STANDARD or top in (plugin, "pydantic") or f"{name}.".startswith("kefud.api."):
        return True
    if top in PLUGIN_LIBRARIES.get(plugin, ()):
        return True
    return testing and (top in ("pytest", "hypothesis", "aiosmtpd", "servers", "paper") or f"{name}.".startswith(MAY_TEST_WITH))


@pytest.mark.parametrize("folder", PLUGIN_FOLDERS, ids=lambda p: p.name)
def test_a_plugin_imports_the_api_itself_and_its_own_library(folder):
    faults = [
        f"{file.relative_to(ROOT)}:{line}: {folder.name} may not import {name}"
        for file in modules(folder)
        for line, name in imports(file, package_of(file, folder, folder.name))
        if not granted(name, folder.name, is_test(file))
    ]
    assert faults == []


@pytest.mark.parametrize("folder", PLUGIN_FOLDERS, ids=lambda p: p.name)
def test_a_plugin_brings_its_guide_and_its_test(folder):
    assert (folder / "README.md").is_file(), f"{folder.name} has no README.md"
    assert list(folder.glob("test_*.py")), f"{folder.name} has no test beside it"


def test_the_check_sees_what_it_forbids(tmp_path):
    bad = tmp_path / "bad.py"
    bad.write_text("import sqlalchemy\nfrom kefud import store\nfrom .. import desk\ndef f():\n    import kefud.cli.run\n")
    assert [name for _, name in imports(bad, "kefud.mime")] == ["sqlalchemy", "kefud.store", "kefud.desk", "kefud.cli.run"]
    assert not granted("kefud.store", "smtp", testing=False)
    assert not granted("kefud.testing", "smtp", testing=False)
    assert not granted("kefud.apixyz", "smtp", testing=False)
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}}) == ["a", "b", "c", "a"]


TALKING = ("asyncio", "ftplib", "http", "imaplib", "poplib", "smtplib", "socket", "socketserver", "ssl", "urllib.request", "xmlrpc")
MAY_TALK = {
    "wire.py": "the one way out", "daemon.py": "the socket of systemd", "workers.py": "pairs of sockets with children",
    "wiring.py": "the name of this machine", "cli/doctor.py": "probes loopback", "demo": "servers on loopback",
    "imap_mailbox": "the protocol, over a wire",
}  # fmt: skip


def test_connections_are_made_in_one_place():
    """P11: who is talked to stands in the configuration; a second way out would have to be read as carefully."""
    found = set()
    for top in (SOURCE, PLUGINS):
        for file in (f for f in modules(top) if not is_test(f)):
            place = file.relative_to(top)
            if any(f"{name}.".startswith(tuple(f"{t}." for t in TALKING)) for _, name in imports(file, "")):
                found.add(str(place) if str(place) in MAY_TALK else place.parts[0])
    assert found == set(MAY_TALK)
