"""What a signer answers when asked: 同意, 同意 改为:…, 不同意 因 …; and which of our letters an answer is for."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kefud.desk.chinese import fold
from kefud.desk.message import Message
from kefud.desk.ticket import LetterRef, Ticket

LONGEST = 200
"""Lines that are looked at."""

_NO = re.compile(
    r"\s*(?:暂时?|先|我|本人){0,2}(?:(?:不|未|没有?|无法|难以)(?:予以?|能|可以?|宜|便|太){0,2}(?:同意|批准|核准|准|放行|发)"
    r"|(?:同意|批准)不了|别发|驳回|退回|否决)"
)
_YES = re.compile(r"\s*(?:我|本人)?(?:已阅[,\s]{0,2})?(?:"
    r"(?:同意|批准|准予|核准|放行)(?!不|吗|与否|的话|后|才|之?前|\s{0,2}\?)(?:放行|发出|办理)?"
    r"|[按照]此(?:办理|执行|答复|回复|发出)|(?:没有?|无)(?:意见|异议)|可以?[按照]?此?(?:发出?|答复|回复|办理|执行)(?!吗|\s{0,2}\?))")
_QUESTION = re.compile(r"[^,。;!\n]{0,20}(?:吗|\?)")
_TEXT = re.compile(
    r"(?:^|(?<=[\s,。;:!、]))(?:但|不过|请|麻烦|统一|并){0,2}(?:"
    r"将?(?:内容|文字|答复|函件|口径)?(?:改为|改成|修改为|更改为|改作)"
    r"|[按以](?:以下|下述|如下|下列|下面)的?(?:内容|口径|文本|意见|文字|说法)?(?:统一)?(?:答复|回复|发出)(?:业主|顾客|客户)?(?=[\s:,])"
    r"|[按以](?:以下|下述|如下|下列|下面)的?(?:内容|口径|文本|文字|说法)(?:统一)?(?:业主|顾客|客户)?(?=\s{0,2}(?::|\n))"
    r"|(?:答复|回复)(?:业主|顾客|客户)?(?:口径|内容|文本|意见)?(?:如下|为?(?=\s{0,2}:)))[\s:,]{0,4}"
)
_AS_PROPOSED = re.compile(
    r"(?:请?[按照]此(?:办理|执行|答复|回复|发出)|请?[按照以]?(?:上述|原)?拟(?:定|答复|稿)?(?:的)?(?:答复|办理|发出|执行)?|谢谢|辛苦|请?尽快(?:办理|发出|答复|回复)?)"
)
_FIRST = re.compile(
    r"先|但|不过|可是|待|等|再|别|不|勿|未|没|暂|前提|如果|若|只|核实|确认|补充|注意|改|加上|去掉|删|吗|\?"
    r"|需|须|应|必|签字|盖章|审[核批阅]|请示|报(?!修)|后(?:方|才)?(?:可|能)?(?:发|放行|办|执行)|以下|下述|如下|下列"
)
_GOES_ON = re.compile(r"$|[\s,。;:!、~(（]|[按照请]|该|此|上述|以上|原|拟|处理|方案|意见|贵|你|客服|谢")
"""What may follow a yes. Anything else makes another word of it: 同意书, 批准需…"""
_LEAD = re.compile(r"[\s,。;:!]*(?:因为?|由于)?(?:理由|意见|原因)?(?:是|为)?[:,。\s]*")
_GREETING = re.compile(r"\s*(?:[\u4e00-\u9fff]{0,12}[:,]?\s*(?:您好|你好|早上好|上午好|下午好)|[\u4e00-\u9fff]{2,12}:)[!,。:]*\s*$")
_CLOSING = re.compile(
    r"\s*(?:--|—|此致|谢谢|祝好|以上|发自|来自|[\u4e00-\u9fff]{2,8}(?:部|中心|公司|办公室)\s*$|\d{4}年\d{1,2}月\d{1,2}日\s*$)"
)
_MARKS = " \t\n,，。;；:：!！"


@dataclass(frozen=True, slots=True)
class Signed:
    """A signer's decision. ``text`` is what shall leave instead of the proposal, or the reason of a no; ``remark`` is for us."""

    approved: bool
    text: str = ""
    remark: str = ""
    doubtful: bool = False

    @property
    def waits(self) -> bool:
        """A yes that asks for something first, or may be none: a person sees to it before anything leaves."""
        return self.approved and (self.doubtful or bool(_FIRST.search(fold(self.remark))))


def signed(mail: str) -> Signed | None:
    """The decision in a mail (without its quotation), None where its first words are neither yes nor no.

    Only words that are marked as the text (改为:…, 答复如下:…) may leave; all others are a remark to our own people (S0-4.2.3).
    """
    lines = [line for line in mail.strip().splitlines()[:LONGEST] if line.strip()]
    while lines and _GREETING.match(fold(lines[0])):
        lines.pop(0)
    if not lines:
        return None
    first = fold(lines[0])
    if no := _NO.match(first):
        reason = _after(lines, no.end())
        lead = _LEAD.match(fold(reason))
        return Signed(False, reason[lead.end() if lead else 0 :].strip())
    yes = _YES.match(first)
    if yes is None or _QUESTION.match(first, yes.end()):
        return None
    return _approved(_after(lines, yes.end()), doubtful=not _GOES_ON.match(first, yes.end()))


def _approved(rest: str, doubtful: bool) -> Signed | None:
    found = _TEXT.search(fold(rest))
    if found is None:
        remark = rest.strip(_MARKS)
        return Signed(True, remark="" if _AS_PROPOSED.fullmatch(fold(remark)) else remark, doubtful=doubtful)
    text = rest[found.end() :].strip()
    return Signed(True, text, rest[: found.start()].strip(_MARKS), doubtful) if text else None


def _after(lines: list[str], place: int) -> str:
    """What follows the decision, up to the closing words."""
    end = next((i for i, line in enumerate(lines) if i and _CLOSING.match(fold(line))), len(lines))
    return "\n".join([lines[0][place:], *lines[1:end]]).strip()


def answered_letter(ticket: Ticket, message: Message) -> LetterRef | None:
    """The letter of the ticket that a message answers, None where it names none."""
    ours = {letter.message_id: letter for letter in ticket.letters}
    ids = (*message.in_reply_to, *reversed(message.references))
    return next((ours[id] for id in ids if id in ours), None)
