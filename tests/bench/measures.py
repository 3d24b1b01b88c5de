"""Numbers from samples, and what they are held against. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

MS = 1e-3
US = 1e-6


def quantile(values: Sequence[float], q: float) -> float:
    """The q-quantile by linear interpolation; nan when there are no values."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    place = q * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


@dataclass(frozen=True, slots=True)
class Times:
    """A set of durations in seconds."""

    count: int
    median: float
    p90: float
    p99: float
    worst: float


def times(values: Iterable[float]) -> Times:
    kept = list(values)
    worst = max(kept, default=float("nan"))
    return Times(len(kept), quantile(kept, 0.5), quantile(kept, 0.9), quantile(kept, 0.99), worst)


@dataclass(frozen=True, slots=True)
class Row:
    """One measured line of a table: a name, durations or a single figure, and a remark."""

    section: str
    name: str
    times: Times | None = None
    value: float | None = None
    unit: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """A figure and its bound. `low` True: at least; False: at most."""

    name: str
    value: float
    bound: float
    unit: str
    low: bool = False

    @property
    def reached(self) -> bool:
        return self.value >= self.bound if self.low else self.value <= self.bound


@dataclass(slots=True)
class Report:
    """All that one run measured."""

    machine: dict[str, Any] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)

    def durations(self, section: str, name: str, values: Iterable[float], note: str = "") -> Times:
        found = times(values)
        self.rows.append(Row(section, name, times=found, note=note))
        return found

    def figure(self, section: str, name: str, value: float, unit: str, note: str = "") -> float:
        self.rows.append(Row(section, name, value=value, unit=unit, note=note))
        return value

    def target(self, name: str, value: float, bound: float, unit: str, *, low: bool = False) -> None:
        self.targets.append(Target(name, value, bound, unit, low))

    def as_json(self) -> dict[str, Any]:
        targets = [{**asdict(t), "reached": t.reached} for t in self.targets]
        return {"machine": self.machine, "rows": [asdict(row) for row in self.rows], "targets": targets}


def table(report: Report) -> str:
    """The report as Markdown, one table for each section, the targets last."""
    lines: list[str] = []
    for section in dict.fromkeys(row.section for row in report.rows):
        rows = [row for row in report.rows if row.section == section]
        lines += ["", f"### {section}", ""]
        lines += ["| | n | median | p90 | p99 | worst | |", "|---|---:|---:|---:|---:|---:|---|"]
        lines += [_row(row) for row in rows]
    if report.targets:
        lines += ["", "### Targets", "", "| | measured | target | |", "|---|---:|---:|---|"]
        lines += [_target(target) for target in report.targets]
    return "\n".join(lines).lstrip("\n") + "\n"


def _row(row: Row) -> str:
    if row.times is None:
        return f"| {row.name} | | {_number(row.value or 0.0)} {row.unit} | | | | {row.note} |"
    t = row.times
    cells = " | ".join(f"{_number(v * 1000)} ms" for v in (t.median, t.p90, t.p99, t.worst))
    return f"| {row.name} | {t.count} | {cells} | {row.note} |"


def _target(target: Target) -> str:
    sign = "≥" if target.low else "≤"
    verdict = "met" if target.reached else "**missed**"
    return (
        f"| {target.name} | {_number(target.value)} {target.unit} | "
        f"{sign} {_number(target.bound)} {target.unit} | {verdict} |"
    )


def _number(value: float) -> str:
    if value != value:
        return "–"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 0.1 else 3
    return f"{value:.{digits}f}"
