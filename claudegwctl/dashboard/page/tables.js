// Requests, approvals, keys, workers and clients, as `claudegwctl top` shows them.

import { decide, rotate, setKey } from "./actions.js";
import { $, element, setText, Table } from "./dom.js";
import { ago, clock, count, dollars, duration, megabytes, percent, seconds, short, words } from "./format.js";

const WINDOWS = { "5h": "5 h", "7d": "week" };
const nobody = (name) => name || "(no key)";

export function prepare(showRequest) {
  const requests = new Table($("requests-table"), "Requests under way", "No requests under way.", [
    { head: "Request", node: () => button("plain", "", (row) => showRequest(row.request_id), (row) => row.request_id) },
    { head: "Client", value: (row) => nobody(row.client) },
    { head: "Model", value: (row) => row.model },
    { head: "State", value: (row) => words(row.state), style: (row) => `state-${row.state}` },
    { head: "Age", number: true, value: (row) => duration(row.age_seconds) },
    { head: "First token", number: true, value: (row) => seconds(row.first_token_seconds) },
    { head: "Tokens", number: true, value: (row) => count(row.output_tokens) },
    { head: "Tokens/s", number: true, value: (row) => row.tokens_per_second ?? "" },
    { head: "Key", value: (row) => row.key },
    { head: "Worker", value: (row) => [row.how, row.worker].filter(Boolean).join(", ") },
  ], (row) => row.request_id);

  const workers = new Table($("workers-table"), "Workers: the CLI processes", "There are no workers.", [
    { head: "Process", value: (row) => row.pid },
    { head: "State", value: (row) => row.state },
    { head: "Client", value: (row) => row.client },
    { head: "Key", value: (row) => row.key },
    { head: "Uses", number: true, value: (row) => count(row.uses) },
    { head: "Age", number: true, value: (row) => duration(row.age_seconds ?? 0) },
    { head: "Memory", number: true, value: (row) => megabytes(row.rss_bytes) },
  ], (row) => row.pid);

  const clients = new Table($("clients-table"), "Clients and their budgets", "There are no clients with a key.", [
    { head: "Client", value: (row) => row.name },
    { head: "State", value: (row) => row.state, style: (row) => `state-${row.state}` },
    { head: "Requests", number: true, value: (row) => count(row.requests) },
    { head: "Tokens", number: true, value: (row) => count(row.tokens) },
    { head: "Last used", value: (row) => ago(row.last_used) },
    { head: "Limits", value: limits },
    { head: "Budgets", node: () => meters((row) => (row.budgets ?? []).map(budget)) },
  ], (row) => row.name);

  let keys = null;
  let approvals = null;
  return (state) => {
    keys ??= keysTable(state.read_only);
    approvals ??= approvalsTable(state.read_only);
    approvals.show(state.approvals);
    requests.show(state.requests);
    workers.show(state.workers);
    clients.show(state.clients);
    keys.show(state.status.keys.length ? keyRows(state.status) : [loginRow(state.status)]);
    $("rotate").hidden = state.read_only || state.status.keys.length < 2;
    $("reload").hidden = state.read_only;
    $("read-only").hidden = !state.read_only;
  };
}

function approvalsTable(readOnly) {
  const columns = [
    { head: "Asks for", value: (row) => row.shown, style: () => "asked" },
    { head: "Reason", value: (row) => row.why },
    { head: "Workspace", value: (row) => row.workspace },
    { head: "Directory", value: (row) => row.directory },
    { head: "Client", value: (row) => nobody(row.client) },
    { head: "Waiting", number: true, value: (row) => duration(Date.now() / 1000 - row.asked) },
  ];
  if (!readOnly) columns.push({ head: "Actions", node: approvalActions });
  return new Table($("approvals-table"), "What Claude asks to do in workspaces", "Nothing is waiting for approval.", columns,
    (row) => row.id);
}

function approvalActions(row) {
  const made = [true, false].map((approved) => {
    const text = approved ? "Approve" : "Deny";
    return element("button", { type: "button", "aria-label": `${text} ${row.id}`, onclick: () => decide(row, approved) }, text);
  });
  return { node: element("div", { class: "actions" }, ...made), update: () => {} };
}

function keysTable(readOnly) {
  const columns = [
    { head: "Key", value: (row) => row.name },
    { head: "State", value: keyState, style: (row) => (row.login ? "" : `state-${row.state}`) },
    { head: "Limits", node: () => meters((row) => row.windows.map(limitWindow)) },
    { head: "Requests", number: true, value: (row) => count(row.requests) },
    { head: "Failures", number: true, value: (row) => count(row.failures) },
    { head: "Tokens", number: true, value: (row) => count(row.tokens) },
    { head: "Last error", value: (row) => (row.last_error ? `${row.last_error} (${ago(row.last_error_at)})` : "") },
  ];
  if (!readOnly) columns.push({ head: "Actions", node: keyActions });
  return new Table($("keys-table"), "Upstream keys", "There are no keys.", columns, (row) => row.name);
}

function keyRows({ keys, windows = [] }) {
  return keys.map((key) => ({ ...key, windows: windows.filter((row) => row.key === key.name) }));
}

// Without keys the login is used: it has its own limits, but no actions.
function loginRow({ login, login_failure: failure, windows = [] }) {
  return {
    name: "no keys", login: true, state: `login: ${login ?? "claude"}`, windows,
    last_error: failure?.error, last_error_at: failure?.at,
  };
}

function keyState(row) {
  if (row.unanswered_since != null) return `${row.state}, no answer`;
  return row.cooling_until == null ? row.state : `${row.state}, back in ${duration(row.cooling_until - Date.now() / 1000)}`;
}

function limitWindow(row) {
  let name = row.window;
  for (const [code, text] of Object.entries(WINDOWS)) if (name.startsWith(code)) name = name.replace(code, text);
  const resets = row.resets == null ? "" : `, resets ${clock(row.resets)}`;
  return [row.used, `${name}: ${percent(row.used)} used${resets}${row.extra_usage ? " (billed as extra usage)" : ""}`];
}

function budget(row) {
  const [number, millions, unit, period] = row.budget.match(/^([0-9.]+)(M?)(usd|tokens)\/(.*)$/).slice(1);
  const amount = number * (millions ? 1e6 : 1);
  const shown = unit === "usd" ? dollars : short;
  return [row.used / amount, `${shown(row.used)} of ${shown(amount)} a ${period}, resets ${clock(row.resets)}`];
}

function limits(row) {
  const found = [];
  if (row.requests_per_minute) found.push(`${count(row.requests_per_minute)} requests/min`);
  if (row.tokens_per_minute) found.push(`${count(row.tokens_per_minute)} tokens/min`);
  if (row.concurrent_requests) found.push(`${row.concurrent_requests} concurrent`);
  if (row.models?.length) found.push(row.models.join(", "));
  if (row.expires) found.push(`until ${clock(row.expires)}`);
  return found.join("; ");
}

// Meters with their texts: `read` returns [[share, text], …] of a row.
function meters(read) {
  const node = element("div");
  return {
    node,
    update(row) {
      const found = read(row);
      while (node.childElementCount > found.length) node.lastChild.remove();
      found.forEach(([share, text], place) => {
        if (!node.children[place]) {
          // The text beside it says the same: a screen reader need not read it twice.
          const meter = element("meter", { min: 0, max: 1, low: 0.8, high: 0.9, optimum: 0, "aria-hidden": "true" });
          node.append(element("div", {}, meter, element("span")));
        }
        const [meter, words] = node.children[place].children;
        meter.value = Math.min(1, share);
        setText(words, text);
      });
    },
  };
}

function keyActions(row) {
  if (row.login) return { node: element("div"), update: () => {} };
  const use = element("button", { type: "button", onclick: () => rotate(row.name) }, "Use");
  let disabled = false;
  const toggle = element("button", { type: "button", onclick: () => setKey(row.name, disabled ? "active" : "disabled") });
  use.setAttribute("aria-label", `Use key ${row.name} for new conversations`);
  return {
    node: element("div", { class: "actions" }, use, toggle),
    update(now) {
      disabled = now.state === "disabled";
      use.disabled = disabled || now.state === "active";
      setText(toggle, disabled ? "Enable" : "Disable");
      toggle.setAttribute("aria-label", `${toggle.textContent} key ${row.name}`);
    },
  };
}

function button(style, label, press, read) {
  let last = null;
  const text = element("span");
  const node = element("div", {}, element("button", { type: "button", class: style, onclick: () => press(last) }, text));
  return { node, update: (row) => { last = row; setText(text, label + read(row)); } };
}
