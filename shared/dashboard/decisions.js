// Who decided what, when and why: the last of all when somebody asks, and with each record those about it.

const KNOWN_AS = { stated: "as they say", key: "a function key", local: "at the app's machine" };

const loadDecisions = (name, cursor) => act(name, async () => {
  const page = await get("/api/decisions", { limit: 20, cursor });
  state.decisions = { ...page, decisions: [...(cursor ? state.decisions.decisions : []), ...page.decisions] };
});

function decisionsView() {
  const found = state.decisions;
  return h("div", { class: "stack" },
    h("div", { class: "row" }, actButton("decisions", found ? "Look again" : "Show the last decisions", () => loadDecisions("decisions", null))),
    errorOf("decisions"), errorOf("earlier decisions"),
    found && found.problems.map((text) => h("p", { key: text, class: "bad toned" }, data(text))),
    found && (found.decisions.length ? decisionList(found.decisions) : muted("Nobody has decided anything that is kept.")),
    found?.next && h("div", { class: "row", key: "earlier" }, actButton("earlier decisions", "Show earlier ones", () => loadDecisions("earlier decisions", found.next), "quiet")));
}

const decisionsAbout = (decisions) => decisions.length > 0
  && h("details", { key: "decisions", open: true }, h("summary", null, `Decisions about it: ${number(decisions.length)}`), decisionList(decisions));

function decisionList(decisions) {
  return h("ul", { class: "list", key: "decisions" }, decisions.map((decision) => h("li", { key: decision.id },
    h("div", { class: "row" }, time(decision.at), h("strong", null, whatOf(decision)), h("span", { class: "muted" }, "by ", whoOf(decision)),
      decision.run_id && h("button", { type: "button", class: "link", onclick: () => openRun(decision.run_id) }, data(decision.run_id, "id"))),
    decision.reason && h("p", null, "“", data(decision.reason), "”"),
    decision.done === false && h("p", { class: "bad toned" }, "Not done: ", data(decision.detail ?? "no reason is known")),
    decision.done === null && h("p", { class: "muted" }, "How it ended is not known: look at its run."))));
}

function whatOf({ action, entities, keys, given }) {
  const about = entities.length === ENTITIES.length ? "all" : entities.join(", ");
  return [action, about, keys.join(", "), given.name].filter(Boolean).join(" ");
}

function whoOf({ who, known }) {
  const how = KNOWN_AS[known];
  return who ? [data(who), how && ` (${how})`] : how ?? "somebody";
}
