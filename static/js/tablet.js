/**
 * The site's tablet. One document for the whole session: a page's answers are sent, the next page
 * takes its place when they have arrived, and without a network both wait on the screen, which says
 * so. So nothing is kept in the browser, and Back finds no page that was left. Who goes away is
 * asked, and then the screen is given back. Other windows of the browser follow. Without this script
 * plain forms and links do.
 */
const LOOK = 1_000; // milliseconds between two looks at the clock
const WARNING = 60_000; // before the end
const HEARTBEAT = 60_000; // the study hears of somebody at work at least so often
const TIMEOUT = 15_000;
const LONGEST_WAIT = 15_000; // between two tries

let acted = Date.now(); // when somebody last did something
let heard = Date.now(); // when the study last heard of it
let leaving = false; // nobody is there: what is under way is finished unseen
/** @type {?Promise<void>} */ let sending = null;
let failures = 0;
/** @type {?Promise<typeof import("./aloud.js")>} */ let aloud = null;
const windows = "BroadcastChannel" in self ? new BroadcastChannel("tablet") : null;

/** @template {Element} Kind @param {string} which @returns {?Kind} */
const one = (which) => document.querySelector(which);
const limit = () => Number(document.body.dataset.idle ?? 0) * 1_000;

/** Say how things stand with what was sent. @param {string} [name] */
function say(name) {
  const line = one(".state");
  if (!line) return;
  const words = /** @type {?HTMLTemplateElement} */ (one("[data-words]"))?.content;
  const text = name ? words?.querySelector(`[data-word=${name}]`)?.textContent ?? "" : "";
  const part = document.createElement("span");
  part.className = name === "sending" ? "" : "waiting";
  part.textContent = text;
  line.replaceChildren(...(text ? [part] : []));
}

/** Ask for a page, or send one's form, until there is an answer; then show it. One after another.
 * @param {string} address @param {URLSearchParams} [body] */
function go(address, body) {
  sending ??= travel(address, body).finally(() => { sending = null; });
  return sending;
}

/** @param {string} address @param {URLSearchParams} [body] */
async function travel(address, body) {
  body?.set("device_time", new Date().toISOString());
  if (body) say("sending");
  for (failures = 0; ; failures += 1) {
    try {
      body?.set("sent_at", new Date().toISOString());
      const how = body ? { method: "POST", body } : {};
      const answer = await fetch(address, { ...how, signal: AbortSignal.timeout?.(TIMEOUT) });
      if (answer.status >= 500) throw new Error(String(answer.status));
      const text = await answer.text();
      failures = 0;
      heard = Date.now();
      return show(answer.url, text);
    } catch {
      say(body ? "waiting" : "opening");
      if (leaving) one("[data-cover]")?.toggleAttribute("hidden", false);
      await pause(Math.min(1_000 * 2 ** failures, LONGEST_WAIT));
    }
  }
}

/** So long, or until the network is back. @param {number} milliseconds */
function pause(milliseconds) {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
    addEventListener("online", resolve, { once: true });
  });
}

/** @param {string} address @param {string} text */
function show(address, text) {
  const page = new DOMParser().parseFromString(text, "text/html");
  if (leaving && page.body.dataset.idle) return; // not the end yet: nobody is to see it
  const { lang, className } = page.documentElement;
  Object.assign(document.documentElement, { lang, className });
  document.title = page.title;
  if (address !== location.href) history.pushState(null, "", address);
  document.body = /** @type {HTMLBodyElement} */ (document.adoptNode(page.body));
  if (!limit()) windows?.postMessage("over");
  scrollTo(0, 0);
  const first = /** @type {?HTMLElement} */ (one("[autofocus]") ?? one("h1"));
  if (first && !first.hasAttribute("tabindex") && !first.matches("input")) first.tabIndex = -1;
  first?.focus({ preventScroll: true });
  readable();
}

/** Let the page be read aloud, if it may be; what was read of the page before ends. */
function readable() {
  if (one("form[data-aloud]")) aloud ??= import("./aloud.js");
  aloud?.then(({ mount }) => mount()).catch(() => { aloud = null; });
}

/** Where a form goes; its own `action` may be a button of that name.
 * @param {HTMLFormElement} form */
const target = (form) => form.getAttribute("action") ?? "";

/** A form's values, with the button that was pressed.
 * @param {HTMLFormElement} form @param {?HTMLElement} [button] */
function values(form, button) {
  const body = new URLSearchParams(/** @type {any} */ (new FormData(form)));
  if (button instanceof HTMLButtonElement && button.name) body.set(button.name, button.value);
  return body;
}

/** Tell the study that somebody is there. @param {HTMLFormElement} form */
function stay(form) {
  heard = Date.now();
  return fetch(target(form), { method: "POST", body: values(form) }).catch(() => {});
}

/** Nobody is there: keep what was chosen last, and give the screen back. */
async function end() {
  leaving = true;
  /** @type {?HTMLDialogElement} */ (one("dialog[open]"))?.close();
  for (const part of document.querySelectorAll("main, header, footer, .demo")) part.toggleAttribute("hidden", true);
  one("[data-cover]")?.toggleAttribute("hidden", !failures);
  const item = /** @type {?HTMLFormElement} */ (one("form#item"));
  const chosen = /** @type {?HTMLInputElement} */ (item?.querySelector("[name=choice]:checked") ?? null);
  await sending;
  const over = /** @type {?HTMLFormElement} */ (one("form[data-end]"));
  if (item?.isConnected && chosen && !chosen.defaultChecked) {
    const body = values(item);
    body.set("action", "stop");
    await go(target(item), body);
  }
  if (over?.isConnected) await go(target(over), values(over));
  leaving = false;
}

function look() {
  if (!limit() || leaving) return;
  const left = limit() - (Date.now() - acted);
  const box = /** @type {?HTMLDialogElement} */ (one("dialog[data-stay]"));
  if (left <= 0) end();
  else if (left <= WARNING && box && !box.open) box.showModal();
}

function act() {
  if (leaving || one("dialog[open]")) return; // that asks for a press of its own
  acted = Date.now();
  const form = /** @type {?HTMLFormElement} */ (one("[data-stay] form"));
  if (form && acted - heard >= HEARTBEAT) stay(form);
}

for (const kind of ["pointerdown", "keydown", "input"]) addEventListener(kind, act, true);
addEventListener("submit", (event) => {
  const form = /** @type {HTMLFormElement} */ (event.target);
  if (!("submitter" in event)) return; // old browsers: plain forms
  event.preventDefault();
  if (form.closest("[data-stay]")) {
    acted = Date.now();
    form.closest("dialog")?.close();
    stay(form);
  } else if (!sending) go(target(form), values(form, event.submitter));
});
addEventListener("click", (event) => {
  const link = /** @type {Element} */ (event.target).closest?.("a[href^='/tablet/']");
  if (!(link instanceof HTMLAnchorElement)) return;
  event.preventDefault();
  if (!sending) go(link.href);
});
addEventListener("popstate", () => location.reload());
addEventListener("pagehide", () => { document.body.hidden = true; });
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload(); // whatever it was: the server says what is to be seen
});
addEventListener("beforeunload", (event) => {
  if (sending && failures) event.preventDefault();
});
windows?.addEventListener("message", ({ data }) => {
  if (data === "over" && limit()) location.reload();
});
windows?.postMessage(limit() ? "handed" : "over");
setInterval(look, LOOK);
readable();
document.addEventListener("visibilitychange", look);

// what another person's phone may have left in this browser shows no page here
navigator.serviceWorker?.getRegistrations().then((found) => found.forEach((each) => each.unregister())).catch(() => {});
