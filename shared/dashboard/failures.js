// What fails: whose it is, one card per cause, and trying again where that can help.

const FEW = 3;
const COUNTED = { departments: ["department"], jobs: ["job"], titles: ["title"], employees: ["person", "people"], vehicles: ["vehicle"] };
const counted = (entities) => Object.entries(entities).map(([entity, value]) => count(value, ...(COUNTED[entity] ?? [entity, entity]))).join(", ");

function failuresView() {
  const found = state.failures;
  if (!found) return muted("Not known yet.");
  const broken = found.entities.filter((entity) => entity.phase === "failed");
  if (!found.total && !broken.length) return muted("No record fails.");
  const causes = causesOf(found.groups);
  const hopeful = causes.filter(({ again }) => again);
  return h("div", { class: "stack" },
    broken.map(brokenEntity),
    [...new Set([...Object.keys(OWNERS), ...causes.map(({ owner }) => owner)])].map((owner) => ownerView(owner, causes.filter((cause) => cause.owner === owner))),
    hopeful.length > 1 && h("div", { class: "row", key: "all" }, actButton("retry all", `Try all of these ${number(total(hopeful))} again`, () => retry("retry all", {}), null, { needs: "retry_failures" }), errorOf("retry all")));
}

function brokenEntity(found) {
  return h("div", { class: "note bad", key: `entity ${found.entity}` },
    h("p", null, h("strong", null, `${title(found.entity)} failed as a whole`), " in run ", data(found.run_id, "id"), " ", ago(found.at), ": ", data(found.reason ?? "")),
    h("p", { class: "muted" }, data(found.suggestion)));
}

const total = (items) => items.reduce((sum, item) => sum + item.count, 0);

/** One of each code; what has none is told apart by what is said of it. The largest first. */
function causesOf(groups) {
  const found = Map.groupBy(groups, ({ code, what }) => code ?? what);
  return [...found.values()].map((alike) => {
    const reasons = alike.flatMap((group) => Object.entries(group.reasons).filter(([text]) => text !== group.what));
    return {
      ...alike[0], alike, reasons, count: total(alike),
      entities: alike.reduce((sum, { entity, count: some }) => ({ ...sum, [entity]: (sum[entity] ?? 0) + some }), {}),
      since: alike.map((group) => group.since).sort()[0], since_at_least: alike.some((group) => group.since_at_least),
    };
  }).sort((one, other) => other.count - one.count);
}

function ownerView(owner, causes) {
  return causes.length > 0 && h("div", { key: owner, class: "stack tight", role: "group", "aria-label": `Failures: ${ownerName(owner)}` },
    h("div", { class: "row apart owner" }, h("h3", null, `${ownerName(owner)}: ${count(total(causes), "record")}`), fixButtons(owner)),
    h("ul", { class: "list close" }, causes.map(causeItem)));
}

function causeItem(cause) {
  const name = `retry ${cause.code ?? cause.what}`;
  return h("li", { key: name },
    h("div", { class: "row apart cause" },
      h("div", { class: "row" }, badge(cause.kind), h("strong", null, data(cause.what), `: ${counted(cause.entities)}`),
        h("span", { class: "muted small" }, cause.since_at_least ? "for longer than since " : "since ", time(cause.since))),
      cause.again && actButton(name, "Try again", () => retry(name, tried(cause)), "quiet", { "aria-label": `Try again: ${cause.what}`, needs: "retry_failures" })),
    h("p", { class: "small" }, cause.reasons.length === 1 && cause.kind !== "invalid" && [data(cause.reasons[0][0]), " – "],
      h("span", { class: "muted" }, cause.enter && !cause.again ? [data(cause.where), ": ", data(cause.enter)] : data(cause.suggestion))),
    keysOf(cause), errorOf(name));
}

/** What is tried again with a cause. Only some of the keys are named when there are many; a run of keys has one entity. */
function tried({ alike, entities, count: all }) {
  const keys = alike.flatMap((group) => group.keys);
  const [entity, ...others] = Object.keys(entities);
  return others.length ? {} : all > keys.length ? { entity } : { entity, keys };
}

function keysOf({ alike, reasons, count: all }) {
  const buttons = h("div", { class: "keys" }, alike.flatMap(({ entity, keys }) => keys.map((key) => h("span", { key: `${entity} ${key}` }, keyButton(entity, key)))));
  const named = buttons.children.length;
  if (all <= FEW && reasons.length < 2) return h("div", { class: "small" }, buttons);
  return h("details", { key: "keys", class: "small" }, h("summary", null, [all > named ? `Who: the first ${number(named)}` : "Who", reasons.length > 1 && ", and why"]),
    reasons.length > 1 && h("ul", { class: "stack tight" }, reasons.map(([text, of]) => h("li", { key: text }, data(text), h("span", { class: "muted" }, ` (${number(of)})`)))), buttons);
}
