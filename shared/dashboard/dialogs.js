// Asking: who it is, and before something is done that cannot be taken back.

let keyWasRefused = false;

/** Where people sign in the banner leads there: a page that goes away by itself takes along what was typed. */
function askToBeLetIn(error) {
  if (SIGNED_IN) Object.assign(state, { connection: "outside", error });
  else askForKey();
}

function askForKey() {
  keyWasRefused = Boolean(savedKey());
  sessionStorage.removeItem(KEY_NAME);
  const dialog = byId("key-dialog");
  patch(dialog, h("form", { class: "stack", onsubmit: takeKey },
    h("h2", { id: "key-title" }, "Function key"),
    keyWasRefused && h("p", { class: "note bad", role: "alert", id: "key-error" }, "The app did not accept this key. Copy it anew."),
    h("p", { class: "muted" }, "A function or host key of the app (Azure portal: App keys). It stays in this tab and is gone when you close it."),
    labelled("key", "Key", h("input", {
      id: "key", type: "password", autocomplete: "off", spellcheck: "false", required: true, "aria-describedby": keyWasRefused ? "key-error" : null,
    })),
    h("div", { class: "row end" },
      h("button", { type: "button", onclick: () => dialog.close() }, "Not now"),
      h("button", { type: "submit", class: "primary" }, "Use this key"))));
  if (!dialog.open) dialog.showModal();
  byId("key").value = "";
  byId("key").focus();
}

function takeKey(event) {
  event.preventDefault();
  const field = byId("key");
  const key = field.value.trim();
  // A header takes nothing else, and no key has anything else.
  const usable = /^[\x21-\x7e]+$/.test(key);
  field.setCustomValidity(usable ? "" : "A key has letters, digits and signs only.");
  field.oninput = () => field.setCustomValidity("");
  if (!field.reportValidity()) return;
  sessionStorage.setItem(KEY_NAME, key);
  byId("key-dialog").close();
  refresh();
}

function forgetKey() {
  sessionStorage.removeItem(KEY_NAME);
  location.reload();
}

const NAME_NAME = "safetyamp-sync-name";
const savedName = () => (SIGNED_IN ? null : sessionStorage.getItem(NAME_NAME));

function reasonFields() {
  const field = (id, text, autocomplete) => labelled(id, text, h("input", { id, autocomplete, maxlength: "200" }));
  return h("div", { class: "pair", key: "said" },
    field("decide-reason", "Reason (optional)", "off"), !SIGNED_IN && field("decide-who", "Your name (optional)", "name"));
}

/** What was entered there, for the decision; the name is known from then on, as long as the tab is open. */
function said() {
  const [reason, who] = ["decide-reason", "decide-who"].map((id) => byId(id)?.value.trim());
  if (who) sessionStorage.setItem(NAME_NAME, who);
  return { ...(reason && { reason }), ...(who && { who }) };
}

/** Whether the user wants it, with `asks` why and who it is. `content` says what will happen; `label` is the button that does it. */
function confirmed({ heading, content, label, danger = false, asks = false }) {
  const dialog = byId("confirm-dialog");
  const answer = (value) => () => dialog.close(value);
  patch(dialog, h("div", { class: "stack", key: heading },
    h("h2", { id: "confirm-title" }, heading),
    h("div", { class: "stack tight", id: "confirm-content" }, content),
    asks && reasonFields(),
    h("div", { class: "row end" },
      h("button", { type: "button", id: "confirm-no", onclick: answer("no") }, "Back"),
      h("button", { type: "button", class: danger ? "danger" : "primary", onclick: answer("yes") }, label))));
  dialog.setAttribute("aria-describedby", "confirm-content");
  dialog.returnValue = "no";
  if (asks) byId("decide-reason").value = "";
  if (byId("decide-who")) byId("decide-who").value = savedName() ?? "";
  dialog.showModal();
  // Enter pressed by habit does no harm.
  byId("confirm-no").focus();
  return new Promise((resolve) => { dialog.onclose = () => resolve(dialog.returnValue === "yes" && (asks ? said() : true)); });
}
