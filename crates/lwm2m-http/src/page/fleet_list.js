// The devices that the fleet shows, page by page, kept up to date by events.
import { Store } from "./lib.js";
import { ask, queryOf } from "./api.js";

const PAGE = 1_000;
const FIELDS = "endpoint,address,lwM2mVersion,lifetime,bindingMode,lastUpdate,registrationDate,secure,queuemode,sleeping";

export const stateOf = ({ queuemode, sleeping, gone }) => {
  if (gone) return "gone";
  if (!queuemode) return "listening";
  return sleeping ? "asleep" : "awake";
};

// Where the next page begins, as the header Link has it.
function nextOf(link) {
  const address = link?.match(/<([^>]*)>/)?.[1];
  return address ? new URL(address, location.href).searchParams.get("after") : null;
}

// Names as the server orders them: by their bytes.
const before = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

export class FleetList extends Store {
  constructor(filter) {
    super();
    this.filter = filter;
    this.rows = [];
    this.byName = new Map();
    this.next = null;
    this.complete = false;
    this.loading = false;
    this.error = null;
  }

  // Loads the next page, unless one is on its way or there is none.
  async more() {
    if (this.loading || this.complete) return;
    this.loading = true;
    this.error = null;
    this.changed();
    try {
      await this.#page();
    } catch (error) {
      this.error = error;
    }
    this.loading = false;
    this.changed();
  }

  async #page() {
    const query = queryOf({ limit: PAGE, after: this.next, fields: FIELDS, ...this.filter });
    const { sort } = this.filter;
    const { response, body } = await ask("GET", `api/clients${query}`);
    const last = this.rows.at(-1)?.endpoint;
    for (const row of body) this.#put(row);
    // Devices that registered meanwhile may be there already.
    if (!sort && last !== undefined && body.length && body[0].endpoint < last) this.rows.sort((a, b) => before(a.endpoint, b.endpoint));
    this.next = nextOf(response.headers.get("Link"));
    this.complete = this.next === null;
  }

  // Loads again what is shown, which stays until that is there.
  async reload() {
    const fresh = new FleetList(this.filter);
    do await fresh.more(); while (!fresh.error && !fresh.complete && fresh.rows.length < this.rows.length);
    if (fresh.error) this.error = fresh.error;
    else Object.assign(this, { rows: fresh.rows, byName: fresh.byName, next: fresh.next, complete: fresh.complete, error: null });
    this.changed();
  }

  #put(row) {
    const known = this.byName.get(row.endpoint);
    if (known) Object.assign(known, row);
    else {
      this.byName.set(row.endpoint, row);
      this.rows.push(row);
    }
    return known;
  }

  // A new device is shown where it belongs, if the rows around it are there.
  #insert(device) {
    const { endpoint } = device;
    const isBeyond = !this.complete && (this.rows.length === 0 || endpoint > this.rows.at(-1).endpoint);
    // In another order the newest ones come first, or after all that are loaded.
    if (!this.#wants(device) || (this.filter.sort ? !this.filter.sort.startsWith("-") : isBeyond)) return;
    if (this.filter.sort) {
      this.byName.set(endpoint, device);
      return void this.rows.unshift(device);
    }
    let [low, high] = [0, this.rows.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.rows[middle].endpoint < endpoint) low = middle + 1;
      else high = middle;
    }
    this.byName.set(endpoint, device);
    this.rows.splice(low, 0, device);
  }

  #wants(device) {
    const { q = "", state, object, secure } = this.filter;
    // What objects it has is known to the server only.
    if (object) return false;
    return device.endpoint.toLowerCase().includes(q.toLowerCase())
      && (!state || stateOf(device) === state) && (!secure || String(device.secure) === secure);
  }

  on(name, data) {
    const device = data?.registration ?? data;
    if (name === "OPEN" || name === "LAGGED") return void this.reload();
    if (name === "REGISTRATION" || name === "UPDATED") {
      const { objectLinks, availableInstances, ...row } = device;
      const known = this.byName.get(row.endpoint);
      if (known) Object.assign(known, row, { gone: false });
      else this.#insert({ ...row, isNew: true });
    } else if (name === "DEREGISTRATION") {
      const known = this.byName.get(device.endpoint);
      if (!known) return;
      known.gone = true;
    } else if (name === "SLEEPING" || name === "AWAKE") {
      const known = this.byName.get(data.ep);
      if (known?.queuemode) known.sleeping = name === "SLEEPING";
    } else return;
    this.changed();
  }
}
