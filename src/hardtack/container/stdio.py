"""A container's three streams: pipes with names, or one pseudoterminal that the OCI runtime hands over.

Output pipes are FIFOs in the run directory, opened for reading and writing on both sides: when a monitor is killed,
the container's writes wait instead of failing, and a new monitor opens the same pipes.
"""

from __future__ import annotations

import _socket
import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket

    from hardtack.container.row import Paths

_OUTPUTS = ("stdout", "stderr")
CONSOLE = "console.sock"
_PIECE = 65_536


class Stdio:
    """The monitor's ends, and before the start the container's.

    Attributes:
        outputs: descriptor by stream name, ready for non-blocking reads; one, "stdout", for a terminal.
        stdin: descriptor to write to, -1 when the container has no input.
        child: the three descriptors for the OCI runtime.
        tty: whether it is a terminal.
    """

    __slots__ = ("_console", "_null", "child", "outputs", "stdin", "tty")

    def __init__(self, tty: bool) -> None:
        self.tty = tty
        self.outputs: dict[str, int] = {}
        self.stdin = -1
        self.child: tuple[int, int, int] = (-1, -1, -1)
        self._console: socket | None = None
        self._null = -1

    @classmethod
    def pipes(cls, paths: Paths, interactive: bool) -> Stdio:
        """Make the pipes of a container without a terminal."""
        self = cls(False)
        theirs = [os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)]
        if interactive:
            os.close(theirs[0])
            theirs[0], self.stdin = os.pipe2(os.O_CLOEXEC)
            os.set_blocking(self.stdin, False)
        for name in _OUTPUTS:
            path = f"{paths.run}/{name}"
            try:
                os.mkfifo(path, 0o600)
            except FileExistsError:
                pass
            theirs.append(os.open(path, os.O_RDWR | os.O_CLOEXEC))
            self.outputs[name] = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self.child = (theirs[0], theirs[1], theirs[2])
        return self

    @classmethod
    def terminal(cls, directory: int, name: str = CONSOLE) -> Stdio:
        """Wait for a terminal from the runtime at a socket in an open directory; it is taken by `receive`."""
        self = cls(True)
        null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        self.child = (null, null, null)
        self._console = listen(directory, name)
        return self

    @classmethod
    def reopened(cls, paths: Paths) -> Stdio:
        """Open the output pipes of a container whose monitor was lost."""
        self = cls(False)
        for name in _OUTPUTS:
            try:
                self.outputs[name] = os.open(f"{paths.run}/{name}", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
        return self

    def console_arguments(self) -> list[str]:
        """What the runtime has to be told."""
        return ["--console-socket", CONSOLE] if self.tty else []

    def receive(self) -> None:
        """Take the terminal's other end from the runtime, which has sent it before it ended.

        Raises:
            OSError: it did not send one.
        """
        console, self._console = self._console, None
        assert console is not None
        console.setblocking(False)
        try:
            connection = _accept(console)
            connection.setblocking(True)
            _, ancillary, _, _ = connection.recvmsg(4096, _socket.CMSG_SPACE(4), _socket.MSG_CMSG_CLOEXEC)
            connection.close()
        finally:
            console.close()
        for level, kind, data in ancillary:
            if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
                master = int.from_bytes(data[:4], "little" if os.uname().machine != "s390x" else "big")
                os.set_blocking(master, False)
                self.outputs["stdout"] = self.stdin = master
                return
        raise OSError(errno.EPROTO, "the OCI runtime sent no terminal")

    def close_child(self) -> None:
        """Close the container's ends here, once the runtime has them."""
        for descriptor in set(self.child):
            if descriptor >= 0:
                os.close(descriptor)
        self.child = (-1, -1, -1)

    def close_stdin(self) -> None:
        """The container reads the end of its input. A terminal has no such thing."""
        if self.stdin >= 0 and not self.tty:
            os.close(self.stdin)
            self.stdin = -1

    def close(self) -> None:
        """Close everything that is open."""
        self.close_child()
        self.close_stdin()
        for descriptor in self.outputs.values():
            os.close(descriptor)
        self.outputs = {}
        self.stdin = -1
        if self._console is not None:
            self._console.close()
            self._console = None


def read_some(descriptor: int) -> bytes | None:
    """Read what is there. Returns None when nothing is there now, and nothing at all when the stream has ended."""
    try:
        return os.read(descriptor, _PIECE)
    except BlockingIOError:
        return None
    except OSError as error:
        if error.errno == errno.EIO:  # a terminal that nobody holds open any more
            return b""
        raise


def listen(directory: int, name: str, backlog: int = 8) -> socket:
    """A listening Unix socket of mode 0600 in an open directory, however long the directory's path is."""
    try:
        os.unlink(name, dir_fd=directory)
    except FileNotFoundError:
        pass
    listening = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listening.bind(f"/proc/self/fd/{directory}/{name}")
    finally:
        os.umask(before)
    listening.listen(backlog)
    return listening


def connect(directory: str, name: str) -> socket:
    """Connect to such a socket.

    Raises:
        OSError: nobody listens there.
    """
    descriptor = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        connected = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        try:
            connected.connect(f"/proc/self/fd/{descriptor}/{name}")
        except BaseException:
            connected.close()
            raise
        return connected
    finally:
        os.close(descriptor)


def _accept(listening: socket) -> socket:
    descriptor, _ = listening._accept()  # type: ignore[attr-defined]  # what socket.accept is made of
    return _socket.socket(fileno=descriptor)


def accept(listening: socket) -> socket | None:
    """Take a waiting connection, non-blocking; None when there is none."""
    try:
        found = _accept(listening)
    except (BlockingIOError, ConnectionAbortedError):
        return None
    found.setblocking(False)
    return found
