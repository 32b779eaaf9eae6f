/**
 * The PIN without network. What is kept is a slow hash, sealed in the journal, of the PIN that the
 * study last accepted on this phone; it opens the page without network and nothing else.
 *
 * @typedef {import("./journal.js").Journal} Journal
 * @typedef {{salt: number[], hash: number[], wrong: number}} Kept
 */
import { Journal } from "./journal.js";

const ROUNDS = 210_000; // OWASP's figure for PBKDF2-HMAC-SHA512
const MOST_WRONG = 5; // then only the study can say whether a PIN is right

const form = document.querySelector("form[data-pin]");
if (form instanceof HTMLFormElement && crypto.subtle) watch(form).catch(() => {});

/** Keep the PIN that is being sent; whether it was right shows on the next page (`confirm`).
 * @param {HTMLFormElement} form */
async function watch(form) {
  if (!("requestSubmit" in form)) return; // old phones: no PIN without network
  const journal = await Journal.open();
  sessionStorage.removeItem("opened"); // the PIN is asked for: without network, too, in every window
  await journal.keep("locked", Date.now());
  await journal.keep("pin.sent", undefined);
  form.addEventListener("submit", async (submission) => {
    if (form.dataset.native) return;
    submission.preventDefault();
    form.dataset.native = "yes";
    const pin = /** @type {HTMLInputElement} */ (form.querySelector("#pin")).value.trim();
    const salt = crypto.getRandomValues(new Uint8Array(16));
    await journal.keep("pin.sent", { salt: [...salt], hash: await slow(pin, salt), wrong: 0 }).catch(() => {});
    form.requestSubmit(/** @type {HTMLButtonElement} */ (submission.submitter));
  });
  form.dataset.ready = "yes";
}

/** The study has let the person in: the PIN that was sent is the right one. @param {Journal} journal */
export async function confirm(journal) {
  const sent = await journal.kept("pin.sent");
  const kept = sent ?? await journal.kept("pin");
  if (sent || kept?.wrong) await journal.keep("pin", { ...kept, wrong: 0 });
  if (sent) await journal.keep("pin.sent", undefined);
  await journal.keep("locked", undefined);
}

/**
 * `right`, `wrong`, or where only the study can tell: `spent` after too many wrong ones, `ask` when
 * none is kept.
 * @param {Journal} journal @param {string} pin
 */
export async function check(journal, pin) {
  const kept = /** @type {Kept | undefined} */ (await journal.kept("pin"));
  if (!kept) return "ask";
  if (await isSpent(journal)) return "spent";
  await journal.keep("pin", { ...kept, wrong: kept.wrong + 1 }); // before the answer is known
  const hash = await slow(pin.trim(), new Uint8Array(kept.salt));
  if (hash.some((byte, place) => byte !== kept.hash[place])) return kept.wrong + 1 < MOST_WRONG ? "wrong" : "spent";
  await journal.keep("pin", { ...kept, wrong: 0 });
  await journal.keep("locked", undefined);
  return "right";
}

/** Whether there were too many wrong ones: no PIN opens then. @param {Journal} journal */
export async function isSpent(journal) {
  return (await journal.kept("pin"))?.wrong >= MOST_WRONG;
}

/** @param {string} pin @param {Uint8Array<ArrayBuffer>} salt */
async function slow(pin, salt) {
  const key = await crypto.subtle.importKey("raw", new TextEncoder().encode(pin), "PBKDF2", false, ["deriveBits"]);
  const how = { name: "PBKDF2", hash: "SHA-512", salt, iterations: ROUNDS };
  return [...new Uint8Array(await crypto.subtle.deriveBits(how, key, 256))];
}
