"""What this machine cannot confine, determined by trying it in a separate process."""

import json
import subprocess
import sys
from pathlib import Path

from claudegwd.workspaces import confine

# The start of Python, and a few system calls.
PROBE_SECONDS = 20.0
# If the test itself failed, on a busy machine: this is no answer, and it is tried again.
UNTRIED = ("it cannot be tested here",)


def probe() -> tuple[str, ...]:
    """In words for people; () if nothing is missing; UNTRIED if that could not be determined."""
    line = [sys.executable, "-I", "-S", str(Path(confine.__file__)), "--probe"]
    try:
        done = subprocess.run(line, capture_output=True, timeout=PROBE_SECONDS, check=True)  # noqa: S603 - our own
        return tuple(json.loads(done.stdout))
    except (OSError, ValueError, subprocess.SubprocessError):
        return UNTRIED
