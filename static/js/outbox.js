/**
 * Operations on their way to the study. Each has an id and may be sent twice; the server takes it
 * once. What is not confirmed stays here and is sent again.
 *
 * @typedef {{id: string, item: string, state: string, code: ?number, prompted: boolean,
 *   device_time: string}} Operation
 * @typedef {{seen: number, taken?: string[], refused?: Object<string, string>,
 *   not_counted?: Object<string, string>, others?: Object<string, [string, ?number]>,
 *   lost?: string[]}} Answer  `lost` are the items of refused operations, added here
 */

const LONGEST_WAIT = 30_000; // milliseconds between two tries
const TIMEOUT = 15_000;
const BATCH = 100; // operations in one request; a body sent while a page closes is limited to 64 KB

export class Outbox {
  /** @type {Operation[]} */ waiting = [];
  failures = 0;
  /** @type {?Promise<void>} */ #sending = null;
  #timer = 0;
  #renewed = false;
  #again = false;
  broken = false; // the server refuses for good: time will not help

  /**
   * @param {{url: string, language: string, seen: number, token: () => string,
   *   renew: (token: string) => void, unlock: () => Promise<void>,
   *   changed: (answer?: Answer) => void}} house
   */
  constructor(house) {
    this.house = house;
    addEventListener("online", () => this.send());
    addEventListener("beforeunload", (leaving) => { if (this.waiting.length) leaving.preventDefault(); });
    document.addEventListener("visibilitychange", () => this.#farewell());
    addEventListener("pagehide", () => this.#farewell());
  }

  /** @param {Omit<Operation, "id" | "device_time">} operation */
  add(operation) {
    this.waiting.push({ id: uuid(), device_time: deviceTime(), ...operation });
    this.house.changed();
    this.send();
  }

  /** Try to send all that waits; true when nothing waits any more. */
  async flush() {
    while (this.waiting.length) {
      const before = this.waiting.length;
      this.#again = false;
      await this.send();
      if (this.waiting.length >= before && !this.#again) return false;
    }
    return true;
  }

  /** @returns {Promise<void>} */
  send() {
    if (!this.#sending && this.waiting.length) {
      clearTimeout(this.#timer);
      this.#sending = this.#batch().finally(() => {
        this.#sending = null;
        this.house.changed();
        if (!this.waiting.length) return;
        const wait = this.failures ? Math.min(1000 * 2 ** this.failures, LONGEST_WAIT) : 0;
        this.#timer = setTimeout(() => this.send(), wait);
      });
    }
    return this.#sending ?? Promise.resolve();
  }

  /** One request with what waits. @param {AbortSignal} [signal] */
  #post(signal) {
    return fetch(this.house.url, {
      method: "POST",
      keepalive: true,
      signal,
      headers: { "Content-Type": "application/json", "X-CSRFToken": this.house.token() },
      body: JSON.stringify({
        sent_at: deviceTime(), language: this.house.language, seen: this.house.seen,
        operations: this.waiting.slice(0, BATCH),
      }),
    });
  }

  /** The page is being left: send all once more, whatever is still on its way. */
  #farewell() {
    if (document.visibilityState === "hidden" && this.waiting.length) this.#post().catch(() => {});
    else this.send();
  }

  async #batch() {
    const batch = this.waiting.slice(0, BATCH);
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), TIMEOUT);
    try {
      const response = await this.#post(abort.signal);
      if (response.status === 401) {
        await this.house.unlock();
        this.#again = true;
        return;
      }
      const answer = await response.json();
      if (answer.error === "csrf" && !this.#renewed) {
        this.#again = this.#renewed = true;
        this.house.renew(answer.csrf);
        return;
      }
      this.broken = response.status >= 400 && response.status < 500 && response.status !== 429;
      if (!response.ok) throw new Error(String(response.status));
      this.failures = 0;
      this.#renewed = false;
      this.house.seen = answer.seen;
      const refused = answer.refused ?? {};
      const done = new Set([...(answer.taken ?? batch.map((one) => one.id)), ...Object.keys(refused)]);
      answer.lost = batch.filter((one) => one.id in refused).map((one) => one.item);
      this.waiting = this.waiting.filter((one) => !done.has(one.id));
      this.house.changed(answer);
    } catch {
      this.failures += 1;
    } finally {
      clearTimeout(timer);
    }
  }
}

/** The device's clock with its offset, such as 2026-11-22T09:30:00.000+08:00. */
function deviceTime() {
  const now = new Date();
  const offset = -now.getTimezoneOffset();
  const local = new Date(now.getTime() + offset * 60_000).toISOString().slice(0, -1);
  const two = (/** @type {number} */ n) => String(Math.trunc(n)).padStart(2, "0");
  return `${local}${offset < 0 ? "-" : "+"}${two(Math.abs(offset) / 60)}:${two(Math.abs(offset) % 60)}`;
}

/** A random id; `randomUUID` is missing where the page came over plain HTTP. */
function uuid() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
