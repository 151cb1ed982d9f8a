"""Each letter becomes files whose names begin with its ticket and end with a mark made of its Message-ID.

A file appears whole or not at all, and the mail appears last: where it stands, the letter is complete. The same letter sent
again is recognised by its name and changes nothing.
"""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from kefud.api import DeliveryFailed, Parcel

from .settings import Settings

_KEPT = re.compile(r"[^\w.\-（）]+")
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class PrintFolder:
    """A Transport. Constructing one does no I/O."""

    def __init__(self, id: str, settings: Settings) -> None:
        self.id = id
        self.settings = settings

    def send(self, parcel: Parcel) -> str:
        """What was put down. Raises DeliveryFailed, for good only where the letter has nothing to put down."""
        files = list(self._files(parcel))
        if not files:
            raise DeliveryFailed("the letter has no papers to print", permanent=True)
        try:
            with self._folder() as folder:
                new = [name for name, content in files if _put(folder, name, content)]
        except OSError as error:
            raise DeliveryFailed(f"{self.settings.path}: {error.strerror or error}") from None
        return f"{'put down' if new else 'lies there already'}: {', '.join(name for name, _ in files)}"

    def probe(self) -> None:
        """See whether the folder can be written. Raises DeliveryFailed."""
        try:
            with self._folder() as folder:
                _put(folder, name := f".probe-{os.getpid()}", b"")
                os.unlink(name, dir_fd=folder)
        except OSError as error:
            raise DeliveryFailed(f"{self.settings.path}: {error.strerror or error}") from None

    def finish(self) -> None:
        """Nothing stays open."""

    def _files(self, parcel: Parcel) -> Iterator[tuple[str, bytes]]:
        mark = hashlib.sha256((parcel.message_id or str(parcel.id)).encode()).hexdigest()[:12]
        start = _safe(parcel.ticket, 40) or "letter"
        if self.settings.content != "mail":
            for number, (name, _, content) in enumerate(parcel.papers, 1):
                stem, ending = os.path.splitext(name)
                yield f"{start}_{_safe(stem, 60) or 'paper'}_{mark}-{number}.{_safe(ending, 8).lower() or 'bin'}", content
        if self.settings.content != "papers":
            yield f"{start}_{mark}.eml", parcel.message

    @contextmanager
    def _folder(self) -> Iterator[int]:
        self.settings.path.mkdir(mode=0o750, parents=True, exist_ok=True)
        handle = os.open(self.settings.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield handle
        finally:
            os.close(handle)


def _put(folder: int, name: str, content: bytes) -> bool:
    """Write aside, make it durable, rename. False if a file of that name is there: the mark says it is the same letter."""
    with suppress(FileNotFoundError):
        os.stat(name, dir_fd=folder, follow_symlinks=False)
        return False
    aside = f".{name}.part"
    with suppress(FileNotFoundError):
        os.unlink(aside, dir_fd=folder)
    with os.fdopen(os.open(aside, _FLAGS, 0o640, dir_fd=folder), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.rename(aside, name, src_dir_fd=folder, dst_dir_fd=folder)
    os.fsync(folder)
    return True


def _safe(text: str, most: int) -> str:
    """Letters, digits and 汉字; nothing that a file system, a shell or Windows minds."""
    plain = "".join(c for c in unicodedata.normalize("NFC", text) if unicodedata.category(c)[0] in "LNPSZ")
    return _KEPT.sub("-", plain).strip("-._")[:most].strip("-._")
