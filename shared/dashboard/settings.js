// Every setting, and where it comes from: shown when somebody asks, for whoever may.

const HIDDEN = "set, not shown";

function settingsView() {
  if (!may("settings")) return mayNot("the settings");
  const { settings } = state;
  return h("div", { class: "stack" },
    h("div", { class: "row" },
      actButton("settings", settings ? "Read them again" : "Show the settings", loadSettings),
      settings && h("label", { class: "check", key: "all" },
        h("input", { type: "checkbox", id: "settings-all", onchange: render }), "Also what nobody has set")),
    errorOf("settings"),
    settings && settingsTable(settings));
}

const loadSettings = () => act("settings", async () => {
  state.settings = (await get("/api/settings")).settings;
});

function settingsTable(settings) {
  const all = byId("settings-all")?.checked;
  const wanted = settings.filter((setting) => all || setting.is_set !== false || setting.problem);
  const sections = [...new Set(wanted.map(({ section }) => section))];
  return scrolling("Settings", h("table", { key: "settings" },
    headings("Setting", "Value, and its origin"),
    sections.map((section) => settingRows(section, wanted.filter((setting) => setting.section === section)))));
}

function settingRows(section, settings) {
  return h("tbody", { key: section },
    h("tr", { class: "group" }, h("th", { scope: "rowgroup", colspan: "2" }, section, " ", h("span", { class: "muted small" }, settings[0].docs))),
    settings.map((setting) => h("tr", { key: setting.name },
      h("th", { scope: "row", class: "id" }, setting.name),
      h("td", null, settingValue(setting)))));
}

function settingValue({ hidden, value, source, vault_secret: secret, default: usual, problem }) {
  return [
    hidden ? toned("ok", HIDDEN) : value !== null && h("code", null, data(value, "exact")),
    h("p", { class: "muted small" }, source === "Key Vault" ? `Key Vault: ${secret}` : source,
      usual !== null && source !== "default" && [", by default ", h("code", null, data(usual, "exact"))]),
    problem && h("p", { class: "bad toned small" }, data(problem)),
  ];
}
