// Drawing, and the first load.

const SECTIONS = {
  overview: overviewView, banner: bannerView, "record-form": recordForm, "record-answer": recordAnswer, "now-body": nowView,
  "held-body": heldView, "failures-body": failuresView, "fixes-body": fixesView, "runs-body": runsView, "trends-body": trendsView, "decisions-body": decisionsView, "start-body": startView,
  "pause-body": pauseView, "systems-body": systemsView, "letters-body": lettersView, "calls-body": lastCallsView,
  "settings-body": settingsView, "kept-body": keptView,
};

function render() {
  const focused = document.activeElement;
  for (const [id, view] of Object.entries(SECTIONS)) patch(byId(id), view());
  renderConnection();
  byId("key-button").hidden = SIGNED_IN || !savedKey();
  patch(byId("account"), accountView());
  // A node that had to move has lost it.
  if (focused !== document.activeElement && focused?.isConnected && !document.querySelector("dialog[open]")) focused.focus({ preventScroll: true });
  askNames();
}

function renderConnection() {
  patch(byId("connection"), connectionView());
}

let noticeTimer = null;

/** Tell those who see and those who listen. */
function say(text) {
  byId("notice").textContent = text;
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => { byId("notice").textContent = ""; }, 10000);
}

const THEMES = { auto: "auto, as the system", light: "light", dark: "dark" };

function setTheme(name) {
  document.documentElement.dataset.theme = name;
  localStorage.setItem("safetyamp-sync-theme", name);
  byId("theme").textContent = `Theme: ${name}`;
  byId("theme").setAttribute("aria-label", `Theme: ${THEMES[name]}. Change it`);
}

byId("theme").onclick = () => {
  const names = Object.keys(THEMES);
  setTheme(names[(names.indexOf(document.documentElement.dataset.theme) + 1) % names.length]);
};
byId("key-button").onclick = forgetKey;
const savedTheme = localStorage.getItem("safetyamp-sync-theme");
setTheme(savedTheme in THEMES ? savedTheme : "auto");
window.addEventListener("resize", render);
window.addEventListener("keydown", (event) => {
  const isTyped = event.target.closest("input, select, textarea, dialog") !== null;
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || isTyped) return;
  event.preventDefault();
  byId("record-key").focus();
});
window.addEventListener("hashchange", openHash);
render();
refresh().then(openHash);
