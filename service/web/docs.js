// The API page: shows openapi.json, and sends requests from it. Everything comes from this service.

import { onKey, send } from "./key.js";

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
  if (operation.parameters) section.append(element("h3", { text: "In the address" }), parameters(operation.parameters));
  const [mediaType, body] = Object.entries(operation.requestBody?.content ?? {})[0] ?? [];
  if (body) {
    const { name, schema } = resolve(body["x-line"] ?? body.schema, schemas);
    section.append(heading(body["x-line"] ? "Every line of the request" : "Request", name), fields(schema));
  }
  section.append(element("h3", { text: "Responses" }), responses(operation.responses));
  section.append(trial(method, filled(path, operation.parameters), (operation.parameters ?? []).filter((parameter) => parameter.in === "query"), mediaType, body?.examples));
  return section;
}

function responses(all) {
  const list = element("dl", { className: "fields" });
  for (const [status, response] of Object.entries(all)) {
    const { schema, "x-line": line } = Object.values(response.content)[0];
    const detail = element("dd", { children: line ? ["lines, each ", typeOf(line)] : [typeOf(schema)] });
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

// What a call takes in its address: the same list as an object's fields, from parameters.
function parameters(all) {
  return fields({ properties: Object.fromEntries(all.map(({ name, description, schema }) => [name, { ...schema, description }])) });
}

// A path parameter has one value, that of the served model, so a path can be filled in.
function filled(path, all = []) {
  return all.filter((parameter) => parameter.in === "path").reduce((soFar, { name, schema }) => soFar.replace(`{${name}}`, encodeURIComponent(schema.enum[0])), path);
}

// A form that sends the call: its parameters, its body where it has one, and what the service answers.
function trial(method, path, queries, mediaType, examples) {
  const box = element("div", { className: "try" });
  const choices = queries.map(choice);
  const input = mediaType && element("textarea", { attributes: { rows: "4", spellcheck: "false", "aria-label": `Body for ${path}` } });
  const output = element("pre", { attributes: { tabindex: "0", "aria-label": `Answer of ${path}`, "aria-live": "polite" } });
  const button = element("button", { className: "send", text: "Send", attributes: { type: "button", "aria-label": `Send ${method.toUpperCase()} ${path}` } });
  const buttons = Object.entries(examples ?? {}).map(([name, { value }]) => {
    const example = element("button", { text: name, attributes: { type: "button" } });
    example.addEventListener("click", () => { input.value = written(value); });
    return example;
  });
  output.hidden = true;
  if (input) input.value = written(Object.values(examples)[0].value);
  button.addEventListener("click", async () => {
    output.hidden = false;
    const query = new URLSearchParams(choices.map(({ select }) => [select.name, select.value]).filter(([, value]) => value));
    const options = input ? { headers: { "Content-Type": mediaType }, body: input.value } : {};
    output.textContent = await answer(query.size ? `${path}?${query}` : path, { method: method.toUpperCase(), ...options });
  });
  box.append(element("h3", { text: "Try it" }), ...choices.map(({ label }) => label), ...(input ? [input] : []), element("div", { className: "examples", children: [button, ...buttons] }), output);
  return box;
}

// A query parameter to choose: one of its values, or none, which means its default.
function choice({ name, schema }) {
  const values = schema.type === "boolean" ? ["true", "false"] : schema.enum ?? schema.examples;
  const select = element("select", { attributes: { name }, children: ["", ...values].map((value) => element("option", { text: value, attributes: { value } })) });
  select.options[0].textContent = `by default ${schema.default}`;
  return { select, label: element("label", { className: "choice", children: [element("code", { text: name }), select] }) };
}

// A stream's example is text already.
function written(example) {
  return typeof example === "string" ? example : JSON.stringify(example, null, 2);
}

async function answer(path, options) {
  try {
    const started = performance.now();
    const response = await send(path.slice(1), options);
    const content = await response.text();
    const shown = response.headers.get("Content-Type") === "application/json" ? JSON.stringify(JSON.parse(content), null, 2) : content;
    return `${response.status}, ${Math.round(performance.now() - started)} ms\n\n${shown}`;
  } catch {
    return "The service does not answer. Is it still running?";
  }
}

// A schema's type in a reader's words, with a link where it has a name.
function typeOf(schema) {
  if (schema === true) return document.createTextNode("anything");
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

async function start() {
  const main = document.getElementById("main");
  try {
    const response = await send("openapi.json");
    if (response.status === 401) main.replaceChildren(paragraph("Enter an API key above, and the document appears here."));
    else show(await response.json());
  } catch {
    main.replaceChildren(paragraph("The OpenAPI document could not be loaded. Is the service still running?"));
  }
}

onKey(start);
await start();
