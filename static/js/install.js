/**
 * The app on the Home Screen: offers it where the browser can do it, tells the way where only its
 * owner can. On Today the section comes when it makes sense and goes for a month when it is put
 * off; on the page about this phone (`data-always`) it always says how things stand.
 *
 * @typedef {Event & {prompt: () => unknown, userChoice: Promise<{outcome: string}>}} Asking
 */
import { apple, inApp, installed } from "./kind.js";
import { follow } from "./launch.js";

const MONTH = 30 * 24 * 3_600_000; // milliseconds
const PUT_OFF = "install.putOff";

class Offer {
  /** @param {HTMLElement} place */
  constructor(place) {
    this.place = place;
    this.always = "always" in place.dataset;
    const { done, open } = place.dataset;
    this.wanted = this.always || ((Number(done) > 0 || open === "0") && !isPutOff());
    /** @type {?Asking} */
    this.asking = null;
    this.button = /** @type {HTMLButtonElement} */ (place.querySelector("[data-put]"));
    this.button.addEventListener("click", () => this.put());
    place.querySelector("[data-later]")?.addEventListener("click", () => this.later());
    const address = /** @type {HTMLInputElement} */ (place.querySelector("#install-address"));
    address.value = `${location.origin}/`;
    addEventListener("beforeinstallprompt", (event) => {
      event.preventDefault(); // or the browser asks by itself, at a time of its own
      this.asking = /** @type {Asking} */ (event);
      this.button.disabled = false;
      this.show("prompt");
    });
    addEventListener("appinstalled", () => this.show("installed"));
    this.show(state());
  }

  /** Show this part, or nothing where it would not help. @param {string} name */
  show(name) {
    const useful = this.always || !["installed", "menu"].includes(name);
    for (const part of /** @type {NodeListOf<HTMLElement>} */ (this.place.querySelectorAll("[data-state]"))) {
      part.hidden = part.dataset.state !== name;
    }
    this.place.hidden = !(this.wanted && useful);
  }

  /** Ask the browser, in the very click. */
  async put() {
    const { asking } = this;
    if (!asking) return;
    this.asking = null; // it can be asked once
    this.button.disabled = true;
    asking.prompt();
    const { outcome } = await asking.userChoice;
    if (outcome === "dismissed") this.later();
    else if (!this.always) this.place.hidden = true;
  }

  /** Not now. */
  later() {
    putOff();
    if (this.always) return this.show("menu");
    this.wanted = false;
    this.place.hidden = true;
  }
}

/** What can be done in this browser before it has offered anything. */
function state() {
  if (installed) return "installed";
  if (inApp) return "elsewhere";
  return apple ? "apple" : "menu";
}

function isPutOff() {
  try {
    const at = Number(localStorage.getItem(PUT_OFF));
    return Math.abs(Date.now() - at) < MONTH; // also where the clock was wrong then
  } catch {
    return false; // a browser that keeps nothing
  }
}

function putOff() {
  try {
    localStorage.setItem(PUT_OFF, String(Date.now()));
  } catch { /* then it is asked again */ }
}

const place = document.querySelector("[data-install]");
if (place instanceof HTMLElement && !document.querySelector("[data-shared], [data-phone=shared]")) {
  new Offer(place);
  place.dataset.ready = "yes";
}
follow();
