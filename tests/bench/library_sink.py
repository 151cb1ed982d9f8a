"""The sink once more, as a server that people run: aiosmtpd, which parses the dialogue and each mail. `python library_sink.py LOG`."""

from __future__ import annotations

import asyncio
import email
import json
import sys
import time
from typing import IO, Any

from aiosmtpd.smtp import SMTP


class _Keeper:
    def __init__(self, log: IO[str]) -> None:
        self._log = log

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:
        message = email.message_from_bytes(envelope.content)
        row = {
            "t": time.time(), "from": envelope.mail_from, "to": envelope.rcpt_tos, "size": len(envelope.content),
            "subject": str(message["Subject"]), "answers": str(message["In-Reply-To"] or ""),
        }  # fmt: skip
        self._log.write(json.dumps(row) + "\n")
        return "250 ok"


async def _serve(log: IO[str]) -> None:
    loop = asyncio.get_running_loop()
    made = lambda: SMTP(_Keeper(log), data_size_limit=60_000_000, hostname="sink.example")  # noqa: E731
    server = await loop.create_server(made, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    with open(sys.argv[1], "a", buffering=1, encoding="utf-8") as _log:
        asyncio.run(_serve(_log))
