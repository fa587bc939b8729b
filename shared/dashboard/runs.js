// The last runs: the picture, the table, and one of them in detail.

function runsView() {
  if (!state.failures) return muted("Not known yet.");
  if (!state.runs.length) return muted("There has been no run yet.");
  const width = Math.max(280, byId("runs-body").clientWidth);
  return h("div", { class: "stack" },
    h("div", { key: "chart", class: "stack tight" }, chartView(state.runs, width), chartLegend(state.runs)),
    scrolling("Last runs", h("table", null,
      h("caption", { class: "hidden-text" }, "The last runs, newest first"),
      headings("Began", "End", ["Changed", "number narrow-only"], ["Created", "number wide-only"], ["Updated", "number wide-only"], ["Switched off", "number wide-only"], ["Trouble", "number"], ["Took", "number wide-only"], ["Kind", "wide-only"]),
      h("tbody", null, state.runs.map(runRow)))),
    state.open && openRunView());
}

function runRow(run) {
  const { counts } = run;
  const took = run.finished_at && (Date.parse(run.finished_at) - Date.parse(run.requested_at)) / 1000;
  const kind = [run.mode === "plan" ? "plan only" : null, run.cause, run.refresh && run.cause !== "refresh" ? "refresh" : null, run.keys.length ? count(run.keys.length, "record") : null].filter(Boolean).join(", ");
  const figure = (value, className = "") => h("td", { class: `number ${className}${value ? "" : " zero"}` }, number(value ?? 0));
  const isOpen = state.open?.runId === run.run_id;
  return h("tr", { key: run.run_id, class: isOpen ? "chosen" : null },
    h("td", null, h("button", { type: "button", class: "link", "aria-expanded": String(isOpen), "aria-label": `Run ${run.run_id} in detail`, onclick: () => (isOpen ? closeRun() : openRun(run.run_id)) }, time(run.requested_at))),
    h("td", null, badge(run.phase)),
    figure(changedIn(counts), "narrow-only"), figure(counts.created, "wide-only"), figure(counts.updated, "wide-only"), figure(counts.deactivated, "wide-only"), figure(troubleIn(counts)),
    h("td", { class: "number wide-only" }, took === null ? "–" : duration(took)),
    h("td", { class: "wide-only muted" }, data(kind)));
}

function changesText(counts) {
  const parts = [["created", counts.created], ["updated", counts.updated], ["switched off", counts.deactivated], ["in trouble", troubleIn(counts)]];
  return parts.filter(([, value]) => value).map(([word, value]) => `${number(value)} ${word}`).join(", ") || "Nothing had to be changed";
}

function openRun(runId) {
  state.open = { runId, run: null };
  render();
  return act("open run", async () => {
    const [run] = await Promise.all([get(`/api/runs/${runId}`), loadChanges(runId)]);
    if (state.open?.runId === runId) state.open.run = run;
    render();
    byId("open-run")?.scrollIntoView({ block: "nearest" });
  });
}

function closeRun() {
  const { runId } = state.open;
  state.open = null;
  render();
  document.querySelector(`[aria-label="Run ${runId} in detail"]`)?.focus();
}

/** One that has not ended goes on while it is looked at. */
async function reloadOpen() {
  const { runId, run } = state.open ?? {};
  if (!run || run.finished_at) return;
  const [newer] = await Promise.all([get(`/api/runs/${runId}`), fetchChanges(runId)]);
  if (state.open?.runId === runId) state.open.run = newer;
}

function openRunView() {
  const { runId, run } = state.open;
  return h("div", { class: "card", id: "open-run", key: `open ${runId}` },
    h("div", { class: "stack" },
      h("div", { class: "row apart" },
        h("div", { class: "row" }, h("h3", null, "Run ", data(runId, "id")), run && badge(run.phase)),
        h("button", { type: "button", class: "quiet", onclick: closeRun }, "Close")),
      errorOf("open run"),
      run && Object.values(plannedOf(run)).some(Boolean) && h("div", { class: "row", key: "plan" },
        savePlanButton(run, "html", "Save the plan as a page"), savePlanButton(run, "csv", "Save the plan as CSV"), planErrors(run)),
      run ? [h("p", { class: "small muted", key: "calls" }, "Calls: ", callsText(run.calls), run.waited_seconds >= 1 && `; waited ${duration(run.waited_seconds)} for SafetyAmp's limit`, "."),
        h("ul", { class: "list", key: "entities" }, Object.entries(run.entities).map(([name, entity]) => entityItem(name, entity))),
        h("h3", { key: "heading" }, "Changes"), changesView(runId)] : muted("Loading …")));
}

function progressText({ progress }) {
  return progress.changes === null ? "" : `${number(progress.changes_done)} of ${count(progress.changes, "change")} done`;
}

function entityItem(name, entity) {
  const kinds = Object.entries(entity.problems_by_kind).map(([kind, value]) => `${number(value)} ${kind}`);
  return h("li", { key: name },
    h("div", { class: "row" }, h("strong", null, title(name)), badge(entity.phase),
      h("span", { class: "muted" }, entity.source === undefined ? progressText(entity) : `${number(entity.source)} read, ${number(entity.unchanged)} unchanged. ${changesText(entity)}.`)),
    entity.reason && h("p", { class: "small" }, data(entity.reason)),
    entity.phase === "held" && h("p", { class: "small", key: "held" }, "If approved: ", consequences(entity.held_changes).join(", "), "."),
    entity.left_out.count > 0 && h("details", { key: "left out" }, h("summary", null, `Approved and left out: ${number(entity.left_out.count)}`),
      h("ul", { class: "stack tight" }, entity.left_out.changes.map((change) => h("li", { key: `${change.action} ${change.key}` }, keyButton(name, change.key), " ", badge(change.action), " ", data(change.reason))))),
    entity.problems_total > 0 && h("details", { key: "problems" }, h("summary", null, `Problems: ${kinds.join(", ")}`),
      h("ul", { class: "stack tight" }, entity.problems.map((problem) => h("li", { key: `${problem.kind} ${problem.key}` }, keyButton(name, problem.key), " ", badge(problem.kind), " ", data(problem.reason ?? ""))))));
}
