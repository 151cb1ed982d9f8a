"""Child processes with limits, where bytes are read and plugin code runs. A child may die; the line goes on.

A `Nursery` is a small process that has imported what children need and forks them on request, so that they share memory.
A `Worker` is one child that serves one object per lane; each lane is a connection with a thread of its own in the child.
Knows nothing of tickets: what a child serves is named by a factory "module:function".
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import gc
import importlib
import mmap
import os
import pickle
import resource
import signal
import socket
import struct
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn, Protocol

from kefud.errors import KefudError, NotStarted
from kefud.turns import Turns

DOING_BYTES = 256
SEND_PATIENCE = 60
"""Seconds in which a child must take what it is told; one that hangs is ended then."""
OUT_OF_MEMORY = 137
WITH_ITS_NURSERY = "ended with its nursery"


class WorkerDied(KefudError):
    """The child ended, or was ended, while it worked. ``doing`` is what it said it was at, e.g. the name of a rule."""

    def __init__(self, name: str, reason: str, doing: str = "") -> None:
        super().__init__(f"{name}: {reason}" + (f" while at {doing}" if doing else ""))
        self.name = name
        self.reason = reason
        self.doing = doing
        self.stopped = reason == "stopped"


class Failed(KefudError):
    """The served object raised something that is no error of kefud; the child lives on."""

    def __init__(self, kind: str, text: str, trace: str = "") -> None:
        super().__init__(f"{kind}: {text}")
        self.kind = kind
        self.trace = trace


class _Process(Protocol):
    def kill(self) -> None: ...

    def wait(self) -> int: ...


class _Forked:
    """The child that a fork left us."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def kill(self) -> None:
        os.kill(self._pid, signal.SIGKILL)

    def wait(self) -> int:
        return os.waitpid(self._pid, 0)[1]


class Nursery:
    """Forks children from one warm process. Thread-safe."""

    def __init__(self, preload: Sequence[str] = ()) -> None:
        self._preload = tuple(preload)
        self._lock = threading.Lock()
        self._process: _Process | None = None
        self._control: socket.socket | None = None

    @classmethod
    def forked(cls, preload: Sequence[str]) -> Nursery:
        """A nursery that shares its memory with this process, which imports ``preload`` for it.

        For a process that has just begun: it must have no secret, no thread and no file that children may not have. One that
        dies is replaced as any other. Raises NotStarted where the machine gives no process for now.
        """
        made = cls(preload)
        try:
            made._fork()
        except OSError as error:
            raise NotStarted(f"no nursery can be forked: {error.strerror}") from None
        return made

    def fork(self, spec: dict[str, Any], fds: Sequence[int]) -> int:
        """Start a child for ``spec``; returns its process id. A nursery that died is replaced.

        Raises NotStarted where the machine gives no process for now; other children live on.
        """
        with self._lock:
            try:
                pid = self._ask(pickle.dumps(spec), fds)
            except (OSError, EOFError):
                self._end()
                pid = self._ask_new(pickle.dumps(spec), fds)
        if pid < 0:
            raise NotStarted(f"no child can be started: {os.strerror(-pid)}")
        return pid

    def _ask_new(self, message: bytes, fds: Sequence[int]) -> int:
        try:
            return self._ask(message, fds)
        except (OSError, EOFError) as error:
            self._end()
            raise NotStarted(f"no nursery can be started: {error}") from None

    def start(self) -> None:
        """Start the nursery now, so that no call has to wait for it."""
        with self._lock:
            if self._control is None:
                try:
                    self._start()
                except OSError as error:
                    raise NotStarted(f"no nursery can be started: {error}") from None

    def how_ended(self, pid: int) -> str:
        """A sentence on how a child ended; waits until it has."""
        with self._lock:
            if self._control is None:
                return WITH_ITS_NURSERY
            try:
                status = self._ask(pickle.dumps({"reap": pid}), ())
            except (OSError, EOFError):
                return WITH_ITS_NURSERY
        if status < 0:
            return WITH_ITS_NURSERY
        if os.WIFSIGNALED(status):
            return f"killed by {signal.Signals(os.WTERMSIG(status)).name}"
        return f"exited with status {os.WEXITSTATUS(status)}"

    def close(self) -> None:
        with self._lock:
            self._end()

    def _ask(self, message: bytes, fds: Sequence[int]) -> int:
        control = self._control or self._start()
        header = len(message).to_bytes(8, "big")
        socket.send_fds(control, [header], list(fds))
        control.sendall(message)
        answer = _exactly(control, 8)
        return int.from_bytes(answer, "big", signed=True)

    def _fork(self) -> None:
        one_heap()
        _import(self._preload)
        _share()
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                pid = os.fork()
            except OSError:
                ours.close()
                raise
            if not pid:
                _become_nursery(theirs.detach())
        self._process, self._control = _Forked(pid), ours

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        with theirs:
            theirs.set_inheritable(True)
            command = [sys.executable, "-P", "-c", _NURSERY, str(theirs.fileno()), *self._preload]
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
            try:
                self._process = subprocess.Popen(
                    command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=2, env=environment
                )  # what plugins print is no output of ours
            except OSError:
                ours.close()
                raise
        self._control = ours
        return ours

    def _end(self) -> None:
        if self._control:
            self._control.close()
        if self._process:
            self._process.kill()
            self._process.wait()
        self._control = self._process = None


def _become_nursery(fd: int) -> NoReturn:
    """In the fork: what its parent had open or would do at its end is not for us."""
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC), 0)
        os.dup2(2, 1)  # what plugins print is no output of ours
        os.closerange(3, fd)
        os.closerange(fd + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        nurse(fd, ())
    finally:
        os._exit(1)


def _import(names: Sequence[str]) -> None:
    for name in names:
        try:
            importlib.import_module(name)
        except Exception as error:
            print(f"nursery: {name}: {error}", file=sys.stderr)


def _share() -> None:
    """What was imported so far is never looked through again by the collector: its pages stay shared.

    From here on it looks every 5,000 new objects: a wave of mails makes many that live until it is filed, and little that turns
    in circles.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 10, 10)


_NURSERY = "import sys; from kefud.workers import nurse; nurse(int(sys.argv[1]), sys.argv[2:])"


def nurse(fd: int, preload: Sequence[str]) -> None:
    """Main loop of the nursery process: import, then fork a child for each request until the daemon is gone.

    That the daemon is gone shows in the socket's end. PR_SET_PDEATHSIG would show the end of the *thread* that started us.
    """
    one_heap()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _import(preload)
    _share()
    children: set[int] = set()
    try:
        _nurse(socket.socket(fileno=fd), children)
    finally:
        for pid in children:
            end_family(pid)
        os._exit(0)


def _nurse(control: socket.socket, children: set[int]) -> None:
    while True:
        header, fds, flags, _ = socket.recv_fds(control, 8, 64 * 8)
        if not header:
            return
        spec = pickle.loads(_exactly(control, int.from_bytes(header, "big")))
        if "reap" in spec:
            answer = _reap(spec["reap"])
            children.discard(spec["reap"])
        elif flags & socket.MSG_CTRUNC:
            answer = -errno.EMFILE
            _close(fds)
        else:
            answer = _fork(control, spec, fds)
            children.update([answer] if answer > 0 else [])
        control.sendall(answer.to_bytes(8, "big", signed=True))


def _close(fds: Sequence[int]) -> None:
    for fd in fds:
        os.close(fd)


def end_family(pid: int) -> None:
    """Kill a child and whatever it forked; it leads a process group of its own."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _reap(pid: int) -> int:
    """How a child ended; -1 where it was none of ours."""
    try:
        return os.waitpid(pid, 0)[1]
    except ChildProcessError:
        return -1


def _fork(control: socket.socket, spec: dict[str, Any], fds: Sequence[int]) -> int:
    """The child's process id, or the error number, negative, where there is none: those that live have no part in it."""
    try:
        pid = os.fork()
    except OSError as error:
        _close(fds)
        return -(error.errno or errno.EAGAIN)
    if pid:
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)
        _close(fds)
        return pid
    try:
        os.setpgid(0, 0)
        control.close()
        _child(spec, fds)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def _child(spec: dict[str, Any], fds: Sequence[int]) -> None:
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _limit(spec)
    global _doing
    _doing = mmap.mmap(fds[0], DOING_BYTES)
    module, _, name = spec["factory"].partition(":")
    factory = getattr(importlib.import_module(module), name)
    lanes = [Connection(fd) for fd in fds[1:]]
    served = _made(factory, spec["args"])
    objects = served if isinstance(served, list) else [served] * len(lanes)
    threads = [threading.Thread(target=_serve, args=pair, daemon=True) for pair in zip(lanes[1:], objects[1:], strict=True)]
    for thread in threads:
        thread.start()
    _serve(lanes[0], objects[0])
    for thread in threads:
        thread.join()
    os._exit(0)


def _made(factory: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    try:
        return factory(*args)
    except KefudError as error:
        return _Unborn(error)


class _Unborn:
    """Stands in for what could not be made: whoever calls it is told why."""

    def __init__(self, reason: KefudError) -> None:
        self._reason = reason

    def __getattr__(self, name: str) -> Any:
        raise self._reason


def _limit(spec: dict[str, Any]) -> None:
    if spec.get("memory"):
        resource.prlimit(0, resource.RLIMIT_AS, (spec["memory"], spec["memory"]))
    resource.prlimit(0, resource.RLIMIT_CORE, (0, 0))
    try:
        with open("/proc/self/oom_score_adj", "w") as score:
            score.write("500")
    except OSError:
        pass


def die_with_parent() -> None:
    """Ask the kernel to kill this process when the thread that forked it ends (PR_SET_PDEATHSIG, prctl(2)).

    Only for children of the nursery, which has one thread.
    """
    ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL, 0, 0, 0)


def one_heap() -> None:
    """Let all threads share one heap (mallopt(3), M_ARENA_MAX): a heap for each keeps what it once needed, for nothing.

    What is large is mapped by itself and given back when it is freed; else one large mail raises the mark for good (M_MMAP_THRESHOLD).
    """
    with contextlib.suppress(AttributeError, OSError):
        libc = ctypes.CDLL(None)
        for option, value in ((-8, 1), (-3, 1 << 17), (-1, 1 << 18)):
            libc.mallopt(option, value)


def trim_heap() -> None:
    """Give back what is free between what is in use (malloc_trim(3)): after a burst, some milliseconds."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def forget_pages(library: str) -> None:
    """Give back the pages of a shared library that are as they are on disk (madvise(2)): those still needed come back one by one.

    Loading a library reads all of it once, to put its addresses right. ``library`` is a part of its file's name. Linux only.
    """
    with contextlib.suppress(AttributeError, OSError):
        libc, where = ctypes.CDLL(None), ""
        for line in Path("/proc/self/smaps").read_text("ascii", "replace").splitlines():
            name, *values = line.split()
            if not name.endswith(":"):
                named = len(values) > 4 and library in values[4]
                where = name if named and "w" not in values[0] else ""
            elif where and name == "Anonymous:" and values[0] == "0":
                start, end = (int(edge, 16) for edge in where.split("-"))
                libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), 4)


_doing: mmap.mmap | None = None


def doing(what: str) -> None:
    """Note what this child is at, for the case that it dies. Costs about a microsecond."""
    if _doing is not None:
        note = what.encode("utf-8", "replace")[: DOING_BYTES - 1]
        _doing[: len(note) + 1] = note + b"\0"


class Asker:
    """What a served method uses to ask the daemon something in the middle of a call."""

    def __init__(self, lane: Connection) -> None:
        self._lane = lane

    def ask(self, name: str, *args: Any) -> Any:
        self.post(name, *args)
        return self.answer()

    def post(self, name: str, *args: Any) -> None:
        """Ask without waiting. Answers come in the order of the questions; all must be taken before the method returns."""
        try:
            self._lane.send(("ask", name, args))
        except OSError:
            os._exit(0)  # the daemon has ended: there is nobody left to work for

    def answer(self) -> Any:
        try:
            return self._lane.recv()
        except (EOFError, OSError):
            os._exit(0)

    def answered(self) -> bool:
        """Whether an answer is there already."""
        return self._lane.poll(0)


def _serve(lane: Connection, served: Any) -> None:
    asker = Asker(lane)
    born = os.getpid()
    while True:
        try:
            name, args = lane.recv()
        except (EOFError, OSError):
            os._exit(0)
        answer = _answer(served, name, args, asker)
        if os.getpid() != born:
            os._exit(0)  # a plugin forked: only one of the two may answer
        try:
            lane.send(answer)
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            lane.send(("failed", type(error).__name__, f"the answer of {name} cannot be passed on: {error}", ""))


def _answer(served: Any, name: str, args: tuple[Any, ...], asker: Asker) -> tuple[Any, ...]:
    try:
        method = getattr(served, name)
        result = method(asker, *args) if getattr(method, "asks", False) else method(*args)
        return ("ok", result, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    except KefudError as error:
        return ("error", error, 0)
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    except BaseException as error:
        if isinstance(error, (SystemExit, KeyboardInterrupt)):
            return ("failed", type(error).__name__, "a plugin tried to end the process", "")
        return ("failed", type(error).__name__, str(error)[:500], traceback.format_exc()[-2000:])


def asks(method: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a served method that takes an Asker as its first argument."""
    method.asks = True  # type: ignore[attr-defined]
    return method


class Worker:
    """One child process with one or more lanes; started when first called, and again after it died.

    ``memory`` limits the child's address space in bytes; ``recycle`` is the resident size in bytes above which the child
    is replaced after a call. Calls on one lane are served in the order in which they come.
    """

    def __init__(
        self,
        nursery: Nursery,
        name: str,
        factory: str,
        args: tuple[Any, ...],
        *,
        lanes: int = 1,
        memory: int = 0,
        recycle: int = 0,
    ) -> None:
        self.name = name
        self._nursery = nursery
        self._spec = {"factory": factory, "args": args, "memory": memory}
        self._count = lanes
        self._turns = [Turns() for _ in range(lanes)]
        self._recycle = recycle
        self._lock = threading.Lock()
        self._lanes: list[Connection] = []
        self._pid = 0
        self._doing: mmap.mmap | None = None
        self._closed = False

    @property
    def pid(self) -> int:
        """The child's process id, 0 while none runs."""
        return self._pid

    def call(
        self,
        method: str,
        *args: Any,
        timeout: float,
        lane: int = 0,
        asked: Callable[[str, tuple[Any, ...]], Any] | None = None,
    ) -> Any:
        """Call ``method`` of the served object. ``timeout`` (seconds) bounds the time between two signs of life.

        Raises WorkerDied when the child ends or stays silent (it is killed then), Failed for a foreign exception, and
        whatever error of kefud the method raised.
        """
        with self._turns[lane]:
            return self._call(method, args, timeout, lane, asked)

    def _call(
        self,
        method: str,
        args: tuple[Any, ...],
        timeout: float,
        lane: int,
        asked: Callable[[str, tuple[Any, ...]], Any] | None,
    ) -> Any:
        connection, born = self._lane(lane)
        try:
            connection.send((method, args))
            while True:
                if not _answers(connection, timeout):
                    self._give_up(born)
                    raise WorkerDied(self.name, f"no answer for {timeout:g} s, killed", self._was_doing())
                answer = connection.recv()
                if answer[0] != "ask":
                    break
                connection.send(self._told(asked, answer))
        except (EOFError, OSError, ConnectionError) as error:
            raise self._obituary(born, error) from None
        except BaseException:
            self._give_up(born)  # it waits in the middle of a call for an answer that will not come
            raise
        return self._result(answer, born)

    def _told(self, asked: Callable[[str, tuple[Any, ...]], Any] | None, question: tuple[Any, ...]) -> Any:
        """The caller's answer. Its errors are its own, and no sign that the child has ended."""
        try:
            return asked(question[1], question[2]) if asked else None
        except OSError as error:
            raise KefudError(f"{type(error).__name__}: {error}") from error

    def _result(self, answer: tuple[Any, ...], born: int) -> Any:
        if answer[0] == "ok":
            if self._recycle and self._count == 1 and answer[2] * 1024 > self._recycle:
                self._give_up(born)
            return answer[1]
        if answer[0] == "error":
            raise answer[1]
        raise Failed(answer[1], answer[2], answer[3])

    def stop(self) -> None:
        """End the child; callers waiting on it get WorkerDied. A stopped worker stays stopped."""
        self._closed = True
        self._give_up(self._pid)

    def restart(self) -> None:
        """End the child; the next call starts a new one."""
        self._give_up(self._pid)

    def _lane(self, index: int) -> tuple[Connection, int]:
        with self._lock:
            if self._closed:
                raise WorkerDied(self.name, "stopped")
            if not self._pid:
                self._start()
            return self._lanes[index], self._pid

    def _start(self) -> None:
        with contextlib.ExitStack() as ours:
            try:
                memory = os.memfd_create("kefud-doing")
                ours.callback(os.close, memory)
                os.ftruncate(memory, DOING_BYTES)
                pairs = [[ours.enter_context(end) for end in socket.socketpair()] for _ in range(self._count)]
                doing = mmap.mmap(memory, DOING_BYTES)
            except OSError as error:
                raise NotStarted(f"{self.name} cannot be started: {error.strerror}") from None
            self._pid = self._nursery.fork(self._spec, [memory, *(theirs.fileno() for _, theirs in pairs)])
            self._doing = doing
            for end, _ in pairs:  # a child that hangs does not read either
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", SEND_PATIENCE, 0))
            self._lanes = [Connection(end.detach()) for end, _ in pairs]

    def _was_doing(self) -> str:
        if self._doing is None:
            return ""
        return bytes(self._doing[:]).split(b"\0", 1)[0].decode("utf-8", "replace")

    def _obituary(self, born: int, error: BaseException) -> WorkerDied:
        with self._lock:
            if self._pid != born or self._closed:
                return WorkerDied(self.name, "stopped" if self._closed else "replaced", self._was_doing())
        self._give_up(born, kill=False)
        return WorkerDied(self.name, self._nursery.how_ended(born), self._was_doing())

    def _give_up(self, born: int, kill: bool = True) -> None:
        with self._lock:
            if self._pid != born or not born:
                return
            self._pid = 0
            for lane in self._lanes:
                _shut(lane)
            self._lanes = []
        end_family(born)
        if kill:
            try:
                threading.Thread(target=self._nursery.how_ended, args=(born,), daemon=True).start()
            except RuntimeError:  # no thread to be had: it was killed a moment ago, and is waited for
                self._nursery.how_ended(born)


def _answers(lane: Connection, timeout: float) -> bool:
    """Whether something comes within ``timeout`` seconds. A sleep of the whole machine counts as one of eight parts at most."""
    return any(lane.poll(timeout / 8) for _ in range(8))


def _shut(lane: Connection) -> None:
    """Wake whoever waits on the lane and let it go; the descriptor is closed when the last user drops it."""
    try:
        with socket.socket(fileno=os.dup(lane.fileno())) as end:
            end.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


def _exactly(source: socket.socket, size: int) -> bytes:
    parts = []
    while size:
        part = source.recv(size)
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
