"use strict";

const $ = (id) => document.getElementById(id);

function made(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element[key] = value;
  element.append(...children);
  return element;
}

function example(schema) {
  if (!schema || !schema.properties) return "";
  const values = { string: "", integer: 0, number: 0, boolean: false, object: {}, array: [] };
  const wanted = schema.required || [];
  return JSON.stringify(Object.fromEntries(wanted.map((name) => [name, values[schema.properties[name].type] ?? {}])), null, 2);
}

function operation(path, method, about) {
  const fields = about.parameters.map((parameter) => {
    const input = made("input", { required: parameter.required, value: parameter.required ? parameter.example ?? "" : "", placeholder: parameter.example ?? parameter.schema.type ?? "" });
    return { ...parameter, input };
  });
  const [type, body] = Object.entries(about.requestBody?.content || {})[0] || [];
  const text = body ? made("textarea", { value: body.example === undefined ? example(body.schema) : JSON.stringify(body.example, null, 2), spellcheck: false, ariaLabel: "body" }) : null;
  const answer = made("pre", { hidden: true });
  const form = made("form", {});
  for (const field of fields) {
    form.append(made("label", {}, `${field.name} (${field.in}${field.required ? ", wanted" : ""})`, field.input));
  }
  if (text) form.append(made("label", {}, `body (${type})`, text));
  form.append(made("button", { type: "submit" }, "Send"), answer);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(path, method, fields, type, text?.value, answer);
  });
  const told = about.description ? [made("p", {}, about.description.replaceAll("`", ""))] : [];
  const head = made("summary", {}, made("b", {}, method.toUpperCase()), path, made("span", {}, about.summary));
  const block = made("details", {}, head, ...told, form);
  block.dataset.words = `${method} ${path} ${about.summary} ${about.description || ""}`.toLowerCase();
  return block;
}

async function send(path, method, fields, type, body, answer) {
  const query = new URLSearchParams();
  const headers = {};
  let address = path;
  for (const { name, in: where, input } of fields) {
    if (!input.value) continue;
    if (where === "path") address = address.replace(`{${name}}`, input.value.split("/").map(encodeURIComponent).join("/"));
    else if (where === "query") query.append(name, input.value);
    else headers[name] = input.value;
  }
  if ($("key").value) headers["x-ocean-key"] = $("key").value;
  if (body !== undefined) headers["content-type"] = type === "*/*" ? "application/octet-stream" : type;
  answer.hidden = false;
  answer.className = "";
  answer.textContent = "...";
  try {
    const got = await fetch(address + (query.size ? `?${query}` : ""), { method: method.toUpperCase(), headers, body });
    const kind = got.headers.get("content-type") || "";
    answer.className = got.ok ? "" : "bad";
    if (kind.startsWith("text/event-stream")) await follow(got, answer);
    else {
      const text = await got.text();
      answer.textContent = `${got.status}\n${kind.includes("json") && text ? JSON.stringify(JSON.parse(text), null, 2) : text.slice(0, 100000)}`;
    }
  } catch (fault) {
    answer.className = "bad";
    answer.textContent = String(fault);
  }
}

async function follow(got, answer) {
  answer.textContent = `${got.status}\n`;
  const reader = got.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    answer.textContent = (answer.textContent + value).slice(-20000);
  }
}

async function begin() {
  const description = await (await fetch("/openapi.json")).json();
  $("about").textContent = description.info.description;
  const groups = new Map();
  for (const [path, methods] of Object.entries(description.paths)) {
    for (const [method, about] of Object.entries(methods)) {
      const [tag] = about.tags;
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push(operation(path, method, about));
    }
  }
  for (const [tag, operations] of groups) $("operations").append(made("section", {}, made("h2", {}, tag), ...operations));
}

$("who").addEventListener("submit", (event) => event.preventDefault());
$("filter").addEventListener("input", (event) => {
  const wanted = event.target.value.toLowerCase();
  for (const section of document.querySelectorAll("section")) {
    let any = false;
    for (const block of section.querySelectorAll("details")) any = !(block.hidden = !block.dataset.words.includes(wanted)) || any;
    section.hidden = !any;
  }
});
begin();
