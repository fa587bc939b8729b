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

/** Which systems somebody should look at, although work goes on. */
const warnedOf = (status) => [...new Set(status.dependencies.filter((found) => found.status === "warning").map((found) => systemName(found.name)))];

function systemsView() {
  const { status } = state;
  if (!status) return muted("Not known yet.");
  const { queues, schedules, versions } = status;
  return h("div", { class: "stack" },
    h("ul", { class: "list" },
      status.dependencies.map((found, index) => h("li", { key: `dependency ${index}` }, dependency(found))),
      Object.values(status.breakers).map((found) => h("li", { key: found.name }, breaker(found)))),
    h("dl", { class: "facts" },
      fact("Waiting to be planned", count(queues.entities_waiting, "entity", "entities")),
      fact("Batches due now", number(queues.batches_due)),
      fact("Batches scheduled", number(queues.batches_scheduled)),
      Object.entries(schedules).map(([name, { next }]) => fact({ sync: "Next run", refresh: "Next refresh", sweep: "Next sweep" }[name] ?? name, next ? [time(next), " (", ago(next), ")"] : "none"))),
    h("details", { key: "versions" }, h("summary", null, `Version ${versions.app}`),
      h("dl", { class: "facts" }, Object.entries(versions).map(([name, value]) => fact(name, data(value ?? "–"))),
        Object.entries(schedules).map(([name, { schedule: ncrontab }]) => fact(`${name} schedule`, h("code", null, ncrontab))))));
}

const fact = (name, value) => [h("dt", null, name), h("dd", null, value)];

const SYSTEMS = { settings: "Settings", documents: "Documents", service_bus: "Service Bus", redis: "Redis", vista: "Vista", upstreams: "SafetyAmp, Samsara, Graph", sign_in: "Signing in" };
const systemName = (name) => SYSTEMS[name] ?? name;
const VERDICTS = { ok: ["ok", "well"], warning: ["warn", "look at it"], failed: ["bad", "fails"], skipped: ["idle", "not looked at"] };

function dependency({ name, status, text, advice, latency_ms: latency }) {
  const bad = status === "failed" || status === "warning";
  return [h("div", { class: "row apart" }, h("span", null, data(systemName(name))), h("span", { class: "row" }, latency !== null && h("span", { class: "muted small" }, `${number(latency)} ms`), toned(...VERDICTS[status]))),
    h("p", { class: bad ? "small" : "small muted" }, data(text), bad && advice && [". ", data(advice), "."])];
}

function breaker({ name, state: now, failures, retry_after_seconds: wait }) {
  const words = now === "closed" ? (failures ? ["warn", `${count(failures, "failure")} in a row`] : ["ok", "calls go through"])
    : now === "half-open" ? ["warn", "being tried"] : ["bad", wait > 0 ? `left alone, next try in ${duration(wait)}` : "left alone until the next call"];
  return h("div", { class: "row apart" }, h("span", null, UPSTREAMS[name] ?? name), toned(...words));
}
