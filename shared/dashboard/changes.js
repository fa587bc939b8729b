// The changes of a run with before and after, page by page.

const PAGE = 50;

/** Load the first page, or as much as has been looked at already. */
async function fetchChanges(runId) {
  const limit = Math.min(500, Math.max(PAGE, state.changes[runId]?.items.length ?? 0));
  const page = await get(`/api/runs/${runId}/changes`, { limit });
  state.changes[runId] = { items: page.changes, next: page.next };
}

const loadChanges = (runId) => act(`changes ${runId}`, () => fetchChanges(runId));

function moreChanges(runId) {
  return act(`changes ${runId}`, async () => {
    const known = state.changes[runId];
    const page = await get(`/api/runs/${runId}/changes`, { limit: PAGE, cursor: known.next });
    state.changes[runId] = { items: [...known.items, ...page.changes], next: page.next };
  });
}

function changesView(runId, entities = null) {
  const known = state.changes[runId];
  const name = `changes ${runId}`;
  if (!known) return h("div", { key: "changes" }, errorOf(name) ?? muted("Loading …"));
  const items = known.items.filter((change) => !entities || entities.includes(change.entity));
  if (!items.length && !known.next) return muted("Nothing is changed by it.");
  return h("div", { class: "stack tight", key: "changes" },
    scrolling("Changes", h("ul", { class: "list" }, items.map((change) => changeItem(change)))),
    h("div", { class: "row" }, h("span", { class: "muted small" }, `${count(items.length, "change")} shown`),
      known.next && actButton(name, "Show more", () => moreChanges(runId))),
    errorOf(name));
}

function changeItem(change) {
  return h("li", { class: "change", key: `${change.entity} ${change.key}` },
    h("div", null, keyButton(change.entity, change.key), h("div", { class: "muted small" }, change.entity)),
    h("div", null, badge(change.action)),
    h("div", null, differenceList(change.before, change.after, change.action)),
    h("div", null, badge(change.result), change.reason && h("div", { class: "small" }, data(change.reason)), errorTexts(change.errors)));
}

/** Of a new record only what it will have. */
function differenceList(before, after, action) {
  const names = Object.keys(after);
  const lines = names.map((name) => h("div", { key: name },
    h("span", { class: "field" }, name), " ", action !== "create" && [h("span", { class: "from" }, shown(before[name])), " → "], shown(after[name])));
  if (names.length <= 4) return lines;
  return h("details", { key: "fields" }, h("summary", null, count(names.length, "field")), lines);
}

function errorTexts(errors) {
  return Object.entries(errors ?? {}).map(([field, texts]) => h("div", { class: "small bad toned", key: field }, data(`${field}: ${texts.join(", ")}`)));
}
