// The gateway as a whole: the badge at the top, what is wrong, and the numbers.

import { $, element, setText } from "./dom.js";
import { ago, clock, count, dollars, duration } from "./format.js";

const known = new Map();

export function show(state) {
  const { status } = state;
  const badge = $("badge");
  badge.dataset.state = status.state;
  setText(badge, status.state);
  setText($("version"), `${status.version}, Claude Code CLI ${status.claude_version || "not known yet"}`);
  for (const [name, text] of facts(status)) fact(name, text);
}

function* facts(status) {
  const requests = status.requests ?? {};
  yield ["up", duration(status.uptime_seconds ?? 0)];
  yield ["listening", (status.binds ?? []).join(", ") || "not yet"];
  yield ["requests", `${count(requests.active ?? 0)} active, ${count(requests.queued ?? 0)} queued`];
  yield ["since start", `${count(requests.total ?? 0)} total, ${count(requests.failed ?? 0)} failed`];
  yield ["today", today(status.usage)];
  const workers = Object.entries(status.workers ?? {}).filter(([, number]) => number);
  yield ["workers", workers.map(([name, number]) => `${number} ${name}`).join(", ") || "none"];
  yield ["configuration", `generation ${status.config_generation}, ${reload(status.last_reload)}`];
}

function reload(last) {
  if (!last) return "not reloaded";
  return last.ok === false ? `the last reload was rejected: ${last.error ?? "see the log"}` : `reloaded ${ago(last.at)}`;
}

// The usage since midnight UTC.
function today(usage) {
  if (!usage?.requests) return "no usage yet";
  const failed = usage.errors ? `, ${count(usage.errors)} failed` : "";
  const cost = usage.cost_usd == null ? "" : `, ${dollars(usage.cost_usd)}`;
  const tokens = `${count(usage.prompt_tokens)} tokens in, ${count(usage.completion_tokens)} out`;
  return `${count(usage.requests)} requests${failed}; ${tokens}${cost}`;
}

// What is wrong with a running gateway; "" if nothing is.
export function problem(status) {
  const said = [status.problem, status.state_problem, status.shuts_out, login(status.login_failure)];
  if (status.drained_since != null) {
    said.push(`drained by the operator at ${clock(status.drained_since)}; \`claudegwctl undrain\` ends it`);
  }
  if (status.shared?.away_since != null) {
    said.push(`${status.shared.place} became unavailable at ${clock(status.shared.away_since)}: ${status.shared.problem}`);
  }
  if (status.content_logged) said.push("the log contains questions and answers (log.content)");
  if (status.usage_lost) said.push(`the usage of ${count(status.usage_lost)} requests was never recorded; see the log`);
  if (status.log_lines_lost) said.push(`${status.log_lines_lost} log lines were lost`);
  return [...new Set(said.filter(Boolean))].join("; ");
}

function login(failure) {
  // The time, not how long ago: a screen reader reads out every change of this text.
  return failure ? `the login failed at ${clock(failure.at)}: ${failure.error}` : "";
}

function fact(name, text) {
  if (!known.has(name)) {
    const value = element("dd");
    known.set(name, value);
    $("facts").append(element("div", {}, element("dt", { text: name }), value));
  }
  setText(known.get(name), text);
}
