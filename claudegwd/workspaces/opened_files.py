"""Files where commands of a workspace may have written: what was opened counts, not its name."""

import fcntl
import os
import stat
import sys
from pathlib import Path
from typing import BinaryIO


def open_regular(path: Path) -> BinaryIO:
    """Open a file that commands may have replaced by a pipe, which would block us forever, or just now by a link: what
    has been opened is checked, not its name. Raises OSError."""
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError("it is not a regular file")
    return file


def place_of(descriptor: int) -> str:
    """The path of an open file."""
    if sys.platform == "darwin":
        return fcntl.fcntl(descriptor, fcntl.F_GETPATH, bytes(1024)).partition(b"\0")[0].decode("utf-8", "replace")
    return str(Path(f"/proc/self/fd/{descriptor}").readlink())
