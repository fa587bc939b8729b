// One record explained, for somebody who has a foreman on the phone.

/** Explain a record. `matches`: what it was chosen from; `searchInstead`: search for the key when nobody has it. */
function lookUp(entity, key, { matches = null, searchInstead = false } = {}) {
  byId("record-entity").value = entity;
  byId("record-key").value = key;
  history.replaceState(null, "", `#record/${entity}/${encodeURIComponent(key)}`);
  state.record = { name: `explain ${questions += 1}`, entity, key, matches, answer: null, done: null };
  for (const name of ["do it", "history", "history csv"]) delete state.errors[name];
  byId("record").scrollIntoView({ block: "start" });
  return explainAgain(searchInstead);
}

function explainAgain(searchInstead = false) {
  const asked = state.record;
  return act(asked.name, async () => {
    try {
      Object.assign(asked, { answer: await explanation(asked.entity, asked.key), whole: null });
    } catch (error) {
      if (!searchInstead || error.status !== 404) throw error;
      if (state.record === asked) await search(asked.entity, asked.key);
      return;
    }
    if (state.record !== asked) return;
    render();
    byId("record-heading")?.focus();
  });
}

/** A link to a record or a run opens it. */
function openHash() {
  const [, runId] = /^#run\/(\d{8}-\d{6}-[0-9a-f]{6})$/.exec(location.hash) ?? [];
  if (runId) openRun(runId);
  const [, entity, key] = /^#record\/([a-z]+)\/(.+)$/.exec(location.hash) ?? [];
  if (ENTITIES.includes(entity) && isEncoded(key)) lookUp(entity, decodeURIComponent(key));
}

/** Not when a link was cut off in the middle of a sign. */
function isEncoded(text) {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

function recordAnswer() {
  const asked = state.record;
  if (!asked) return state.matches && matchesView(state.matches);
  if (!asked.answer) return h("div", { class: "answer", key: "asking" }, errorOf(asked.name) ?? h("p", { class: "muted", role: "status" }, "Reading the source …"));
  return h("div", { class: "answer stack", key: `${asked.entity} ${asked.key}` },
    backButton(asked), headingOf(asked), errorOf(asked.name),
    h("ul", { class: "sentences" }, asked.answer.summary.map((text, index, all) => h("li", { class: index === all.length - 1 ? "next" : null }, data(text)))),
    nextView(asked), asked.done && doneView(asked.done), fieldsView(asked.answer), historyView(asked), decisionsAbout(asked.answer.decisions), sourceView(asked.answer));
}

function headingOf({ name: question, entity, key, answer }) {
  const fields = answer.mapped?.fields ?? answer.safetyamp.fields ?? {};
  const name = [fields.first_name, fields.last_name].filter(Boolean).join(" ") || fields.name;
  return h("div", { class: "row apart" },
    h("h3", { id: "record-heading", tabindex: "-1" }, `${title(entity)} `, data(key, "id"), name && [" – ", data(name)]),
    h("span", { class: "row" }, h("span", { class: "muted small" }, "as of ", time(answer.at)), actButton(question, "Look again", () => explainAgain(), "quiet")));
}

function nextView(asked) {
  const { next, notes, safetyamp } = asked.answer;
  const changes = ["create", "update", "deactivate", "reactivate", "refused", "waiting", "unknown"].includes(next.verdict);
  // What to do about this refusal is said better beside SafetyAmp's own words.
  const suggestion = next.verdict === "refused" && safetyamp.failure ? null : next.suggestion;
  const others = notes.filter((note) => !next.reason.includes(note));
  return h("div", { class: `note ${tone(next.verdict)}`, key: "next" },
    h("div", { class: "stack tight" },
      h("div", null, h("strong", null, "What happens next: "), badge(next.verdict), next.at && [" ", ago(next.at), " (", time(next.at), ")"]),
      suggestion && h("p", null, data(suggestion)),
      safetyamp.failure && h("div", null, "SafetyAmp said", safetyamp.failure.at && [" at ", time(safetyamp.failure.at)], safetyamp.failure.since !== safetyamp.failure.at && [", first at ", time(safetyamp.failure.since)], ": ", errorTexts(safetyamp.failure.errors), h("p", null, data(safetyamp.failure.suggestion))),
      others.map((note) => h("p", { key: note, class: "muted" }, data(note))),
      h("div", { class: "row" },
        actButton("do it", "Do it now", () => doItNow(asked), changes ? "primary" : null, { needs: "sync" }),
        next.approve_url && h("a", { href: "#held" }, "Decide on the held plan"),
        next.run_url && h("button", { type: "button", class: "link", onclick: () => openRun(next.run_url.split("/").at(-1)) }, "Show the run")),
      errorOf("do it")));
}

function doItNow(asked) {
  const { entity, key } = asked;
  return act("do it", async () => {
    const sure = asked.answer.difference?.action !== "deactivate" || await confirmed({
      heading: "Switch this person off now?", content: h("p", null, "1 person loses access to SafetyAmp: ", data(key, "id"), "."), label: "Switch off", danger: true,
    });
    if (!sure) return;
    say("Working on it. This can take up to two minutes.");
    asked.done = await decide(`/api/sync/${entity}`, { query: { key }, seconds: 230 });
    say(`Done: ${asked.done.steps.result?.result ?? asked.done.phase}.`);
    await explainAgain();
    await refreshAll();
  });
}

/** The steps of "do it now", as far as they were taken. */
function doneView({ steps, phase, reason, run_id }) {
  const step = (name, value, toneName = "ok") => value !== null && h("li", { key: name }, h("span", { class: `${toneName} toned` }, icon(toneName)), h("span", { class: "muted" }, name), h("span", null, value));
  const result = steps.result;
  return h("div", { class: "card", key: "done" },
    h("div", { class: "row" }, h("h3", null, "Done now"), badge(phase), h("span", { class: "muted small" }, "run ", data(run_id, "id"))),
    reason && h("p", null, data(reason)),
    h("ol", { class: "steps" },
      step("Source", steps.source && (steps.source.found ? "has the record" : "does not have the record"), steps.source?.found ? "ok" : "warn"),
      step("Rule", steps.rejected && data(steps.rejected.reason), "warn"),
      step("SafetyAmp", steps.target && `${steps.target.found} ${steps.target.target_ids.join(", ")}`, steps.target?.found === "several" ? "warn" : "ok"),
      (steps.problems ?? []).map((text) => h("li", { key: text }, h("span", { class: "warn toned" }, icon("warn")), h("span", { class: "muted" }, "Note"), data(text))),
      step("Difference", steps.target && (steps.difference ? [badge(steps.difference.action), " ", differenceList(steps.difference.before, steps.difference.after, steps.difference.action)] : "none: nothing had to be changed")),
      step("Call", steps.call && h("code", null, `${steps.call.method} ${steps.call.path}`)),
      step("Result", result && [badge(result.result), " ", result.reason && data(result.reason), errorTexts(result.errors), errorTexts(result.dropped)], result && tone(result.result))));
}

function fieldsView({ mapped, safetyamp, difference }) {
  const wanted = { ...(mapped?.fields ?? {}) };
  const known = safetyamp.fields ?? {};
  const names = [...new Set([...Object.keys(difference?.after ?? {}), ...Object.keys(wanted), ...Object.keys(known)])];
  if (!names.length) return null;
  const row = (name) => {
    const differs = difference && name in difference.after;
    const isOther = !differs && comparable(wanted[name]) && !same(wanted[name], known[name]);
    return h("tr", { key: name, class: differs || isOther ? "differs" : null },
      h("th", { scope: "row" }, name, " ", differs ? toned("info", "changes") : isOther && toned("warn", safetyamp.refused_fields.includes(name) ? "refused" : "not written")),
      h("td", null, shown(wanted[name] ?? (differs ? difference.after[name] : null))), h("td", null, shown(known[name])));
  };
  return h("details", { key: "fields", open: true }, h("summary", null, difference ? `Field by field: ${count(Object.keys(difference.after).length, "difference")}` : "Field by field: no difference that would be written"),
    scrolling("Field by field", h("table", { class: "field-table" }, headings("Field", "Source says", "SafetyAmp holds"), h("tbody", null, names.map(row)))));
}

/** A reference is a key on one side and an id on the other. */
const comparable = (value) => value !== undefined && typeof value !== "object";

function historyView(asked) {
  const { changes, runs_searched: searched } = asked.whole ?? asked.answer.history;
  const runs = asked.whole ? `all ${count(searched, "run")} that are kept` : `the last ${count(searched, "run")}`;
  const buttons = h("div", { class: "row" },
    !asked.whole && actButton("history", "Look through all runs", () => loadHistory(asked), "quiet"),
    actButton("history csv", "Save all as CSV", () => saveHistory(asked), "quiet"));
  const errors = [errorOf("history"), errorOf("history csv"), asked.whole?.problems.map((text) => h("p", { key: text, class: "bad toned" }, data(text)))];
  if (!changes.length) return h("div", { key: "no history" }, muted(`None of ${runs} had to change it.`), buttons, errors);
  return h("details", { key: "history", open: true }, h("summary", null, `What was done: ${count(changes.length, "change")} in ${runs}`),
    buttons, errors,
    h("ul", { class: "list" }, changes.map((change) => h("li", { key: change.run_id },
      h("div", { class: "row" }, time(change.at ?? change.requested_at), badge(change.action), "→", badge(change.result),
        h("button", { type: "button", class: "link", onclick: () => openRun(change.run_id) }, data(change.run_id, "id")),
        change.call && h("code", { class: "muted" }, `${change.call.method} ${change.call.path}`)),
      change.reason && h("p", null, data(change.reason)), errorTexts(change.errors), errorTexts(change.dropped),
      h("div", { class: "small" }, differenceList(change.before, change.after, change.action))))));
}

/** Page by page: what one request looks through is bounded. */
function loadHistory(asked) {
  return act("history", async () => {
    const whole = { changes: [], runs_searched: 0, problems: [] };
    let cursor = null;
    do {
      const page = await call("GET", `/api/history/${asked.entity}`, { query: { key: asked.key, limit: 500, cursor }, seconds: 60 });
      whole.changes.push(...page.changes);
      whole.problems.push(...page.problems);
      whole.runs_searched += page.runs_searched;
      cursor = page.next;
    } while (cursor && state.record === asked);
    asked.whole = whole;
  });
}

function saveHistory({ entity, key }) {
  return act("history csv", () => download(`/api/history/${entity}`, { key, format: "csv", limit: 500 }, `history-${entity}-${key.replace(/[^\w.-]/g, "_")}.csv`));
}

function sourceView({ source }) {
  if (source.problem) return h("p", { class: "bad toned", key: "source" }, data(source.problem));
  if (!source.record) return null;
  return h("details", { key: "source" }, h("summary", null, "The source's record"),
    h("dl", { class: "facts" }, Object.entries(source.record).map(([name, value]) => [h("dt", null, name), h("dd", null, shown(value))])));
}
