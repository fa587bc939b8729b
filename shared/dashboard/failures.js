// What fails, by cause, and trying it again; messages that were given up.

function failuresView() {
  const found = state.failures;
  if (!found) return muted("Not known yet.");
  const broken = found.entities.filter((entity) => entity.phase === "failed");
  if (!found.total && !broken.length) return muted("No record fails.");
  return h("div", { class: "stack" },
    broken.map(brokenEntity),
    h("ul", { class: "list" }, found.groups.map(failureGroup)),
    found.groups.length > 1 && h("div", { class: "row" }, actButton("retry all", `Try all ${number(found.total)} again`, () => retry("retry all", {}), null, { needs: "retry_failures" }), errorOf("retry all")));
}

function brokenEntity(found) {
  return h("div", { class: "note bad", key: `entity ${found.entity}` },
    h("p", null, h("strong", null, `${title(found.entity)} failed as a whole`), " in run ", data(found.run_id, "id"), " ", ago(found.at), ": ", data(found.reason ?? "")),
    h("p", { class: "muted" }, data(found.suggestion)));
}

function failureGroup(group) {
  const name = `retry ${group.entity} ${group.kind} ${group.cause}`;
  const whole = group.count > group.keys.length;
  // Only some of the keys are named when there are many.
  const body = whole ? { entity: group.entity } : { entity: group.entity, keys: group.keys };
  return h("li", { key: name },
    h("div", { class: "stack tight" },
      h("div", { class: "row apart" },
        h("div", { class: "row" }, badge(group.kind), h("h3", null, `${number(group.count)} of ${group.entity}`),
          h("span", { class: "muted small" }, group.since_at_least ? "for longer than since " : "since ", time(group.since), group.at !== group.since && [", last tried ", time(group.at)])),
        actButton(name, whole ? `Try all failing ${group.entity} again` : "Try again", () => retry(name, body), null, { needs: "retry_failures" })),
      h("p", null, data(group.cause)),
      h("p", { class: "muted" }, data(group.suggestion)),
      keysOf(group),
      errorOf(name)));
}

const FEW = 8;

function keysOf({ entity, keys, count: all }) {
  const buttons = keys.map((key) => h("span", { key }, keyButton(entity, key)));
  if (keys.length <= FEW) return h("div", { class: "keys" }, buttons);
  return h("details", { key: "keys" }, h("summary", null, all > keys.length ? `The first ${number(keys.length)} keys` : `All ${number(all)} keys`), h("div", { class: "keys" }, buttons));
}

function lettersView() {
  const found = state.letters;
  if (!found) return muted("Not known yet.");
  if (!found.dead_letters.length) return muted("No message was given up.");
  const useful = found.dead_letters.filter((letter) => letter.can_be_resubmitted);
  return h("div", { class: "stack" },
    h("ul", { class: "list" }, found.dead_letters.map(letterItem)),
    found.next && muted("There are more; these are the first ones."),
    useful.length > 1 && h("div", { class: "row" }, actButton("resubmit all", `Send ${number(useful.length)} again`, () => resubmit("resubmit all", { ids: useful.map((letter) => letter.id) }), null, { needs: "resubmit_dead_letters" }), errorOf("resubmit all")));
}

function letterItem(letter) {
  const name = `resubmit ${letter.id}`;
  return h("li", { key: letter.id },
    h("div", { class: "stack tight" },
      h("div", { class: "row apart" },
        h("h3", null, letter.entity ? `${title(letter.entity)}${letter.batch ? `, batch ${letter.batch}` : ""}` : "Unreadable message"),
        h("span", { class: "muted small" }, ago(letter.at))),
      h("p", { class: "small" }, data(letter.reason), ` (${letter.queue}, delivered ${count(letter.delivery_count, "time")})`),
      h("p", { class: "muted small" }, data(letter.advice)),
      letter.can_be_resubmitted && h("div", { class: "row" }, actButton(name, "Send again", () => resubmit(name, { ids: [letter.id] }), null, { needs: "resubmit_dead_letters" })),
      errorOf(name)));
}
