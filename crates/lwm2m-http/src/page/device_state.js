// What the page knows of the device that it shows: values, observations, operations on their way.
import { Store } from "./lib.js";
import { call, get, ofDevice, queryOf } from "./api.js";
import { tell } from "./shell.js";
import { isNumber, unit, upwards } from "./values.js";

const SENSED = [5601, 5602, 5603, 5604, 5700];

// Points of a chart that are kept.
const POINTS = 10_000;

export class DeviceState extends Store {
  constructor(endpoint) {
    super();
    this.endpoint = endpoint;
    this.registration = null;
    this.isGone = false;
    this.error = null;
    this.definitions = new Map();
    // Of each resource's path the newest node, and when it came.
    this.values = new Map();
    this.observations = [];
    this.waiting = [];
    // What runs at a path: "read", "write", …
    this.busy = new Map();
    this.failures = new Map();
    // Instances that appeared while the page looked on.
    this.fresh = new Set();
    this.series = new Map();
    this.options = { format: "", timeout: "" };
  }

  // Loads what the server knows; the device is not asked.
  async load() {
    try {
      const device = await get(ofDevice(this.endpoint));
      this.#register(device);
      this.error = null;
    } catch (error) {
      this.error = error;
      this.isGone = error.status === 404 && this.registration !== null;
    }
    this.changed();
    if (this.error) return;
    await Promise.all([this.loadDefinitions(), this.loadWaiting()]).catch((error) => tell(error.message, "bad"));
    for (const object of this.seen ?? []) this.loadCached(object);
    // What came while there was no stream is in the history.
    for (const path of this.series.keys()) this.#past(path);
  }

  async loadDefinitions() {
    const all = await get(`api/objectspecs/${encodeURIComponent(this.endpoint)}`);
    this.definitions = new Map(all.map((definition) => [definition.id, definition]));
    this.changed();
  }

  async loadWaiting() {
    const [observations, waiting] = await Promise.all([
      get(ofDevice(this.endpoint, "/observations")),
      get(`api/commands${queryOf({ ep: this.endpoint, state: "waiting,sent", limit: 100 })}`),
    ]);
    this.observations = observations;
    this.waiting = waiting;
    this.changed();
  }

  // The newest values that the server keeps of an object.
  async loadCached(object) {
    this.seen = (this.seen ?? new Set()).add(object);
    const answer = await get(ofDevice(this.endpoint, `/${object}`, { cached: true })).catch(() => null);
    if (!answer?.content) return;
    this.apply(`/${object}`, answer.content, (path) => answer.times[path]?.received ?? 0);
    this.changed();
  }

  #register(device) {
    const before = this.registration;
    this.registration = { ...before, ...device };
    this.isGone = false;
    if (!before) return;
    for (const path of instancesOf(this.registration)) if (!new Set(instancesOf(before)).has(path)) this.fresh.add(path);
  }

  // Takes a node at a path apart into resources. `time` tells when each of them came.
  apply(path, node, time = Date.now) {
    if (!node) return;
    const at = (id) => (path === "/" ? `/${id}` : `${path}/${id}`);
    const parts = node.objects ?? node.instances ?? node.resources;
    if (parts) return parts.forEach((part) => this.apply(at(part.id), part, time));
    if (node.kind === "resourceInstance") return this.#applyInstance(path, node, time);
    const known = this.values.get(path);
    const came = time(path) || Math.max(0, ...Object.keys(node.values ?? {}).map((id) => time(`${path}/${id}`) || 0));
    if (known && known.at > came) return;
    this.values.set(path, { node, at: came, changed: known && JSON.stringify(known.node) !== JSON.stringify(node) ? Date.now() : 0 });
    this.#chart(path, node.value, came);
  }

  #applyInstance(path, node, time) {
    const [resource] = upwards(path).slice(1);
    const id = path.slice(resource.length + 1);
    const values = { ...this.values.get(resource)?.node.values, [id]: node.value };
    const kind = "multiResource";
    this.values.set(resource, { node: { kind, id: Number(resource.split("/").pop()), type: node.type, values }, at: time(path) || Date.now(), changed: Date.now() });
  }

  #chart(path, value, at) {
    const points = this.series.get(path);
    if (!points || value === undefined || at <= (points.at(-1)?.[0] ?? 0)) return;
    points.push([at, Number(value)]);
    if (points.length > POINTS) points.shift();
  }

  // Begins to collect the points of a chart, after those of the history.
  async chart(path) {
    if (this.series.has(path)) return;
    this.series.set(path, []);
    await this.#past(path);
  }

  async #past(path) {
    const points = this.series.get(path);
    const past = await get(ofDevice(this.endpoint, path, { history: true })).catch(() => ({ values: [] }));
    const last = past.values.at(-1)?.time ?? 0;
    points.splice(0, points.length, ...past.values.map(({ time, value }) => [time, Number(value)]), ...points.filter(([at]) => at > last));
    this.changed();
  }

  // Has the device do something at a path, and shows it meanwhile. Returns its answer, or null if that
  // comes later; throws what went wrong.
  async operate(word, method, path, { suffix = "", query = {}, data } = {}) {
    const { format, timeout } = this.options;
    const takesFormat = !["execute", "delete", "discover", "write-attributes"].includes(word);
    this.busy.set(path, word);
    this.failures.delete(path);
    this.changed();
    try {
      const address = ofDevice(this.endpoint, `${path}${suffix}`, { ...(takesFormat ? { format } : {}), timeout, ...query });
      return this.#answered(word, path, await call(method, address, data));
    } catch (error) {
      this.failures.set(path, error.message);
      throw error;
    } finally {
      this.busy.delete(path);
      this.changed();
    }
  }

  #answered(word, path, answer) {
    if (!answer) return null;
    if (answer.delayed) {
      tell(`${this.endpoint} does not listen now. The server keeps the ${word} of ${path} and sends it when the device wakes up.`);
      this.loadWaiting();
      return null;
    }
    if (!answer.success) throw new Error(refusal(answer));
    if (answer.content && !path.startsWith("/composite")) this.apply(path, answer.content);
    if (answer.leftOut) tell(`Some values could not be read: ${Object.entries(answer.leftOut).map((it) => it.join(": ")).join("; ")}`);
    return answer;
  }

  read = (path) => this.operate("read", "GET", path);

  async observe(path, attributes = {}) {
    await this.operate("observe", "POST", path, { suffix: "/observe", query: attributes }).finally(() => this.loadWaiting());
  }

  async stop({ res, paths }) {
    const address = res ? ofDevice(this.endpoint, `${res}/observe`) : ofDevice(this.endpoint, "/composite/observe", { paths: paths.join(",") });
    await call("DELETE", address);
    await this.loadWaiting();
  }

  // The unit of a resource. Sensors of IPSO tell that of their numbers in resource 5701.
  unitsOf(path, definition) {
    if (definition?.units) return unit(definition.units);
    if (!isNumber(definition?.type.toUpperCase()) || !SENSED.includes(definition.id)) return "";
    const told = this.values.get(`${upwards(path)[1]}/5701`)?.node.value;
    return unit(typeof told === "string" ? told : "");
  }

  // The observation of exactly this path, or of something above it.
  observed = (path) => this.observations.find(({ res }) => res === path);
  covered = (path) => upwards(path).map(this.observed).find(Boolean);

  on(name, data) {
    switch (name) {
      case "OPEN": case "LAGGED": return void this.load();
      case "REGISTRATION":
        this.#register(data);
        this.load();
        break;
      case "UPDATED": this.#register(data.registration); break;
      case "DEREGISTRATION": this.isGone = true; break;
      case "SLEEPING": case "AWAKE":
        if (this.registration?.queuemode) this.registration.sleeping = name === "SLEEPING";
        this.loadWaiting();
        break;
      case "NOTIFICATION": case "SEND": this.#came(data); break;
      case "OBSERVATION_ENDED": this.loadWaiting(); break;
      case "REQUEST_RESPONSE": this.#late(data); break;
    }
    this.changed();
  }

  #came({ res, val }) {
    if (res) this.apply(res, val);
    else for (const [path, node] of Object.entries(val)) this.apply(path, node);
    if (this.observations.some(({ state }) => state === "waiting")) this.loadWaiting();
  }

  // The answer of a device that woke up.
  #late({ path, response, error }) {
    this.loadWaiting();
    if (error) return tell(`${path}: ${error}`, "bad");
    if (response && !response.success) return tell(`${path}: ${refusal(response)}`, "bad");
    if (response?.content?.kind) this.apply(path, response.content);
    tell(`${path}: the device has answered ${response?.status ?? ""}`);
  }
}

const MEANINGS = {
  "UNAUTHORIZED(401)": "The device does not allow this server to do that.",
  "NOT_FOUND(404)": "The device does not have it.",
  "METHOD_NOT_ALLOWED(405)": "The device does not offer that here.",
  "NOT_ACCEPTABLE(406)": "The device does not know the format; choose another one under “Format and time-out”.",
  "BAD_REQUEST(400)": "The device does not accept the value.",
  "UNSUPPORTED_CONTENT_FORMAT(415)": "The device does not know the format; choose another one under “Format and time-out”.",
};

export const refusal = ({ status, errormessage }) =>
  [`The device refused: ${status}.`, errormessage, MEANINGS[status]].filter(Boolean).join(" ");

export function instancesOf(registration) {
  return Object.entries(registration?.availableInstances ?? {}).flatMap(([object, ids]) => ids.map((id) => `/${object}/${id}`));
}

// The objects of a device, by number, with the numbers of their instances. An object may have none.
export function objectsOf(registration) {
  const objects = new Map();
  for (const { url } of registration?.objectLinks ?? []) {
    const found = url.match(/^\/(\d+)(?:\/|$)/);
    if (found) objects.set(Number(found[1]), []);
  }
  for (const [object, ids] of Object.entries(registration?.availableInstances ?? {})) objects.set(Number(object), ids);
  return [...objects].sort(([a], [b]) => a - b);
}
