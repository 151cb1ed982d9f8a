"""Machines' mail is told from people's; failed deliveries say whom they did not reach and why; trust is hard to forge."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from kefud.desk.message import Address, Message
from kefud.mime import authenticated, read_mail

NOW = datetime(2025, 3, 3, 12, 0, tzinfo=UTC)


def read(head: str, body: str = "text") -> Message:
    start = "" if "From:" in head else "From: a@example.cn\n"
    return read_mail(f"{start}{head}\n\n{body}".encode(), received_at=NOW)


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        ("Auto-Submitted: auto-replied", "auto-submitted"),
        ("Auto-Submitted: auto-generated (rejected)", "auto-submitted"),
        ("Auto-Submitted: no", ""),
        ("Auto-Submitted: No; x=y", ""),
        ("Precedence: bulk", "precedence"),
        ("Precedence: Auto_Reply", "precedence"),
        ("Precedence: first-class", ""),
        ("List-Id: <x.y>", "list"),
        ("List-Unsubscribe: <mailto:x@y>", "list"),
        ("X-Autoreply: yes", "autoresponder"),
        ("X-Autorespond: 自动", "autoresponder"),
        ("X-Auto-Response-Suppress: All", "response-suppressed"),
        ("X-Auto-Response-Suppress: DR, OOF, AutoReply", ""),
        ("Delivered-To: Autoresponder", "autoresponder"),
        ("Delivered-To: kefu@example.cn", ""),
        ("Return-Path: <MAILER-DAEMON@example.cn>", "daemon-sender"),
        ("From: post_master@example.cn", "daemon-sender"),
        ("From: service-noreply@example.cn", "daemon-sender"),
        ("X-Mailing-List: <x.y>", "list"),
        ("Return-Path: <>", "null-return-path"),
        ("Return-Path: <a@example.cn>", ""),
        ("From: MAILER-DAEMON@example.cn", "daemon-sender"),
        ("From: MAILER-DAEMON (Mail Delivery System)", "daemon-sender"),
        ("From: 系统 <no-reply@example.cn>", "daemon-sender"),
        ("From: noreply+x@example.cn", "daemon-sender"),
        ("From: Postmaster <postmaster@example.cn>", "daemon-sender"),
        ("From: Noreen <noreen@example.cn>", ""),
        ("X-Kefud-Auto: yes", ""),
    ],
)
def test_signs_of_a_machine(head: str, reason: str) -> None:
    assert read(head).automatic == reason


@pytest.mark.parametrize(
    "head",
    [
        "List-Post: <https://groups.example.com/g/kefu>, <mailto:Kefu@estate.example.com>\r\nPrecedence: list",
        "List-Id: =?utf-8?B?5a6i5pyN?= <kefu.estate.example.com>\r\nList-Unsubscribe: <mailto:leave@groups.example.com>",
    ],
)
def test_the_group_of_our_own_address_is_no_list(head: str) -> None:
    """Where the service address is a group of the mail service, owners' mails come through it."""
    raw = f"From: owner@example.com\r\nTo: kefu@estate.example.com\r\nSubject: x\r\n{head}\r\n\r\nx\r\n".encode()
    assert read_mail(raw, received_at=NOW, own=("kefu@estate.example.com",)).automatic == ""
    assert read_mail(raw, received_at=NOW, own=("info@estate.example.com",)).automatic in ("list", "precedence")
    away = raw.replace(b"\r\n\r\n", b"\r\nAuto-Submitted: auto-replied\r\n\r\n")
    assert read_mail(away, received_at=NOW, own=("kefu@estate.example.com",)).automatic



@pytest.mark.parametrize(
    "subject",
    [
        "自动回复：报修",
        "自动回复: Re: 报修",
        "自动回复",
        "Re: 自动回复：报修",
        "自動回覆：報修",
        "自动答复: 报修",
        "[自动回复] 报修",
        "Out of office",
        "报修 (自动回复)",
        "Out of Office: repair",
        "Out of the office: repair",
        "Automatic reply: repair",
        "Auto-Reply: repair",
        "OOO: repair",
        "AutoReply: x",
        "休假中，自动回复",
        "我正在休假自动回复：报修",
        "系统自动回复：x",
        "Out of Office AutoReply: x",
        "Vacation: repair",
        "Afwezigheidsbericht: x",
        "부재중 자동 회신: x",
    ],
)
def test_out_of_office_subjects(subject: str) -> None:
    assert read(f"Subject: {subject}").automatic == "out-of-office-subject"


@pytest.mark.parametrize(
    "subject",
    [
        "关于自动回复的投诉",
        "自动回复太慢了，没有人处理",
        "请关闭自动回复",
        "你们的自动回复没有用",
        "Out of office hours nobody answers",
        "out of order",
        "我休假，请关闭自动回复",
        "Auto reply is useless",
        "电梯自动门坏了",
        "自动回复 没有用",
        "Oooh, a leak",
        "Vacation keys",
    ],
)
def test_a_person_who_speaks_of_automatic_replies_is_no_machine(subject: str) -> None:
    assert read(f"Subject: {subject}").automatic == ""


@pytest.mark.parametrize(
    "words",
    [
        "I will be out of the office starting 03/03/2025 and will not return until 03/10/2025.",
        "你好,邮件已收到!我会尽快处理并回复你的。",
        "此邮箱已停用,请勿回复。",
    ],
)
def test_a_machine_says_so_where_nothing_else_does(words: str) -> None:
    assert read("Subject: Re: 报修", words).automatic == "says-so"


@pytest.mark.parametrize(
    "mark", ["---原始邮件---", "---------- Forwarded message ----------", "-----Original Message-----", "发件人: 某某 <x@y.example.cn>"]
)
def test_what_a_person_passes_on_is_no_word_of_his(mark: str) -> None:
    machine = "此邮件为系统自动发送,请勿直接回复。您的邮件被退回。收件人 x@y.example.cn 退信原因 550"
    assert read("Subject: 转发: x", f"这封信没人管。\n\n{mark}\n{machine}").automatic == ""
    seen = read("Subject: 系统退信", f"{mark}\n{machine}")
    assert (seen.bounce, seen.automatic) == (None, "")


# --- bounces

ID = "<kefud.t5.1.ABCD@estate.cn>"


def report(
    action: str = "failed", status: str = "5.1.1", last: str = "text/rfc822-headers", kind: str = "delivery-status"
) -> Message:
    head = f'From: MAILER-DAEMON@mx.example.cn\nContent-Type: multipart/report; report-type={kind}; boundary="R"'
    body = (
        "--R\n\nYour mail could not be delivered.\n--R\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.cn\n\n"
        f"Final-Recipient: rfc822; z3@example.cn\nAction: {action}\nStatus: {status}\nDiagnostic-Code: smtp; 550 no such\n "
        f"user here\n"
        f"--R\nContent-Type: {last}\n\nFrom: cs@estate.cn\nMessage-ID: {ID}\nSubject: x\n\n--R--\n"
    )
    return read(head, body)


@pytest.mark.parametrize("last", ["text/rfc822-headers", "message/rfc822"])
def test_a_report_names_recipient_status_reason_and_the_mail(last: str) -> None:
    bounce = report(last=last).bounce
    assert bounce is not None
    assert (bounce.message_ids, bounce.recipients, bounce.status) == ((ID,), ("z3@example.cn",), "5.1.1")
    assert bounce.reason == "550 no such user here" and bounce.permanent


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ("ORIGINAL-RECIPIENT: rfc822;unknown\nFINAL-RECIPIENT:LOCAL;<z3@example.cn>", ("z3@example.cn",)),
        ("Original-Recipient: rfc822;z3@example.cn\nFinal-Recipient: x400; /G=z/O=x/", ("z3@example.cn",)),
        ("Final-Recipient: x400; /G=z/O=x/", ("z4@example.cn",)),
    ],
)
def test_a_recipient_is_named_somewhere(fields: str, found: tuple[str, ...]) -> None:
    head = "From: postmaster@mx.example.cn\nContent-Type: multipart/report; boundary=R"
    body = f"--R\n\nNot delivered: z4@example.cn\n--R\nContent-Type: message/delivery-status\n\n{fields}\nAction: failed\n--R--\n"
    bounce = read(head, body).bounce
    assert bounce is not None and bounce.recipients == found


@pytest.mark.parametrize(("action", "status"), [("delayed", "4.4.1"), ("delayed", "4.2.2"), ("delayed", "5.0.0")])
def test_what_may_still_arrive_is_not_permanent(action: str, status: str) -> None:
    bounce = report(action, status).bounce
    assert bounce is not None and not bounce.permanent


@pytest.mark.parametrize("action", ["delivered", "relayed", "expanded", "deliverable", "delivered (to mailbox)", "other"])
def test_a_report_of_success_is_no_bounce(action: str) -> None:
    seen = report(action, "2.0.0")
    assert (seen.bounce, seen.automatic) == (None, "delivery-report")


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("report; report-type=disposition-notification", "read-receipt"),
        ("report", "read-receipt"),
        ("mixed", "null-return-path"),
    ],
)
def test_a_read_receipt_is_no_bounce(kind: str, reason: str) -> None:
    head = f"Return-Path: <>\nSubject: 回执\nContent-Type: multipart/{kind}; boundary=R"
    body = (
        "--R\n\nThis return receipt says that it was displayed, not that it was understood.\n"
        "--R\nContent-Type: message/disposition-notification\n\nDisposition: manual-action; displayed\n"
        f"--R\nContent-Type: text/rfc822-headers\n\nMessage-ID: {ID}\n\n--R--\n"
    )
    seen = read(head, body)
    assert (seen.bounce, seen.automatic) == (None, reason)


FREE = {
    "qq": (
        "From: PostMaster@qq.com\nSubject: 系统退信\nContent-Type: text/html; charset=utf-8",
        "<p>很抱歉，您发送的邮件被退回。</p><p>收件人：z3@example.cn</p><p>退信原因：550 5.1.1 收件人不存在 Mailbox not found</p>"
        f"<p>Message-ID: {ID.replace('<', '&lt;').replace('>', '&gt;')}</p>",
    ),
    "163": (
        "From: Postmaster@163.com\nSubject: 系统退信/Systems bounce",
        f"抱歉，您的邮件被退回来了\n收件人邮件地址：z3@example.cn\n退信原因：SMTP error, RCPT TO: 550 5.1.1 User not found\n"
        f"Message-ID: {ID}",
    ),
    "exchange": (
        "From: Microsoft Outlook <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@example.cn>\nSubject: 未送达: 派单",
        f"未能向这些收件人传递邮件:\nz3@example.cn\n#550 5.1.1 RESOLVER.ADR.RecipNotFound ##\nMessage-ID: {ID}",
    ),
    "postfix": (
        "From: MAILER-DAEMON@mx.example.cn (Mail Delivery System)\nReturn-Path: <>\nSubject: Undelivered Mail Returned to Sender",
        f"This is the mail system at host mx.cn.\n\n<z3@example.cn>: host mx.x.cn[1.2.3.4] said: 550 5.1.1 unknown user\n\n"
        f"Message-Id: {ID}",
    ),
    "gmail": (
        "From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>\nX-Failed-Recipients: z3@example.cn\n"
        "Subject: Delivery Status Notification (Failure)",
        f"** 未找到地址 **\n550 5.1.1 no such account\nMessage-ID: {ID}",
    ),
    "exim": (
        "From: Mail Delivery System <Mailer-Daemon@mx.example.cn>\nX-Failed-Recipients: z3@example.cn\nSubject: Mail delivery failed",
        f"  z3@example.cn\n    550 5.1.1 no such user\n\n------ copy ------\n\nFrom: cs@estate.cn\nMessage-Id: {ID}\n",
    ),
    "qmail": (
        "From: MAILER-DAEMON@mx.example.cn\nSubject: failure notice",
        f"Hi. This is the qmail-send program at mx.cn.\n\n<z3@example.cn>:\nno mailbox here by that name. (#5.1.1)\n\n"
        f"Message-ID: {ID}\n",
    ),
    "sendmail": (
        "From: Mail Delivery Subsystem <MAILER-DAEMON@mx.example.cn>\nSubject: Returned mail: see transcript for details",
        f"   ----- The following addresses had permanent fatal errors -----\n<z3@example.cn>\n    (reason: 550 5.1.1 User "
        f"unknown)\nMessage-ID: {ID}",
    ),
    "yahoo": (
        "From: MAILER-DAEMON@yahoo.com\nSubject: Failure Notice",
        f"Sorry, we were unable to deliver your message to the following address.\n\n<z3@example.cn>:\n554: 5.1.1 no user\n"
        f"Message-ID: {ID}",
    ),
    "aliyun": (
        "From: MAILER-DAEMON@aliyun.com\nSubject: 退信通知",
        f"您的邮件无法投递到 z3@example.cn\n原因: 550 5.1.1 user not exist\nMessage-ID: {ID}",
    ),
}


@pytest.mark.parametrize("service", FREE)
def test_free_forms_of_the_services(service: str) -> None:
    seen = read(*FREE[service])
    assert seen.bounce is not None and seen.automatic
    assert (seen.bounce.message_ids, seen.bounce.recipients, seen.bounce.status) == ((ID,), ("z3@example.cn",), "5.1.1")
    assert seen.bounce.permanent and seen.bounce.reason


def test_a_delay_in_free_form_is_not_permanent() -> None:
    body = "This is a warning message only.\nYour mail to z3@example.cn has not yet been delivered and will be retried."
    bounce = read("From: MAILER-DAEMON@example.cn\nSubject: Warning: message delayed 24 hours", body).bounce
    assert bounce is not None and not bounce.permanent


@pytest.mark.parametrize("service", FREE)
def test_a_person_who_forwards_a_bounce_is_no_bounce(service: str) -> None:
    head, body = FREE[service]
    subject = head.partition("Subject: ")[2].partition("\n")[0]
    kind = head.partition("Content-Type: ")[2]
    extra = f"\nContent-Type: {kind}" if kind else ""
    seen = read(f"From: 张三 <z3@example.cn>\nSubject: 转发: {subject}{extra}", f"怎么回事？\n{body}")
    assert (seen.bounce, seen.automatic) == (None, "")


@pytest.mark.parametrize(
    "words",
    ["我在休假", "我在休假,邮件未能及时查看,请拨打分机 501 转", "I cannot answer. Call 555 Main, my address is 501 North."],
)
def test_an_absence_note_with_a_null_path_is_no_bounce(words: str) -> None:
    seen = read(f"Return-Path: <>\nSubject: 自动回复：派单\nIn-Reply-To: {ID}", words)
    assert (seen.bounce, seen.automatic) == (None, "null-return-path")


LOST = "z3@x.example.cn"
QUOTED = f"\n--B\nContent-Type: message/rfc822\n\nFrom: cs@estate.example.cn\nMessage-ID: {ID}\n\nhello\n--B--\n"
MIXED = "\nContent-Type: multipart/mixed; boundary=B"
UNSIGNED = {
    "a virus scanner": (f"From: imss@x.example.cn\nSubject: Mail could not be delivered{MIXED}",
                        f"--B\n\n*** Scanner ***\nUnable to deliver message to <{LOST}>.\n550 5.1.1 unknown{QUOTED}"),
    "whose scanner names nobody": (f"From: gate1@x.example.cn\nSubject: Mail could not be delivered{MIXED}",
                                   f"--B\n\nThe following mail could not be delivered.\nReason: too many attempts{QUOTED}"),
    "a gateway": ("From: SMTP_Gate@x.example.cn\nSubject: Returned Mail - Error During Delivery",
                  f"--- Failed Recipients ---\n<{LOST}>: mailbox unavailable. [550]\n--- Mail ---\nReceived: from y\nMessage-ID: {ID}"),
    "the own name of the lost one": (f"From: {LOST}\nSubject: Mail{MIXED}",
                                     f"--B\n\nYour mail sent on: Mon\n Could not be delivered to: <{LOST}>\n Mailbox is full.{QUOTED}"),
    "no address": ("From: Postmaster <>\nSubject: Undeliverable: x", f"Your Message\n\nTo: <{LOST}>\n\nDid not reach the following: {LOST}"),
    "a name only": ("From: Mailer Daemon <poster@x.example.cn>\nSubject: Delivery status notification: error",
                    f"An error has occurred while attempting to deliver a message for:\n\n{LOST}: 421 4.4.2 Connection dropped"),
    "a name, folded": ("From: Mail Delivery System <box@x.example.cn>\nSubject: Undelivered Mail Returned to Sender",
                       f"I'm sorry to have to inform you that your message could not\nbe delivered to one or more.\n\n<{LOST}>: unknown"),
    "a number": ("From: 10000@x.example.cn\nSubject: 退信提醒", f"很抱歉,您发送的邮件被退回。\n无法发送到 {LOST}\n退信原因:对方邮箱已满"),
    "a webmaster": ("From: web@x.example.cn\nSubject: 邮件退回通知", f"尊敬的用户,您发给{LOST}的邮件无法投递。错误信息:550 no such user"),
    "a service's no-reply": ("From: no-reply@x.example.com\nSubject: A notice", '{"notificationType":"Bounce","bounceType":"Permanent",'
                             f'"emailAddress":"{LOST}","diagnosticCode":"smtp; 550 5.1.1 user unknown"}}'),
    "a refusal like a receipt": (
        "From: Mail Delivery Subsystem <admin@x.example.cn>\nSubject: Automatically rejected mail\nAuto-Submitted: auto-replied (rejected)\n"
        "Content-Type: multipart/report; report-type=disposition-notification; boundary=B",
        f"--B\n\nYour message to <{LOST}> was automatically rejected:\nQuota exceeded\n--B\nContent-Type: message/disposition-notification\n\n"
        f"Final-Recipient: rfc822; {LOST}\nOriginal-Message-ID: {ID}\nDisposition: automatic-action/MDN-sent-automatically; deleted{QUOTED}"),
    "a report that names no recipient": (
        "From: Mail Administrator <Postmaster@x.example.cn>\nSubject: Mail System Error - Returned Mail\n"
        "Content-Type: multipart/report; report-type=delivery-status; boundary=B",
        f"--B\n\nYour message was not delivered within 2 days.\n\n  <{LOST}>\n--B\nContent-Type: message/delivery-status\n\n"
        f"Reporting-MTA: dns; x{QUOTED}"),
    "an empty sender": ('From: "Mail System" <>\nSubject: Mail Error', "Your mail cannot be delivered to the following:\n\n box \"(0), no space\""),
    "a mail server's warning": (f"From: MDaemon@x.example.cn\nSubject: Warning: {LOST}{MIXED}", f"--B\n\n{LOST} - no such user here.{QUOTED}"),
    "who gave up in Chinese": ("From: MAILER-DAEMON@x.example.cn\nSubject: failure notice",
                               f"到下列地址的信件投递失败,这是一个永久性的错误,服务器已经放弃继续投递。\n{LOST}"),
    "an X.400 name": ("From: System Administrator <postmaster@x.example.cn>\nSubject: Undeliverable: x",
                      f"did not reach the following recipient(s):\n\nc=CN;a= ;p=X;dda:SMTP={LOST}; on Mon\n  Unknown Recipient"),
}  # fmt: skip


@pytest.mark.parametrize("system", UNSIGNED)
def test_a_system_that_bears_no_sign_is_known_by_its_words(system: str) -> None:
    head, body = UNSIGNED[system]
    seen = read(f"{head}\nTo: cs+r5.abcdefghijklmnop@estate.example.cn", f"{body}\ncs@estate.example.cn")
    assert seen.bounce is not None and seen.automatic and seen.bounce.permanent
    assert seen.bounce.recipients in ((LOST,), ()) and (LOST not in body or seen.bounce.recipients)
    assert ID not in body or ID in seen.bounce.message_ids


@pytest.mark.parametrize(
    ("subject", "words"),
    [
        ("Delivery failure notification", "could not be delivered.\nDelivery attempts will continue to be made for 5 day(s)."),
        ("Undeliverable Mail", "450 4.2.0 greylisted. We will continue to try for 2 days."),
        ("Delivery status notification: warning", "is only a temporary failure report. You DO NOT NEED to re-send the message."),
        ("退信预警", "投递延迟:450 4.2.0。系统会继续重试,请勿重复发送。"),
    ],
)
def test_a_system_that_goes_on_trying_has_not_given_up(subject: str, words: str) -> None:
    bounce = read(f"From: postmaster@x.example.cn\nSubject: {subject}", f"Your message to {LOST} {words}").bounce
    assert bounce is not None and not bounce.permanent


@pytest.mark.parametrize(
    ("head", "words"),
    [
        ("From: no-reply@parcel.example.cn\nSubject: 快件无法送达", "您的快件无法送达,已被退回。运单号 5512345。"),
        ("From: no-reply@jobs.example.com\nSubject: Your application was rejected", "Your application 550 was rejected."),
        ("From: noreply@ci.example.com\nSubject: Run failed", "Step 2: unable to deliver the message to x@example.com. Error 500"),
        ("From: noreply@shop.example.com\nSubject: Order 500 not delivered", "The courier was unable to deliver your parcel."),
        (f"Return-Path: <>\nFrom: {LOST}\nIn-Reply-To: {ID}\nSubject: 不在办公室", f"我出差了,不能处理邮件。\n\n原始邮件\nMessage-ID: {ID}"),
        (f"Return-Path: <>\nFrom: {LOST}\nIn-Reply-To: {ID}\nSubject: Delayed response", "I cannot read mail before Monday."),
    ],
)
def test_a_machine_that_returns_nothing_is_no_bounce(head: str, words: str) -> None:
    seen = read(head, words)
    assert seen.bounce is None and seen.automatic


@pytest.mark.parametrize(
    ("subject", "words"),
    [
        ("邮件无法送达", "小王,你发给 wang@example.cn 的邮件无法送达,请核对地址后再发。"),
        ("给你们的邮件被退回", "给你们 fuwu@estate.example.com 的邮件被退回,无法送达。电梯还没修。"),
        ("Undelivered Mail Returned to Sender", "What is this? I got:\n\nYour message could not be delivered.\n<x@example.com>: 550 unknown"),
        ("notice not delivered", "The notice was not delivered to unit 501. Contact li@example.com."),
    ],
)
def test_a_person_who_speaks_of_lost_mail_is_no_bounce(subject: str, words: str) -> None:
    seen = read(f"From: {LOST}\nSubject: {subject}", words)
    assert (seen.bounce, seen.automatic) == (None, "")


@pytest.mark.parametrize(
    "words", ["你们的邮件无法打开,见附件。", "你们的邮件未送达业主,见附件。", "Your message came three days late. Nothing was repaired."]
)
def test_a_person_who_encloses_our_letter_is_no_bounce(words: str) -> None:
    seen = read(f"From: {LOST}\nSubject: x{MIXED}", f"--B\n\n{words}{QUOTED}")
    assert (seen.bounce, seen.automatic) == (None, "")


def test_a_person_who_encloses_the_bounce_he_got_is_no_bounce() -> None:
    inner = QUOTED.replace("From: cs@", "From: MAILER-DAEMON@")
    seen = read(f"From: {LOST}\nSubject: 退信{MIXED}", f"--B\n\n您的邮箱有问题,以下邮件被退回,见附件{inner}")
    assert (seen.bounce, seen.automatic) == (None, "")


@pytest.mark.parametrize(
    "subject", ["Successful delivery", "Delivered: x", "已送达: 派单", "投递成功通知", "Return receipt", "Message status - opened"]
)
def test_a_notice_of_success_in_free_form_is_no_bounce(subject: str) -> None:
    seen = read(f"From: MAILER-DAEMON@example.cn\nSubject: {subject}", f"z3@example.cn\nMessage-ID: {ID}")
    assert (seen.bounce, seen.automatic) == (None, "daemon-sender")


@pytest.mark.parametrize(
    "head",
    [
        "From: postmaster@example.cn\nSubject: Delivery Status Notification",
        "From: MAILER-DAEMON@example.cn\nSubject: Mail delivery report",
    ],
)
def test_a_report_that_it_arrived_is_no_bounce(head: str) -> None:
    assert read(head, f"Your message was successfully delivered to <{LOST}>.\nMessage-ID: {ID}").bounce is None
    assert read(head, f"Your message was delivered to a@example.cn but could not be delivered to <{LOST}>.").bounce is not None


def test_a_mail_folders_own_record_is_no_bounce() -> None:
    head = "From: Mail System Internal Data <MAILER-DAEMON@example.cn>\nSubject: DON'T DELETE THIS MESSAGE\nX-IMAP: 1 2"
    assert read(head, "This text is part of the internal format of your mail folder.").bounce is None


# --- what our server says of the sender


def signed(*results: str, sender: str = "a@corp.cn") -> Message:
    return replace(read("X: y"), sender=Address("", sender), identity=True, authentication=results)


@pytest.mark.parametrize(
    "value",
    [
        "mx.estate.cn; dmarc=pass header.from=corp.cn",
        "mx.estate.cn; dmarc=pass (p=none) header.from=corp.cn; spf=fail",
        "mx.estate.cn 1; spf=pass smtp.mailfrom=bounce@corp.cn",
        "mx.estate.cn; spf=pass smtp.mailfrom=mail.corp.cn",
        'mx.estate.cn; dkim=pass (2048-bit key; "x") header.d=corp.cn header.s=s1',
        "mx.estate.cn; dmarc=none header.from=corp.cn; dkim=pass header.d=corp.cn",
    ],
)
def test_our_servers_word_is_believed(value: str) -> None:
    assert authenticated(signed(value), "mx.estate.cn")


@pytest.mark.parametrize(
    "values",
    [
        (),
        ("mx.evil.cn; dmarc=pass header.from=corp.cn",),
        ("MX.estate.cn; dmarc=pass header.from=corp.cn",),
        ("mx.estate.cn (x); dmarc=pass header.from=corp.cn",),
        ("(mx.evil.cn) mx.estate.cn; dmarc=pass header.from=corp.cn",),
        ("mx.estate.cn; dmarc=pass header.from=corp.cn", "mx.estate.cn; dmarc=pass header.from=corp.cn"),
        ("mx.estate.cn; dmarc=fail header.from=corp.cn", "mx.estate.cn; dmarc=pass header.from=corp.cn"),
        ("mx.estate.cn; dmarc=fail header.from=corp.cn", "MX.ESTATE.CN; dmarc=pass header.from=corp.cn"),
        ("mx.estate.cn; none",),
        ("mx.estate.cn",),
        ("mx.estate.cn; (dmarc=pass)",),
        ("mx.estate.cn; x=y (; dmarc=pass header.from=corp.cn",),
        ('mx.estate.cn; spf=fail reason="; dmarc=pass header.from=corp.cn"',),
        ("mx.estate.cn; dmarc=pass header.from=evil.cn",),
        ("mx.estate.cn; dmarc=fail header.from=corp.cn; spf=pass smtp.mailfrom=corp.cn",),
        ("mx.estate.cn; dmarc=pass header.from=corp.cn; dmarc=fail header.from=corp.cn",),
        ("mx.estate.cn; spf=pass smtp.mailfrom=evil.cn; dkim=pass header.d=evil.cn",),
        ("mx.estate.cn; spf=pass smtp.mailfrom=notcorp.cn",),
        ("mx.estate.cn; dkim=pass header.d=cn",),
        ("mx.estate.cn; spf=softfail smtp.mailfrom=corp.cn",),
        ("mx.estate.cn; xspf=pass smtp.mailfrom=corp.cn",),
    ],
)
def test_what_may_be_forged_is_not_believed(values: tuple[str, ...]) -> None:
    assert not authenticated(signed(*values), "mx.estate.cn")


def test_a_registry_domain_is_nobodys_parent() -> None:
    assert not authenticated(signed("mx.estate.cn; dkim=pass header.d=com.cn", sender="a@corp.com.cn"), "mx.estate.cn")


def test_without_identity_nothing_is_authenticated() -> None:
    seen = replace(signed("mx.estate.cn; dmarc=pass header.from=corp.cn"), identity=False)
    assert not authenticated(seen, "mx.estate.cn") and not authenticated(seen, "")


def test_only_results_above_the_second_received_line_count() -> None:
    seen = read(
        "Authentication-Results: mx.estate.cn; dmarc=fail\nReceived: by mx.estate.cn; Mon, 3 Mar 2025 09:05:00 +0800\n"
        "Authentication-Results: mx.estate.cn;\n spf=pass\nReceived: by other; Mon, 3 Mar 2025 09:04:00 +0800\n"
        "Authentication-Results: mx.estate.cn; dmarc=pass"
    )
    assert seen.authentication == ("mx.estate.cn; dmarc=fail", "mx.estate.cn; spf=pass")
