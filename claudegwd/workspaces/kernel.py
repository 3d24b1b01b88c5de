"""System calls that Python does not provide. Imported before the sandbox exists, so it needs only `ctypes`."""

import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)


def checked(found: int) -> int:
    """What a call gave. Raises OSError for what it refused."""
    if found < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return found


def call(number: int, *arguments: object) -> int:
    """By its number. Raises OSError."""
    return checked(int(libc.syscall(number, *arguments)))


def prctl(option: int, *arguments: int) -> None:
    """Raises OSError."""
    checked(libc.prctl(option, *(ctypes.c_ulong(each) for each in (*arguments, 0, 0, 0, 0)[:4])))
