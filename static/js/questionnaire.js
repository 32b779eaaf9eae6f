/**
 * A questionnaire as one document: the sheet is fetched once, moving between items needs no
 * request, and each tap goes through the journal to the study. Without this script, or until the
 * sheet is there, the page works by plain forms. The page without network mounts it, too.
 */
import { Journal, apply, clocks } from "./journal.js";
import { Outbox } from "./outbox.js";

const PATIENCE = 3_000; // milliseconds that a person waits for the network before going on without

const found = document.querySelector("form[data-questionnaire]");
if (found instanceof HTMLFormElement) {
  const given = JSON.parse(document.getElementById("given")?.textContent ?? "{}");
  mount(found, given).catch(() => {});
}

/**
 * @param {HTMLFormElement} form
 * @param {Object<string, [string, ?number]>} given what is answered already, by item
 */
export async function mount(form, given) {
  if (!("requestSubmit" in form)) return; // old phones: plain forms
  const base = form.dataset.questionnaire ?? "";
  const assessment = base.split("/")[2];
  const [response, journal] = await Promise.all([fetch(form.dataset.sheet ?? ""), Journal.open()]);
  if (!response.ok) return;
  const sheet = new DOMParser().parseFromString(await response.text(), "text/html");
  const items = /** @type {HTMLElement[]} */ ([...sheet.querySelectorAll(".item")]);
  if (!document.getElementById("words")) document.body.append(sheet.getElementById("words") ?? "");
  const words = /** @type {HTMLTemplateElement} */ (document.getElementById("words")).content;
  const word = (/** @type {string} */ name) => words.querySelector(`[data-word=${name}]`)?.textContent ?? "";
  const state = /** @type {HTMLElement} */ (form.querySelector(".state"));
  const review = form.elements.namedItem("from") !== null;
  const prompted = new Set();
  let seen = Number(form.dataset.seen);
  let notice = "";
  let leaving = false;
  let taps = 0;
  let unlocking = Promise.resolve();

  const shown = () => /** @type {HTMLElement} */ (form.querySelector(".item"));
  const code = () => shown().dataset.item ?? "";
  const place = () => Number(shown().dataset.n);
  const chosen = () => /** @type {?HTMLInputElement} */ (form.querySelector("[name=choice]:checked"));

  const outbox = new Outbox(journal, clocks, {
    assessment,
    seen: (one) => (one === assessment ? seen : 0),
    changed: (answer) => (answer?.assessment === assessment ? hear(answer) : tell()),
  });
  for (const { item, state, code } of await outbox.waiting()) apply(given, item, state, code);

  /** What the study says. @param {import("./outbox.js").Answer} answer */
  async function hear(answer) {
    seen = answer.seen;
    if (notice === word("language")) notice = "";
    for (const entry of answer.entries.filter(({ id }) => id in (answer.refused ?? {}))) {
      notice = word("fault");
      if (entry.item) delete given[entry.item];
    }
    if (answer.not_counted) notice = word("closed");
    await takeIn(answer);
    mark(shown());
    tell();
    if (answer.receipt && !answer.not_counted) location.href = `${base}/receipt`;
    else if (answer.locked) unlocking = import("./unlock.js").then(({ unlock }) => unlock(words));
  }

  /** What was answered elsewhere, in another window or on another phone, where nothing newer waits
   * here. @param {import("./outbox.js").Answer} answer */
  async function takeIn({ entries, others, refused, not_counted }) {
    let waiting, before;
    do { // a tap during the look counts, too
      before = taps;
      waiting = new Set((await outbox.waiting()).map(({ item }) => item));
    } while (taps !== before);
    const { run } = clocks();
    for (const { id, item, state, code, run: whose } of entries) {
      const counts = !(id in { ...refused, ...not_counted });
      if (whose !== run && counts && !waiting.has(item)) apply(given, item, state, code);
    }
    for (const [item, value] of Object.entries(others ?? {})) {
      if (!waiting.has(item)) apply(given, item, ...value);
    }
  }

  /** Say whether what was answered has reached the study. */
  function tell() {
    const { count } = outbox;
    let text = notice || (given[code()] ? word("saved") : "");
    let kind = notice ? "waiting" : "saved";
    if (count && (outbox.stuck || outbox.failures || !journal.durable)) {
      const waits = count === 1 ? word("one") : word("many").replace("{count}", String(count));
      text = outbox.stuck ? word("broken") : notice || waits;
      if (!journal.durable && !outbox.stuck) text = word("open");
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
    apply(given, code(), how, number);
    taps += 1;
    notice = "";
    sessionStorage.opened = Date.now();
    outbox.add({
      assessment, item: code(), state: how, code: number, prompted: prompted.has(code()),
      aloud: form.dataset.read?.split(" ").includes(code()) ?? false, language: form.dataset.language ?? "", wording: form.dataset.wording ?? "",
    });
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

  /** Leave for another page once all has reached the study, or, where the phone can show that page
   * without network, after some patience. @param {() => void} go @param {boolean} [needed] */
  async function leave(go, needed) {
    leaving = true;
    const late = new Promise((resolve) => setTimeout(resolve, PATIENCE, false));
    const flushed = outbox.flush();
    let sent = await Promise.race([flushed, late]);
    if (!sent) sent = (!needed && await canGo()) || await flushed;
    await unlocking;
    if (sent && leaving) go();
    else tell();
    return sent;
  }

  /** Whether what follows can be shown without network. */
  async function canGo() {
    if (!outbox.count) return true;
    if (outbox.stuck || !journal.durable || !navigator.serviceWorker?.controller) return false;
    return Boolean(await isPlanned() && await caches.match("/offline") && await caches.match(response.url));
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
      leave(() => setTimeout(natively), true).then((sent) => {
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
    if (event.persisted) location.reload();
  });

  if (chosen() && !chosen()?.defaultChecked) take(); // tapped before this script was there
  mark(shown());
  tell();
  form.dataset.ready = "yes";
  sessionStorage.opened = Date.now();
  outbox.send();
  setTimeout(() => lookAhead().catch(() => {}), PATIENCE);

  async function isPlanned() {
    const plan = await journal.kept("plan");
    return Boolean(plan?.questionnaires.some((/** @type {{id: string}} */ { id }) => id === assessment));
  }

  /** A person who came straight here, by a reminder, has what is needed without network, too. */
  async function lookAhead() {
    if (await isPlanned() || !await journal.kept("owner")) return;
    const { prepare } = await import("./ahead.js");
    await prepare(journal, form.dataset.language ?? "");
  }
}
