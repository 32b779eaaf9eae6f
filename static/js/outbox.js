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
 * Send what waits. The assessments whose entries the server does not take now: they are kept, and
 * tried again later.
 * @param {Journal} journal @param {(answer: Answer) => unknown} tell
 * @param {(assessment: string) => number} seen the newest row that the page knows of
 * @param {() => {device_time: string, run: string, monotonic: number}} clocks
 */
export async function deliver(journal, tell, seen, clocks) {
  const stuck = /** @type {Set<string>} */ (new Set());
  for (;;) {
    const isKnown = await introduce(journal);
    const { name } = journal;
    const waiting = await journal.waiting();
    if (!isKnown) return new Set(waiting.map(({ assessment }) => assessment));
    witness(waiting.length);
    const next = waiting.find((entry) => !stuck.has(entry.assessment));
    if (!next) return stuck;
    const { assessment } = next;
    const batch = waiting.filter((entry) => entry.assessment === assessment).slice(0, BATCH);
    const { device_time: sent_at, run, monotonic } = clocks();
    const response = await post(`/questionnaires/${assessment}/answers`, {
      journal: name, left: waiting.length - batch.length, sent_at, run, monotonic,
      seen: seen(assessment), language: batch[0].language, operations: batch,
    });
    if (!response.ok) {
      stuck.add(assessment);
      continue;
    }
    const answer = { ...await response.json(), assessment, entries: batch };
    const settled = new Set([...(answer.taken ?? batch.map(({ id }) => id)), ...Object.keys(answer.refused ?? {})]);
    await journal.settle(batch.filter(({ id }) => settled.has(id)), answer, name);
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

/** One at a time, in all windows and the worker. A window that the phone has put to sleep in the
 * middle does not hold up the others for long: what is sent twice counts once.
 * @template Found @param {() => Promise<Found>} work @returns {Promise<Found>} */
export async function alone(work) {
  let begun = false;
  const begin = () => { begun = true; return work(); };
  try {
    return await navigator.locks.request("journal", { signal: AbortSignal.timeout?.(2 * TIMEOUT) }, begin);
  } catch (fault) {
    if (begun) throw fault;
    return work();
  }
}

/** A second memory of how many wait, outside the journal: a cookie. @param {number} count */
function witness(count) {
  const life = count ? 400 * 24 * 3_600 : 0; // seconds
  const cookie = `${UNSENT}=${count}; path=/; max-age=${life}; SameSite=Lax`;
  if (self.document) document.cookie = location.protocol === "https:" ? `${cookie}; Secure` : cookie;
  else {
    const expires = Date.now() + life * 1000;
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
  count = 0; // entries of this page's that wait
  total = 0; // all entries that wait
  failures = 0;
  stuck = false; // the server does not take some of this page's: time alone will not help
  /** @type {?Promise<void>} */ #sending = null;
  #again = false;
  #timer = 0;
  #unwritten = 0;
  #writing = Promise.resolve();
  #news = "BroadcastChannel" in self ? new BroadcastChannel("journal") : null;

  /**
   * @param {Journal} journal @param {() => {device_time: string, run: string, monotonic: number}} clocks
   * @param {{changed: (answer?: Answer) => unknown, seen?: (assessment: string) => number,
   *   assessment?: string}} house `assessment` is the one that the page is about, if it is about one
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
    this.total += 1;
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
    this.#writing = this.#writing.catch(() => {}).then(work);
    return this.#writing;
  }

  /** This page's entries that wait, with all that was tapped until now. @returns {Promise<Entry[]>} */
  async waiting() {
    /** @type {Entry[]} */ let found = [];
    await this.#inTurn(async () => {
      const all = await this.journal.waiting();
      found = all.filter(({ assessment }) => this.#isOwn(assessment));
      this.total = all.length + this.#unwritten;
      this.count = found.length + this.#unwritten;
    });
    return found;
  }

  /** @param {string} assessment */
  #isOwn(assessment) {
    return this.house.assessment === undefined || assessment === this.house.assessment;
  }

  /** Try to send all that waits; true when nothing of this page's does any more. */
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
      if (this.total) this.#timer = setTimeout(() => this.send(), wait);
    });
    return this.#sending;
  }

  async #deliver() {
    const work = async () => {
      const tell = (/** @type {Answer} */ answer) => {
        this.#news?.postMessage(answer);
        return this.#heard(answer);
      };
      const stuck = await deliver(this.journal, tell, this.house.seen ?? (() => 0), this.clocks);
      this.stuck = [...stuck].some((assessment) => this.#isOwn(assessment));
      this.failures = stuck.size ? this.failures + 1 : 0;
    };
    try {
      await this.waiting();
      if (this.total) await alone(work);
    } catch {
      this.failures += 1;
    }
    await this.waiting().catch(() => {});
    if (this.journal.known) witness(this.total);
    if (this.total) later();
    this.house.changed();
  }

  /** An answer of the study, to this window or to another one. @param {Answer} answer */
  async #heard(answer) {
    await this.waiting();
    return this.house.changed(answer);
  }
}

/** Ask the browser to send when the network is back, should this page be gone by then. */
async function later() {
  const registration = await navigator.serviceWorker?.getRegistration().catch(() => undefined);
  await /** @type {any} */ (registration)?.sync?.register("journal").catch(() => {});
}
