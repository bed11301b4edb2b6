// Requests to the API of this server, and what their failures mean.

// A refusal by the server: problem JSON, or a network that does not answer.
export class Problem extends Error {
  constructor(status, title, detail) {
    super(detail ? `${title}: ${detail}` : title);
    this.status = status;
  }
}

let onLogOut = () => {};
// What to do when the session has ended.
export const whenLoggedOut = (action) => { onLogOut = action; };

async function send(method, path, data, headers) {
  const body = data === undefined ? undefined : typeof data === "string" ? data : JSON.stringify(data);
  const type = body === undefined ? {} : { "Content-Type": typeof data === "string" ? "text/plain" : "application/json" };
  try {
    return await fetch(path, { method, body, headers: { ...type, ...headers } });
  } catch {
    throw new Problem(0, "The server cannot be reached", "check that it runs and that this machine has a network; then try again");
  }
}

async function read(response) {
  const text = await response.text();
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return { title: `Status ${response.status}`, detail: text.slice(0, 200) };
  }
}

// The response and its JSON; a Problem for every other status than 2xx.
export async function ask(method, path, data, headers) {
  const response = await send(method, path, data, headers);
  const body = await read(response);
  if (response.ok) return { response, body };
  if (response.status === 401 && path !== "api/session") onLogOut();
  throw new Problem(response.status, body?.title ?? `Status ${response.status}`, body?.detail ?? "");
}

export const call = async (method, path, data, headers) => (await ask(method, path, data, headers)).body;
export const get = (path) => call("GET", path);

const encode = encodeURIComponent;

// The address of something of a device; `path` begins with a slash.
export const ofDevice = (endpoint, path = "", query = {}) => `api/clients/${encode(endpoint)}${path}${queryOf(query)}`;

// A query of those parameters that have a value; `true` stands without one.
export function queryOf(parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== null && value !== "" && value !== false);
  const words = given.map(([name, value]) => (value === true ? name : `${name}=${encode(value)}`));
  return words.length ? `?${words.join("&")}` : "";
}
