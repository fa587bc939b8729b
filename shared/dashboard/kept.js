// What is kept of people, where, and how long: in short, docs/privacy.md has it all.

function keptView() {
  if (!state.status) return muted("Not known yet.");
  const { runs, oldest_at: oldest } = state.status.kept;
  return h("dl", { class: "facts" },
    fact("Runs", [runs ? [count(runs, "run is", "runs are"), " kept, the oldest of ", time(oldest)] : "None is kept yet", ". With each: its plan, changes with before and after, and report. In Azure they are deleted 90 days after they were last written, or as runRetentionDays says; on a machine of your own never."]),
    fact("State", "What SafetyAmp holds of every user, as long as the installation; who is gone from SafetyAmp goes with it."),
    fact("Decisions", "Who decided what about which run or number, and the reason they gave: in Azure 730 days; on a machine of your own always."),
    fact("Dead letters", "As the runs; no names."),
    fact("Logs", "90 days, or as logRetentionDays says: employee numbers, no names, addresses or values."),
    fact("Redis", "Listings of Graph and Samsara, an hour (CACHE_TTL_HOURS). The last calls, without ids, a week."),
    fact("This page", [!SIGNED_IN && "The key, and your name where you gave it, until the tab is closed; ", SIGNED_IN ? "The" : "the", " choice of light or dark. Files that you save from it hold names: they are yours to keep safe."]));
}
