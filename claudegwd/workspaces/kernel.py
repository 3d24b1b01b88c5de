"""System calls that Python does not provide. Imported before the sandbox exists, so it needs only `ctypes`."""

import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)


def checked(found: int) -> int:
    """The result of a call. Raises OSError if it failed."""
    if found < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return found


def call(number: int, *arguments: object) -> int:
    """Make a system call by its number. Raises OSError."""
    return checked(int(libc.syscall(number, *arguments)))


def prctl(option: int, *arguments: int) -> None:
    """Raises OSError."""
    checked(libc.prctl(option, *(ctypes.c_ulong(each) for each in (*arguments, 0, 0, 0, 0)[:4])))
