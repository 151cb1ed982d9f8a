"""The benchmark: what kefud costs and how fast it is, beside a yardstick, in one run. `make bench`, a few minutes.

One JSON document on standard output; progress and a readable table on standard error. Rates of one run are to be compared
with each other, not with those of another machine. `--only intake,idle` measures some parts, `--profile` leaves profiles.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE.parent), str(ROOT / "src")]

import psutil  # noqa: E402
from servers.dovecot import Dovecot, Mailbox, dovecot  # noqa: E402

from bench.corpus import corpus  # noqa: E402
from bench.daemon import Kefud  # noqa: E402
from bench.past import grow  # noqa: E402

Figures = dict[str, Any]


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class Sink:
    """An SMTP server that takes everything, in a process of its own."""

    def __init__(self, home: Path, program: str = "sink.py") -> None:
        self.log = home / f"{program}.jsonl"
        self.process = subprocess.Popen([sys.executable, str(HERE / program), str(self.log)], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def mails(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []

    def count(self) -> int:
        """How many there are, at no cost worth mentioning: it is asked twenty times a second beside what is measured."""
        return self.log.read_bytes().count(b"\n") if self.log.exists() else 0

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


class Bench:
    """Everything one run shares: the servers, a scratch directory, the sizes."""

    def __init__(self, home: Path, imap: Dovecot, sink: Sink, options: argparse.Namespace) -> None:
        self.home = home
        self.imap = imap
        self.sink = sink
        self.count = options.mails
        self.rounds = options.rounds
        self.seed = options.seed
        self.tickets = options.tickets
        self._names = 0

    def directory(self, name: str) -> Path:
        self._names += 1
        return self.home / f"{name}-{self._names}"

    def filled(self, count: int, **options: Any) -> Mailbox:
        """A mailbox with the corpus in it, as the delivery agent leaves it."""
        box = self.imap.mailbox()
        for content in corpus(count, self.seed, **options):
            box.put(content)
        return box

    def kefud(self, name: str, users: Sequence[str] = (), smtp: bool = True, **options: Any) -> Kefud:
        return Kefud(
            self.directory(name), imap_port=self.imap.port, users=users,
            **{"smtp_port": self.sink.port if smtp else 0, **options},
        )  # fmt: skip


# The parts. Each returns its figures.


def fetch(bench: Bench) -> Figures:
    """What the IMAP server gives at most: UID FETCH of 500 at a time, nothing done with it."""
    import imaplib

    rates = []
    box = bench.filled(bench.count)
    for _ in range(bench.rounds):
        with imaplib.IMAP4("127.0.0.1", box.port) as link:
            link.login(box.user, "pw")
            link.select("INBOX", readonly=True)
            began = time.perf_counter()
            got = 0
            for start in range(1, bench.count + 1, 500):
                _, answer = link.uid("FETCH", f"{start}:{min(start + 499, bench.count)}", "(BODY.PEEK[])")
                got += sum(isinstance(part, tuple) for part in answer)
            rates.append(got / (time.perf_counter() - began))
    return {"mails_per_s": statistics.median(rates)}


def intake(bench: Bench) -> Figures:
    """Mailbox to committed tickets with every letter and work order delivered, in turn with the yardstick."""
    ours, theirs = [], []
    for _ in range(bench.rounds):
        theirs.append(_yardstick(bench))
        ours.append(_line(bench, "intake"))
    return {"kefud": _medians(ours), "yardstick": _medians(theirs), "ratio": _ratio(ours, theirs, "mails_per_s")}


def grown(bench: Bench) -> Figures:
    """The same on an empty store and on one that holds a long past, in turn; and what looking at the long past takes."""
    store = bench.home / "grown.db"
    if not store.exists():
        _made_store(store, bench.tickets)
    empty, full = [], []
    for _ in range(bench.rounds):
        empty.append(_line(bench, "empty"))
        full.append(_line(bench, "grown", store=store))
    looks = _looks(bench, store)
    ratio = _ratio(full, empty, "cpu_s_per_1000")
    return {"empty": _medians(empty), "grown": _medians(full), "cpu_ratio": ratio, "tickets": bench.tickets, **looks}


def taking(bench: Bench) -> Figures:
    """Taking in without letters: a backlog until committed and flagged, and mails until filed. Needs `fetch` for the share."""
    runs = []
    for _ in range(bench.rounds):
        backlog, box = bench.filled(bench.count * 5), bench.filled(bench.count)
        with bench.kefud("backlog", [backlog.user], smtp=False) as kefud:
            began = kefud.ready()
            taken = kefud.wait(lambda: kefud.taken(bench.count * 5), 600) - began
        with bench.kefud("taking", [box.user], smtp=False) as kefud:
            began = kefud.ready()
            filed = kefud.wait(lambda: kefud.filed(bench.count), 600) - began
        runs.append({"taken_per_s": bench.count * 5 / taken, "filed_per_s": bench.count / filed})
    return _medians(runs)


def letters(bench: Bench) -> Figures:
    """Plain letters that wait in the outbox, beside what the server takes of the same ones on one connection from smtplib.

    Of two servers: one that people run (aiosmtpd), and one that does nothing with what it is given.
    """
    library = Sink(bench.home, "library_sink.py")
    try:
        return _medians([
            _letters(bench, library, "") | _letters(bench, bench.sink, "_of_a_server_that_does_nothing") for _ in range(bench.rounds)
        ])  # fmt: skip
    finally:
        library.close()


def _letters(bench: Bench, sink: Sink, which: str) -> Figures:
    import smtplib

    from kefud.compose import Draft, build_mail
    from kefud.desk.message import Address

    content = build_mail(
        Draft(LETTER["subject"], LETTER["text"], ""), sender=Address("客户服务中心", "service@example.cn"),
        to=[Address("", "owner@example.com")], message_id="<letter@example.cn>", date=datetime.now(UTC), automatic="auto-replied",
    )  # fmt: skip
    before = sink.count()
    with bench.kefud("letters", smtp_port=sink.port) as kefud:
        kefud.ready()
        time.sleep(4)  # what a start costs has a figure of its own
        _put_letters(kefud.database, 1000)
        kefud.wait(lambda: sink.count() >= before + 1000, 300)
    times = [mail["t"] for mail in sink.mails()[before:]]
    server = smtplib.SMTP("127.0.0.1", sink.port, local_hostname="bench.example")
    began = time.perf_counter()
    for _ in range(1000):
        server.sendmail("service@example.cn", ["owner@example.com"], content)
    raw = 1000 / (time.perf_counter() - began)
    server.quit()
    rate = 999 / (max(times) - min(times))
    return {f"letters_per_s{which}": rate, f"smtp_per_s{which}": raw, f"share{which}": rate / raw}


def memory(bench: Bench) -> Figures:
    """All processes together over a mailbox with a mail of 35 MB in it."""
    box = bench.filled(bench.count // 2, large=35_000_000)
    with bench.kefud("memory", [box.user]) as kefud:
        kefud.wait(lambda: kefud.delivered(bench.count // 2), 900)
        first = kefud.pss()
        for content in corpus(bench.count // 2, f"{bench.seed} again"):
            box.put(content)
        kefud.wait(lambda: kefud.delivered(bench.count // 2 * 2), 900)
        return {"most_pss_mb": kefud.most_pss, "pss_after_mb": first, "pss_after_as_many_again_mb": kefud.pss()}


def idle(bench: Bench) -> Figures:
    """Twenty mailboxes in which nothing happens; then two hundred held by one daemon."""
    figures: Figures = {}
    for boxes, seconds in ((20, 40.0), (200, 10.0)):
        users = [bench.imap.mailbox() for _ in range(boxes)]
        for box in users:
            box.put(b"From: a@example.com\r\nSubject: x\r\n\r\nx\r\n")
        with bench.kefud(f"idle{boxes}", [b.user for b in users]) as kefud:
            kefud.wait(lambda boxes=boxes: kefud.delivered(boxes), 180)
            time.sleep(5)
            began, cpu = time.perf_counter(), kefud.cpu()
            time.sleep(seconds)
            share = (kefud.cpu() - cpu) / (time.perf_counter() - began)
            figures |= {f"core_percent_{boxes}": 100 * share, f"pss_{boxes}_mb": kefud.pss()}
    return figures


def latency(bench: Bench) -> Figures:
    """From delivery into the mailbox to the work order at the SMTP server, while the daemon listens (IDLE)."""
    box = bench.imap.mailbox()
    box.put(b"From: a@example.com\r\nSubject: x\r\n\r\nx\r\n")
    waits = []
    with bench.kefud("latency", [box.user]) as kefud:
        kefud.wait(lambda: kefud.delivered(1), 60)
        time.sleep(2)
        for number in range(20):
            before = len(bench.sink.mails())
            box.put(_repair(number))
            began = time.time()
            while not (arrived := [m["t"] for m in bench.sink.mails()[before:] if _is_work_order(m)]):
                if time.time() - began > 30:
                    raise RuntimeError(f"no work order within 30 s: {kefud.state()}")
                time.sleep(0.01)
            waits.append(arrived[0] - began)
            time.sleep(0.3)
    return {"median_s": statistics.median(waits), "p95_s": sorted(waits)[18]}


def start(bench: Bench) -> Figures:
    """Start to ready on the store with the long past, and `kefud --help`."""
    store = bench.home / "grown.db"
    if not store.exists():
        _made_store(store, bench.tickets)
    ready, helped = [], []
    for _ in range(3):
        box = bench.imap.mailbox()
        box.put(b"From: a@example.com\r\nSubject: x\r\n\r\nx\r\n")
        with bench.kefud("start", [box.user], store=store) as kefud:
            ready.append(kefud.ready())
        began = time.perf_counter()
        subprocess.run(kefud.command("--help"), env=kefud.environment, stdout=subprocess.DEVNULL, check=True)
        helped.append(time.perf_counter() - began)
    return {"ready_s": statistics.median(ready), "help_s": statistics.median(helped)}


def paper(bench: Bench) -> Figures:
    """A notice on paper, each another one, in a press that is warm."""
    from kefud.compose import Press

    press = Press([ROOT / "templates"])
    sample = press.samples()["notice"]
    times = []
    for number in range(40):
        data = {**sample, "number": f"客联〔2025〕{number:03}号", "content": f"第{number}件。{sample['content'][number % 9 :]}"}
        began = time.perf_counter()
        press.print("notice", data)
        times.append(1000 * (time.perf_counter() - began))
    return {"notice_ms": statistics.median(times[5:]), "first_ms": times[0]}


def reader(bench: Bench) -> Figures:
    """The mail reader alone beside the standard library's, both decoding every part."""
    from email import message_from_bytes

    from kefud.api import read_mail

    mails = list(corpus(bench.count, bench.seed))
    at = datetime(2025, 3, 3, tzinfo=UTC)

    def theirs(content: bytes) -> None:
        mail = message_from_bytes(content)
        for part in mail.walk():
            if not part.is_multipart():
                part.get_payload(decode=True)

    ours, stdlib = [], []
    for _ in range(3):
        stdlib.append(_cpu(lambda: [theirs(m) for m in mails]))
        ours.append(_cpu(lambda: [read_mail(m, received_at=at) for m in mails]))
    one, other = statistics.median(ours), statistics.median(stdlib)
    return {"mails_per_cpu_s": len(mails) / one, "stdlib_mails_per_cpu_s": len(mails) / other, "ratio": other / one}


def ocr(bench: Bench) -> Figures:
    """Scans of the complaint box through the whole line, beside the recognition library alone on one core."""
    try:
        import numpy
        import rapidocr
        from paper import render_pages
    except ImportError as error:
        return {"left_out": str(error)}
    folder = bench.directory("box")
    folder.mkdir()
    text = (
        "投诉信\n\n我是3号楼2单元501室的业主。\n"
        + "楼道的灯坏了十多天，晚上回家看不见台阶，请尽快安排维修。\n" * 6
        + "\n钱样例\n电话：13800000201\n"
    )
    pages = [render_pages(f"第{n}号\n{text}", angle=0.2 + n / 10)[0] for n in range(4)]
    engine = rapidocr.RapidOCR(
        params={"Global.use_cls": False, "Global.log_level": "error", "EngineConfig.onnxruntime.intra_op_num_threads": 1}
    )
    engine(numpy.asarray(pages[0].convert("RGB")))
    began = time.perf_counter()
    for page in pages:
        engine(numpy.asarray(page.convert("RGB")))
    alone = len(pages) / (time.perf_counter() - began)
    for number, page in enumerate(pages):
        page.save(folder / f"scan-{number}.png")
    with bench.kefud("ocr", smtp=False, box=folder) as kefud:
        began = kefud.ready()
        kefud.wait(lambda: kefud.taken(1), 90)
        taken = time.perf_counter() - kefud.started
        took = kefud.wait(lambda: kefud.filed(len(pages)), 180) - max(began, taken)
    return {"pages_per_s": len(pages) / took, "library_pages_per_s": alone, "ratio": len(pages) / took / alone}


PARTS: dict[str, Callable[[Bench], Figures]] = {
    "fetch": fetch, "reader": reader, "paper": paper, "intake": intake, "taking": taking, "letters": letters, "memory": memory,
    "latency": latency, "idle": idle, "grown": grown, "start": start, "ocr": ocr,
}  # fmt: skip


# What the parts are made of


def _line(bench: Bench, name: str, **options: Any) -> Figures:
    box = bench.filled(bench.count)
    with bench.kefud(name, [box.user], **options) as kefud:
        took = kefud.wait(lambda: kefud.delivered(bench.count))
        cpu = kefud.cpu()
        state = kefud.state()
        return {
            "mails_per_s": bench.count / took, "cpu_s_per_1000": 1000 * cpu / bench.count, "most_pss_mb": kefud.most_pss,
            "letters": state.get("letter sent", 0), "tickets": state.get("tickets", 0),
        }  # fmt: skip


def _yardstick(bench: Bench) -> Figures:
    box = bench.filled(bench.count)
    script, place = str(HERE / "yardstick.py"), str(bench.directory("yardstick"))
    command = [sys.executable, script, place, str(box.port), box.user]
    began = time.perf_counter()
    process = psutil.Popen([*command, str(bench.sink.port)], stdout=subprocess.PIPE)
    _, status, usage = os.wait4(process.pid, 0)
    took = time.perf_counter() - began
    if status:
        raise RuntimeError("the yardstick failed")
    cpu = usage.ru_utime + usage.ru_stime
    return {"mails_per_s": bench.count / took, "cpu_s_per_1000": 1000 * cpu / bench.count, "most_pss_mb": usage.ru_maxrss / 1e3}


def _looks(bench: Bench, store: Path) -> Figures:
    """Milliseconds of what people and the daemon ask of a large store, the median of nine."""
    from kefud.cli.status import gather
    from kefud.config import load
    from kefud.store import tickets
    from kefud.wiring import Office

    kefud = bench.kefud("looks", smtp=False, store=store)
    with Office(load(str(kefud.home / "kefud.toml"))) as office:

        def listing() -> None:
            with office.db.read() as tx:
                tickets.load(tx, tickets.search(tx, status="open", most=50))

        def sweep() -> None:
            with office.db.read() as tx:
                tickets.due_deadlines(tx, office.clock(), 50)

        asked = {"ticket_list_ms": listing, "status_ms": lambda: gather(office), "deadline_sweep_ms": sweep}
        return {name: statistics.median(_wall(ask) for _ in range(9)) * 1000 for name, ask in asked.items()}


def _made_store(database: Path, tickets: int) -> None:
    from kefud.store import schema
    from kefud.store.database import Database

    database.parent.mkdir(parents=True, exist_ok=True)
    db = Database(f"sqlite:///{database}")
    schema.ensure(db)
    db.close()
    if tickets:
        say(f"  filling a store with {tickets} tickets and {10 * tickets} messages")
        grow(database, tickets, 10 * tickets)


LETTER = {"subject": "关于您来件的回复", "text": "您好！\n您的来件我们已经收到。\n" * 10}


def _put_letters(database: Path, count: int) -> None:
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.000000")
    row = {
        "recipient": "requester", "addresses": '["owner@example.com"]', "template": "replies/acknowledgement", "in_reply_to": "",
        "references": "[]", **LETTER, "html": "",
        "automatic": "auto-replied", "documents": "[]", "attachments": "[]", "transport": "mail", "status": "pending", "hold": "",
        "key": "", "meets": "", "priority": 5, "attempts": 0, "next_attempt": now, "owner": "", "epoch": 0, "last_answer": "",
        "created_at": now, "told": True,
    }  # fmt: skip
    names = ", ".join(f'"{name}"' for name in row)
    with sqlite3.connect(database) as store:
        store.executemany(
            f"insert into letter (message_id, {names}) values (?{', ?' * len(row)})",
            [(f"<letter.{n}@example.cn>", *row.values()) for n in range(count)],
        )
    store.close()


def _repair(number: int) -> bytes:
    text = f"您好！我是{1 + number % 12}号楼2单元{500 + number}室的业主。\n厨房水龙头滴水，请安排师傅上门维修。第{number}次来信。\n"
    head = f"From: new{number}@example.com\r\nTo: service@example.cn\r\nMessage-ID: <latency.{number}@example.com>\r\n"
    kind = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    return f"{head}Subject: repair\r\n{kind}".encode("ascii") + text.encode()


def _is_work_order(mail: dict[str, Any]) -> bool:
    """The work order is the letter with a paper in it."""
    return bool(mail["size"] > 20_000)


def _medians(runs: Sequence[Figures]) -> Figures:
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def _ratio(one: Sequence[Figures], other: Sequence[Figures], key: str) -> float:
    """The median of the ratios of runs that stood side by side."""
    return statistics.median(a[key] / b[key] for a, b in zip(one, other, strict=True))


def _cpu(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _wall(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


@contextlib.contextmanager
def _scratch(keep: bool) -> Iterator[Path]:
    home = Path(tempfile.mkdtemp(prefix="kefud-bench-"))
    try:
        yield home
    finally:
        if not keep:
            shutil.rmtree(home, ignore_errors=True)


def profile(bench: Bench, into: Path) -> None:
    """Each stage in this process under cProfile; one file a stage, for `python -m pstats` or any viewer."""
    from bench.stages import profiled

    into.mkdir(parents=True, exist_ok=True)
    for path in profiled(list(corpus(min(bench.count, 300), bench.seed)), bench.kefud("stages", smtp=False), into):
        say(f"  {path}")


TARGETS = (
    ("intake.ratio", "rate against the yardstick", ">=", 1.0),
    ("intake.kefud.mails_per_s", "mails/s, whole line", "", 0),
    ("intake.yardstick.mails_per_s", "mails/s, yardstick", "", 0),
    ("intake.kefud.cpu_s_per_1000", "CPU s per 1000 mails", "<=", 8.0),
    ("intake.yardstick.cpu_s_per_1000", "CPU s per 1000 mails, yardstick", "", 0),
    ("reader.ratio", "mail reader against stdlib", ">=", 4.0),
    ("taking.share_of_fetch", "filed without letters, share of raw fetch", ">=", 0.1),
    ("grown.cpu_ratio", "CPU, large store against empty", "<=", 1.1),
    ("grown.ticket_list_ms", "ticket list, ms", "<=", 50.0),
    ("grown.status_ms", "status, ms", "<=", 50.0),
    ("grown.deadline_sweep_ms", "deadline sweep, ms", "<=", 50.0),
    ("memory.most_pss_mb", "memory with a 35 MB mail, MB", "<=", 200.0),
    ("idle.core_percent_20", "idle with 20 mailboxes, % of a core", "<=", 0.5),
    ("latency.p95_s", "mail to work order, p95 s", "<=", 1.0),
    ("letters.share", "letters, share of the SMTP server's rate", ">=", 0.8),
    ("ocr.ratio", "OCR against the library on one core", ">=", 1.0),
    ("start.ready_s", "start to ready, s", "<=", 2.0),
    ("start.help_s", "kefud --help, s", "<=", 0.2),
    ("paper.notice_ms", "notice PDF, ms", "<=", 60.0),
)  # fmt: skip


def table(figures: Figures) -> str:
    lines = []
    for place, what, way, target in TARGETS:
        value: Any = figures
        for key in place.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if value is None:
            continue
        met = "" if not way else "ok" if (value >= target if way == ">=" else value <= target) else "MISSED"
        lines.append(f"{what:45} {value:10.2f}   {f'{way} {target:g}' if way else '':10} {met}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mails", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tickets", type=int, default=100_000)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--only", default="", help="some of " + ",".join(PARTS))
    parser.add_argument("--profile", action="store_true", help="leave a profile of each stage in ./profiles")
    parser.add_argument("--keep", action="store_true", help="keep the scratch directory")
    options = parser.parse_args()
    wanted = [name for name in options.only.split(",") if name] or list(PARTS)
    if unknown := set(wanted) - set(PARTS):
        parser.error(f"there is no part {', '.join(unknown)}")
    figures: Figures = {
        "at": datetime.now(UTC).isoformat(),
        "cores": os.cpu_count(),
        "mails": options.mails,
        "rounds": options.rounds,
    }
    with _scratch(options.keep) as home, dovecot() as imap:
        sink = Sink(home)
        try:
            bench = Bench(home, imap, sink, options)
            for name in wanted:
                say(f"{name}: {(PARTS[name].__doc__ or '').splitlines()[0]}")
                began = time.perf_counter()
                try:
                    figures[name] = PARTS[name](bench)
                except RuntimeError as error:
                    figures[name] = {"failed": str(error)}
                say(f"  {time.perf_counter() - began:.0f} s  " + json.dumps(_rounded(figures[name])))
            if "taking" in figures and "fetch" in figures:
                figures["taking"]["share_of_fetch"] = figures["taking"]["filed_per_s"] / figures["fetch"]["mails_per_s"]
            if options.profile:
                profile(bench, Path("profiles"))
        finally:
            sink.close()
    say("\n" + table(figures))
    print(json.dumps(_rounded(figures), indent=2))


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    return round(value, 4) if isinstance(value, float) else value


if __name__ == "__main__":
    main()
