// Everything that a run depends on.

const UPSTREAMS = { safetyamp: "SafetyAmp", samsara: "Samsara", graph: "Graph", vista: "Vista" };

/** What is wrong, a sentence each; empty when all is well. */
function troublesOf(status) {
  return [
    ...status.dependencies.filter((found) => !found.ok).map((found) => found.text),
    ...Object.values(status.breakers).filter((found) => found.state !== "closed").map((found) => `${UPSTREAMS[found.name] ?? found.name} fails`),
    ...(status.limiter.blocked_seconds > 0 ? ["SafetyAmp asked to be left alone"] : []),
  ];
}

function systemsView() {
  const { status } = state;
  if (!status) return muted("Not known yet.");
  const { queues, schedules, versions } = status;
  return h("div", { class: "stack" },
    h("ul", { class: "list" },
      status.dependencies.map((found) => h("li", { key: `dependency ${found.name ?? found.text}` }, dependency(found))),
      !status.dependencies.length && h("li", { key: "all well" }, h("div", { class: "row apart" }, "Documents, Service Bus, Vista", toned("ok", "answer"))),
      Object.values(status.breakers).map((found) => h("li", { key: found.name }, breaker(found)))),
    h("dl", { class: "facts" },
      fact("Waiting to be planned", count(queues.entities_waiting, "entity", "entities")),
      fact("Batches due now", number(queues.batches_due)),
      fact("Batches scheduled", number(queues.batches_scheduled)),
      Object.entries(schedules).map(([name, { next }]) => fact({ sync: "Next run", refresh: "Next refresh", sweep: "Next sweep" }[name] ?? name, next ? [time(next), " (", ago(next), ")"] : "none"))),
    h("details", { key: "versions" }, h("summary", null, `Version ${versions.app}`),
      h("dl", { class: "facts" }, Object.entries(versions).map(([name, value]) => fact(name, data(value ?? "–"))),
        Object.entries(schedules).map(([name, { schedule }]) => fact(`${name} schedule`, h("code", null, schedule))))));
}

const fact = (name, value) => [h("dt", null, name), h("dd", null, value)];

function dependency({ name, ok, text, latency_ms: latency }) {
  return [h("div", { class: "row apart" }, h("span", null, data(name ?? (ok ? "" : text))), h("span", { class: "row" }, typeof latency === "number" && h("span", { class: "muted small" }, `${number(Math.round(latency))} ms`), toned(ok ? "ok" : "bad", ok ? "answers" : "missing"))),
    name && text && h("p", { class: ok ? "small muted" : "small" }, data(text))];
}

function breaker({ name, state: now, failures, retry_after_seconds: wait }) {
  const words = now === "closed" ? (failures ? ["warn", `${count(failures, "failure")} in a row`] : ["ok", "calls go through"])
    : now === "half-open" ? ["warn", "being tried"] : ["bad", wait > 0 ? `left alone, next try in ${duration(wait)}` : "left alone until the next call"];
  return h("div", { class: "row apart" }, h("span", null, UPSTREAMS[name] ?? name), toned(...words));
}
