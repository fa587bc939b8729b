// Requests to the app: with the function key of this tab, or as whoever has signed in to Azure.

const SIGNED_IN = document.documentElement.dataset.signIn === "entra";
const SIGN_IN_URL = "/.auth/login/aad?post_login_redirect_uri=/dashboard";
const SIGN_OUT_URL = "/.auth/logout?post_logout_redirect_uri=/dashboard";
const ROUTES = SIGNED_IN ? "/entra" : "";
const KEY_NAME = "safetyamp-sync-key";
const savedKey = () => sessionStorage.getItem(KEY_NAME);

/** The app answered with an error. */
class Problem extends Error {
  constructor(status, body) {
    super(body.detail ?? `the app answered ${status}`);
    this.status = status;
    this.title = body.title ?? `Answer ${status}`;
    this.hint = body.hint ?? "";
    this.problems = body.problems ?? [];
    this.run_id = body.run_id ?? null;
  }
}

/** The app does not know who asks: the key is missing or wrong, or nobody is signed in (any more). */
class NotLetIn extends Problem {
  constructor() {
    super(401, SIGNED_IN ? { title: "Not signed in", detail: "sign in with your company account" }
      : { title: "Key refused", detail: savedKey() ? "this function key was not accepted" : "the app asks for a function key" });
  }
}

/** No answer of the app at all. */
class Away extends Problem {
  constructor(detail) {
    super(0, { title: "No answer", detail, hint: "The app may be starting, or the network may be away. It is safe to try again." });
  }
}

async function call(method, path, { query = {}, body, seconds = 30, file = false } = {}) {
  const url = new URL(ROUTES + path, location.origin);
  for (const [name, value] of Object.entries(query)) if (value !== null && value !== undefined) url.searchParams.set(name, value);
  const headers = { Accept: "application/json" };
  if (savedKey()) headers["x-functions-key"] = savedKey();
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer, value;
  try {
    answer = await fetch(url, {
      method, headers, body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store", redirect: "error", signal: AbortSignal.timeout(seconds * 1000),
    });
    const isJson = (answer.headers.get("Content-Type") ?? "").includes("json");
    value = isJson ? await answer.json() : file && answer.ok ? { blob: await answer.blob(), next: nextOf(answer) } : null;
  } catch (error) {
    throw new Away(error.name === "TimeoutError" ? `no answer within ${seconds} seconds` : "the app cannot be reached");
  }
  // To whoever has signed in a 403 says which role is missing; before the app, a key of its own has no other.
  if (answer.status === 401 || (answer.status === 403 && !SIGNED_IN)) throw new NotLetIn();
  // Without JSON it is not the app that speaks, but what stands before it.
  if (value === null) throw new Away(`something before the app answered ${answer.status}`);
  if (!answer.ok) throw new Problem(answer.status, value);
  return value;
}

/** Where the next page of a file begins. */
const nextOf = (answer) => /[?&]cursor=([^&>]+)/.exec(answer.headers.get("Link") ?? "")?.[1] ?? null;

const get = (path, query) => call("GET", path, { query });
/** Save an answer that is no JSON: a link could not carry the key. Of further pages without their line of headings. */
async function download(path, query, name) {
  const parts = [];
  let cursor = null;
  do {
    const { blob, next } = await call("GET", path, { query: { ...query, cursor }, seconds: 60, file: true });
    parts.push(cursor ? (await blob.text()).replace(/^.*\r\n/, "") : blob);
    cursor = next;
  } while (cursor);
  const url = URL.createObjectURL(new Blob(parts, { type: parts[0].type }));
  Object.assign(document.createElement("a"), { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60000); // some browsers read it later
}

const post = (path, options) => call("POST", path, options);
/** A POST that changes something: kept with the name that somebody gave. */
const decide = (path, { query, ...more } = {}) => post(path, { ...more, query: { ...query, who: savedName() } });
// A title such as A/B fits into no path.
const fitsPath = (key) => /^[0-9A-Za-z .:_~-]+$/.test(key) && key !== "." && key !== "..";

function explanation(entity, key) {
  const path = `/api/records/${entity}`;
  return fitsPath(key) ? get(`${path}/${encodeURIComponent(key)}`) : get(path, { key });
}
