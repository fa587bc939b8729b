// Names beside numbers. Whatever shows a key asks here; what is not known yet is asked of the app, all at once.

const MOST_ASKED = 500;
const NAMES = {}; // by entity and key; "" where nobody tells one
const nameless = {};
let askingNames = false;

/** The name, if it is known by now. */
function nameOf(entity, key) {
  const known = NAMES[entity]?.[key];
  if (known === undefined && ENTITIES.includes(entity)) (nameless[entity] ??= new Set()).add(key);
  return known || null;
}

/** Of records that came with their names. */
function learnNames(records) {
  for (const { entity, key, name } of records) if (name) (NAMES[entity] ??= {})[key] = name;
}

/** After a drawing. A number without its name is no trouble that needs a message: it is not asked for again. */
async function askNames() {
  const [entity, keys] = Object.entries(nameless).find(([, found]) => found.size) ?? [];
  if (!entity || askingNames) return;
  askingNames = true;
  const asked = [...keys].slice(0, MOST_ASKED);
  let names = {};
  try {
    ({ names } = await post("/api/names", { body: { entity, keys: asked }, seconds: 60 }));
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
  } finally {
    askingNames = false;
    const known = NAMES[entity] ??= {};
    for (const key of asked) {
      known[key] ??= names[key] ?? "";
      keys.delete(key);
    }
  }
  render();
}

/** A run may have found out more. */
function forgetNameless() {
  for (const known of Object.values(NAMES)) for (const [key, name] of Object.entries(known)) if (!name) delete known[key];
}

/** A key that explains its record, with the name. */
function keyButton(entity, key) {
  const name = nameOf(entity, key);
  return h("button", { type: "button", class: "link", "aria-label": `Look up ${entity} ${key}${name ? ` ${name}` : ""}`, onclick: () => lookUp(entity, key) },
    data(key, "id"), name && [" ", data(name)]);
}
