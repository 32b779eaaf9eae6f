/**
 * Sends what waits in the journal, in order, and again until the study has confirmed it; one window
 * at a time. The same functions serve pages and the service worker.
 *
 * @typedef {import("./journal.js").Journal} Journal
 * @typedef {import("./journal.js").Entry} Entry
 * @typedef {{at: string, seen: number, taken?: string[], refused?: Object<string, string>,
 *   not_counted?: Object<string, string>, others?: Object<string, [string, ?number]>,
 *   locked?: boolean, receipt?: {code: string, moment: string, late: boolean}, missing?: string[],
 *   closed?: boolean, assessment: string, entries: Entry[]}} Answer
 *   what the server says to a batch; `assessment` and the batch's `entries` are added here
 */

const LONGEST_WAIT = 30_000; // milliseconds between two tries
const TIMEOUT = 15_000;
const BATCH = 100; // entries in one request; a body sent while a page closes is limited to 64 KB
const UNSENT = "unsent"; // the cookie that remembers how many wait, should the journal vanish

/**
 * Send what waits. True when nothing is left that this phone could send; `stuck` counts what the
 * server does not take now: it is kept, and tried again at the next start.
 * @param {Journal} journal @param {(answer: Answer) => unknown} tell
 * @param {(assessment: string) => number} seen the newest row that the page knows of
 * @param {() => {device_time: string, run: string, monotonic: number}} clocks
 */
export async function deliver(journal, tell, seen, clocks) {
  const stuck = new Set();
  for (;;) {
    if (!await introduce(journal)) return false;
    const waiting = await journal.waiting();
    witness(waiting.length);
    const next = waiting.find((entry) => !stuck.has(entry.assessment));
    if (!next) return stuck.size === 0;
    const { assessment } = next;
    const batch = waiting.filter((entry) => entry.assessment === assessment).slice(0, BATCH);
    const { device_time: sent_at, run, monotonic } = clocks();
    const response = await post(`/questionnaires/${assessment}/answers`, {
      journal: journal.name, left: waiting.length - batch.length, sent_at, run, monotonic,
      seen: seen(assessment), language: batch[0].language, operations: batch,
    });
    if (!response.ok) {
      stuck.add(assessment);
      continue;
    }
    const answer = { ...await response.json(), assessment, entries: batch };
    const settled = new Set([...(answer.taken ?? batch.map(({ id }) => id)), ...Object.keys(answer.refused ?? {})]);
    await journal.settle(batch.filter(({ id }) => settled.has(id)), answer);
    if (!settled.size) stuck.add(assessment);
    await tell(answer);
  }
}

/** Make a new journal known to the study before anything of it is sent, with what another one,
 * now gone, had waiting in it. False if the study does not take it now. @param {Journal} journal */
export async function introduce(journal) {
  if (journal.known) return true;
  const answer = await post("/journal", { journal: journal.name, left: await journal.count(), lost: await witnessed() });
  if (answer.ok) await journal.isKnown();
  return answer.ok;
}

/** @param {string} address @param {unknown} what */
async function post(address, what) {
  const answer = await fetch(address, {
    method: "POST",
    keepalive: true,
    signal: AbortSignal.timeout?.(TIMEOUT),
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(what),
  });
  if (answer.status === 429 || answer.status >= 500) throw new Error(String(answer.status));
  return answer;
}

/** A second memory of how many wait, outside the journal: a cookie. @param {number} count */
function witness(count) {
  const cookie = `${UNSENT}=${count}; path=/; max-age=34560000; SameSite=Lax`;
  if (self.document) document.cookie = location.protocol === "https:" ? `${cookie}; Secure` : cookie;
  else {
    const expires = Date.now() + 400 * 24 * 3_600_000;
    const kept = { name: UNSENT, value: String(count), path: "/", sameSite: "lax", expires };
    /** @type {any} */ (self).cookieStore?.set(kept).catch(() => {});
  }
}

/** How many the second memory says should wait. */
async function witnessed() {
  const kept = self.document ? document.cookie.match(/(?:^|; )unsent=(\d+)/)?.[1]
    : (await /** @type {any} */ (self).cookieStore?.get(UNSENT))?.value;
  return Number(kept ?? 0);
}

export class Outbox {
  count = 0; // entries that wait
  failures = 0;
  stuck = false; // the server does not take some: time alone will not help
  /** @type {?Promise<void>} */ #sending = null;
  #again = false;
  #timer = 0;
  #unwritten = 0;
  #writing = Promise.resolve();
  #news = "BroadcastChannel" in self ? new BroadcastChannel("journal") : null;

  /**
   * @param {Journal} journal @param {() => {device_time: string, run: string, monotonic: number}} clocks
   * @param {{changed: (answer?: Answer) => unknown, seen?: (assessment: string) => number}} house
   */
  constructor(journal, clocks, house) {
    this.journal = journal;
    this.clocks = clocks;
    this.house = house;
    addEventListener("online", () => this.send());
    addEventListener("beforeunload", (leaving) => {
      if (this.count && !journal.durable) leaving.preventDefault();
    });
    document.addEventListener("visibilitychange", () => this.send());
    this.#news?.addEventListener("message", ({ data }) => this.#heard(data));
  }

  /** Write a tap down, after those before it, and send it. @param {Parameters<Journal["add"]>[0]} tap */
  async add(tap) {
    this.count += 1;
    this.#unwritten += 1;
    this.house.changed();
    await this.#inTurn(async () => {
      await this.journal.add(tap);
      this.#unwritten -= 1;
    });
    this.house.changed();
    this.send();
  }

  /** One after the other: taps are written in their order, and counted between two writes.
   * @param {() => Promise<void>} work */
  #inTurn(work) {
    this.#writing = this.#writing.then(work);
    return this.#writing;
  }

  #recount() {
    return this.#inTurn(async () => { this.count = await this.journal.count() + this.#unwritten; });
  }

  /** Try to send all that waits; true when nothing does any more. */
  async flush() {
    await this.send();
    return this.count === 0;
  }

  /** @returns {Promise<void>} */
  send() {
    if (this.#sending) {
      this.#again = true;
      return this.#sending;
    }
    clearTimeout(this.#timer);
    this.#again = false;
    this.#sending = this.#deliver().finally(() => {
      this.#sending = null;
      if (this.#again) return this.send();
      const wait = Math.min(1000 * 2 ** this.failures, LONGEST_WAIT);
      if (this.count) this.#timer = setTimeout(() => this.send(), wait);
    });
    return this.#sending;
  }

  async #deliver() {
    const work = async () => {
      const tell = (/** @type {Answer} */ answer) => {
        this.#news?.postMessage(answer);
        return this.#heard(answer);
      };
      try {
        const seen = this.house.seen ?? (() => 0);
        this.stuck = !await deliver(this.journal, tell, seen, this.clocks);
        this.failures = this.stuck ? this.failures + 1 : 0;
      } catch {
        this.failures += 1;
      }
    };
    await this.#recount();
    if (this.count) await (navigator.locks ? navigator.locks.request("journal", work) : work());
    await this.#recount();
    if (this.journal.known) witness(this.count);
    if (this.count) later();
    this.house.changed();
  }

  /** An answer of the study, to this window or to another one. @param {Answer} answer */
  async #heard(answer) {
    await this.#recount();
    return this.house.changed(answer);
  }
}

/** Ask the browser to send when the network is back, should this page be gone by then. */
async function later() {
  const registration = await navigator.serviceWorker?.getRegistration().catch(() => undefined);
  await /** @type {any} */ (registration)?.sync?.register("journal").catch(() => {});
}
