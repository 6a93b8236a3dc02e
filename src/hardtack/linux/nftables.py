"""Whole nftables rulesets through libnftables: one text, one kernel transaction, all of it or none.

The library is loaded when first used, a context lives as long as one call: it belongs to the network namespace that
the thread is in. Single elements go faster by `nfnetlink`.
"""

from __future__ import annotations

import _thread
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_LIBRARY = "libnftables.so.1"
_LINE = 200
_ANSWER = 4000

_lock = _thread.allocate_lock()  # the parser inside the library is one for the process
_library: Any = None


class NftablesError(OSError):
    """libnftables is missing, or it refused a ruleset.

    Attributes:
        ruleset: what was to be installed; empty when the library is missing.
    """

    def __init__(self, why: str, ruleset: str = "") -> None:
        super().__init__(why)
        self.ruleset = ruleset


def run(ruleset: str) -> str:
    """Apply a ruleset, or commands, in the calling thread's network namespace as one transaction.

    Returns:
        What `list` commands print.
    Raises:
        NftablesError: with the library's first line of explanation.

    Source: libnftables(3).
    """
    with _lock:
        library = _load()
        context = library.nft_ctx_new(0)
        try:
            library.nft_ctx_buffer_output(context)
            library.nft_ctx_buffer_error(context)
            result = library.nft_run_cmd_from_buffer(context, ruleset.encode())
            output: bytes = library.nft_ctx_get_output_buffer(context) or b""
            errors: bytes = library.nft_ctx_get_error_buffer(context) or b""
        finally:
            library.nft_ctx_free(context)
    if result != 0:
        lines = errors.decode("utf-8", "replace").strip().splitlines()
        raise NftablesError(lines[0][:_LINE] if lines else "refused without a reason", ruleset)
    return output.decode("utf-8", "replace")


def run_apart(ruleset: str) -> None:
    """As `run`, in a child that ends with it: what the library takes, 1.7 MB, does not stay with a process that does.

    Raises:
        NftablesError: as `run`; or the child was killed.
    """
    reader, writer = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        answer = b"!died"
        try:
            run(ruleset)
            answer = b"done"
        except NftablesError as error:
            answer = (b"?" if error.ruleset else b"-") + str(error).encode()[:_ANSWER]
        finally:
            os.write(writer, answer)
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as pipe:
        answer = pipe.read()
    try:
        os.waitpid(pid, 0)
    except ChildProcessError:  # somebody else collects our children
        pass
    if answer != b"done":
        why = answer[1:].decode("utf-8", "replace") or "the process that applied it was killed"
        raise NftablesError(why, "" if answer.startswith(b"-") else ruleset)


def _load() -> Any:
    global _library
    if _library is None:
        import ctypes

        try:
            library = ctypes.CDLL(_LIBRARY)
        except OSError as error:
            raise NftablesError(f"{_LIBRARY} cannot be loaded ({error})") from error
        pointer, text = ctypes.c_void_p, ctypes.c_char_p
        for name, result, *arguments in (
            ("nft_ctx_new", pointer, ctypes.c_uint32),
            ("nft_ctx_free", None, pointer),
            ("nft_ctx_buffer_output", ctypes.c_int, pointer),
            ("nft_ctx_buffer_error", ctypes.c_int, pointer),
            ("nft_run_cmd_from_buffer", ctypes.c_int, pointer, text),
            ("nft_ctx_get_output_buffer", text, pointer),
            ("nft_ctx_get_error_buffer", text, pointer),
        ):
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
        _library = library
    return _library
