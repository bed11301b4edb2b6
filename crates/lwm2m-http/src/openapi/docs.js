// Lists the operations of openapi.json, and sends requests. No text from elsewhere becomes markup.

const element = (name, attributes = {}, ...children) => {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
};

const message = document.getElementById("message");
const token = document.getElementById("token");
const headers = () => (token.value ? { authorization: `Bearer ${token.value.trim()}` } : {});

/** The input of a parameter. */
function field(parameter) {
  const { name, schema, description, required } = parameter;
  const options = schema.enum ?? (schema.type === "boolean" ? ["true", "false"] : null);
  const input = options
    ? element("select", { name }, element("option", { value: "" }), ...options.map((it) => element("option", {}, it)))
    : element("input", { name, placeholder: schema.examples?.[0] ?? schema.type });
  if (required) input.required = true;
  return element("label", {}, `${name} `, input, element("small", {}, ` ${description ?? ""}`));
}

/** The address that a form asks for. */
function address(path, parameters, form) {
  let filled = path.slice(1);
  const query = new URLSearchParams();
  for (const { name, in: where } of parameters) {
    const value = form.elements[name].value;
    if (where === "path") {
      const slashes = name === "path" ? value.split("/").filter(Boolean).map(encodeURIComponent).join("/") : encodeURIComponent(value);
      filled = filled.replace(`{${name}}`, slashes);
    } else if (value) query.set(name, value);
  }
  return filled + (query.size ? `?${query}` : "");
}

async function send(method, url, form, output) {
  const body = form.elements.body?.value;
  const type = form.elements.type?.value;
  const options = { method: method.toUpperCase(), headers: headers() };
  if (body) {
    options.body = body;
    options.headers["content-type"] = type;
  }
  output.textContent = "…";
  try {
    const response = await fetch(url, options);
    const text = await response.text();
    let shown = text;
    try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* It is no JSON. */ }
    output.textContent = `${response.status} ${response.statusText}\n${shown.slice(0, 100000)}`;
  } catch (error) {
    output.textContent = `The server cannot be reached: ${error.message}`;
  }
}

/** One operation, folded together until it is wanted. */
function view(path, method, operation) {
  const parameters = operation.parameters ?? [];
  const form = element("form", {}, ...parameters.map(field));
  const types = Object.keys(operation.requestBody?.content ?? {});
  if (types.length) {
    const type = element("select", { name: "type", "aria-label": "type of the body" }, ...types.map((it) => element("option", {}, it)));
    form.append(element("label", {}, "body ", type, element("textarea", { name: "body", rows: 5, "aria-label": "body" })));
  }
  const output = element("pre", { "aria-live": "polite" });
  form.append(element("button", {}, "Send"), output);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const url = address(path, parameters, form);
    if (path === "/api/event") { open(url); return; }
    send(method, url, form, output);
  });
  const title = element("summary", {}, element("b", { class: method }, method.toUpperCase()), ` ${path} `, element("span", {}, operation.summary));
  return element("details", {}, title, form);
}

async function show() {
  const response = await fetch("api/openapi.json", { headers: headers() });
  if (!response.ok) {
    message.textContent = "Log in to the page first, or give a token with the scope viewer.";
    return;
  }
  message.textContent = "";
  const { paths } = await response.json();
  const all = Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => view(path, method, operation)));
  document.getElementById("operations").replaceChildren(...all);
}

document.getElementById("search").addEventListener("input", ({ target }) => {
  const wanted = target.value.toLowerCase();
  for (const one of document.querySelectorAll("details")) {
    one.hidden = !one.firstChild.textContent.toLowerCase().includes(wanted);
  }
});
token.addEventListener("change", show);
show();
