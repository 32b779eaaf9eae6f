/**
 * Reminders on this phone. On Today and on the Reminders page the browser's own state is compared
 * with what the server knows: what it says of itself is reported, and a subscription that was lost
 * or made with another key is made anew. On the Reminders page the right part is shown.
 *
 * @typedef {{wanted: string, subscribed: string, key: string, permission: string,
 *   installed: string, language: string, open?: string}} Facts
 */
import { apple, inApp, installed } from "./kind.js";
import { register } from "./worker.js";

const place = document.querySelector("[data-reminders]");

/** What this browser says: a permission, `install` (iPhone: first to the Home Screen), or
 * `unsupported`. */
function says() {
  const able = "Notification" in window && "PushManager" in window && "serviceWorker" in navigator;
  if (able) return Notification.permission;
  return apple && !installed && !inApp ? "install" : "unsupported";
}

/** @param {HTMLElement} place */
async function start(place) {
  const facts = /** @type {Facts} */ (/** @type {unknown} */ (place.dataset));
  const said = says();
  if (facts.open === "0") /** @type {any} */ (navigator).clearAppBadge?.().catch(() => {});
  // allowed, but the last try to subscribe failed: that stays the reason until one succeeds
  const failed = said === "granted" && facts.permission === "unsupported" && !facts.wanted;
  const told = report(facts, failed ? "unsupported" : said);
  const page = place.querySelector("[data-state]") ? new Page(place, facts) : null;
  const able = said !== "install" && said !== "unsupported";
  if (able) await register(facts.language);
  await told;
  if (said !== "granted") {
    const lost = facts.wanted && said === "default";
    return page?.show(lost ? "lost" : said === "default" ? "off" : said);
  }
  try {
    const renewed = await sync(facts);
    if (renewed && page && page.shown !== "on") return location.reload();
    return page?.show(facts.wanted ? "on" : failed ? "failed" : "off");
  } catch {
    return page?.show(facts.wanted ? "lost" : "failed");
  }
}

/** @param {string} path @param {unknown} body */
async function send(path, body) {
  const token = /** @type {?HTMLInputElement} */ (document.querySelector("[name=csrf_token]"));
  const answer = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRFToken": token?.value ?? "" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(String(answer.status));
}

/** Tell the study why reminders can or cannot come, if that is news. @param {Facts} facts
 * @param {string} permission */
async function report(facts, permission) {
  if (permission === facts.permission && installed === (facts.installed === "yes")) return;
  await send("/reminders/report", { permission, installed }).catch(() => {});
}

/** @param {BufferSource} bytes */
function base64url(bytes) {
  const text = String.fromCharCode(...new Uint8Array(/** @type {ArrayBuffer} */ (bytes)));
  return btoa(text).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

/** @param {string} text */
async function hash(text) {
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Bring browser and server together; true when a subscription was sent. @param {Facts} facts */
async function sync(facts) {
  const { pushManager } = await navigator.serviceWorker.ready;
  const found = await pushManager.getSubscription();
  if (!facts.wanted) {
    await found?.unsubscribe(); // turned off, or it was another person's
    return false;
  }
  const key = found?.options.applicationServerKey;
  const same = !key || base64url(key) === facts.key;
  if (found && same && await hash(found.endpoint) === facts.subscribed) return false;
  await found?.unsubscribe(); // what the push service has forgotten would be given out again
  await send("/reminders/subscription", await subscribe(facts));
  return true;
}

/** @param {Facts} facts */
async function subscribe(facts) {
  const { pushManager } = await navigator.serviceWorker.ready;
  return pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: facts.key });
}

/** The part of the Reminders page that is about this phone. */
class Page {
  /** @param {HTMLElement} place @param {Facts} facts */
  constructor(place, facts) {
    this.place = place;
    this.facts = facts;
    this.buttons = /** @type {HTMLButtonElement[]} */ ([...place.querySelectorAll("[data-turn-on]")]);
    for (const button of this.buttons) {
      button.hidden = false;
      button.addEventListener("click", () => this.turnOn());
    }
    for (const line of /** @type {HTMLElement[]} */ ([...place.querySelectorAll("[data-only]")])) {
      line.hidden = line.dataset.only !== (apple ? "apple" : "other");
    }
  }

  /** The parts there are. */
  get parts() {
    return /** @type {HTMLElement[]} */ ([...this.place.querySelectorAll("[data-state]")]);
  }

  get shown() {
    return this.parts.find((one) => !one.hidden)?.dataset.state;
  }

  /** @param {string} state */
  show(state) {
    for (const part of this.parts) part.hidden = part.dataset.state !== state;
  }

  async turnOn() {
    const asked = Notification.requestPermission(); // in the very click, or the browser refuses
    for (const button of this.buttons) button.disabled = true;
    const permission = await asked;
    await report(this.facts, permission);
    this.facts.permission = permission;
    try {
      if (permission === "denied") return this.show("denied");
      if (permission !== "granted") return undefined;
      const subscription = await subscribe(this.facts).catch(async (error) => {
        if (navigator.onLine) await report(this.facts, "unsupported");
        throw error;
      });
      await send("/reminders/subscription", subscription);
      return location.replace(location.pathname);
    } catch {
      this.show("failed");
      return this.place.scrollIntoView();
    } finally {
      for (const button of this.buttons) button.disabled = false;
    }
  }
}

if (place instanceof HTMLElement) {
  start(place).catch(() => {}).finally(() => { place.dataset.ready = "yes"; });
}
