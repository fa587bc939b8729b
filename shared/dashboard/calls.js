// The last calls to SafetyAmp: does it answer, with what, how fast?

const loadCalls = () => act("calls", async () => { state.calls = await get("/api/last-calls"); });

function lastCallsView() {
  const found = state.calls;
  return h("div", { class: "stack" },
    h("div", { class: "row" }, actButton("calls", found ? "Look again" : "Show the last calls", loadCalls)),
    errorOf("calls"),
    found && !found.shared && h("p", { key: "alone", class: "warn toned" }, "Redis does not answer: these are the calls of one process only."),
    found && (found.calls.length ? callsTable(found.calls) : muted("None was made in the last days.")));
}

function callsTable(calls) {
  return scrolling("Last calls to SafetyAmp", h("table", { key: "calls" },
    headings("At", "Call", "Answer", ["By", "wide-only"]),
    h("tbody", null, calls.map(({ at, method, path, status, seconds, function: by }, index) => h("tr", { key: index },
      h("td", null, time(at, SECOND.format(new Date(at)))), h("td", null, h("code", null, `${method} ${path}`)),
      h("td", null, toned(/^[23]/.test(status) ? "ok" : status === "404" ? "warn" : "bad", status), h("span", { class: "muted small" }, ` ${number(Math.round(seconds * 1000))} ms`)),
      h("td", { class: "wide-only muted" }, by ?? "–"))))));
}
