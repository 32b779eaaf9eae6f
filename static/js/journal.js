/**
 * This browser's journal: every tap is on disk, encrypted, before anything is sent, and stays until
 * the study has confirmed it. Beside it lies what the phone needs to work without network. The key
 * is the browser's own and cannot be read out. Where a browser keeps nothing (some private
 * windows, a full disk) entries live in memory, and `durable` is false.
 *
 * @typedef {{id: string, assessment: string, state: string, item?: string, code?: ?number,
 *   prompted?: boolean, aloud?: boolean, language: string, wording?: string, device_time: string, run: string,
 *   monotonic: number, contact?: ?{at: string, device_time: string}, sequence?: number}} Entry
 * @typedef {{iv: BufferSource, sealed: BufferSource}} Box
 */

const RUN = uuid(); // the life of this page: within it the monotonic clock tells true durations

export class Journal {
  durable = true;
  known = false; // the study has heard of it
  lost = 0; // entries that could be read no more
  name = uuid();
  /** @type {?{at: string, device_time: string}} */ contact = null;
  /** @type {?IDBDatabase} */ #database = null;
  /** @type {?CryptoKey} */ #key = null;
  /** @type {?Promise<void>} */ #opening = null;
  /** @type {Entry[]} */ #memory = []; // what could not be written, newer than all that is
  /** @type {Map<string, any>} */ #remembered = new Map();

  static async open() {
    const journal = new Journal();
    await journal.#open().catch(() => { journal.durable = false; });
    return journal;
  }

  #open() {
    this.#opening ??= this.#connect().finally(() => { this.#opening = null; });
    return this.#opening;
  }

  async #connect() {
    this.#database?.close();
    const opening = indexedDB.open("journal", 1);
    opening.onupgradeneeded = () => {
      opening.result.createObjectStore("entries", { autoIncrement: true });
      opening.result.createObjectStore("kept");
    };
    const database = await result(opening);
    database.onversionchange = () => database.close();
    const how = { name: "AES-GCM", length: 256 };
    const spare = await crypto.subtle.generateKey(how, false, ["encrypt", "decrypt"]);
    const fresh = uuid(); // a journal that is made anew counts from 1 again: it is another one
    try {
      await transact(database, async ({ kept }) => {
        this.#key = await result(kept.get("key"));
        this.name = await result(kept.get("name")) ?? fresh;
        this.contact = await result(kept.get("contact")) ?? this.contact;
        this.known = await result(kept.get("known")) ?? false;
        this.lost = await result(kept.get("lost")) ?? 0;
        if (this.#key) return;
        this.#key = spare;
        kept.put(spare, "key");
        kept.put(fresh, "name");
      });
      this.#database = database;
    } catch (fault) { // a key that is not kept would make what it seals unreadable
      this.#key = null;
      database.close();
      throw fault;
    }
  }

  /**
   * One transaction, over when it is on disk; `values` are given to it sealed. Where the browser has
   * dropped the connection, or somebody else the whole journal, it is done once more on a new one.
   * @template Found @param {(stores: Object<string, IDBObjectStore>, boxes: Box[]) => Promise<Found>} work
   * @param {IDBTransactionMode} [mode] @param {unknown[]} [values] @returns {Promise<Found>}
   */
  async #within(work, mode = "readwrite", values = []) {
    const once = async () => {
      const database = this.#database; // the one that the key belongs to
      const boxes = await Promise.all(values.map((value) => this.#seal(value)));
      return transact(database, (stores) => work(stores, boxes), mode);
    };
    return once().catch(async () => {
      await this.#open();
      return once();
    });
  }

  /** @param {unknown} value @returns {Promise<Box>} */
  async #seal(value) {
    const iv = crypto.getRandomValues(new Uint8Array(12));
    const text = new TextEncoder().encode(JSON.stringify(value));
    const key = /** @type {CryptoKey} */ (this.#key);
    return { iv, sealed: await crypto.subtle.encrypt({ name: "AES-GCM", iv }, key, text) };
  }

  /** @param {Box} box */
  async #unseal({ iv, sealed }) {
    const key = /** @type {CryptoKey} */ (this.#key);
    const text = await crypto.subtle.decrypt({ name: "AES-GCM", iv }, key, sealed);
    return JSON.parse(new TextDecoder().decode(text));
  }

  /**
   * Write down a tap, one after the other; done when it is on disk, or in memory where there is no
   * room. What is in memory is written with the next one.
   * @param {{assessment: string, state: string, language: string, item?: string, code?: ?number,
   *   prompted?: boolean, aloud?: boolean}} tap
   */
  async add(tap) {
    const entry = { id: uuid(), ...clocks(), contact: this.contact, ...tap };
    const entries = [...this.#memory, entry];
    try {
      await this.#within(async (stores, boxes) => {
        for (const box of boxes) stores.entries.add(box);
      }, "readwrite", entries);
      this.#memory = [];
      this.durable = true;
    } catch {
      this.#memory.push(entry);
      this.durable = false;
    }
    return entry;
  }

  /** What waits, in the order in which it was tapped. @returns {Promise<Entry[]>} */
  async waiting() {
    if (!this.#database) return [...this.#memory];
    const { name } = this;
    const [keys, boxes] = await this.#within((stores) =>
      Promise.all([result(stores.entries.getAllKeys()), result(stores.entries.getAll())]), "readonly");
    const read = await Promise.all(boxes.map((box) => this.#unseal(box).catch(() => null)));
    const lost = keys.filter((_, place) => !read[place]);
    if (lost.length && name === this.name) await this.#giveUp(lost);
    const entries = read.map((entry, place) => ({ ...entry, sequence: keys[place] }));
    const stored = new Set(entries.map(({ id }) => id));
    return [...entries.filter((_, place) => read[place]), ...this.#memory.filter(({ id }) => !stored.has(id))];
  }

  /** Entries that this browser can read no more must not hold up the others. What they were is lost,
   * and that is told. @param {IDBValidKey[]} keys */
  async #giveUp(keys) {
    this.lost += keys.length;
    await this.#within(async (stores) => {
      for (const key of keys) stores.entries.delete(key);
      stores.kept.put(this.lost, "lost");
    });
  }

  /** How many wait. @returns {Promise<number>} */
  async count() {
    if (!this.#database) return this.#memory.length;
    const stored = await this.#within((stores) => result(stores.entries.count()), "readonly");
    return stored + this.#memory.length;
  }

  /**
   * The study has spoken: forget what it has settled, and keep what stands now with the plan.
   * @param {Entry[]} entries those that are settled @param {import("./outbox.js").Answer} answer
   * @param {string} name of the journal that they were read from
   */
  async settle(entries, answer, name) {
    const settled = new Set(entries.map(({ id }) => id));
    this.#memory = this.#memory.filter(({ id }) => !settled.has(id));
    const keys = entries.flatMap(({ sequence }) => sequence ?? []);
    this.contact = { at: answer.at, device_time: clocks().device_time };
    if (!this.#database) return;
    const plan = await this.kept("plan");
    const own = plan?.questionnaires.find((/** @type {{id: string}} */ { id }) => id === answer.assessment);
    if (own) {
      for (const { id, item, state, code } of entries) {
        if (!(id in { ...answer.refused, ...answer.not_counted })) apply(own.given, item, state, code);
      }
      for (const [item, [state, code]] of Object.entries(answer.others ?? {})) apply(own.given, item, state, code);
      Object.assign(own, { seen: answer.seen, receipt: answer.receipt });
    }
    await this.#within(async (stores, [box]) => {
      if (name === this.name) for (const key of keys) stores.entries.delete(key);
      stores.kept.put(this.contact, "contact");
      if (own) stores.kept.put(box, "plan");
    }, "readwrite", [plan]);
  }

  /** Note the study's time at an answer of its. @param {string} at */
  async touch(at) {
    this.contact = { at, device_time: clocks().device_time };
    if (this.#database) await this.#within(async ({ kept }) => { kept.put(this.contact, "contact"); });
  }

  /** The study has heard of this journal. */
  async isKnown() {
    this.known = true;
    if (this.#database) await this.#within(async ({ kept }) => { kept.put(true, "known"); });
  }

  /** Keep something besides entries, sealed, such as `plan`. @param {string} name @param {any} value */
  async keep(name, value) {
    this.#remembered.set(name, value);
    if (!this.#database) return;
    await this.#within(async ({ kept }, [box]) => {
      value === undefined ? kept.delete(name) : kept.put(box, name);
    }, "readwrite", [value]);
  }

  /** What was kept under a name and can be read, or undefined. @param {string} name */
  async kept(name) {
    const box = this.#database && await this.#within(({ kept }) => result(kept.get(name)), "readonly");
    return box ? this.#unseal(box).catch(() => undefined) : this.#remembered.get(name);
  }

  /** Forget everything: entries, what was kept, the key. */
  async clear() {
    this.#memory = [];
    this.#remembered.clear();
    this.#database?.close();
    this.#database = null;
    await result(indexedDB.deleteDatabase("journal")).catch(() => {});
  }
}

/** @template Found @param {?IDBDatabase} database
 * @param {(stores: Object<string, IDBObjectStore>) => Promise<Found>} work
 * @param {IDBTransactionMode} [mode] @returns {Promise<Found>} */
async function transact(database, work, mode = "readwrite") {
  const stores = ["entries", "kept"];
  const transaction = /** @type {IDBDatabase} */ (database).transaction(stores, mode, { durability: "strict" });
  const over = new Promise((resolve, reject) => {
    transaction.oncomplete = resolve;
    transaction.onerror = transaction.onabort = () => reject(transaction.error);
  });
  const [entries, kept] = stores.map((name) => transaction.objectStore(name));
  const begun = async () => work({ entries, kept }); // what it throws at once is heard like the rest
  const [found] = await Promise.all([begun(), over]);
  return found;
}

/** @template Found @param {IDBRequest<Found>} request @returns {Promise<Found>} */
function result(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** Put an answer among those given, by item. @param {Object<string, [string, ?number]>} given
 * @param {string | undefined} item @param {string} state @param {?number} [code] */
export function apply(given, item, state, code) {
  if (item && state === "cleared") delete given[item];
  else if (item) given[item] = [state, code ?? null];
}

/** The device's clocks now: its time with offset, such as 2026-11-22T09:30:00.000+08:00, and the
 * milliseconds since this run began. */
export function clocks() {
  const now = new Date();
  const offset = -now.getTimezoneOffset();
  const local = new Date(now.getTime() + offset * 60_000).toISOString().slice(0, -1);
  const two = (/** @type {number} */ n) => String(Math.trunc(n)).padStart(2, "0");
  const zone = `${offset < 0 ? "-" : "+"}${two(Math.abs(offset) / 60)}:${two(Math.abs(offset) % 60)}`;
  return { device_time: local + zone, run: RUN, monotonic: performance.now() };
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
