"""Who may learn whose matter it is: need to know, and no more (S2-5.7, S3-4.3.1; RULES §9)."""

from __future__ import annotations

import re

from kefud.desk.chinese import fold
from kefud.desk.ticket import Ticket

_INDOORS = re.compile(
    "家里|家中|我家|我们家|自家|[就仅]?(?:我们?|咱们?|俺们?|自己)(?:这)?一[家户]|本户|"
    "屋内|屋里|室内|户内|房间|卧室|客厅|厨房|卫生间|阳台|飘窗|入户门|马桶|地漏|暖气|墙面|吊顶"
)

_CONFIDENTIAL = re.compile(
    r"(?:不要|别|勿|不能|不得|请不|不想)[^。]{0,12}(?:告诉|透露|泄露|泄漏|告知|知道|晓得|看到|说出|说是|讲是|提我)|保密|我的(?:电话|姓名|名字)"
    r"|(?:是|说)我(?:说|讲|写|投诉|举报|反映)的"
)
_OF_THEMSELVES = re.compile(
    r"^(?:我|本人|我们?家|家里)(?:是|就|也|又|都|只是|只有){0,2}(?:一?个)?(?:女的|男的|女人|女生|单身|独居|一个人|老人|老太|老头|老两口|孤身|带着?(?:个|小|孩|娃|俩|两)"
    r"|刚生|怀孕|孕妇|残疾|退休|租户|租客|租房|今年[0-9一二三四五六七八九十]+)|^(?:怕|我怕|害怕|怕得很|怕他们?|怕报复)[了的啊]?$"
)
"""A clause in which the writer tells who he or she is."""
_SEEN_FROM = re.compile(
    r"我(?:们)?家?的?(?:楼上|楼下|隔壁|对门|对面)的?(?=[0-9]{3,4})|我(?:们)?家?的?(?=楼上|楼下|隔壁|对门|对面)"
)
"""Where a place is named by where the writer lives."""
_FORBIDDEN = "不知道|没办法|不归.{0,4}管|不能办|不行|管不了|找别人去"
_TELLS = r"(?:告知|告诉|回复|答复|解释|说明|跟|和|与|向|回答)(?:了|过)?(?!我|咱)"
_THE_CALLER = "(?:业主|客户|住户|顾客|对方|来电人|[他她其])"
_REFUSED = re.compile(
    rf"(?:^|(?<=[,。;!? ]))(?:(?:已经?|均已|当场|当即|客服已|前台已|[坐座]席已){_TELLS}{_THE_CALLER}?"
    rf"|(?:电话|客服|前台|[坐座]席)?{_TELLS}{_THE_CALLER})"
    rf"[^。;!?\n]{{0,24}}?(?:{_FORBIDDEN})[^。!?\n]*"
)
"""Our agent's note of an answer that none may give (rule 13)."""
_NOTED = re.compile(
    r"(?:已经?|己|均已|现已|都|当场)?(?:做|作|予以|完成|按流程|如实)?(?:登记|记录|受理|记下|建单|录入|生成工单|安抚|致谢|感谢|表示感谢)(?:了|好了?|在案|完毕|完成|处理)?"
    r"(?:业主|客户|住户|来电人|情绪)?"
)
"""Our agent's note that he wrote it down, which tells nobody anything."""
_CLAUSE = re.compile(r"[^,，;；。!！?？\n]+[,，;；。!！?？\n]?")
_MARKS = " ,，、:：。;；!！?？\n"


def asks_for_confidence(clause: str) -> bool:
    """Whether a clause asks not to be named."""
    return bool(_CONFIDENTIAL.search(fold(clause)))


def without_traces(text: str) -> str:
    """``text`` less the clauses by which its writer would be known: who they are, from where they see it, that they ask for secrecy."""
    told = (c for c in _CLAUSE.findall(text) if not asks_for_confidence(c) and not _OF_THEMSELVES.search(fold(c).strip(_MARKS)))
    return "".join(_SEEN_FROM.sub("", clause) for clause in told)


def customers_words(text: str) -> str:
    """What a call was about, less what our agent noted of himself: that he wrote it down, and words that no text of ours may hold.

    What else was noted, what was agreed or whom he called to help, a department needs (S0-4.3.2, S2-5.2).
    """
    kept = []
    for line in text.split("\n"):
        refused = _REFUSED.search(fold(line))
        line = line[: refused.start()] if refused else line
        rest = [c for c in _CLAUSE.findall(line) if not _NOTED.fullmatch(fold(c).strip(_MARKS))]
        kept.append("".join(rest).rstrip(" ,，、;；") if rest else "")
    return "\n".join(line for line in kept if line.strip())


def enters_home(ticket: Ticket) -> bool:
    """Whether who repairs it must get into the requester's flat, as far as the words tell."""
    return ticket.kind == "repair" and bool(_INDOORS.search(fold(ticket.text or ticket.summary)))


def contact_shown(ticket: Ticket, party_kind: str, show_contact: bool = False) -> bool:
    """Whether a notice to a party may name the requester and the number (RULES §9, catalogue D26).

    Never where the requester asked for confidence or complains of somebody's conduct. Otherwise where people must get into
    the house or be called on the way: emergencies, repairs by a contractor, repairs inside a flat; and where the
    configuration says so.
    """
    if ticket.masked or ticket.category == "attitude" or ticket.origin == "anonymous":
        return False
    if ticket.urgency == "emergency" or show_contact:
        return True
    return ticket.kind == "repair" and (party_kind == "contractor" or enters_home(ticket))
