"""Letters lie in the folder whole, once, under safe names."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kefud.api import DeliveryFailed, TransportConfig
from kefud.testing import parcel, registered, site, transport_contract

from .settings import Settings
from .transport import PrintFolder

PDF = ("工作联系单.pdf", "application/pdf", b"%PDF-1.7 ...")


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., PrintFolder]:
    facts = site(tmp_path)

    def transport(**settings: Any) -> PrintFolder:
        config = TransportConfig(id="print", plugin="print_folder", **({"path": "print"} | settings))
        return PrintFolder("print", Settings.of(config, facts))

    return transport


def lying(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "print").iterdir())}


def test_contract(make: Callable[..., PrintFolder], tmp_path: Path) -> None:
    def received() -> list[bytes]:
        there = sorted((tmp_path / "print").glob("*.eml"), key=lambda path: path.stat().st_mtime_ns)
        return [path.read_bytes() for path in there]

    transport_contract(make, received)


def test_registers_one_transport_for_each_entry(tmp_path: Path) -> None:
    facts = site(tmp_path, '[[transport]]\nid="p"\nplugin="print_folder"\npath="p"\n')
    (transport,) = registered(sys.modules[__package__ or ""], facts).transports
    assert transport.id == "p"


def test_papers_and_mail_lie_side_by_side(make: Callable[..., PrintFolder], tmp_path: Path) -> None:
    letter = parcel(papers=(PDF, PDF), ticket="KF-2026-0001", message_id="<a@example.cn>")
    answer = make().send(letter)
    names = list(lying(tmp_path))
    assert len(names) == 3 and all(name.startswith("KF-2026-0001_") and name in answer for name in names)
    assert sorted(name.rpartition(".")[2] for name in names) == ["eml", "pdf", "pdf"] and "工作联系单" in answer
    assert sorted(lying(tmp_path).values()) == sorted([PDF[2], PDF[2], letter.message])


def test_the_same_letter_again_changes_nothing(make: Callable[..., PrintFolder], tmp_path: Path) -> None:
    letter = parcel(papers=(PDF,))
    make().send(letter)
    before = lying(tmp_path)
    assert "already" in make().send(letter) and lying(tmp_path) == before


@pytest.mark.parametrize(("content", "endings"), [("papers", ["pdf"]), ("mail", ["eml"])])
def test_only_what_is_wanted(make: Callable[..., PrintFolder], tmp_path: Path, content: str, endings: list[str]) -> None:
    make(content=content).send(parcel(papers=(PDF,)))
    assert [name.rpartition(".")[2] for name in lying(tmp_path)] == endings


def test_a_letter_without_papers_cannot_be_printed(make: Callable[..., PrintFolder]) -> None:
    with pytest.raises(DeliveryFailed) as failed:
        make(content="papers").send(parcel())
    assert failed.value.permanent


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "/etc/passwd", "a\0.pdf", "\u200b.htaccess", "CON", ".", "", "x" * 4096, "a\nb.pdf", "$(x).sh;"],
)
def test_names_stay_in_the_folder(make: Callable[..., PrintFolder], tmp_path: Path, name: str) -> None:
    make().send(parcel(papers=((name, "application/pdf", b"x"),), ticket=f"../{name}"))
    names = list(lying(tmp_path))
    assert len(names) == 2 and all(found[0] not in ".-" and found.isprintable() and len(found) < 200 for found in names)
    assert {path.name for path in tmp_path.iterdir()} == {"kefud.toml", "print"}


def test_a_leftover_of_a_crash_is_written_anew(make: Callable[..., PrintFolder], tmp_path: Path) -> None:
    letter = parcel()
    make().send(letter)
    (name,) = lying(tmp_path)
    (tmp_path / "print" / name).rename(tmp_path / "print" / f".{name}.part")
    (tmp_path / "print" / f".{name}.part").write_bytes(b"half")
    make().send(letter)
    assert lying(tmp_path) == {name: letter.message}


def test_no_place_is_no_fault_of_the_letter(make: Callable[..., PrintFolder], tmp_path: Path) -> None:
    (tmp_path / "print").write_text("a file in the way")
    with pytest.raises(DeliveryFailed) as failed:
        make().send(parcel())
    assert not failed.value.permanent and str(tmp_path) in failed.value.answer
    with pytest.raises(DeliveryFailed):
        make().probe()


def test_a_probe_leaves_nothing_behind(make: Callable[..., PrintFolder], tmp_path: Path) -> None:
    make().probe()
    assert lying(tmp_path) == {}
