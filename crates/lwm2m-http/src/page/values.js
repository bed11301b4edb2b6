// Values of resources: how they are written for people, and read from what people type.

// Meanings that the object definitions have in their prose only.
const KNOWN = {
  "3/6": { 0: "DC power", 1: "internal battery", 2: "external battery", 3: "fuel cell", 4: "power over Ethernet", 5: "USB", 6: "AC mains", 7: "solar" },
  "3/11": {
    0: "no error", 1: "low battery", 2: "external supply off", 3: "GPS failure", 4: "low signal", 5: "out of memory",
    6: "SMS failure", 7: "IP connectivity failure", 8: "peripheral malfunction",
  },
  "3/20": { 0: "normal", 1: "charging", 2: "charge complete", 3: "damaged", 4: "low", 5: "not installed", 6: "unknown" },
  "4/0": { 0: "GSM", 1: "TD-SCDMA", 2: "WCDMA", 3: "CDMA2000", 4: "WiMAX", 5: "LTE-TDD", 6: "LTE-FDD", 7: "NB-IoT", 21: "WLAN", 22: "Bluetooth", 23: "IEEE 802.15.4", 41: "Ethernet", 42: "DSL", 43: "PLC" },
  "5/3": { 0: "idle", 1: "downloading", 2: "downloaded", 3: "updating" },
  "5/5": {
    0: "initial", 1: "updated", 2: "not enough flash", 3: "out of memory", 4: "connection lost", 5: "integrity check failed",
    6: "unsupported package type", 7: "invalid URI", 8: "update failed", 9: "unsupported protocol",
  },
  "5/8": { 0: "CoAP", 1: "CoAPS", 2: "HTTP", 3: "HTTPS", 4: "CoAP over TCP", 5: "CoAP over TLS" },
  "5/9": { 0: "pull", 1: "push", 2: "both" },
};
KNOWN["4/1"] = KNOWN["4/0"];

const UNITS = { Cel: "°C", "1/min": "/min", "m/s2": "m/s²", m3: "m³", m2: "m²", Ohm: "Ω", deg: "°" };
export const unit = (text = "") => UNITS[text] ?? text;

export const TYPES = ["STRING", "INTEGER", "UNSIGNED_INTEGER", "FLOAT", "BOOLEAN", "OPAQUE", "TIME", "OBJLNK", "CORELINK"];

export const typeOf = (definition, node) => {
  const type = (definition?.type ?? node?.type ?? "none").toUpperCase();
  return type === "NONE" && node ? node.type : type;
};

const TYPE_WORDS = {
  STRING: "text", INTEGER: "integer", UNSIGNED_INTEGER: "unsigned integer", FLOAT: "number", BOOLEAN: "true or false",
  OPAQUE: "bytes", TIME: "time", OBJLNK: "object link", CORELINK: "link",
};
export const typeWord = (type) => TYPE_WORDS[type] ?? "";

export const isNumber = (type) => ["INTEGER", "UNSIGNED_INTEGER", "FLOAT"].includes(type);

// The values that a definition names, with their meanings: [[value, meaning]]; none if it has a range.
export function enumeration(object, definition) {
  if (!definition) return [];
  const known = KNOWN[`${object}/${definition.id}`];
  if (known) return Object.entries(known);
  const { range = "", type } = definition;
  if (type === "string") return [...range.matchAll(/"([^"]*)"/g)].map(([, text]) => [text, ""]);
  const labelled = [...range.matchAll(/(-?\d+)\s*[:=]\s*(.+?)(?=[\s,;]+-?\d+\s*[:=]|$)/g)];
  return labelled.map(([, value, meaning]) => [value, meaning.toLowerCase().replaceAll("_", " ")]);
}

// A range as a sentence for people; empty if the definition has none, or lists values.
export function rangeWords(definition) {
  const range = definition?.range ?? "";
  if (!range || /[:="]/.test(range)) return "";
  return range.replace(/(\d)\s*\.\.\.?\s*(-?\d)/g, "$1 to $2").replace(/^(-?\d+)-(-?\d+)/, "$1 to $2");
}

// One value as text.
export function plain(value, type) {
  if (value === null || value === undefined) return "";
  if (type === "TIME") return new Date(value).toLocaleString();
  if (type === "OBJLNK" && typeof value === "object") {
    return value.objectId === 65535 ? "none" : `/${value.objectId}/${value.objectInstanceId}`;
  }
  if (type === "OPAQUE") return value === "" ? "empty" : value.match(/.{1,2}/g).join(" ");
  if (type === "FLOAT") return shortened(value);
  if (type === "STRING" && value === "") return "empty";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

// Floats that came by 32 bits have digits that mean nothing.
function shortened(text) {
  const number = Number(text);
  const short = Number(number.toPrecision(7));
  return Math.abs(short - number) <= Math.abs(number) * 1e-7 && String(short).length < String(text).length ? String(short) : String(text);
}

// What stands in an input for a value, and back.
export function toInput(value, type) {
  if (value === null || value === undefined) return "";
  if (type === "TIME") return localTime(new Date(value));
  if (type === "OBJLNK") return `${value.objectId}:${value.objectInstanceId}`;
  return String(value);
}

function localTime(date) {
  const local = new Date(date.getTime() - date.getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 19);
}

const bad = (expected) => { throw new Error(`Write ${expected}.`); };

export function fromInput(text, type) {
  switch (type) {
    case "BOOLEAN": return text === "true";
    case "INTEGER": return /^[+-]?\d+$/.test(text.trim()) ? text.trim() : bad("a whole number, such as 21");
    case "UNSIGNED_INTEGER": return /^\d+$/.test(text.trim()) ? text.trim() : bad("a whole number from 0, such as 21");
    case "FLOAT": return text.trim() !== "" && Number.isFinite(Number(text)) ? text.trim() : bad("a number, such as 21.5");
    case "TIME": return Number.isFinite(Date.parse(text)) ? Date.parse(text) : bad("a date and a time");
    case "OPAQUE": return hexOf(text);
    case "OBJLNK": return linkOf(text);
    default: return text;
  }
}

function hexOf(text) {
  const digits = text.replace(/[\s:]/g, "");
  return /^([0-9a-f]{2})*$/i.test(digits) ? digits : bad("bytes as pairs of hexadecimal digits, such as 0a ff");
}

function linkOf(text) {
  const found = text.trim().match(/^\/?(\d+)[:/](\d+)$/);
  if (!found) bad("an object and an instance, such as 3303:0");
  return { objectId: Number(found[1]), objectInstanceId: Number(found[2]) };
}

// The paths of a value's ancestors, itself first: /3/0/9, /3/0, /3.
export function upwards(path) {
  const parts = path.split("/").slice(1);
  return parts.map((_, index) => `/${parts.slice(0, parts.length - index).join("/")}`);
}
