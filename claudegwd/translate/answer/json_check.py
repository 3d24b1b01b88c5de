"""Checks a JSON value against a client's schema with the library `jsonschema-rs`, if that can be done in bounded time.

The library supports all of JSON Schema, and bounds its regular expressions. But it has no time limit, and a schema can
be written so that a check takes years: if a check might be too expensive, it is skipped. The model has done what it
could.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

# Evaluations of one value against one part of a schema, some ten nanoseconds each: a tenth of a second in total.
MAX_STEPS: Final = 10_000_000
# Parts of a schema that are visited to compute that number, a few hundred nanoseconds each.
MAX_LOOKS: Final = 100_000
# References to references, choices within choices: real schemas have three or four.
MAX_ROUNDS: Final = 64
# Backtracking steps in one regular expression; expressions that match without any are not affected.
MAX_BACKTRACKS: Final = 100_000
# The compiled size of one regular expression. A character of any script, repeated a thousand times, is well below this.
MAX_PATTERN_BYTES: Final = 1024 * 1024
# The length of the library's error message, which repeats the value: enough for a path and a sentence.
MAX_FAULT_CHARS: Final = 300

# A pattern that reached a bound says nothing about the value.
_UNDECIDED = frozenset(("BacktrackLimitExceeded", "RegexEngineFailure"))
_ANY: Final[Mapping[str, Any]] = {}  # true, false, and anything that is not a schema
_IN_PLACE = ("allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas", "dependencies")
_WITHIN = (
    "patternProperties", "additionalProperties", "propertyNames", "unevaluatedProperties", "items",
    "prefixItems", "additionalItems", "unevaluatedItems", "contains",
)  # fmt: skip
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_OF_NAMES = frozenset(("patternProperties", "dependentSchemas", "dependencies"))


def fault(value: object, schema: Mapping[str, Any]) -> str | None:
    """Where the value violates the schema, and why, in the library's words. None also if it cannot tell."""
    if not _is_affordable(value, schema):
        return None
    validator = _validator(schema)
    if validator is None or validator.is_valid(value):
        return None
    found = _first_fault(validator, value)
    if found is None:
        return "more than 250 levels deep in it"  # the library decides, but does not say where
    if type(found.kind).__name__ in _UNDECIDED:
        return None
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in found.instance_path)
    return f"at {path.lstrip('.') or 'its top'}, {found.message}"[:MAX_FAULT_CHARS]


def _first_fault(validator: Any, value: object) -> Any:
    """Without `iter_errors`, which collects all errors before it yields the first: there can be millions."""
    import jsonschema_rs as library

    try:
        validator.validate(value)
    except library.ValidationError as error:
        return error
    except ValueError:
        pass
    return None


def _validator(schema: Mapping[str, Any]) -> Any:
    """By the draft that the schema names, else the newest that it is valid in; None if it is not JSON Schema."""
    import jsonschema_rs as library  # with the first strict schema: 15 MB on disk, 11 MB of memory, 30 ms

    patterns = library.FancyRegexOptions(
        backtrack_limit=MAX_BACKTRACKS, size_limit=MAX_PATTERN_BYTES, dfa_size_limit=MAX_PATTERN_BYTES
    )
    undrafted = {key: value for key, value in schema.items() if key != "$schema"}
    # As a last resort without patterns: they may be in another regex dialect, and the rest is still useful.
    named = dict(schema)
    for tried in (named, undrafted, _without_patterns(undrafted)):
        for make in (library.validator_for, library.Draft7Validator, library.Draft4Validator):
            try:
                return make(tried, pattern_options=patterns, validate_formats=False, offline=True, mask="this value")
            except (ValueError, library.ReferencingError):
                if tried is named:
                    break
    return None


def _without_patterns(schema: object) -> Any:
    if isinstance(schema, dict):
        # A property named "pattern" has a schema, not text.
        kept = {key: one for key, one in schema.items() if key != "pattern" or not isinstance(one, str)}
        return {key: _without_patterns(one) for key, one in kept.items()}
    return [_without_patterns(one) for one in schema] if isinstance(schema, list) else schema


def _is_affordable(value: object, schema: Mapping[str, Any]) -> bool:
    try:
        _Estimate(schema).run(value)
    except _TooMuchError:
        return False
    return True


class _TooMuchError(Exception):
    """The bound is exceeded, or nobody can tell."""


_Ways = dict[int, int]  # for each part, by identity: in how many ways a value is checked against it


@dataclass(slots=True)
class _Estimate:
    """An upper bound on how often parts of a schema are evaluated, level by level of the value.

    Values of one level and name count as if each were everywhere that the schema has something for that name there.
    """

    root: Mapping[str, Any]
    steps: int = 0
    looks: int = 0
    parts: dict[int, Mapping[str, Any]] = field(default_factory=dict)  # by identity: they live as long as the schema

    def run(self, value: object) -> None:
        """Raises _TooMuchError."""
        named: dict[str, _Ways] = {}
        others: _Ways = {self._known(self.root): 1}
        for sizes in _sizes(value):
            below: dict[str, _Ways] = {}
            below_others: _Ways = {}
            left = sizes.total()
            for name in named.keys() & sizes.keys():
                left -= sizes[name]
                self._count(_sum(others, named[name]), sizes[name], below, below_others)
            if left:
                self._count(others, left, below, below_others)
            named, others = below, below_others

    def _count(self, ways: _Ways, size: int, below: dict[str, _Ways], below_others: _Ways) -> None:
        """Count so many values against these parts. Adds the ways to reach the parts for what is in them.

        They have one parent each, so the largest counts, not the sum over all parents of the level.
        """
        named: dict[str, _Ways] = {}
        others: _Ways = {}
        for _ in range(MAX_ROUNDS):
            beside: _Ways = {}
            for ident, count in ways.items():
                part = self.parts[ident]
                listed = part.get("enum")
                self.steps += size * count * (1 + (len(listed) if isinstance(listed, list) else 0))
                if self.steps > MAX_STEPS:
                    raise _TooMuchError
                # What is unevaluated is only known once everything else was evaluated, once more.
                times = 2 * count if "unevaluatedProperties" in part or "unevaluatedItems" in part else count
                _add(beside, self._children(part, _IN_PLACE), times)
                _add(others, self._children(part, _WITHIN), times)
                properties = part.get("properties")
                for name, one in properties.items() if isinstance(properties, dict) else ():
                    _add(named.setdefault(name, {}), (self._known(one),), times)
            if not beside:
                _raise_to(below_others, others)
                for name, found in named.items():
                    _raise_to(below.setdefault(name, {}), found)
                return
            ways = beside
        raise _TooMuchError

    def _children(self, part: Mapping[str, Any], keywords: tuple[str, ...]) -> Iterator[int]:
        for keyword in keywords:
            found = part.get(keyword)
            if isinstance(found, dict) and keyword in _OF_NAMES:
                yield from map(self._known, found.values())
            elif isinstance(found, list):
                yield from map(self._known, found)
            elif isinstance(found, dict):
                yield self._known(found)
        if keywords is _IN_PLACE:
            yield from (self._known(self._target(part[word])) for word in _REFERENCES if word in part)

    def _known(self, part: object) -> int:
        self.looks += 1
        if self.looks > MAX_LOOKS:
            raise _TooMuchError
        known = part if isinstance(part, dict) else _ANY
        if part is not self.root and ("$id" in known or isinstance(known.get("id"), str)):
            raise _TooMuchError  # references in it may point anywhere
        self.parts[id(known)] = known
        return id(known)

    def _target(self, reference: object) -> object:
        if reference != "#" and not str(reference).startswith("#/"):
            raise _TooMuchError
        found: Any = self.root
        for step in str(reference).split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            if isinstance(found, list) and name.isdigit() and int(name) < len(found):
                found = found[int(name)]
            elif isinstance(found, dict) and name in found:
                found = found[name]
            else:
                raise _TooMuchError
        return found


def _add(ways: _Ways, children: Iterable[int], count: int) -> None:
    for child in children:
        ways[child] = ways.get(child, 0) + count


def _sum(ways: _Ways, more: _Ways) -> _Ways:
    return {child: ways.get(child, 0) + more.get(child, 0) for child in ways.keys() | more.keys()}


def _raise_to(ways: _Ways, found: _Ways) -> None:
    for child, count in found.items():
        ways[child] = max(ways.get(child, 0), count)


def _sizes(value: object) -> Iterator[Counter[str | None]]:
    """The number of values of each name on each level; values in lists have none."""
    sizes: Counter[str | None] = Counter([None])
    level = [value]
    while level:
        yield sizes
        inner = [one for one in level if isinstance(one, dict | list)]
        sizes = Counter(name for one in inner for name in (one if isinstance(one, dict) else [None] * len(one)))
        level = [each for one in inner for each in (one.values() if isinstance(one, dict) else one)]
