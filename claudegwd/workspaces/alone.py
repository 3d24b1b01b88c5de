"""Whether the CLI is the only process in its workspace, according to Linux's /proc; elsewhere this is unknown."""

from pathlib import Path

# The confining process, the one that enters the namespaces, the first process inside, and the CLI itself: a longer
# chain is something else.
MAX_CHAIN = 4


def works_alone(pid: int, binary: Path) -> bool:
    """Whether the processes from this one down are a single chain that ends in the CLI."""
    clis = 0
    for _ in range(MAX_CHAIN):
        try:
            is_cli = Path(f"/proc/{pid}/exe").resolve() == binary.resolve()
            children = [
                int(child)
                for task in Path(f"/proc/{pid}/task").iterdir()
                for child in (task / "children").read_text().split()
            ]
        except OSError:
            return False
        clis += is_cli
        if len(children) != 1:
            return not children and is_cli and clis == 1
        pid = children[0]
    return False
