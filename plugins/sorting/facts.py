"""Facts in a message: who writes, from which house, how to reach them, and the dates and numbers that stand in it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from kefud.api import (
    ORIGINS,
    House,
    HouseMention,
    Message,
    Party,
    Requester,
    Site,
    find_houses,
    find_phones,
    find_when,
    fold,
    normalise_house,
    normalise_phone,
    number,
    own_house,
)  # fmt: skip

_LISTS = tomllib.loads((Path(__file__).parent / "names.toml").read_text("utf-8"))
_PROMISES = tomllib.loads((Path(__file__).parent / "promises.toml").read_text("utf-8"))
SURNAMES = frozenset(_LISTS["surnames"])
NOT_NAMES, AUTHORITIES, FORBIDDEN, VAGUE = (
    tuple(_LISTS[name].split()) for name in ("not_names", "authorities", "forbidden", "vague")
)

_NAME = r"([\u4e00-\u9fff]{2,4}?)"
_END = r"(?=[^\u4e00-\u9fff]|电话|手机|联系|反映|先生|女士|反应|来电|来信|向|您好|你好|$)"
_INTRODUCED = re.compile(
    r"(?:我叫|我是(?!业主)|本人(?:叫|是|姓名)?|(?<![全体各位广大多数名个])业主(?:是|为|叫|姓名)?|住户(?!们)|姓名|联系人|署名|签名"
    rf"|(?:反映|投诉|报修|来信|写信)人|名字(?:叫|是)?)[: ]{{0,2}}{_NAME}(?:先生|女士|小姐)?{_END}"
)
_BEFORE_PHONE = re.compile(
    rf"(?:^|[^\u4e00-\u9fff]){_NAME}(?:先生|女士)?[ ,(:]{{0,3}}(?:电话|手机|联系电话|tel|电|手机号)?[: ]{{0,2}}"
    r"(?:\+?86)?1[3-9][0-9]",
    re.M,
)
_ALONE = re.compile(
    rf"^[ ]*(?:[-—]{{0,2}}|业主|住户|此致|敬礼|敬上|[:])[ :,]*{_NAME}"
    r"(?:先生|女士|敬上|上|呈|谨启|启|谨上|签名)?[ 。]*$"
)
_CALLED = re.compile(r"[ ,:的]{0,3}([老小阿][\u4e00-\u9fff])[ 。]*(?:\n|$)")
"""A signature beside a house that gives no more than how its owner is called."""
_LANDLORD = r"(?:房东|产权人|landlord|owner)(?:是|叫|为|的?名字(?:是|叫)?|is|named|[:, (])*"
"""Before the name of an owner of whom a tenant writes."""
_POLITE = re.compile(r"^([\u4e00-\u9fff])(先生|女士|小姐|阿姨|大爷|老师|师傅|太太)$")
_NOTICE_NO = re.compile(
    r"([\u4e00-\u9fff]{1,10})[ ]?[〔\[【((﹝(]\s?((?:19|20)[0-9]{2})\s?(?:年)?[〕\]】))﹞)]\s?(?:第|字第)?\s?([0-9]{1,5})\s?号"
)
_YEAR_FIRST_NO = re.compile(
    r"(?<![\u4e00-\u9fff])[〔\[【(（﹝]\s?((?:19|20)[0-9]{2})\s?[〕\]】)）﹞]\s?([\u4e00-\u9fff]{1,8}字)\s?(第?)\s?([0-9]{1,6})\s?号"
)
_DISPATCH_NO = re.compile(
    r"(?:工单|交办单?|派单|受理单?|转办单?|案件|热线)(?:编号|单号|号码?)[:： ]{0,3}(?!KF)([A-Za-z]{0,6}[0-9][0-9A-Za-z-]{5,23})"
)
_WANTED_BY = re.compile(
    r"^[^。;\n]{0,4}前[^。;\n]{0,24}(?:反馈|回复|函复|答复|回函|报送|上报|报我|办结|办理完毕|处理完毕|整改到位)"
)
"""What follows the day until which an authority wants an answer."""
_BRACKETED_YEAR = re.compile(r"[〔\[【((﹝(]\s?(?:19|20)[0-9]{2}")
_LEADING = re.compile(
    r"^.*(?:根据|依据|现将|[以按]|按照|贵司|我司|贵中心|贵公司|关于|编号|文号|单号|联系单|见|附件?|收到|函|的|号|件|及|和|与)(?=[\u4e00-\u9fff])"
)
_HEADING = "\n:：(（"
"""What a number stands behind that begins with its own first character: 和街函〔2025〕12号 is no "and"."""
_LETTER_DATE = re.compile(
    r"(?:(20[0-9]{2}|二[〇零○0][一二三四五六七八九〇零]{2})\s?[年./-]\s?)?"
    r"([0-9]{1,2}|[一二三四五六七八九十]{1,3})\s?[月./-]\s?([0-9]{1,2}|[一二三四五六七八九十廿]{1,3})\s?[日号]?\s*$"
)
_VALID_FROM = re.compile(r"(?:自|从|于|定于|将于|拟于|拟自)(.{4,20}?)(?:起|开始|正式|执行|施行|实行|生效|实施|推出|启用)")
_START_WORD = re.compile(r"(?:起|开始)?(?:正式)?(?:执行|施行|实行|生效|实施|启用|推出)|起$")
_AGREED = re.compile(
    r"(?P<mutual>约定|约好|说好|商定|讲好|约在|约于|预约"
    r"|(?<![大邀相违制节契公合])约(?=[今明后本下这周月]|大后天|星期|礼拜|[0-9]{1,2}(?:月|号|日|点|:)))|(?P<firm>承诺|保证|同意)|答应"
)
_FROM_NOW_ON = re.compile(
    r"(?:换|改)(?:了|成|为)?(?:新|个)?(?:号|手机|电话|联系)|(?:手机|电话|号码?|联系方式)(?:已经?|都)?(?:换|改|变)(?!了?个?人)|新(?:的)?(?:号|手机|电话|联系)"
    r"|(?:以后|今后|之后|现在)(?:都|就|有事)?(?:请|麻烦)?(?:打|拨|联系|用)"
)
_OF_OTHERS = re.compile(r"(?:物业|师傅|保安|客服|维修|施工|前台|管家|邻居|楼[上下]|隔壁|他|她|对方|你们)[^,。;!?\n]{0,8}$")
_NOTED = re.compile(r"(?:之?前|以前|以内|之?内|左右|再|给(?:客户|业主|对方|他|她)|予以|统一|电话){0,3}(?:回复|答复|回电|回话|复电"
    r"|(?:给|等)?(?:他|她|个)?(?:一个)?(?:回音|回信|回话|答复|准话|准信|音信|消息|信)(?:儿|息)?(?=[,。;!?\s]|$))")
"""What follows the time in our own note of a call: 下周二回复即可."""
_NOT_AGREED = re.compile("|".join(_PROMISES["not_agreed"]))
_PROMISER = re.compile(
    f"(?P<we>{'|'.join(_PROMISES['promisers'])})|(?P<you>你们?|您们?|贵(?:司|公司|中心|方|部))|(?<![跟对给向和与同帮])(?:我|本人|咱)"
)
_PAST = re.compile(r"过|了|已|曾|说|之前|以前|昨|前天|上次|上周|上回|当时|当初|刚|电话里|口头|回复|来信")
_BROKEN = re.compile(r"没|未|迟迟|爽约|不来")
_REPLY = re.compile(r"回电|回复|答复|回话|回音|致电|联系|告知|复电|反馈|给(?:他|她|业主|客户|对方|我)(?:打|回)|电话|回访|复")
_SOLVE = re.compile(r"修好|修复|解决|处理(?:完|好)|完工|完成|办结|办好|恢复|上门|维修|处理|来修|清理|更换|到场")


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose message it is: the word for the ticket, and the party where one is known."""

    word: str
    party: Party | None = None


def origin_of(site: Site, email: str) -> Origin:
    """Owner, a party by its address, or our own staff (RULES §2)."""
    party = site.party_of(email)
    if party is not None:
        word = party.id if party.id in ORIGINS else party.kind
        return Origin(word if word in ORIGINS else "internal", party)
    if email and (site.role_of(email) or site.is_own(email)):
        return Origin("internal")
    return Origin("owner")


@dataclass(frozen=True, slots=True)
class Contact:
    """Who is concerned and how to reach them, as far as the message and the register of houses tell."""

    requester: Requester
    house: str | None
    written_phone: str
    registered_phone: str
    exact: bool
    own: bool

    @property
    def proposed(self) -> str:
        """A number that differs from the registered one, to be confirmed by a clerk (S2-1.A1)."""
        differs = self.written_phone and self.registered_phone and self.written_phone != self.registered_phone
        return self.written_phone if differs else ""


def contact_of(message: Message, text: str, site: Site, origin: Origin) -> Contact:
    """Name, phone, house from the text, the caller's number, the sender's address and the register (S1-5.4.4)."""
    call = message.call
    ours = {normalise_phone(site.hotline), call.callee if call and call.direction == "in" else ""}
    other_end = {"in": "caller", "out": "callee"}.get(call.direction, "") if call else ""
    written = next((p for p in find_phones(text) if p not in ours), "")
    caller = getattr(call, other_end) if other_end else ""
    email = "" if origin.party else message.sender.email
    mention = _own_mention(message, text, site)
    known = _registered(site, mention, (written, caller, email))
    house, exact, own = _house(mention, known, text, site)
    record = site.houses.get(house) if house else None
    name = _name(message, text, record, origin)
    registered = normalise_phone(record.phone) if record and own else ""
    phone = caller or written or ("" if message.paper and not name else registered)
    requester = Requester(name=name, phone=phone, email=message.sender.email)
    return Contact(requester, house, written, registered, exact, own)


def _own_mention(message: Message, text: str, site: Site) -> HouseMention | None:
    if message.call and message.call.house:
        id = normalise_house(message.call.house)
        if id:
            return HouseMention(id, message.call.house, (0, 0), id.count("-") == 2)
    return own_house(text, site.houses)


def _registered(site: Site, mention: HouseMention | None, contacts: tuple[str, ...]) -> House | None:
    """The house registered with one of the contacts; of several the one that the mention names or lies in."""
    for contact in contacts:
        houses = site.houses_by_contact(contact)
        if mention:
            inside = [h for h in houses if h.id == mention.id or h.id.startswith(mention.id + "-")]
            if inside:
                return inside[0]
        if len(houses) == 1:
            return houses[0]
    return None


def _house(mention: HouseMention | None, known: House | None, text: str, site: Site) -> tuple[str | None, bool, bool]:
    if mention and mention.exact:
        return mention.id, True, True
    if known:
        return known.id, True, True
    if mention:
        return mention.id, False, True
    places = find_houses(text, site.houses)
    return (places[0].id, places[0].exact, False) if places else (None, False, False)


def _name(message: Message, text: str, record: House | None, origin: Origin) -> str:
    call = message.call
    if call and call.customer:
        return call.customer
    if record and record.owner and record.owner in text and not re.search(_LANDLORD + re.escape(record.owner), fold(text)):
        return record.owner
    first, _, rest = text.partition("\n")
    heading = len(first) + 1 if rest.strip() and first.strip() and first.strip() in message.subject else 0
    if found := written_name(text, heading):
        return found
    if origin.party:
        return message.sender.name
    if message.sender.name and "@" not in message.sender.name:
        return message.sender.name
    return record.owner if record and not message.paper else ""


def written_name(text: str, heading: int = 0) -> str:
    """The name a writer gives: introduced (我是…), before a telephone number, or alone on one of the last lines.

    The first ``heading`` characters are what the message is headed with, and no signature.
    """
    folded = fold(text)
    for pattern in (_INTRODUCED, _BEFORE_PHONE):
        for match in pattern.finditer(folded):
            if is_name(match[1]):
                return text[match.start(1) : match.end(1)]
    for start, line in _last_lines(text, folded, 4):
        alone = _ALONE.match(line)
        if alone and start >= heading and is_name(alone[1]):
            return text[start + alone.start(1) : start + alone.end(1)]
    return _name_after_house(text, folded)


def _name_after_house(text: str, folded: str) -> str:
    for mention in find_houses(text):
        next_words = re.match(rf"[ ,:的]{{0,2}}(?:业主|住户|室|房)?[ ,:]{{0,2}}{_NAME}{_END}", folded[mention.span[1] :])
        if next_words and is_name(next_words[1]) and len(next_words[1]) <= 3:
            start = mention.span[1] + next_words.start(1)
            return text[start : start + len(next_words[1])]
        called = _CALLED.match(folded, mention.span[1])
        if called and called[1][1] in SURNAMES:
            return text[called.start(1) : called.end(1)]
    return ""


def _last_lines(text: str, folded: str, most: int) -> Iterator[tuple[int, str]]:
    lines, start = [], 0
    for line in folded.split("\n"):
        if line.strip():
            lines.append((start, line))
        start += len(line) + 1
    yield from reversed(lines[-most:] if len(lines) > 1 else [])


def is_name(text: str) -> bool:
    """Whether two to four characters look like a person's name."""
    if _POLITE.match(text):
        return text[0] in SURNAMES
    return 2 <= len(text) <= 4 and text[0] in SURNAMES and not any(word in text for word in NOT_NAMES)


def notice_numbers(text: str) -> tuple[str, ...]:
    """Document numbers such as 物联〔2025〕018号 in the form 〔〕, each once; brackets of all sorts are read (S1-5.7.3).

    〔2025〕某办字第12号 is a number, too.
    """
    found = [f"〔{m[1]}〕{m[2]}{m[3]}{m[4]}号" for m in _YEAR_FIRST_NO.finditer(text)]
    for match in _NOTICE_NO.finditer(text) if _BRACKETED_YEAR.search(text) else ():
        own = match.start() == 0 or text[match.start() - 1] in _HEADING
        prefix = match[1] if own and match[1][0] in "及和与" else _LEADING.sub("", match[1])
        if prefix and prefix != "客联":
            found.append(f"{prefix}〔{match[2]}〕{match[3]}号")
    return tuple(dict.fromkeys(found))


def letter_date(text: str, opened: datetime) -> date | None:
    """The date on one of the last lines of a letter; without a year the last such day before the opening."""
    for _, line in _last_lines(text, fold(text), 3):
        match = _LETTER_DATE.search(line.strip())
        if match and (month := number(match[2])) and (day := number(match[3])):
            years = (number(match[1]),) if match[1] else (opened.year, opened.year - 1)
            for year in years:
                found = _date(year, month, day)
                if found and (match[1] or found <= opened.date()):
                    return found
    return None


def _date(year: int | None, month: int, day: int) -> date | None:
    try:
        return date(year or 0, month, day)
    except ValueError:
        return None


def policy_start(text: str, at: datetime, site: Site) -> date | None:
    """The day from which a policy holds: 自2025年3月15日起执行 (S1-5.5.3)."""
    for match in _VALID_FROM.finditer(fold(text)):
        found = find_when(text[match.start(1) : match.end()], at, site.calendar)
        if found:
            return _first_named_day(text[match.start(1) : match.end(1)], found[0][0], at)
    for line in text.split("\n"):
        if _START_WORD.search(line):
            found = find_when(line, at, site.calendar)
            if found:
                return found[0][0].date()
    return None


def _first_named_day(words: str, found: datetime, at: datetime) -> date:
    """The day as named: find_when moves a closed day to the next open one, a start date stays where it is."""
    numeral = r"([0-9]{1,2}|[一二三四五六七八九十廿]{1,3})"
    match = re.search(rf"{numeral}\s?月\s?{numeral}", fold(words))
    if match:
        named = _date(found.year, number(match[1]) or 0, number(match[2]) or 0)
        return named or found.date()
    return found.date()


def agreed_times(
    text: str, at: datetime, site: Site, *, within: timedelta, ours: bool = False
) -> tuple[datetime | None, datetime | None]:
    """Times agreed with the owner: for an answer, and for the thing to be done (S0-4.1.3, S4-2.4.1).

    ``ours``: our own people wrote it down, so who promises without being named is our side.
    """
    reply = promise = None
    if not _AGREED.search(fold(text)):
        return reply, promise
    for sentence in re.findall(r"[^。!?！？；;\n]+[?？]?", text):
        folded = fold(sentence)
        word = next((m for m in _AGREED.finditer(folded) if _is_agreed(folded, m, ours)), None)
        if not word or _BROKEN.search(folded, word.start()):
            continue
        for instant, (start, end) in find_when(sentence, at, site.calendar):
            if start < word.start() or not at < instant <= at + within:
                continue
            tail = folded[end : end + 14]
            answers, solves = _REPLY.search(tail), _SOLVE.search(tail)
            if solves and (not answers or solves.start() < answers.start()):
                promise = promise or instant
            if answers or not solves:
                reply = reply or instant
            break
    return reply, promise


def dispatch_numbers(text: str) -> tuple[str, ...]:
    """The numbers under which an authority hands a call on: 工单编号:RX20250423-00871."""
    return tuple(dict.fromkeys(m[1] for m in _DISPATCH_NO.finditer(text)))


def wanted_by(text: str, at: datetime, site: Site, *, within: timedelta) -> datetime | None:
    """Until when an authority wants an answer: 请于4月28日17:00前书面反馈 (S1-4.3.6)."""
    for sentence in re.findall(r"[^。!?！？；;\n]+", text):
        for instant, (_, end) in find_when(sentence, at, site.calendar):
            if at < instant <= at + within and _WANTED_BY.search(fold(sentence)[end:]):
                return instant
    return None


def new_number(text: str) -> str:
    """The number under which somebody says he can be reached from now on, "" where he gives none (S2-1.A1)."""
    folded = fold(text)
    said = next((m for m in _FROM_NOW_ON.finditer(folded) if not _OF_OTHERS.search(folded[max(m.start() - 12, 0) : m.start()])), None)
    return next(iter(find_phones(text[said.start() :])), "") if said else ""


def noted_time(note: str, at: datetime, site: Site, *, within: timedelta) -> datetime | None:
    """When our agent noted that the customer will hear from us, whether or not it says that this was agreed (S0-4.1.3)."""
    for sentence in re.findall(r"[^。!?！？；;\n]+[?？]?", note):
        folded = fold(sentence)
        for instant, (_, end) in find_when(sentence, at, site.calendar):
            if at < instant <= at + within and _NOTED.match(folded, end) and not re.search("[不没未]", folded[end : end + 8]):
                return instant
    return None


def _is_agreed(sentence: str, word: re.Match[str], ours: bool) -> bool:
    """Whether the word tells of a promise that was made: not denied, asked for or demanded, and by our side if by one alone."""
    before = sentence[: word.start()]
    if _NOT_AGREED.search(re.split(r"[,:、]", before)[-1]) or sentence.endswith(("?", "吗")):
        return False
    if word["mutual"] or ours:
        return True
    who = max(_PROMISER.finditer(before), key=re.Match.start, default=None)
    if who is None:
        return bool(re.search(r"[已曾]经?$", before))
    if who["we"]:
        return True
    told = not word["firm"] or _PAST.search(before + sentence[word.end() : word.end() + 1])
    return bool(who["you"] and told)
