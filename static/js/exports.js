/**
 * The list of a person's exports, kept up to date while one of them is being made. Only the pieces
 * that have changed are replaced, so that what has the focus keeps it. Without this script the page
 * says the same when it is loaded anew.
 */
const EVERY = 2_000; // milliseconds between two questions
const list = document.querySelector("[data-jobs]");
const told = document.querySelector("[data-told]");
/** @type {Record<string, string>} what the server said of each job before */
let before = {};

/** @param {string} id */
function piece(id) {
  return document.getElementById(`job-${id}`);
}

/** @param {string} html */
function made(html) {
  const holder = document.createElement("template");
  holder.innerHTML = html;
  return holder.content.firstElementChild;
}

/**
 * Say to who cannot see it that an export is ready, or is not.
 * @param {Element} old
 * @param {Element} fresh
 */
function tell(old, fresh) {
  if (!(told instanceof HTMLElement) || !old.querySelector("progress")) return;
  if (fresh.querySelector("a[download]")) told.textContent = told.dataset.ready ?? "";
  else if (fresh.querySelector(".why")) told.textContent = told.dataset.failed ?? "";
}

/** @param {Record<string, string>} jobs */
function show(jobs) {
  for (const [id, html] of Object.entries(jobs)) {
    const old = piece(id);
    const fresh = html === before[id] ? null : made(html);
    if (old && fresh) {
      tell(old, fresh);
      old.replaceWith(fresh);
    }
  }
  before = jobs;
}

async function look() {
  try {
    const answer = await fetch(list?.getAttribute("data-jobs") ?? "", { redirect: "manual" });
    if (!answer.ok) return; // signed out, or not one's own any more
    const said = await answer.json();
    show(said.jobs);
    if (said.undone) setTimeout(look, EVERY);
  } catch {
    setTimeout(look, EVERY * 5); // the network may come back
  }
}

if (list?.querySelector("progress")) setTimeout(look, EVERY / 2);
