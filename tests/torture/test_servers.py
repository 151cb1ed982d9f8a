"""R09–R16 through the line: a mail server and a way out that drop, stall, lie and renumber at random. KEFUD_TORTURE=N."""

from __future__ import annotations

import random
import re
from collections import Counter
from pathlib import Path

from hostile.station import house, station
from line.office import mail
from servers.scripted_imap import DEFAULT, Command, ScriptedImap
from servers.scripted_imap import Talk as ImapTalk
from servers.scripted_smtp import ScriptedSmtp, Talk
from torture.crash import RUDE, count, message_id, with_attachment

from kefud.config import load
from kefud.wiring import Office

MOMENTS = ("GREETING", "EHLO", "MAIL", "RCPT", "DATA", "DOT")
BAD = ("421 4.3.2 shutting down", "450 4.2.0 try again", "451 4.7.1 greylisted", "452 4.3.1 full", "what?")


class Moody(ScriptedSmtp):
    """Fails at a random moment in a random way, as often as ``share`` says; ``uncertain`` counts breaks after the final dot."""

    def __init__(self, chance: random.Random, share: float) -> None:
        self.chance, self.share, self.uncertain = chance, share, 0
        self.moods: Counter[str] = Counter()
        super().__init__(**{m: self._mood(m) for m in MOMENTS})  # type: ignore[arg-type]

    def _mood(self, moment: str):  # type: ignore[no-untyped-def]
        def script(talk: Talk, line: str) -> str | None:
            usual = {"GREETING": lambda *_: "220 moody", "DOT": lambda *_: self._taken(talk)}.get(
                moment, getattr(self, f"_{moment.lower()}", lambda *_: "250 ok")
            )
            if self.chance.random() >= self.share:
                return usual(talk, line)  # type: ignore[no-any-return]
            self.moods[moment] += 1
            way = self.chance.randrange(3)
            if way == 0:
                talk.hang_up()
            if way == 1:
                talk.reset()
            if moment == "DOT":
                self._taken(talk)  # taken, and the answer never comes
                self.uncertain += 1
                talk.hang_up()
            return self.chance.choice(BAD)

        return script

    def _answer(self, talk: Talk, moment: str, line: str, usual):  # type: ignore[no-untyped-def]
        if moment == "DOT":
            talk.pending = usual  # type: ignore[attr-defined]
        super()._answer(talk, moment, line, usual)

    def _taken(self, talk: Talk) -> str:
        return str(talk.pending(talk, ""))  # type: ignore[attr-defined]


def test_a_way_out_with_moods(tmp_path: Path) -> None:
    """Every letter arrives; one may arrive twice for each break after the final dot, with the same Message-ID."""
    chance = random.Random(16)
    rounds = count(200)
    with Moody(chance, 0.08) as smtp, station(tmp_path, smtp=smtp) as office:
        senders = [f"o{n}@mail.example.com" for n in range(rounds)]
        for n, sender in enumerate(senders):
            office.put(mail(f"{house(n)},{RUDE}第{n}件", sender=sender, name=f"业主{n}"))
            if n % 2:
                office.work()
                office.pass_time(minutes=2)
        smtp.share = 0.0
        for _ in range(8):
            office.pass_time(hours=1)
            office.work()
        assert all(office.delivered(s) for s in senders)
        went = Counter(message_id(x.content) for x in smtp.letters)
        assert sum(went.values()) - len(went) <= smtp.uncertain
        assert smtp.moods.total() >= rounds // 4, "it hardly failed, so this showed little"
        assert not [x for x in office.letters if x["status"] in ("pending", "leased", "failed")]


def moody_fetch(chance: random.Random, share: float, server: list[ScriptedImap]):  # type: ignore[no-untyped-def]
    def fetch(talk: ImapTalk, command: Command) -> object:
        if chance.random() >= share:
            return DEFAULT
        answers = b"".join(server[0].fetched(uid, command) for uid in command.uids if uid in server[0].mails)
        cut = chance.randrange(len(answers) + 1)
        talk.send(answers[:cut])
        if chance.random() < 0.5:
            talk.reset()
        talk.hang_up()
        return None

    return fetch


def test_a_mailbox_that_drops_and_renumbers(tmp_path: Path) -> None:
    """Dropped at any byte of any answer, its numbers changed again and again: each mail is one ticket, and whole."""
    chance = random.Random(9)
    rounds = max(20, count(200) // 4)
    server: list[ScriptedImap] = []
    moody = {verb: moody_fetch(chance, 0.25, server) for verb in ("FETCH",)}
    with ScriptedSmtp() as smtp, ScriptedImap({}, **moody) as imap:
        server.append(imap)
        office = prepared(tmp_path, smtp, imap)
        try:
            senders = []
            for n in range(rounds):
                senders.append(f"o{n}@mail.example.com")
                raw = mail(f"{house(n)},{RUDE}第{n}件", sender=senders[-1], name=f"业主{n}")
                imap.mails[max(imap.mails, default=0) + 1] = with_attachment(raw, n) if n % 5 == 0 else raw
                if n % 10 == 9:
                    imap.validity += 1
                    imap.mails = {uid + 1000: content for uid, content in imap.mails.items()}
                office.run_once()
            imap.script.clear()
            for _ in range(3):
                office.run_once()
            from kefud.store import tickets
            from kefud.store.invariants import violations

            with office.db.read() as tx:
                made = list(tickets.load(tx, tickets.search(tx, most=100_000)).values())
            assert sorted(t.requester.email for t in made) == sorted(senders)
            assert violations(office.db, office.spool) == []
        finally:
            office.close()


def prepared(home: Path, smtp: ScriptedSmtp, imap: ScriptedImap) -> Office:
    from hostile.station import Station

    made = Station(home, smtp=smtp)
    made.office.close()
    (home / "pw").write_text("pw")
    (home / "pw").chmod(0o600)
    text = made.path.read_text("utf-8")
    mailbox = (
        f'plugin = "imap_mailbox"\nhost = "127.0.0.1"\nport = {imap.port}\ntls = "none"\nusername = "kefu"\n'
        'password = { file = "pw" }\nretry = "100ms"\n'
    )
    text = re.sub(r'plugin = "maildir"\npath = "mail"\nevery = "100ms"\nretry = "100ms"\n', lambda _: mailbox, text)
    made.path.write_text(text, "utf-8")
    office = Office(load(made.path), clock=made.clock)
    office.open()
    return office


