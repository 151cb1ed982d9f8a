"""What a mail says to us: words of command, and the text that belongs to each. Linear in the length of the text."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kefud.api import fold, objection

PHRASES: dict[str, Any] = tomllib.loads((Path(__file__).parent / "phrases.toml").read_text("utf-8"))
LONGEST = 20_000
"""Characters that are searched for commands; all of the text stays in the archive."""

_BEFORE = (
    r"(?:(?:现(?!场)|目前|我司|我部|我方|我公司|我队|我单位|本单位|本队|本公司|我们|本部|该问题|该事项|该件|此件|此事|上述问题|均|都|问题|经核实|您反映的问题)"
    r"[,\s]?){0,3}"
)
_START = r"(?:^|(?<=[\n。;,!?:、]))[ \t]{0,8}(?:[(【\[《「\"“'*·•>-]|\d{1,2}[.、)]|[一二三四五六七八九十][、.]){0,2}[ \t]{0,4}"
_COMMANDS = re.compile(
    f"{_START}{_BEFORE}(?:"
    + "|".join(f"(?P<{name}>{'|'.join(words)})" for name, words in PHRASES["command"].items())
    + ")",
    re.MULTILINE,
)
_LABELS = {fold(word): field for field, words in PHRASES["labels"].items() for word in words}
_LABEL = re.compile(
    f"({'|'.join(sorted(map(re.escape, _LABELS), key=len, reverse=True))})(?:如下)?[ \t]{{0,4}}[:：][ \t]{{0,4}}|(经查)[,，:：]"
)
_NAMED = ("liable_unit",)
"""Labels that are followed by a name; what comes after its sentence is another word."""
_REASON = re.compile(r"(?:^|[\s,。;:、!])(?:理由|原因|因为|由于|因)(?:是|为|系)?[:\s]{0,3}")
_CLOSING = tuple(fold(word) for word in PHRASES["closing"]["starts"])
_GREETINGS = "|".join(map(re.escape, PHRASES["closing"]["greetings"]))
_GREETING = re.compile(rf"^\s{{0,8}}[^\n,。!:]{{0,16}}?(?:{_GREETINGS})[^\n,。!:]{{0,8}}[,。!:\s]{{0,4}}")
_SMALL_TALK = re.compile(r"[\W_]|的|了|您|你|们|贵|中心|物业|客服|师傅|非常|十分|很|太|大家|支持|帮助|处理|已")
MARKS = " \t\n,，。;；:：!！】])》」\"”'、"
_EMPTY = re.compile(r"[\W_]*")
_UNFINISHED = {name: re.compile("|".join(words)) for name, words in PHRASES["unfinished"].items()}
_CLAUSE = re.compile(r"[^,。;!?\n]+\??")
_SENTENCES = re.compile(r"[^。;；!！?？\n]+[。;；!！?？\n]?")
_PLAINLY_DONE = re.compile(r"(?:已(?:经)?|均已|都已)?(?:处理|整改|维修|修复|办理)?(?:完毕|完成|办结|解决|处理|整改)(?:了|好了|完毕|完成)?")
_BUT = re.compile("但|不过|只是|可是|可(?!以)|然而")
_WITHDRAWAL = {name: re.compile("|".join(words)) for name, words in PHRASES["withdrawal"].items()}
_NUMBERED = re.compile(r"\[?kf[0-9]{8}-?[0-9]{4,6}\]?")
_CALLER = re.compile(rf"(?:^|(?<=[,。;!?\n])){PHRASES['call']['caller']}", re.MULTILINE)
_CONSENT = {name: re.compile("|".join(words)) for name, words in PHRASES["consent"].items()}
_OF_WITHDRAWAL = ("takes_back", "stays_away", "settled", "polite")
_SHORT = 80
_LOOKED_AT = 200
_CUSTOMER = {name: re.compile("|".join(words)) for name, words in PHRASES["customer"].items()}


@dataclass(frozen=True, slots=True)
class Said:
    """A command found in a mail: its name, the words that gave it, the text up to the next command, and what stood before.

    ``whole`` is all three as they were written.
    """

    command: str
    words: str
    text: str
    before: str = ""
    whole: str = ""

    @property
    def reason(self) -> str:
        """What follows 因, 原因 or 理由, else all of the text."""
        found = _REASON.search(fold(self.text))
        return (self.text[found.end() :] if found else self.text).strip(MARKS)

    @property
    def given_reason(self) -> str:
        """What follows 因, 原因 or 理由 after the command or before it, else the next clause, else what stood before."""
        if _REASON.search(fold(self.text)):
            return self.reason
        found = _REASON.search(fold(self.before))
        if found:
            return self.before[found.end() :].strip(MARKS)
        _, *following = re.split(r"[,，。;；?？!！]", self.text, maxsplit=1)
        return "".join(following).strip(MARKS) or self.before.strip(MARKS)

    @property
    def account(self) -> str:
        """What was done, in the writer's words: the command word alone says nothing, a sentence around it all."""
        told = "".join(s for s in _SENTENCES.findall(self.text) if "?" not in fold(s)).strip(MARKS)
        plain = _PLAINLY_DONE.fullmatch(fold(self.words)) and not _BUT.match(fold(told))
        if plain and not self.before.strip(MARKS):
            return told
        asked = self.text[len(told) :] if told and self.text.startswith(told) else "" if told else self.text
        return self.whole.removesuffix(asked).strip(MARKS) if asked.strip(MARKS) else self.whole


_DAY = re.compile(r"(?:20)?\d{2}[年./-]\d{1,2}[月./-]\d{1,2}日?|\d{1,2}月\d{1,2}日")
_FOR_US_ONLY = re.compile(
    "|".join(PHRASES["internal"]["words"]),
)


def fit_to_tell(progress: str) -> bool:
    """Whether a department's own words on its progress may stand in a letter to the customer; what is meant for us may not (S1-5.1)."""
    return not _FOR_US_ONLY.search(fold(progress)) and not objection(progress)


_ACCEPTED = re.compile(
    r"(?:同意|已|经|现场|我|于?\d{1,2}[日号]|今[天日]|上午|下午|[,、\s]){0,6}(?:验收|复验|验|核验|复查|核实)?(?:结果|情况)?[:,为是\s]{0,3}"
    r"(?P<no>(?:不|未|没有?)(?:予)?(?:合格|通过|达标|同意验收)|退回(?:整改|返工|重做)|返工)?(?P<yes>(?:均|全部|已)?(?:合格|通过|达标|完毕|OK))?(?P<rest>.*)",
    re.IGNORECASE | re.DOTALL,
)


def acceptance(mail: str) -> tuple[bool, str] | None:
    """What the first line of a mail says of an acceptance, passed or not, and the words that follow; None where it says nothing."""
    text = spoken(mail)
    found = _ACCEPTED.match(fold(text))
    if found is None or not (found["no"] or found["yes"]):
        return None
    rest = text[found.start("rest") :].strip(MARKS)
    spoiled = not found["no"] and _BUT.match(fold(rest))
    return None if spoiled else (not found["no"], rest)


def spoken(mail: str) -> str:
    """The words of the mail without greeting lines, signature and the phrases that mail programs add."""
    kept: list[str] = []
    for line in mail[:LONGEST].splitlines():
        bare = fold(line).strip()
        if kept and bare.startswith(_CLOSING) or bare.startswith(_CLOSING[:4]):
            break
        kept.append(line)
    text = "\n".join(kept).strip()
    for _ in range(2):
        greeting = _GREETING.match(fold(text))
        text = text[greeting.end() :].strip() if greeting else text
    return text


def unsigned(mail: str, name: str) -> str:
    """A mail of an office less the last lines that bear its name, or a part of it, or the day."""
    lines = mail.rstrip().splitlines()
    while len(lines) > 1 and (last := lines[-1].strip()) and len(last) >= 2 and (last in name or name in last or _DAY.fullmatch(last)):
        lines.pop()
        while lines and not lines[-1].strip():
            lines.pop()
    return "\n".join(lines) if lines else mail


def commands(mail: str) -> list[Said]:
    """The commands of a mail in order, each once with its text."""
    text = spoken(mail)
    found: list[re.Match[str]] = []
    for match in _COMMANDS.finditer(fold(text)):
        if match.lastgroup == "handled" and _is_denied(match):
            continue
        if not found or match.lastgroup != found[-1].lastgroup:  # the same again goes on telling of it
            found.append(match)
    said: list[Said] = []
    last = 0
    for here, following in zip(found, [*found, None][1:], strict=True):
        name = here.lastgroup or ""
        end = following.start() if following else len(text)
        rest = text[here.end(name) : end].strip(MARKS)
        words, before = text[here.start(name) : here.end(name)].strip(), text[last : here.start(name)]
        whole = text[last:end].strip(MARKS)
        last = here.end(name)
        if name == "handled" and (_is_only_a_step(rest) or is_open(rest)):
            name, words, rest = _as_progress(f"{words}{text[here.end(name) : end]}")
        if said and said[-1].command == name:
            more = ",".join(filter(None, (words, rest)))
            said[-1] = replace(
                said[-1], text=",".join(filter(None, (said[-1].text, more))), whole=",".join((said[-1].whole, more))
            )
        if not any(s.command == name for s in said):
            said.append(Said(name, words, rest, before, whole))
    return said


def is_open(text: str) -> bool:
    """Whether an answer says that something is still to come: 待配件到货, 明天上门, 预计周五完成 (S1-9.1)."""
    clauses = _CLAUSE.findall(fold(text[:LONGEST]))
    return any(_UNFINISHED["open"].search(c) and not _UNFINISHED["settled"].search(c) for c in clauses)


def _is_denied(match: re.Match[str]) -> bool:
    """漏点一直没有找到, 已经处理了吗: the words of a result without one."""
    after = match.string[match.end() : match.end() + 20]
    return bool(_UNFINISHED["denied"].search(match["handled"]) or re.match(r"不了|[^,。;!\n]{0,12}(?:吗|\?)", after))


def _is_only_a_step(rest: str) -> bool:
    """已完成报价, 已更换供应商: what was done comes before the work, or is not the work."""
    return bool(_UNFINISHED["only"].search(fold(rest)))


def _as_progress(words: str) -> tuple[str, str, str]:
    """What reads like a result and is none tells how far the work has come."""
    first, mark, rest = re.match(r"([^,，。;；!！\n]*)([,，。;；!！\n]?)(.*)", words, re.DOTALL).groups()  # type: ignore[union-attr]
    return "in_progress", first.strip(MARKS), rest.strip(MARKS)


def labelled(text: str) -> dict[str, str]:
    """The fields a report names: 原因:… 措施:… 调查:… (S3-2.5.3)."""
    found = list(_LABEL.finditer(fold(text)))
    values: dict[str, str] = {}
    for here, following in zip(found, [*found, None][1:], strict=True):
        field = _LABELS[here[1] or here[2]]
        value = text[here.end() : following.start() if following else len(text)].strip(MARKS)
        if field in _NAMED:
            value = re.split(r"[。;；\n]", value, maxsplit=1)[0].strip(MARKS)
        if value and field not in values:
            values[field] = value
    return values


def unlabelled(text: str) -> str:
    """What stands before the first label of a report."""
    found = _LABEL.search(fold(text))
    return (text[: found.start()] if found else text).strip(MARKS)


def is_empty(text: str) -> bool:
    """True for a text of marks and blanks only."""
    return _EMPTY.fullmatch(text) is not None


def customer_says(mail: str, what: str) -> bool:
    """Whether a customer's mail says that: withdraw, chase, others, more, thanks (see phrases.toml)."""
    if what == "withdraw":
        return bool(withdrawal(mail))
    text = fold(spoken(mail))
    if what == "others":
        text = _CUSTOMER["found_others"].sub(" ", text)  # who has had it done wants nobody sent
    return bool(_CUSTOMER[what].search(text))


def withdrawal(mail: str, name: str = "") -> bool | None:
    """True where the whole mail takes the matter back, None where it only sounds so and a person should ask (S3-2.5.4).

    ``name`` is the customer's, who may sign with it.
    """
    text = _NUMBERED.sub("\n", fold(spoken(mail)))
    clauses = [c.strip(MARKS) for c in _CLAUSE.findall(text.replace(fold(name), "\n") if name else text)]
    clauses = [c for c in clauses if c]
    said = [next((kind for kind in _OF_WITHDRAWAL if _WITHDRAWAL[kind].fullmatch(c)), "") for c in clauses[:_LOOKED_AT]]
    if all(said) and sum(map(len, clauses)) <= _SHORT:
        if "takes_back" in said or {"stays_away", "settled"} <= {*said}:
            return True
        return None if "stays_away" in said else False
    return None if _sounds_like_withdrawal(text, clauses) else False


def by_telephone(content: str) -> str:
    """The customer's words as our agent noted them, without the note of who called: 业主来电称要求撤销报修 → 要求撤销报修."""
    return _CALLER.sub("", _NUMBERED.sub("\n", fold(content))).strip(MARKS)


def _sounds_like_withdrawal(text: str, clauses: list[str]) -> bool:
    hints = ["hint"] if _WITHDRAWAL["another_time"].search(text) else ["hint", "hint_but_for_another_time"]
    own = [c for c in clauses[:_LOOKED_AT] if not _WITHDRAWAL["not_hint"].search(c)]
    return any(_WITHDRAWAL[kind].search(c) for kind in hints for c in own)


def only_thanks(mail: str) -> bool:
    """A mail that thanks or nods and asks nothing."""
    text = fold(spoken(mail))
    rest = _SMALL_TALK.sub("", _CUSTOMER["thanks"].sub("", text))
    return bool(_CUSTOMER["thanks"].search(text)) and len(rest) <= 4 and "?" not in text


def consent(mail: str) -> bool | None:
    """A plain yes or no to more time, None for anything else: silence is no (S3-2.3.3)."""
    text = fold(spoken(mail))
    said = _CONSENT["no_more"].sub("", _CONSENT["twice"].sub("", text))
    twice = _CONSENT["twice"].search(text) is not None
    if _CONSENT["refuses"].search(said):
        return False
    clauses = [c.strip(MARKS) for c in _CLAUSE.findall(said)[:_LOOKED_AT]]
    agrees = any(_CONSENT["yes"].fullmatch(c) or _CONSENT["day_named"].fullmatch(c) for c in clauses)
    agrees = agrees or bool(clauses and _CONSENT["yes_at_first"].fullmatch(clauses[0]))
    if _CONSENT["presses"].search(said):
        return None if agrees else False
    return True if agrees and not twice and not _CONSENT["unless"].search(said) else None


def speaks_of_consent(mail: str) -> bool:
    """Whether a mail is about more time at all."""
    return bool(_CONSENT["about"].search(fold(spoken(mail))))
