/**
 * Says a minute before the end that this desk will be signed out, and lets whoever is there stay.
 * Who types or clicks is there: the study is told now and then, and every other tab at once, so
 * that the warning comes when all of them are idle. What was typed is not touched. When another
 * window of this browser becomes the site's tablet, this one is given up with it.
 */
const WARNING = 60; // seconds
const LOOK = 5_000; // milliseconds
const TELL = 60_000; // milliseconds between two words to the study

const seconds = Number(document.body.dataset.idle);
const box = document.querySelector("[data-stay]");
if ("BroadcastChannel" in self) {
  new BroadcastChannel("tablet").addEventListener("message", () => location.reload());
}
if (seconds && box instanceof HTMLDialogElement) watch(box);

/** @param {HTMLDialogElement} box */
function watch(box) {
  const form = /** @type {HTMLFormElement} */ (box.querySelector("form"));
  const tabs = "BroadcastChannel" in window ? new BroadcastChannel("desk") : null;
  let last = Date.now(); // when the study last heard of this desk, from whichever tab
  let active = false; // whether somebody was here since

  const heard = (/** @type {number} */ at) => {
    last = Math.max(last, at);
    active = false;
    if (box.open) box.close();
  };
  const stay = async () => {
    const at = Date.now();
    const answer = await fetch(form.action, { method: "POST", body: new FormData(form) }).catch(() => null);
    if (answer?.status !== 204) return false;
    heard(at);
    tabs?.postMessage(at);
    return true;
  };
  tabs?.addEventListener("message", ({ data }) => heard(Number(data)));
  tabs?.postMessage(last); // this page has just come from the study
  for (const kind of ["keydown", "pointerdown"]) {
    addEventListener(kind, (event) => { active ||= event.isTrusted && !box.open; }, { passive: true });
  }
  form.addEventListener("submit", async (submission) => {
    submission.preventDefault();
    if (!await stay()) box.close();
  });
  setInterval(async () => {
    if (active && Date.now() - last >= TELL) await stay();
    const left = seconds - (Date.now() - last) / 1000;
    if (left <= WARNING && left > 0 && !box.open) box.showModal();
    if (left <= 0 && box.open) box.close();
  }, LOOK);
}
