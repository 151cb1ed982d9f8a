"""What an approver's mail says: 同意 or 不同意, and the words that may leave."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NO = re.compile(r"^\s*(?:(?:暂|我)?不(?:予)?(?:同意|批准|准)|驳回|退回|否决|暂缓)")
_YES = re.compile(r"^\s*(?:我)?(?:同意|批准|准予|核准|已阅[,, ]?同意)")
_GREETING = re.compile(
    r"^\s*(?:[\u4e00-\u9fff]{0,12}[::,,]?\s*(?:您好|你好|早上好|上午好|下午好)|[\u4e00-\u9fff]{2,12}[::])[!!,,。::]*\s*$"
)
_LEAD = re.compile(
    r"^[\s,,。;;::!!]*(?:按?拟(?:答复|定)(?:办理)?[。\s]*$|(?:但)?(?:请)?(?:改为|改成|修改为)|因为?)?(?:请?(?:按|以)(?:以下|下述|如下)?(?:内容|口径|文本|意见)?)?"
    r"(?:请?(?:统一)?(?:答复|回复|答|批示|理由|意见|原因))?(?:业主|顾客|客户)?(?:如下|内容|文本)?[::,,。\s]*"
)
_CLOSING = re.compile(
    r"^\s*(?:--|—|此致|谢谢|祝好|以上|发自|来自|[\u4e00-\u9fff]{2,8}(?:部|中心|公司|办公室)\s*$|\d{4}年\d{1,2}月\d{1,2}日\s*$)"
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """An approver's decision and the text that came with it: the answer if approved, the reason if not."""

    approved: bool
    text: str


def verdict(mail: str) -> Verdict | None:
    """The decision in a mail (without its quotation), None where the first words are neither yes nor no."""
    lines = [line for line in mail.strip().splitlines()[:200] if line.strip()]
    while lines and _GREETING.match(lines[0]):
        lines.pop(0)
    if not lines:
        return None
    for approved, pattern in ((False, _NO), (True, _YES)):
        found = pattern.match(lines[0])
        if found:
            rest = [lines[0][found.end() :], *_without_closing(lines[1:])]
            return Verdict(approved, _LEAD.sub("", "\n".join(rest).strip(), count=1).strip())
    return None


def _without_closing(lines: list[str]) -> list[str]:
    end = next((i for i, line in enumerate(lines) if _CLOSING.match(line)), len(lines))
    return lines[:end]
