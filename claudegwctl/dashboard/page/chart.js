// Stacked bars in SVG, made by hand: a few dozen bars of at most seven colours.

import { drawn } from "./dom.js";

const HEIGHT = 220;
const [TOP, RIGHT, BOTTOM, LEFT] = [10, 8, 24, 56];
const LABEL_WIDTH = 64;
const LINES = 4;

// `bars`: [{label, parts: [{value, style, text}]}]. `written` makes a number of the scale a text.
export function chart(bars, width, written, labelledBy) {
  const highest = round(Math.max(...bars.map(total), 0));
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
    // Counted from the right: now is what people look for.
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

// The next number above that divides well.
function round(value) {
  if (value <= 0) return LINES;
  const size = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 5, 8, 10].map((times) => times * size).find((found) => found >= value);
}
