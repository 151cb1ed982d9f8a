"""The mailbox our office reads: a private Dovecot on loopback, or where there is none a maildir."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from kefud.errors import KefudError
from kefud.workers import die_with_parent

USER = "kefu@estate.example.com"
PASSWORD = "demo"
STARTING = 15.0

_CHANNEL = """\
[[channel]]
id = "kefu"
plugin = "imap_mailbox"
every = "10s"
host = "127.0.0.1"
port = {port}
tls = "none"                                       # accepted for loopback only
username = "{user}"
password = {{ file = "credentials/imap.password" }}
folder = "INBOX"
processed_folder = "kefud"
"""

_MAILDIR_CHANNEL = """\
[[channel]]
id = "kefu"
plugin = "maildir"
every = "2s"
path = "../in/maildir"
"""

_DOVECOT = """\
base_dir = {home}/run
state_dir = {home}/run
log_path = {home}/log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
default_internal_user = {internal}
default_internal_group = {group}
default_login_user = {login}
first_valid_uid = 0
mail_location = maildir:{home}/mail
mail_uid = {uid}
mail_gid = {gid}
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={home}/home
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""


@dataclass(frozen=True)
class Mailbox:
    """Where mail is delivered. ``channel`` is its part of the configuration, ``note`` what a reader should know."""

    folder: Path
    channel: str
    note: str
    owner: tuple[int, int]

    def deliver(self, content: bytes, number: int) -> None:
        """As a delivery agent does: written aside, then renamed into new/."""
        name = f"{int(time.time())}.{number:06}.demo"
        aside = self.folder / "tmp" / name
        aside.write_bytes(content)
        _own(aside, self.owner)
        aside.rename(self.folder / "new" / name)


def find_dovecot() -> str | None:
    """Its program, also where it is not on the PATH of ordinary users."""
    return shutil.which("dovecot") or shutil.which("dovecot", path="/usr/sbin:/usr/local/sbin")


@contextmanager
def mailbox(directory: Path, dovecot: str | None) -> Iterator[Mailbox]:
    """A mailbox with a server as long as the context lasts; a maildir in ``directory`` where Dovecot does not start."""
    why = "没有安装 Dovecot,邮箱改用 Maildir (no Dovecot here: the mailbox is a maildir)"
    if dovecot:
        home = Path(tempfile.mkdtemp(prefix="kefud-imap-"))  # its sockets need a short path, its users one they may enter
        server = None
        try:
            try:
                server, found = _start(dovecot, home)
            except (OSError, KeyError, KefudError) as error:
                why = f"Dovecot 没有启动({error}),邮箱改用 Maildir (the mailbox is a maildir)"
            else:
                yield found
                return
        finally:
            if server:
                _stop(server)
            shutil.rmtree(home, ignore_errors=True)
    folder = _maildir(directory / "in" / "maildir", (-1, -1))
    yield Mailbox(folder, _MAILDIR_CHANNEL, why, (-1, -1))


def _start(program: str, home: Path) -> tuple[subprocess.Popen[bytes], Mailbox]:
    me = pwd.getpwuid(os.getuid())
    root = me.pw_uid == 0
    mine = pwd.getpwnam("mail") if root else me
    owner = (mine.pw_uid, mine.pw_gid) if root else (-1, -1)
    internal, login = ("dovecot", "dovenull") if root else (me.pw_name, me.pw_name)
    port = _free_port()
    values = {"home": home, "port": port, "internal": internal, "login": login, "password": PASSWORD}
    values |= {"group": "dovecot" if root else grp.getgrgid(me.pw_gid).gr_name, "uid": mine.pw_uid, "gid": mine.pw_gid}
    home.chmod(0o755)
    (home / "run").mkdir()
    (home / "home").mkdir()
    _own(home / "home", owner)
    folder = _maildir(home / "mail", owner)
    (home / "dovecot.conf").write_text(_DOVECOT.format(**values))
    command = [program, "-c", str(home / "dovecot.conf"), "-F"]
    with (home / "said").open("wb") as said:
        server = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True, preexec_fn=die_with_parent
        )
    try:
        _wait_for(port, server, home / "said")
    except BaseException:
        _stop(server)
        raise
    note = f"Dovecot,127.0.0.1:{port}(IMAP on loopback)"
    return server, Mailbox(folder, _CHANNEL.format(port=port, user=USER), note, owner)


def _wait_for(port: int, server: subprocess.Popen[bytes], said: Path) -> None:
    """Until the server greets. Raises KefudError with what it said instead."""
    end = time.monotonic() + STARTING
    while time.monotonic() < end:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as talk:
            if talk.recv(4) == b"* OK":
                return
        if server.poll() is not None:
            words = said.read_text(errors="replace").split("\n", 1)[0].strip()
            raise KefudError(words[:200] or f"it ended with status {server.returncode}")
        time.sleep(0.05)
    raise KefudError("it does not answer")


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _maildir(folder: Path, owner: tuple[int, int]) -> Path:
    for place in (folder, *(folder / part for part in ("tmp", "new", "cur"))):
        place.mkdir(parents=True)
        _own(place, owner)
    return folder


def _own(path: Path, owner: tuple[int, int]) -> None:
    if owner != (-1, -1):
        os.chown(path, *owner)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
