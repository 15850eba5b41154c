// Infinite Ocean for pages and for Node 18 and later. Types are in ocean.d.ts beside it.
//
//   import { Ocean } from "https://api.example.com/ocean.js";
//   const ocean = new Ocean({ key: "osk_..." });
//   await ocean.save("my/data", { name: "Alice" }, { key: "user-1" });

const RETRY_FIRST = 500, RETRY_MOST = 15000; // milliseconds before a stream is opened again
const ENDS = new Set(["closed"]); // the server's last word: opening it again would not help

/** An answer that is an error: `code` is one of the error table, `hint` the way out. */
export class OceanError extends Error {
  constructor(status, { code = "ERROR", message = `The server answered ${status}.`, hint, ...details } = {}) {
    super(message);
    this.name = "OceanError";
    Object.assign(this, { status, code, hint, details });
  }
}

export class Ocean {
  constructor({ url, key, fetch: fetcher } = {}) {
    this.url = (url ?? new URL(import.meta.url).origin).replace(/\/+$/, "");
    this.key = key;
    this.onkey = undefined; // called with the pair that the server made, where there was no key
    this.fetch = fetcher ?? globalThis.fetch.bind(globalThis);
    this.push = new Push(this);
  }

  /** Statements of Drops, as text. */
  exec(statement) {
    return this.#ask("POST", "/exec", { body: statement, type: "text/plain; charset=utf-8" });
  }

  save(route, payload, { key, ttl, price, pricePerRead, public: open, ifMatch, ifNoneMatch, wait, idempotencyKey } = {}) {
    return this.#ask("POST", "/drop", {
      json: { route, key, payload, ttl, price, price_per_read: pricePerRead, public: open },
      query: { wait },
      headers: { "if-match": ifMatch, "if-none-match": ifNoneMatch, "idempotency-key": idempotencyKey },
    });
  }

  get(route, key, { at, history, embedDepth, resolve } = {}) {
    return this.#ask("GET", `/entity/${path(route)}`, { query: { key, at, history, embed_depth: embedDepth, resolve } });
  }

  list(route, { limit, cursor } = {}) {
    return this.#ask("GET", `/entities/${path(route)}`, { query: { limit, cursor } });
  }

  update(route, key, changes, { ifMatch } = {}) {
    return this.#ask("PATCH", `/entity/${path(route)}`, { query: { key }, json: changes, headers: { "if-match": ifMatch } });
  }

  remove(route, key, { ifMatch } = {}) {
    return this.#ask("DELETE", `/entity/${path(route)}`, { query: { key }, headers: { "if-match": ifMatch } });
  }

  /** Several changes, all or none: [{ op: "save", route, key, payload }, ...]. */
  bulk(ops) {
    return this.#ask("POST", "/bulk", { json: { ops } });
  }

  /** Records of a folder and all beneath: { filter, sort, limit, skip, select, group, aggregate, join, cursor, deep }. */
  find(prefix, question = {}) {
    return this.#ask("POST", "/query", { json: { prefix, ...question } });
  }

  /** By words, by meaning, or both: { mode, top_k, filter, facets, wait, ... }. */
  search(prefix, text, question = {}) {
    return this.#ask("POST", "/search", { json: { prefix, text, ...question } });
  }

  sql(query) {
    return this.#ask("POST", "/sql", { json: { query } });
  }

  /** Moves a counter; `by` may be negative. */
  add(route, key, field, by = 1) {
    return this.#ask("POST", `/counter/${path(route)}`, { query: { key }, json: { field, by } });
  }

  /** What a function gives; with { queued: true } at once, a job_id to ask `job` about. */
  run(route, request = {}, { queued } = {}) {
    return this.#ask("POST", `/run/${path(route)}`, { query: { async: queued ? true : undefined }, json: request });
  }

  /** What came of a function that nobody waited for: its status is running, done or failed. */
  job(id) {
    return this.#ask("GET", `/run/status/${encodeURIComponent(id)}`);
  }

  whoami() {
    return this.#ask("GET", "/whoami");
  }

  /** Records as they are saved, for `for await`. It resumes where it was when the line breaks; `signal` ends it.
   *  `on(event, data)` is told of caught-up, gap, lagged and closed. */
  stream(route, { last, from, signal, on } = {}) {
    return this.#events(`/stream/${path(route)}`, { last, from }, signal, on);
  }

  /** Tells all who listen now; nothing is kept. */
  broadcast(route, payload) {
    return this.#ask("POST", `/broadcast/${path(route)}`, { json: payload });
  }

  /** Broadcasts as they come, for `for await`; `on` is told of join and leave. */
  listen(route, { signal, on } = {}) {
    return this.#events(`/broadcast/${path(route)}/listen`, {}, signal, on);
  }

  presence(route) {
    return this.#ask("GET", `/presence/${path(route)}`);
  }

  /** A File, Blob, or bytes into a folder. `onprogress(sent, total)` is called where the browser tells. */
  async upload(route, file, { type, onprogress, signal } = {}) {
    const kind = type ?? (file.type || "application/octet-stream");
    if (!onprogress || typeof XMLHttpRequest === "undefined") {
      return this.#ask("POST", "/blob", { body: file, type: kind, headers: { "x-blob-route": route }, signal });
    }
    const request = new XMLHttpRequest();
    return new Promise((done, failed) => {
      request.open("POST", `${this.url}/blob`);
      for (const [name, value] of Object.entries(this.#headers({ "content-type": kind, "x-blob-route": route }))) {
        request.setRequestHeader(name, value);
      }
      request.upload.onprogress = (event) => onprogress(event.loaded, event.total);
      request.onload = () => {
        const answer = parsed(request.responseText);
        if (request.status < 300) done(this.#adopt(answer));
        else failed(new OceanError(request.status, answer?.error));
      };
      request.onerror = () => failed(new TypeError("The upload broke off."));
      request.onabort = () => failed(new DOMException("The upload was stopped.", "AbortError"));
      signal?.addEventListener("abort", () => request.abort());
      request.send(file);
    });
  }

  /** Where a file that was uploaded is. */
  blobUrl(dropId) {
    return `${this.url}/blob/${encodeURIComponent(dropId)}`;
  }

  /** Any address of the API: { query, json, body, headers }. */
  request(method, address, options = {}) {
    return this.#ask(method, address, options);
  }

  #headers(more = {}) {
    const given = { ...(this.key ? { "x-ocean-key": this.key } : {}), ...more };
    return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  }

  #address(address, query = {}) {
    const asked = new URLSearchParams(Object.entries(query).filter(([, v]) => v !== undefined).map(([k, v]) => [k, String(v)]));
    return `${this.url}${address}${asked.size ? `?${asked}` : ""}`;
  }

  async #ask(method, address, { query, json, body, type, headers, signal } = {}) {
    const sent = json !== undefined ? JSON.stringify(json) : body;
    const kind = json !== undefined ? "application/json" : type;
    const answer = await this.fetch(this.#address(address, query), {
      method, body: sent, signal, headers: this.#headers({ "content-type": kind, ...headers }),
    });
    const told = parsed(await answer.text());
    if (!answer.ok) throw new OceanError(answer.status, told?.error);
    return this.#adopt(told);
  }

  /** The pair that was made for a caller without a key is the caller's from now on. */
  #adopt(answer) {
    if (answer?.keypair && !this.key) {
      this.key = answer.keypair.private;
      this.onkey?.(answer.keypair);
    }
    return answer;
  }

  async *#events(address, query, signal, on) {
    let position, wait = RETRY_FIRST;
    while (!signal?.aborted) {
      try {
        const asked = position === undefined ? query : {};
        const answer = await this.fetch(this.#address(address, asked), {
          headers: this.#headers({ "last-event-id": position, accept: "text/event-stream" }), signal,
        });
        if (!answer.ok) {
          const fault = new OceanError(answer.status, parsed(await answer.text())?.error);
          if (answer.status < 500 && answer.status !== 429) throw fault;
        } else {
          for await (const { event, id, data } of events(answer.body)) {
            wait = RETRY_FIRST;
            if (id !== undefined) position = id;
            if (!event) yield data;
            else on?.(event, data);
            if (ENDS.has(event)) return;
          }
        }
      } catch (fault) {
        if (signal?.aborted) return;
        if (fault instanceof OceanError) throw fault;
      }
      await pause(wait, signal);
      wait = Math.min(wait * 2, RETRY_MOST);
    }
  }
}

class Push {
  constructor(ocean) {
    this.ocean = ocean;
  }

  /** Asks for leave to notify, and has this browser notified of what is pushed to the key. Call it on a click. */
  async subscribe({ worker = "/ocean-sw.js", registration } = {}) {
    if ((await Notification.requestPermission()) !== "granted") throw new Error("Notifications are not allowed here.");
    const there = registration ?? (await navigator.serviceWorker.register(worker));
    await navigator.serviceWorker.ready;
    const { publicKey } = await this.ocean.request("GET", "/push/vapid-key");
    const subscription = await there.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytes(publicKey) });
    const { endpoint, keys } = subscription.toJSON();
    return this.ocean.request("POST", "/push/subscribe", { json: { endpoint, keys } });
  }

  /** Be notified of what is saved in a folder. */
  follow(prefix) {
    return this.ocean.request("POST", "/push/subscribe", { json: { prefix } });
  }

  /** { to: [key, ...], title, body, url, icon, tag } */
  send(message) {
    return this.ocean.request("POST", "/push/send", { json: message });
  }

  subscriptions() {
    return this.ocean.request("GET", "/push/subscriptions");
  }

  unsubscribe(id) {
    return this.ocean.request("DELETE", `/push/subscriptions/${encodeURIComponent(id)}`);
  }
}

/** Server-sent events of a body (WHATWG HTML, 9.2.6), the data of each as JSON. */
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text += value;
      let end;
      while ((end = text.indexOf("\n\n")) >= 0) {
        const found = { event: "", id: undefined, data: [] };
        for (const line of text.slice(0, end).split("\n")) {
          const [, name, rest] = /^([^:]*):? ?(.*)$/.exec(line);
          if (name === "data") found.data.push(rest);
          else if (name) found[name] = rest;
        }
        text = text.slice(end + 2);
        if (found.data.length) yield { ...found, data: parsed(found.data.join("\n")) };
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function pause(milliseconds, signal) {
  return new Promise((done) => {
    const timer = setTimeout(done, milliseconds);
    signal?.addEventListener("abort", () => { clearTimeout(timer); done(); }, { once: true });
  });
}

function path(route) {
  return route.split("/").map(encodeURIComponent).join("/").replace(/\/%2A$/, "/*");
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function bytes(base64url) {
  const raw = atob(base64url.replace(/-/g, "+").replace(/_/g, "/"));
  return Uint8Array.from(raw, (sign) => sign.charCodeAt(0));
}
