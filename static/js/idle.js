/**
 * Says a minute before the end that this desk will be signed out, and lets whoever is there stay.
 * What was typed is not touched: signing out only closes what is sent from here on. When another
 * window of this browser becomes the site's tablet, this one is given up with it.
 */
const WARNING = 60; // seconds
const LOOK = 5_000; // milliseconds

const seconds = Number(document.body.dataset.idle);
const box = document.querySelector("[data-stay]");
if ("BroadcastChannel" in self) {
  new BroadcastChannel("tablet").addEventListener("message", () => location.reload());
}
if (seconds && box instanceof HTMLDialogElement) watch(box);

/** @param {HTMLDialogElement} box */
function watch(box) {
  let last = Date.now();
  box.querySelector("form")?.addEventListener("submit", async (submission) => {
    submission.preventDefault();
    const form = /** @type {HTMLFormElement} */ (submission.target);
    const answer = await fetch(form.action, { method: "POST", body: new FormData(form) }).catch(() => null);
    if (answer?.status === 204) last = Date.now();
    box.close();
  });
  setInterval(() => {
    const left = seconds - (Date.now() - last) / 1000;
    if (left <= WARNING && left > 0 && !box.open) box.showModal();
    if (left <= 0 && box.open) box.close();
  }, LOOK);
}
