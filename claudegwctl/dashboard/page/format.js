// Numbers and times for people, in the same words as in the terminal.

const counting = new Intl.NumberFormat("en-US");
const compact = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });

export const count = (value) => (value == null ? "" : counting.format(value));
export const short = (value) => compact.format(value);
export const percent = (share) => `${Math.round(share * 100)}%`;
export const seconds = (value) => (value == null ? "" : `${value.toFixed(1)} s`);
export const megabytes = (value) => (value == null ? "" : `${Math.round(value / 1e6)} MB`);

export function dollars(value) {
  if (value == null) return "unknown";
  // More digits for small amounts.
  return value >= 1 || value === 0 ? `$${value.toFixed(2)}` : `$${value.toFixed(4)}`;
}

const UNITS = [[86400, "d", 3600, "h"], [3600, "h", 60, "min"], [60, "min", 1, "s"]];

export function duration(value) {
  const whole = Math.max(0, Math.round(value));
  for (const [size, name, smaller, smallerName] of UNITS) {
    if (whole >= size) {
      const rest = Math.floor((whole % size) / smaller);
      return `${Math.floor(whole / size)} ${name}${rest ? ` ${rest} ${smallerName}` : ""}`;
    }
  }
  return `${whole} s`;
}

export const ago = (moment) => (moment == null ? "never" : `${duration(Date.now() / 1000 - moment)} ago`);

export function clock(moment) {
  const at = new Date(moment * 1000);
  const near = Math.abs(moment - Date.now() / 1000) < 43200;
  const time = { hour: "2-digit", minute: "2-digit", hour12: false };
  if (near) return at.toLocaleString("en-GB", time);
  const date = { weekday: "short", day: "numeric", month: "short" };
  if (at.getFullYear() !== new Date().getFullYear()) date.year = "numeric"; // a key may be valid for years
  return at.toLocaleString("en-GB", { ...time, ...date });
}

export const words = (name) => String(name ?? "").replaceAll("_", " ");
