// Which record? By its key, or by what a foreman on the phone gives: a name.

// Each question has its own name, so that a new one need not wait for the one before it.
let questions = 0;

function recordForm() {
  return h("form", { class: "fields", onsubmit: submitLookUp, role: "search" },
    labelled("record-entity", "What", h("select", { id: "record-entity" }, options(ENTITIES, "employees"))),
    labelled("record-key", "Key or name: number, job, title, Samsara id, e-mail, phone", h("input", {
      id: "record-key", type: "search", autocomplete: "off", spellcheck: "false", maxlength: "200", required: true, "aria-keyshortcuts": "/",
    })),
    h("button", { type: "submit", class: "primary" }, "Look up"));
}

function submitLookUp(event) {
  event.preventDefault();
  const text = byId("record-key").value.trim();
  const entity = byId("record-entity").value;
  if (!text) return;
  if (canOnlyBeKey(entity, text)) lookUp(entity, text, { searchInstead: true });
  else search(entity, text);
}

/** Addresses are logged and remembered: what may be a name, an e-mail or a phone number goes into none. */
const canOnlyBeKey = (entity, text) => (entity === "employees" ? /^\d{1,8}$/ : /^\d[\d.-]*$/).test(text);

/** Explain the one that fits; let the user choose among several. */
function search(entity, text) {
  const asked = { name: `search ${questions += 1}`, entity, text, answer: null };
  showMatches(asked);
  return act(asked.name, async () => {
    const answer = await post("/api/search", { body: { entity, text }, seconds: 60 });
    if (state.matches !== asked || state.record) return;
    asked.answer = answer;
    // Of a part of the records it cannot be said that only one fits, and nearly the same is for the user to judge.
    const only = answer.found.length === 1 && !answer.problem && !answer.nearly ? answer.found[0] : null;
    const wanted = answer.found.find(({ key }) => key === text) ?? only;
    if (wanted) await lookUp(entity, wanted.key, { matches: asked });
    else focusMatches();
  });
}

function showMatches(asked) {
  Object.assign(state, { record: null, matches: asked });
  byId("record-entity").value = asked.entity;
  byId("record-key").value = asked.text;
  history.replaceState(null, "", "#record");
}

function focusMatches() {
  render();
  byId("matches-heading")?.focus();
}

function matchesView(asked) {
  const { name, entity, text, answer } = asked;
  if (!answer) return h("div", { class: "answer", key: name }, errorOf(name) ?? h("p", { class: "muted", role: "status" }, "Looking for it …"));
  const { found, more, nearly, problem } = answer;
  const several = more ? `The first ${number(found.length)} matches` : count(found.length, "match", "matches");
  return h("div", { class: "answer stack", key: name },
    h("h3", { id: "matches-heading", tabindex: "-1" }, found.length && !nearly ? several : "No match", ` in ${entity} for `, data(text)),
    problem && h("div", { class: "note warn" }, h("p", null, `${sourceOf(entity)} could not be looked through, only what SafetyAmp is known to hold: `, data(problem))),
    nearly && h("p", null, "Called nearly so:"),
    found.length ? h("ul", { class: "list", "aria-labelledby": "matches-heading" }, found.map((match) => matchItem(asked, match))) : whatToTry(entity, problem),
    more && muted("There are more. Add another word of the name."));
}

function matchItem(asked, { key, name, note, in_source: inSource, in_safetyamp: inSafetyAmp }) {
  const { entity } = asked;
  const where = inSource && inSafetyAmp ? toned("ok", `${sourceOf(entity)} and SafetyAmp`)
    : inSource ? toned("warn", `${sourceOf(entity)}, not SafetyAmp`)
      : asked.answer.problem ? toned("idle", "SafetyAmp") : toned("warn", `SafetyAmp, not ${sourceOf(entity)}`);
  return h("li", { key, class: "row apart" },
    h("button", { type: "button", class: "link", onclick: () => lookUp(entity, key, { matches: asked }) },
      data(name || "no name known"), ` – ${entity} `, data(key, "id")),
    where, note && muted(note));
}

function whatToTry(entity, problem) {
  return h("div", { class: "stack tight" },
    !problem && h("p", null, `Neither ${sourceOf(entity)} nor SafetyAmp, as far as is known, has this key, name, e-mail or phone.`),
    h("p", { class: "muted" }, "Try fewer words or a part of one (the last name alone), another spelling, the number – or something else under “What”."));
}

/** Back from a record that was chosen. */
function backButton({ matches }) {
  const others = matches && (matches.answer.found.length > 1 || matches.answer.nearly || matches.answer.problem);
  return others && h("button", {
    type: "button", class: "link", key: "back", onclick: () => { showMatches(matches); focusMatches(); },
  }, "Back to the matches");
}

const sourceOf = (entity) => (entity === "vehicles" ? "Samsara" : "Vista");
