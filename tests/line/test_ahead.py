"""What is begun before its turn: a channel's next batch, of which the source hears only when it is durable, and the next letter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kefud.api import Arrival, Ledger, Parcel
from kefud.compose import Press
from kefud.desk.dispatch import Dispatch
from kefud.desk.message import Address
from kefud.errors import KefudError
from kefud.hosts import ChannelLane, TransportHost
from kefud.journal import Journal

NOW = datetime(2025, 3, 3, 1, 0, tzinfo=UTC)


class Source:
    """Brings batches of one arrival each, and notes what happens in which order."""

    id = "source"
    medium = "mail"

    def __init__(self, batches: int, *, ahead: bool, breaks: bool = False) -> None:
        self.fetches_ahead = ahead
        self.did: list[str] = []
        self._batches = batches
        self._breaks = breaks

    def fetch(self, ledger: Ledger, now: Callable[[], datetime]) -> Iterator[Sequence[Arrival]]:
        for number in range(1, self._batches + 1):
            self.did.append(f"fetched {number}")
            yield [Arrival(str(number), now(), b"x", self.medium)]
        if self._breaks:
            raise KefudError("the line is cut")
        ledger.remember("all", "there")
        self.did.append("remembered")

    def acknowledge(self, refs: Sequence[str]) -> None:
        self.did.append(f"acknowledged {' '.join(refs)}")


class Desk:
    """The daemon's end: answers questions in their order; takes batches until it refuses one, and what comes behind."""

    def __init__(self, refuses: str = "", further: Sequence[Dispatch] = ()) -> None:
        self.asked: list[str] = []
        self.told: list[tuple[int, ...]] = []
        self._refuses = refuses
        self._refused = False
        self._further = list(further)
        self._answers: list[Any] = []

    def post(self, name: str, *args: Any) -> None:
        self.asked.append(name if name != "take" else f"take {args[0][0].ref}")
        self._refused = self._refused or (name == "take" and args[0][0].ref == self._refuses)
        answers = {"now": NOW, "take": not self._refused, "result": (True, self._further)}
        self._answers.append(answers.get(name, True))
        if name == "result":
            self.told.append(tuple(sent.id for sent in args[0]))
            self._further = []

    def answered(self) -> bool:
        return bool(self._answers)

    def answer(self) -> Any:
        return self._answers.pop(0)

    def ask(self, name: str, *args: Any) -> Any:
        assert not self._answers, "an answer that nobody took would be mistaken for this one"
        self.post(name, *args)
        return self.answer()

    @property
    def silent(self) -> bool:
        return not self._answers


def run(source: Source, desk: Desk) -> int:
    return ChannelLane(source, Path("/no/such/room")).fetch(desk)  # type: ignore[arg-type]


def test_the_next_batch_is_fetched_while_one_is_made_durable() -> None:
    source, desk = Source(3, ahead=True), Desk()
    assert run(source, desk) == 3
    assert source.did == [
        "fetched 1", "fetched 2", "acknowledged 1", "fetched 3", "acknowledged 2", "remembered", "acknowledged 3",
    ]  # fmt: skip
    assert desk.silent and [x for x in desk.asked if x.startswith("take")] == ["take 1", "take 2", "take 3"]


def test_the_next_batch_waits_at_the_door_when_the_source_is_told_of_one() -> None:
    """The daemon goes on with it at once, instead of waiting until the source has heard."""
    desk = Desk()

    class Looking(Source):
        def acknowledge(self, refs: Sequence[str]) -> None:
            super().acknowledge(refs)
            self.did.append(f"{len([x for x in desk.asked if x.startswith('take')])} given")

    source = Looking(3, ahead=True)
    run(source, desk)
    assert [x for x in source.did if not x.startswith("fetched")] == [
        "acknowledged 1", "2 given", "acknowledged 2", "3 given", "remembered", "acknowledged 3", "3 given",
    ]  # fmt: skip


def test_others_are_acknowledged_before_they_fetch_again() -> None:
    source = Source(2, ahead=False)
    assert run(source, Desk()) == 2
    assert source.did == ["fetched 1", "acknowledged 1", "fetched 2", "acknowledged 2", "remembered"]


@pytest.mark.parametrize("ahead", [True, False])
def test_what_the_store_refuses_is_never_acknowledged(ahead: bool) -> None:
    source, desk = Source(3, ahead=ahead), Desk(refuses="2")
    with pytest.raises(KefudError, match="did not take the batch"):
        run(source, desk)
    assert [x for x in source.did if x.startswith("acknowledged")] == ["acknowledged 1"]
    assert desk.silent


def test_nothing_is_noted_behind_a_batch_that_was_refused() -> None:
    """The note would say that all is there."""
    source, desk = Source(1, ahead=True), Desk(refuses="1")
    with pytest.raises(KefudError, match="did not take the batch"):
        run(source, desk)
    assert "remember" not in desk.asked


def test_a_source_that_breaks_leaves_no_answer_behind() -> None:
    """It is told of the last batch at the next look."""
    source, desk = Source(2, ahead=True, breaks=True), Desk()
    with pytest.raises(KefudError, match="the line is cut"):
        run(source, desk)
    assert desk.silent and source.did[-1] == "acknowledged 1"


def test_the_time_goes_on_while_a_batch_is_under_way() -> None:
    moments: list[datetime] = []

    class Watching(Source):
        def fetch(self, ledger: Ledger, now: Callable[[], datetime]) -> Iterator[Sequence[Arrival]]:
            for batch in super().fetch(ledger, now):
                yield batch
                moments.append(now())

    run(Watching(2, ahead=True), Desk())
    assert NOW < moments[0] <= moments[1]


class Slow:
    """A transport that says what it was asked, and lets others work while it would wait. ``takes`` are the seconds for each."""

    id = "mail"

    def __init__(self, did: list[str], takes: float = 0.0) -> None:
        self.meanwhile: Callable[[], object] | None = None
        self.now = 100.0
        self._did = did
        self._takes = takes

    def send(self, parcel: Parcel) -> str:
        self._did.append(f"{parcel.id} on its way")
        if self.meanwhile:
            self.meanwhile()
        self._did.append(f"{parcel.id} taken")
        self.now += self._takes
        return "250 taken"

    def finish(self) -> None:
        pass


class Announcing(Slow):
    """One that says when it has announced a letter; it sees what is in the journal then."""

    def __init__(self, did: list[str], journal: Journal, takes: float = 0.0) -> None:
        super().__init__(did, takes)
        self.announced: Callable[[], object] | None = None
        self._journal = journal

    def send(self, parcel: Parcel) -> str:
        self._did.append(f"{parcel.id} announced")
        if self.announced:
            self.announced()
        self._did.append(f"noted {[sent.id for sent in self._journal.read()[0]]}")
        return super().send(parcel)


class Watched(TransportHost):
    """Notes when a letter is prepared."""

    did: list[str]

    def _prepared(self, dispatch: Dispatch) -> Any:
        self.did.append(f"{dispatch.id} prepared")
        return super()._prepared(dispatch)


def letter(id: int, prints: bool = False) -> Dispatch:
    us, them = Address("", "kefu@estate.example.com"), Address("", "wuye@property.example.com")
    paper = ((7, "notice", f"2025/notice-{id}", {}),) if prints else ()
    return Dispatch(id, 1, f"<{id}@estate.example.com>", "KF20250303-0001", us, (them,), "联系单", "请办理", NOW, prints=paper)


class Printer(Press):
    def print(self, form: str, data: Mapping[str, Any]) -> bytes:
        return b"%PDF"


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    made = Journal(tmp_path / "mail.sent")
    made.create()
    return made


def send(transport: Slow, letters: Sequence[Dispatch], home: Path, desk: Desk, journal: Journal | None = None) -> list[str]:
    """What happened, in order."""
    host = Watched(transport, Printer([]), home, journal, monotonic=lambda: transport.now)
    host.did = transport._did
    host.send(desk, letters)  # type: ignore[arg-type]
    assert desk.silent
    return transport._did


def test_the_next_letter_is_built_while_the_server_thinks_but_no_paper_is_printed(tmp_path: Path) -> None:
    """Should printing end the process, the letter before would have left and nobody would know."""
    did = send(Slow([]), [letter(1), letter(2), letter(3, True), letter(4)], tmp_path, Desk())
    assert did == [
        "1 prepared", "1 on its way", "2 prepared", "1 taken", "2 on its way", "2 taken", "3 prepared", "3 on its way",
        "4 prepared", "3 taken", "4 on its way", "4 taken",
    ]  # fmt: skip


def test_a_letter_is_noted_while_the_server_thinks_about_the_next_before_that_leaves(tmp_path: Path, journal: Journal) -> None:
    desk = Desk()
    did = send(Announcing([], journal), [letter(1), letter(2), letter(3, True)], tmp_path, desk, journal)
    assert did == [
        "1 prepared", "1 announced", "noted []", "1 on its way", "2 prepared", "1 taken",
        "2 announced", "noted [1]", "2 on its way", "2 taken",
        "3 prepared", "3 announced", "noted [1, 2]", "3 on its way", "3 taken",
    ]  # fmt: skip
    assert [sent.id for sent in journal.read()[0]] == [1, 2, 3]


def test_a_letter_is_noted_before_the_paper_of_the_next_is_printed(tmp_path: Path, journal: Journal) -> None:
    """Printing may end the process."""
    noted: list[list[int]] = []

    class Looking(Printer):
        def print(self, form: str, data: Mapping[str, Any]) -> bytes:
            noted.append([sent.id for sent in journal.read()[0]])
            return b"%PDF"

    host = TransportHost(Announcing([], journal), Looking([]), tmp_path, journal)
    assert host.send(Desk(), [letter(1), letter(2, True)]) == 2  # type: ignore[arg-type]
    assert noted == [[1]]


@pytest.mark.parametrize(("takes", "told"), [(0.0, [(1,), tuple(range(2, 18)), (18, 19, 20)]), (0.06, [(1,), (2, 3), (4, 5)])])
def test_the_daemon_is_not_woken_for_each_letter(
    tmp_path: Path, journal: Journal, takes: float, told: list[tuple[int, ...]]
) -> None:
    desk = Desk()
    send(Announcing([], journal, takes), [letter(n) for n in range(1, 21)], tmp_path, desk, journal)
    assert desk.told[: len(told)] == told
    assert [id for ids in desk.told for id in ids] == list(range(1, 21))


def test_what_cannot_be_noted_is_committed_before_the_next_letter_leaves(tmp_path: Path, journal: Journal) -> None:
    desk, full = Desk(), Journal(Path("/dev/full"))
    transport = Announcing([], journal)
    did = send(transport, [letter(1), letter(2), letter(3)], tmp_path, desk, full)
    assert desk.told == [(1,), (2,), (3,)]
    assert did.index("2 on its way") > did.index("1 taken")


def test_without_a_journal_each_letter_is_told_before_the_next_is_announced(tmp_path: Path, journal: Journal) -> None:
    desk = Desk()
    told: list[int] = []

    class Counting(Announcing):
        def send(self, parcel: Parcel) -> str:
            told.append(len(desk.told))
            return super().send(parcel)

    send(Counting([], journal), [letter(n) for n in (1, 2, 3)], tmp_path, desk)
    assert told == [0, 1, 2]


def test_letters_that_come_meanwhile_go_with_the_same_burst(tmp_path: Path, journal: Journal) -> None:
    desk = Desk(further=[letter(3), letter(4)])
    did = send(Announcing([], journal), [letter(1), letter(2)], tmp_path, desk, journal)
    assert [x for x in did if x.endswith("taken")] == ["1 taken", "2 taken", "3 taken", "4 taken"]
    assert [id for ids in desk.told for id in ids] == [1, 2, 3, 4]


def test_letters_that_come_with_the_last_answer_go_with_the_same_burst(tmp_path: Path, journal: Journal) -> None:
    """A single letter: the child has nothing left when it hears of more."""
    desk = Desk(further=[letter(2), letter(3)])
    did = send(Announcing([], journal), [letter(1)], tmp_path, desk, journal)
    assert [x for x in did if x.endswith("taken")] == ["1 taken", "2 taken", "3 taken"]
