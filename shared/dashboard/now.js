// The run in progress, or when the next one comes.

function nowView() {
  if (!state.status) return muted("Not known yet.");
  const run = state.run;
  return h("div", { class: "stack" }, run ? running(run) : idle(), windowView());
}

function idle() {
  const { sync, refresh: nightly } = state.status.schedules;
  return h("p", { key: "idle" }, "No run is under way. ",
    sync?.next ? ["The next one begins at ", time(sync.next), " (", ago(sync.next), ")"] : "None is due",
    nightly?.next && ["; the one that lists SafetyAmp anew at ", time(nightly.next)], ".");
}

function running(run) {
  return h("div", { class: "stack", key: run.run_id },
    h("div", { class: "row apart" },
      h("div", { class: "row" }, badge("running"), data(run.run_id, "id"), h("span", { class: "muted" }, `${run.mode === "plan" ? "plan only" : "apply"}, ${run.cause}${run.refresh ? ", refresh" : ""}`)),
      actButton(`cancel ${run.run_id}`, "Stop the run …", () => cancelRun(run), null, { needs: "cancel_run" })),
    errorOf(`cancel ${run.run_id}`),
    h("p", { class: "row" }, h("span", null, "Began ", ago(run.requested_at), "."), h("strong", null, endOf(run))),
    h("table", { class: "plain" },
      h("caption", { class: "hidden-text" }, "Progress of each entity"),
      headings("Entity", "Progress", ["Changes", "number"], "State"),
      h("tbody", null, Object.entries(run.entities).map(([name, entity]) => progressRow(name, entity)))),
    h("p", { class: "muted small" }, "Calls so far: ", callsText(run.calls), run.waited_seconds >= 1 && `; waited ${duration(run.waited_seconds)} for SafetyAmp's limit`, "."));
}

function progressRow(name, entity) {
  const { changes, changes_done: done } = entity.progress;
  const known = changes !== null;
  return h("tr", { key: name },
    h("th", { scope: "row", class: "middle" }, title(name)),
    h("td", { class: "progress" }, meter(`Progress of ${name}`, known ? done || (changes === 0 ? 1 : 0) : 0, known ? changes || 1 : 1, entity.phase === "applying" ? "info" : tone(entity.phase))),
    h("td", { class: "number middle" }, known ? `${number(done)} / ${number(changes)}` : "–"),
    h("td", { class: "middle" }, badge(entity.phase), entity.reason && h("div", { class: "small muted" }, data(entity.reason))));
}

/** Each entity's estimate is one window of calls per batch; what is not planned yet comes on top. */
function endOf(run) {
  const entities = Object.values(run.entities);
  const last = entities.map(({ progress }) => progress.ends_about).filter(Boolean).sort().at(-1);
  const unplanned = entities.filter((entity) => entity.phase === "pending").length;
  const rest = unplanned ? `; ${count(unplanned, "entity is", "entities are")} not planned yet` : "";
  if (!last) return unplanned ? `When it ends cannot be told yet${rest}.` : "It ends within moments.";
  return [unplanned ? "Ends not before " : "Ends at about ", time(last), " (", ago(last), `)${rest}.`];
}

function callsText(calls) {
  const made = Object.entries(calls).filter(([, value]) => value);
  return made.length ? made.map(([name, value]) => `${number(value)} to ${UPSTREAMS[name] ?? name}`).join(", ") : "none";
}

function windowView() {
  const { used, limit, period_seconds: period, reserve, blocked_seconds: blocked } = state.status.limiter;
  if (limit === null) return null;
  return h("div", { key: "window", class: "stack tight" },
    h("div", { class: "row apart small" },
      h("span", null, `SafetyAmp calls in the last ${period} s`),
      h("span", null, h("strong", null, number(used)), ` of ${number(limit)}`, h("span", { class: "muted" }, ` (${number(reserve)} kept for single records)`))),
    meter("Calls used in the window", used, limit, used >= limit ? "warn" : null, "meter"),
    blocked > 0 && h("p", { class: "small warn toned" }, `SafetyAmp asked to be left alone for ${duration(blocked)} more.`));
}
