"""A private Dovecot on free loopback ports, with a mailbox for every name a test thinks of.

Needs the package dovecot-imapd. Any user name works with the password "pw". The plain port offers STARTTLS too.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from imapclient import IMAPClient

from servers.certificates import certificates

PASSWORD = "pw"
_names = itertools.count(1)

_CONFIG = """
base_dir = {home}/run
state_dir = {home}/run
log_path = {home}/log
auth_verbose = yes
protocols = imap
listen = 127.0.0.1
ssl = yes
ssl_cert = <{cert}
ssl_key = <{key}
disable_plaintext_auth = no
default_internal_user = {internal}
default_internal_group = {group}
default_login_user = {login}
first_valid_uid = 0
mail_location = maildir:{home}/mail/%u:UTF-8
mail_uid = {uid}
mail_gid = {gid}
mail_max_userip_connections = 100
namespace inbox {{
  inbox = yes
  separator = /
}}
passdb {{
  driver = static
  args = password=pw
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={home}/home/%u
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""


class Mailbox:
    """One user of the server, known to nobody else."""

    def __init__(self, server: Dovecot, user: str) -> None:
        self.server = server
        self.user = user
        self.port = server.port
        self.tls_port = server.tls_port
        self._delivered = itertools.count(1)

    def folder(self, name: str = "INBOX") -> Path:
        return self.server.home / "mail" / self.user / ("" if name == "INBOX" else f".{name.replace('/', '.')}")

    def put(self, content: bytes, folder: str = "INBOX") -> None:
        """Deliver a mail as a delivery agent would: written aside, then renamed into new/."""
        place = self.folder(folder)
        for part in (self.folder(), place, place / "tmp", place / "new", place / "cur"):
            if not part.exists():
                part.mkdir(parents=True)
                self._own(part)
        name = f"{int(time.time())}.{next(self._delivered):06d}.test"
        (place / "tmp" / name).write_bytes(content)
        self._own(place / "tmp" / name)
        (place / "tmp" / name).rename(place / "new" / name)

    def files(self, folder: str = "INBOX") -> list[str]:
        """Names of the mails in a folder, flags included."""
        place = self.folder(folder)
        found = [path.name for part in ("new", "cur") if (place / part).is_dir() for path in (place / part).iterdir()]
        return sorted(found)

    def client(self, patience: float | None = None) -> IMAPClient:
        """Another client of the mailbox, logged in; use it as a context manager. ``patience`` in seconds for each answer."""
        client = IMAPClient("127.0.0.1", self.port, ssl=False, timeout=patience)
        client.login(self.user, PASSWORD)
        return client

    def _own(self, path: Path) -> None:
        if os.getuid() == 0:
            owner = pwd.getpwnam("mail")
            os.chown(path, owner.pw_uid, owner.pw_gid)


class Dovecot:
    """A server; use `dovecot()` for one that runs. It may be stopped and started again, and keeps its ports and its mails."""

    def __init__(self, home: Path, port: int, tls_port: int) -> None:
        self.home = home
        self.port = port
        self.tls_port = tls_port
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            ["dovecot", "-c", str(self.home / "dovecot.conf"), "-F"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        _wait_for(self.port, self._process)

    def stop(self) -> None:
        """Connections end; mails can still be delivered."""
        process, self._process = self._process, None
        if process is None:
            return
        served = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        process.wait(10)
        for child in served:  # an imap process goes on serving whoever is connected
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        if process.stderr:
            process.stderr.close()

    def end_sessions(self) -> None:
        """Who is connected is not any more. A session whose folder was renamed while it held its lock leaves it locked for its life."""
        if self._process is None:
            return
        for child in psutil.Process(self._process.pid).children():
            with contextlib.suppress(psutil.NoSuchProcess):
                if child.name() == "imap":
                    child.kill()

    def mailbox(self) -> Mailbox:
        """A fresh, empty mailbox."""
        return Mailbox(self, f"user{next(_names)}")

    def log(self) -> str:
        return (self.home / "log").read_text(errors="replace")


@contextlib.contextmanager
def dovecot() -> Iterator[Dovecot]:
    # The socket paths below must stay short, so this is not pytest's tmp_path.
    home = Path(tempfile.mkdtemp(prefix="kd-"))
    port, tls_port = _free_ports(2)
    _write_config(home, port, tls_port)
    server = Dovecot(home, port, tls_port)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)


def _write_config(home: Path, port: int, tls_port: int) -> None:
    me = pwd.getpwuid(os.getuid())
    root = me.pw_uid == 0
    owner = pwd.getpwnam("mail") if root else me
    internal, login = ("dovecot", "dovenull") if root else (me.pw_name, me.pw_name)
    group = "dovecot" if root else str(subprocess.check_output(["id", "-gn"], text=True).strip())
    home.chmod(0o755)
    for name in ("mail", "home", "run"):
        (home / name).mkdir()
        if root and name != "run":
            os.chown(home / name, owner.pw_uid, owner.pw_gid)
    made = certificates()
    values = {"home": home, "port": port, "tls_port": tls_port, "internal": internal, "login": login, "group": group}
    values |= {"uid": owner.pw_uid, "gid": owner.pw_gid, "cert": made.server, "key": made.key}
    (home / "dovecot.conf").write_text(_CONFIG.format(**values))


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as open_ones:
        sockets = [open_ones.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as talk:
            if talk.recv(4) == b"* OK":
                return
        if process.poll() is not None:
            said = process.stderr.read().decode(errors="replace") if process.stderr else ""
            raise RuntimeError(f"dovecot ended: {said}")
        time.sleep(0.05)
    raise RuntimeError("dovecot does not answer")
