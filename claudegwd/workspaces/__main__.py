"""`python -m claudegwd.workspaces [FILE]`: used by `claudegwctl workspaces check` if no daemon can answer.

Prints {"path", "errors", "workspaces"}: all errors in the file, and what the machine provides for its workspaces.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from claudegwd.config import ConfigError, load
from claudegwd.workspaces.overview import overview
from claudegwd.workspaces.probe import probe


def main(arguments: list[str]) -> None:
    """Read the configuration, and print the report."""
    file = Path(arguments[0]) if arguments else None
    try:
        loaded = load(file, os.environ)
    except ConfigError as error:
        found: dict[str, Any] = {"path": error.file, "errors": str(error).splitlines(), "workspaces": []}
    else:
        config = loaded.config
        rows = overview(config.workspaces, config.claude, probe() if config.workspaces else ())
        found = {"path": str(loaded.path), "errors": [], "workspaces": rows}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
