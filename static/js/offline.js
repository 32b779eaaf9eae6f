/**
 * The app without network. The page is the same for everybody; what is due, what was answered and
 * what waits comes from the journal. Every address shows what it shows with network, as far as the
 * phone knows it.
 *
 * @typedef {{id: string, items: number, minutes: number, opens_at: string, closes_at: string,
 *   last_at: string, closes_text: string, instruction: string, sheet: ?string, wording: ?string, seen: number,
 *   demonstration: boolean, aloud: boolean, given: Object<string, [string, ?number]>,
 *   receipt?: {code: string, moment: string, late: boolean}}} Questionnaire
 * @typedef {{at: string, language: string, text_size: number, test?: boolean, study: string,
 *   help: string, questionnaires: Questionnaire[]}} Plan
 */
import { Journal, apply, clocks } from "./journal.js";
import { Outbox } from "./outbox.js";
import { check, isSpent } from "./pin.js";
import { mount } from "./questionnaire.js";

const IDLE = 30 * 60_000; // milliseconds after which the PIN is asked again, as the study does
const place = /** @type {HTMLElement} */ (document.querySelector("[data-view]"));
const badge = document.querySelector("[data-network]");
addEventListener("online", () => badge?.setAttribute("hidden", ""));
addEventListener("offline", () => badge?.removeAttribute("hidden"));
start().catch(() => show("none"));

async function start() {
  const journal = await Journal.open();
  const plan = /** @type {Plan | undefined} */ (await journal.kept("plan"));
  if (!plan) return show("none");
  const open = Number(sessionStorage.opened ?? 0);
  const since = Date.now() - open;
  if (open <= (await journal.kept("locked") ?? 0) || since < 0 || since > IDLE) return askPin(journal, plan);
  return enter(journal, plan);
}

/** @param {Journal} journal @param {Plan} plan */
async function askPin(journal, plan) {
  if (await isSpent(journal)) return onlyWithNetwork(true);
  show("pin");
  const form = one("form");
  const field = /** @type {HTMLInputElement} */ (one("#offline-pin"));
  const fault = one(".fault");
  const button = /** @type {HTMLButtonElement} */ (one("form button"));
  field.focus();
  form.addEventListener("submit", async (submission) => {
    submission.preventDefault();
    if (button.disabled) return undefined; // two taps are not two tries
    button.disabled = true;
    const result = await check(journal, field.value);
    if (result === "right") return enter(journal, plan).catch(() => show("none"));
    if (result !== "wrong") return onlyWithNetwork(result === "spent");
    button.disabled = false;
    field.value = "";
    fault.hidden = false;
    return fault.focus();
  });
}

/** Only the study can let this person in. @param {boolean} spent after too many wrong PINs */
function onlyWithNetwork(spent) {
  show("none");
  one("[data-spent]").hidden = !spent;
  one("[data-why]").hidden = spent;
}

/** @param {Journal} journal @param {Plan} plan */
async function enter(journal, plan) {
  sessionStorage.opened = Date.now();
  document.documentElement.className = `size-${plan.text_size}`;
  fill(document.querySelector("[data-study]"), plan.study);
  fill(document.querySelector(".help > p"), plan.help);
  const entries = await journal.waiting();
  for (const questionnaire of plan.questionnaires) {
    for (const { assessment, item, state, code } of entries) {
      if (assessment === questionnaire.id) apply(questionnaire.given, item, state, code);
    }
  }
  const sealed = new Set(entries.filter(({ state }) => state === "submitted").map(({ assessment }) => assessment));
  const house = new House(journal, plan, sealed);
  const [, id, part = "", n] = location.pathname.match(/^\/questionnaires\/([^/]+)\/?([^/]*)\/?(\d*)/) ?? [];
  if (!id) return ["/", "/today", "/unlock"].includes(location.pathname) ? house.today() : show("none");
  const questionnaire = plan.questionnaires.find((one) => one.id === id);
  if (!questionnaire) return show("none");
  if (sealed.has(id) || questionnaire.receipt) return house.receipt(questionnaire);
  if (!house.isOpen(questionnaire)) return show("closed");
  document.querySelector("[data-demonstration]")?.toggleAttribute("hidden", !questionnaire.demonstration);
  if (part === "items") return item(questionnaire, Number(n));
  if (part === "review") return house.review(questionnaire);
  const first = await house.firstOpen(questionnaire);
  if (!Object.keys(questionnaire.given).length || location.search.includes("again")) return house.begin(questionnaire);
  return location.replace(first ? address(questionnaire, `/items/${first}`) : address(questionnaire, "/review"));
}

/** What a person does without network. */
class House {
  /** @param {Journal} journal @param {Plan} plan @param {Set<string>} sealed */
  constructor(journal, plan, sealed) {
    this.journal = journal;
    this.plan = plan;
    this.sealed = sealed;
    const { at, device_time } = journal.contact ?? { at: plan.at, device_time: plan.at };
    this.skew = Date.parse(device_time) - Date.parse(at);
  }

  /** By the study's clock, as far as this phone knows it. @param {Questionnaire} questionnaire */
  isOpen({ opens_at, closes_at, last_at, given }) {
    const now = Date.now() - this.skew;
    const end = Object.keys(given).length ? last_at : closes_at;
    return Date.parse(opens_at) <= now && now < Date.parse(end);
  }

  outbox(/** @type {(answer?: import("./outbox.js").Answer) => unknown} */ changed) {
    return new Outbox(this.journal, clocks, { changed });
  }

  async today() {
    show("today");
    one("[data-test]").hidden = !this.plan.test;
    const open = this.plan.questionnaires.filter(
      (one) => one.sheet && !one.receipt && !this.sealed.has(one.id) && this.isOpen(one));
    const cards = await Promise.all(open.map((each, index) => this.card(each, index + 1).catch(() => null)));
    const known = cards.filter((card) => card !== null); // the others' questions are not on this phone
    if (!known.length && cards.length) return show("none");
    counted(one("h1"), known.length);
    one("[data-cards]").append(...known);
    const outbox = this.outbox(() => unsent(outbox));
    const waited = await this.journal.count();
    await outbox.flush();
    if (waited && !outbox.count) location.reload(); // the network is back
  }

  /** @param {Questionnaire} questionnaire @param {number} number */
  async card(questionnaire, number) {
    const card = /** @type {HTMLElement} */ (view("card").firstElementChild);
    const { items, minutes, closes_at, closes_text, given } = questionnaire;
    say(card, "name", { count: number });
    say(card, "length", { count: items, minutes });
    const late = Date.now() - this.skew >= Date.parse(closes_at);
    const until = /** @type {HTMLElement} */ (card.querySelector("[data-until]"));
    until.textContent = late ? until.dataset.late ?? "" : put(until.dataset.until, { moment: closes_text });
    const link = /** @type {HTMLAnchorElement} */ (card.querySelector("a"));
    const first = await this.firstOpen(questionnaire);
    const { start, goOn, check: last } = link.dataset;
    link.href = address(questionnaire);
    const begun = Object.keys(given).length;
    link.textContent = put(begun ? first ? goOn : last : start, { count: first ?? 0 });
    link.classList.toggle("second", number > 1);
    return card;
  }

  /** @param {Questionnaire} questionnaire */
  begin(questionnaire) {
    show("start");
    const { instruction, items, minutes, closes_text } = questionnaire;
    fill(place.querySelector("[data-instruction]"), instruction);
    say(place, "length", { count: items, minutes });
    say(place, "until", { moment: closes_text });
    /** @type {HTMLAnchorElement} */ (one("a.btn")).href = address(questionnaire, "/items/1");
  }

  /** The first item without an answer. @param {Questionnaire} questionnaire */
  async firstOpen(questionnaire) {
    const missing = (await sheet(questionnaire)).find(({ dataset }) => !questionnaire.given[dataset.item ?? ""]);
    return missing ? Number(missing.dataset.n) : null;
  }

  /** @param {Questionnaire} questionnaire */
  async review(questionnaire) {
    show("review");
    const items = await sheet(questionnaire);
    one(".review").append(...items.map((item) => row(questionnaire, item)));
    const missing = items.filter(({ dataset }) => !questionnaire.given[dataset.item ?? ""]);
    one("[data-missing]").hidden = !missing.length;
    one("[data-complete]").hidden = missing.length > 0;
    if (missing.length) {
      counted(one("[data-missing] p"), missing.length);
      const link = /** @type {HTMLAnchorElement} */ (one("[data-to]"));
      link.textContent = put(link.dataset.to, { count: Number(missing[0].dataset.n) });
      link.href = address(questionnaire, `/items/${missing[0].dataset.n}`);
    }
    const outbox = this.outbox((answer) => {
      if (answer?.assessment === questionnaire.id) location.href = address(questionnaire, "/receipt");
      else unsent(outbox);
    });
    /** @type {HTMLButtonElement} */ (one("form button")).disabled = false;
    one("form").addEventListener("submit", async (submission) => {
      submission.preventDefault();
      if (missing.length) return one("[data-missing]").scrollIntoView();
      /** @type {HTMLButtonElement} */ (one("form button")).disabled = true;
      await outbox.add({ assessment: questionnaire.id, state: "submitted", language: this.plan.language });
      if (this.journal.durable) location.href = address(questionnaire, "/receipt");
    });
  }

  /** Complete, and soon received. @param {Questionnaire} questionnaire */
  async receipt(questionnaire) {
    if (questionnaire.receipt) return received(questionnaire.receipt);
    show("sent");
    const outbox = this.outbox(async (answer) => {
      if (answer?.assessment !== questionnaire.id || !(answer.receipt || answer.missing || answer.closed)) return unsent(outbox);
      if (!answer.receipt) return location.reload(); // with network: the study says what is the matter
      return received(answer.receipt);
    });
    await outbox.flush();
  }
}

/** One question after the other, as with network. @param {Questionnaire} questionnaire
 * @param {number} n */
async function item(questionnaire, n) {
  show("item");
  const items = await sheet(questionnaire);
  const shown = items[n - 1];
  if (!shown) return show("none");
  const form = /** @type {HTMLFormElement} */ (one("form"));
  one(".item").replaceWith(shown);
  form.dataset.questionnaire = address(questionnaire);
  form.dataset.sheet = questionnaire.sheet ?? "";
  form.dataset.wording = questionnaire.wording ?? "";
  form.dataset.seen = String(questionnaire.seen);
  if (location.search.includes("from=review")) {
    const from = document.createElement("input");
    Object.assign(from, { type: "hidden", name: "from", value: "review" });
    form.append(from);
  }
  fill(document.querySelector("[data-page-code]"), shown.dataset.page ?? "");
  document.querySelector("[data-study]")?.replaceWith(view("close"));
  if (!questionnaire.aloud) delete form.dataset.aloud;
  await mount(form, questionnaire.given);
  if (questionnaire.aloud) await import("./aloud.js"); // it finds the form by itself
}

/** @param {Questionnaire} questionnaire @returns {Promise<HTMLElement[]>} */
async function sheet(questionnaire) {
  const found = await fetch(questionnaire.sheet ?? "");
  if (!found.ok) throw new Error(String(found.status));
  return [...new DOMParser().parseFromString(await found.text(), "text/html").querySelectorAll(".item")].map(
    (item) => /** @type {HTMLElement} */ (document.importNode(item, true)));
}

/** A line of the review. @param {Questionnaire} questionnaire @param {HTMLElement} item */
function row(questionnaire, item) {
  const line = view("row");
  const [how, code] = questionnaire.given[item.dataset.item ?? ""] ?? ["none", null];
  const answer = /** @type {HTMLElement} */ (line.querySelector(".answer"));
  const option = item.querySelector(`input[value="${code}"] + span`);
  answer.textContent = option?.textContent ?? answer.dataset[how] ?? "";
  answer.classList.toggle("none", !option);
  fill(line.querySelector(".question"), `${item.dataset.n}. ${item.querySelector("h1")?.textContent}`);
  /** @type {HTMLAnchorElement} */ (line.querySelector("a")).href = address(questionnaire, `/items/${item.dataset.n}?from=review`);
  return line;
}

/** @param {{code: string, moment: string, late: boolean}} receipt */
function received({ code, moment, late }) {
  show("receipt");
  say(place, "moment", { moment });
  say(place, "code", { code });
  one("[data-late]").hidden = !late;
}

/** Say how many answers wait. @param {Outbox} outbox */
function unsent(outbox) {
  const line = /** @type {?HTMLElement} */ (place.querySelector("[data-unsent]"));
  if (!line) return;
  const words = /** @type {HTMLTemplateElement} */ (document.getElementById("words")).content;
  const waits = outbox.journal.durable ? outbox.count === 1 ? "one" : "many" : "open";
  const told = words.querySelector(`[data-word=${outbox.stuck ? "broken" : waits}]`);
  line.hidden = !outbox.count || (place.dataset.shown === "sent" && !outbox.stuck);
  line.textContent = put(told?.textContent ?? "", { count: outbox.count });
}

const CODES = /** @type {Object<string, string>} */ ({
  none: "N1", pin: "N2", today: "N3", start: "Q1", review: "Q90", sent: "N4", receipt: "Q91", closed: "Q92",
});

/** @param {string} name */
function show(name) {
  const isFirst = !place.dataset.shown;
  place.dataset.shown = name;
  place.replaceChildren(view(name));
  const head = place.querySelector("h1");
  if (head?.textContent) document.title = head.textContent;
  if (!isFirst) { // read out what has come in the place of what was read before
    head?.setAttribute("tabindex", "-1");
    head?.focus({ preventScroll: true });
  }
  if (CODES[name]) fill(document.querySelector("[data-page-code]"), CODES[name]);
  const again = /** @type {?HTMLAnchorElement} */ (place.querySelector("[data-again]"));
  if (again) again.href = location.href;
}

/** @param {string} name */
function view(name) {
  const template = /** @type {HTMLTemplateElement} */ (document.getElementById(`view-${name}`));
  return document.importNode(template.content, true);
}

/** @param {string} selector */
const one = (selector) => /** @type {HTMLElement} */ (place.querySelector(selector));

/** @param {Questionnaire} questionnaire @param {string} [rest] */
const address = ({ id }, rest = "") => `/questionnaires/${id}${rest}`;

/** @param {string | undefined} text @param {Object<string, string | number>} values */
const put = (text = "", values) => text.replace(/\{(\w+)\}/g, (_, name) => String(values[name]));

/** @param {?Element} element @param {string} text */
function fill(element, text) {
  if (element) element.textContent = text;
}

/** Fill in the text that an element carries. @param {ParentNode} within @param {string} name
 * @param {Object<string, string | number>} values */
function say(within, name, values) {
  const element = /** @type {HTMLElement} */ (within.querySelector(`[data-${name}]`));
  element.textContent = put(element.dataset[name], values);
}

/** @param {HTMLElement} element @param {number} count */
function counted(element, count) {
  const { zero, one: single, many } = element.dataset;
  element.textContent = put(count ? count === 1 ? single : many : zero, { count });
}
