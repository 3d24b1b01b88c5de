"""Logging: `event` logs with fields; `setup` decides where the log goes; `LogRing` keeps the most recent records."""

from claudegwd.logs.content import log_content
from claudegwd.logs.entry import LEVELS, LogEntry
from claudegwd.logs.event import FIELDS, event, log
from claudegwd.logs.ring import Follower, LogRing
from claudegwd.logs.setup import LogHandler, setup

__all__ = ["FIELDS", "LEVELS", "Follower", "LogEntry", "LogHandler", "LogRing", "event", "log", "log_content", "setup"]
