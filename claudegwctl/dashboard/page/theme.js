// Light or dark: the system's setting, or what was chosen here.

import { $ } from "./dom.js";

const THEMES = ["automatic", "light", "dark"];
const PLACE = "claudegwctl-theme";

export function prepare() {
  let theme = THEMES.includes(localStorage.getItem(PLACE)) ? localStorage.getItem(PLACE) : THEMES[0];
  const show = () => {
    if (theme === "automatic") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    $("theme").textContent = `Theme: ${theme}`;
  };
  $("theme").addEventListener("click", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    localStorage.setItem(PLACE, theme);
    show();
  });
  show();
}
