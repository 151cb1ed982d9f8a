"""The wire gives up in time, refuses what is too much, and trusts nobody it was not told to trust."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from servers.certificates import certificates

from kefud.wire import Wire, tls_context

Serve = Callable[[Callable[[socket.socket], object]], Wire]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """A server that does one thing with its first connection, and a wire connected to it."""
    wires: list[Wire] = []
    listeners: list[socket.socket] = []

    def start(act: Callable[[socket.socket], object]) -> Wire:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def once() -> None:
            with contextlib.suppress(OSError), listener.accept()[0] as connection:
                act(connection)

        threading.Thread(target=once, daemon=True).start()
        wires.append(Wire("127.0.0.1", listener.getsockname()[1], timeout=5.0))
        wires[-1].connect()
        return wires[-1]

    yield start
    for each in (*wires, *listeners):
        each.close()


def test_lines_and_blocks_in_any_pieces(serve: Serve) -> None:
    def act(connection: socket.socket) -> None:
        for piece in (b"one\r", b"\ntwo\r\n12", b"345678", b"9three", b"\r\n"):
            connection.sendall(piece)
            time.sleep(0.01)

    wire = serve(act)
    assert (wire.read_line(100), wire.read_line(100), wire.read(9), wire.read_line(100)) == (
        b"one\r\n", b"two\r\n", b"123456789", b"three\r\n",
    )  # fmt: skip
    assert not wire.pending and wire.read(0) == b""


def test_a_large_block_is_whole(serve: Serve) -> None:
    content = bytes(range(256)) * 8000
    wire = serve(lambda connection: connection.sendall(b"x\n" + content + b"y\n"))
    assert (wire.read_line(10), wire.read(len(content)), wire.read_line(10)) == (b"x\n", content, b"y\n")


def test_the_deadline_counts_for_everything_together(serve: Serve) -> None:
    def drip(connection: socket.socket) -> None:
        for _ in range(100):
            connection.sendall(b"x")
            time.sleep(0.05)

    wire = serve(drip)
    wire.allow(0.3)
    with pytest.raises(TimeoutError, match="in all"):
        wire.read(1000)


def test_silence_ends_sooner_than_the_deadline(serve: Serve) -> None:
    wire = serve(lambda connection: time.sleep(8))
    wire.timeout = 0.1
    wire.allow(100)
    with pytest.raises(TimeoutError, match="silent"):
        wire.read_line(10)


def test_a_server_that_reads_nothing_holds_nobody(serve: Serve) -> None:
    wire = serve(lambda connection: time.sleep(8))
    wire.allow(0.3)
    with pytest.raises(TimeoutError):
        wire.send(b"x" * 50_000_000)


@pytest.mark.parametrize("sent", [b"x" * 200, b"x" * 200 + b"\n"])
def test_a_line_may_be_so_long(serve: Serve, sent: bytes) -> None:
    wire = serve(lambda connection: connection.sendall(sent))
    with pytest.raises(ConnectionError, match="more than 100"):
        wire.read_line(100)


def test_a_closed_connection_says_so(serve: Serve) -> None:
    wire = serve(lambda connection: connection.sendall(b"12345"))
    with pytest.raises(ConnectionError, match="after 5 of 10"):
        wire.read(10)
    wire.close()
    wire.close()
    with pytest.raises(ConnectionError, match="is closed"):
        wire.send(b"x")


def test_ready_tells_what_waits_to_be_read(serve: Serve) -> None:
    wire = serve(lambda connection: (time.sleep(0.1), connection.sendall(b"a\nb\n"), time.sleep(1)))
    assert not wire.ready(0.01) and wire.ready(5.0)
    wire.read_line(10)
    assert wire.ready(0.0)


def test_no_tls_over_bytes_that_came_in_clear(serve: Serve) -> None:
    wire = serve(lambda connection: connection.sendall(b"OK\r\ninjected\r\n"))
    wire.read_line(10)
    with pytest.raises(ConnectionError, match="in clear"):
        wire.secure(tls_context(certificates().ca))


def test_only_this_machine_is_local(serve: Serve) -> None:
    wire = serve(lambda connection: time.sleep(1))
    wire.must_be_local()

    class Elsewhere:
        def getpeername(self) -> tuple[str, int]:
            return ("192.0.2.1", 25)

        def close(self) -> None: ...

    wire._socket = Elsewhere()  # type: ignore[assignment]
    with pytest.raises(ConnectionError, match="not this machine"):
        wire.must_be_local()


def test_old_versions_of_tls_are_refused() -> None:
    context = tls_context()
    assert context.minimum_version.name == "TLSv1_2" and context.check_hostname and context.verify_mode.name == "CERT_REQUIRED"
