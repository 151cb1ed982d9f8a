"""Orders by mail and by command: parties answer their notices, customers their letters, staff the ticket (S1-5.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from kefud.api import (
    AddTask,
    Assign,
    Decision,
    Delivered,
    Heard,
    Move,
    Moved,
    Occasion,
    Opened,
    Ordered,
    Remark,
    Rule,
    Site,
    Ticket,
    Write,
    fold,
    forwarded,
    hookimpl,
    local,
)

from .customers import Customers
from .departments import NAMES, Answer, Departments, had_notice
from .held import Held, asks_for_word
from .orders import Orders
from .outcome import between, gone_out, overtaken
from .repairs import FILED
from .scene import from_scene
from .speech import Said, commands, is_empty, is_open, labelled, spoken, unsigned
from .staff import Staff

LEAST = 3
"""Characters that say something."""
UNDER_WAY = ("assigned", "acknowledged", "in_progress", "reopened")
"""States in which a department's work is not yet reported as done."""
_AWAY = re.compile(
    r"休假|年假|请假|病假|产假|出差|外出|不在(?:岗|公司|办公室|单位)?|离职|调岗|返回|返岗|代(?:为|班|理)|(?:请|可)(?:直接)?联系"
    r"|out of (?:the )?office|on leave|vacation"
)
_POLITE = re.compile(
    r"[\W_]|[了的您你们贵我就会将即已]|谢|好|请放心|中心|公司|部门?|立即|马上|尽快|及时|今天|安排|处理|办理|落实|跟进|联系|业主|上门|维修|人员|师傅|知悉|按要求|按时|现场"
)


class Commands:
    """Does what proven people say, and tells them what was understood, done and refused."""

    name = "commands"

    def __init__(self, site: Site) -> None:
        self.site = site
        self.customers = Customers(site)
        self.departments = Departments(site)
        self.held = Held(site)
        self.orders = Orders(site, self.departments)
        self.staff = Staff(site, self.departments, self.orders)

    def judge(self, ticket: Ticket, occasion: Occasion) -> Iterable[Decision]:
        match occasion:
            case Opened():
                return _claimed(ticket)
            case Heard():
                return self._heard(ticket, occasion)
            case Ordered():
                return self.orders.carry_out(ticket, occasion)
            case Delivered():
                return gone_out(ticket, occasion)
            case Moved():
                return overtaken(ticket, occasion)
        return ()

    def _heard(self, ticket: Ticket, occasion: Heard) -> Iterator[Decision]:
        author, message = occasion.author, occasion.message
        if message.automatic:
            yield from self._away(ticket, occasion)
        elif author.role == "requester":
            yield from self.customers.heard(ticket, occasion)
        elif author.role in ("party", "staff") and author.verified:
            yield from self._ordered_by_mail(ticket, occasion)
        elif author.role == "agent":
            yield from self.customers.called(ticket, occasion)
        else:
            who = author.id or message.sender.email or "未知"
            yield Remark(f"未经证实的来信({who}),仅作备注:{spoken(message.text)[:500]}", rule="S3-4.3.1", why=author.why)
            if author.id == "household":
                yield from _to_be_confirmed(occasion)
            elif not is_empty(spoken(message.text)):
                day = self.site.calendar.local(message.received_at).date()
                told = {"text": f"有来信({who})答复本件,身份未经证实,未改变工单状态,请核实:{spoken(message.text)[:500]}"}
                yield Write("handler", "reports/alert", told, key=f"unproven:{day}", rule="S3-4.3.1")

    def _away(self, ticket: Ticket, occasion: Heard) -> Iterator[Decision]:
        """An automatic answer is nobody's word; that who leads the matter is away, the handler should know (S1-4.3.6)."""
        text, party = spoken(occasion.message.text), occasion.author.id
        if ticket.is_open and self._place(ticket, party) == "lead" and _AWAY.search(fold(text)):
            told = f"{self.departments.name(party)}自动回复,可能无人办理,请电话联系:{text[:1000]}"
            day = self.site.calendar.local(occasion.message.received_at).date()
            yield Write("handler", "reports/alert", {"text": told}, key=f"away:{party}:{day}", rule="S1-4.3.6")

    def _ordered_by_mail(self, ticket: Ticket, occasion: Heard) -> Iterator[Decision]:
        mail = unsigned(occasion.message.text, self.departments.name(occasion.author.id))
        text = spoken(mail)
        decided = ticket.fields.get("approval_at") == occasion.at.isoformat()
        asked = occasion.author.role == "staff" and asks_for_word(ticket, occasion)
        if occasion.author.role == "staff" and not asked and (ticket.status == "need_approval" or decided):
            return  # the plugin approvals reads it
        answer = Answer()
        said = commands(mail)
        made: list[Decision] = []
        if asked:
            made += self.held.signed(ticket, occasion, occasion.message.text, answer)
        elif occasion.author.role == "staff":
            made += self.staff.said(ticket, occasion, said, answer)
        else:
            made += self._said_by_party(ticket, occasion, said, text, answer)
        made += from_scene(ticket, occasion, self.site, self.departments.name(occasion.author.id), answer)
        yield from made
        if occasion.author.role == "party" and self._place(ticket, occasion.author.id) == "lead":
            yield from self._signed_by_answering(ticket, occasion.author.id, made, answer)
        if not answer.steps and (told := text if not is_empty(text) else self._enclosed(occasion)):
            yield from self._not_understood(ticket, occasion, told)
        elif self._is_asked(ticket, occasion) and (answer.refused or _says_more(said)):
            yield self._to_be_read(occasion, text, "".join(f"\n未能执行:{reason}" for reason in answer.refused))
        yield from self._transcript(ticket, occasion, said, text, answer)

    def _signed_by_answering(self, ticket: Ticket, party: str, made: list[Decision], answer: Answer) -> Iterator[Decision]:
        """Any answer of the lead signs for the notice, word from the scene says the work goes on (S1-4.3.6, S2-1.B4).

        A refusal leaves the alarm of an emergency running: nobody has taken it yet.
        """
        said = {step["command"] for step in answer.steps}
        on_scene = NAMES["scene"] in said
        refused = ticket.urgency == "emergency" and not on_scene and said & {NAMES["return"], NAMES["transfer"]}
        passed_on = any(isinstance(d, Assign) and d.department for d in made)
        now = next((d.to for d in reversed(made) if isinstance(d, Move)), ticket.status)
        if not said or refused or passed_on or now not in ("assigned", "acknowledged"):
            return
        for step in between(now, "in_progress" if on_scene else "acknowledged"):
            yield Move(step, party, rule="S1-4.3.6", why=f"{self.departments.name(party)}{'现场报告' if on_scene else '回信,即为签收'}")

    def _to_be_read(self, occasion: Heard, text: str, note: str) -> Write:
        """What a command does not carry is read by the handler: a request that was refused, a word beside the sign-off."""
        told = {"text": f"{self.departments.name(occasion.author.id)}来信:{text[:2000]}{note}"}
        return Write("handler", "reports/alert", told, key=f"letter:{occasion.message.mark}", rule="S1-5.1")

    def _enclosed(self, occasion: Heard) -> str:
        """What a mail without words of its own brings: files, or another's mail that it passes on; "" where nothing."""
        names = "、".join(a.name for a in occasion.message.attachments if not a.inline)
        inner = forwarded(occasion.message.quoted)
        passed_on = inner.body[:1000] if inner and not self.site.is_own(inner.sender.email) else ""
        return "\n".join(filter(None, (names and f"(没有文字,附件:{names})", passed_on and f"(转来){passed_on}")))

    def _not_understood(self, ticket: Ticket, occasion: Heard, text: str) -> Iterator[Decision]:
        """What is no command is kept; what the department in charge says of its work is read by the handler."""
        party = occasion.author.id
        note = f"{self.departments.name(party)}来信:{text[:2000]}"
        yield Remark(note, rule="S1-4.3.3")
        if occasion.author.role == "party" and self._place(ticket, party) == "lead":
            if ticket.status == "assigned":
                yield Move("acknowledged", party, rule="S1-4.3.6", why=f"{self.departments.name(party)}回信,即为签收")
            yield self._to_be_read(occasion, text, "\n未登记办理结果,请判断办理情况。")

    def _said_by_party(
        self, ticket: Ticket, occasion: Heard, said: list[Said], text: str, answer: Answer
    ) -> Iterator[Decision]:
        party, at = occasion.author.id, occasion.message.received_at
        place = self._place(ticket, party)
        wanted = [s for s in said if self.departments.can(s.command)]
        if place == "asked":
            wanted = [s for s in wanted if s.command in ("acknowledge", "transfer", "return")]
            for one in wanted:
                yield from self.departments.carry_out(ticket, party, one, at, answer)
            given = _contribution(said, text)
            if given:
                yield from self.departments.contribute(ticket, party, given, answer)
        elif place == "lead":
            for one in wanted:
                yield from self.departments.carry_out(ticket, party, one, at, answer)
            fields = labelled(text)
            judges = "result" in fields or (ticket.department == "design" and fields.keys() - {*FILED})  # its finding is its work
            if not wanted and judges and not is_open(text):
                yield from self.departments.carry_out(ticket, party, Said("handled", "处理情况", text), at, answer)
            elif not fields.keys() - {*FILED} or ticket.status not in UNDER_WAY:
                return
            elif {one.command for one in wanted} == {"acknowledge"}:  # a delay or a refusal has its 原因 too
                yield self.departments.found(party, fields, at)
            elif not wanted:
                yield from self.departments.findings(ticket, party, fields, at, answer)
                yield self._to_be_read(occasion, text, "\n未登记办理结果,请判断办理情况。")
        elif not is_empty(text) and had_notice(ticket, party):
            yield from self._former(ticket, occasion, text, answer)
        elif not is_empty(text):
            note = f"{self.departments.name(party)}来信:{text[:2000]}"
            yield Write("handler", "reports/alert", {"text": note}, key=f"letter:{occasion.message.mark}", rule="S1-5.1")

    def _former(self, ticket: Ticket, occasion: Heard, text: str, answer: Answer) -> Iterator[Decision]:
        """Who was asked to tell what it had done before the matter was passed on is heard, and commands nothing (S0-4.2.1, S1-4.3.6)."""
        told = f"{self.departments.name(occasion.author.id)}(原办理部门)来信:{text[:2000]}"
        yield Remark(told, rule="S1-4.3.6")
        key = f"letter:{occasion.message.mark}"
        yield Write("handler", "reports/alert", {"text": f"{told}\n请与现办理部门核对。"}, key=key, rule="S1-5.1")
        answer.done("former", f"已记入备注并告知经办人;本件已改由{self.departments.lead(ticket)}办理")

    def _transcript(self, ticket: Ticket, occasion: Heard, said: list[Said], text: str, answer: Answer) -> Iterator[Decision]:
        """Tell the writer what was made of the mail; nothing where nothing was asked, so that no two machines chat (S05)."""
        to = occasion.message.sender.email or occasion.author.id
        if to in (ticket.requester.email, ticket.fields.get("reply_to")):
            return  # who brought the matter is answered by letter
        zone = self.site.calendar.zone
        data = {"at": local(occasion.message.received_at, zone), "steps": answer.steps, "refused": answer.refused}
        quiet = all(step["text"] in ("", "已记录") for step in answer.steps)
        if answer.steps and (answer.refused or not quiet):
            yield Write(to, "commands/transcript", data, key=f"transcript:{occasion.message.mark}", rule="S1-5.1")
        elif not answer.steps and not is_empty(text):
            unclear = {**data, "ignored": True, "refused": ["未识别到指令,来信已记入备注;如需登记处理结果,请在首行写明指令"]}
            day = self.site.calendar.local(occasion.message.received_at).date()
            yield Write(to, "commands/transcript", unclear, key=f"unclear:{occasion.author.id}:{day}", rule="S1-5.1")

    def _is_asked(self, ticket: Ticket, occasion: Heard) -> bool:
        return occasion.author.role == "party" and self._place(ticket, occasion.author.id) != ""

    def _place(self, ticket: Ticket, party: str) -> str:
        """Whether the party leads the ticket, was asked to contribute, or only wrote to us."""
        found = self.site.party(party)
        contractor = found is not None and found.kind == "contractor"
        chosen = str(ticket.fields.get("contractor") or party)
        if party == ticket.department or (contractor and ticket.department == "contractor" and chosen == party):
            return "lead"
        noticed = {document.to for document in ticket.documents if document.form == "notice" and not document.void}
        return "asked" if party in (*ticket.joint, *noticed) else ""


def _claimed(ticket: Ticket) -> Iterator[Decision]:
    """A mail that names tickets of which it proves nothing opens one of its own; a person sees what it may belong to (S01)."""
    named = "、".join(effect.removeprefix("claims:") for effect in ticket.effects if effect.startswith("claims:"))
    if named:
        told = f"来信提到工单{named},发件人身份未经证实,未并入该单,已另立本单。请联系原登记的顾客核实;确为同一事项的,请并案(merge)。"
        yield Write("handler", "reports/alert", {"text": told}, key="claims", rule="S3-4.3.1")


def _says_more(said: list[Said]) -> bool:
    """Whether a sign-off comes with words that are no mere politeness: 收到,业主电话打不通."""
    rest = [_POLITE.sub("", fold(s.text)) for s in said if s.command == "acknowledge"]
    return len(said) == 1 and any(len(text) > LEAST for text in rest)


def _contribution(said: list[Said], text: str) -> str:
    """The text a joint department contributes: all of it, less a bare sign-off."""
    if not said:
        return text
    opinion = next((s.text for s in said if s.command == "opinion" and not is_empty(s.text)), "")
    if opinion:
        return opinion
    rest = [f"{s.words}{':' if s.text else ''}{s.text}" for s in said if s.command not in ("acknowledge", "transfer", "return")]
    signed = [s.text for s in said if s.command == "acknowledge" and len(s.text) > 6]
    return "\n".join([*signed, *rest])


def _to_be_confirmed(occasion: Heard) -> Iterator[Decision]:
    """The mail bears the house's name or telephone, which neighbours know too: it decides nothing, a person calls back."""
    text = spoken(occasion.message.text)[:500]
    told = f"来信自称本件业主,身份未经证实,未改变工单状态。请按登记电话回电核实后办理:{text}"
    yield AddTask("confirm", "cs_supervisor", told, key=f"confirm:{occasion.message.mark}", rule="S3-4.3.1")
    yield Write("cs_supervisor", "reports/alert", {"text": told}, key=f"confirm:{occasion.message.mark}", rule="S3-4.3.1")


SETTINGS = ()
"""Keys of [plugin.commands]."""


@hookimpl
def register_rules(site: Site) -> list[Rule]:
    return [Commands(site)]
