/**
 * A browser leaves a person: by signing out, or because somebody else joins in it. What waits is
 * sent first; what cannot be sent is told, and removed only when that was chosen.
 */
import { Journal, clocks } from "./journal.js";
import { Outbox } from "./outbox.js";

const LONGEST = 3_000; // milliseconds that forgetting may take: another window may hold it up

const form = document.querySelector("form[data-sign-out], form[data-leaving]");
if (form instanceof HTMLFormElement) mount(form);

/** @param {HTMLFormElement} form */
function mount(form) {
  const left = /** @type {HTMLElement} */ (document.querySelector("[data-left]"));
  const go = (/** @type {boolean} */ anyway) => leave(form, left, anyway).catch(() => {
    busy(form, left, false);
    say(form, "network"); // nothing is removed that may wait
  });
  form.addEventListener("submit", (submission) => {
    submission.preventDefault();
    go(false);
  });
  left.querySelector("[data-again]")?.addEventListener("click", () => go(false));
  left.querySelector("[data-anyway]")?.addEventListener("click", () => go(true));
  form.dataset.ready = "yes";
  if ("now" in form.dataset) go(false);
}

/** @param {HTMLFormElement} form @param {HTMLElement} left @param {boolean} anyway */
async function leave(form, left, anyway) {
  busy(form, left, true);
  const journal = await Journal.open();
  const { owner } = form.dataset; // who joins; the journal may be of somebody else
  const before = await journal.kept("owner") ?? ("other" in form.dataset ? null : owner);
  if (owner !== undefined && before === owner) return form.submit();
  const count = anyway ? 0 : await send(form, journal);
  if (count) return tell(form, left, count);
  if (owner === undefined) return signOut(form, left, journal);
  await empty(journal);
  return form.submit();
}

/** How many could not be sent. @param {HTMLFormElement} form @param {Journal} journal */
async function send(form, journal) {
  if (!await journal.count()) return 0;
  say(form, "sending");
  const outbox = new Outbox(journal, clocks, { changed: () => {} });
  await outbox.flush();
  return journal.count();
}

/** @param {HTMLFormElement} form @param {HTMLElement} left @param {number} count */
function tell(form, left, count) {
  const line = /** @type {HTMLElement} */ (left.querySelector("[role=alert]"));
  const text = count === 1 ? line.dataset.one : line.dataset.many;
  line.textContent = (text ?? "").replace("{count}", String(count));
  busy(form, left, false);
  say(form);
  left.hidden = false;
  form.hidden = true;
  left.focus();
}

/** The study first: without network nothing is removed. @param {HTMLFormElement} form
 * @param {HTMLElement} left @param {Journal} journal */
async function signOut(form, left, journal) {
  try {
    const answer = await fetch(form.action, { method: "POST", body: new FormData(form) });
    if (!answer.ok) throw new Error(String(answer.status));
    await empty(journal);
    location.replace(answer.url);
  } catch {
    form.hidden = false;
    left.hidden = true;
    busy(form, left, false);
    say(form, "network");
  }
}

/** Forget everything of ours: journal, subscription, worker, what is kept for reading without
 * network, and the second memory of what waits. @param {Journal} journal */
async function empty(journal) {
  const done = Promise.allSettled([journal.clear(), unregister(), forgetCaches()]);
  await Promise.race([done, new Promise((resolve) => setTimeout(resolve, LONGEST))]);
  for (const store of [localStorage, sessionStorage]) store.clear();
  const cookie = "unsent=; path=/; max-age=0; SameSite=Lax";
  document.cookie = location.protocol === "https:" ? `${cookie}; Secure` : cookie;
}

async function unregister() {
  const registration = await navigator.serviceWorker?.getRegistration();
  const subscription = await registration?.pushManager?.getSubscription();
  await subscription?.unsubscribe().catch(() => {});
  await registration?.unregister();
}

async function forgetCaches() {
  await Promise.all((await caches.keys()).map((name) => caches.delete(name)));
}

/** @param {HTMLFormElement} form @param {HTMLElement} left @param {boolean} is */
function busy(form, left, is) {
  for (const button of [...form.querySelectorAll("button"), ...left.querySelectorAll("button")]) button.disabled = is;
}

/** @param {HTMLFormElement} form @param {string} [word] */
function say(form, word) {
  const line = /** @type {?HTMLElement} */ (form.querySelector("[role=status]"));
  if (line) line.textContent = word ? line.dataset[word] ?? "" : "";
}
