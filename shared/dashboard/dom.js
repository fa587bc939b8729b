// Elements from descriptions. Everything that is shown becomes a text node or an attribute: nothing is ever
// parsed as HTML, whatever a name holds. Patching keeps nodes, and with them focus, scrolling, what is typed
// and what is unfolded.

const SVG = "http://www.w3.org/2000/svg";
const SVG_TAGS = new Set(["svg", "g", "path", "rect", "line", "text", "circle"]);
// The user's from then on.
const SET_ONCE = new Set(["open", "value", "checked", "selected"]);
const descriptions = new WeakMap();

/** An element; `key` tells it from its siblings when their number changes. */
function h(tag, props, ...children) {
  const { key = null, ...rest } = props ?? {};
  return { tag, key, props: rest, children: real(children) };
}

const real = (children) => children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
const byId = (id) => document.getElementById(id);

/** Make the children of a node those that are described. */
function patch(parent, ...children) {
  const wanted = real(children);
  const keys = new Set(wanted.map((child) => child.key ?? null));
  const kept = new Map();
  for (const node of [...parent.childNodes]) {
    const key = descriptions.get(node)?.key ?? null;
    if (key === null) continue;
    if (keys.has(key)) kept.set(key, node);
    else node.remove();
  }
  let at = parent.firstChild;
  for (const child of wanted) {
    const node = typeof child === "object" ? elementFor(child, at, kept) : textFor(String(child), at);
    if (node === at) at = at.nextSibling;
    else parent.insertBefore(node, at);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function textFor(text, at) {
  if (at?.nodeType !== Node.TEXT_NODE) return document.createTextNode(text);
  if (at.data !== text) at.data = text;
  return at;
}

function elementFor(wanted, at, kept) {
  const found = wanted.key === null ? at : kept.get(wanted.key);
  const before = found && descriptions.get(found);
  const fits = before?.tag === wanted.tag && before.key === wanted.key;
  const node = fits ? found : create(wanted.tag);
  setProps(node, fits ? before.props : {}, wanted.props, !fits);
  descriptions.set(node, wanted);
  patch(node, wanted.children);
  return node;
}

function create(tag) {
  return SVG_TAGS.has(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
}

function setProps(node, before, wanted, isNew) {
  for (const name of new Set([...Object.keys(before), ...Object.keys(wanted)])) {
    const value = wanted[name];
    if (SET_ONCE.has(name) && !isNew) continue;
    if (name.startsWith("on")) node[name] = value ?? null;
    else if (name === "css") for (const [property, text] of Object.entries(value ?? {})) node.style.setProperty(property, text);
    else if (value === before[name]) continue;
    else if (value === null || value === undefined || value === false) node.removeAttribute(name);
    else if (name === "value") node.value = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
}
