/**
 * What the app does at each start on a participant's page: send what waits, say what has not been
 * sent, keep at hand what the phone needs without network, and tell the study the phone's state.
 */
import { prepare } from "./ahead.js";
import { Journal, clocks } from "./journal.js";
import { Outbox, introduce } from "./outbox.js";
import { confirm } from "./pin.js";

const place = document.querySelector("[data-phone]");
if (place instanceof HTMLElement) start(place).catch(() => {}).finally(() => { place.dataset.ready = "yes"; });

/** @param {HTMLElement} place */
async function start(place) {
  const journal = await Journal.open();
  sessionStorage.opened = Date.now();
  await leaveToOwner(journal, place.dataset.owner ?? "");
  await confirm(journal);
  const form = /** @type {?HTMLFormElement} */ (document.querySelector("form[data-submit]"));
  const outbox = new Outbox(journal, clocks, {
    assessment: form?.dataset.submit,
    changed: (answer) => {
      show(place, outbox, journal);
      const address = `/questionnaires/${answer?.assessment}/`;
      const decided = answer?.receipt ?? answer?.missing ?? answer?.closed;
      if (decided && location.pathname.startsWith(address)) location.href = `${address}receipt`;
    },
  });
  if (form) submitThrough(outbox, form);
  document.querySelector("[data-lost] button")?.addEventListener("click", () => {
    document.querySelector("[data-lost]")?.remove();
    return tellStudy(journal, { told: true });
  });
  if (form && await isSealed(journal, form)) return undefined;
  const before = await journal.count();
  await outbox.flush();
  if (outbox.total < before) return location.reload(); // the page was made before these arrived
  await introduce(journal);
  await report(journal);
  if (place.dataset.phone !== "shared") await prepare(journal, place.dataset.language ?? "");
}

/** Whether the press on Submit was taken while this page, made before, was on its way; then the
 * receipt is what to show. @param {Journal} journal @param {HTMLFormElement} form */
async function isSealed(journal, form) {
  const plan = await journal.kept("plan");
  const own = plan?.questionnaires.find((/** @type {{id: string}} */ { id }) => id === form.dataset.submit);
  if (own?.receipt) location.replace(`/questionnaires/${own.id}/receipt`);
  return Boolean(own?.receipt);
}

/** Another person's plan and PIN are not this one's. @param {Journal} journal @param {string} owner */
async function leaveToOwner(journal, owner) {
  if (await journal.kept("owner") === owner) return;
  await journal.keep("plan", undefined);
  await journal.keep("pin", undefined);
  await journal.keep("told", undefined);
  await journal.keep("owner", owner);
}

/** Say what waits. @param {HTMLElement} place @param {Outbox} outbox @param {Journal} journal */
function show(place, outbox, journal) {
  const line = /** @type {?HTMLElement} */ (document.querySelector("[data-unsent]"));
  if (!line) return;
  const { count } = outbox;
  line.hidden = !count || !(outbox.failures || outbox.stuck);
  const { stuck, open, one, many } = place.dataset;
  const told = outbox.stuck ? stuck : !journal.durable ? open : count === 1 ? one : many;
  const text = (told ?? "").replace("{count}", String(count));
  if (line.textContent !== text) line.textContent = text;
}

/** Tell the study how this phone stands, if that is news. @param {Journal} journal */
async function report(journal) {
  const persisted = await navigator.storage?.persisted?.().catch(() => null) ?? null;
  const { lost, durable } = journal;
  const state = JSON.stringify({ left: await journal.count(), persisted, durable, lost });
  if (await journal.kept("told") === state) return;
  const answer = await tellStudy(journal, { persisted: persisted && durable, lost });
  if (!answer.ok) return;
  await journal.keep("told", state);
  const { at, loss } = await answer.json();
  await journal.touch(at);
  if (loss && !document.querySelector("[data-lost]")) location.reload(); // the page says so
}

/** @param {Journal} journal @param {Object<string, any>} what */
async function tellStudy(journal, what) {
  const body = JSON.stringify({ journal: journal.name, left: await journal.count(), ...what });
  return fetch("/journal", { method: "POST", headers: { "Content-Type": "application/json" }, body });
}

/** The last tap goes the same way as all others. @param {Outbox} outbox @param {HTMLFormElement} form */
function submitThrough(outbox, form) {
  form.addEventListener("submit", async (submission) => {
    submission.preventDefault();
    const { submit: assessment = "", language = "" } = form.dataset;
    for (const button of form.querySelectorAll("button")) button.disabled = true;
    await outbox.add({ assessment, state: "submitted", language });
    const sent = await outbox.flush();
    const without = navigator.serviceWorker?.controller && await caches.match("/offline");
    if (sent || (without && outbox.journal.durable && !outbox.stuck)) location.href = `/questionnaires/${assessment}/receipt`;
  });
}
