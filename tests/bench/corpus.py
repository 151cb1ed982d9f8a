"""A seeded corpus of mails to an estate's service office: `python corpus.py DIR --count 1000 --seed 1` writes it as files.

Like the mail of a real office in what costs time: mean 50 KB and median 2 KB, five charsets in three transfer encodings,
plain, with HTML beside it or HTML alone, a fifth with a photograph and a PDF under a Chinese name, a quarter replies,
some automatic. Equal seed and count give equal bytes. All people and places are invented.
"""

from __future__ import annotations

import argparse
import base64
import quopri
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from urllib.parse import quote

MATTERS = (
    ("卫生间顶棚渗水", "上周起卫生间顶棚有水迹，楼上也找过，一直没有查到原因。请安排人来看看是哪里的管道。"),
    ("电梯异响", "二号电梯运行到九层时有明显的摩擦声，早晚高峰尤其严重，担心安全，请检修后告知结果。"),
    ("地下车库照明不亮", "车库东区有三盏灯坏了快半个月，晚上停车看不清，请尽快更换。"),
    ("楼上装修噪声", "楼上中午也在敲墙，家里有孩子要午睡，物业保安去过一次没有效果，希望按规定时间施工。"),
    ("物业费账单疑问", "本季度账单比上季度多了六十多元，请说明公摊水电是怎样计算的，有没有明细可以查。"),
    ("产权证办理进度", "去年底交房，想了解产权证什么时候可以办理，需要准备哪些材料，到哪里办。"),
    ("西门岗服务态度", "昨晚访客登记时，西门岗当班人员说话很冲，还让老人等了十几分钟，请核实并给个说法。"),
    ("建议增设快递柜", "东区快递柜常常放满，快递堆在地上，建议在五号楼旁边再增设一组。"),
    ("绿化带积水", "下雨之后七号楼前的绿化带总是积水，两三天都不退，蚊子很多，请看看排水口是不是堵了。"),
    ("单元门禁失灵", "单元门的门禁卡刷不开，只能等别人出来，已经三天了，麻烦修一下。"),
    ("窗户密封条脱落", "主卧窗户的密封条脱落，风大的时候漏风，房子还在质保期内，请安排维修。"),
    ("感谢维修师傅", "上周来修水管的师傅很认真，修完还把地面擦干净，特此表扬，请转达谢意。"),
    ("车位租赁咨询", "想在地下车库租一个固定车位，请问现在还有没有，费用多少，怎样办手续。"),
    ("厨房下水返味", "厨房下水道返味严重，自己装了防臭地漏也不管用，怀疑是主管道的问题。"),
    ("合同面积差异", "收到的实测面积与合同面积相差两平方米，请问差价怎样结算，什么时候办理。"),
)  # fmt: skip
ADDITIONS = (
    "白天上班不在家，周末可以上门。", "如需要照片我可以再发。", "之前打过一次电话，说会有人联系，一直没有。",
    "请在三日内回复。", "邻居家也有同样的情况。", "麻烦您了。", "情况就是这样，盼复。", "家里有老人，请提前约时间。",
)  # fmt: skip
SURNAMES = "王李张刘陈杨黄赵周吴徐孙胡朱高林何郭马罗"
ENCODINGS = (
    ("utf-8", "base64", 34), ("utf-8", "quoted-printable", 14), ("gb18030", "base64", 14), ("gb2312", "quoted-printable", 8),
    ("gbk", "8bit", 8), ("utf-8", "8bit", 12), ("big5", "base64", 4), ("us-ascii", "7bit", 6),
)  # fmt: skip
QUOTED = "\n\n在 2025年3月1日 样例花园客户服务中心 写道：\n> 您好！\n> 您的来件我们已经收到，谢谢您的信任。\n> 经办人员正在核实有关情况。\n"
ENGLISH = "Hello, the lamp in front of my door does not work. Could somebody have a look at it? House 3-1-{room}. Thank you."


@dataclass(frozen=True)
class _Writer:
    name: str
    email: str
    house: str
    phone: str


def corpus(count: int, seed: int | str = 1, *, large: int = 0) -> Iterator[bytes]:
    """``count`` mails, oldest first. ``large`` is the size in bytes of one mail put into the middle, 0 for none."""
    chance = random.Random(f"kefud {seed} {count}")
    writers = [_writer(chance, n) for n in range(max(8, count // 4))]
    sent: list[tuple[str, str, _Writer]] = []
    at = datetime(2025, 3, 3, 0, 30, tzinfo=UTC)
    for number in range(count):
        at += timedelta(seconds=chance.randrange(5, 90))
        if large and number == count // 2:
            yield _mail(chance, writers[0], number, at, None, large=large)
            continue
        answered = chance.choice(sent) if sent and chance.random() < 0.26 else None
        writer = answered[2] if answered else chance.choice(writers)
        yield _mail(chance, writer, number, at, answered, sent=sent)


def _writer(chance: random.Random, number: int) -> _Writer:
    name = chance.choice(SURNAMES) + chance.choice(("女士", "先生", "样例", "示例"))
    house = f"{chance.randrange(1, 13)}-{chance.randrange(1, 4)}-{chance.randrange(1, 25)}{chance.randrange(1, 5):02}"
    return _Writer(name, f"owner{number}@example.com", house, f"138{chance.randrange(10**8):08}")


def _mail(
    chance: random.Random,
    writer: _Writer,
    number: int,
    at: datetime,
    answered: tuple[str, str, _Writer] | None,
    *,
    sent: list[tuple[str, str, _Writer]] | None = None,
    large: int = 0,
) -> bytes:
    title, story = chance.choice(MATTERS)
    charset, transfer, _ = chance.choices(ENCODINGS, [weight for *_, weight in ENCODINGS])[0]
    automatic = not large and chance.random() < 0.03
    message_id = f"<{number}.{chance.getrandbits(48):x}@mail.example.com>"
    subject = f"Re: {answered[1]}" if answered else "自动回复：外出" if automatic else title
    text = _letter(chance, writer, story, answered is not None)
    if charset == "us-ascii":
        subject, text = f"Lamp {number}", ENGLISH.format(room=chance.randrange(101, 999))
    if sent is not None and not automatic:
        sent.append((message_id, subject.removeprefix("Re: "), writer))
    head = [
        f"Received: from mx.example.com by mail.example.cn; {format_datetime(at)}", f"Date: {format_datetime(at)}",
        f"From: {_word(writer.name, charset)} <{writer.email}>", "To: service@example.cn",
        f"Subject: {_word(subject, charset)}", f"Message-ID: {message_id}", "MIME-Version: 1.0",
    ]  # fmt: skip
    if answered:
        head += [f"In-Reply-To: {answered[0]}", f"References: {answered[0]}"]
    if automatic:
        head.append("Auto-Submitted: auto-replied")
    body = _body(chance, text, charset, transfer)
    if large or chance.random() < 0.2:
        size = large * 3 // 4 if large else chance.randrange(50_000, 300_000)
        body = _multipart(chance, "mixed", [body, _photograph(chance), _paper(chance, title, size)])
    return "\r\n".join(head).encode("ascii") + b"\r\n" + body


def _letter(chance: random.Random, writer: _Writer, story: str, reply: bool) -> str:
    building, unit, room = writer.house.split("-")
    where = f"我是{building}号楼{unit}单元{room}室的业主。" if chance.random() < 0.8 else ""
    more = "".join(chance.sample(ADDITIONS, chance.randrange(1, 4)))
    text = f"您好！{where}\n{story}{more}\n\n{writer.name}\n电话：{writer.phone}\n"
    return f"补充一下：{more}\n{writer.name}{QUOTED}" if reply else text


def _body(chance: random.Random, text: str, charset: str, transfer: str) -> bytes:
    kind = chance.random()
    page = f"<html><body><div style='font-size:14px'>{'<br>'.join(text.splitlines())}</div></body></html>"
    if kind < 0.5:
        return _text(text, "plain", charset, transfer)
    if kind < 0.9:
        both = [_text(text, "plain", charset, transfer), _text(page, "html", charset, transfer)]
        return _multipart(chance, "alternative", both)
    return _text(page, "html", charset, transfer)


def _text(text: str, kind: str, charset: str, transfer: str) -> bytes:
    data = text.replace("\n", "\r\n").encode(charset, "replace")
    head = f"Content-Type: text/{kind}; charset={charset}\r\nContent-Transfer-Encoding: {transfer}\r\n\r\n".encode("ascii")
    if transfer == "base64":
        return head + _base64(data)
    return head + (quopri.encodestring(data) if transfer == "quoted-printable" else data)


def _multipart(chance: random.Random, kind: str, parts: list[bytes]) -> bytes:
    fence = f"----=_Part_{chance.getrandbits(40):x}"
    head = f'Content-Type: multipart/{kind}; boundary="{fence}"\r\n\r\n'.encode("ascii")
    return head + b"".join(f"--{fence}\r\n".encode("ascii") + p + b"\r\n" for p in parts) + f"--{fence}--\r\n".encode("ascii")


def _photograph(chance: random.Random) -> bytes:
    data = b"\x89PNG\r\n\x1a\n" + chance.randbytes(chance.randrange(4_000, 40_000))
    head = "Content-Type: image/png; name=photo.png\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: inline\r\n\r\n"
    return head.encode("ascii") + _base64(data)


def _paper(chance: random.Random, title: str, size: int) -> bytes:
    name = f"{title}说明.pdf"
    named = f"filename*=utf-8''{quote(name)}" if chance.random() < 0.5 else f'filename="{_word(name, "utf-8")}"'
    head = f"Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment; {named}\r\n\r\n"
    return head.encode("ascii") + _base64(b"%PDF-1.4\n" + chance.randbytes(size))


def _word(text: str, charset: str) -> str:
    charset = "utf-8" if charset == "us-ascii" else charset
    return f"=?{charset}?B?{base64.b64encode(text.encode(charset, 'replace')).decode('ascii')}?="


def _base64(data: bytes) -> bytes:
    return base64.encodebytes(data).replace(b"\n", b"\r\n")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("directory", type=Path)
    options.add_argument("--count", type=int, default=1000)
    options.add_argument("--seed", default="1")
    given = options.parse_args()
    given.directory.mkdir(parents=True, exist_ok=True)
    for number, content in enumerate(corpus(given.count, given.seed)):
        (given.directory / f"{number:06}.eml").write_bytes(content)


if __name__ == "__main__":
    main()
