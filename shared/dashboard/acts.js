// What an operator can do. Each tells beside its button when it went wrong.

async function act(name, work) {
  if (state.busy[name]) return;
  state.busy[name] = true;
  delete state.errors[name];
  render();
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (error instanceof NotLetIn) askToBeLetIn(error);
    state.errors[name] = error;
  } finally {
    delete state.busy[name];
    render();
  }
}

/** Load all that an action may have changed. */
function refreshAll() {
  state.seen = "";
  return refresh();
}

const sumOf = (parts) => parts.reduce((sum, part) => Object.fromEntries(["create", "update", "deactivate", "reactivate"]
  .map((action) => [action, (sum[action] ?? 0) + (part[action] ?? 0)])), {});

const plannedOf = (run) => sumOf(Object.values(run.entities).map(({ planned }) => planned));

/** What waits for an approval; the other parts of the plan have been applied. */
const heldOf = (run) => sumOf(Object.values(run.entities).filter(({ phase }) => phase === "held")
  .map((entity) => entity.held_changes));

const losing = (value) => (value === 1 ? "1 person loses" : `${number(value)} people lose`);

function consequences(planned) {
  return [
    ["deactivate", `${losing(planned.deactivate)} access to SafetyAmp`],
    ["reactivate", `${count(planned.reactivate, "person", "people")} get access again`],
    ["create", `${count(planned.create, "record is", "records are")} created`],
    ["update", `${count(planned.update, "record is", "records are")} changed`],
  ].filter(([action]) => planned[action]).map(([action, text]) => ({ action, text }));
}

/** Everybody whose access changes, by name, and why. */
function peopleOf(plan, action, heading) {
  const people = plan.entities.flatMap(({ phase, parts }) => (phase === "held" ? parts : []))
    .filter((part) => part.action === action).flatMap(({ records }) => records).filter((record) => record.held);
  return people.length > 0 && h("div", { class: "stack tight", key: action }, h("h3", null, heading),
    scrolling(heading, h("ul", { class: "list" }, people.map(({ key, name, why }) => h("li", { key },
      data(name || "no name known"), " – ", data(key, "id"), why && h("span", { class: "muted" }, ": ", data(why)))))));
}

function approveRun(run) {
  const name = `approve ${run.run_id}`;
  return act(name, async () => {
    const planned = heldOf(run);
    const plan = planned.deactivate || planned.reactivate ? await get(`/api/runs/${run.run_id}/plan`, { limit: 1 }) : { entities: [], notes: [] };
    const yes = await confirmed({
      asks: true,
      heading: "Let the held plan go on?",
      content: [
        h("p", null, "The sources are read again; what they still say will happen in SafetyAmp within minutes, and what not is left out by name:"),
        h("ul", { class: "sentences" }, consequences(planned).map(({ action, text }) => h("li", { class: action === "deactivate" ? "next" : null }, text))),
        peopleOf(plan, "deactivate", "Access is lost by"), peopleOf(plan, "reactivate", "Access is given back to"),
        plan.notes.map((note) => h("p", { class: "muted small" }, data(note))),
      ],
      label: planned.deactivate ? `Approve: ${losing(planned.deactivate)} access` : "Approve", danger: Boolean(planned.deactivate),
    });
    if (!yes) return;
    await decide(`/api/runs/${run.run_id}/approve`, { body: yes });
    say(`Run ${run.run_id} goes on.`);
    await refreshAll();
  });
}

function cancelRun(run) {
  const held = run.phase === "held";
  const left = Object.values(run.entities).reduce((sum, { progress }) => sum + (progress.changes ?? 0) - (progress.changes_done ?? 0), 0);
  return act(`cancel ${run.run_id}`, async () => {
    const yes = await confirmed({
      asks: true,
      heading: held ? "Drop the held plan?" : "Stop this run?",
      content: held
        ? [h("p", null, `Nothing of it is done, and nobody loses access by it: ${consequences(heldOf(run)).map(({ text }) => text).join(", ")} no more.`),
          h("p", null, "The next run plans anew, and is held again if the source still says the same.")]
        : [h("p", null, `What was done stays done. ${count(left, "planned change is", "planned changes are")} not tried now; the next run does what is then still to be done.`)],
      label: held ? "Drop the plan" : "Stop the run", danger: true,
    });
    if (!yes) return;
    await decide(`/api/runs/${run.run_id}/cancel`, { body: yes });
    say(held ? "The held plan is dropped." : `Run ${run.run_id} stops.`);
    await refreshAll();
  });
}

function retry(name, body) {
  return act(name, async () => {
    const { run_id } = await decide("/api/failures/retry", { body });
    say(`Run ${run_id} tries again.`);
    await refreshAll();
  });
}

function resubmit(name, body) {
  return act(name, async () => {
    const { results } = await decide("/api/dead-letters/resubmit", { body });
    const sent = results.filter((result) => result.sent).length;
    say(`${count(sent, "message is", "messages are")} on the way again; ${number(results.length - sent)} not sent.`);
    await refreshAll();
  });
}
