// Requests to the dashboard's own server, and to nothing else.

export class Refused extends Error {}

// The dashboard may be suspended, or a tunnel to it broken: nothing then says that no answer will come.
const STATE_SECONDS = 10;
const ANSWER_SECONDS = 40; // the dashboard itself waits 30 s for the daemon
const CHANGE_SECONDS = 130; // a reload may have to start another CLI first

export const state = () => ask("state", {}, STATE_SECONDS);
export const usage = (period, by) => ask(`usage?${new URLSearchParams({ period, by })}`);
export const logs = (filters) => ask(`logs?${new URLSearchParams(filters)}`);
export const rotate = (to) => change("rotate", { to });
export const setKey = (name, status) => change("key", { name, status });
export const decide = (id, approved) => change("approval", { id, approved });
export const reload = () => change("reload", {});

function change(what, body) {
  return ask(what, {
    method: "POST",
    headers: { "content-type": "application/json", "x-claudegwctl": "1" },
    body: JSON.stringify(body),
  }, CHANGE_SECONDS);
}

async function ask(path, options = {}, seconds = ANSWER_SECONDS) {
  const signal = AbortSignal.timeout(seconds * 1000);
  let answer;
  let body;
  try {
    answer = await fetch(`api/${path}`, { ...options, cache: "no-store", redirect: "error", signal });
    body = await answer.json().catch((error) => {
      if (signal.aborted) throw error;
      return null;
    });
  } catch {
    throw new Refused(signal.aborted
      ? `cannot get an answer from the dashboard within ${seconds} s: it is suspended, or the tunnel to it is broken`
      : "cannot reach the dashboard: `claudegwctl dashboard` has stopped; start it again");
  }
  if (!answer.ok || body === null) {
    throw new Refused(body?.error ?? "cannot use this page any longer: open the link printed by `claudegwctl dashboard`");
  }
  return body;
}
