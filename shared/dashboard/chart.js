// The last runs as a picture. What went well stands above the line, what did not hangs below it; heights grow
// with the logarithm, or a first load of thousands would flatten every other run.

const HEIGHT = 168;
const PAD = { left: 34, right: 4, top: 8, bottom: 24 };
const GRID = [1, 10, 100, 1000, 10000, 100000];

const changedIn = (counts) => (counts.created ?? 0) + (counts.updated ?? 0) + (counts.deactivated ?? 0);
const troubleIn = (counts) => (counts.failed ?? 0) + (counts.invalid ?? 0) + (counts.waiting ?? 0);
const height = (value) => Math.log10(value + 1);

function chartView(newestFirst, width) {
  const runs = [...newestFirst].reverse();
  const up = Math.max(height(10), ...runs.map((run) => height(changedIn(run.counts))));
  const down = Math.max(height(1), ...runs.map((run) => height(troubleIn(run.counts))));
  const room = HEIGHT - PAD.top - PAD.bottom;
  const scale = room / (up + down);
  const zero = PAD.top + up * scale;
  const step = (width - PAD.left - PAD.right) / Math.max(runs.length, 12);
  const bar = Math.max(3, Math.min(26, step * 0.66));
  const lines = [...GRID.filter((value) => height(value) <= up).map((value) => [value, zero - height(value) * scale]),
    ...GRID.filter((value) => height(value) <= down && height(value) * scale > 12).map((value) => [value, zero + height(value) * scale])];
  return h("svg", { class: "chart", viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": chartText(newestFirst) },
    lines.map(([value, y]) => h("g", null,
      h("line", { class: "grid", x1: PAD.left, x2: width - PAD.right, y1: y, y2: y }),
      h("text", { x: PAD.left - 6, y: y + 4, "text-anchor": "end" }, shortNumber(value)))),
    h("line", { class: "axis", x1: PAD.left, x2: width - PAD.right, y1: zero, y2: zero }),
    h("text", { x: PAD.left - 6, y: zero + 4, "text-anchor": "end" }, "0"),
    runs.map((run, index) => {
      const x = PAD.left + step * index + (step - bar) / 2;
      const well = height(changedIn(run.counts)) * scale;
      const ill = height(troubleIn(run.counts)) * scale;
      return h("g", { key: run.run_id },
        well > 0 && h("rect", { key: "well", class: "changed", x, y: zero - well, width: bar, height: well, rx: 2 }),
        ill > 0 && h("rect", { key: "ill", class: "trouble", x, y: zero + 1, width: bar, height: ill, rx: 2 }),
        phaseMark(run.phase, x + bar / 2, HEIGHT - 10));
    }));
}

/** A shape for each end, so that colour is not needed to tell them apart. */
function phaseMark(phase, x, y) {
  const shapes = {
    ok: `M${x - 3} ${y}a3 3 0 1 0 6 0a3 3 0 1 0 -6 0z`,
    warn: `M${x} ${y - 4.5}l4.5 8h-9z`,
    bad: `M${x - 4} ${y - 2.5}l1.5 -1.5 2.5 2.5 2.5 -2.5 1.5 1.5 -2.5 2.5 2.5 2.5 -1.5 1.5 -2.5 -2.5 -2.5 2.5 -1.5 -1.5 2.5 -2.5z`,
    info: `M${x - 3} ${y - 4}l7 4 -7 4z`,
    idle: `M${x - 4} ${y - 1.5}h8v3h-8z`,
  };
  return h("path", { key: "phase", class: `mark ${tone(phase)}`, d: shapes[tone(phase)] });
}

const shortNumber = (value) => (value >= 1000 ? `${value / 1000}k` : String(value));

function chartText(runs) {
  const ends = Object.entries(Object.groupBy(runs, (run) => run.phase)).map(([phase, found]) => `${found.length} ${phase}`);
  return `The last ${count(runs.length, "run")}: ${ends.join(", ")}. The table below has the figures.`;
}

function chartLegend(runs) {
  const phases = [...new Set(runs.map((run) => run.phase))];
  return h("div", { class: "legend" },
    h("span", null, h("i", { class: "swatch info" }), "records changed"),
    h("span", null, h("i", { class: "swatch bad" }), "records failed, invalid or waiting"),
    phases.map((phase) => h("span", { key: phase, class: tone(phase) },
      h("svg", { class: "mark-key", width: "12", height: "12", viewBox: "0 0 12 12", "aria-hidden": "true" }, phaseMark(phase, 6, 6.5)), phase)));
}
