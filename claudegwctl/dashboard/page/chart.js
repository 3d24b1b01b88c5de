// A stacked bar chart in SVG, without a library: a few dozen bars in at most seven colours.

import { drawn } from "./dom.js";

const HEIGHT = 220;
const [TOP, RIGHT, BOTTOM, LEFT] = [10, 8, 24, 56];
const LABEL_WIDTH = 64;
const LINES = 4;

// `bars`: [{label, parts: [{value, style, text}]}]. `written` formats a number on the scale; `whole`: only whole
// numbers make sense.
export function chart(bars, width, { written, whole }, labelledBy) {
  const highest = round(Math.max(...bars.map(total), 0), whole);
  const inner = HEIGHT - TOP - BOTTOM;
  const y = (value) => TOP + inner - (value / highest) * inner;
  const step = (width - LEFT - RIGHT) / bars.length;
  const svg = drawn("svg", {
    viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: "img", "aria-labelledby": labelledBy,
  });
  for (let line = 0; line <= LINES; line++) {
    const value = (highest * line) / LINES;
    svg.append(
      drawn("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value) }),
      drawn("text", { x: LEFT - 8, y: y(value) + 4, "text-anchor": "end", text: written(value) }),
    );
  }
  const every = Math.max(1, Math.ceil(LABEL_WIDTH / step));
  bars.forEach((bar, place) => {
    const left = LEFT + step * place;
    let below = 0;
    for (const part of bar.parts) {
      if (!part.value) continue;
      svg.append(drawn("rect", {
        class: part.style, x: left + step * 0.12, width: step * 0.76,
        y: y(below + part.value), height: y(below) - y(below + part.value),
      }, drawn("title", { text: part.text })));
      below += part.value;
    }
    // Counted from the right, so that the latest bar always has a label.
    if ((bars.length - 1 - place) % every === 0) {
      svg.append(drawn("text", { x: left + step / 2, y: HEIGHT - 6, "text-anchor": "middle", text: bar.label }));
    }
  });
  return svg;
}

export function swatch(style) {
  return drawn("svg", { viewBox: "0 0 10 10", "aria-hidden": "true" }, drawn("rect", { class: style, width: 10, height: 10 }));
}

const total = (bar) => bar.parts.reduce((sum, part) => sum + part.value, 0);

// Round up to a number whose quarters are short to write, and whole if `whole`.
function round(value, whole) {
  const steps = [1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10, 12];
  if (whole && value <= 3 * LINES) return LINES * Math.max(1, Math.ceil(value / LINES));
  if (value <= 0) return 1;
  const size = 10 ** Math.floor(Math.log10(value));
  return steps.map((times) => times * size).find((found) => found >= value);
}
