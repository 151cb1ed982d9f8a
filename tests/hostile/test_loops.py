"""S05, S06: nothing automatic answers something automatic for long, and nothing carries a stranger's words to a third address."""

from __future__ import annotations

import email
import email.policy
from datetime import timedelta
from pathlib import Path

from hostile.station import OWN, VOUCHING, Station, body, station, vouched
from line.office import MONDAY, mail
from servers.scripted_smtp import ScriptedSmtp

MATTERS = (
    "路灯不亮",
    "电梯异响",
    "门禁失灵",
    "水管漏水",
    "墙面开裂",
    "地砖空鼓",
    "暖气不热",
    "绿化枯死",
    "垃圾未清",
    "车位被占",
)
LEAK = "厨房水龙头坏了,一直滴水,请派人来修。"


def carry(source: Station, target: Station, taken: int, address: str) -> int:
    """Deliver to ``target`` what ``source`` sent to its address since ``taken``, as its mail server would."""
    for letter in source.smtp.letters[taken:]:
        if address in letter.recipients:
            target.put(b"Return-Path: <%s>\r\nReceived: from a by mx.estate.example.com; %s\r\n" % (
                letter.sender.encode(), email.utils.format_datetime(target.now).encode()) + letter.content)  # fmt: skip
    return len(source.smtp.letters)


def test_two_offices_that_write_to_each_other_fall_silent(tmp_path: Path) -> None:
    theirs = "kefu@town.example.org"
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with station(tmp_path / "a") as here, station(tmp_path / "b", address=theirs) as there:
        there.put(mail(LEAK, sender=OWN, name="客户服务中心", to=theirs))
        seen_here = seen_there = 0
        for _ in range(12):
            for office in (there, here):
                office.work()
                office.pass_time(minutes=5)
            seen_there = carry(there, here, seen_there, OWN)
            seen_here = carry(here, there, seen_here, theirs)
        assert len(there.delivered(OWN)) == 1
        assert len(here.delivered(theirs)) == 0
        assert len(there.tickets) == 1 and len(here.tickets) == 0
        assert here.arrivals == {"ignored": 1}


def test_a_responder_without_any_sign_gets_three_mails_at_most(tmp_path: Path) -> None:
    """It answers everything with fresh words, a new Message-ID, no References, as a person would."""
    robot = "robot@responder.example.org"
    with station(tmp_path) as office:
        office.put(mail(LEAK, sender=robot, name="Robot"))
        answered = 0
        for turn in range(8):
            office.work()
            fresh = office.delivered(robot)[answered:]
            for letter in fresh:
                answered += 1
                text = f"{turn + 20}号楼1单元101的{MATTERS[answered]},编号{turn}{answered}。"
                office.put(mail(text, sender=robot, name="Robot", subject=f"答复 {MATTERS[answered]}"))
                office.put(mail(f"关于您的来信,第{turn}{answered}次。", sender=robot, name="Robot", answers=letter))
            office.pass_time(minutes=4)
        assert 1 <= len(office.delivered(robot)) <= 3
        held = [x for x in office.letters if x["status"] == "held"]
        assert held and all("同一收件人" in x["hold"] for x in held), "what is held is seen by a person, with the reason"


def test_sixty_mails_of_one_sender_are_twenty_one_tickets_at_most(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        flood(office, 60)


def flood(office: Station, count: int) -> None:
    """Many different matters of one stranger within the hour, and one of somebody else in between."""
    for n in range(count):
        text = f"{n + 1}号楼{n % 3 + 1}单元{n % 20 + 1}01室,{MATTERS[n % 10]},第{n}件,请处理。"
        office.put(mail(text, subject=f"{MATTERS[n % 10]}{n}", sender="flood@attacker.example.net", name="路人"))
    office.put(mail(f"8号楼2单元1201魏占空,电话13800000207。{LEAK}", sender="wei@mail.example.com", name="魏占空"))
    office.work()
    assert office.arrivals == {"filed": count + 1}
    made = [t for t in office.tickets if t.requester.email == "flood@attacker.example.net"]
    assert 1 <= len(made) <= 21
    assert any("flood" in t.effects for t in made)
    assert len(office.delivered("flood@attacker.example.net")) <= 3
    assert len(office.delivered("wei@mail.example.com")) == 1


def test_a_forged_sender_is_written_to_by_nobody(tmp_path: Path) -> None:
    spam = {"subject": "FREE NITRO http://evil.example", "name": "Free Nitro"}
    with station(tmp_path) as office:
        for n, verdict in enumerate(
            ("spf=fail smtp.mailfrom=x@victim.example.org", "dmarc=fail header.from=victim.example.org; spf=pass")
        ):
            office.put(
                mail(
                    f"NITRO http://evil.example 漏水了{n}",
                    sender=f"v{n}@victim.example.org",
                    headers=(("Authentication-Results", f"{VOUCHING}; {verdict}"),),
                    **spam,
                )
            )
        office.work()
        assert not [r for x in office.smtp.letters for r in x.recipients if "victim" in r]
        assert len(office.tickets) == 2, "a person still sees them"
        office.put(mail("NITRO http://evil.example 漏水了", sender="stranger@victim.example.org", **spam))
        office.work()
        [answer] = office.delivered("stranger@victim.example.org")
        everything = answer.as_string() + body(answer) + str(answer["Subject"])
        assert "NITRO" not in everything.upper() and "evil" not in everything


def test_a_known_sender_may_read_his_own_words_again(tmp_path: Path) -> None:
    """The other side of the coin: what keeps strangers' words in does not keep out a customer we know."""
    with station(tmp_path) as office:
        office.put(
            mail(LEAK, subject="水龙头滴水", sender="zhao@mail.example.com", headers=(vouched("zhao@mail.example.com"),))
        )
        office.work()
        [answer] = office.delivered("zhao@mail.example.com")
        assert office.tickets[0].number in body(answer)


def test_two_hundred_and_fifty_strangers_after_an_outage_are_all_answered(tmp_path: Path) -> None:
    """The cap of all grows with the number of people who write; nobody is written to more than three times in the hour."""
    with station(tmp_path, more="[limits]\nletters_per_hour = 4\n") as office:
        people = [f"owner{n}@mail.example.com" for n in range(12)]
        for round_ in range(4):
            for n, sender in enumerate(people):
                office.put(
                    mail(
                        f"{n + 1}号楼1单元{round_ + 1}01,{LEAK}第{round_}次",
                        sender=sender,
                        name=f"业主{n}",
                        received=MONDAY - timedelta(hours=round_),
                    )
                )
        office.work()
        counts = [len(office.delivered(p)) for p in people]
        assert min(counts) >= 1 and max(counts) == 3


def test_what_nobody_vouches_for_has_a_ceiling_all_the_same(tmp_path: Path) -> None:
    """Mails in the names of many victims: held, and seen in `kefud status`; customers we know are answered on."""
    with station(tmp_path, more="[limits]\nletters_per_hour = 1\n") as office:
        for n in range(44):
            office.put(mail(f"{n + 1}号楼1单元101,{LEAK}", sender=f"v{n}@victim{n}.example.org", name=f"路人{n}"))
        office.work()
        office.put(
            mail(f"8号楼2单元1201魏占空。{LEAK}", sender="wei@mail.example.com", headers=(vouched("wei@mail.example.com"),))
        )
        office.work()
        answered = {r for x in office.smtp.letters for r in x.recipients if "victim" in r}
        assert 10 <= len(answered) <= 10 + 25, "mails that are filed together count together"
        assert len(office.tickets) == 45
        assert len(office.delivered("wei@mail.example.com")) == 1


def test_an_address_gets_so_many_answers_a_day_and_a_department_so_many_about_a_ticket(tmp_path: Path) -> None:
    caps = "[limits]\nletters_per_recipient_hour = 2\nletters_per_recipient_day = 3\n"
    robot, party = "robot@responder.example.org", "wuye@property.example.com"
    with station(tmp_path, more=caps) as office:
        for n in range(5):
            office.put(mail(f"{n + 20}号楼1单元101的{MATTERS[n]},请派人来修。", sender=robot, name="Robot", received=office.now))
            office.work()
            office.pass_time(hours=2)
        assert len(office.delivered(robot)) == 3
        assert [x["hold"] for x in office.letters if x["status"] == "held" and x["addresses"] == [robot]] == [
            "同一收件人一天内自动回复已达3封"
        ] * 2
        office.pass_time(hours=20)
        office.put(mail(f"30号楼1单元101的{MATTERS[6]},请派人来修。", sender=robot, name="Robot", received=office.now))
        office.put(mail("5号楼1单元201何样板,电话13800000201。西门保安态度恶劣,骂人,我要投诉。", received=office.now))
        office.work()
        assert len(office.delivered(robot)) == 4, "the next day is a new one"
        order = next(m for m in office.delivered(party) if office.tickets[-1].number in str(m["Subject"]) + body(m))
        for n in range(4):
            words = f"已处理完第{n}遍。\n转 不存在的部门{n} 因 {MATTERS[n]}"
            office.put(mail(words, sender=party, name="物业", answers=order, headers=(vouched(party),), received=office.now))
        office.work()
        answers = [x for x in office.letters if x["template"] == "commands/transcript" and x["addresses"] == [party]]
        assert [x["status"] for x in answers] == ["sent"] * 2 + ["held"] * (len(answers) - 2) and len(answers) > 2
        assert all("本工单1小时内" in x["hold"] for x in answers[2:])


def test_everything_automatic_says_so(tmp_path: Path) -> None:
    """RFC 3834: what we send by ourselves carries the marks that keep other machines from answering it."""
    with ScriptedSmtp() as smtp, station(tmp_path, smtp=smtp) as office:
        office.put(mail(f"5号楼1单元201何样板,电话13800000201。西门保安态度恶劣,骂人,我要投诉。{LEAK}"))
        office.work()
        assert len(smtp.letters) >= 2
        for letter in smtp.letters:
            seen = email.message_from_bytes(letter.content, policy=email.policy.default)
            assert seen["Auto-Submitted"] in ("auto-replied", "auto-generated")
            assert seen["X-Auto-Response-Suppress"] == "All"
