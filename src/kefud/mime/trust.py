"""What our own mail server says about the sender (RFC 8601). Everything below its line may be forged."""

from __future__ import annotations

import re

from kefud.desk.message import Message
from kefud.mime.addresses import domain_of
from kefud.mime.headers import Headers, clean, raw_text

_RESULT = re.compile(r"([a-z0-9-]{1,40})(?:\s?/\s?\d{1,3})?\s{0,3}=\s{0,3}([a-z]{1,20})", re.I)
_PROPERTY = re.compile(r"(?:^|\s)([a-z]{1,20}\.[a-z0-9_-]{1,40})\s{0,3}=\s{0,3}(\"[^\"]{0,300}\"|[^\s;]{1,300})", re.I)
_SHARED = frozenset({"com", "net", "org", "gov", "edu", "ac", "mil", "co", "or", "ne", "go", "idv"})


def authentication_results(headers: Headers) -> tuple[str, ...]:
    """Authentication-Results above the second Received line, topmost first."""
    found: list[str] = []
    received = 0
    for name, raw in headers.fields:
        received += name == "received"
        if received > 1:
            break
        if name == "authentication-results":
            found.append(clean(raw_text(raw)))
    return tuple(found)


def authenticated(message: Message, authserv_id: str) -> bool:
    """Whether our server vouches for the From domain: dmarc=pass, or spf or dkim passing for an aligned domain.

    Exactly one field may bear our ``authserv_id``, in the very same spelling and without a comment before it. A mail
    whose From is no identity is never authenticated.
    """
    if not authserv_id or not message.identity or "@" not in message.sender.email:
        return False
    ours = [value for value in message.authentication if _claims(value, authserv_id)]
    if len(ours) != 1 or not _is_exactly(ours[0], authserv_id):
        return False
    bare = _without_comments(ours[0])
    return bare is not None and _passes(bare.split(";")[1:], message.sender.email.rpartition("@")[2])


def _claims(value: str, authserv_id: str) -> bool:
    """Whether the field speaks, or pretends to speak, in our name."""
    head = value.partition(";")[0]
    bare = _without_comments(head)
    wanted = authserv_id.lower()
    words = (head if bare is None else bare).replace('"', " ").lower().split()
    return bool(words and words[0] == wanted) or _is_exactly(value, authserv_id)


def _is_exactly(value: str, authserv_id: str) -> bool:
    words = value.partition(";")[0].split()
    return bool(words) and words[0] == authserv_id and (len(words) == 1 or (len(words) == 2 and words[1] == "1"))


def _without_comments(text: str) -> str | None:
    """The text with (nested) comments taken out; None where quotes or brackets do not close."""
    out: list[str] = []
    depth = 0
    quoted = False
    skip = False
    for char in text:
        if skip:
            skip = False
        elif char == "\\" and (depth or quoted):
            skip = True
        elif char == '"' and not depth:
            quoted = not quoted
            out.append(char)
        elif quoted:
            out.append("_" if char in ";=()" else char)
        elif char == "(":
            depth += 1
            out.append(" ")
        elif char == ")":
            depth -= 1
            if depth < 0:
                return None
        elif not depth:
            out.append(char)
    return None if depth or quoted else "".join(out)


def _passes(results: list[str], author: str) -> bool:
    dmarc: set[str] = set()
    aligned = False
    for result in results:
        match = _RESULT.match(result.strip())
        if not match:
            continue
        method, verdict = match[1].lower(), match[2].lower()
        properties = {name.lower(): value.strip('"') for name, value in _PROPERTY.findall(result)}
        if method == "dmarc":
            named = properties.get("header.from", author)
            dmarc.add(verdict if _aligned(named, author) else "other")
        elif verdict == "pass":
            aligned |= method == "spf" and _aligned(properties.get("smtp.mailfrom", ""), author)
            aligned |= method == "dkim" and _aligned(properties.get("header.d", ""), author)
    if dmarc & {"fail", "other"}:
        return False
    return dmarc == {"pass"} or aligned


def _aligned(value: str, author: str) -> bool:
    """Relaxed alignment: the same domain, or one below the other, but never at a registry such as com.cn."""
    domain = domain_of(value.strip("<>").rpartition("@")[2].rstrip("."))
    if not domain or not author:
        return False
    if domain == author:
        return True
    shorter, longer = sorted((domain, author), key=len)
    labels = shorter.split(".")
    return longer.endswith("." + shorter) and len(labels) > 1 and not (len(labels) == 2 and labels[0] in _SHARED)
