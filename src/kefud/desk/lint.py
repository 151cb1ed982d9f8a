"""Reads a text before it leaves the house: forbidden phrases, blame, promises nobody approved, personal data (RULES rule 13).

Pure. A "block" keeps the letter back until a person edits or overrides it; a "warn" is shown to whoever signs; a "hint" is
only advice. What customers said is theirs: quoted words are passed over (S0-4.3.2).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from kefud.desk.chinese import fold

Severity = Literal["block", "warn", "hint"]
Audience = Literal["owner", "party", "staff"]

LONGEST = 65_536
MOST_FINDINGS = 200
MOST_QUOTES = 500
SHORT_ANSWER = 15


@dataclass(frozen=True, slots=True)
class Finding:
    """One remark: ``span`` is its place in the text, ``suggestion`` a better wording or "" where there is none ready."""

    code: str
    message_zh: str
    span: tuple[int, int]
    severity: Severity
    suggestion: str = ""


@dataclass(frozen=True, slots=True)
class _Phrase:
    code: str
    severity: Severity
    pattern: re.Pattern[str]
    message: str
    suggestion: str = ""


def _phrase(code: str, severity: Severity, pattern: str, message: str, suggestion: str = "") -> _Phrase:
    return _Phrase(code, severity, re.compile(pattern), message, suggestion)


_US = "(?:我们|我|咱们|咱|本中心|我中心|本部门|我部门|客服中心|客服|这边|这里|这儿)(?:部门|中心|这边|这里)?"
_YOU = "[你您](?:们)?"

FORBIDDEN: tuple[_Phrase, ...] = (
    _phrase("forbidden", "block", "不(?:太|大|是很|怎么)?(?:知道|晓得)", "禁用语：不知道", "我为您核实后尽快答复"),
    _phrase(
        "forbidden",
        "block",
        "(?<!有)(?:没有?|毫?无)(?:什么|任何|啥|别的|其他|更好的)?(?:办法(?![律院规])|法子|辙)",
        "禁用语：没办法",
        "我们会协调……，目前可以先……",
    ),
    _phrase(
        "forbidden",
        "block",
        f"不(?:归|属于?|由|是){_US}(?:来|所)?(?:管|负责|处理|办|管辖)",
        "禁用语：不归我管",
        "此事由……部门办理，我们已转交并跟进",
    ),
    _phrase("forbidden", "block", "不归.{0,8}?管", "禁用语：不归……管", "此事由……部门办理，我们已转交并跟进"),
    _phrase(
        "forbidden",
        "block",
        "(?<!能)不(?:能|可以|给|可)(?:给|为|帮|替)?[您你]?办",
        "禁用语：不能办",
        "目前可以这样办理：……",
    ),
    _phrase("forbidden", "block", "(?<!行)不行(?![驶走动使车政人为文])", "禁用语：不行", "目前可以……"),
    _phrase(
        "forbidden",
        "block",
        "(?:管|办|做|帮|解决|处理|弄|搞)不(?:了|着|到(?!位)|成|来|上|下来)",
        "禁用语：管不了、办不了",
        "我们会协调……办理",
    ),
    _phrase(
        "forbidden",
        "block",
        "(?:找|问)(?:别人|别处|他们|人家|谁|别的部门|其他部门)(?:去|吧|好了|得了)",
        "禁用语：找别人去",
        "我们已转……部门，由我们答复您",
    ),
    _phrase(
        "forbidden",
        "block",
        f"{_YOU}(?:自己)?(?:还是|最好|应该|得|要)?(?:直接)?去?找(?:别人|别处|别的部门|其他部门)",
        "禁用语：找别人去",
        "我们已转……部门，由我们答复您",
    ),
    _phrase("forbidden", "block", "爱找谁找谁|另请高明|找谁都没用", "禁用语：找别人去", "我们已转……部门，由我们答复您"),
    _phrase(
        "buck",
        "block",
        f"(?:不是|不属于|不关|不算){_US}的?(?:事|责任|职责|问题|工作|业务|范围)",
        "推诿用语",
        "此事由……部门办理，我们已转交并跟进",
    ),
    _phrase(
        "buck",
        "block",
        f"(?:与|和|跟|同){_US}(?:没有?关系|无关|不相干)",
        "推诿用语",
        "此事由……部门办理，我们已转交并跟进",
    ),
    _phrase("buck", "block", f"{_US}说了不算|{_US}(?:也)?做不了主", "推诿用语", "我们已向主管请示，……前答复您"),
    _phrase(
        "buck",
        "warn",
        "规定就是这样|就是这么规定|制度就这样|上面规定的|只能这样了|就这样吧",
        "搪塞用语",
        "说明依据，并给出可行的办法",
    ),
    _phrase(
        "forbidden",
        "warn",
        "不(?:太|大|是很|怎么)?清楚(?!之处|的地方|的话)|说不(?:好|准|清)",
        "近似“不知道”",
        "我为您核实后尽快答复",
    ),
    _phrase(
        "forbidden",
        "warn",
        "无法(?:办理|处理|解决|受理|满足)|没法(?:办|弄|解决|处理)|不好办|没戏|不可能",
        "否定语气过重",
        "说明原因，并给出替代办法",
    ),
    _phrase("forbidden", "warn", "没空|没时间|忙不过来|顾不上|等着吧|慢慢等", "冷漠用语", "我们会在……前答复您"),
)  # fmt: skip

RUDE: tuple[_Phrase, ...] = (
    _phrase(
        "blame",
        "block",
        f"(?:是|都是|还不是|因为|由于)?{_YOU}(?:家)?自己(?:的)?(?:弄|搞|造成|损坏|用坏|操作不当|不小心|"
        f"不注意|没注意|没关|不听|问题|责任|原因|错)",
        "责怪业主",
        "据现场查看，原因为……",
    ),
    _phrase(
        "blame",
        "block",
        f"是{_YOU}的?(?:错|责任|过错|毛病)|(?:都|就|明明|完全|本来)是{_YOU}的?问题",
        "责怪业主",
        "据现场查看，原因为……",
    ),
    _phrase(
        "blame",
        "block",
        f"(?<![难不莫勿奇抱])(?:怪|怨)(?:不得|不着)?(?:{_YOU}|谁)|谁[让叫]{_YOU}|活该|自作自受|自找的|"
        f"咎由自取",
        "责怪业主",
    ),
    _phrase(
        "blame",
        "block",
        f"{_YOU}(?:早干|早做)(?:什么|嘛|啥)|{_YOU}(?:怎么|为什么)(?:不早|这么不|连|总是|老是|又)",
        "责怪业主",
        "请问……",
    ),
    _phrase(
        "blame",
        "block",
        f"{_YOU}(?:搞|弄|听|理解|看)错了|无理取闹|胡搅蛮缠|胡说|撒谎|没素质|神经病|刁民|无赖",
        "责怪、侮辱业主",
        "为避免误会，我们说明如下：……",
    ),
    _phrase(
        "sarcasm",
        "block",
        f"呵呵|哼|想得美|想多了|开什么玩笑|真是笑话|爱信不信|随{_YOU}便|随便{_YOU}|{_YOU}真行|"
        f"{_YOU}(?:高兴|开心)就好|有本事|爱(?:咋|怎么)[^,。;!?]{{0,4}}(?:咋|怎么)|无语(?![音言])",
        "讽刺用语",
    ),
    _phrase(
        "threat",
        "block",
        "走着瞧|后果自负|等着瞧|法庭(?:上)?见|(?:停|断)(?:水|电)(?:停|断)(?:水|电)|别怪(?:我|我们)|拉黑",
        "威胁用语",
        "请您配合……，我们随时协助",
    ),
    _phrase(
        "threat",
        "block",
        f"再(?:闹|投诉|纠缠|捣乱|无理)[^,。;!?]{{0,8}}(?:就|别怪|否则|我们将)|"
        f"追究{_YOU}的?[^,。;!?]{{0,6}}责任|报警(?:抓|处理){_YOU}",
        "威胁用语",
        "请您配合……，我们随时协助",
    ),
    _phrase("quarrel", "block", "少废话|闭嘴|别烦|滚(?:出去|开|蛋|远)|烦不烦|懒得|吵什么|关我屁事|你懂什么", "争吵用语"),
)  # fmt: skip

_DAY = "((?:\\d{4}年)?\\d{1,2}月\\d{1,2}[日号](?:\\d{1,2}(?::\\d{2}|[时点]\\d{0,2}分?))?|今[天日]|[本这]周[一二三四五六日天]?)"
_SOON = "([明后][天日]|下周[一二三四五六日天]?|[本下]个?月(?:底|初|中旬|末)|(?<!\\d)月[底末]|年底)"
_WITHIN = (
    "(?<!已)(?<!已在)(?<!已于)(?<![\\d一二三四五六七八九十])"
    "((?:\\d{1,3}|[一二三四五六七八九十两半]{1,3})个?(?:工作日|天|日|小时|钟头|分钟|周|星期|月)(?:之|以)?内)"
)
_BEFORE = "(?:之前|以前|以内|之内|前|内)(?![来往后期台门述款])(?!已)"
_DONE = "(?:完成|修好|解决|办好|办结|答复|到位|交付|竣工|修复|落实)"
_TIME_NOT_APPROVED = ("未经批准的时间承诺", "时间须与责任部门确认后再告知")

PROMISES: tuple[_Phrase, ...] = (
    _phrase(
        "promise",
        "block",
        "(?<!不能)(?<!难以)(?<![为以])保证(?!金|书|期|责任)|(?<!不)一定(?:会|能|给|为|让|帮|马上|解决|"
        "处理|修)|(?<!不)肯定(?:会|能|给|没问题)|绝对(?:会|能|没|不会)|包您|百分之百|100%|打包票|担保",
        "未经批准的承诺",
        "我们会尽力……，并于……前告知进展",
    ),
    _phrase(
        "promise",
        "block",
        "(?:给予|予以|进行|同意|可以|愿意|负责|为您|给您|向您|承担|全额|会|将|"
        "照价)[^,。;!?]{0,6}?(?:赔偿|赔付|补偿|退款|退费|退还|减免|免收|免除|赔您|赔给)"
        "|(?<![不否能法未可以])(?:免除|减免|免收|免去|免掉)(?:您|的|贵户|全部|部分|本|当|[一二三四五六七八九十两0-9]|个?[月年]度?){0,8}"
        "(?:物业|停车|管理|服务|维修|装修)?(?:费用?|滞纳金|违约金)",
        "未经批准的赔偿、减免承诺",
        "赔偿事项须经批准，我们正在请示",
    ),
    _phrase(
        "promise",
        "block",
        "(?:赔|补偿|退款|退费|退还|退|减免|优惠|扣除|"
        "抵扣)[^,。;!?]{0,8}?(?<![\\d.,])\\d[\\d,.]{0,14}(?:万元|万|元|块)|"
        "(?<![\\d.,])\\d[\\d,.]{0,14}(?:万元|万|元|块)[^,。;!?]{0,6}?(?:赔偿|补偿|退款|减免|抵扣)",
        "未经批准的金额",
        "金额须经批准，我们正在请示",
    ),
    _phrase("promise", "block", f"{_DAY}[^,。;!?\\d]{{0,4}}?{_BEFORE}", *_TIME_NOT_APPROVED),
    _phrase("promise", "block", f"{_DAY}[^,。;!?]{{0,4}}?[可能会将][^,。;!?]{{0,6}}?{_DONE}", *_TIME_NOT_APPROVED),
    _phrase(
        "promise",
        "block",
        f"(?:将|会|拟|预计|争取|计划|力争)[^,。;!?\\d]{{0,6}}?{_DAY}[^,。;!?]{{0,6}}?{_DONE}",
        *_TIME_NOT_APPROVED,
    ),
    _phrase("promise", "block", f"{_SOON}[^,。;!?\\d]{{0,6}}?(?:{_BEFORE}|{_DONE})", *_TIME_NOT_APPROVED),
    _phrase("promise", "block", f"{_WITHIN}[^,。;!?]{{0,6}}?(?:{_DONE}|上门|到场|处理|给您|维修)", *_TIME_NOT_APPROVED),
)  # fmt: skip

_STOCK = (
    "已知悉", "已收悉", "已收到", "收到", "知道了", "已反映", "已转达", "已转办", "已记录", "正在处理", "处理中", "会处理",
    "已处理", "尽快处理", "已经处理",
    "请耐心等待", "请等待", "按规定办理", "按规定执行", "研究研究", "会反映", "我们会跟进", "请知悉", "好的", "以上",
    "您的来件", "您反映的问题", "我们", "已", "将",
)  # fmt: skip

_NOT_NEGATIVE = re.compile(
    "对不起|不便|不好意思|不客气|不少于|不超过|不低于|不高于|不得|不断|不仅|不但|不只|不同|不影响|不论|不管|不必|不妨|不愉快|不满意|不同意|不错|不久|不时|不限|不含"
    "|不动产|不锈钢|不予受理|不当|不足|不一|不再|是不是|能不能|可不可以|要不要|好不好|行不行|有没有|无需|差不多|不到位|不及时|不见面|百姓"
)
_GREETING = re.compile("您好|你们好|尊敬的|各位好|大家好|敬启")
_CLOSING = re.compile("谢谢|感谢|致谢|再见|此致|敬礼|顺颂|祝您|顺祝|多谢")
_APOLOGY = re.compile("抱歉|道歉|歉意|对不起|致歉|赔礼|请您?谅解|不好意思")
_TIME = re.compile(
    "\\d{1,2}月\\d{1,2}[日号]|\\d{1,2}:\\d{2}|(?:\\d{1,3}|[一二三四五六七八九十两半]{1,3})个?(?:工作日|天|日|小时|分钟)(?:之|以)?内|今[天日]|明[天日]"
)
_POLITE_LINE = re.compile("^(?:尊敬的|您好|你好|[\\w·]{1,12}(?:女士|先生)|感谢|谢谢|此致|敬礼|祝)")

_DIGIT_RUN = re.compile(r"\d[\d -]{6}")
_MOBILE = re.compile(r"(?<![\d*])(?:\+?86[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}(?!\d)")
_LANDLINE = re.compile(r"(?<![\d*-])0\d{2,3}[- ]?\d{4}[- ]?\d{3,4}(?!\d)")
_IDENTITY = re.compile(r"(?<!\d)[1-9]\d{5}(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dx](?![\dx])")
_CARD = re.compile(r"(?<!\d)(?:\d{4}[- ]?){3}\d{4}(?:[- ]?\d{1,3})?(?!\d)")

_SAYS = re.compile(
    '(?<!我们)(?<!我)(?<!我方)(?<!中心)(?:反映|提到|提及|说|称|表示|讲|所述|回答|答复|原话|写道|来信|来件|诉求|认为|指出|投诉|回复)[^“「『"]{0,8}$'
)
_QUOTES = re.compile('“[^”]{1,500}”|「[^」]{1,500}」|『[^』]{1,500}』|"[^"\n]{1,500}"')
_FILLERS = frozenset(" \t\u00a0\u3000\u200b\u200c\u200d\u2060\ufeff-_*·.~、'`^|/\\")

_WITHOUT_FILLERS = str.maketrans("", "", "".join(_FILLERS))


def lint(
    text: str,
    *,
    quoted: Sequence[str] = (),
    audience: Audience = "owner",
    allowed_personal: bool | Collection[str] = False,
    approved_promises: bool | Collection[str] = False,
    complaint: bool = False,
    whole: bool = True,
    advice: bool = True,
) -> list[Finding]:
    """What is wrong with ``text``, in the order of its places.

    ``quoted`` are the customer's own words, passed over wherever they stand. ``allowed_personal`` and ``approved_promises``
    are true, false, or the numbers and wordings that may stand in the text (the recipient's own phone, our hotline, the
    deadline of the ticket). ``complaint`` asks for an apology and a time. ``whole`` is false for a part of a letter
    (an answer that a template will frame, an agent's phone note), which needs no greeting. Without ``advice`` what would
    only be better is not looked for.
    """
    text = text[:LONGEST]
    folded = _without_quotes(fold(text), _quoted_pieces(quoted))
    findings = [*_phrases(folded, FORBIDDEN)]
    if audience != "staff":
        findings += _phrases(folded, RUDE)
        findings += _exclamations(folded)
    else:
        findings += _phrases(folded, RUDE[-1:])
    if audience != "staff" and approved_promises is not True:
        findings += _promises(folded, approved_promises or (), audience)
    if allowed_personal is not True:
        findings += _personal(folded, allowed_personal or (), audience)
    if advice and whole and audience != "staff":
        findings += _manners(folded, complaint and audience == "owner")
    if advice and audience == "owner":
        findings += _style(folded)
        findings += _perfunctory(folded)
    return _sorted(findings)


def blocked(findings: Iterable[Finding]) -> bool:
    """True where a person must edit or override before the text leaves."""
    return any(f.severity == "block" for f in findings)


def objection(text: str, *, approved: bool = False) -> str:
    """Why a letter with these words of ours to a customer will wait for a person (S0-4.3.2), in Chinese; "" where it may go.

    ``approved`` are words that somebody entitled to promise has seen. It is the stricter look: no phone number and no time is
    known here that might stand in them after all.
    """
    found = lint(text, whole=False, advice=False, approved_promises=approved)
    return "; ".join(f.message_zh for f in found if f.severity == "block")


def _phrases(folded: str, phrases: Iterable[_Phrase]) -> Iterator[Finding]:
    for finding, _ in _matches(folded, phrases):
        yield finding


def _matches(folded: str, phrases: Iterable[_Phrase]) -> Iterator[tuple[Finding, str]]:
    """Phrases, found also where blanks or marks were slipped between the characters, each with the words that matter."""
    dense = folded.translate(_WITHOUT_FILLERS)
    for phrase in phrases:
        for match in phrase.pattern.finditer(dense):
            places = _places(folded)
            span = places[match.start()], places[match.end() - 1] + 1
            words = match[1] if match.re.groups and match[1] else match[0]
            yield Finding(phrase.code, phrase.message, span, phrase.severity, phrase.suggestion), words


@lru_cache(maxsize=2)
def _places(folded: str) -> list[int]:
    """Where each character stands that is none of those that may be slipped between others."""
    return [i for i, c in enumerate(folded) if c not in _FILLERS]


def _promises(folded: str, approved: Collection[str], audience: Audience) -> Iterator[Finding]:
    known = [_dense(fold(a)) for a in approved if a]
    severity: Severity = "block" if audience == "owner" else "warn"
    for found, words in _matches(folded, PROMISES):
        if not any(words in k or (len(k) >= 4 and k in words) for k in known):
            yield replace(found, severity=severity)


def _dense(text: str) -> str:
    return text.translate(_WITHOUT_FILLERS)


def _personal(folded: str, allowed: Collection[str], audience: Audience) -> Iterator[Finding]:
    if not _DIGIT_RUN.search(folded):
        return
    known = {_digits(fold(a)) for a in allowed}
    severity: Severity = "warn" if audience == "staff" else "block"
    taken: list[tuple[int, int]] = []
    kinds = (
        (_IDENTITY, "身份证号码", "block", "删去证件号码"), (_CARD, "银行卡号", "block", "删去卡号"),
        (_MOBILE, "手机号码", severity, "写作 138****0000 的形式或删去"), (_LANDLINE, "电话号码",
        "hint" if audience == "staff" else "warn", "核对是否为公开号码"),
    )  # fmt: skip
    for pattern, what, how, suggestion in kinds:
        for match in pattern.finditer(folded):
            span = match.span()
            digits = _digits(match[0])
            if len(taken) >= MOST_FINDINGS or digits in known or any(a < span[1] and span[0] < b for a, b in taken):
                continue
            if pattern is _CARD and not _luhn(digits):
                continue
            taken.append(span)
            yield Finding("personal", f"含收件人无权知悉的{what}", span, how, suggestion)  # type: ignore[arg-type]


def _digits(text: str) -> str:
    digits = re.sub(r"[^\dx]", "", text)
    return digits[2:] if len(digits) == 13 and digits.startswith("861") else digits


def _luhn(digits: str) -> bool:
    total = 0
    for place, character in enumerate(reversed(digits)):
        value = int(character) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _exclamations(folded: str) -> Iterator[Finding]:
    for match in re.finditer(r"[!?]{2,}", folded):
        if "!" in match[0]:
            yield Finding("exclamation", "叠用感叹号，语气失当", match.span(), "block", "改用句号")


def _manners(folded: str, complaint: bool) -> Iterator[Finding]:
    if not _GREETING.search(folded):
        yield Finding("greeting", "缺少问候语（您好）", (0, 0), "warn", "您好！")
    if not _CLOSING.search(folded):
        yield Finding("closing", "缺少致谢或结束语", (len(folded), len(folded)), "warn", "感谢您的理解与支持。")
    if complaint and not _APOLOGY.search(folded):
        yield Finding("apology", "投诉件回复缺少致歉", (0, 0), "warn", "给您带来不便，我们深表歉意。")
    if complaint and not _TIME.search(folded):
        yield Finding("time", "投诉件回复缺少办理或答复时间", (0, 0), "warn", "我们将于……前答复您。")


def _style(folded: str) -> Iterator[Finding]:
    plain = _NOT_NEGATIVE.sub(lambda m: "\0" * len(m[0]), folded)
    if match := re.search("不", plain):
        yield Finding("negative", "尽量避免“不”字", match.span(), "hint", "换用正面表述")
    if match := re.search("(?<!迷)你(?!好)", folded):
        yield Finding("address", "对业主宜称“您”", match.span(), "hint", "您")


def _perfunctory(folded: str) -> Iterator[Finding]:
    pieces = [p for line in folded.split("\n") for p in re.split("[,。;!?:]", line) if p.strip()]
    core = "".join(p.strip() for p in pieces if not _POLITE_LINE.match(p.strip()))
    rest = core
    for stock in _STOCK:
        rest = rest.replace(stock, "")
    if len(core) < SHORT_ANSWER or len(re.sub(r"\W", "", rest)) < 4:
        yield Finding("perfunctory", "答复过于简单，似有敷衍", (0, len(folded)), "hint", "写明核实情况、办理安排和时间")


def _quoted_pieces(quoted: Sequence[str]) -> list[str]:
    """What customers said as a whole, line by line (a letter may indent them) and sentence by sentence, the longest first."""
    pieces: set[str] = set()
    for words in map(fold, quoted):
        pieces.add(words.strip())
        pieces.update(line.strip() for line in words.split("\n"))
        pieces.update(s.strip() for s in re.findall("[^。;!?\n]{4,}[。;!?]*", words))
    return sorted((p for p in pieces if len(p) >= 2), key=len, reverse=True)[:MOST_QUOTES]


def _without_quotes(folded: str, quoted: Sequence[str]) -> str:
    """The text with what customers said blanked out; every other character keeps its place."""
    for words in quoted:
        folded = folded.replace(words, "\n" * len(words))
    pieces, last = [], 0
    for match in _QUOTES.finditer(folded):
        if _SAYS.search(folded, max(0, match.start() - 16), match.start()):
            pieces += [folded[last : match.start()], "\n" * len(match[0])]
            last = match.end()
    folded = "".join((*pieces, folded[last:]))
    return "\n".join("\n" * len(line) if line.lstrip().startswith(">") else line for line in folded.split("\n"))


def _sorted(findings: Iterable[Finding]) -> list[Finding]:
    """In the order of the text; of two remarks of one kind that overlap the more severe stays."""
    rank = {"block": 0, "warn": 1, "hint": 2}
    kept: list[Finding] = []
    for f in sorted(findings, key=lambda f: (rank[f.severity], f.span))[:MOST_FINDINGS]:
        if not any(k.code == f.code and k.span[0] < f.span[1] and f.span[0] < k.span[1] for k in kept):
            kept.append(f)
    return sorted(kept, key=lambda f: (f.span, rank[f.severity]))
