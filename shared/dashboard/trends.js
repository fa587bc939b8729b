// How the last 30 days went: four small pictures, and the figures.

const TREND_HEIGHT = 64;
const TRENDS = [
  ["Records changed", ({ created, updated, deactivated }) => created + updated + deactivated, number, "changed"],
  ["Findings at the end of the day", ({ findings }) => findings, number, "trouble"],
  ["Calls to SafetyAmp", ({ calls }) => calls.safetyamp ?? 0, number, "changed"],
  ["Longest run", ({ longest_seconds: seconds }) => seconds, (value) => (value === null ? "–" : duration(value)), "changed"],
];
const dayOf = ({ day }) => DATE.format(new Date(day));

const loadTrends = () => act("trends", async () => {
  state.trends = await call("GET", "/api/trends", { query: { days: 30 }, seconds: 60 });
});

function trendsView() {
  const found = state.trends;
  return h("div", { class: "stack" },
    h("div", { class: "row" }, actButton("trends", found ? "Look again" : "Show the last 30 days", loadTrends)),
    errorOf("trends"), found && trendsOf(found));
}

function trendsOf({ days, complete_since: since, problems }) {
  return [
    days.length < 30 && h("p", { key: "cut", class: "muted" }, `More runs are kept than can be read at once: shown are the days since ${dayOf({ day: since })}.`),
    problems.map((text) => h("p", { key: text, class: "bad toned" }, data(text))),
    h("div", { key: "trends", class: "trends" }, TRENDS.map((trend) => trendView(days, ...trend))),
    h("details", { key: "figures" }, h("summary", null, "The figures"), scrolling("Figures of each day", figures(days))),
  ];
}

/** Bars over the days; a day of which nothing is known has none, and nothing at all a thin one. */
function trendView(days, heading, valueOf, told, className) {
  const values = days.map(valueOf);
  const most = Math.max(1, ...values);
  const at = values.indexOf(Math.max(...values));
  const last = values.findLast((value) => value !== null) ?? null;
  const text = last === null ? "nothing is known" : `most ${told(values[at])} on ${dayOf(days[at])}, last ${told(last)}`;
  return h("figure", { key: heading },
    h("figcaption", null, h("strong", null, heading), h("span", { class: "muted small" }, text)),
    h("svg", { class: "chart trend", viewBox: `0 0 ${days.length * 10} ${TREND_HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": `${heading}: ${text}` },
      values.map((value, index) => value !== null && h("rect", { key: index, class: value ? className : "grid", x: index * 10 + 1.5, width: 7, y: TREND_HEIGHT - barOf(value, most), height: barOf(value, most) }))),
    h("p", { class: "muted small row apart", "aria-hidden": "true" }, h("span", null, dayOf(days[0])), h("span", null, dayOf(days.at(-1)))));
}

const barOf = (value, most) => Math.max(1, (value / most) * TREND_HEIGHT);

function figures(days) {
  const cells = (day) => [day.runs, day.created, day.updated, day.deactivated, day.findings, day.calls.safetyamp ?? 0].map((value) => h("td", { class: `number${value ? "" : " zero"}` }, number(value)));
  return h("table", null,
    headings("Day (UTC)", ...["Runs", "Created", "Updated", "Switched off", "Findings", "Calls", "Longest run"].map((name) => [name, "number"])),
    h("tbody", null, days.toReversed().map((day) => h("tr", { key: day.day },
      h("th", { scope: "row" }, dayOf(day)), cells(day), h("td", { class: "number" }, day.longest_seconds === null ? "–" : duration(day.longest_seconds))))));
}
