// Plans that the guard holds until somebody decides.

function heldView() {
  if (!state.failures) return muted("Not known yet.");
  if (!state.held.length) return muted("No plan is held.");
  return state.held.map((run) => heldCard(run));
}

function heldCard(run) {
  const held = Object.entries(run.entities).filter(([, entity]) => entity.phase === "held");
  const planned = heldOf(run);
  return h("div", { class: "card toned-edge warn", key: run.run_id },
    h("div", { class: "stack" },
      h("div", { class: "row" }, badge("held"), h("h3", null, held.map(([name]) => title(name)).join(", ")), h("span", { class: "muted" }, "run ", data(run.run_id, "id"), ", ", ago(run.requested_at))),
      h("ul", { class: "stack tight" }, held.map(([name, entity]) => h("li", { key: name }, "Why: ", data(entity.reason)))),
      h("div", { class: "row" }, h("span", { class: "muted" }, "If approved:"),
        consequences(planned).map(({ action, text }) => toned(action === "deactivate" ? "warn" : "info", text))),
      h("details", { key: "differences", ontoggle: (event) => event.target.open && loadChanges(run.run_id) },
        h("summary", null, "Show each difference"), changesView(run.run_id, held.map(([name]) => name))),
      h("div", { class: "row" },
        actButton(`approve ${run.run_id}`, "Approve …", () => approveRun(run), "primary", { needs: "approve_run" }),
        actButton(`cancel ${run.run_id}`, "Drop the plan …", () => cancelRun(run), null, { needs: "cancel_run" }),
        savePlanButton(run, "html", "Save as a page to print"), savePlanButton(run, "csv", "Save as CSV"),
        !may("approve_run") && mayNot("approving")),
      planErrors(run),
      errorOf(`approve ${run.run_id}`), errorOf(`cancel ${run.run_id}`)));
}

/** The whole plan with names, to print or to hand to whoever knows the people. */
function savePlanButton({ run_id: runId }, format, label) {
  const name = `plan ${format} ${runId}`;
  return actButton(name, label, () => act(name, () =>
    download(`/api/runs/${runId}/plan`, { format, limit: 5000 }, `plan-${runId}.${format}`)));
}

const planErrors = ({ run_id: runId }) => ["html", "csv"].map((format) => errorOf(`plan ${format} ${runId}`));
