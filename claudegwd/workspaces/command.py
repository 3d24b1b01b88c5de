"""Parses a shell command: only a single plain command is understood, with every word known before it runs.

Anything that a shell would interpret further (other commands, variables, file patterns) is not understood, and no rule
allows it.
"""

import re
from collections.abc import Sequence
from typing import Final

# Nobody writes more by hand, and each is looked up on the disk and matched against every rule.
MAX_WORDS: Final = 500
MAX_PATHS: Final = 2000

_PLAIN: Final = re.compile(r"[A-Za-z0-9_@%+:,./^-]+|=")
_ASSIGNMENT: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=")


def words_of(command: str) -> tuple[str, ...] | None:
    """The words of one plain command, unquoted; None for anything else."""
    words: list[str] = []
    word: str | None = None
    index = 0
    while index < len(command):
        char = command[index]
        if char in " \t":
            words += [word] if word is not None else []
            word = None
            index += 1
        elif char in "'\"":
            end = command.find(char, index + 1)
            if end < 0:
                return None
            quoted = command[index + 1 : end]
            # A shell still expands inside double quotes; and no program needs a line that only looks like one.
            if (char == '"' and re.search(r"[$`\\!]", quoted)) or not quoted.isprintable():
                return None
            word = (word or "") + quoted
            index = end + 1
        elif found := _PLAIN.match(command, index):
            word = (word or "") + found[0]
            index = found.end()
        else:
            return None
    words += [word] if word is not None else []
    return tuple(words) if 0 < len(words) <= MAX_WORDS and not _ASSIGNMENT.match(words[0]) else None


_ENDS: Final = re.compile(r"[;&|()\n`]")
_BREAKS: Final = re.compile(r"[\s;&|()<>`$\"'\\{}=@:,]+")
_QUOTES: Final = str.maketrans("", "", "'\"\\")


def seen_in(command: str) -> tuple[tuple[tuple[str, ...], ...], tuple[str, ...]]:
    """The commands and the paths that anybody sees in a line that is not understood. It may have others."""
    parts = [part.translate(_QUOTES).split() for part in _ENDS.split(command)[:MAX_WORDS]]
    for part in parts:
        while part and _ASSIGNMENT.match(part[0]):
            del part[0]
    paths = dict.fromkeys(filter(None, _BREAKS.split(command)))
    return tuple(tuple(part) for part in parts if part), tuple(paths)[:MAX_PATHS]


_URL: Final = re.compile(r"(?:https?|ftp|git|ssh|wss?)://(?=[a-z0-9])", re.IGNORECASE)
_ATTACHED: Final = re.compile(r"\.\.(?:/|$)|/|~")
_APART: Final = re.compile(r"[=@:,]")
# Short options in one word that may be followed by a value without a space.
_MAX_LETTERS: Final = 8


def paths_in(words: Sequence[str]) -> tuple[str, ...] | None:
    """The parts of a command's words that may be file paths: each word, and what follows "=", "@", ":", "," or option
    letters in one. Only the two slashes of a URL begin no path: "x://../y" is one if somebody has created "x:".
    None if there are too many."""
    found: list[str] = []
    for word in words:
        found.append(word)
        address = _URL.match(word)
        found += _APART.split(word[address.end() :] if address else word)
        if not word.startswith("-"):
            continue
        if attached := _ATTACHED.search(word):
            found.append(word[attached.start() :])
        if not word.startswith("--"):
            found += [word[letters:] for letters in range(2, 2 + _MAX_LETTERS)]
    named = tuple(dict.fromkeys(filter(None, found)))
    return named if len(named) <= MAX_PATHS else None
