"""Named steps of the line at which a test may end a process as a crash would: at once, with nothing tidied up.

KEFUD_FAILPOINT=STEP:N:FILE kills the process that reaches STEP for the N-th time, once; FILE remembers that it happened.
Where the variable is unset `reached` does nothing.
"""

from __future__ import annotations

import os
import signal

STEPS = (
    "fetched", "blob.written", "blob.synced", "blob.renamed", "arrival.written", "arrival.committed", "arrival.acknowledged",
    "read", "judged", "ticket.written", "ticket.committed", "letter.leased", "letter.printed", "letter.sending", "letter.sent",
    "letter.noted", "letter.heard", "letter.told", "letter.recorded",
)  # fmt: skip
"""The steps in the order in which a mail with a large attachment meets them."""

_step, _, _rest = os.environ.get("KEFUD_FAILPOINT", "").partition(":")
_number, _, _file = _rest.partition(":")
_left = int(_number or 1)


def _reached(step: str) -> None:
    global _left
    if step != _step or os.path.exists(_file):
        return
    _left -= 1
    if _left == 0:
        os.close(os.open(_file, os.O_WRONLY | os.O_CREAT, 0o600))
        os.kill(os.getpid(), signal.SIGKILL)


def _nothing(step: str) -> None:
    return


reached = _reached if _step and _file else _nothing
