// Times, numbers and values for people.

// The app's clock minus this machine's, so that "5 min ago" is right where the two differ.
let clockSkewMs = 0;
const setClock = (iso) => { clockSkewMs = Date.parse(iso) - Date.now(); };
const appNow = () => Date.now() + clockSkewMs;

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const SECOND = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DATE = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", timeZone: "UTC" });
const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const ABSOLUTE = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
const NUMBER = new Intl.NumberFormat();

const number = (value) => (typeof value === "number" ? NUMBER.format(value) : "–");
const count = (value, one, many = `${one}s`) => `${number(value)} ${value === 1 ? one : many}`;
const percent = (part, whole) => `${whole ? Math.min(100, (100 * part) / whole) : 0}%`;

/** A time in the viewer's time zone; pointing at it tells it in full. */
function time(iso, text) {
  if (!iso) return "–";
  const moment = new Date(iso);
  const label = text ?? (moment.toDateString() === new Date(appNow()).toDateString() ? CLOCK : DAY).format(moment);
  return h("time", { datetime: iso, title: `${ABSOLUTE.format(moment)} (${iso})` }, label);
}

const ago = (iso) => time(iso, iso && relative(Date.parse(iso) - appNow()));

function relative(milliseconds) {
  if (Math.abs(milliseconds) < 5000) return "just now";
  const text = duration(Math.abs(milliseconds) / 1000);
  return milliseconds > 0 ? `in ${text}` : `${text} ago`;
}

/** In the two units that matter. */
function duration(seconds) {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min` + (whole < 300 && whole % 60 ? ` ${whole % 60} s` : "");
  if (whole < 172800) return `${Math.floor(whole / 3600)} h` + (whole % 3600 >= 60 ? ` ${Math.floor((whole % 3600) / 60)} min` : "");
  return `${Math.floor(whole / 86400)} days`;
}

/** Somebody else's text: apart, so that a name written from right to left turns nothing around it. */
const data = (text, className = null) => h("bdi", { class: className }, String(text));

/** A field's value. */
function shown(value) {
  if (value === null || value === undefined) return h("span", { class: "muted" }, "–");
  if (value === "") return h("span", { class: "muted" }, "(empty)");
  if (value.entity && value.key) {
    const name = nameOf(value.entity, value.key);
    return data(`${value.entity} ${value.key}${name ? ` ${name}` : ""}`);
  }
  return data(typeof value === "object" ? JSON.stringify(value) : value);
}

const same = (one, other) => JSON.stringify(one ?? null) === JSON.stringify(other ?? null);
const title = (name) => name.charAt(0).toUpperCase() + name.slice(1);
