// The small parts that all sections share.

const ICONS = {
  ok: "M2 6.5 5 9.5 10 3",
  bad: "M3 3 9 9M9 3 3 9",
  warn: "M6 2v5M6 10v.01",
  info: "M3.5 2.5v7l6-3.5z",
  idle: "M2.5 6h7",
};
const TONES = {
  running: "info", applying: "info", done: "ok", planned: "idle", held: "warn", failed: "bad", cancelled: "idle",
  pending: "idle", off: "idle", created: "ok", updated: "ok", deactivated: "ok", reactivated: "ok",
  refused: "bad", invalid: "bad", waiting: "warn", gone: "warn", several: "warn", entity: "bad",
  create: "info", update: "info", reactivate: "info", deactivate: "warn", nothing: "ok", skipped: "idle",
  paused: "warn", "under way": "info", unknown: "bad",
};
const WORDS = { pending: "waiting its turn", deactivate: "switch off", deactivated: "switched off", reactivate: "switch on", reactivated: "switched on" };

const tone = (word) => TONES[word] ?? "idle";
const icon = (name) => h("svg", { class: "icon", viewBox: "0 0 12 12", "aria-hidden": "true" }, h("path", { d: ICONS[name] }));
const badge = (word, text = WORDS[word] ?? word) => h("span", { class: `badge ${tone(word)}` }, icon(tone(word)), text);
const toned = (name, text) => h("span", { class: `badge ${name}` }, icon(name), text);
const muted = (...children) => h("p", { class: "muted" }, children);

/** Whether the caller may do this operation, by its name in the API's description. With a key nobody is told apart. */
const may = (operation) => !SIGNED_IN || Boolean(state.me?.may.includes(operation));

/** In the place of what an operation takes, for whoever may not do it. */
const mayNot = (what) => muted(state.me ? `Your roles do not include ${what}.` : "Not known yet.");

/** A button that tells while its action is at work; it is not disabled then, or it would lose the focus. There is
 * none for whoever may not do the operation that it `needs`. */
function actButton(name, label, onclick, kind = null, { needs = null, ...more } = {}) {
  if (needs && !may(needs)) return null;
  const busy = Boolean(state.busy[name]);
  return h("button", {
    type: "button", class: kind, key: `button ${name}`, "aria-disabled": busy ? "true" : null, "aria-busy": busy ? "true" : null,
    onclick: busy ? null : onclick, ...more,
  }, busy ? `${label} …` : label);
}

/** What went wrong with an action, beside its button, until the next attempt. */
function errorOf(name) {
  const error = state.errors[name];
  return error && problemNote(error, `error ${name}`);
}

function problemNote(error, key = null) {
  return h("div", { key, class: "note bad", role: "alert" },
    h("p", null, h("strong", null, error.title), ": ", data(error.message)),
    error.problems.length > 0 && h("ul", null, error.problems.map((text) => h("li", null, data(text)))),
    error.hint && h("p", { class: "muted" }, data(error.hint)));
}

/** A bar that tells its figures to those who do not see it. */
function meter(label, part, whole, toneName = null, role = "progressbar") {
  return h("div", {
    class: `meter ${toneName ?? ""}`, role, "aria-label": label, "aria-valuemin": "0", "aria-valuemax": String(whole),
    "aria-valuenow": String(Math.min(part, whole)), "aria-valuetext": `${number(part)} of ${number(whole)}`,
  }, h("span", { class: "fill", css: { "--share": percent(part, whole) } }));
}

/** What scrolls by itself, within the keyboard's reach. */
const scrolling = (label, table) => h("div", { class: "scroll", role: "group", "aria-label": label, tabindex: "0" }, table);

function headings(...names) {
  return h("thead", null, h("tr", null, names.map((name) => {
    const [text, className] = Array.isArray(name) ? name : [name, null];
    return h("th", { scope: "col", class: className }, text);
  })));
}

const options = (names, chosen) => names.map((name) => h("option", { key: name, value: name, selected: name === chosen }, name));

function labelled(id, text, control, attributes = {}) {
  return h("div", attributes, h("label", { for: id }, text), control);
}
