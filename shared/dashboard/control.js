// Starting runs, pausing and resuming.

const CHOICES = ["all", ...ENTITIES];

function startView() {
  if (!may("sync")) return mayNot("starting runs");
  const mode = (value, text, checked) => h("label", { class: "check" }, h("input", { type: "radio", name: "mode", value, checked }), text);
  const box = (id, text) => h("label", { class: "check" }, h("input", { type: "checkbox", id }), text);
  return h("form", { class: "stack", onsubmit: startRun },
    labelled("start-entity", "Entity", h("select", { id: "start-entity" }, options(CHOICES, "all"))),
    h("fieldset", { class: "stack tight" }, h("legend", null, "Mode"),
      mode("plan", "Plan: read and compare, change nothing", true), mode("apply", "Apply: bring SafetyAmp up to date", false)),
    box("start-refresh", "Refresh: list SafetyAmp anew and try refused records again"),
    h("div", { class: "row" }, actButton("start", "Start the run", null, "primary", { type: "submit" })),
    errorOf("start"));
}

function startRun(event) {
  event.preventDefault();
  const entity = byId("start-entity").value;
  const mode = event.target.elements.mode.value;
  return act("start", async () => {
    const { run_id } = await decide(`/api/sync/${entity}`, { query: { mode, refresh: byId("start-refresh").checked } });
    say(`Run ${run_id} has begun.`);
    await refreshAll();
    if (mode === "plan") await openRun(run_id);
  });
}

function pauseView() {
  const paused = Object.entries(state.status?.paused ?? {});
  return h("div", { class: "stack" },
    paused.length > 0 && h("ul", { class: "list", key: "paused" }, paused.map(([entity, pause]) => pausedItem(entity, pause))),
    may("pause") ? h("form", { class: "stack", key: "form", onsubmit: pauseEntity },
      h("div", { class: "pair" },
        labelled("pause-entity", "Entity", h("select", { id: "pause-entity" }, options(CHOICES, "employees"))),
        !SIGNED_IN && labelled("pause-who", "Your name (optional)", h("input", { id: "pause-who", autocomplete: "name", maxlength: "200" }))),
      labelled("pause-reason", "Reason", h("input", { id: "pause-reason", autocomplete: "off", required: true, maxlength: "200" })),
      h("div", { class: "row" }, actButton("pause", "Pause …", null, null, { type: "submit" })),
      errorOf("pause")) : mayNot("pausing and resuming"));
}

function pausedItem(entity, pause) {
  const name = `resume ${entity}`;
  return h("li", { key: entity },
    h("div", { class: "row apart" },
      h("div", { class: "row" }, badge("paused"), h("strong", null, title(entity))),
      actButton(name, "Resume", () => resumeEntity(name, entity), null, { "aria-label": `Resume ${entity}`, needs: "resume" })),
    h("p", null, data(pause.reason)),
    h("p", { class: "muted small" }, "since ", time(pause.at), pause.who && [", by ", data(pause.who)]),
    errorOf(name));
}

function pauseEntity(event) {
  event.preventDefault();
  const [entity, reason, who] = ["pause-entity", "pause-reason", "pause-who"].map((id) => byId(id)?.value.trim());
  const active = state.status?.active_run;
  const stops = active && (entity === "all" || entity in active.entities);
  return act("pause", async () => {
    const yes = await confirmed({
      heading: entity === "all" ? "Pause everything?" : `Pause ${entity}?`,
      content: [h("p", null, `No run touches ${entity === "all" ? "anything" : entity} until you resume it. Leavers keep their access meanwhile, and new people wait.`),
        stops && h("p", null, "What the run under way still has to do for it is not done now.")],
      label: "Pause",
    });
    if (!yes) return;
    if (who) sessionStorage.setItem(NAME_NAME, who);
    await decide(`/api/pause/${entity}`, { body: { reason } });
    byId("pause-reason").value = "";
    say(`${title(entity)} paused.`);
    await refreshAll();
  });
}

function resumeEntity(name, entity) {
  return act(name, async () => {
    await decide(`/api/resume/${entity}`);
    say(`${title(entity)} resumed: the next run takes it up.`);
    await refreshAll();
    byId("pause").focus();
  });
}
