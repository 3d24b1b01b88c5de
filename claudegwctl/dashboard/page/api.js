// Requests to the dashboard's own server, and to nothing else.

export class Refused extends Error {}

export const state = () => ask("state");
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
  });
}

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(`api/${path}`, { ...options, cache: "no-store", redirect: "error" });
  } catch {
    throw new Refused("cannot reach the dashboard: `claudegwctl dashboard` has stopped; start it again");
  }
  const body = await answer.json().catch(() => null);
  if (!answer.ok || body === null) {
    throw new Refused(body?.error ?? "cannot use this page any longer: open the link printed by `claudegwctl dashboard`");
  }
  return body;
}
