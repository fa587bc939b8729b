// The first look: is everything well, and how old is what is shown?

function connectionView() {
  const age = state.at && `${duration((Date.now() - state.at) / 1000)} ago`;
  const next = state.nextAt && Math.max(0, Math.ceil((state.nextAt - Date.now()) / 1000));
  const words = {
    starting: ["idle", "Asking the app …"],
    "up to date": ["ok", `Updated ${age}`],
    away: ["bad", `No answer. ${age ? `Shown: as of ${age}.` : ""} Next try in ${next} s`],
    wrong: ["bad", `The app has a problem. ${age ? `Shown: as of ${age}.` : ""} Next try in ${next} s`],
    outside: ["warn", `${SIGNED_IN ? "Nobody is signed in" : age ? "The key was refused" : "A function key is needed"}${age ? `. Shown: as of ${age}` : ""}`],
  };
  const [name, text] = words[state.connection];
  return h("span", { class: `${name} toned row` }, icon(name), text);
}

function bannerView() {
  if (!state.error) return null;
  const isOutside = state.connection === "outside";
  return h("div", { class: `note ${isOutside ? "warn" : "bad"}`, key: "banner" },
    h("p", null, h("strong", null, state.error.title), ": ", data(state.error.message),
      state.at && [" What is shown is from ", time(new Date(state.at).toISOString(), CLOCK.format(state.at)), "."]),
    state.error.problems.length > 0 && h("ul", null, state.error.problems.map((text) => h("li", null, data(text)))),
    state.error.hint && muted(state.error.hint),
    h("div", { class: "row" }, isOutside
      ? SIGNED_IN ? h("a", { class: "button primary", href: SIGN_IN_URL }, "Sign in") : h("button", { type: "button", class: "primary", onclick: askForKey }, "Enter the key")
      : h("button", { type: "button", onclick: refresh }, "Try now")));
}

/** Who is signed in, with what right, and the way out. */
function accountView() {
  if (!SIGNED_IN || !state.me || state.connection === "outside") return null;
  const { name, roles } = state.me;
  return [h("span", { class: "small row" }, h("span", { class: "hidden-text" }, "Signed in as"), h("bdi", { class: "name", title: name }, name), h("span", { class: "muted" }, `(${roles.at(-1) ?? "no role"})`)),
    h("a", { class: "button quiet", href: SIGN_OUT_URL }, "Sign out")];
}

function overviewView() {
  const tiles = state.status && state.failures ? knownTiles() : ["Run", "Last good run", "Held plans", "Failures", "Paused", "Systems"].map((name) => [name, "idle", "–", " ", "now"]);
  return h("ul", { class: "tiles" }, tiles.map(([name, toneName, value, more, target]) =>
    h("li", { key: name }, h("a", { class: `tile ${toneName}`, href: `#${target}` },
      h("span", { class: "tile-name" }, h("span", { class: `${toneName} toned row` }, icon(toneName)), name),
      h("span", { class: "tile-value" }, value),
      h("span", { class: "tile-more" }, more)))));
}

function knownTiles() {
  const { status, failures, held } = state;
  const run = status.active_run;
  const next = status.schedules.sync?.next;
  const good = status.last_good_run_ended_at;
  const losers = held.reduce((sum, found) => sum + (heldOf(found).deactivate ?? 0), 0);
  const paused = Object.keys(status.paused);
  const broken = failures.entities.filter((found) => found.phase === "failed").length;
  return [
    run ? ["Run", "info", "In progress", ["began ", ago(run.requested_at)], "now"]
      : ["Run", "idle", "None", next ? ["next ", ago(next)] : "none is due", "now"],
    ["Last good run", good ? "ok" : "warn", good ? ago(good) : "None yet", good ? ["ended ", time(good)] : "since the first start", "runs"],
    ["Held plans", held.length ? "warn" : "ok", number(held.length), held.length ? `${losing(losers)} access` : "nothing to decide", "held"],
    ["Failures", failures.total || broken ? "bad" : "ok", number(failures.total),
      broken ? `and ${broken === 1 ? "an entity" : `${broken} entities`} as a whole` : failures.total ? count(causesOf(failures.groups).length, "cause") : "no record fails", "failures"],
    ["Paused", paused.length ? "warn" : "ok", paused.length ? number(paused.length) : "Nothing", paused.length ? paused.join(", ") : "all are synced", "pause"],
    systemsTile(status),
  ];
}

/** What was not looked at, such as a system that is not in use, is not said to answer. */
function systemsTile(status) {
  const troubles = troublesOf(status);
  const warned = warnedOf(status);
  if (troubles.length) return ["Systems", "bad", count(troubles.length, "problem"), data(troubles[0]), "systems"];
  if (warned.length) return ["Systems", "warn", count(warned.length, "warning"), data(warned.join(", ")), "systems"];
  return ["Systems", "ok", "No problem", `version ${status.versions.app}`, "systems"];
}
