"""Patterns with wildcards, matched in time proportional to the length of the text. Pure.

A regular expression with several wildcards tries every way to divide the text among them, which takes minutes for a
path of four kilobytes; here all ways are tried at once, each as a bit of a number.
"""

from dataclasses import dataclass
from functools import lru_cache

# Compiled patterns: those of all rules, twice (as written, and for case-insensitive file systems).
MAX_COMPILED = 1000


@dataclass(frozen=True, slots=True)
class PathGlob:
    """`*` and `?` stop at slashes, `**` does not, `**/` may be empty; whatever is below a match also matches.

    Bit n of each number stands for the place before the n-th token.
    """

    letters: dict[str, int]  # where this letter is expected
    any_letter: int
    star: int
    deep: int
    folders: int
    end: int

    def matches(self, path: str) -> bool:
        """Whether this path matches."""
        places, inside = self._skipped(1), 0
        skips = self.star | self.deep | self.folders
        for char in path:
            if char == "/" and places & self.end:
                return True
            inside |= places & self.folders
            if not places and not inside:
                return False
            found = (places & self.letters.get(char, 0)) << 1 | places & self.deep
            found |= inside << 1 if char == "/" else (places & self.any_letter) << 1 | places & self.star
            places = self._skipped(found) if found & skips else found
        return bool(places & self.end)

    def _skipped(self, places: int) -> int:
        """These places, and those after wildcards that match nothing."""
        more = places
        while more:
            more = ((more & (self.star | self.deep | self.folders)) << 1) & ~places
            places |= more
        return places


@lru_cache(MAX_COMPILED)
def path_glob(pattern: str) -> PathGlob:
    """Never raises: any text is a pattern."""
    letters: dict[str, int] = {}
    masks = {"?": 0, "*": 0, "**": 0, "**/": 0}
    place, index = 1, 0
    while index < len(pattern):
        wildcard = next((each for each in ("**/", "**", "*", "?") if pattern.startswith(each, index)), "")
        if wildcard:
            masks[wildcard] |= place
        else:
            letters[pattern[index]] = letters.get(pattern[index], 0) | place
        place, index = place << 1, index + (len(wildcard) or 1)
    return PathGlob(letters, masks["?"], masks["*"], masks["**"], masks["**/"], place)


def matches_text(pattern: str, text: str) -> bool:
    """Whether the whole text matches a pattern whose only wildcard is `*`, which stands for anything."""
    first, *others = pattern.split("*")
    if not others:
        return text == pattern
    *inner, last = others
    if not text.startswith(first) or len(text) < len(first) + len(last) or not text.endswith(last):
        return False
    place, end = len(first), len(text) - len(last)
    for part in inner:  # the first match of each leaves most for the rest
        found = text.find(part, place, end)
        if found < 0:
            return False
        place = found + len(part)
    return True
