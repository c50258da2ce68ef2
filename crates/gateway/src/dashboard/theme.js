// The theme, the only thing that the page keeps beyond its tab.

const THEMES = ["system", "light", "dark"];
const SIGNS = ["◑", "☀", "☾"];
const SETTING = "switchboard-theme";

const button = document.getElementById("theme");
let theme = Math.max(0, THEMES.indexOf(localStorage.getItem(SETTING)));

function apply() {
  const text = `Theme: ${THEMES[theme]}`;
  document.documentElement.dataset.theme = THEMES[theme];
  button.textContent = SIGNS[theme];
  button.title = text;
  button.setAttribute("aria-label", text);
}

button.addEventListener("click", () => {
  theme = (theme + 1) % THEMES.length;
  localStorage.setItem(SETTING, THEMES[theme]);
  apply();
});
apply();
