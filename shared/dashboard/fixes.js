// Fix lists: what HR, payroll and the others have to mend, to look at or to hand on.

const OWNERS = { hr: "HR", payroll: "Payroll", it: "IT", fleet: "Fleet", operations: "Operations", safetyamp: "SafetyAmp's admin" };
const BLOCKED = { creation: "the record is not created", changes: "no change reaches SafetyAmp", access: "who may sign in", field: "this field" };
const ROWS_SHOWN = 50;
const ownerName = (owner) => OWNERS[owner] ?? owner;

/** The list of an owner in one click: as a file, or here. */
function fixButtons(owner) {
  const name = `fix csv ${owner}`;
  return h("div", { class: "row" },
    actButton(`fix show ${owner}`, "Fix list", () => showFixes(owner), "quiet", { "aria-label": `Fix list of ${ownerName(owner)}` }),
    actButton(name, "CSV", () => saveFixes(name, owner, "csv"), "quiet", { "aria-label": `Fix list of ${ownerName(owner)} as CSV` }), errorOf(name), errorOf(`fix show ${owner}`));
}

const saveFixes = (name, owner, format) => act(name, () => download("/api/fix-list", { owner, format }, `fix-list-${owner}.${format}`));

function showFixes(owner) {
  return act(`fix show ${owner}`, async () => {
    state.fixes = await call("GET", "/api/fix-list", { query: { owner }, seconds: 60 });
    learnNames(state.fixes.rows);
    render();
    byId("fixes").scrollIntoView({ block: "start" });
    byId("fixes-heading")?.focus();
  });
}

function fixesView() {
  const found = state.fixes;
  const owners = Object.keys({ ...OWNERS, ...found?.owners });
  return h("div", { class: "stack" },
    h("div", { class: "row" }, owners.map((owner) => actButton(`fix show ${owner}`, found ? `${ownerName(owner)} (${number(found.owners[owner] ?? 0)})` : ownerName(owner), () => showFixes(owner), null, { "aria-pressed": String(found?.owner === owner) }))),
    owners.map((owner) => errorOf(`fix show ${owner}`)), found && fixList(found));
}

function fixList(found) {
  const { owner, groups, rows, problems } = found;
  const save = (format, label) => actButton(`fix ${format}`, label, () => saveFixes(`fix ${format}`, owner, format));
  return h("div", { class: "stack", key: owner },
    h("div", { class: "row apart" },
      h("h3", { id: "fixes-heading", tabindex: "-1" }, `${ownerName(owner)}: ${number(found.total)} to mend`, h("span", { class: "muted small" }, " as of ", time(found.at))),
      h("div", { class: "row" }, save("csv", "Save as CSV"), save("html", "Save as a page"))),
    errorOf("fix csv"), errorOf("fix html"),
    problems.map((text) => h("p", { key: text, class: "warn toned" }, "Names and values are missing: ", data(text))),
    groups.length ? groups.map((group) => fixGroup(group, rows.filter((row) => row.cause === group.cause && row.what === group.what))) : muted("Nothing has to be mended."));
}

function fixGroup(group, rows) {
  return h("div", { key: group.cause ?? group.what, class: "stack tight" },
    h("h4", null, data(group.what), `: ${counted(group.entities)}`),
    group.where && h("p", { class: "muted small" }, data(group.where), ": ", data(group.enter)),
    scrolling(`To mend: ${group.what}`, h("table", null,
      headings("Who", "Now", ["Since", "wide-only"], ["Keeps back", "wide-only"], "Reason"),
      h("tbody", null, rows.slice(0, ROWS_SHOWN).map((row, index) => h("tr", { key: index },
        h("td", null, keyButton(row.entity, row.key)), h("td", null, shown(row.value)),
        h("td", { class: "wide-only" }, time(row.since), row.since_at_least && " or earlier"), h("td", { class: "wide-only" }, BLOCKED[row.blocks]), h("td", null, data(row.reason))))))),
    rows.length > ROWS_SHOWN && muted(`${number(rows.length - ROWS_SHOWN)} more are in the file.`));
}
