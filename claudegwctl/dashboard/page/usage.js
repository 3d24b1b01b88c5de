// Who used what: the chart, its legend and summary, and the same as a table.

import * as api from "./api.js";
import { chart, swatch } from "./chart.js";
import { $, element, setText, Table } from "./dom.js";
import { count, dollars, short } from "./format.js";

// This many names get their own colour; the rest share the last one.
const COLOURS = 6;
const OTHERS = "all others";
const STEPS = { hour: 3600, day: 86400 };
// For rows without a name: requests without a client key, or refused before a key or model was chosen.
const NAMELESS = { client: "(no key)", key: "(no key)", model: "(no model)" };

const MEASURES = {
  requests: { value: (row) => row.requests, text: (value) => `${count(value)} requests`, written: short, whole: true },
  tokens: {
    value: (row) => row.prompt_tokens + row.completion_tokens, text: (value) => `${count(value)} tokens`,
    written: short, whole: true,
  },
  cost: { value: (row) => row.cost_usd ?? 0, text: dollars, written: (value) => `$${Number(value.toPrecision(2))}` },
};

let drawnOf = "";
let last = null;
let table = null;
let tableOf = "";

export function prepare() {
  for (const id of ["usage-period", "usage-by"]) $(id).addEventListener("change", refresh);
  $("usage-measure").addEventListener("change", draw);
  new ResizeObserver(() => draw()).observe($("chart-bars"));
}

export async function refresh() {
  const [period, by] = [$("usage-period").value, $("usage-by").value];
  const found = await api.usage(period, by);
  // The user may have chosen something else in the meantime.
  if (period === $("usage-period").value && by === $("usage-by").value) {
    last = { ...found, period, group: by };
    draw();
  }
}

function draw() {
  if (last === null) return;
  const measure = MEASURES[$("usage-measure").value];
  const width = Math.max(240, Math.floor($("chart-bars").clientWidth));
  const slots = slotsOf(last);
  const of = JSON.stringify([$("usage-measure").value, width, slots.length, slots.at(-1), last.group, last.rows]);
  // Leave an unchanged chart alone: a screen reader may be reading it, or the mouse pointing at it.
  if (of === drawnOf) return;
  drawnOf = of;
  const names = namesOf(last, measure);
  const sums = sumsOf(last, measure, names);
  const style = (name) => `s${name === OTHERS ? COLOURS : names.indexOf(name)}`;
  const bars = slots.map((slot) => ({
    label: shortTime(slot, last.unit),
    parts: names.map((name) => {
      const value = sums.get(slot)?.get(name) ?? 0;
      return { value, style: style(name), text: `${longTime(slot, last.unit)}, ${name}: ${measure.text(value)}` };
    }),
  }));
  setText($("chart-text"), summary(last, names, sums, measure));
  $("chart-bars").replaceChildren(chart(bars, width, measure, "chart-text"));
  $("chart-legend").replaceChildren(...names.map((name) => element("li", {}, swatch(style(name)), name)));
  showTable(slots, names, sums, measure);
}

function slotsOf({ since, unit }) {
  const step = STEPS[unit];
  const found = [];
  for (let at = Math.floor(since / step) * step; at <= Date.now() / 1000; at += step) {
    const text = new Date(at * 1000).toISOString();
    found.push(unit === "hour" ? `${text.slice(0, 13)}:00Z` : text.slice(0, 10));
  }
  return found;
}

// The largest, sorted by name so that each keeps its colour when one overtakes another; then the others.
function namesOf({ rows, group }, measure) {
  const totals = new Map();
  for (const row of rows) {
    const name = row[group] || NAMELESS[group];
    totals.set(name, (totals.get(name) ?? 0) + measure.value(row));
  }
  const largest = [...totals].sort((one, other) => other[1] - one[1]).slice(0, COLOURS).map(([name]) => name);
  return totals.size > COLOURS ? [...largest.sort(), OTHERS] : largest.sort();
}

function sumsOf({ rows, group, unit }, measure, names) {
  const sums = new Map();
  for (const row of rows) {
    const own = row[group] || NAMELESS[group];
    const name = names.includes(own) ? own : OTHERS;
    if (!sums.has(row[unit])) sums.set(row[unit], new Map());
    const slot = sums.get(row[unit]);
    slot.set(name, (slot.get(name) ?? 0) + measure.value(row));
  }
  return sums;
}

function summary({ total, period, group }, names, sums, measure) {
  if (!total.requests) return `No usage in the last ${period}.`;
  const parts = [
    `${count(total.requests)} requests (${count(total.errors)} failed)`,
    `${count(total.prompt_tokens)} tokens in (${count(total.cached_tokens)} read from the cache)`,
    `${count(total.completion_tokens)} out`,
    `cost ${dollars(total.cost_usd)}${total.without_cost ? `, unknown for ${count(total.without_cost)}` : ""}`,
  ];
  const of = (name) => [...sums.values()].reduce((sum, slot) => sum + (slot.get(name) ?? 0), 0);
  const each = names.map((name) => [of(name), name]).sort((one, other) => other[0] - one[0]);
  const said = each.map(([value, name]) => `${name} ${measure.text(value)}`).join(", ");
  return `The last ${period}: ${parts.join(", ")}. By ${group}: ${said}.`;
}

function showTable(slots, names, sums, measure) {
  const unit = last.unit;
  const rows = slots.filter((slot) => sums.has(slot)).reverse().map((slot) => ({ slot, of: sums.get(slot) }));
  const of = JSON.stringify([unit, names, $("usage-measure").value]);
  if (of !== tableOf) {
    tableOf = of;
    const columns = names.map((name) => ({
      head: name, number: true, value: (row) => (row.of.has(name) ? measure.text(row.of.get(name)) : ""),
    }));
    const when = { head: unit === "hour" ? "Hour" : "Day", value: (row) => longTime(row.slot, unit) };
    const caption = `Usage by ${unit} and ${last.group}`;
    table = new Table($("usage-table"), caption, "No usage.", [when, ...columns], (row) => row.slot);
  }
  table.show(rows);
}

// Hours are shown in local time; days are UTC days, and have no hour.
function shortTime(slot, unit) {
  return unit === "hour"
    ? new Date(slot.replace(":00Z", ":00:00Z")).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" })
    : new Date(slot).toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
}

function longTime(slot, unit) {
  if (unit === "day") return slot;
  const at = new Date(slot.replace(":00Z", ":00:00Z"));
  return at.toLocaleString("en-GB", { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
}
