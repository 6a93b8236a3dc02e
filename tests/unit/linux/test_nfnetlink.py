"""The socket that is kept for the next request, and what a forked child does with its parent's."""

from __future__ import annotations

import os

import pytest

from hardtack.linux import nfnetlink
from hardtack.linux.nfnetlink import _Connection


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    """No socket of an earlier test."""
    while nfnetlink._idle:
        nfnetlink._idle.pop()[1].close()


def test_a_socket_is_used_again_by_the_same_process() -> None:
    with _Connection() as first:
        pass
    with _Connection() as second:
        assert second is first


def test_a_child_leaves_alone_whatever_has_the_number_of_its_parent_s_socket() -> None:
    with _Connection() as netlink:
        number = netlink._socket.fileno()
    for takes_over in (True, False):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                os.close(number)  # as a monitor does, that closes what it did not open
                if takes_over:
                    os.dup2(os.open("/dev/null", os.O_RDONLY), number)
                with _Connection() as own:
                    code = 0 if own is not netlink else 2
                if takes_over:
                    os.fstat(number)
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    with _Connection() as again:
        assert again is netlink
