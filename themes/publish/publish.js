// The page /publish: a folder or a zip, its digests, what of it the server lacks, and the switch. Nothing leaves the tab before it is asked to.
import { files as inZip } from "/zip.js";

const $ = (id) => document.getElementById(id);
const SKIPPED = new Set([".git", ".hg", ".svn", ".DS_Store", "Thumbs.db", "node_modules", "__pycache__", "__MACOSX"]);
const AT_ONCE = 4;
let chosen = null; // path -> Blob
let digests = null; // path -> { sha256, size }
let turn = 0; // of what is being read: a later choice is what counts

function say(text, bad = false) {
  $("said").className = bad ? "bad" : "";
  $("said").replaceChildren(text);
}

async function api(method, path, { body, type, query } = {}) {
  const headers = { "x-ocean-key": $("key").value.trim() };
  if (type) headers["content-type"] = type;
  const answer = await fetch(path + (query ? `?${new URLSearchParams(query)}` : ""), { method, headers, body });
  const told = await answer.json();
  if (!answer.ok) throw new Error([told.error.message, told.error.hint].filter(Boolean).join(" "));
  return told;
}

const publish = (more) =>
  api("POST", address(), { body: JSON.stringify({ files: digests, ...more }), type: "application/json" });
const address = () => `/publish/${$("route").value.trim().split("/").map(encodeURIComponent).join("/")}`;

/** What of a folder is a site: as `ocean publish` takes it; a folder that is all there is, is the site. */
function site(found) {
  const kept = [...found].filter(([path]) =>
    path.split("/").every((part) => part && !SKIPPED.has(part) && (!part.startsWith(".") || part === ".well-known")),
  );
  const top = new Set(kept.map(([path]) => (path.includes("/") ? path.slice(0, path.indexOf("/") + 1) : "")));
  const [only] = top;
  const cut = top.size === 1 && only ? only.length : 0;
  return new Map(kept.map(([path, blob]) => [path.slice(cut).normalize("NFC"), blob]).sort(([a], [b]) => (a < b ? -1 : 1)));
}

async function take(reading) {
  const mine = ++turn;
  $("plan").hidden = true;
  say("Reading ...");
  try {
    const found = site(await reading);
    if (!found.size) throw new Error("There is nothing to publish in it.");
    const sums = Object.create(null);
    for (const [path, blob] of found) {
      const sum = new Uint8Array(await crypto.subtle.digest("SHA-256", await blob.arrayBuffer()));
      sums[path] = { sha256: [...sum].map((byte) => byte.toString(16).padStart(2, "0")).join(""), size: blob.size };
      if (mine !== turn) return;
    }
    [chosen, digests] = [found, sums];
    $("chosen").textContent = `${found.size} ${found.size === 1 ? "file" : "files"}`;
    if (!$("route").value && reading.name) $("route").value = reading.name;
    say(found.has("index.html") || found.has("index.md") || found.has("index") ? "" : "There is no index.html in it: the site will begin with a list of its pages.");
    await plan();
  } catch (fault) {
    if (mine === turn) say(fault.message, true);
  }
}

async function plan() {
  if (!digests || !$("form").reportValidity()) return;
  if ($("route").value.split("/").some((part) => part === "." || part === "..")) throw new Error("A folder's name has no dots alone.");
  const told = await publish({ plan: true });
  const fresh = new Set(told.new);
  const rows = [
    ...told.new.map((path) => ["+", path]),
    ...told.change.filter((path) => !fresh.has(path)).map((path) => ["~", path]),
    ...told.remove.map((path) => ["-", path]),
  ];
  $("changes").replaceChildren(
    ...rows.slice(0, 500).map(([sign, path]) => {
      const row = document.createElement("li");
      row.dataset.sign = sign;
      row.textContent = path;
      return row;
    }),
  );
  $("summary").textContent = rows.length
    ? `${told.new.length} new, ${told.change.length - told.new.length} changed, ${told.remove.length} removed, ${told.keep} as before.`
    : "Nothing has changed since the last time.";
  $("go").disabled = $("preview").disabled = !rows.length;
  $("plan").hidden = false;
}

async function send(preview) {
  for (const button of [$("go"), $("preview")]) button.disabled = true;
  const bar = $("progress");
  try {
    const wanted = new Set((await publish({ plan: true })).upload);
    const waiting = [...chosen].filter(([path]) => wanted.delete(digests[path].sha256));
    bar.max = waiting.reduce((sum, [, blob]) => sum + blob.size, 0) || 1;
    bar.value = 0;
    bar.hidden = false;
    say("Sending ...");
    const work = async () => {
      for (let next = waiting.pop(); next; next = waiting.pop()) {
        const [path, blob] = next;
        await api("PUT", address(), { body: blob, type: "application/octet-stream", query: { sha256: digests[path].sha256 } });
        bar.value += blob.size;
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    const told = await publish({ preview });
    const link = Object.assign(document.createElement("a"), { href: told.url, textContent: told.url, target: "_blank", rel: "noopener" });
    say("");
    $("said").append(preview ? "Look at it here: " : "It is live: ", link);
    await plan();
  } catch (fault) {
    say(fault.message, true);
    for (const button of [$("go"), $("preview")]) button.disabled = false;
  } finally {
    bar.hidden = true;
  }
}

/** A dropped folder, file by file. */
async function walk(entry, at = "") {
  if (entry.isFile) return [[at + entry.name, await new Promise((yes, no) => entry.file(yes, no))]];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const part = await new Promise((yes, no) => reader.readEntries(yes, no)); // a hundred at a time
    if (!part.length) return found;
    for (const each of part) if (!SKIPPED.has(each.name)) found.push(...(await walk(each, `${at}${entry.name}/`)));
  }
}

function named(promise, name) {
  return Object.assign(promise, { name: name.replace(/\.zip$/i, "").replace(/[^A-Za-z0-9._~-]+/g, "-").replace(/^[-.]+|-+$/g, "") });
}

const isZip = (file) => /\.zip$/i.test(file.name);
const fromZip = async (file) => new Map(await inZip(file));

$("folder").addEventListener("change", (event) => {
  const list = [...event.target.files];
  if (list.length) take(named(Promise.resolve(new Map(list.map((file) => [file.webkitRelativePath || file.name, file]))), list[0].webkitRelativePath.split("/")[0] || ""));
});
$("zip").addEventListener("change", (event) => {
  const [file] = event.target.files;
  if (file) take(named(fromZip(file), file.name));
});
for (const name of ["dragenter", "dragover"]) {
  document.addEventListener(name, (event) => {
    event.preventDefault();
    $("drop").classList.add("over");
  });
}
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) $("drop").classList.remove("over");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  $("drop").classList.remove("over");
  const [only] = event.dataTransfer.files;
  const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean); // before anything is waited for
  if (event.dataTransfer.files.length === 1 && isZip(only)) take(named(fromZip(only), only.name));
  else if (entries.length) take(named(Promise.all(entries.map((entry) => walk(entry))).then((parts) => new Map(parts.flat())), entries.length === 1 ? entries[0].name : ""));
});
$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  send(false);
});
$("preview").addEventListener("click", () => send(true));
for (const id of ["route", "key"]) $(id).addEventListener("change", () => digests && plan().catch((fault) => say(fault.message, true)));
$("make").addEventListener("click", async () => {
  try {
    const pair = await crypto.subtle.generateKey("Ed25519", true, ["sign"]);
    const seed = new Uint8Array(await crypto.subtle.exportKey("pkcs8", pair.privateKey)).slice(-32); // RFC 8410, 7
    $("key").value = `osk_${btoa(String.fromCharCode(...seed)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "")}`;
    $("key").type = "text";
    say("Keep this key: whoever has it owns the site, and it is kept nowhere else.");
  } catch {
    say("This browser makes no such keys. In a terminal: ocean keys", true);
  }
});
if (!crypto.subtle) say("Open this page by https: a browser reads no files for a page in the clear.", true);
