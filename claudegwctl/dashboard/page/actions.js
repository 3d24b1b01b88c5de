// The page's actions: each with its confirmation, if it needs one, and its outcome.

import * as api from "./api.js";
import { $ } from "./dom.js";

let afterwards = () => {};
let answer = () => {}; // to the question that is open

// `done` is called after each change, so that the page shows it at once.
export function prepare(done) {
  afterwards = done;
  const dialog = $("question");
  $("question-no").addEventListener("click", () => settle(false));
  $("question-yes").addEventListener("click", () => settle(true));
  // Escape. The event comes some time after the closing: by then, the next question may be open.
  dialog.addEventListener("close", () => dialog.open || settle(false));
  $("reload").addEventListener("click", () => act(api.reload, reloaded));
  $("rotate").addEventListener("click", () => rotate(null));
}

export function say(text, bad = false) {
  const said = $("said");
  said.classList.toggle("bad", bad);
  said.textContent = text;
}

export async function rotate(name) {
  const which = name === null ? "the next key" : `key ${name}`;
  if (await sure(`Use ${which} for new conversations? Conversations in progress keep theirs.`, "Use it")) {
    await act(() => api.rotate(name), (done) => `now using ${done.to}`);
  }
}

export async function setKey(name, status) {
  const [text, yes] = status === "disabled"
    ? [`Disable key ${name}? It is kept, but no longer used.`, "Disable"]
    : [`Enable key ${name}? New conversations may use it again.`, "Enable"];
  if (await sure(text, yes)) {
    await act(() => api.setKey(name, status), (done) => `${name} is ${done.state}`);
  }
}

// `row` is the request, as it was shown. Denying it needs no confirmation: Claude just continues without it.
export async function decide(row, approved) {
  const where = `${row.workspace} (${row.directory}), for ${row.client || "a client without a key"}`;
  if (!approved || await sure(`Approve this in ${where}?\n\n${row.shown}`, "Approve")) {
    await act(() => api.decide(row.id, approved), () => `${approved ? "approved" : "denied"} ${row.id}`);
  }
}

function sure(text, yes) {
  settle(false);
  $("question-text").textContent = text;
  $("question-yes").textContent = yes;
  return new Promise((resolve) => {
    answer = resolve;
    $("question").showModal();
    $("question").scrollTop = 0; // the focus is on the button below: what is approved is to be read from its beginning
  });
}

function settle(yes) {
  $("question").close();
  answer(yes);
  answer = () => {};
}

async function act(work, told) {
  try {
    say(told(await work()));
  } catch (error) {
    say(error.message, true);
  }
  afterwards();
}

function reloaded(done) {
  const changes = (done.changes ?? []).map((change) => change.key + (change.needs_restart ? " (after a restart)" : ""));
  for (const [word, names] of Object.entries(done.keys ?? {})) {
    if (names.length) changes.push(`keys ${word}: ${names.join(", ")}`);
  }
  const warnings = (done.warnings ?? []).map((warning) => `; warning: ${warning}`).join("");
  return `reloaded: ${changes.join(", ") || "nothing changed"}${warnings}`;
}
