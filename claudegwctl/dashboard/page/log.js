// The log and its filters. The daemon filters by level, request, key and client; the text is searched here.

import * as api from "./api.js";
import { $, element, setText } from "./dom.js";
import { count } from "./format.js";

// How many lines the daemon keeps, and how many the page shows.
const KEPT = 2000;
const SHOWN = 400;
const TYPING_MILLISECONDS = 300;

let lines = []; // {text, record}, the oldest first
let asked = ""; // the filters that `lines` were requested with
let typing = 0;

export function prepare() {
  for (const id of ["log-level", "log-key", "log-client"]) $(id).addEventListener("change", soon);
  for (const id of ["log-text", "log-request"]) $(id).addEventListener("input", soon);
  $("log-live").addEventListener("change", soon);
}

function soon() {
  clearTimeout(typing);
  typing = setTimeout(() => { draw(); refresh().catch(() => {}); }, TYPING_MILLISECONDS);
}

// Show one request's lines.
export function showRequest(id) {
  $("log-request").value = id;
  $("log-level").value = "debug";
  soon();
  $("log").scrollIntoView();
  $("log-lines").focus({ preventScroll: true });
}

export function offer(state) {
  options($("log-key"), state.status.keys.map((key) => key.name));
  options($("log-client"), state.clients.map((client) => client.name));
}

function options(select, names) {
  const wanted = ["", ...names];
  const there = [...select.options].map((option) => option.value);
  if (JSON.stringify(wanted) === JSON.stringify(there)) return;
  const chosen = select.value;
  select.replaceChildren(...wanted.map((name) => element("option", { value: name, text: name || "all" })));
  select.value = wanted.includes(chosen) ? chosen : "";
}

export async function refresh() {
  const filters = { level: $("log-level").value };
  for (const name of ["request", "key", "client"]) {
    const value = $(`log-${name}`).value.trim();
    if (value) filters[name] = value;
  }
  const now = JSON.stringify(filters);
  const more = now === asked && lines.length > 0;
  if (more && !$("log-live").checked) return;
  const since = more ? Math.floor(Date.parse(lines.at(-1).record.time) / 1000) : 0;
  const found = (await api.logs({ ...filters, lines: KEPT, since })).lines.map((record) => (
    { record, text: JSON.stringify(record) }));
  if (more && now === asked) {
    // Lines of the last second are already known. A daemon that has been restarted has none of them.
    const known = found.findLastIndex((line) => line.text === lines.at(-1).text);
    const fresh = found.slice(known + 1);
    lines = [...lines, ...fresh].slice(-KEPT);
    add(fresh);
  } else {
    asked = now;
    lines = found;
    draw();
  }
}

function fitting(some) {
  const wanted = $("log-text").value.trim().toLowerCase();
  return wanted ? some.filter((line) => line.text.toLowerCase().includes(wanted)) : some;
}

function draw() {
  const list = $("log-lines");
  list.replaceChildren(...fitting(lines).slice(-SHOWN).map(row));
  list.scrollTop = list.scrollHeight;
  say();
}

function add(fresh) {
  const list = $("log-lines");
  // Do not scroll if the user has scrolled up to read.
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 30;
  list.append(...fitting(fresh).slice(-SHOWN).map(row));
  while (list.childElementCount > SHOWN) list.firstElementChild.remove();
  if (atEnd && fresh.length) list.scrollTop = list.scrollHeight;
  say();
}

function say() {
  const found = fitting(lines).length;
  const shown = found > SHOWN ? `, showing the last ${SHOWN}` : "";
  setText($("log-count"), `${count(found)} lines${shown}. The daemon keeps the last ${count(KEPT)}.`);
}

function row({ record }) {
  const { time, level, message, ...fields } = record;
  const at = new Date(time);
  const made = element("li", {},
    element("time", { datetime: time, title: at.toLocaleString("en-GB"), text: at.toLocaleTimeString("en-GB") }),
    " ", element("span", { class: `level level-${level}`, text: level }), " ", message);
  for (const [name, value] of Object.entries(fields)) {
    if (value === null || value === "") continue;
    made.append(" ", element("span", { class: "dim", text: `${name}=` }));
    made.append(name === "request_id" ? ofRequest(value) : String(value));
  }
  return made;
}

function ofRequest(id) {
  return element("button", { type: "button", class: "plain", title: "Only this request", text: id, onclick: () => showRequest(id) });
}
