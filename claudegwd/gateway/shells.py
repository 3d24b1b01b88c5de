"""Gives new shells the key that requests use."""

import logging
from pathlib import Path

import trio

from claudegwd.gateway.gateway import Gateway
from claudegwd.keys.shell_files import apply_shell_files
from claudegwd.logs import event as log_event
from claudegwd.logs import log


async def write_shell_files(gateway: Gateway, directory: Path) -> None:
    """Update env.sh in this directory and the shell files to the current key. What cannot be written is logged."""
    if len(gateway.ring) and gateway.ring.active is None:
        return  # every key is down: new shells keep the last one rather than none
    files = gateway.config.keys.shell_files
    try:
        reports = await trio.to_thread.run_sync(apply_shell_files, directory / "env.sh", files, gateway.ring.active)
    except OSError as error:
        log_event(log, logging.ERROR, "the shell file of the current key cannot be written", problem=str(error))
        return
    for report in reports:
        if report.error:
            log_event(log, logging.WARNING, "a shell file was left unchanged", problem=report.error)
        elif report.changed:
            log_event(log, logging.INFO, "a shell file was changed", file=str(report.path))
        if report.commented:
            log_event(
                log,
                logging.WARNING,
                "lines of an older gateway in a shell file were commented out",
                file=str(report.path),
                count=len(report.commented),
            )
