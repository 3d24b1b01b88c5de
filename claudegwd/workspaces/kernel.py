"""System calls that Python does not provide. Imported before the sandbox exists, so it needs only `ctypes`."""

import ctypes
import errno
import os
import stat

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


def open_real(path: str) -> int:
    """A descriptor (O_PATH) of an absolute path in which nothing may be a link: a command that can write to one of its
    directories could lead us anywhere, even now. Raises OSError."""
    descriptor = os.open("/", os.O_PATH | os.O_CLOEXEC)
    for name in filter(None, path.split("/")):
        above = descriptor
        try:
            descriptor = os.open(name, os.O_PATH | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=above)
        finally:
            os.close(above)
    if stat.S_ISLNK(os.fstat(descriptor).st_mode):  # on the way it is no directory
        os.close(descriptor)
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    return descriptor
