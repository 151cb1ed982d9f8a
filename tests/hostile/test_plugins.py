"""R23: plugins that raise, hang, leak, exit, crash, return junk, flood. The ticket is made, the plugin named, rested, tried again."""

from __future__ import annotations

from pathlib import Path

import pytest
from hostile.station import Station, station
from line.office import mail
from nursery import shared

from kefud.store import settings

LEAK = "厨房水龙头坏了,一直滴水,请派人来修。"
RULES = '["sorting", "merging", "routing", "deadlines", "notices", "acknowledge", "bad"]'
FRAME = """
import ctypes, os, signal, sys, threading, time
from kefud.api import *
from kefud.api import hookimpl

class Bad:
    name = "bad-rule"

    def judge(self, ticket, occasion):
        if not isinstance(occasion, {when}):
            return []
{deed}

@hookimpl
def register_rules(site):
    return [Bad()]
"""
ZOO = {
    "raises": "raise ValueError('no')",
    "raises while it is asked on": "yield Remark('one')\nraise KeyError('two')",
    "raises nothing known": "raise BaseException('odd')",
    "sys.exit": "sys.exit(3)",
    "os._exit": "os._exit(3)",
    "crashes the interpreter": "ctypes.string_at(0)",
    "kills itself": "os.kill(os.getpid(), signal.SIGKILL)",
    "hangs": "while True: pass",
    "sleeps": "time.sleep(3600)",
    "leaks": "hoard = []\nwhile True: hoard.append(bytearray(50 << 20))",
    "junk instead of decisions": "return [42, 'x', None, object()]",
    "no list": "return 42",
    "a class": "return [Remark]",
    "decisions for ever": "while True: yield Remark('again')",
    "a million decisions": "for n in range(1_000_000): yield Effect((f'e{n}',))",
    "a huge remark": "return [Remark('x' * (300 << 20))]",
    "a huge field": "return [SetFields({'x': 'y' * (200 << 20)})]",
    "what cannot be passed on": "return [SetFields({'x': lambda: 1})]",
    "what is no JSON": "return [SetFields({'x': object(), 'y': {1: {2: b'z'}}})]",
    "wrong types": "return [Assign(department=7, handler=[]), Classify(kind=9), StartClock('a', 'b', 'c')]",
    "unknown words": "return [Move('nowhere'), Classify(kind='nonsense'), Reply('no/such/letter'), Notice('nobody', template='x')]",
    "a letter out of the house": "return [Write('x@y.example', '../../../etc/passwd')]",
    "forks": "if os.fork() == 0:\n    os._exit(0)\nos.fork()\nreturn []",
    "deletes what it stands on": "import tempfile\nd = tempfile.mkdtemp()\nos.chdir(d)\nos.rmdir(d)\nreturn []",
    "closes every descriptor": "os.closerange(0, 256)\nreturn []",
    "prints a lot": "print('x' * (8 << 20), file=sys.stderr)\nreturn []",
    "threads": "for _ in range(50): threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()\nreturn []",
    "forks and leaves them": "for _ in range(20):\n    if os.fork() == 0:\n        while True: signal.pause()\nreturn []",
    "prints to standard output": "print('{\"no\": \"document\"}' * 1000, flush=True)\nreturn []",
    "recursion": "def f(): return f()\nf()",
}  # fmt: skip
GENTLE = (
    "forks", "deletes what it stands on", "prints a lot", "threads", "forks and leaves them", "prints to standard output",
)  # fmt: skip
"""They do no harm that anybody could see: the ticket is made and nothing need be switched off."""
QUICK = (
    "raises", "raises nothing known", "sys.exit", "junk instead of decisions", "decisions for ever", "a huge field",
    "what cannot be passed on", "wrong types", "no list", "recursion",
)  # fmt: skip
DEADLY = ("crashes the interpreter", "hangs")


def plugin(home: Path, code: str, name: str = "bad") -> Path:
    (home / "mine" / name).mkdir(parents=True, exist_ok=True)
    (home / "mine" / name / "__init__.py").write_text(code)
    return home / "mine"


def bad_rule(home: Path, deed: str, when: str = "Opened") -> Path:
    lines = "".join(f"        {line}\n" for line in deed.splitlines())
    return plugin(home, FRAME.format(when=when, deed=lines))


def off(office: Station) -> dict[str, str]:
    with office.office.db.read() as tx:
        return {name: why for name, (_, why) in settings.plugins_off(tx, office.now).items()}


def suffers(home: Path, name: str, when: str = "Opened", memory: int = 400) -> None:
    """Five mails while the plugin does its worst, then a quarter of an hour, then one more."""
    more = f"[rules]\norder = {RULES}\n[limits]\nworker_seconds = 4\nworker_memory = {memory << 20}\n"
    with station(home, plugins=bad_rule(home, ZOO[name], when), more=more) as office:
        for n in range(5):
            office.put(mail(f"{n + 1}号楼1单元101业主,{LEAK}", sender=f"a{n}@mail.example.com", name=f"业主{n}"))
            office.work()
        assert len(office.tickets) == 5
        assert all(t.department and t.deadlines for t in office.tickets), "the other rules were asked as ever"
        assert all(office.delivered(f"a{n}@mail.example.com") for n in range(5))
        if name not in GENTLE:
            assert "bad-rule" in off(office) or "bad" in off(office), "switched off after the third failure"
            office.pass_time(minutes=16)
            assert not off(office), "tried again later"
            office.put(mail(f"8号楼2单元1201魏占空,{LEAK}", sender="wei@mail.example.com", name="魏占空"))
            office.work()
            assert len(office.tickets) == 6 and office.delivered("wei@mail.example.com")


def together(names: tuple[str, ...]) -> str:
    """One plugin with a bad rule for each name."""
    code = FRAME.partition("class Bad")[0]
    for n, name in enumerate(names):
        lines = "".join(f"        {line}\n" for line in ZOO[name].splitlines())
        code += f"class Bad{n}:\n    name = {name!r}\n    def judge(self, ticket, occasion):\n"
        code += f"        if not isinstance(occasion, Opened):\n            return []\n{lines}\n"
    return code + f"@hookimpl\ndef register_rules(site):\n    return [{', '.join(f'Bad{n}()' for n in range(len(names)))}]\n"


@pytest.mark.parametrize("names", [QUICK, DEADLY], ids=["harmful", "deadly"])
def test_bad_rules_cost_their_own_opinion_only(tmp_path: Path, names: tuple[str, ...]) -> None:
    more = f"[rules]\norder = {RULES}\n[limits]\nworker_seconds = 4\nworker_memory = {400 << 20}\n"
    with station(tmp_path, plugins=plugin(tmp_path, together(names)), more=more) as office:
        for n in range(3):
            office.put(mail(f"{n + 1}号楼1单元101业主,{LEAK}", sender=f"a{n}@mail.example.com", name=f"业主{n}"))
            office.work()
        assert len(office.tickets) == 3
        assert all(t.department and t.deadlines for t in office.tickets), "the other rules were asked as ever"
        assert all(office.delivered(f"a{n}@mail.example.com") for n in range(3))
        assert {*off(office)} == {*names}, "each is switched off after its third failure"
        office.pass_time(minutes=16)
        assert not off(office), "and tried again later"


def test_words_that_nobody_knows_and_letters_that_do_not_exist_harm_no_ticket(tmp_path: Path) -> None:
    names = ("unknown words", "a letter out of the house", "forks", "prints a lot", "deletes what it stands on")
    with station(tmp_path, plugins=plugin(tmp_path, together(names)), more=f"[rules]\norder = {RULES}\n") as office:
        office.put(mail(f"5号楼1单元101业主,{LEAK}", sender="a@mail.example.com"))
        office.work()
        [ticket] = office.tickets
        assert ticket.department and ticket.deadlines and ticket.kind in ("repair", "complaint")
        assert office.delivered("a@mail.example.com") and not office.delivered("x@y.example")
        assert "letter_failed" in ticket.effects and any(t.kind == "write_letter" for t in ticket.tasks)


TRANSPORT = """
import os, sys, time
from kefud.api import hookimpl
class Bad:
    id = "mail"
    def __init__(self): self.count = 0
    def send(self, parcel):
        self.count += 1
        {deed}
    def finish(self):
        pass
@hookimpl
def register_transports(site):
    return [Bad()]
"""


@pytest.mark.parametrize("deed", ["os._exit(3)"])
def test_a_bad_transport_loses_no_letter(tmp_path: Path, deed: str) -> None:
    made = plugin(tmp_path, TRANSPORT.format(deed=deed), "badmail")
    with station(tmp_path, plugins=made) as office:
        config = office.path.read_text("utf-8").replace('id = "mail"\nplugin = "smtp"', 'id = "mail"\nplugin = "badmail"')
    office.path.write_text(config.replace("host = ", "#").replace("port = ", "#").replace('tls = "none"', "#"), "utf-8")
    from kefud.config import load
    from kefud.wiring import Office

    with Office(load(office.path), clock=office.clock, nursery=shared()) as broken:
        office.office = broken
        office.put(mail(f"5号楼1单元101业主,{LEAK}", sender="a@mail.example.com"))
        broken.run_once()
        assert len(office.tickets) == 1
        waiting = [x for x in office.letters if x["status"] == "pending"]
        assert waiting and all(x["last_answer"] for x in waiting if x["attempts"]), "kept, with the reason"
        assert office.broken() == []
