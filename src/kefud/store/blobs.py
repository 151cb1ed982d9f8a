"""Raw originals, named by their SHA-256, kept until retention says otherwise.

Small ones stand in the database and are as durable as its transaction. Large ones are files: written, fsynced, renamed and
their directory fsynced before the transaction that names them commits, so that no row ever names a missing file.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import stat
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

from sqlalchemy import Connection, insert, select

from kefud.errors import KefudError
from kefud.failpoints import reached
from kefud.large import INCOMING, Large
from kefud.store.tables import Blob

INLINE = 65_536
"""Bytes up to which an original stands in the database: one durable row is cheaper than one durable file."""

WRITERS = 4


@dataclass(frozen=True, slots=True)
class Stored:
    """An original that is durable as a file, or small enough to go into the database with its row."""

    sha: str
    size: int
    data: bytes | None = None
    path: str | None = None


def keep(contents: Sequence[bytes | Large], directory: Path) -> list[Stored]:
    """Make large originals durable as files below ``directory``; small ones are returned as they are.

    A file of the room for what comes in, beside ``directory``, is taken over: it is no more where it was.
    Raises OSError where a file cannot be written or fsynced; nothing is promised then.
    """
    stored = []
    files: dict[Path, bytes | Large] = {}
    for content in contents:
        sha = _sha(content, directory.parent / INCOMING)
        if len(content) <= INLINE:
            stored.append(Stored(sha, len(content), data=content[:]))
            continue
        relative = f"{sha[:1]}/{sha}"
        files[directory / relative] = content
        stored.append(Stored(sha, len(content), path=relative))
    _write_all({target: content for target, content in files.items() if not _holds(target, content)})
    for parent in {target.parent for target in files}:  # also of a file that is there: who wrote it may have died before this
        _sync_directory(parent)
        _anchor(parent)
    return stored


def _sha(content: bytes | Large, incoming: Path) -> str:
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    if content.path.parent != incoming or not stat.S_ISREG(content.path.lstat().st_mode):
        raise PermissionError(errno.EPERM, f"only a file of {incoming} is taken over", str(content.path))
    return _sha_of_file(content.path)


def _sha_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_all(files: Mapping[Path, bytes | Large]) -> None:
    """Several at a time, where there are several: a disk makes many writes durable at once as fast as one."""
    if len(files) > 1:
        pool = _writers()
        try:
            deque(pool.map(_write, files.keys(), files.values()), 0)
            return
        except RuntimeError:  # no thread is to be had: what was given to the others must not come later
            _writers.cache_clear()
            pool.shutdown(cancel_futures=True)
            files = {target: content for target, content in files.items() if not _holds(target, content)}
    for target, content in files.items():
        _write(target, content)


@cache
def _writers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(WRITERS, "blobs")


def _holds(target: Path, content: bytes | Large) -> bool:
    """Whether the file is there already, every byte of it."""
    try:
        return target.stat().st_size == len(content) and _sha_of_file(target) == target.name
    except FileNotFoundError:
        return False


def _write(target: Path, content: bytes | Large) -> None:
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if isinstance(content, Large):  # it is written, and only has to be made durable
        temporary, written, how = content.path, b"", os.O_RDWR | os.O_NOFOLLOW
    else:
        temporary, written = target.parent / f".{target.name}.{secrets.token_hex(4)}", content
        how = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    descriptor = os.open(temporary, how, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(written)
            file.flush()
            reached("blob.written")
            os.fsync(file.fileno())
        reached("blob.synced")
        os.rename(temporary, target)
        reached("blob.renamed")
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@cache
def _anchor(directory: Path) -> None:
    """Make the directory's own name and its parent's durable; once for each is enough."""
    _sync_directory(directory.parent)
    _sync_directory(directory.parent.parent)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def record(tx: Connection, blobs: Iterable[Stored], now: datetime) -> None:
    """Name the originals in the database; one that is there already stays."""
    wanted = {b.sha: b for b in blobs}
    known = set(tx.scalars(select(Blob.sha).where(Blob.sha.in_(wanted))))
    rows = [
        {"sha": b.sha, "size": b.size, "data": b.data, "path": b.path, "created_at": now}
        for b in wanted.values()
        if b.sha not in known
    ]
    if rows:
        tx.execute(insert(Blob), rows)


def fetch(tx: Connection, sha: str, directory: Path) -> bytes:
    """The original. Raises KefudError where it is missing or does not match its name."""
    row = tx.execute(select(Blob.data, Blob.path).where(Blob.sha == sha)).one_or_none()
    if row is None:
        raise KefudError(f"original {sha} is not in the store")
    try:
        content = row.data if row.data is not None else (directory / row.path).read_bytes()
    except OSError as error:
        raise KefudError(f"original {sha}: {error.strerror}") from None
    if hashlib.sha256(content).hexdigest() != sha:
        raise KefudError(f"original {sha} does not match its name: the file was changed")
    return bytes(content)
