"""The sorting rule: asked about every message before it has a ticket, says what it is (RULES §1, §2, §8, §9)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from kefud.api import (
    Arrived,
    Classify,
    Decision,
    Effect,
    Heard,
    Ignore,
    Matter,
    Message,
    Occasion,
    Opened,
    Remark,
    Requester,
    SetFields,
    Shelve,
    Site,
    Split,
    Ticket,
    Write,
    chinese,
    find_houses,
    find_when,
    fold,
    forwarded,
    mask_personal,
    normalise_phone,
)  # fmt: skip

from . import facts, parts
from .demands import demand_of
from .estates import Estates
from .examples import Examples
from .lexicon import Lexicon
from .meaning import Examiner, Meaning
from .standards import Standards
from .subjects import shortened, telling

PASSING_ON = ("internal", "design", "engineering", "legal", "finance", "leasing", "clubhouse", "concierge")
"""Our own people, who may pass on an owner's mail; the property company writes letters of its own, sales does both (S0-3.4)."""
PREFACE = 120
_PASSES_ON = re.compile(
    r"转(?:给|来|发|到|至)[^。\n]{0,8}(?:你们|贵|客服|中心|跟进|处理|办理)|(?:请|麻烦)[^。\n]{0,8}(?:跟进|处理|对接)"
    r"|业主[^。\n]{0,8}(?:邮件|来信)"
)
"""What sales says above a mail that came to the wrong address."""
DEPARTMENTS = ("sales", "design", "engineering", "legal", "finance", "leasing", "clubhouse", "concierge")
THREATS = ("press", "authority", "court")
IMPORTANT = (*THREATS, "violence", "structure", "injury", "compensation", "refusal", "group", "major")
SETTLED = ("answered", "visiting", "closed", "archived")
"""States in which the work is done."""
POSSIBLE = ("consultation", "suggestion", "complaint", "repair")
"""Kinds that may be in doubt."""
DISPUTES = {"compensation": "dispute:compensation", "refusal": "dispute:refusal", "court": "dispute:lawsuit"}

ADVERTISING = 6.0
"""What the words of an advertisement weigh: two of them make one."""

_INFORMS = re.compile(r"定于|通知业主|(?:提前|请)[^。]{0,6}告知(?!我)|[日号]起?将对")
"""What will be done on a day, told to us so that we know."""
_ANSWERS = re.compile(r"(?:收到|同意|不同意|(?:已|请)?阅|知悉|知道了|照办|可以|按此办理|验收(?:不)?合格|已处理|退回|驳回)(?=$|[,。!;: \n])")
_FORMAL = re.compile(r"通知|函|定于|拟(?:于|在)|来文|公函|协助|配合|关于.{2,30}的")
_AGENT_ANSWER = re.compile(r"(?:答复|回复|告知|已告|答|解释|说明|回答|告诉)[^。;\n]{0,12}$")
_ANSWERED = re.compile(r"(?<=.{4})[,，。.;；\s](?:已经?|当场|现场)?(?:答复?|回复|处理|(?:处理)?结果|坐席|座席|客服|前台)[:：]")
"""Where an agent's note of a call goes on with what we said."""
_OURS = re.compile(r"(?:已|再次|致电|去电|电话|客服|前台){0,3}(?:通知|告知|提醒|催[缴交收]|邀请|邀约|回访|慰问|问候|温馨提示|满意度调查)")
_THEIRS = re.compile(
    r"(?:业主|顾客|客户|住户|租户|对方|家属|先生|女士|[他她])(?:[又再还也均]|(?:对|就|因)[^,。;\n]{1,12})?"
    r"(?:反映|投诉|报修|问|咨询|说|称|讲|提出|要求|请求|希望|建议|抱怨|反馈|认为)|不满|不同意|拒绝|投诉|报修|反映"
)
"""What an agent notes of a call we made: our own announcement, and where the owner brings something up."""
_SENTENCE = re.compile(r"[^。!?;\n]+[。!?;]?")
_CLAUSES = re.compile(r"[^,，、:：\s]+[,，、:：\s]*")
SIGNATURE = 24
"""How long a line with house, name and telephone may be."""
LONG, LEFT = 20, 8
"""A clause of more characters tells of more than the insult in it; in a note without punctuation so many beside it do."""
_MARKS = " ,，、"
_DIGITS = re.compile(r"[0-9０-９]{3}")
_LONGER = re.compile(
    r"(?:宽限|延长|延期|顺延|推迟|多给|延后)[^。;\n0-9]{0,4}?"
    r"((?:[0-9]{1,2}|[一二两三四五六七八九十]{1,2})(?:个?工作日|天|日|周|个星期))"
)
_FACTS = re.compile(
    r"我是|我叫|本人|我家|我住|家住|住在|住|的|联系电话|联系方式|电话|手机号?码?|tel|号楼|栋|幢|座|单元|室|房号|业主|住户|姓名|地址|先生|女士|敬上|谨上|[年月日号]"
    r"|[0-9〇零一二三四五六七八九十a-z]|[^\u4e00-\u9fff]"
)
_NUMBERING = re.compile(r"^(?:[一二三四五六七八九十]{1,2}[、.]|[0-9]{1,2}[、.)]|[(（][一二三四五六七八九十0-9]{1,2}[)）])\s*")
_GREETINGS = re.compile(
    r"^(?:尊敬的|敬爱的|各位)?[^。,!?\n]{0,16}(?:您好|你好|:)[,。!: ]*$|^(?:此致|敬礼|谢谢|祝好|收到请回复|望回复)[!。.! ]*$"
)


class Sorting:
    """Split, Classify, Effect and SetFields for whatever arrives. Pure; words and settings are data."""

    name = "sorting"

    def __init__(self, site: Site, settings: Mapping[str, Any]) -> None:
        tables = tomllib.loads((Path(__file__).parent / "words.toml").read_text("utf-8"))
        self.site = site
        self.most = int(settings.get("examined", 4000))
        self.stale = timedelta(days=int(settings.get("stale_days", 7)))
        self.box_days = _weekdays(settings.get("box_days", ("tue", "thu", "sat")))
        self.confidence = float(settings.get("ocr_confidence", 0.9))
        self.within = timedelta(days=int(settings.get("agreed_within_days", 60)))
        shown = tomllib.loads((Path(__file__).parent / "examples.toml").read_text("utf-8"))
        words = _merged(tables, settings.get("words", {}))
        lexicon = Lexicon(words)
        self.advertising = Lexicon({"spam": words.get("spam", {})})
        examples = Examples(_merged(shown, settings.get("examples", {})), lexicon)
        self.examiner = Examiner(lexicon, int(settings.get("households", 3)), examples)
        self.standards = Standards(settings.get("parts", {}))
        self.estates = Estates((site.estate, *settings.get("estates", ())))

    def judge(self, ticket: Ticket, occasion: Occasion) -> Iterable[Decision]:
        if isinstance(occasion, Arrived):
            return self._arrived(occasion)
        if isinstance(occasion, Opened) and occasion.parts > 1:
            return [Effect((f"split:{occasion.parts}",), rule="S0-4.1.4", why=f"来件含{occasion.parts}件事项,分别立单")]
        if isinstance(occasion, Heard):
            return self._heard(ticket, occasion)
        return ()

    # a message without a ticket

    def _arrived(self, occasion: Arrived) -> Iterator[Decision]:
        message = _original(occasion.message, self.site)
        if message.call and message.call.direction == "internal" and _is_silent(message, answered=True):
            yield Ignore(rule="S2-5.2", why="内部通话,无事项记录")
            return
        said, notes = _words(message)
        said = squeeze(said[: self.most]) if message.paper else said[: self.most].replace("\r\n", "\n").strip()
        if message.medium == "mail" and not said.strip() and not bare_subject(message.subject).strip():
            enclosed = f",附件{len(message.attachments)}个" if message.attachments else ""
            yield Shelve(rule="S1-4.3.3", why=f"来件没有文字{enclosed},请人工查看后登记")
            return
        origin = facts.origin_of(self.site, message.sender.email)
        subject = "" if message.call else bare_subject(message.subject)
        contact, estate, place = self._contact(message, f"{subject}\n{said}" if subject else said, origin)
        names = _names(message, contact, self.site)
        if self._is_advertising(message, f"{subject}\n{said}", origin, contact):
            yield Ignore(rule="S1-4.3.5", why="推销广告,与本小区无关")
            return
        heading = "" if message.paper else subject  # a paper's is made of its first words
        found = self._examine(_veiled(heading, names), _veiled(said, names))
        idle = _no_matter(message, found)
        matters = () if idle else self._matters(message, said, origin, contact, names, place)
        if idle:
            yield Ignore(rule="S2-5.2", why=idle)
        if message is not occasion.message:
            yield Remark(f"由内部地址 {occasion.message.sender.email} 转来", rule="S0-3.4")
            yield SetFields({"forwarded_from": message.sender.email}, rule="S0-3.4", why="答复业主本人,不答复转发人")
        if matters:
            yield Split(matters, rule="S0-4.1.4", why=f"来件含{len(matters)}件相互独立的事项")
        yield from _Sheet(self, message, subject, said, notes, origin, found, contact, estate).decisions()

    def _contact(self, message: Message, whole: str, origin: facts.Origin) -> tuple[facts.Contact, str, str]:
        """Who writes, the other estate the matter lies in, and the place there, which is no house of ours (S0-2.0)."""
        contact = facts.contact_of(message, whole, self.site, origin)
        call = message.call
        if origin.word != "owner" or (call and call.house):
            return contact, "", ""
        ways = (call.caller if call else "", contact.written_phone, message.sender.email)
        estate, place = self.estates.elsewhere(whole, known=any(map(self.site.houses_by_contact, ways)))
        if estate:
            there = facts.contact_of(message, whole.replace(place, ""), self.site, origin)
            contact = replace(there, house=None, exact=False, own=False)
        return contact, estate, place

    def _is_advertising(self, message: Message, whole: str, origin: facts.Origin, contact: facts.Contact) -> bool:
        """A stranger's mail that offers something, names no house and says nothing of the estate."""
        if message.medium != "mail" or origin.word != "owner" or contact.house or contact.registered_phone:
            return False
        reading = self.advertising.read(fold(whole))
        return reading.weight("spam.advert") >= ADVERTISING and not reading.of("spam.ours")

    def _matters(
        self, message: Message, said: str, origin: facts.Origin, contact: facts.Contact, names: tuple[str, ...], place: str
    ) -> tuple[Matter, ...]:
        """The several matters of a person's or the property company's letter; notices of other offices stay one."""
        if origin.word not in ("owner", "property_company", "owners_committee", "internal") or _is_silent(message):
            return ()
        where = f"住址:{place}" if place else contact.house if contact.own else ""
        facts_line = (where, contact.requester.name, contact.written_phone)
        several = origin.word == "property_company" and len({m.id for m in find_houses(said, self.site.houses)}) > 1
        divided = parts.divide(
            said,
            lambda words: self._examine("", _veiled(words, names)),
            lambda words: find_houses(words, self.site.houses),
            "" if several else " ".join(filter(None, facts_line)),  # each household stands in its own item
        )
        letter = facts.notice_numbers(f"{bare_subject(message.subject)}\n{said}") if origin.party else ()
        return tuple(
            replace(matter, text="\n".join((matter.text, *(f"来函文号:{no}" for no in letter if no not in matter.text))))
            for matter in divided
        )

    def _examine(self, subject: str, text: str) -> Meaning:
        head = fold(subject) + "\n" if subject else ""
        return self.examiner.examine(head + fold(text), len(head))

    # a message on a known ticket

    def _heard(self, ticket: Ticket, occasion: Heard) -> Iterator[Decision]:
        """New demands in a further message take effect: chasing, threats, danger, manners (SERVICE_RULES §4.4)."""
        call = occasion.message.call
        theirs = occasion.merged or occasion.author.role in ("requester", "stranger") or (call and call.direction == "in")
        if call and call.direction == "out" and call.status == "answered":
            yield from self._agreed_on_the_phone(ticket, occasion)
        if not theirs or occasion.message.automatic:
            return
        said, _ = _words(occasion.message)
        found = self._examine(bare_subject(occasion.message.subject), said[: self.most])
        author = occasion.author
        if not (occasion.merged or call or author.keyed or author.believed):
            yield from self._unproven(ticket, occasion, found)
            return
        effects = ["customer_chased"] if "chase" in found.marks else []
        yield from self._completed(ticket, occasion, said)
        if "replace" in found.marks and ticket.category == "house_quality" and ticket.is_open:
            effects.append("owner_request_recorded")
        registered = {ticket.requester.phone, *(h.phone for h in self.site.houses_by_contact(occasion.message.sender.email))}
        given = facts.new_number(said) if occasion.message.medium == "mail" else ""
        if given and given not in map(normalise_phone, registered):
            effects.append(f"contact_proposed:{given}")
        if found.insults:
            effects.append("calm_template")
            quoted = _quoted(found, bare_subject(occasion.message.subject), said)
            yield SetFields({"insults": True, "quoted_insults": quoted}, rule="S0-4.3.1")
        if found.kind in ("complaint", "repair"):
            effects += [effect for mark, effect in DISPUTES.items() if mark in found.marks]
        if effects:
            yield Effect(tuple(effects), rule="S0-3.2", why="来信中的新情况一并生效")
        important = any(mark in found.marks for mark in IMPORTANT) and not ticket.important
        worse = found.plans and ticket.urgency != "emergency" and ticket.is_open
        anew = found.plans and ticket.status in SETTLED and not worse  # a danger after the matter was done is a new one
        masked = "confidential" in found.marks and not ticket.masked
        if important or worse or anew:
            told = {"worse_at": occasion.message.mark, "worse_words": said[:500]}
            yield SetFields(told, rule="S0-4.2.1", why="后续来信使事项更紧急或更重要")
        elif found.plans and ticket.urgency == "emergency" and ticket.is_open:
            yield SetFields({"worse_words": said[:500]}, rule="S1-5.4.2", why="后续来信的险情,再次告警时一并告知")
        if worse or anew:
            yield SetFields({"emergency_plan": found.plans[0]}, rule="S2-1.B4")
            yield Effect(tuple(f"emergency_plan:{p}" for p in found.plans), rule="S2-1.B4")
        if important or worse or masked:
            yield Classify(
                urgency="emergency" if worse else None,
                important=True if important or worse else None,
                masked=True if masked else None,
                dispute=True if any(e.startswith("dispute:") for e in effects) else None,
                rule="S0-4.2.1",
                why="后续来信使事项更紧急或更重要",
            )


    def _completed(self, ticket: Ticket, occasion: Heard, said: str) -> Iterator[Decision]:
        """Name, house or telephone that the ticket lacked, or a telephone that is no longer the same: its own requester gives it now (S2-6.B2)."""
        message = occasion.message
        if occasion.merged or message.call or ticket.origin != "owner" or occasion.author.role != "requester" or not ticket.is_open:
            return
        given = facts.contact_of(message, said, self.site, facts.Origin("owner"))
        house = given.house if not ticket.house and given.exact and given.own else None
        changed = facts.new_number(said) if occasion.author.verified else ""
        phone = changed or ("" if ticket.requester.phone else given.written_phone)
        phone = phone if phone != ticket.requester.phone else ""
        name = given.requester.name if not ticket.requester.name else ""
        if not (house or phone):
            return
        people = replace(ticket.requester, phone=phone or ticket.requester.phone, name=name or ticket.requester.name)
        yield Classify(house=house, requester=people, rule="S2-6.B2", why="顾客补充房号或电话")
        yield SetFields({"missing": []}, rule="S0-4.2.1", why="所缺资料已补充")
        shown = phone and ticket.kind == "repair" and not ticket.masked
        told = "、".join(filter(None, (f"房号{house}" if house else "", f"电话{phone}" if shown else "")))
        if told and ticket.document("notice") and ticket.department not in (None, "cs_center"):
            text = {"text": f"业主已补充:{told}。"}
            yield Write("department", "reports/alert", text, key=f"completed:{message.mark}", rule="S2-6.B2")

    def _agreed_on_the_phone(self, ticket: Ticket, occasion: Heard) -> Iterator[Decision]:
        """When the customer will hear from us, as our agent noted it while calling back (S0-4.1.3)."""
        call, at = occasion.message.call, occasion.message.received_at
        assert call is not None
        noted = "\n".join(filter(None, (call.content, call.result)))
        reply, _ = facts.agreed_times(noted, at, self.site, within=self.within, ours=True)
        reply = reply or facts.noted_time(noted, at, self.site, within=self.within)
        found = self._examine("", noted)
        if ticket.has("callback") and ticket.kind == "consultation" and found.kind in ("complaint", "repair"):
            told = f"回拨得知为{chinese(found.kind)}({chinese(found.category)}),请用 classify 更正分类,以便开单转办:{noted}"
            yield Write("handler", "reports/alert", {"text": told}, key=f"callback:{occasion.message.mark}", rule="S2-5.2", why=told)
        if reply and ticket.is_open and ticket.kind == "consultation":
            yield Effect(("agreed_time",), rule="S0-4.1.3", why="回拨时约定答复时间")
            yield SetFields({"agreed_reply_at": reply.isoformat()}, rule="S0-4.1.3", why="回拨时约定答复时间")

    def _unproven(self, ticket: Ticket, occasion: Heard, found: Meaning) -> Iterator[Decision]:
        """Who only names a number and a sender changes nothing (S02); a danger is told to those who can ask back at once."""
        if not found.plans or ticket.urgency == "emergency" or not ticket.is_open:
            return
        text = f"来信称发生紧急情况,来信人身份未经证实,请立即电话核实:{occasion.message.text[:500]}"
        for to in ("handler", "duty_officer"):
            yield Write(to, "reports/alert", {"text": text}, key=f"unproven:{to}:{ticket.round}", rule="S1-5.4.2", why="先核实,后处置")


class _Sheet:
    """All that is said of one matter, put together."""

    def __init__(
        self, rule: Sorting, message: Message, subject: str, said: str, notes: str, origin: facts.Origin, found: Meaning,
        contact: facts.Contact, estate: str,
    ) -> None:  # fmt: skip
        self.rule, self.message, self.subject, self.said, self.notes = rule, message, subject, said, notes
        self.site, self.found, self.party = rule.site, found, origin.party
        self.whole = f"{subject}\n{said}" if subject else said
        self.contact = contact
        self.origin = self._origin(origin)
        if self._is_signed_by_several():
            self.found = replace(found, marks=found.marks | {"group"})
        self.kind = self._kind()
        self.estate = estate if self.origin in ("owner", "anonymous") and self.kind != "document" else ""
        self.category = self._category()
        self.plans = self.found.plans if self.kind in ("complaint", "repair") else ()
        self.effects: list[str] = []
        self.fields: dict[str, Any] = {}

    # what it is

    def _origin(self, origin: facts.Origin) -> str:
        if origin.word != "owner":
            return origin.word
        if self._signed_by_authority():
            return "government"
        return "anonymous" if self._is_anonymous() else "owner"

    def _is_signed_by_several(self) -> bool:
        """Whether as many households as make a group sign, each on a line of its own."""
        if self.origin != "owner" or self.message.call:
            return False
        lines = [line for line in self.said.split("\n") if len(line.strip()) <= SIGNATURE]
        signed = {m.id for line in lines for m in find_houses(line, self.site.houses) if m.exact}
        return len(signed) >= self.rule.examiner.households

    def _signed_by_authority(self) -> bool:
        if self.message.call:
            return False
        ends = [line for line in self.said.split("\n") if line.strip()][-2:]
        places = [self.message.sender.name, *(line for line in ends if len(line.strip()) <= 24)]
        signed = any(office in fold(place) for place in places for office in facts.AUTHORITIES)
        return bool(signed and _FORMAL.search(fold(self.whole)))

    def _is_anonymous(self) -> bool:
        message, contact = self.message, self.contact
        named = contact.requester.name or contact.written_phone
        if "anonymous" in self.found.marks and not (message.call and message.call.customer):
            return not (contact.own and contact.exact and contact.written_phone)
        if message.paper:
            return not named and not (contact.own and contact.exact)
        if message.call:
            return not (contact.requester.phone or contact.requester.name or contact.house)
        return message.medium == "entry" and not (named or contact.requester.email or contact.house)

    def _kind(self) -> str:
        found, scores = self.found, self.found.scores
        if _is_silent(self.message):
            return "consultation"
        if self.origin == "government" or self._is_numbered_letter():
            return "document"
        if self.origin == "internal" and _is_bare_answer(self.said):
            return "liaison"
        if self.origin == "internal":
            return found.kind if found.kind in ("complaint", "repair") or self.contact.exact else "suggestion"
        if self.origin == "property_company":
            mended = re.search(r"修|疏通|更换", self.whole) is not None
            asked = scores["repair"] >= 4 and mended and found.category != "general"
            relayed = self.contact.exact and found.categories.get("house_quality", 0) >= 5 and scores["consultation"] < 4
            defect = found.broken >= 2 or asked or relayed
            if scores["complaint"] >= 5 and scores["complaint"] > scores["repair"] and self.contact.exact:
                return "complaint"
            planned = _INFORMS.search(self.said) and scores["repair"] - min(found.broken, 4.0) < 4 and not self.contact.exact
            defect = defect and not planned and found.category not in ("sales_policy", "activity", "fees")
            return "repair" if defect else "liaison"
        if self.origin == "contractor":
            return "liaison"
        if self.origin in DEPARTMENTS:
            defect = found.broken >= 2 and found.category in ("house_quality", "facility", "safety")
            announced = re.search(r"通知|通告|公告|告知", self.subject) or _INFORMS.search(self.said)
            return "repair" if defect and not announced and found.category != "personalisation" else "liaison"
        unclear = found.kind == "consultation" and scores["consultation"] < 4
        if (unclear or max(scores.values(), default=0.0) < 1.5) and self._came_as_complaint():
            return "complaint"
        return found.kind

    def _came_as_complaint(self) -> bool:
        """Sent to the complaint mailbox: a complaint unless it is clearly something else (S2-3.3)."""
        special = {address.lower() for address in self.site.complaint_addresses}
        return any(to.email in special for to in (*self.message.to, *self.message.cc))

    def _is_numbered_letter(self) -> bool:
        """An outside company's letter with a document number (S1-4.3.6)."""
        if self.origin not in ("owner", "owners_committee") or self.message.call:
            return False
        return bool(facts.notice_numbers(self.whole)) and bool(re.search(r"贵(?:公司|司|中心|处|单位)|函", fold(self.whole)))

    def _category(self) -> str:
        found = self.found
        if _is_silent(self.message):
            return "general"
        if self.origin == "sales" and found.category == "activity" and found.categories.get("sales_policy", 0) >= 4:
            return "sales_policy"
        if self.origin == "property_company" and found.categories.get("vacant_house"):
            return "vacant_house"
        if self.kind == "document" and found.categories.get("activity", 0) >= 7:
            return "activity"
        return found.category

    # what follows

    def decisions(self) -> Iterator[Decision]:
        self._note_contact()
        self._note_meaning()
        self._note_times()
        self._note_medium()
        self._note_demand()
        self._note_part()
        important = bool(self.plans) or self.origin == "government" or self._has_important_mark()
        masked = "contact_masked" in self.effects
        anonymous = self.origin == "anonymous"
        yield Classify(
            kind=self.kind,
            category=self.category,
            urgency=self._urgency(),
            important=important,
            origin=self.origin,
            house=None if anonymous else self.contact.house,
            requester=Requester(anonymous=True) if anonymous else self.contact.requester,
            subject=self._subject(),
            summary=self.summary,
            masked=masked,
            dispute=any(effect.startswith("dispute:") for effect in self.effects),
            rule="S1-4.3.5",
            why=self._why(),
        )
        if self.effects:
            yield Effect(tuple(dict.fromkeys(self.effects)), rule="S1-4.3.5", why="来件内容所示")
        if self.fields:
            yield SetFields(self.fields, rule="S2-6.B2", why="来件内容所示")
        if self.contact.proposed and "anonymous" not in self.effects:
            yield Remark("来件所留电话与登记不同,待核实后更新", rule="S2-1.A1")

    def _urgency(self) -> str:
        if self.plans:
            return "emergency"
        if _is_silent(self.message) or self.kind in ("document", "praise", "suggestion"):
            return "normal"
        if self.kind in ("liaison", "consultation"):
            return "urgent" if self.found.haste >= 3 else "normal"
        return "normal" if self.found.urgency == "emergency" else self.found.urgency

    def _has_important_mark(self) -> bool:
        if self.kind in ("consultation", "praise", "suggestion"):
            return any(m in self.found.marks for m in (*THREATS, "group")) and self.found.scores["complaint"] >= 3
        return any(mark in self.found.marks for mark in IMPORTANT)

    def _note_contact(self) -> None:
        message, contact, marks = self.message, self.contact, self.found.marks
        if self.origin == "anonymous":
            self.effects.append("anonymous")
        elif message.paper and not contact.written_phone:
            self.effects += ["no_phone", "contact_by_visit"]
        elif "visit" in marks and not contact.written_phone and not message.call:
            self.effects += ["contact_by_visit"]
        if contact.proposed and message.medium in ("mail", "paper") and self.origin == "owner":
            self.effects.append(f"contact_proposed:{contact.proposed}")
        rude = self.category == "attitude" and self.kind == "complaint"
        if ("confidential" in marks and self.kind != "liaison") or rude or ("anonymous" in marks and self.origin == "owner"):
            self.effects.append("contact_masked")
        if self.origin == "owner":
            self._note_missing()
        elif self.origin == "internal" and self.kind == "liaison":
            self.fields["missing"] = ["所指工单的编号(也可直接回复原邮件)"]

    def _note_missing(self) -> None:
        contact = self.contact
        asked = {
            "姓名": contact.requester.name,
            "联系电话": contact.requester.phone,
            "房号": contact.house and contact.exact and (not self.site.houses or contact.house in self.site.houses),
        }
        missing = [name for name, value in asked.items() if not value]
        if missing and self.kind != "praise":
            self.fields["missing"] = missing

    def _note_meaning(self) -> None:
        found, kind = self.found, self.kind
        marks = found.marks
        if self.plans:
            self.fields["emergency_plan"] = self.plans[0]
            self.effects += [f"emergency_plan:{plan}" for plan in self.plans]
        if kind in ("complaint", "repair"):
            self.effects += [effect for mark, effect in DISPUTES.items() if mark in marks]
        if "major" in marks and kind in ("complaint", "repair"):
            self.effects += ["major_quality", "liability_determination"]
        if self.category == "design" and kind == "complaint":
            self.effects.append("design_reasonableness_check")
        if "group" in marks and kind in ("complaint", "repair", "suggestion"):
            self.effects.append("group_complaint")
        if "written" in marks and self.origin != "anonymous":
            self.effects.append("written_answer_requested")
        if "chase" in marks and kind in ("complaint", "repair", "consultation"):
            self.effects.append("customer_chased")
        if found.insults:
            self.effects.append("calm_template")
            self.fields["insults"] = True
        if found.other in POSSIBLE and kind == found.kind and kind in POSSIBLE:
            self.fields["possible_kinds"] = [found.other]  # the earlier deadline applies until a person decides (RULES §9)
        if found.insults or found.quoted_insults:
            self.fields["quoted_insults"] = _quoted(found, self.subject, self.said)
        if "club" in found.topics or "technical" in found.topics:
            self.fields["topic"] = "club" if "club" in found.topics else "technical"
        if "handover" in found.topics and self.category == "house_quality" and kind in ("complaint", "repair"):
            self.fields["at_handover"] = True
        if self.estate:
            self.effects.append("outside_scope")
            self.fields["outside_estate"] = self.estate
        else:
            self._note_parties()
        self._note_contractor()

    def _note_parties(self) -> None:
        if self.kind == "praise":
            praised = {"cs_manager": "cs_center"}.get(self.found.praised, self.found.praised)
            self.fields["praised"] = praised or "property_company"
            self.effects.append(f"praise_forward:{self.fields['praised']}")
        elif self.kind == "complaint" and self.found.accused and self._is_about_manners():
            self.fields["accused"] = self.found.accused
            if self.found.accused in ("cs_center", "cs_manager"):
                self.effects.append("conflict_of_interest")

    def _is_about_manners(self) -> bool:
        return self.category in ("attitude", "general") or self.found.categories.get("attitude", 0) >= 4

    def _note_contractor(self) -> None:
        marks = self.found.marks
        if self.origin == "owner" and {"late", "replace"} <= marks:
            self.effects += ["contractor_late", "owner_request_recorded"]
        if self.origin == "contractor" and "extension" in marks:
            self.fields["extension_reason"] = self.summary
            until = _extension(self.said, self.message.received_at, self.site)
            if until:
                self.effects += [f"extension_requested:{until.isoformat()}", "customer_consent_required"]
                self.fields["extension_until"] = until.isoformat()

    def _note_times(self) -> None:
        message, at = self.message, self.message.received_at
        if self.party or self.origin == "government":
            self.effects += [f"incoming_notice_no:{no}" for no in facts.notice_numbers(self.whole)]
        if self.origin == "government":
            self.effects += [f"incoming_notice_no:{no}" for no in facts.dispatch_numbers(self.whole)]
        if self.origin == "government" and (until := facts.wanted_by(self.whole, at, self.site, within=self.rule.within)):
            self.fields |= {"promised_at": until.isoformat(), "agreed_reply_at": until.isoformat()}
        if self.origin == "sales" and self.category == "sales_policy":
            start = facts.policy_start(self.whole, at, self.site)
            if start:
                self.effects.append(f"knowledge_entry_valid_from:{start.isoformat()}")
                self.fields["policy_from"] = start.isoformat()
        if self.origin in ("owner", "anonymous"):
            text = f"{self.said}\n{self.notes}" if self.notes and self.notes not in self.said else self.said
            ours = message.medium in ("call", "entry")
            reply, promise = facts.agreed_times(text, at, self.site, within=self.rule.within, ours=ours)
            reply = reply or facts.noted_time(self.notes, at, self.site, within=self.rule.within)
            if reply:
                self.effects.append("agreed_time")
                self.fields["agreed_reply_at"] = reply.isoformat()
            if promise:
                self.fields["promised_at"] = promise.isoformat()
        if message.paper is None and not self.site.calendar.is_open(at):
            self.effects.append("after_hours")

    def _note_demand(self) -> None:
        """What is asked for, in the writer's own words (S3-2.2.1)."""
        if self.kind not in ("praise", "document") and not _is_silent(self.message):
            demand = demand_of(self.whole, self.rude)
            if demand:
                self.fields["demand"] = demand

    def _note_part(self) -> None:
        """The part of the category, which may have terms of its own (S2-3.2)."""
        part = self.rule.standards.part_of(self.category, self.whole)
        if part:
            self.fields["subcategory"] = part

    def _note_medium(self) -> None:
        call, paper = self.message.call, self.message.paper
        if call and call.direction == "in":
            self.fields["incoming_number"] = call.caller
            if call.status == "answered":
                self.effects.append("first_response_met")
            elif call.caller or self.contact.requester.phone:
                self.effects.append("callback")
            else:
                self.fields["number_hidden"] = True
            if _forbidden(call.content, call.result):
                self.effects.append("forbidden_phrase_by_agent")
        if paper:
            self.fields["box"] = paper.box
            self.fields["opened_by"] = paper.opener
            opened = self.site.calendar.local(paper.opened_at)
            written = facts.letter_date(self.said, opened)
            if written and opened.date() - written > self.rule.stale:
                self.effects.append("stale_paper")
            if self.rule.box_days and opened.weekday() not in self.rule.box_days:
                self.effects.append("box_schedule_breach")
            if paper.confidence < self.rule.confidence:
                self.effects.append("ocr_low_confidence")

    # how it is told

    @cached_property
    def summary(self) -> str:
        """What it is about, without courtesy, signature, insults and numbers of persons."""
        if _is_silent(self.message):
            hidden = not (self.message.call and (self.message.call.caller or self.contact.requester.phone))
            what = "未接来电" if self.message.call and self.message.call.status == "missed" else "语音留言"
            return f"{what},{'号码隐藏,无法回拨' if hidden else '待回电'}"
        text = "".join(self._told) or neutral(self.subject, self.rude) or stricken(self.said, self.rude).strip(_MARKS)
        return self._discreet(text)[:160]

    @cached_property
    def _told(self) -> list[str]:
        """The sentences without courtesy, signature and insults."""
        folded = fold(self.said)
        told = []
        for match in _SENTENCE.finditer(folded):
            sentence = self.said[match.start() : match.end()].strip()
            if sentence and not _GREETINGS.match(match[0].strip()) and not self._is_signature(sentence):
                told.append(neutral(sentence, self.rude))
        return told

    def _discreet(self, text: str) -> str:
        name = self.contact.requester.name
        if name and self.origin == "owner" and name in text:
            text = text.replace(f"业主{name}", "业主").replace(name, "业主")
        return mask_personal(text) if _DIGITS.search(text) else text

    def _is_signature(self, sentence: str) -> bool:
        """Whether nothing is left of a line without name, house, telephone and date."""
        name = self.contact.requester.name
        if len(sentence) > 12 and not (name and name in sentence) and not _DIGITS.search(sentence):
            return False
        rest = sentence.replace(name, "") if name else sentence
        return len(sentence) <= 48 and len(_FACTS.sub("", fold(rest))) <= 1

    def _subject(self) -> str:
        if self.subject and not _is_vague(self.subject) and not any(word in self.subject for word in self.rude):
            return self.subject[:60]
        if not _is_silent(self.message):
            for sentence in self._told:
                first = telling(_NUMBERING.sub("", sentence)).rstrip("。!?！？；;")
                if len(first) >= 4:
                    return shortened(self._discreet(first), 40)
        return shortened(self.summary, 40)

    @cached_property
    def rude(self) -> list[str]:
        return _quoted(self.found, self.subject, self.said)

    def _why(self) -> str:
        s = self.found.scores
        best = "、".join(f"{k} {v:g}" for k, v in sorted(s.items(), key=lambda item: -item[1]) if v > 0)
        where = "、".join(f"{k} {v:.2g}" for k, v in sorted(self.found.placed.items(), key=lambda item: -item[1])[:3])
        return f"性质:{best or '无明显字词'};类别:{where or '无明显字词'}"


def _is_bare_answer(words: str) -> bool:
    """A colleague's answer to something of ours that neither thread nor number tells: 同意, 已阅, 收到,请今天处理."""
    return len(words) <= 30 and _ANSWERS.match(words.strip()) is not None


def _is_silent(message: Message, *, answered: bool = False) -> bool:
    """A missed call or a voicemail that nobody wrote down; any call without a note where ``answered`` ones count too."""
    call = message.call
    return call is not None and (answered or call.status != "answered") and not (call.content or call.result).strip()


def _no_matter(message: Message, found: Meaning) -> str:
    """Why a call of ours that belongs to no ticket stands in the call register alone, "" where it tells of a matter."""
    call = message.call
    if call is None or call.direction == "in" or found.plans:
        return ""
    if call.direction == "internal":
        return "内部通话,未涉及工单,不另立事项"
    if call.status != "answered":
        return "去电未接通,未涉及在办工单"
    if _is_silent(message, answered=True):
        return "去电无事项记录,未涉及在办工单"
    told = fold(f"{call.content}\n{call.result}").strip()
    return "我方去电告知,未涉及在办工单" if _OURS.match(told) and not _THEIRS.search(told) else ""


def _names(message: Message, contact: facts.Contact, site: Site) -> tuple[str, ...]:
    """The names of the writer and of the house's owner, whose characters mean nothing (曹演练)."""
    record = site.houses.get(contact.house) if contact.house else None
    caller = message.call.customer if message.call else message.sender.name
    return tuple(sorted({name for name in (caller, record.owner if record else "") if facts.is_name(name)}))


def _veiled(text: str, names: tuple[str, ...]) -> str:
    """The text with names covered, as long as before."""
    for name in names:
        if 2 <= len(name) <= 4 and name in text:
            text = text.replace(name, "某" * len(name))
    return text


def _original(message: Message, site: Site) -> Message:
    """The owner's own mail where a colleague forwarded it (S0-3.4)."""
    word = facts.origin_of(site, message.sender.email).word
    if word not in PASSING_ON and not (word == "sales" and _PASSES_ON.search(fold(message.text[:PREFACE]))):
        return message
    inner = forwarded(f"{message.text}\n{message.quoted}")
    if inner is None or not inner.sender.email or facts.origin_of(site, inner.sender.email).word != "owner":
        return message
    return replace(message, sender=inner.sender, subject=inner.subject or message.subject, text=inner.body, quoted="")


def _words(message: Message) -> tuple[str, str]:
    """What the customer says, and what our agent noted as the result of a call."""
    call = message.call
    if call is None:
        return message.text, ""
    text = message.text or call.content
    if call.result and call.content and text.rstrip().endswith(call.result.strip()):
        text = text.rstrip()[: -len(call.result.strip())]
    ours = _ANSWERED.search(text)
    if ours and not call.result:
        return text[: ours.start()], text[ours.end() :]
    return text, call.result


def squeeze(text: str) -> str:
    """Without the blanks that readers of scans put between characters."""
    return re.sub(r"(?<=[\u3400-\u9fff,。、]) +(?=[\u3400-\u9fff,。、])", "", text.replace("\r\n", "\n")).strip()


def bare_subject(subject: str) -> str:
    """The subject without Re:, 转发: and ticket numbers."""
    text = re.sub(r"^(?:\s*(?:re|fw|fwd|回复|答复|转发|转寄|回覆)\s*[:：]\s*)+", "", subject.strip(), flags=re.I)
    return re.sub(r"\[?KF[0-9]{8}-[0-9]{4}\]?", "", text).strip(" -")


def _is_vague(subject: str) -> bool:
    return len(telling(subject)) < 4 or fold(subject).strip("!。. ") in facts.VAGUE


def neutral(sentence: str, rude: list[str]) -> str:
    """A sentence without the clauses that hold insults; of a long clause the insult alone is left out (S0-4.3.1, D29)."""
    if not any(word in sentence for word in rude):
        return sentence.strip()
    punctuated = any(mark in sentence.strip(_MARKS) for mark in ",，、:：")
    kept = []
    for clause in _CLAUSES.findall(sentence):
        rest = stricken(clause, rude)
        if rest == clause or (len(clause.strip()) > LONG if punctuated else len(rest.strip()) > LEFT):
            kept.append(rest)
    return "".join(kept).strip(_MARKS)


def stricken(text: str, rude: list[str]) -> str:
    """A text without the insults, with all that stands beside them."""
    return re.sub("|".join(map(re.escape, sorted(rude, key=len, reverse=True))), "", text) if rude else text


def _quoted(found: Meaning, subject: str, said: str) -> list[str]:
    whole = f"{subject}\n{said}" if subject else said
    return list(dict.fromkeys(whole[start:end] for start, end in (*found.insults, *found.quoted_insults)))


def _forbidden(content: str, result: str) -> bool:
    """A forbidden phrase in what our agent noted as said (S0-4.3.2); the customer's own words do not count."""
    if any(phrase in fold(result) for phrase in facts.FORBIDDEN):
        return True
    text = fold(content)
    return any(
        _AGENT_ANSWER.search(text[max(at - 20, 0) : at]) for phrase in facts.FORBIDDEN for at in (text.find(phrase),) if at >= 0
    )


def _extension(text: str, at: datetime, site: Site) -> datetime | None:
    """Until when more time is asked for; 宽限五天 counts from the request."""
    found = [when for when, _ in find_when(text, at, site.calendar) if when > at]
    longer = _LONGER.search(fold(text))
    if not found and longer:
        found = [when for when, _ in find_when(f"{longer[1]}后", at, site.calendar)]
    return max(found) if found else None


def _weekdays(days: Iterable[str]) -> frozenset[int]:
    names = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    return frozenset(names.index(day[:3].lower()) for day in days)


def _merged(tables: dict[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """The word lists with an administrator's additions."""
    merged = dict(tables)
    for key, value in more.items():
        have = merged.get(key)
        if isinstance(value, Mapping):
            merged[key] = _merged(have if isinstance(have, dict) else {}, value)
        else:
            merged[key] = [*(have or []), *value]
    return merged
