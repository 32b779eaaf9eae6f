/**
 * What the phone needs to work without network: what is due, the page to answer it, its sheets.
 *
 * @typedef {import("./journal.js").Journal} Journal
 */
import { register } from "./worker.js";

/** @param {Journal} journal @param {string} language */
export async function prepare(journal, language) {
  addEventListener("click", () => { navigator.storage?.persist?.().catch(() => {}); }, { once: true });
  const plan = await (navigator.locks ? navigator.locks.request("journal", () => fetchPlan(journal)) : fetchPlan(journal));
  if (!plan || !("serviceWorker" in navigator)) return;
  const registration = await register(language);
  registration.waiting?.postMessage("activate"); // the worker itself spares an open questionnaire
  const sheets = await caches.open("sheets");
  const wanted = new Set(plan.questionnaires.flatMap((/** @type {{sheet: ?string}} */ { sheet }) => sheet ?? []));
  for (const kept of await sheets.keys()) {
    if (!wanted.delete(new URL(kept.url).pathname)) await sheets.delete(kept);
  }
  await Promise.allSettled([...wanted].map((sheet) => sheets.add(sheet)));
}

/** While nothing is being sent, or an answer could miss in it. @param {Journal} journal */
async function fetchPlan(journal) {
  const answer = await fetch("/plan");
  if (!answer.ok || answer.redirected) return null;
  const plan = await answer.json();
  await journal.keep("plan", plan);
  await journal.touch(plan.at);
  return plan;
}
