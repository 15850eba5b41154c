// One page for three things: /auth/verify (the button of a mailed link), /buy?drop=ID, and /account.
// The key stays in this browser, at the API's own address, where nobody else's pages are.

const $ = (id) => document.getElementById(id);
const KEPT = "ocean-key";
const query = new URLSearchParams(location.search);

function say(text, bad = false) {
  $("said").textContent = text;
  $("said").classList.toggle("bad", bad);
  if (text) $("said").scrollIntoView({ block: "nearest" });
}

function show(...ids) {
  for (const section of document.querySelectorAll("main > section")) section.hidden = !ids.includes(section.id);
}

async function ask(method, path, body) {
  const headers = {};
  const key = localStorage.getItem(KEPT);
  if (key) headers["x-ocean-key"] = key;
  if (body !== undefined) headers["content-type"] = "application/json";
  if (method === "POST" && !path.startsWith("/auth/")) headers["idempotency-key"] = crypto.randomUUID();
  const answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const told = await answer.json();
  if (!answer.ok) {
    const fault = new Error([told.error.message, told.error.hint].filter(Boolean).join(" "));
    fault.code = told.error.code;
    throw fault;
  }
  return told;
}

// Runs what a button does, once at a time; what goes wrong is said.
function doing(button, work) {
  return async (event) => {
    event?.preventDefault();
    button.disabled = true;
    say("");
    try {
      await work();
    } catch (fault) {
      say(fault.message, true);
    } finally {
      button.disabled = false;
    }
  };
}

function login(why, next) {
  show("login");
  $("why").textContent = why;
  const form = $("ask");
  form.onsubmit = doing(form.querySelector("button"), async () => {
    const email = $("email").value.trim();
    await ask("POST", "/auth/login", { email, next });
    form.hidden = $("how").hidden = true;
    say(`A link is on its way to ${email}. Open it within 15 minutes.`);
  });
}

function verify() {
  show("verify");
  const token = query.get("token") ?? "";
  history.replaceState(null, "", location.pathname); // the token does not stay in the address
  $("enter").onclick = doing($("enter"), async () => {
    const told = await ask("POST", "/auth/verify", { token });
    const enter = () => {
      localStorage.setItem(KEPT, told.key);
      location.assign(told.next ?? "/account");
    };
    if ((localStorage.getItem(KEPT) ?? told.key) === told.key) return enter();
    say(`This browser is signed in to another account. The link is ${told.email}'s.`);
    $("enter").textContent = `Go on as ${told.email}`; // whose link it is, is not the sender's to choose
    $("enter").onclick = enter;
  });
}

const short = (name) => (name.length > 20 ? `${name.slice(0, 8)}…` : name); // a key, where there is no handle
const io = (amount) => `${amount} io`;

async function buy() {
  const drop = query.get("drop") ?? "";
  const here = `/buy?drop=${encodeURIComponent(drop)}`;
  if (!localStorage.getItem(KEPT)) return login("Sign in to buy this page.", here);
  const [offer, me] = await Promise.all([ask("GET", `/purchase/${encodeURIComponent(drop)}`), ask("GET", "/whoami")]);
  show("offer");
  document.title = $("title").textContent = offer.key ?? offer.route;
  if (typeof offer.preview === "string") {
    $("preview").textContent = offer.preview;
    $("preview").hidden = false;
  }
  const costs = offer.price ?? offer.price_per_read;
  const poor = !offer.bought && me.balance < costs;
  $("terms").textContent = offer.bought ? "You have it." : offer.price === undefined && costs !== undefined
    ? `It costs ${io(costs)} at each reading, which programs pay for: GET /entity/${offer.route} with X-Ocean-Budget: ${costs}`
    : `It costs ${io(costs ?? 0)}. You have ${io(me.balance)}.${poor ? " That is too little." : ""}`;
  if (me.email) $("terms").textContent += ` You are ${me.email}.`;
  $("buy").hidden = (!offer.bought && offer.price === undefined) || (offer.bought && offer.key === undefined);
  $("buy").textContent = offer.bought ? "Read it" : "Buy and read";
  $("buy").disabled = poor;
  $("more").hidden = !poor || $("buy").hidden;
  $("more").onclick = doing($("more"), () => pay(Math.ceil(costs - me.balance), here));
  $("buy").onclick = doing($("buy"), async () => {
    if (!offer.bought) await ask("POST", `/purchase/${encodeURIComponent(offer.drop_id)}`);
    if (offer.key === undefined) return buy(); // an event has no page
    const ticket = await ask("POST", `/tickets/${offer.route.split("/").map(encodeURIComponent).join("/")}`, { key: offer.key });
    location.assign(ticket.url);
  });
}

async function pay(amount, next) {
  const order = await ask("POST", "/io/topup", { amount, next }).catch((fault) => {
    if (fault.code === "NOT_AVAILABLE") fault.message = "io is not sold here: ask whoever runs this server for some.";
    throw fault;
  });
  location.assign(order.url);
}

function put(list, name, value) {
  const term = document.createElement("dt");
  const said = document.createElement("dd");
  term.textContent = name;
  said.textContent = value;
  list.append(term, said);
}

async function account() {
  if (!localStorage.getItem(KEPT)) return login("", "/account");
  const me = await ask("GET", "/whoami");
  show("mine");
  $("facts").replaceChildren();
  for (const [name, value] of [["Mail", me.email], ["Handle", me.handle], ["Public id", me.public_id], ["Key", me.key], ["Balance", io(me.balance)]]) {
    if (value !== undefined) put($("facts"), name, value);
  }
  $("name").hidden = me.email === undefined;
  $("name").onsubmit = doing($("name").querySelector("button"), async () => {
    await ask("PATCH", "/auth/me", { handle: $("handle").value.trim() });
    await account();
  });
  $("topup").onsubmit = doing($("topup").querySelector("button"), () => pay(Number($("amount").value), "/account"));
  $("out").onclick = () => {
    localStorage.removeItem(KEPT);
    location.assign("/account");
  };
  const [bought, ledger] = await Promise.all([ask("GET", "/purchases"), ask("GET", "/ledger?limit=50")]);
  $("bought").replaceChildren(...bought.purchases.map((one) => {
    const item = document.createElement("li");
    const link = document.createElement("a");
    link.href = `/buy?drop=${encodeURIComponent(one.drop_id)}`;
    link.textContent = one.key ? `${one.route} @${one.key}` : one.route;
    item.append(link, ` for ${io(one.price)}${one.refunded_at ? ", refunded" : ""}`);
    return item;
  }));
  $("lines").replaceChildren(...ledger.entries.map((line) => {
    const row = document.createElement("tr");
    const out = line.from === "you";
    const what = line.about?.route ? `${line.type === "refund" ? "refund of" : out ? "bought" : "sold"} ${line.about.key ?? line.about.route}` : line.type;
    const when = new Date(line.created_at).toLocaleString([], { dateStyle: "short", timeStyle: "short" });
    for (const text of [when, what, short(out ? line.to : line.from), `${out ? "−" : "+"}${out ? line.amount : line.net}`]) {
      const cell = document.createElement("td");
      cell.textContent = text;
      row.append(cell);
    }
    row.lastChild.className = "number";
    return row;
  }));
}

const start = location.pathname === "/auth/verify" ? verify : location.pathname === "/buy" ? buy : account;
try {
  await start();
} catch (fault) {
  if (fault.code === "INVALID_CREDENTIAL") localStorage.removeItem(KEPT);
  say(fault.message, true);
}
