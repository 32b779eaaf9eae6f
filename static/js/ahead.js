/**
 * What the phone needs to work without network: what is due, the page to answer it, its sheets
 * and what was recorded of them.
 *
 * @typedef {import("./journal.js").Journal} Journal
 */
import { alone } from "./outbox.js";
import { register } from "./worker.js";

const LONGEST = 15_000; // milliseconds that the plan may take
const SOUNDS = 20 << 20; // bytes of recordings that the phone keeps, those of the first first
const GONE = 1_000; // milliseconds after which a page that nobody sees was put away, not left for the next

/** @param {Journal} journal @param {string} language */
export async function prepare(journal, language) {
  addEventListener("click", () => { navigator.storage?.persist?.().catch(() => {}); }, { once: true });
  const plan = await alone(() => fetchPlan(journal));
  if (!plan || !("serviceWorker" in navigator)) return;
  const registration = await register(language);
  for (const worker of [registration.active, registration.waiting]) worker?.postMessage("start");
  document.addEventListener("visibilitychange", () => setTimeout(() => {
    if (document.hidden) registration.waiting?.postMessage("away");
  }, GONE));
  const sheets = await caches.open("sheets");
  const wanted = new Set(plan.questionnaires.flatMap((/** @type {{sheet: ?string}} */ { sheet }) => sheet ?? []));
  for (const kept of await sheets.keys()) {
    if (!wanted.delete(new URL(kept.url).pathname)) await sheets.delete(kept);
  }
  await Promise.allSettled([...wanted].map((sheet) => sheets.add(sheet)));
  // what is lacking is fetched next time; nothing waits for it
  keepSounds(plan.questionnaires.flatMap((/** @type {{sounds?: string[]}} */ { sounds }) => sounds ?? [])).catch(() => {});
}

/** Have the recordings of what is due at hand, one after the other, and no others.
 * @param {string[]} wanted their addresses */
async function keepSounds(wanted) {
  const cache = await caches.open("sounds");
  for (const kept of await cache.keys()) {
    if (!wanted.includes(new URL(kept.url).pathname)) await cache.delete(kept);
  }
  if (/** @type {any} */ (navigator).connection?.saveData) return;
  let room = SOUNDS;
  for (const address of wanted) {
    const known = await cache.match(address);
    const found = known ?? await fetch(address);
    if (!found.ok) continue;
    room -= Number(found.headers.get("Content-Length"));
    if (room < 0) return void await cache.delete(address);
    if (!known) await cache.put(address, found);
  }
}

/** While nothing is being sent, or an answer could miss in it. @param {Journal} journal */
async function fetchPlan(journal) {
  const answer = await fetch("/plan", { signal: AbortSignal.timeout?.(LONGEST) });
  if (!answer.ok || answer.redirected) return null;
  const plan = await answer.json();
  await journal.keep("plan", plan);
  await journal.touch(plan.at);
  return plan;
}
