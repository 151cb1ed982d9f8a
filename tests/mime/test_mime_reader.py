"""A mail is read as its writer meant it: texts, names, addresses, times."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime, timedelta, timezone

import pytest

from kefud.desk.message import Address, Message
from kefud.errors import Unreadable
from kefud.mime import attachment_bytes, read_mail

NOW = datetime(2025, 3, 3, 12, 0, tzinfo=UTC)


def mail(head: str | bytes = "", body: str | bytes = "") -> bytes:
    head = head.encode() if isinstance(head, str) else head
    body = body.encode() if isinstance(body, str) else body
    return b"From: a@example.cn\n" * (b"From:" not in head) + head.strip(b"\n") + b"\n\n" + body


def read(head: str | bytes = "", body: str | bytes = "") -> Message:
    return read_mail(mail(head, body), received_at=NOW)


def b64(data: bytes) -> str:
    return base64.encodebytes(data).decode()


def word(text: str, charset: str, codec: str | None = None) -> str:
    return f"=?{charset}?B?{base64.b64encode(text.encode(codec or charset)).decode()}?="


# --- charsets of bodies


@pytest.mark.parametrize(
    ("label", "codec"),
    [
        ("utf-8", "utf-8"),
        ("gb2312", "gbk"),
        ("GBK", "gbk"),
        ("gb18030", "gb18030"),
        ("cp936", "gbk"),
        ("x-gbk", "gbk"),
        ("big5", "big5"),
        ("", "utf-8"),
        ("", "gb18030"),
        ("", "big5"),
        ("utf-8", "gb18030"),
        ("gb2312", "utf-8"),
        ("gbk", "big5"),
        ("big5", "gbk"),
        ("big5", "utf-8"),
        ("iso-8859-1", "utf-8"),
        ("iso-8859-1", "gbk"),
        ("us-ascii", "gbk"),
        ("us-ascii", "utf-8"),
        ("x-unknown", "gbk"),
        ("utf-7", "utf-8"),
        ("unicode_escape", "gbk"),
        ("idna", "utf-8"),
        ("zip", "gbk"),
        ("undefined", "utf-8"),
        ("a\\0b", "utf-8"),
        ("utf-16", "utf-16"),
        ("", "utf-16"),
        ("utf-16le", "utf-16-le"),
        ("utf-8", "utf-8-sig"),
        ("windows-1252", "big5"),
    ],
)
def test_chinese_is_read_whatever_the_label_says(label: str, codec: str) -> None:
    text = (
        "您好，我家的電梯門壞了，請儘快派人維修，謝謝。" if codec == "big5" else "您好，三号楼电梯坏了，请尽快派人维修，谢谢。"
    )
    head = f'Content-Type: text/plain; charset="{label}"\nContent-Transfer-Encoding: base64'
    assert read(head, b64(text.encode(codec))).text == text


@pytest.mark.parametrize("text", ["漏水", "联通", "停电", "漏水了", "电梯坏了"])
@pytest.mark.parametrize("codec", ["gbk", "utf-8"])
def test_two_characters_without_a_label_are_chinese(text: str, codec: str) -> None:
    assert read("Content-Type: text/plain", text.encode(codec)).text == text


@pytest.mark.parametrize("text", ["漏水", "停電", "電梯壞了", "請派人維修水管"])
def test_short_big5_under_its_label(text: str) -> None:
    assert read("Content-Type: text/plain; charset=big5", text.encode("big5")).text == text


def test_gb18030_characters_under_a_gb2312_label() -> None:
    seen = read("Content-Type: text/plain; charset=gb2312", "业主𠮷田㐂，镕".encode("gb18030"))
    assert seen.text == "业主𠮷田㐂，镕"
    assert seen.remarks[0] == "charset gb2312 read as gb18030"


@pytest.mark.parametrize("label", ["utf-7", "unicode_escape", "idna", "zip", "x" * 5000, "=?", "utf-8\x00"])
def test_hidden_text_stays_as_it_is_written(label: str) -> None:
    body = "+ADw-script+AD4- \\u003cscript\\u003e"
    assert read(f'Content-Type: text/plain; charset="{label}"', body).text == body


def test_latin_text_stays_latin() -> None:
    assert read("Content-Type: text/plain; charset=iso-8859-1", "café à Genève".encode("latin-1")).text == "café à Genève"


def test_unreadable_bytes_leave_a_remark() -> None:
    seen = read("Content-Type: text/plain; charset=utf-8", "三号楼电梯坏了，请尽快维修。".encode() + b"\xff\xfe\xfa")
    assert seen.text.startswith("三号楼电梯坏了") and "unreadable" in seen.remarks[0]


# --- headers


@pytest.mark.parametrize("codec", ["utf-8", "gbk", "big5"])
def test_raw_bytes_in_a_header(codec: str) -> None:
    text = "關於電梯門壞了的投訴" if codec == "big5" else "关于电梯坏了的投诉"
    seen = read(f"Subject: {text}\nFrom: 王伟 <w@example.cn>".encode(codec) if codec != "big5" else b"Subject: " + text.encode(codec))
    assert seen.subject == text


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (word("漏水", "gb2312", "gbk"), "漏水"),
        (word("漏水", "utf-8") + "\n " + word("严重", "utf-8"), "漏水严重"),
        ("=?utf-8?B?5ryP5r" + "?=\n =?utf-8?B?C0?=", "漏水"),
        ("=?UTF-8?Q?=E6=BC=8F=E6=B0?= =?utf-8?q?=B4_ok?=", "漏水 ok"),
        ("=?gbk?Q?=C2=A9=CB?=\n\t=?gbk?Q?=AE?=", "漏水"),
        ("Re: " + word("漏水", "utf-8") + " again", "Re: 漏水 again"),
        ("=?utf-8*zh?Q?=E6=BC=8F?=", "漏"),
        ("=?utf-8?B?5ryP5rC0", "漏水"),
        ("=?utf-8?B?!!!?=", ""),
        ("=?no-such?Q?=E6=BC=8F=E6=B0=B4?=", "漏水"),
        ("=?utf-8?X?abc?=", "=?utf-8?X?abc?="),
        ("=?utf-8?q?x=0D=0ABcc:_v@evil?=", "x  Bcc: v@evil"),
        ("a\x00b\x1b[2Jc", "ab[2Jc"),
        ("=?utf-8?q?=E2=80=AEabc?=", "abc"),
    ],
)
def test_subjects(raw: str, text: str) -> None:
    assert read(f"Subject: {raw}").subject == text


def test_a_folded_subject_is_one_line() -> None:
    assert read("Subject: one\r\n two\r\n\tthree\r\n").subject == "one two\tthree".replace("\t", " ")


def test_message_ids_keep_their_brackets() -> None:
    seen = read("Message-ID: <1@x>\nIn-Reply-To: mail of today <2@x>\nReferences: <3@x>\n <4@x> <3@x>")
    assert (seen.message_id, seen.in_reply_to, seen.references) == ("<1@x>", ("<2@x>",), ("<3@x>", "<4@x>"))


def test_an_id_without_brackets_gets_them() -> None:
    assert read("Message-ID: 1@x").message_id == "<1@x>"


# --- who speaks


@pytest.mark.parametrize(
    ("value", "name", "email"),
    [
        ("a@example.cn", "", "a@example.cn"),
        ("Zhang San <Z3@EXAMPLE.CN>", "Zhang San", "z3@example.cn"),
        ('"Zhang, San" <z3@example.cn>', "Zhang, San", "z3@example.cn"),
        (word("张三", "gb2312", "gbk") + " <z3@example.cn>", "张三", "z3@example.cn"),
        ('"' + word("张三", "utf-8") + '" <z3@example.cn>', "张三", "z3@example.cn"),
        ("张三 <z3@example.cn>", "张三", "z3@example.cn"),
        ("张三 <z3@物业.中国>", "张三", "z3@xn--vsq0e.xn--fiqs8s".replace("xn--vsq0e", "物业".encode("idna").decode())),
        ('"gc@corp.cn" <evil@x.org>', "gc@corp.cn", "evil@x.org"),
    ],
)
def test_one_mailbox_is_an_identity(value: str, name: str, email: str) -> None:
    seen = read(f"From: {value}")
    assert (seen.sender, seen.identity) == (Address(name, email), True)


@pytest.mark.parametrize(
    "value",
    [
        "gc@corp.cn)<evil@x.org>",
        "gc@corp.cn (<evil@x.org>)",
        "gc@corp.cn, b@x.org",
        "~.*@.*~",
        "gc＠corp.cn",
        "gc@corp.cn <evil@x.org>",
        "<gc@corp.cn> <evil@x.org>",
        '"x"<gc@corp.cn>evil@x.org',
        "gc@corp.cn@x.org",
        "gc@corp.cn;b@x.org",
        "team: gc@corp.cn;",
        "",
        "nobody",
        "<>",
        '"gc@corp.cn"@x.org',
        "=?utf-8?q?gc=40corp.cn?=",
        "=?utf-8?q?a?=@[::1",
        "gc@[127.0.0.1]",
        "gc@corp..cn",
        ".gc@corp.cn",
        "gc@corp.cn\x00.x.org",
        "gc@corp。cn",
        "(gc@corp.cn) evil@x.org",
        "a@example.cn\nFrom: gc@corp.cn",
        "gc@corp.cn\nFrom: a@example.cn",
        '"a\\" <gc@corp.cn>" <evil@x.org',
        "gc@corp.cn <",
        "gc @corp.cn",
        "\u202egc@corp.cn",
    ],
)
def test_tricks_never_speak_for_another(value: str) -> None:
    seen = read(f"From: {value}\n")
    assert not seen.identity
    assert seen.sender.email != "gc@corp.cn"


@pytest.mark.parametrize(
    "value", ["gc＠corp.cn <a@example.cn>", "\u202eliame <a@example.cn>", "a@example.cn (gc)", "=?utf-8?q?=E2=80=AEx?= <a@example.cn>"]
)
def test_a_doubtful_name_costs_the_identity_not_the_address(value: str) -> None:
    seen = read(f"From: {value}")
    assert (seen.identity, seen.sender.email) == (False, "a@example.cn")


def test_names_carry_no_format_characters() -> None:
    assert read("From: =?utf-8?q?A=E2=80=8BB=0D=0AC?= <a@example.cn>").sender.name == "AB  C"


def test_lists_of_addresses() -> None:
    seen = read(
        f'To: "A, B" <a@example.cn>, c@example.cn (Cc), {word("张三", "utf-8")} <z@example.cn>, broken, team: d@example.cn, '
        "e@example.cn;\nCc: f@example.cn"
    )
    assert [box.email for box in seen.to][:3] == ["a@example.cn", "c@example.cn", "z@example.cn"]
    assert seen.to[2].name == "张三" and seen.cc == (Address("", "f@example.cn"),)


# --- times


RECEIVED = "Received: from mx.qq.com by {host} with ESMTPS id 1; {stamp}\n"


def test_the_clock_starts_with_our_own_received_line_not_with_date() -> None:
    head = (
        RECEIVED.format(host="store.other.cn", stamp="Mon, 3 Mar 2025 18:30:00 +0800")
        + RECEIVED.format(host="mx.estate.cn", stamp="Mon, 3 Mar 2025 18:20:00 +0800 (CST)")
        + RECEIVED.format(host="mx.estate.cn", stamp="Mon, 3 Feb 2025 18:10:00 +0800")
        + "Date: Wed, 1 Jan 2025 00:00:00 +0800"
    )
    china = timezone(timedelta(hours=8))
    assert read_mail(mail(head), received_at=NOW).received_at == datetime(2025, 3, 3, 18, 30, tzinfo=china)
    ours = read_mail(mail(head), received_at=NOW, own_hosts=("mx.estate.cn",))
    assert ours.received_at == datetime(2025, 3, 3, 18, 20, tzinfo=china)
    assert ours.sent_at == datetime(2025, 1, 1, tzinfo=china)


@pytest.mark.parametrize(
    "stamp", ["Mon, 3 Mar 2035 18:30:00 +0800", "yesterday", "", "Mon, 99 Mar 2025 99:99:99 +9999", "1 Jan 99999 0:0:0 +0"]
)
def test_an_unbelievable_stamp_gives_way_to_the_time_of_fetching(stamp: str) -> None:
    seen = read(RECEIVED.format(host="mx", stamp=stamp))
    assert seen.received_at == NOW and seen.remarks


def test_without_a_line_of_ours_the_time_of_fetching_counts() -> None:
    head = RECEIVED.format(host="evil.example", stamp="Mon, 3 Mar 2025 00:00:00 +0000")
    assert read_mail(mail(head), received_at=NOW, own_hosts=("mx.estate.cn",)).received_at == NOW


@pytest.mark.parametrize("date", ["Smarch 41st, 25:99", "x" * 10_000, "Mon, 3 Mar 1950 00:00:00 +0000", "99999999999"])
def test_a_bad_date_is_none(date: str) -> None:
    assert read(f"Date: {date}").sent_at is None


# --- parts


def multi(kind: str, *parts: str, boundary: str = "B") -> tuple[str, str]:
    body = "".join(f"--{boundary}\r\n{part}\r\n" for part in parts) + f"--{boundary}--\r\n"
    return f'Content-Type: multipart/{kind}; boundary="{boundary}"', body


PLAIN = "Content-Type: text/plain; charset=utf-8\r\n\r\n"
HTML = "Content-Type: text/html; charset=utf-8\r\n\r\n"


def test_plain_text_is_preferred_to_html() -> None:
    assert read(*multi("alternative", PLAIN + "普通文字", HTML + "<p>网页</p>")).text == "普通文字"


@pytest.mark.parametrize("useless", ["", "  \r\n ", "Please view this mail in HTML.", "您的邮件客户端不支持HTML格式"])
def test_html_stands_in_for_a_useless_plain_text(useless: str) -> None:
    assert read(*multi("alternative", PLAIN + useless, HTML + "<p>漏水</p><p>严重</p>")).text == "漏水\n\n严重"


def test_html_without_a_label_names_its_charset_itself() -> None:
    page = '<html><head><meta http-equiv="Content-Type" content="text/html; charset=big5"></head><body>漏水，電梯</body></html>'
    assert read("Content-Type: text/html", page.encode("big5")).text == "漏水，電梯"


def test_html_becomes_lines_without_its_machinery() -> None:
    page = (
        "<head><title>t</title><style>p{color:red}</style></head><body><!-- a > b --><script>alert(1)</script>"
        "<p>一&amp;二&nbsp;三</p><div>甲<br>乙</div><table><tr><td>楼</td><td>3</td></tr><tr><td>室</td><td>502</td></tr></table>"
        '<ul><li>x</li></ul>1 < 2 <img alt="a>b"><a href="http://x">网址</a></body>'
    )
    text = read("Content-Type: text/html; charset=utf-8", page).text
    assert text == "一&二 三\n\n甲\n乙\n楼\t3\n室\t502\n- x\n1 < 2 网址"
    assert "alert" not in text and "color" not in text


@pytest.mark.parametrize(
    "quote",
    [
        '<blockquote type="cite">旧信</blockquote>',
        '<div class="gmail_quote"><div class="gmail_attr">2025年3月3日，客服 &lt;c@example.cn&gt; '
        "写道：<br></div><blockquote>旧信</blockquote></div>",
        '<div id="appendonsend"></div><hr><div id="divRplyFwdMsg">Von: x</div><div>旧信</div>',
        "<div>------------------&nbsp;原始邮件&nbsp;------------------</div><div>发件人: x</div><div>旧信</div>",
        '<div style="border-top:solid 1pt"><p class=MsoNormal><b>发件人:</b> x<br><b>发送时间:</b> '
        "2025<br><b>主题:</b> y</p></div><p>旧信</p>",
        '<div class="yahoo_quoted">旧信</div>',
    ],
)
def test_quotations_in_html_are_told_apart(quote: str) -> None:
    seen = read("Content-Type: text/html; charset=utf-8", f"<div>新话</div>{quote}")
    assert seen.text == "新话"
    assert "旧信" in seen.quoted


def test_several_texts_are_joined_and_twins_told_once() -> None:
    assert read(*multi("mixed", PLAIN + "一", HTML + "<b>一</b>", PLAIN + "二")).text == "一\n\n二"


def test_an_attached_mail_is_written_out_under_its_own_header() -> None:
    inner = (
        "From: 李四 <li4@example.cn>\r\nDate: Mon, 3 Mar 2025 09:05:00 +0800\r\nSubject: 漏水\r\nTo: cs@example.cn\r\n\r\n厨房漏水\r\n> 旧"
    )
    seen = read(*multi("mixed", PLAIN + "请处理", "Content-Type: message/rfc822\r\n\r\n" + inner))
    assert seen.text.startswith("请处理\n\n---------- 转发的邮件 ----------\n发件人: 李四 <li4@example.cn>\n")
    assert "主题: 漏水" in seen.text and "厨房漏水" in seen.text


def test_a_forwarded_mail_is_text_not_quotation() -> None:
    body = "请处理\n\n发件人: 李四 <l@example.cn>\n发送时间: 2025年3月3日\n收件人: c\n主题: 漏水\n\n厨房漏水"
    assert read("Subject: 转发: 漏水\nContent-Type: text/plain; charset=utf-8", body).text == body
    assert read("Subject: 回复: 漏水\nContent-Type: text/plain; charset=utf-8", body).text == "请处理"


def test_flowed_paragraphs_are_joined() -> None:
    body = "One line \nand its rest.\n> old \n> words\n-- \nme"
    seen = read("Content-Type: text/plain; format=flowed", body)
    assert seen.text == "One line and its rest.\n-- \nme"
    assert read("Content-Type: text/plain; format=flowed; delsp=yes; charset=utf-8", "漏 \n水").text == "漏水"


@pytest.mark.parametrize("encoding", ["base64", "BASE64 ", "quoted-printable", "8bit", "strange", ""])
def test_transfer_encodings(encoding: str) -> None:
    data = "漏水，三号楼电梯".encode()
    body = {"b": b64(data), "q": "".join(f"={n:02X}" for n in data)}.get(encoding[:1].lower(), data.decode())
    assert (
        read(f"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: {encoding}", body).text == "漏水，三号楼电梯"
    )


def test_damaged_base64_costs_one_line_only() -> None:
    text = "三号楼二单元电梯坏了，请尽快派人维修。\n" * 8
    lines = b64(text.encode()).split("\n")
    lines[1] = lines[1][:30] + "!" + lines[1][31:]
    seen = read("Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64", "\n".join(lines))
    assert seen.text.count("三号楼二单元电梯坏了，请尽快派人维修。") >= 5


def test_base64_pieces_each_with_its_padding() -> None:
    body = base64.b64encode("漏".encode() + b"a").decode() + "\n" + base64.b64encode("水".encode() + b"b").decode()
    assert read("Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64", body).text == "漏a水b"


# --- attachments


@pytest.mark.parametrize(
    ("parameter", "name"),
    [
        ('filename="现场.jpg"', "现场.jpg"),
        ("filename*=utf-8''%E7%8E%B0%E5%9C%BA.jpg", "现场.jpg"),
        ("filename*0*=gbk''%CF%D6;\r\n filename*1*=%B3%A1; filename*2=.jpg", "现场.jpg"),
        (f'filename="{word("现场.jpg", "gb2312", "gbk")}"', "现场.jpg"),
        ('filename="=?utf-8?B?546w5Zy6?=\r\n =?utf-8?B?LmpwZw==?="', "现场.jpg"),
        ("filename=a b.jpg", "a b.jpg"),
        ('filename="a;b.jpg"; size=3', "a;b.jpg"),
        ('filename="%E7%8E%B0%E5%9C%BA.jpg"', "现场.jpg"),
        ('filename="../../etc/x"', "x"),
        ('filename="C:\\x.doc"', "x.doc"),
        ('filename="\u200b.htaccess"', "htaccess"),
        ('filename="a\x00.pdf"', "a.pdf"),
        ('filename="fdp.\u202exe.jpg"', "fdp.xe.jpg"),
        ("filename*0*=utf-8''..%2F; filename*1*=x", "x"),
        ('filename="."', "附件1.jpg"),
        ('filename=""', "附件1.jpg"),
        ('filename="e\u0301.jpg"', "\u00e9.jpg"),
        (f'filename="{"长" * 4000}.jpg"', "长" * 196 + ".jpg"),
    ],
)
def test_names_of_attachments(parameter: str, name: str) -> None:
    head = f"Content-Type: image/jpeg\r\nContent-Disposition: attachment; {parameter}\r\nContent-Transfer-Encoding: base64"
    seen = read(head, b64(b"picture"))
    assert [item.name for item in seen.attachments] == [name]
    assert seen.attachments[0].sha256 == hashlib.sha256(b"picture").hexdigest()


def test_a_name_in_raw_gbk() -> None:
    head = 'Content-Type: image/jpeg; name="现场照片.jpg"'.encode("gbk")
    assert read(head, b"x").attachments[0].name == "现场照片.jpg"


def test_attachments_can_be_fetched_by_their_part() -> None:
    picture = "Content-Type: image/png\r\nContent-ID: <1@x>\r\nContent-Transfer-Encoding: base64\r\n\r\n" + b64(b"\x89PNG")
    paper = 'Content-Type: application/pdf; name="单.pdf"\r\nContent-Disposition: attachment\r\n\r\n%PDF'
    raw = mail(*multi("mixed", PLAIN + "见附件", picture, paper))
    seen = read_mail(raw, received_at=NOW)
    assert [(item.name, item.inline, item.part) for item in seen.attachments] == [("附件2.png", True, 1), ("单.pdf", False, 2)]
    assert attachment_bytes(raw, 1) == ("附件2.png", "image/png", b"\x89PNG")
    assert attachment_bytes(raw, 2) == ("单.pdf", "application/pdf", b"%PDF")
    with pytest.raises(Unreadable):
        attachment_bytes(raw, 3)


def test_a_text_file_is_an_attachment_unless_there_is_no_other_text() -> None:
    note = 'Content-Type: text/plain; charset=utf-8\r\nContent-Disposition: attachment; filename="a.txt"\r\n\r\n附件文字'
    assert read(*multi("mixed", PLAIN + "正文", note)).text == "正文"
    alone = read(*multi("mixed", PLAIN, note))
    assert (alone.text, len(alone.attachments)) == ("附件文字", 1)


# --- the same mail twice


def test_the_digest_forgets_the_way_but_not_the_words() -> None:
    head = "From: a@example.cn\nSubject: one\n two\nMessage-ID: <1@x>\nContent-Type: text/plain"
    first = read("Received: x; Mon, 3 Mar 2025 09:05:00 +0800\n" + head, "a\n\nb\n\n\n")
    second = read("Return-Path: <a@example.cn>\r\nDelivered-To: c@d\r\n" + head.replace("\n", "\r\n"), "a\r\n\r\nb\r\n")
    assert first.digest == second.digest and len(first.digest) == 64
    assert read(head, "a\n\nc\n").digest != first.digest
    assert read(head.replace("one", "ONE"), "a\n\nb\n").digest != first.digest


def test_the_digest_sees_another_attachment() -> None:
    def digest(data: bytes, newline: str = "\r\n", name: str = "a") -> str:
        part = f"Content-Type: image/png; name={name}\r\nContent-Transfer-Encoding: base64\r\n\r\n" + b64(data)
        head, body = multi("mixed", PLAIN + "x", part)
        return read(head, body.replace("\r\n", newline)).digest

    assert digest(b"x" * 9000) == digest(b"x" * 9000, "\n")
    assert len({digest(b"x" * 9000), digest(b"y" * 9000), digest(b"x" * 9000, name="b"), digest(b"x" * 8999)}) == 4
