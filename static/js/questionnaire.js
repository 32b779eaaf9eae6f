/**
 * A questionnaire as one document: the sheet is fetched once, moving between items needs no
 * request, and each tap is sent as an operation. Without this script, or until the sheet is
 * there, the page works by plain forms.
 */
import { Outbox } from "./outbox.js";

const form = document.querySelector("form[data-questionnaire]");
if (form instanceof HTMLFormElement) open(form).catch(() => {});

/** @param {HTMLFormElement} form */
async function open(form) {
  if (!("requestSubmit" in form) || !window.AbortController) return; // old phones: plain forms
  const base = form.dataset.questionnaire ?? "";
  const response = await fetch(form.dataset.sheet ?? "");
  if (!response.ok) return;
  const sheet = new DOMParser().parseFromString(await response.text(), "text/html");
  const items = /** @type {HTMLElement[]} */ ([...sheet.querySelectorAll(".item")]);
  /** @type {Object<string, [string, ?number]>} */
  const given = JSON.parse(document.getElementById("given")?.textContent ?? "{}");
  const words = /** @type {HTMLTemplateElement} */ (document.getElementById("words")).content;
  const word = (/** @type {string} */ name) => words.querySelector(`[data-word=${name}]`)?.textContent ?? "";
  const state = /** @type {HTMLElement} */ (form.querySelector(".state"));
  const token = /** @type {HTMLInputElement} */ (form.elements.namedItem("csrf_token"));
  const review = form.elements.namedItem("from") !== null;
  const prompted = new Set();
  let notice = "";
  let leaving = false;

  const shown = () => /** @type {HTMLElement} */ (form.querySelector(".item"));
  const code = () => shown().dataset.item ?? "";
  const place = () => Number(shown().dataset.n);
  const chosen = () => /** @type {?HTMLInputElement} */ (form.querySelector("[name=choice]:checked"));

  const outbox = new Outbox({
    url: `${base}/answers`,
    language: form.dataset.language ?? "",
    seen: Number(form.dataset.seen),
    token: () => token.value,
    renew: (/** @type {string} */ fresh) => {
      for (const field of document.querySelectorAll("[name=csrf_token]")) field.setAttribute("value", fresh);
    },
    unlock: () => unlock(words, token),
    changed: (answer) => {
      if (answer && notice === word("language")) notice = "";
      for (const item of answer?.lost ?? []) {
        notice = word("fault");
        delete given[item];
        if (item === code()) mark(shown());
      }
      if (answer?.not_counted) notice = word("closed");
      for (const [item, value] of Object.entries(answer?.others ?? {})) {
        if (outbox.waiting.some((one) => one.item === item)) continue;
        if (value[0] === "cleared") delete given[item];
        else given[item] = value;
        if (item === code()) mark(shown());
      }
      tell();
    },
  });

  /** Say whether what was answered has reached the study. */
  function tell() {
    const count = outbox.waiting.length;
    let text = notice || (given[code()] ? word("saved") : "");
    let kind = notice ? "waiting" : "saved";
    if (count && outbox.broken) {
      text = word("broken");
      kind = "waiting";
    } else if (count && outbox.failures) {
      text = notice || (count === 1 ? word("one") : word("many").replace("{count}", String(count)));
      kind = "waiting";
    } else if (count) {
      text = word("sending");
      kind = "";
    }
    if (state.textContent !== text || state.firstElementChild?.className !== kind) {
      const line = document.createElement("span");
      line.className = kind;
      line.textContent = text;
      state.replaceChildren(...(text ? [line] : []));
    }
  }

  /** Show in an item what was answered. @param {HTMLElement} item */
  function mark(item) {
    const [how, number] = given[item.dataset.item ?? ""] ?? [];
    for (const option of item.querySelectorAll("input")) {
      option.checked = how !== undefined && option.value === (number === null ? how : String(number));
    }
    const left = /** @type {HTMLElement} */ (item.querySelector(".left"));
    left.hidden = how !== "skipped";
  }

  /** @param {string} how @param {?number} number */
  function record(how, number) {
    const [before, was] = given[code()] ?? [];
    if (before === how && was === number) return;
    if (how === "cleared") delete given[code()];
    else given[code()] = [how, number];
    notice = "";
    outbox.add({ item: code(), state: how, code: number, prompted: prompted.has(code()) });
  }

  /** What is chosen on the screen, as an operation if it is new. */
  function take() {
    const option = chosen();
    if (!option) return;
    if (option.value === "not_applicable") record("not_applicable", null);
    else record("answered", Number(option.value));
  }

  /** @param {number} n @param {boolean} push */
  function show(n, push) {
    leaving = false;
    const next = /** @type {HTMLElement} */ (document.importNode(items[n - 1], true));
    mark(next);
    shown().replaceWith(next);
    const address = `${base}/items/${n}`;
    form.action = address;
    if (push) history.pushState({ n }, "", address);
    document.title = document.title.replace(/^[^·]*(?= ·)|^[^·]*$/, next.dataset.title ?? "");
    const page = document.querySelector("[data-page-code]");
    if (page) page.textContent = next.dataset.page ?? "";
    notice = "";
    tell();
    scrollTo(0, 0);
    /** @type {HTMLElement} */ (next.querySelector("h1")).focus({ preventScroll: true });
  }

  /** Leave for a page of the server, once all has reached it. @param {() => void} go */
  async function leave(go) {
    leaving = true;
    const sent = await outbox.flush();
    if (sent && leaving) go();
    else tell();
    return sent;
  }

  /** @param {string} address */
  const visit = (address) => leave(() => { location.href = address; });

  const actions = {
    next() {
      if (!chosen() && !given[code()]) return prompt();
      if (review || place() === items.length) return visit(`${base}/review`);
      return show(place() + 1, true);
    },
    back() {
      if (review) return visit(`${base}/review`);
      if (place() === 1) return visit(`${base}?again=1`);
      return show(place() - 1, true);
    },
    clear() {
      for (const option of shown().querySelectorAll("input")) option.checked = false;
      record("cleared", null);
      shown().querySelector("input")?.focus();
    },
    skip() {
      record("skipped", null);
      mark(shown());
      return actions.next();
    },
    close: () => visit("/today"),
  };

  function prompt() {
    prompted.add(code());
    const box = /** @type {HTMLElement} */ (shown().querySelector(".prompt"));
    box.hidden = false;
    box.scrollIntoView({ block: "nearest" });
    box.focus({ preventScroll: true });
  }

  form.addEventListener("change", take);
  form.addEventListener("submit", (submission) => {
    const button = /** @type {?HTMLButtonElement} */ (submission.submitter);
    if (form.dataset.native) return;
    submission.preventDefault();
    if (button?.name === "language" || button?.name === "text_size") {
      take();
      // later, because a form does not submit again while its submit event is still going round
      const natively = () => { form.dataset.native = "yes"; form.requestSubmit(button); };
      leave(() => setTimeout(natively)).then((sent) => {
        if (!sent) { notice = word("language"); tell(); }
      });
      return;
    }
    const action = button?.value ?? "next";
    if (action !== "clear" && action !== "skip") take();
    actions[/** @type {keyof actions} */ (action)]?.();
  });
  addEventListener("popstate", () => {
    const n = Number(location.pathname.match(/\/items\/(\d+)$/)?.[1]);
    if (n && !review) show(n, false);
    else location.reload();
  });
  addEventListener("pageshow", (event) => {
    if (event.persisted && !outbox.waiting.length) location.reload();
  });

  if (chosen()) take();
  mark(shown());
  tell();
  form.dataset.ready = "yes";
}

/**
 * Ask for the PIN on this page, so that what waits here is not lost.
 * @param {DocumentFragment} words @param {HTMLInputElement} token @returns {Promise<void>}
 */
function unlock(words, token) {
  return new Promise((resolve) => {
    const box = /** @type {HTMLDialogElement} */ (
      document.importNode(/** @type {Element} */ (words.querySelector("dialog")), true)
    );
    const pin = /** @type {HTMLInputElement} */ (box.querySelector("#pin"));
    const fault = /** @type {HTMLElement} */ (box.querySelector(".fault"));
    let renewed = false;
    box.addEventListener("submit", async (submission) => {
      submission.preventDefault();
      const answer = await fetch("/unlock", {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-CSRFToken": token.value },
        body: JSON.stringify({ pin: pin.value }),
      }).then((response) => response.json()).catch(() => ({ error: "network" }));
      if (answer.csrf) {
        for (const field of document.querySelectorAll("[name=csrf_token]")) field.setAttribute("value", answer.csrf);
      }
      if (answer.csrf && !answer.error) return box.close();
      if (answer.error === "csrf" && !renewed) { // a fresh token came first: the same PIN with it
        renewed = true;
        return pin.form?.requestSubmit();
      }
      if (answer.error !== "network") pin.value = "";
      const told = words.querySelector(`[data-word=${answer.error === "network" ? "offline" : "broken"}]`);
      fault.textContent = answer.fault ?? told?.textContent ?? "";
      fault.hidden = false;
      pin.focus();
    });
    box.addEventListener("cancel", (escape) => escape.preventDefault());
    box.addEventListener("close", () => { box.remove(); resolve(); });
    document.body.append(box);
    box.showModal();
    pin.focus();
  });
}
