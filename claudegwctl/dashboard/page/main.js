// The page: polls the state while it is visible, and shows it.

import * as actions from "./actions.js";
import * as api from "./api.js";
import { $, setText } from "./dom.js";
import * as log from "./log.js";
import * as overview from "./overview.js";
import * as tables from "./tables.js";
import * as theme from "./theme.js";
import * as usage from "./usage.js";

const EVERY_MILLISECONDS = 1000;
const USAGE_EVERY = 5; // polls per refresh of the usage
const LOOKING = -1;

let times = 0;
let running = true;
let timer = 0;

theme.prepare();
actions.prepare(now);
usage.prepare();
log.prepare();
const showTables = tables.prepare(log.showRequest);
document.addEventListener("visibilitychange", now);
now();

// Poll at once, and then every second; never while the page is hidden.
function now() {
  clearTimeout(timer);
  times = 0;
  if (!document.hidden) look();
}

async function look() {
  timer = LOOKING;
  try {
    await refresh();
  } catch (error) {
    trouble(error.message);
  }
  // If two overlap (after a click), the first to finish schedules the next.
  if (!document.hidden && timer === LOOKING) timer = setTimeout(look, EVERY_MILLISECONDS);
}

async function refresh() {
  const state = await api.state();
  if (!state.running) {
    trouble(`${state.problem}. This page reconnects by itself.`);
    return;
  }
  if (!running) actions.say("claudegwd is running again");
  running = true;
  $("main").classList.remove("stale");
  overview.show(state);
  notice(overview.problem(state.status));
  showTables(state);
  log.offer(state);
  document.title = `${state.status.state} – claudegwd`;
  if (times % USAGE_EVERY === 0) await usage.refresh();
  times += 1;
  await log.refresh();
}

// No answer: what is shown is out of date.
function trouble(text) {
  running = false;
  $("main").classList.add("stale");
  $("badge").dataset.state = "gone";
  setText($("badge"), "no answer");
  document.title = "no answer – claudegwd";
  notice(text);
}

function notice(text) {
  $("trouble").hidden = !text;
  setText($("trouble"), text);
}
