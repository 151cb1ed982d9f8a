"""One TCP connection under the rules every mail protocol needs: verified TLS, a total deadline, bounded lines.

A timeout for each read does not stop a server that sends one byte a second. Here every wait counts against a deadline for
the whole exchange, set with `allow`; a line is read up to a limit, and a block only as large as the caller asked for.
Everything that goes wrong is an OSError.
"""

from __future__ import annotations

import io
import ipaddress
import select
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

CHUNK = 65_536
T = TypeVar("T")


def tls_context(ca_file: str = "") -> ssl.SSLContext:
    """TLS 1.2 or newer, certificate and host name verified; ``ca_file`` replaces the system's authorities."""
    context = ssl.create_default_context(cafile=ca_file or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class Wire:
    """A connection to ``host``. Constructing one does no I/O; `connect` opens it.

    ``timeout`` is the longest silence; `allow` sets how long the next exchange may take in all.
    """

    def __init__(self, host: str, port: int, timeout: float = 30.0) -> None:
        self.host = host
        self.port = port
        self.timeout = timeout
        self.encrypted = False
        self._socket: socket.socket | None = None
        self._buffer = bytearray()
        self._until = time.monotonic() + timeout
        self._set = -1.0

    def allow(self, seconds: float) -> None:
        """From now, all reading and writing together may take this long."""
        self._until = time.monotonic() + seconds

    def connect(self) -> None:
        """Open the connection, trying each address of the host."""
        failure: OSError = OSError(f"{self.host} has no address")
        for family, kind, protocol, _, address in socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM):
            attempt = socket.socket(family, kind, protocol)
            try:
                attempt.settimeout(self._patience())
                attempt.connect(address)
            except OSError as error:
                attempt.close()
                failure = error
                continue
            attempt.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            self._adopt(attempt)
            return
        raise failure

    def secure(self, context: ssl.SSLContext) -> None:
        """Begin TLS. What the server sent in clear before must have been read to the last byte (S20)."""
        if self.pending:
            raise ConnectionError("the server sent bytes in clear that belong behind the encryption")
        plain = self._open()
        plain.settimeout(self._patience())
        self._adopt(context.wrap_socket(plain, server_hostname=self.host))
        self.encrypted = True

    def must_be_local(self) -> None:
        """Raise unless the other end is this machine: only then may a password go in clear."""
        peer = str(self._open().getpeername()[0])
        if not ipaddress.ip_address(peer.split("%")[0]).is_loopback:
            raise ConnectionError(f"{self.host} is {peer}, not this machine; without TLS nothing is sent there")

    def send(self, data: bytes) -> None:
        connection = self._open()
        self._in_time(connection, partial(connection.sendall, data), whole=len(data) > CHUNK)

    def read_line(self, limit: int) -> bytes:
        """The next line with its end. A line longer than ``limit`` is refused before it is stored."""
        seen = 0
        while (end := self._buffer.find(b"\n", seen)) < 0:
            seen = len(self._buffer)
            if seen > limit:
                raise ConnectionError(f"the server sent a line of more than {limit} bytes")
            self._fill()
        if end >= limit:
            raise ConnectionError(f"the server sent a line of more than {limit} bytes")
        return self._take(end + 1)

    def read(self, size: int) -> bytes:
        """Exactly ``size`` bytes. The caller has checked that ``size`` is bearable."""
        if size <= len(self._buffer):
            return self._take(size)
        # A BytesIO gives up its buffer without a copy, and untouched pages cost nothing: a large mail is in memory once.
        block = io.BytesIO(bytes(size))
        got = len(self._buffer)
        connection = self._open()
        with block.getbuffer() as view:
            view[:got] = self._take(got)
            while got < size:
                with view[got:] as rest:
                    count = self._in_time(connection, partial(connection.recv_into, rest))
                if not count:
                    raise ConnectionError(f"the server closed the connection after {got} of {size} bytes")
                got += count
        return block.getvalue()

    def pour(self, size: int, into: Callable[[memoryview], object]) -> None:
        """Exactly ``size`` bytes, handed on as they come."""
        connection, left = self._open(), size
        block = bytearray(min(size, 4 * CHUNK))
        with memoryview(block) as view:
            while left:
                if self._buffer:
                    piece = self._take(min(len(self._buffer), left, len(block)))
                    view[: len(piece)] = piece
                    count = len(piece)
                else:
                    with view[: min(left, len(block))] as room:
                        count = self._in_time(connection, partial(connection.recv_into, room))
                if not count:
                    raise ConnectionError(f"the server closed the connection after {size - left} of {size} bytes")
                with view[:count] as piece_read:
                    into(piece_read)
                left -= count

    def ready(self, seconds: float) -> bool:
        """Wait for something to read, at most so long."""
        connection = self._open()
        if self._buffer or (isinstance(connection, ssl.SSLSocket) and connection.pending()):
            return True
        poll = select.poll()
        poll.register(connection, select.POLLIN)
        return bool(poll.poll(max(0, int(seconds * 1000))))

    @property
    def pending(self) -> bool:
        """True while bytes that arrived wait to be read."""
        return bool(self._buffer)

    @property
    def local_address(self) -> str:
        return str(self._open().getsockname()[0])

    def close(self) -> None:
        connection, self._socket = self._socket, None
        self._buffer.clear()
        self.encrypted = False
        if connection is not None:
            with suppress(OSError):
                connection.close()

    def _adopt(self, connection: socket.socket) -> None:
        self._socket = connection
        self._set = -1.0

    def _open(self) -> socket.socket:
        if self._socket is None:
            raise ConnectionError("the connection is closed")
        return self._socket

    def _patience(self, *, whole: bool = False) -> float:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the server took too long in all")
        return left if whole else min(left, self.timeout)

    def _in_time(self, connection: socket.socket, step: Callable[[], T], *, whole: bool = False) -> T:
        """One step that may block: until the silence is too long, or with ``whole`` until the deadline."""
        patience = self._patience(whole=whole)
        if patience != self._set:
            connection.settimeout(patience)
            self._set = patience
        try:
            return step()
        except TimeoutError:
            if time.monotonic() >= self._until:
                raise TimeoutError("the server took too long in all") from None
            raise TimeoutError(f"the server was silent for {patience:.0f} seconds") from None

    def _fill(self) -> None:
        connection = self._open()
        data = self._in_time(connection, partial(connection.recv, CHUNK))
        if not data:
            raise ConnectionError("the server closed the connection")
        self._buffer += data

    def _take(self, size: int) -> bytes:
        taken = bytes(memoryview(self._buffer)[:size])
        del self._buffer[:size]
        return taken
