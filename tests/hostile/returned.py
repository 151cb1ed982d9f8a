"""Letters that came back and notes of absence, as the systems of this world write them. Names and addresses are invented.

Each bounce is built around the Message-ID of the letter it returns: ``mail(id)`` gives the bytes. FREE are those of services
that follow no standard, REPORTS those with RFC 3464 parts, AWAY answers of machines, PEOPLE what only looks like one.
"""
# ruff: noqa: E501

from __future__ import annotations

import base64
import quopri
from collections.abc import Callable
from dataclasses import dataclass

OWN = "kefu@estate.example.com"
LOST = "heyangban@mail.example.com"
SUBJECT = "[KF20250303-0001] 您的来信已受理"


@dataclass(frozen=True)
class Case:
    """What a system writes; ``status`` and ``permanent`` are what must be read from it."""

    name: str
    mail: Callable[[str], bytes]
    status: str = ""
    permanent: bool = True


def word(text: str, charset: str = "utf-8") -> str:
    return f"=?{charset}?B?{base64.b64encode(text.encode(charset)).decode()}?="


def head(sender: str, subject: str, *more: str, path: str = "<>") -> str:
    plain = subject if subject.isascii() else word(subject)
    return "\r\n".join([
        f"Return-Path: {path}", "Received: from mx.other.example.cn by mx.estate.example.com; Mon, 03 Mar 2025 09:00:00 +0800",
        f"From: {sender}", f"To: {OWN}", f"Subject: {plain}", "Date: Mon, 03 Mar 2025 09:00:00 +0800",
        f"Message-ID: <{abs(hash((sender, subject, more)))}@mx.other.example.cn>", "MIME-Version: 1.0", *more,
    ])  # fmt: skip


def original(id: str, body: bool = False) -> str:
    """The head of our letter as a system gives it back, folded as on its way."""
    text = (
        f"Received: from mx.estate.example.com (mx.estate.example.com [192.0.2.7])\r\n\tby mx.other.example.cn; Mon, 3 Mar 2025 08:59:58 +0800\r\n"
        f"From: {word('客户服务中心')} <{OWN}>\r\nTo: {LOST}\r\nSubject: {word(SUBJECT)}\r\nMessage-ID:\r\n {id}\r\n"
        "Auto-Submitted: auto-replied\r\nDate: Mon, 3 Mar 2025 08:59:57 +0800\r\nMIME-Version: 1.0\r\n"
        'Content-Type: text/plain; charset="utf-8"\r\nContent-Transfer-Encoding: base64\r\n'
    )
    return text + ("\r\n" + base64.b64encode("您的来信已受理。".encode()).decode() + "\r\n" if body else "\r\n")


def plain(headers: str, text: str, charset: str = "utf-8", how: str = "base64", kind: str = "plain") -> bytes:
    data = text.replace("\n", "\r\n").encode(charset)
    coded = base64.encodebytes(data) if how == "base64" else quopri.encodestring(data) if how == "quoted-printable" else data
    top = f"{headers}\r\nContent-Type: text/{kind}; charset={charset}\r\nContent-Transfer-Encoding: {how}\r\n\r\n"
    return top.encode() + coded


def parts(headers: str, kind: str, *pieces: tuple[str, str]) -> bytes:
    """multipart/``kind`` of (head lines, content)."""
    joined = "".join(f"--=_b\r\n{top}\r\n\r\n{content}\r\n" for top, content in pieces)
    return f'{headers}\r\nContent-Type: multipart/{kind}; boundary="=_b"\r\n\r\n{joined}--=_b--\r\n'.encode()


def report(
    name: str, sender: str, subject: str, text: str, fields: str, status: str, *, permanent: bool = True, last: str = "text/rfc822-headers",
    charset: str = "utf-8", more: tuple[str, ...] = (), kind: str = "plain",
) -> Case:  # fmt: skip
    """A report by RFC 3464 of one system."""

    def mail(id: str) -> bytes:
        coded = base64.encodebytes(text.encode(charset)).decode()
        pieces = [(f"Content-Type: text/{kind}; charset={charset}\r\nContent-Transfer-Encoding: base64", coded)]
        pieces.append(("Content-Type: message/delivery-status", fields.replace("\n", "\r\n")))
        if last:
            pieces.append((f"Content-Type: {last}", original(id, last == "message/rfc822")))
        extra = more if last else (*more, f"References: {id}", f"In-Reply-To: {id}")
        return parts(head(sender, subject, *extra), "report; report-type=delivery-status", *pieces)

    return Case(name, mail, status, permanent)


def fields(code: str, diagnostic: str, action: str = "failed", mta: str = "mx.other.example.cn", extra: str = "") -> str:
    return (
        f"Reporting-MTA: dns; {mta}\nArrival-Date: Mon, 3 Mar 2025 08:59:58 +0800\n\nFinal-Recipient: rfc822; {LOST}\n"
        f"Original-Recipient: rfc822;{LOST}\nAction: {action}\nStatus: {code}\nDiagnostic-Code: smtp; {diagnostic}\n{extra}"
    )


MDS = "MAILER-DAEMON@mx.other.example.cn (Mail Delivery System)"
REPORTS = [
    report("postfix", MDS, "Undelivered Mail Returned to Sender",
           f"This is the mail system at host mx.other.example.cn.\n\nI'm sorry to have to inform you that your message could not\nbe delivered to one or more recipients.\n\n<{LOST}>: host mx2.example.cn[192.0.2.9] said: 550 5.1.1\n    <{LOST}>: Recipient address rejected: User unknown (in reply to RCPT TO)",
           fields("5.1.1", f"550 5.1.1 <{LOST}>: Recipient address rejected: User unknown"), "5.1.1", last="message/rfc822"),
    report("postfix, delayed", MDS, "Delayed Mail (still being retried)",
           "####################################################################\n# THIS IS A WARNING ONLY.  YOU DO NOT NEED TO RESEND YOUR MESSAGE. #\n####################################################################",
           fields("4.4.1", "connect to mx2.example.cn[192.0.2.9]:25: Connection timed out", "delayed", extra="Will-Retry-Until: Sat, 8 Mar 2025 08:59:58 +0800\n"), "4.4.1", permanent=False),
    report("postfix, expired", MDS, "Undelivered Mail Returned to Sender", f"<{LOST}>: connect to mx2.example.cn: Connection timed out",
           fields("4.4.1", "connect to mx2.example.cn[192.0.2.9]:25: Connection timed out", "failed"), "4.4.1", permanent=True),
    report("exchange", "Microsoft Outlook <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@corp.example.cn>", f"未传递: {SUBJECT}",
           f"邮件未能送达以下收件人或通讯组:\n\n{LOST}\n未找到您输入的电子邮件地址。请检查收件人的电子邮件地址,然后尝试重新发送该邮件。\n\n供管理员使用的诊断信息:\n#550 5.1.1 RESOLVER.ADR.RecipNotFound; not found ##",
           fields("5.1.1", "550 5.1.1 RESOLVER.ADR.RecipNotFound; not found"), "5.1.1", kind="html"),
    report("office 365", "postmaster@corp.example.cn", f"Undeliverable: {SUBJECT}",
           f"Your message to {LOST} couldn't be delivered.\nheyangban wasn't found at mail.example.com.",
           fields("5.1.10", "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup"), "5.1.10", more=("Auto-Submitted: auto-replied", "X-MS-Exchange-Message-Is-Ndr:"), last="message/rfc822"),
    report("office 365, blocked", "postmaster@corp.example.cn", f"无法送达: {SUBJECT}", "您的邮件无法送达,因为收件人的组织拒绝了它。",
           fields("5.7.1", "550 5.7.1 TRANSPORT.RULES.RejectMessage; the message was rejected by organization policy"), "5.7.1", kind="html"),
    report("office 365, full", "postmaster@corp.example.cn", f"未送达: {SUBJECT}", "收件人的邮箱已满,暂时不能接收邮件。",
           fields("5.2.2", "554 5.2.2 mailbox full; STOREDRV.Deliver.Exception:QuotaExceededException"), "5.2.2"),
    report("gmail", "Mail Delivery Subsystem <mailer-daemon@googlemail.com>", "Delivery Status Notification (Failure)",
           f"** Address not found **\n\nYour message wasn't delivered to {LOST} because the address couldn't be found, or is unable to receive mail.\n\nThe response was:\n550 5.1.1 The email account that you tried to reach does not exist.",
           fields("5.1.1", "550-5.1.1 The email account that you tried to reach does not exist. Please try\n 550-5.1.1 double-checking the recipient's email address", mta="googlemail.com"), "5.1.1", last="message/rfc822", more=(f"X-Failed-Recipients: {LOST}", "Auto-Submitted: auto-replied")),
    report("gmail, delay", "Mail Delivery Subsystem <mailer-daemon@googlemail.com>", "Delivery Status Notification (Delay)",
           f"** Delivery incomplete **\n\nThere was a temporary problem delivering your message to {LOST}. Gmail will retry for 46 more hours.",
           fields("4.4.1", "dns: DNS server returned answer with no data", "delayed"), "4.4.1", permanent=False, last=""),
    report("sendmail", "Mail Delivery Subsystem <MAILER-DAEMON@mx.other.example.cn>", "Returned mail: see transcript for details",
           f"The original message was received at Mon, 3 Mar 2025 08:59:58 +0800\n\n   ----- The following addresses had permanent fatal errors -----\n<{LOST}>\n    (reason: 550 5.1.1 User unknown)",
           fields("5.1.1", "SMTP; 550 5.1.1 User unknown"), "5.1.1", last="message/rfc822", more=("Auto-Submitted: auto-generated (failure)",)),
    report("sendmail, warning", "Mail Delivery Subsystem <MAILER-DAEMON@mx.other.example.cn>", "Warning: could not send message for past 4 hours",
           "    **********************************************\n    **      THIS IS A WARNING MESSAGE ONLY      **\n    **  YOU DO NOT NEED TO RESEND YOUR MESSAGE  **\n    **********************************************",
           fields("4.4.7", "451 4.4.1 reply: read error", "delayed"), "4.4.7", permanent=False),
    report("coremail (163)", "Postmaster@163.example.cn", "系统退信",
           f"抱歉,您的邮件被退回来了……\n\n原邮件信息:\n时间 2025-03-03 08:59:57\n主题 {SUBJECT}\n收件人 {LOST}\n\n退信原因: 收件人不存在 (User not found)\n英文说明: {LOST} SMTP error, RCPT TO: 550 User not found: heyangban",
           fields("5.1.1", "SMTP error, RCPT TO: 550 User not found: heyangban", mta="m16-1.163.example.cn"), "5.1.1", charset="gbk", kind="html"),
    report("coremail (126), full", "Postmaster@126.example.cn", "系统退信/Systems bounce", "抱歉,您的邮件被退回来了……\n退信原因: 收件人邮箱容量已满",
           fields("5.2.2", "SMTP error, DATA: 552 Mailbox full", mta="m126.example.cn"), "5.2.2", charset="gb18030", last="message/rfc822"),
    report("tencent exmail", "postmaster@exmail.example.cn", "退信通知",
           f"无法发送到 {LOST}\n退信原因: 收件人邮箱地址不存在\n550 Mailbox not found. http://service.mail.example.cn/cgi-bin/help",
           fields("5.1.1", "host mx3.example.cn said: 550 Mailbox not found"), "5.1.1", charset="gb18030"),
    report("aliyun", "postmaster@aliyun.example.cn", f"退信通知: {SUBJECT}",
           f"您好!您的邮件未能成功发送至以下收件人:\n{LOST}\n失败原因: 550 RP:TRC Recipient not exists", fields("5.0.0", "550 RP:TRC The recipient is not exist"), "5.0.0"),
    report("sina", "Mail Delivery System <MAILER-DAEMON@mail.sina.example.cn>", "退信通知(Undelivered Mail Returned to Sender)",
           "This is the mail system at host mail.sina.example.cn.\n您的邮件无法投递到以下收件人。", fields("5.4.4", "Host or domain name not found. Name service error"), "5.4.4"),
    report("icloud, without the letter", "Mail Delivery System <postmaster@icloud.example.com>", "Undelivered Mail Returned to Sender", "user unknown",
           fields("5.1.6", "550 5.1.6 recipient no longer on server"), "5.1.6", last=""),
    report("domino", "Postmaster@domino.example.cn", f"DELIVERY FAILURE: 用户 heyangban ({LOST}) 未列于 Domino 通讯录",
           "您的文档未能投递到以下收件人,因为 用户 heyangban 未列于 Domino 通讯录", fields("5.1.1", "User heyangban not listed in Domino Directory"), "5.1.1"),
    report("zimbra", MDS, "Undelivered Mail Returned to Sender", "mail for mail.example.com loops back to myself",
           fields("5.4.6", "mail for mail.example.com loops back to myself"), "5.4.6", last="message/rfc822"),
    report("amavis, virus", '"Content-filter at mx.other.example.cn" <postmaster@mx.other.example.cn>', "Undeliverable mail, MTA-BLOCKED",
           "A message from <kefu@estate.example.com> was blocked", fields("5.7.0", "554 5.7.0 Reject, id=12345-01 - SPAM"), "5.7.0"),
    report("yahoo style", "MAILER-DAEMON@yahoo.example.com", "Failure Notice",
           f"Sorry, we were unable to deliver your message to the following address.\n\n<{LOST}>:\n554: delivery error: dd This user doesn't have a yahoo account",
           fields("5.0.0", "554 delivery error: dd This user doesn't have a account - mta1"), "5.0.0", last="message/rfc822"),
    report("utf-8 addresses (RFC 6533)", MDS, "Undelivered Mail Returned to Sender", "user unknown",
           fields("5.1.1", "550 5.1.1 unknown"), "5.1.1", last="message/global-headers"),
]  # fmt: skip


def _qmail(id: str) -> bytes:
    text = (
        "Hi. This is the qmail-send program at mx.other.example.cn.\nI'm afraid I wasn't able to deliver your message to the following addresses.\n"
        f"This is a permanent error; I've given up. Sorry it didn't work out.\n\n<{LOST}>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n"
        f"--- Below this line is a copy of the message.\n\nReturn-Path: <{OWN}>\n" + original(id, True).replace("\r\n", "\n")
    )
    return plain(head("MAILER-DAEMON@mx.other.example.cn", "failure notice"), text, "us-ascii", "7bit")


def _exim(id: str) -> bytes:
    text = (
        "This message was created automatically by mail delivery software.\n\nA message that you sent could not be delivered to one or more of its\n"
        f"recipients. This is a permanent error. The following address(es) failed:\n\n  {LOST}\n    host mx2.example.cn [192.0.2.9]\n"
        f"    SMTP error from remote mail server after RCPT TO:<{LOST}>:\n    550 5.1.1 No such user here\n\n"
        "------ This is a copy of the message, including all the headers. ------\n\n" + original(id).replace("\r\n", "\n")
    )
    more = (f"X-Failed-Recipients: {LOST}", "Auto-Submitted: auto-replied")
    return plain(head("Mail Delivery System <Mailer-Daemon@mx.other.example.cn>", "Mail delivery failed: returning message to sender", *more), text, "us-ascii", "7bit")


def _exim_warning(id: str) -> bytes:
    text = (
        "This message was created automatically by mail delivery software.\nA message that you sent has not yet been delivered to one or more of its\n"
        f"recipients after more than 24 hours on the queue on mx.other.example.cn.\n\nThe message identifier is:     1tp3Xk-0001\nThe subject of the message is: x\n"
        f"The address to which the message has not yet been delivered is:\n\n  {LOST}\n\nNo action is required on your part. Delivery attempts will continue for\nsome time.\n"
    )
    more = ("Auto-Submitted: auto-replied", f"References: {id}")
    return plain(head("Mail Delivery System <Mailer-Daemon@mx.other.example.cn>", "Warning: message 1tp3Xk-0001 delayed 24 hours", *more), text, "us-ascii", "7bit")


def free(
    name: str, sender: str, subject: str, text: str, *, status: str = "", permanent: bool = True, charset: str = "utf-8", how: str = "base64",
    kind: str = "plain", path: str = "<>", more: tuple[str, ...] = (), attach: bool = False,
) -> Case:  # fmt: skip
    """A bounce in a service's own words. ``{id}`` in the text or a header is the letter's Message-ID."""

    def mail(id: str) -> bytes:
        top = head(sender, subject, *(m.replace("{id}", id) for m in more), path=path)
        words = text.replace("{id}", id).replace("{bare}", id.strip("<>")).replace("{escaped}", id.replace("<", "&lt;").replace(">", "&gt;"))
        if not attach:
            return plain(top, words, charset, how, kind)
        coded = base64.encodebytes(words.encode(charset)).decode()
        return parts(
            top, "mixed", (f"Content-Type: text/{kind}; charset={charset}\r\nContent-Transfer-Encoding: base64", coded),
            ('Content-Type: message/rfc822\r\nContent-Disposition: attachment; filename="original.eml"', original(id, True)),
        )  # fmt: skip

    return Case(name, mail, status, permanent)


FREE = [
    Case("qmail", _qmail, "5.1.1"),
    Case("exim", _exim, "5.1.1"),
    Case("exim, warning", _exim_warning, "", False),
    free("qq", "PostMaster@qq.example.cn", "退信提醒",
         f"<div>很抱歉,您发送的邮件被退回,以下是该邮件的相关信息:</div><table><tr><td>被退回邮件</td><td>主 题:{SUBJECT}<br>时 间:2025-03-03 08:59:57</td></tr><tr><td>无法发送到</td><td>{LOST}</td></tr><tr><td>退信原因</td><td>收件人邮件地址不存在,邮件无法送达。<br>host mx3.qq.example.cn[192.0.2.11] said: 550 Mailbox not found.</td></tr></table>",
         status="5.0.0", charset="gb18030", kind="html", attach=True),
    free("qq, full, only a reference", "PostMaster@qq.example.cn", "系统退信", f"收件人({LOST})的邮箱已满,无法接收新的邮件。退信原因:552 Mailbox full", charset="gb18030", status="5.0.0", more=("In-Reply-To: {id}",)),
    free("foxmail, frequency", "PostMaster@foxmail.example.cn", "退信提醒", f"无法发送到 {LOST}。退信代码:550 Mail content denied. 原邮件 Message-ID:{{escaped}}", charset="gb18030", kind="html", status="5.0.0"),
    free("163, old form", "Postmaster <Postmaster@163.example.cn>", "系统退信", f"抱歉,您的邮件被退回来了……\n收件人 {LOST}\n退信原因 收件人邮箱已停用(550 User suspended)\n\n-----Original Message-----\n{original('{id}')}", charset="gbk", status="5.0.0"),
    free("yeah, english", "Postmaster@yeah.example.cn", "Systems bounce", f"Sorry, your message to {LOST} could not be delivered: 554 DT:SPM\nmessage-id: {{id}}", status="5.0.0"),
    free("sina, free", "MAILER-DAEMON@sina.example.cn", "退信通知", f"您好,您发往 {LOST} 的邮件投递失败。\n错误信息: 550 #5.1.0 Address rejected\n邮件标识 {{bare}}", charset="gb18030", status="5.1.0"),
    free("sohu", "postmaster@sohu.example.cn", "邮件投递失败通知", f"您的邮件未能送达 {LOST}\n原因:553 no such user\n", status="5.0.0", attach=True),
    free("21cn", "mailer-daemon@21cn.example.cn", "邮件退回通知", f"邮件无法投递:{LOST} 550 5.1.1 unknown user", charset="gbk", status="5.1.1", attach=True),
    free("139", "postmaster@139.example.cn", "退信：" + SUBJECT, f"尊敬的用户:您发给{LOST}的邮件发送失败,原因:对方邮箱不存在(550 5.1.1)。", status="5.1.1", attach=True),
    free("189, no null path", "postmaster@189.example.cn", "邮件发送失败", f"{LOST} 发送失败:550 用户不存在", path="<postmaster@189.example.cn>", status="5.0.0", attach=True),
    free("aliyun, free", "MAILER-DAEMON@aliyun.example.cn", "投递失败通知", f"您好!您发送的邮件投递失败。\n收件人:{LOST}\n失败原因:554 Reject by behaviour spam\n邮件ID:{{id}}", status="5.0.0"),
    free("exchange 2010, body only", "MicrosoftExchange329e71ec88ae4615@corp.example.cn", f"未传递: {SUBJECT}", f"无法将邮件传递给下列收件人或通讯组:\n\n{LOST}\n\n诊断信息: #550 5.1.1 RESOLVER.ADR.RecipNotFound; not found ##rfc822;{LOST}\n\n原始邮件头:\n\n{original('{id}')}", status="5.1.1"),
    free("exchange, traditional", "postmaster@corp.example.tw", f"無法傳遞: {SUBJECT}", f"您的郵件無法送達給以下收件者:\n{LOST}\n550 5.1.1 找不到此電子郵件地址\nMessage-ID: {{id}}", charset="big5", status="5.1.1"),
    free("lotus notes", "Mail Router <mailrouter@domino.example.cn>", "DELIVERY FAILURE: User heyangban not listed in public Name & Address Book", f"Your message could not be delivered because: User heyangban ({LOST}) not listed in public Name & Address Book\nMessage-ID: {{id}}"),
    free("groupwise", "Mailer-Daemon@groupwise.example.cn", "Message status - undeliverable", f"The message that you sent was undeliverable to the following: {LOST} (user not found)", attach=True),
    free("mdaemon", "MDaemon@mail.example.cn", "Permanent Delivery Failure", f"The attached message had PERMANENT fatal delivery errors!\n\n--> Error condition: 550 5.1.1 <{LOST}>, Recipient unknown", status="5.1.1", attach=True),
    free("winmail", "postmaster@winmail.example.cn", "Delivery Status Notification (Failure) 投递失败", f"你的邮件没有投递成功: {LOST}\n远程服务器回复: 550 5.1.1 Unknown user", status="5.1.1", attach=True),
    free("eyou", "mailer-daemon@eyou.example.cn", "邮件退回:投递失败", f"以下收件人投递失败: {LOST}\n用户不存在", charset="gbk", attach=True),
    free("richmail", "postmaster@richmail.example.cn", "递送失败", f"您的信件递送失败,收件人 {LOST} 拒收。\nMessage-Id: {{bare}}", charset="gb2312"),
    free("mailgun style", "postmaster@mg.example.com", "Message not delivered", f"Your message could not be delivered to {LOST}: 550 5.7.1 blocked\n\nMessage-Id: {{id}}", status="5.7.1"),
    free("hmailserver", "mailer-daemon@hmail.example.cn", "Message undeliverable: test", f"Your message did not reach some or all of the intended recipients.\n\nThe following recipient(s) could not be reached:\n\n   {LOST}\n      Error Type: SMTP\n      Remote server replied: 550 Unknown user\n\nhMailServer", status="5.0.0", more=("References: {id}",)),
    free("courier", '"Courier mail server at mx" <@mx.other.example.cn>', "NOTICE: mail delivery status.", f"This is a delivery status notification from mx.other.example.cn,\nrunning the Courier mail server.\n\n<{LOST}>:\n >>> RCPT TO:<{LOST}>\n <<< 550 User unknown", status="5.0.0", attach=True),
    free("spam gateway, quarantine", "postmaster@gateway.example.cn", "邮件被拒收通知", f"您发给 {LOST} 的邮件被反垃圾网关拒收(554 5.7.1)。Message-ID: {{id}}", status="5.7.1"),
    free("delay, chinese", "postmaster@corp.example.cn", f"延迟送达: {SUBJECT}", f"向以下收件人的传递已延迟:\n{LOST}\n服务器将继续尝试投递,您无须重新发送。Message-ID: {{id}}", permanent=False),
    free("base64 in one line, id split by a fold", "mailer-daemon@mx.other.example.cn", "Undeliverable", f"{LOST} unknown\nMessage-ID:\n  {{id}}\n"),
    free("no path, the name of a mail system", f"{word('邮件系统管理员')} <admin@corp.example.cn>", f"邮件未送达: {SUBJECT}", f"您的邮件没有送达以下收件人:\n{LOST}\n原因:用户不存在", path="<admin@corp.example.cn>", attach=True),
    free("no path, the name in English", "System Administrator <sysadm@corp.example.cn>", "Undeliverable: test", f"Your message did not reach the intended recipient.\n{LOST}\n  550 5.1.1 unknown", path="<sysadm@corp.example.cn>", status="5.1.1", attach=True),
    free("a language nobody here reads", "MAILER-DAEMON@mx.other.example.fi", "Postin toimitus", f"Viesti ei mennyt perille: {LOST}\nMessage-ID: {{id}}"),
    free("no code, a foreign language, the letter enclosed", "Posta <sistem@mx.other.example.tr>", "Iletilemedi", f"{LOST} adresine iletilemedi (unknown user)", attach=True),
    free("in the queue too long", "MAILER-DAEMON@mx.other.example.cn", "failure notice", f"Hi. This is the qmail-send program at mx.other.example.cn.\nThis is a permanent error; I've given up.\n\n<{LOST}>:\nI'm not going to try again; this message has been in the queue too long. (#4.4.1)\nMessage-ID: {{id}}", status="4.4.1"),
    free("greylisted until given up", "Postmaster@other.example.cn", "系统退信", f"收件人 {LOST}\n退信原因: 451 4.7.1 投递超时\nMessage-ID: {{id}}", status="4.7.1"),
    free("success denied", "mailer-daemon@other.example.cn", "Mail could not be successfully delivered", f"{LOST} unknown\nMessage-ID: {{id}}"),
    free("waits in the queue", "postmaster@other.example.cn", "Message delayed: test", f"Your message to {LOST} is still queued after 6 hours; delivery attempts will continue.\nMessage-ID: {{id}}", permanent=False),
    free("a warning that encloses the letter", "MDaemon@other.example.cn", "Warning: message still queued", f"The following message has not been delivered yet:\nTo: {LOST}\nThis is a WARNING only.", permanent=False, attach=True),
    free("not delivered yet, chinese", "Postmaster@other.example.cn", "邮件投递延迟通知", f"您发往 {LOST} 的邮件暂未送达(451 4.7.1),系统将继续投递,无需重发。\nMessage-ID: {{id}}", status="4.7.1", permanent=False),
    free("a gateway that answers", "post_master@sms.other.example.com", "Re: test", f"Error: Invalid user address\n550 - Requested action not taken: no such user here\nRCPT TO: {LOST}", path="<x@sms.other.example.com>", status="5.0.0", more=("In-Reply-To: {id}",)),
    free("a list that refuses", "list-admin@lists.other.example.com", "NOT MEMBER article", f"You ({LOST}) are not a member of this list. Original mail as follows:\n\nMessage-ID: {{id}}", more=("X-MLServer: list",)),
    free("envelope sender names the daemon", "Mail <m@other.example.com>", "mail failed, returning to sender", f"Failed addresses follow:\n {LOST} ... unknown host\nMessage text follows:\nMessage-Id: {{id}}", path="<MAILER-DAEMON@other.example.com>"),
    Case("the head as a named file, an unknown kind of multipart", lambda id: parts(
        head("mailer-daemon", "There was an error sending your mail", "Auto-Submitted: auto-replied"), "mx6d",
        ("Content-Type: text/plain", f"The following recipients returned permanent errors: {LOST}. Reason: [554 5.4.6 Hop count exceeded]"),
        ('Content-Type: text/plain; name="head.txt"\r\nContent-Disposition: attachment; filename="head.txt"', original(id))), "5.4.6"),
    free("quoted-printable html", "Mailer-Daemon@mx.other.example.cn", "Undelivered Mail", f"<html><p>Could not be delivered to <b>{LOST}</b>: 550 5.1.1</p><pre>Message-ID: {{escaped}}</pre>", how="quoted-printable", kind="html", status="5.1.1"),
]  # fmt: skip


def away(sender: str, subject: str, text: str, *more: str, path: str = "<x@y.example.cn>", charset: str = "utf-8") -> bytes:
    return plain(head(sender, subject, *more, path=path), text, charset)


ABSENT = "您好,我正在休假,3月10日返回,期间不能及时查看邮件,紧急事宜请联系样例同事(分机801)。"
OUT = "I am out of the office until 10 March with limited access to email. For urgent matters please contact Sample Colleague."
A = "业主 <heyangban@mail.example.com>"
AWAY = {
    "outlook chinese": away(A, f"自动答复: {SUBJECT}", ABSENT, "Auto-Submitted: auto-generated", "X-Auto-Response-Suppress: All"),
    "outlook chinese, stripped": away(A, f"自动答复: {SUBJECT}", ABSENT),
    "outlook, new wording": away(A, f"自动回复: {SUBJECT}", ABSENT),
    "outlook english": away(A, f"Automatic reply: {SUBJECT}", OUT),
    "outlook english, old": away(A, f"Out of Office: {SUBJECT}", OUT),
    "outlook traditional": away(A, f"自動回覆: {SUBJECT}", "我目前休假中。", charset="big5"),
    "outlook german": away(A, f"Automatische Antwort: {SUBJECT}", "Ich bin bis 10. März nicht im Büro."),
    "outlook german, old": away(A, f"Abwesenheitsnotiz: {SUBJECT}", "Ich bin nicht im Büro."),
    "outlook french": away(A, f"Réponse automatique : {SUBJECT}", "Je suis absent jusqu'au 10 mars."),
    "outlook spanish": away(A, f"Respuesta automática: {SUBJECT}", "Estoy fuera de la oficina."),
    "outlook japanese": away(A, f"自動応答: {SUBJECT}", "不在にしております。"),
    "qq": away(A, f"自动回复:{SUBJECT}", "您好,您的邮件我已收到,我会尽快回复您。", charset="gb18030"),
    "qq, re": away(A, f"自动回复: Re: {SUBJECT}", "谢谢来信!", charset="gb18030"),
    "163": away(A, f"自动回复:{SUBJECT}", "您的来信已收到。", "X-AutoReply: true", charset="gbk"),
    "163, re and body only": away(A, f"Re:{SUBJECT}", "这是一封自动回复邮件。您的来信我已收到,我会尽快回复。", f"In-Reply-To: <x@{'y'}>", charset="gbk"),
    "126, whole body": away(A, f"Re:{SUBJECT}", "您好!您的来信我已收到,我会尽快给您回复。谢谢!", charset="gbk"),
    "sina": away(A, f"[自动回复]{SUBJECT}", "来信收到。", charset="gb18030"),
    "aliyun": away(A, f"自动回复：{SUBJECT}", ABSENT),
    "foxmail": away(A, f"自动回复: {SUBJECT}", "我外出了。", "X-Mailer: Foxmail 7.2"),
    "exmail": away(A, f"自动回复:{SUBJECT}", ABSENT, "X-QQ-AUTOREPLY: 1"),
    "feishu": away(A, f"[Auto Reply] {SUBJECT}", OUT),
    "gmail": away(A, f"Re: {SUBJECT}", OUT, "Auto-Submitted: auto-replied", "Precedence: bulk", "X-Autoreply: yes"),
    "vacation(1)": away(A, "away from my mail", "I will not be reading my mail for a while.", "Precedence: junk"),
    "sieve": away(A, f"Auto: {SUBJECT}", OUT, "Auto-Submitted: auto-replied (vacation)"),
    "sieve, stripped": away(A, f"Auto: {SUBJECT}", OUT),
    "notes english": away(A, "AUTO: He Yangban is out of the office (returning 2025/03/10)", OUT),
    "notes chinese": away(A, "AUTO: 何样板 不在办公室 (返回时间 2025-03-10)", ABSENT),
    "domino": away(A, "何样板不在办公室", ABSENT, "Auto-Submitted: auto-generated"),
    "zimbra": away(A, f"Out of Office Re: {SUBJECT}", OUT, "X-Zimbra-Autoreply: yes"),
    "cpanel": away(A, f"Autoreply: {SUBJECT}", OUT),
    "exim": away(A, f"Auto-Reply: {SUBJECT}", OUT, path="<>"),
    "body says so, english": away(A, f"Re: {SUBJECT}", f"This is an automated response. {OUT}"),
    "body says so, chinese": away(A, f"回复: {SUBJECT}", f"【系统自动回复】{ABSENT}"),
    "body says so, formal": away(A, f"答复: {SUBJECT}", f"此邮件为系统自动发送,请勿直接回复。{ABSENT}"),
    "support desk": away("帮助台 <help@other.example.cn>", f"[工单#88231] {SUBJECT}", "您的请求已收到,本邮件由系统自动发出,请勿回复。"),
    "support desk, english": away("Help <help@other.example.com>", f"[#88231] {SUBJECT}", "We received your request. This is an automated message, please do not reply."),
    "challenge": away(A, f"[Verify] {SUBJECT}", "Please confirm that you are human.", "Auto-Submitted: auto-replied"),
    "receipt, chinese": away(A, f"已读: {SUBJECT}", f"您的邮件 已于 2025年3月3日 9:00 阅读。\n收件人: {OWN}"),
    "receipt, english": away(A, f"Read: {SUBJECT}", "Your message was read on Monday, March 3, 2025 9:00:00 AM."),
    "qq, only the body": away(A, f"Re: {SUBJECT}", "这是来自某某邮箱的假期自动回复邮件。\n\n我在外地,回来后再看。"),
    "body, busy": away(A, f"Re: {SUBJECT}", "您好,我目前正在值班,无法及时回复您的邮件。"),
    "body, a name below": away(A, f"Re: {SUBJECT}", "您好!您的邮件我已经收到了,我会尽快阅读并给您回复。  ——样板"),
    "body, in working days": away(A, f"回复: {SUBJECT}", "感谢您的来信,您的邮件已收到,我们将在阅读后尽快给您回复,谢谢!"),
    "body, english": away(A, f"Re: {SUBJECT}", "Thank you for your email. I am currently on annual leave and will reply upon my return."),
    "body, english, no access": away(A, f"Re: {SUBJECT}", "I'm out of the office this week with limited access to email."),
    "automatic response": away(A, f"Re: {SUBJECT} (Automatic Response)", OUT),
    "behind a long subject": away(A, f"{SUBJECT},关于厨房水龙头漏水一事的处理情况说明及后续安排 [自动回复]", ABSENT),
    "until": away(A, "Out of office until 10 March", OUT),
    "polish": away(A, f"Automatyczna odpowiedź: {SUBJECT}", "Jestem na urlopie."),
    "danish": away(A, f"Automatisk svar: {SUBJECT}", "Jeg er paa ferie."),
    "korean": away(A, f"자동 응답: {SUBJECT}", "부재중입니다."),
    "vacation reply": away(A, f"Vacation reply: {SUBJECT}", OUT),
    "delivered to a responder": away(A, f"Re: {SUBJECT}", "I am away.", "Delivered-To: Autoresponder"),
    "a service's noreply": away("服务平台 <fuwu-noreply@other.example.cn>", "感谢反馈", "已登记。"),
    "do.not.reply": away("do.not.reply@other.example.cn", "感谢反馈", "已登记。"),
    "challenge, body only": away(A, f"RE: {SUBJECT}", "This account is protected by Sample. Please visit the page below to have your address added to the allowed list."),
    "an old list": away("someone@lists.other.example.com", "[owners] 周末", "打球", "X-ML-Name: owners", "Mailing-List: contact owners-help@lists.other.example.com"),
    "receipt, not read": away(A, f"未读: {SUBJECT}", "您的邮件 在未阅读的情况下被删除。"),
}  # fmt: skip
PEOPLE = {
    "answers": away(A, f"Re: {SUBJECT}", "好的,谢谢。我明天上午在家,请师傅来。"),
    "is on a trip": away(A, f"回复: {SUBJECT}", "我这两天出差,周四回来,请周五再派人来看厨房漏水,电话联系我爱人。"),
    "complains of automatic replies": away(A, "投诉自动回复", "我每次写信都只收到你们的自动回复,没有人管。厨房还在漏水!"),
    "asks for a person": away(A, f"Re: {SUBJECT}", "别再给我发系统自动回复了,我要找经理!"),
    "reads": away(A, "已读通知但不同意", "通知我看了,不同意涨价。"),
    "quotes our own note": away(A, f"Re: {SUBJECT}", f"电梯又坏了。\n\n在 2025-03-03,客户服务中心 写道:\n> 此邮件为系统自动发送,请勿直接回复。\n> {ABSENT}"),
    "received": away(A, f"Re: {SUBJECT}", "收到。已安排张师傅今天下午上门。"),
    "a returned parcel": away(A, "快递被退回", "我的快递被物业退回了,投递失败,请查一下监控。"),
    "a bounce passed on": away(A, "Fw: 系统退信", "我给你们另一个邮箱写信被退回了,你们看看:\n抱歉,您的邮件被退回来了\n收件人 fuwu@estate.example.com\nMessage-ID: <x@mail.example.com>"),
    "the office is closed": away(A, "物业办公室没人", "我去了三次,不在办公室,没有人。"),
    "from a company that wants no automatic answers": away(A, "请修路灯", "3号楼东侧路灯不亮。", "X-Auto-Response-Suppress: DR, OOF, AutoReply"),
    "asks back": away(A, f"回复: 自动回复: {SUBJECT}", "那请问周三可以来吗?"),
    "encloses a bounce": parts(
        head(A, "退信,请看附件", path="<heyangban@mail.example.com>"), "mixed",
        ("Content-Type: text/plain; charset=utf-8", "我写给你们的信被退了,附件是退信。漏水没人管!"),
        ("Content-Type: message/rfc822", "From: MAILER-DAEMON@mx.other.example.cn\r\nSubject: Undelivered\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=q\r\n\r\n"
         f"--q\r\n\r\n550 5.2.2\r\n--q\r\nContent-Type: message/delivery-status\r\n\r\nFinal-Recipient: rfc822; {OWN}\r\nAction: failed\r\nStatus: 5.2.2\r\n--q--"),
    ),
    "an administrator's parcel": away(f"{word('系统管理员老样')} <laoyang@mail.example.com>", "快递无法投递", "门卫不让进,快递无法投递,已退回两次。请处理,5号楼 501 室"),
    "an apology": away("工程部 <engineering@estate.example.com>", f"Re: {SUBJECT}", "因系统升级,无法及时回复您的邮件,抱歉。漏水已修好。"),
    "received, and more": away(A, f"Re: {SUBJECT}", "邮件已收到,问题还没有解决,请尽快回复!"),
    "away, and a wish": away(A, f"Re: {SUBJECT}", "I am out of the office until Friday, please send the plumber on Monday."),
    "read the meter": away(A, "Read: the meter", "水表读数请重新读一遍。"),
    "automatic door": away(A, "自动门坏了", "单元门自动回弹太快,夹到老人。"),
}  # fmt: skip
