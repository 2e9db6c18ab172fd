// The server's REST API. Errors are `ApiError`s with the sentence that the server wrote for people.

export class ApiError extends Error {
  constructor(status, detail, retryAfter = 0) {
    super(detail);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

let askForKey = async () => null;
let asking = null; // one question at a time, whoever needs the answer
let apiKey = remembered();

function remembered() {
  try {
    return sessionStorage.getItem("api-key");
  } catch {
    return null; // storage may be forbidden
  }
}

/** ask(wrong): shows a dialog and resolves to the key that the person gives; null for none. */
export function onKeyNeeded(ask) {
  askForKey = ask;
}

export async function call(path, options = {}) {
  for (;;) {
    const headers = new Headers(options.headers);
    const key = apiKey;
    if (key) headers.set("Authorization", `Bearer ${key}`);
    let response;
    try {
      response = await fetch(path, { ...options, headers });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new ApiError(0, "The server cannot be reached.");
    }
    if (response.ok) return response;
    if (response.status !== 401) throw await asError(response);
    if (apiKey !== key) continue; // another request has got a newer one meanwhile
    asking ??= askForKey(Boolean(key)).finally(() => (asking = null));
    const given = await asking;
    if (!given) throw new ApiError(401, "This server reads only for people who have a key.");
    apiKey = given;
    try {
      sessionStorage.setItem("api-key", given);
    } catch {
      // it then lasts as long as the page
    }
  }
}

async function asError(response) {
  const problem = await response.json().catch(() => ({}));
  const detail = problem.detail ?? `The server answered ${response.status}.`;
  return new ApiError(response.status, detail, Number(response.headers.get("Retry-After") ?? 0));
}

export const json = (method, body) => ({
  method,
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(body),
});

export const settings = async () => (await call("v1/settings")).json();

/** Read a file; onEvent is called with each event of the answer as it arrives. */
export async function read(file, name, options, signal, onEvent) {
  const form = new FormData();
  for (const [field, value] of Object.entries(options)) form.append(field, String(value));
  form.append("files", file, name);
  const response = await call("v1/batch", { method: "POST", body: form, signal });
  let rest = "";
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) if (line) await onEvent(JSON.parse(line));
  }
}

/** Pages written in a format of the server's. */
export const format = async (pages, name) => (await call("v1/format", json("POST", { pages, format: name }))).blob();

export const feedback = async (body) => (await call("v1/feedback", json("POST", body))).json();

export const setConsent = (id, consent) => call(`v1/readings/${id}`, json("PATCH", { consent }));

export const forget = (id) => call(`v1/readings/${id}`, { method: "DELETE" });
