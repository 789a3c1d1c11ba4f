// The API page: shows openapi.json, and sends requests from it. Everything comes from this service.

const REFERENCE = "#/components/schemas/";

function show(specification) {
  const { info, paths, components } = specification;
  const main = document.getElementById("main");
  main.replaceChildren(paragraph(info.description));
  for (const [path, methods] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(methods)) main.append(call(path, method, operation, components.schemas));
  }
  const title = element("h2", { text: "Every object" });
  main.append(element("section", { children: [title, ...Object.entries(components.schemas).map(([name, schema]) => schemaSection(name, schema))] }));
}

function call(path, method, operation, schemas) {
  const section = element("section", { className: "call" });
  section.append(
    element("h2", { children: [element("span", { className: `method ${method}`, text: method.toUpperCase() }), element("code", { text: path }), operation.summary] }),
  );
  if (operation.description) section.append(paragraph(operation.description));
  const body = operation.requestBody?.content["application/json"];
  if (body) {
    const { name, schema } = resolve(body.schema, schemas);
    section.append(heading("Request", name), fields(schema));
  }
  section.append(element("h3", { text: "Responses" }), responses(operation.responses));
  if (body) section.append(trial(path, body.examples));
  return section;
}

function responses(all) {
  const list = element("dl", { className: "fields" });
  for (const [status, response] of Object.entries(all)) {
    const schema = Object.values(response.content)[0].schema;
    const detail = element("dd", { children: [typeOf(schema)] });
    for (const line of response.description.split("\n")) detail.append(paragraph(line));
    list.append(element("dt", { children: [element("code", { text: status })] }), detail);
  }
  return list;
}

function schemaSection(name, schema) {
  const section = element("section", { className: "schema", children: [element("h3", { text: name })] });
  section.id = name;
  if (schema.description) section.append(paragraph(schema.description));
  section.append(fields(schema));
  return section;
}

function fields(schema) {
  const list = element("dl", { className: "fields" });
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    const detail = element("dd", { children: [typeOf(field)] });
    if ("default" in field) detail.append(", by default ", element("code", { text: JSON.stringify(field.default) }));
    if (field.maxItems) detail.append(`, at most ${field.maxItems.toLocaleString("en")}`);
    if (field.description) detail.append(paragraph(field.description));
    if (field.examples) detail.append(element("p", { className: "quiet", children: ["For example ", element("code", { text: JSON.stringify(field.examples[0]) })] }));
    list.append(element("dt", { children: [element("code", { text: name })] }), detail);
  }
  return list;
}

function trial(path, examples) {
  const box = element("div", { className: "try" });
  const input = element("textarea", { attributes: { rows: "4", spellcheck: "false", "aria-label": `Body for ${path}` } });
  const output = element("pre", { attributes: { tabindex: "0", "aria-label": `Answer of ${path}`, "aria-live": "polite" } });
  const send = element("button", { className: "send", text: "Send", attributes: { type: "button" } });
  const choices = Object.entries(examples).map(([name, { value }]) => {
    const button = element("button", { text: name, attributes: { type: "button" } });
    button.addEventListener("click", () => { input.value = JSON.stringify(value, null, 2); });
    return button;
  });
  output.hidden = true;
  input.value = JSON.stringify(Object.values(examples)[0].value, null, 2);
  send.addEventListener("click", async () => {
    output.hidden = false;
    output.textContent = await answer(path, input.value);
  });
  box.append(element("h3", { text: "Try it" }), input, element("div", { className: "examples", children: [send, ...choices] }), output);
  return box;
}

async function answer(path, body) {
  try {
    const started = performance.now();
    const response = await fetch(path.slice(1), { method: "POST", headers: { "Content-Type": "application/json" }, body });
    const content = await response.json();
    return `${response.status}, ${Math.round(performance.now() - started)} ms\n\n${JSON.stringify(content, null, 2)}`;
  } catch {
    return "The service does not answer. Is it still running?";
  }
}

// A schema's type in a reader's words, with a link where it has a name.
function typeOf(schema) {
  if (schema.$ref) {
    const name = schema.$ref.slice(REFERENCE.length);
    return element("a", { text: name, attributes: { href: `#${name}` } });
  }
  if (schema.anyOf) return joined(schema.anyOf.map(typeOf), " or ");
  if (schema.enum) return element("code", { text: schema.enum.map((value) => JSON.stringify(value)).join(" | ") });
  if ("const" in schema) return element("code", { text: JSON.stringify(schema.const) });
  if (schema.prefixItems) return joined(["[", joined(schema.prefixItems.map(typeOf), ", "), "]"], "");
  if (schema.type === "array") return joined(["list of ", typeOf(schema.items)], "");
  if (schema.type === "object" && schema.additionalProperties) return joined(["object of ", typeOf(schema.additionalProperties)], "");
  return document.createTextNode(schema.type ?? "anything");
}

function joined(parts, between) {
  const whole = document.createDocumentFragment();
  parts.forEach((part, at) => whole.append(at ? between : "", part));
  return whole;
}

function resolve(schema, schemas) {
  const name = schema.$ref.slice(REFERENCE.length);
  return { name, schema: schemas[name] };
}

function heading(title, name) {
  return element("h3", { children: [`${title}: `, element("a", { text: name, attributes: { href: `#${name}` } })] });
}

// Text in which `code` stands between backquotes.
function paragraph(text) {
  const parts = text.split("`");
  return element("p", { children: parts.map((part, at) => (at % 2 ? element("code", { text: part }) : part)) });
}

function element(tag, { className = "", text = "", attributes = {}, children = [] }) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

try {
  const response = await fetch("openapi.json");
  show(await response.json());
} catch {
  document.getElementById("main").replaceChildren(paragraph("The OpenAPI document could not be loaded. Is the service still running?"));
}
