"""What is made by the clock: digests, reports, reminders; who signs them; and the letters they leave in.

`Reporter` makes the data of a report of any period, `Periodic` makes each when it is due, `Signing` takes sign-offs, `Post`
writes letters that belong to no ticket, `Filing` puts what is settled into the archive.
"""

from __future__ import annotations

from kefud.periodic.filing import Filing
from kefud.periodic.post import Post
from kefud.periodic.reporting import Reporter, is_masked, settings_of
from kefud.periodic.signing import Signing
from kefud.periodic.stage import LOOKS, Periodic
from kefud.periodic.surveying import Surveying

__all__ = ["LOOKS", "Filing", "Periodic", "Post", "Reporter", "Signing", "Surveying", "is_masked", "settings_of"]
