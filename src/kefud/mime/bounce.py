"""Mail that came back: RFC 3464 reports and the free forms of the large services."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice

from kefud.desk.message import Bounce
from kefud.desk.tokens import found_in, return_addresses_in
from kefud.mime.addresses import email_of, first_email
from kefud.mime.automatic import is_away_subject, is_daemon, is_no_reply, null_return_path, own_words
from kefud.mime.charsets import decode
from kefud.mime.headers import Headers, clean, clean_text, header_text, read_headers
from kefud.mime.limits import DEFAULT_LIMITS, Remarks
from kefud.mime.structure import Part

_STATUS_PARTS = frozenset({"message/delivery-status", "message/global-delivery-status"})
_ORIGINALS = frozenset({"text/rfc822-headers", "message/rfc822", "message/rfc822-headers", "message/global-headers"})
_OTHER_REPORTS = frozenset({"disposition-notification", "feedback-report"})
_EXAMINED = 64 * 1024
_SUBJECT = re.compile(
    r"退信|退回|退件|(?:延迟|延遲)(?:送达|送達|传递|傳遞|投递)|(?:无法|無法|未能|不能)(?:成功)?(?:传递|傳遞|送达|送達|投递|投遞|发送|發送|传送|傳送)|未送达|未傳遞|未送達|未传递|无法投递|無法投遞|无法送达|無法傳送|投递失败|发送失败|传递失败|傳送失敗|投遞失敗|递送失败|undeliver|"
    r"delivery status notification|failure notice|delivery (?:has )?fail|returned mail|returned to sender|delivery "
    r"notification|"
    r"delivery failure|mail delivery|message delivery|could not be delivered|not delivered|delayed mail|delivery delay|"
    r"mail (?:system )?error|message status|投递延迟|投递状态|warning: message|未找到地址|rejected|non-?delivery|mail fail|failed mail|"
    r"fail(?:ed|ure) to deliver|error (?:during|in|sending|delivering)|bounce|unsent|(?:传输|传送)失败",
    re.I,
)
_TEXT = re.compile(
    r"qmail-send program|could not be delivered|couldn't be delivered|wasn't delivered|was not delivered|unable to deliver|"
    r"delivery to the following recipient|permanent fatal errors|this is the mail system at host|undeliverable|"
    r"(?:无法|無法|未能|不能|没有|沒有)(?:成功)?(?:传递|傳遞|送达|送達|投递|投遞|发送|發送|传送|傳送)|(?:发送|投递|递送|传递|发信)(?:不成功|失败|已?延迟)|"
    r"未能送达|无法送达|无法投递|投递失败|被退回|退信|发送失败|未送达|不存在的收件人|拒收|delivery has failed|"
    r"recipients? failed|"
    r"has not yet been delivered|未找到地址|找不到地址|address not found|message not delivered|message blocked",
    re.I,
)
_DELAY = re.compile(
    r"delayed|will be retried|will retry|will keep trying|will continue|not yet been delivered|warning message only|"
    r"do not need to resend|"
    r"not (?:yet )?been (?:delivered|sent) yet|still (?:queued|undelivered|trying|in the queue)|warning[^\n]{0,20} only|attempts will|"
    r"temporary (?:problem|failure|error) |for (?:the )?past \d+ (?:hour|day)|"
    r"延迟|將繼續|将继续尝试|会继续尝试|继续(?:重试|投递|发送)|(?<!请)(?<!请您)(?<!建议)稍后重试|仍在尝试|暂时未能|暂未|\(delay\)",
    re.I,
)
_GAVE_UP = re.compile(
    r"permanent (?:error|fatal|failure)|i've given up|giving up|failed permanently|in the queue too long|will not (?:continue|retry)|"
    r"no further (?:delivery )?attempts|retry timeout exceeded|message expired|永久性?的?(?:失败|错误)|"
    r"不再(?:重试|尝试|继续|投递)|不会(?:再|继续)|已经?放弃|放弃继续",
    re.I,
)
_GIVEN_BACK = re.compile(
    r"failure notice|returned|undeliver(?:ed|able)|delivery (?:has )?(?:timed out|fail)|\(failure\)|notification: error|rejected|"
    r"not (?:be )?delivered|退信|退回|失败|失敗",
    re.I,
)
_SUCCESS_SUBJECT = re.compile(
    r"(?!.*(?:\bnot\b|n't\b|\bun|fail|未|没|不|无|無)).*"
    r"(?:success|return receipt|\b(?:delivered|relayed|expanded|opened)\s?(?:[:)]|$)|\(relay\)|已(?:送达|送達|中继|传递)|(?:投递|发送)成功)",
    re.I | re.S,
)
_ARRIVED = re.compile(r"\b(?:was|were|been) (?:successfully )?(?:delivered|relayed) (?:to|successfully)|已(?:经)?成功(?:投递|送达|发送)", re.I)
_REPLY_LINE = re.compile(
    r"(?<![\d.])[45][0-5]\d\b[^\n]{0,80}(?:user|mailbox|recipient|address|action|deliver|relay|account|reject|denied|用户|收件|邮箱|拒)",
    re.I,
)
_FAILED = re.compile(
    r"fail|not (?:a |yet )?(?:been |be )?(?:deliver|accept|sent|receiv|member|exist|found|allow)|undeliver|unable|cannot|can't|couldn't|"
    r"could not|no such|does(?:n't| not)|disabled|reject|refus|block|error|unknown|invalid|exceed|full|quota|expired|return|bounce|trouble|problem|"
    r"失败|失敗|无法|無法|未|不能|没有|退|拒|错误|錯誤|不存在|已满|已滿|超过|停用|丢弃|拦截|阻断|隔离",
    re.I,
)
_GOES_ON = re.compile(
    r"attempts will (?:continue|be made)|will (?:be retried|retry|continue to|keep trying|continue (?:trying|delivery))|warning[^\n]{0,20} only|"
    r"do not need to re-?send|將繼續|将继续|会继续尝试|继续(?:重试|投递|发送)|无[须需]重(?:新发送|发)",
    re.I,
)
_TO_THE_SENDER = re.compile(
    r"(?:^|\b(?:your|this|an?|the(?: \w{3,10})?) )(?:e-?mail|mail|message)\b.{0,200}?"
    r"(?:(?:not|n't|cannot|unable to|failed to)(?: yet)?(?: be(?:en)?)? (?:deliver|sent|transmitted|reach)|delivery problems|"
    r"(?:was|been|automatically) (?:rejected|bounced|returned))|"
    r"(?:unable|fail(?:ed|ure)|not able|error.{0,40}|trying|attempting) (?:to deliver|delivering|sending)\b|did not reach the|"
    r"\bdelivery (?:of|to) (?:the following|your|this|e-?mail|mail|message)|failed (?:recipient|address)|"
    r"non-?delivery report|undeliverable (?:address|mail)|\"notificationtype\"\s?:\s?\"bounce\"|"
    r"(?:您|你|以下|下列|该|此)(?:[^。件]|(?<=[收附])件){0,80}(?:邮件|郵件|信件|电邮|電郵)[^。]{0,80}?(?:"
    r"(?:未|未能|无法|無法|不能|没有|暂未)(?:成功)?(?:传递|傳遞|送达|送達|投递|投遞|发送|發送|传送|傳送|到达)|"
    r"(?:投递|投遞|发送|發送|传递|傳遞|递送|传输)(?:不成功|失败|失敗|已?延迟)|被(?:系统)?(?:退回|拒收|拒绝)|退信)|"
    r"(?:无法|無法|未能|不能)(?:将|將)?(?:邮件|郵件|您|發送|发送|投递|投遞|传递|傳遞)[^。]{0,30}(?:到|至|给|給|收件)|"
    r"退信(?:原因|代码)|被退回(?:的)?邮件",
    re.I,
)
_LABEL = re.compile(r"原因|收件(?:人|地址)|错误|\bfollowing\b|recipient|reason|error", re.I)
_FIRST_PERSON = re.compile(r"(?<![\w'.@-])(?:i|i'm|my|me)(?![\w'.@-])|我(?!们?很?遗憾)|咱|怎么|吗|[?？](?=\s|$)", re.I)
_ANSWER = re.compile(r"\s{0,5}(?:re|fwd?|aw|wg|tr|rv|回复|回覆|答复|转发|轉寄|轉發)\s?[:：]", re.I)
_SYSTEM_NAME = re.compile(
    r"mail[- ]?deliver|mail system|(?:mail|system|e-?mail|ndr) administrator|postmaster|mailer[- ]?daemon|delivery (?:sub)?system|"
    r"mail ?(?:server|service|gateway|router)|系统管理员|系統管理員|"
    r"邮件系统|郵件系統|邮件管理员|郵件管理員",
    re.I,
)
_SUCCESS = ("delivered", "relayed", "expanded", "deliverable")
_STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.]{0,3}\d)")
_CODE = re.compile(r"(?<![\d.@-])([45]\d\d)(?=[ \-:：,，])")
_MESSAGE_ID = re.compile(r"message[-_ ]?id[^<\n]{0,20}\n?[^<\n]{0,20}(<[^<>\s]{3,300}>)", re.I)
_ADDRESS = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._%+=-]{0,63}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}")
_REASON = re.compile(
    r"said:|\b[45]\d\d[ -]|退信原因|失败原因|原因|错误|error|reason|remote server|does not exist|不存在|full|已满|reject|拒",
    re.I,
)


def read_bounce(root: Part, headers: Headers, sender: str, subject: str, text: str) -> Bounce | None:
    """What a failed or delayed delivery says, None for any other mail.

    A report of success is none, and a person's mail that quotes a bounce is none: it takes the report type, or a mail
    system as the sender with the words of a bounce.
    """
    is_report = root.media_type == "multipart/report" and _report_type(root) in ("delivery-status", "")
    by_system = is_report or root.media_type in _STATUS_PARTS or _from_a_system(headers, sender)
    if not by_system and not _speaks_as_a_system(root, headers, sender, subject, text):
        return None
    groups = [group for part in root.leaves() if part.media_type in _STATUS_PARTS for group in _recipient_groups(part)]
    if groups:
        return _from_report(root, headers, groups, text)
    other = _is_other_report(root) and not _is_rejection(root, headers)
    if _SUCCESS_SUBJECT.match(subject) or other or is_away_subject(subject, True) or _arrived(text):
        return None
    named = b"mailer-daemon" in headers.raw("from").lower() and "x-imap" not in headers  # a mail folder's own record
    if named or not by_system or _SUBJECT.search(subject) or _TEXT.search(text[:8000]):
        return _from_text(root, headers, sender, subject, text)
    if not is_report and _answers(headers) and not is_daemon(sender, headers):
        return None  # a mailbox that answers, as in its owner's absence
    answers = _answers_ours(headers) and _REPLY_LINE.search(text[:8000])
    if answers or _DELAY.search(subject) or _gives_back(root, text):
        return _from_text(root, headers, sender, subject, text)
    return None


def _speaks_as_a_system(root: Part, headers: Headers, sender: str, subject: str, text: str) -> bool:
    """Whether a sender without any other sign answers nobody and tells the sender of a mail, as systems do, what became of it.

    Who bears the name of a mail system has to give back a letter or to use those words; any other has to do more of it.
    """
    if _ANSWER.match(subject):
        return False
    named = _SUBJECT.search(subject)
    enclosed = [part.children[0] for part in islice(_all_parts(root), 30) if part.is_message and part.children]
    if not named and not enclosed and not text.startswith("{"):
        return False  # as nearly every mail
    start = " ".join(own_words(text[:1000]).partition("\nReceived:")[0].split())
    told = _TO_THE_SENDER.search(start)
    if named and _SYSTEM_NAME.search(headers.text("from")):
        return bool(told) or _gives_back(root, text)
    if not told or _FIRST_PERSON.search(start) or any(_is_a_systems(letter) for letter in enclosed):
        return False  # people say so themselves, or pass on what they got
    why = _STATUS.search(start) or _CODE.search(start) or _LABEL.search(start)
    if enclosed:
        return bool(why or _ADDRESS.search(start)) and not _answers(headers)
    return bool(why and _recipients(headers, text, sender))


def _is_a_systems(letter: Part) -> bool:
    return letter.media_type == "multipart/report" or bool(_SYSTEM_NAME.search(letter.headers.text("from")))


def _answers(headers: Headers) -> bool:
    return bool(headers.raw("in-reply-to") or headers.raw("references"))


def _answers_ours(headers: Headers) -> bool:
    return bool(found_in(header_text(headers.raw("in-reply-to") + b" " + headers.raw("references"))))


def _gives_back(root: Part, text: str) -> bool:
    """Whether it encloses or quotes a letter of ours and says that something failed or waits, in whatever words."""
    head = text[:8000]
    told = head.partition("\nReceived:")[0]
    if not (_STATUS.search(head) or _CODE.search(head) or _FAILED.search(told) or _DELAY.search(told)):
        return False
    if any(part.media_type in _ORIGINALS for part in islice(_all_parts(root), 30)):
        return True
    return bool(found_in(head) or found_in(_source(root)))


def _source(root: Part) -> str:
    """The beginning of the mail as it stands, and of its small parts that are coded in base64."""
    small = (part for part in islice(root.leaves(), 30) if part.is_base64 and part.end - part.start <= _EXAMINED)
    pieces = [root.source[root.start : min(root.end, root.start + 4 * _EXAMINED)], *(part.content() for part in small)]
    return b"\n".join(pieces).decode("ascii", "replace")


def _return_addresses(root: Part) -> tuple[str, ...]:
    head = root.source[: min(root.start, _EXAMINED)].decode("ascii", "replace")
    return return_addresses_in(f"{head}\n{_source(root)}")


def _is_other_report(root: Part) -> bool:
    """A receipt or a complaint: it encloses our letter too, and tells of no delivery."""
    return _report_type(root) in _OTHER_REPORTS or any(
        part.media_type.removeprefix("message/").removeprefix("global-") in _OTHER_REPORTS for part in root.children
    )


def _arrived(text: str) -> bool:
    """Whether it says that the letter came to its receiver, and nothing of any that did not."""
    start = text[:1000]
    return bool(_ARRIVED.search(start)) and not (_CODE.search(start) or _TEXT.search(start) or _TO_THE_SENDER.search(start))


def _is_rejection(root: Part, headers: Headers) -> bool:
    """A refusal that has the form of a receipt (RFC 5429 2.2): what was "deleted" nobody has read."""
    return b"reject" in headers.raw("auto-submitted").lower() and _report_type(root) == "disposition-notification"


def _report_type(root: Part) -> str:
    return root.parameters.get("report-type", "").strip().lower()


def _from_a_system(headers: Headers, sender: str) -> bool:
    """A mail system, not any service that reads no answers: of those most mails tell of parcels and orders."""
    return is_daemon("" if is_no_reply(sender) else sender, headers) or null_return_path(headers)


def _from_report(root: Part, headers: Headers, groups: list[Headers], text: str) -> Bounce | None:
    failing = [group for group in groups if not _succeeded(group)]
    if not failing:
        return None
    delayed = all(_field(group, "action").lower().startswith("delayed") for group in failing)
    recipients = _unique(first_email(_field(g, "original-recipient")) or first_email(_field(g, "final-recipient")) for g in failing)
    status = next((match[1] for g in failing if (match := _STATUS.search(_field(g, "status")))), "")
    reason = next((_field(g, "diagnostic-code") for g in failing if "diagnostic-code" in g), "") or _reason(text)
    return Bounce(
        message_ids=_quoted_ids(root, headers, text),
        recipients=recipients or _recipients(headers, text, ""),
        status=status,
        reason=reason.partition(";")[2].strip()[:300] or reason[:300],
        return_addresses=_return_addresses(root),
        permanent=not delayed,  # "failed" is final whatever the status: 4.4.7 is a queue that gave up (RFC 3464 2.3.3)
    )


def _succeeded(group: Headers) -> bool:
    action = _field(group, "action").lower()
    return action.startswith(_SUCCESS) or (
        not action.startswith(("fail", "delay", "error")) and _field(group, "status")[:2] == "2."
    )


def _recipient_groups(part: Part) -> list[Headers]:
    """The per-recipient groups of one delivery-status part (RFC 3464 2.1); at most one hundred."""
    data = part.source[part.start : part.end] if part.index < 0 else part.content()
    data = data[:_EXAMINED].replace(b"\r\n", b"\n").strip(b"\n") + b"\n"
    groups = []
    for block in data.split(b"\n\n")[:100]:
        block = block.lstrip(b"\n") + b"\n"
        group, _ = read_headers(block, 0, len(block), DEFAULT_LIMITS, Remarks())
        if "final-recipient" in group or "action" in group or "original-recipient" in group:
            groups.append(group)
    return groups


def _field(group: Headers, name: str) -> str:
    return header_text(group.raw(name))


def _from_text(root: Part, headers: Headers, sender: str, subject: str, text: str) -> Bounce:
    seen = text[:_EXAMINED]
    found = _STATUS.search(seen) or _CODE.search(seen)
    status = found[1] if found else ""
    if status and "." not in status:
        status = f"{status[0]}.0.0"
    final = _GAVE_UP.search(seen[:4000]) or (_GIVEN_BACK.search(subject) and not _GOES_ON.search(seen[:4000]))
    waits = status.startswith("4") or (not status and _DELAY.search(seen[:4000]))
    temporary = bool(_DELAY.search(subject) or (waits and not final))
    return Bounce(
        message_ids=_quoted_ids(root, headers, text),
        recipients=_recipients(headers, seen, sender),
        status=status,
        reason=_reason(seen) or clean(subject)[:300],
        permanent=not temporary,
        return_addresses=_return_addresses(root),
    )


def _reason(text: str) -> str:
    """The line of a bounce that tells why, or its first line."""
    lines = [line.strip() for line in text[:8000].split("\n") if line.strip()]
    told = next((line for line in lines if _REASON.search(line[:300])), lines[0] if lines else "")
    return clean(told)[:300]


def _recipients(headers: Headers, text: str, sender: str) -> tuple[str, ...]:
    failed = headers.raw("x-failed-recipients")
    if failed:
        return _unique(first_email(item) for item in header_text(failed).split(",")[:20])
    ours = {_untagged(first_email(header_text(headers.raw(name)))) for name in ("to", "delivered-to")}
    head = text[:8000].partition("\nReceived:")[0]
    marked = {match.start() for match in _MESSAGE_ID.finditer(head)}
    found = (
        email_of(match[0].strip(".")).removeprefix("smtp=")  # as X.400 names write it
        for match in _ADDRESS.finditer(head)
        if not any(start < match.start() < start + 80 for start in marked)
    )
    named = _unique(
        email for email in found if _untagged(email) not in ours and not email.startswith(("postmaster@", "mailer-daemon@"))
    )
    return tuple(email for email in named if email != sender) or named


def _untagged(email: str) -> str:
    local, at, domain = email.partition("@")
    return local.partition("+")[0] + at + domain


def _quoted_ids(root: Part, headers: Headers, text: str) -> tuple[str, ...]:
    """Every message id the report quotes: in header parts, attached originals, its own threading fields, or its text."""
    found: list[str] = []
    for part in islice(_all_parts(root), 30):
        if part is not root and "message-id" in part.headers:
            found.append(header_text(part.headers.raw("message-id")))
        if part.media_type in _ORIGINALS and not part.children:
            block = part.content()[:_EXAMINED].lstrip(b"\r\n")
            inner, _ = read_headers(block, 0, len(block), DEFAULT_LIMITS, Remarks())
            found.append(header_text(inner.raw("message-id")))
        elif not part.children and part.media_type.startswith(("text/", "message/")) and part.disposition != "attachment":
            found.extend(_ids_in(clean_text(decode(part.content()[:_EXAMINED], part.parameters.get("charset", ""))[0])))
    for name in ("x-original-message-id", "original-message-id", "in-reply-to", "references"):
        found.extend(header_text(headers.raw(name)).split()[:20])
    found.extend(_ids_in(text[:_EXAMINED]))
    found.extend(found_in(_source(root)))
    return _unique(item for item in found if item.startswith("<") and item.endswith(">"))


def _ids_in(text: str) -> list[str]:
    """Ids that are called so, and those that have the form of ours, whatever stands around them."""
    plain = text.replace("&lt;", "<").replace("&gt;", ">")
    return [*(match[1] for match in _MESSAGE_ID.finditer(plain)), *found_in(plain)]


def _all_parts(part: Part) -> Iterable[Part]:
    yield part
    for child in part.children:
        yield from _all_parts(child)


def _unique(items: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(item for item in items if item))[:20]
