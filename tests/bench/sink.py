"""An SMTP server that takes everything and keeps one line for each mail: arrival time, sender, recipients, size, subject.

`python sink.py LOG` prints its port. A process of its own, so that its work is not counted as kefud's.
"""

from __future__ import annotations

import json
import re
import socketserver
import sys
import time
from threading import Lock
from typing import IO

_SUBJECT = re.compile(rb"^Subject: *([^\r\n]*)", re.MULTILINE)
_IN_REPLY_TO = re.compile(rb"^In-Reply-To: *([^\r\n]*)", re.MULTILINE)


class _Talk(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self) -> None:
        self._say(b"220 sink.example ESMTP")
        sender, recipients = b"", []
        while line := self.rfile.readline(4096):
            verb = line[:4].upper()
            if verb == b"EHLO":
                self._say(b"250-sink.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 60000000")
            elif verb == b"MAIL":
                sender, recipients = line[10:].strip(), []
                self._say(b"250 ok")
            elif verb == b"RCPT":
                recipients.append(line[8:].strip())
                self._say(b"250 ok")
            elif verb == b"DATA":
                self._say(b"354 go on")
                self._keep(sender, recipients)
                self._say(b"250 ok")
            elif verb == b"QUIT":
                self._say(b"221 bye")
                return
            else:
                self._say(b"250 ok")

    def _keep(self, sender: bytes, recipients: list[bytes]) -> None:
        lines = []
        while (line := self.rfile.readline(1 << 20)) not in (b".\r\n", b""):
            lines.append(line)
        content = b"".join(lines)
        head = content.partition(b"\r\n\r\n")[0]
        row = {"t": time.time(), "from": sender.decode(), "to": [r.decode() for r in recipients], "size": len(content)}
        for key, pattern in (("subject", _SUBJECT), ("answers", _IN_REPLY_TO)):
            found = pattern.search(head)
            row[key] = found[1].decode("ascii", "replace") if found else ""
        with _lock:
            _log.write(json.dumps(row) + "\n")

    def _say(self, answer: bytes) -> None:
        self.wfile.write(answer + b"\r\n")
        self.wfile.flush()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


_lock = Lock()
_log: IO[str]

if __name__ == "__main__":
    with open(sys.argv[1], "a", buffering=1, encoding="utf-8") as _log, _Server(("127.0.0.1", 0), _Talk) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()
