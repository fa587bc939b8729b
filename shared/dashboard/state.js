// What the page knows, and how it is kept up to date.

const ENTITIES = ["departments", "jobs", "titles", "employees", "vehicles"];
const QUICK_MS = 4000;
const SLOW_MS = 20000;
const LONGEST_MS = 60000;
const RUNS_SHOWN = 30;
const AT_LEAST_EVERY_MS = 60000;

const state = {
  connection: "starting", // starting, up to date, away, wrong, outside (not let in)
  at: null, // when it was last up to date, this machine's clock
  error: null, attempts: 0, nextAt: null,
  me: null, status: null, run: null, runs: [], failures: null, held: [], letters: null, settings: null, fixes: null, trends: null, calls: null, decisions: null,
  fullAt: 0, seen: "",
  record: null, matches: null, open: null, changes: {},
  busy: {}, errors: {},
};

let timer = null;
let loading = Promise.resolve();

/** Load now, after a load that is under way. */
function refresh() {
  clearTimeout(timer);
  loading = loading.then(tick, tick);
  return loading;
}

async function tick() {
  clearTimeout(timer);
  if (document.hidden) return;
  try {
    await load();
    Object.assign(state, { connection: "up to date", at: Date.now(), error: null, attempts: 0 });
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    state.error = error;
    state.attempts += 1;
    state.connection = error instanceof NotLetIn ? "outside" : error instanceof Away ? "away" : "wrong";
    if (state.connection === "outside") askToBeLetIn(error);
  } finally {
    if (state.connection === "outside") state.nextAt = null;
    else schedule();
    render();
  }
}

function schedule() {
  const usual = state.status?.active_run ? QUICK_MS : SLOW_MS;
  const wait = state.attempts ? Math.min(LONGEST_MS, QUICK_MS * 2 ** (state.attempts - 1)) : usual;
  state.nextAt = Date.now() + wait;
  clearTimeout(timer);
  timer = setTimeout(refresh, wait);
}

/** The status each time; the rest when a run began or ended, and every minute: it takes many documents. */
async function load() {
  if (SIGNED_IN) state.me = await get("/api/me");
  const status = await get("/api/status");
  setClock(status.at);
  const active = status.active_run?.run_id;
  const run = active ? await get(`/api/runs/${active}`) : null;
  const ended = state.status?.active_run && state.status.active_run.run_id !== active ? state.status.active_run.run_id : null;
  const seen = JSON.stringify([active, status.last_runs.map((found) => [found.run_id, found.phase, found.finished_at]), status.queues.dead_letters]);
  Object.assign(state, { status, run });
  if (seen !== state.seen || Date.now() - state.fullAt > AT_LEAST_EVERY_MS) {
    await loadRest(status);
    Object.assign(state, { seen, fullAt: Date.now() });
  }
  if (ended) {
    forgetNameless();
    tellEnd(ended);
  }
  await reloadOpen();
}

async function loadRest(status) {
  const [runs, failures] = await Promise.all([get("/api/runs", { limit: RUNS_SHOWN }), get("/api/failures")]);
  const newer = status.active_run;
  const ids = failures.entities
    .filter((found) => found.phase === "held" && !(newer && found.entity in newer.entities && newer.run_id >= found.run_id))
    .map((found) => found.run_id);
  const held = await Promise.all([...new Set(ids)].map((id) => get(`/api/runs/${id}`)));
  const letters = status.queues.dead_letters ? await get("/api/dead-letters", { limit: 50 }) : { dead_letters: [], next: null };
  Object.assign(state, { runs: runs.runs, failures, held, letters });
}

function tellEnd(runId) {
  const run = state.runs.find((found) => found.run_id === runId);
  if (run) say(`Run ${runId} has ended: ${run.phase}. ${changesText(run.counts)}.`);
}

/** The age of what is shown, by the second, without asking the app. */
setInterval(() => { if (!document.hidden) renderConnection(); }, 1000);

document.addEventListener("visibilitychange", () => {
  if (document.hidden) clearTimeout(timer);
  else if (state.connection !== "outside" || SIGNED_IN) refresh();
});
window.addEventListener("online", refresh);
