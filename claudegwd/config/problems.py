"""The error for an invalid configuration. The daemon exits with status 78."""

from __future__ import annotations


class ConfigError(Exception):
    """An unusable configuration: which file (or "the environment"), which key, and what to write instead.

    `key` is "section.name", the name of an environment variable, or "" if the file as a whole is at fault.
    """

    def __init__(self, file: str, key: str, message: str) -> None:
        self.file = file
        self.key = key
        self.message = message
        super().__init__(f"cannot use {file}: {key + ' ' if key else ''}{message}")


class Errors:
    """Collects errors, so that the author of a file sees all of them at once."""

    def __init__(self) -> None:
        self._found: list[ConfigError] = []

    def add(self, error: ConfigError) -> None:
        self._found.append(error)

    def done(self) -> None:
        """Raise them as one error with a line for each; the first determines file and key."""
        if not self._found:
            return
        first = self._found[0]
        first.args = ("\n".join(str(error) for error in self._found),)
        raise first
