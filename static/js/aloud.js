/**
 * Reads an item aloud: what it is about, the question, then the options in their order; a recording
 * of a person where there is one, else the phone's own voice. Pages load this only where the study
 * and the licence allow it; the form's `data-aloud` and `data-stop` are the button's words, and
 * `data-silent` says that the recording cannot be fetched. Which items were read stands in its
 * `data-read`, and for plain forms in a field, for an answer to a question that was heard is
 * recorded as such.
 */
const SIGN = '<svg viewBox="0 0 24 24" width="24" height="24" fill="none" stroke="currentColor" ' +
  'stroke-width="2" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">' +
  '<path d="M4 9v6h4l5 4V5L8 9zM16.5 8.5a5 5 0 0 1 0 7M19 6a8.5 8.5 0 0 1 0 12"/></svg>';
const SIMPLIFIED = ["hans", "cn", "sg", "my"]; // scripts and regions of Chinese as we write it
const speech = "speechSynthesis" in window ? speechSynthesis : null;

/** Whether a voice speaks a page's language: a neighbouring language will not do.
 * @param {string} voice its tag, `zh-CN` or, on Android, `zh_CN` @param {string} language `zh-Hans` */
function speaks(voice, language) {
  const [spoken, ...parts] = voice.toLowerCase().split(/[-_]/);
  const [wanted, script] = language.toLowerCase().split("-");
  return spoken === wanted && (!script || parts.some((part) => SIMPLIFIED.includes(part)));
}

/** The phone's own voice for the page's language. Others would send the question to another company. */
function ownVoice() {
  const { lang } = document.documentElement;
  return speech?.getVoices().find((voice) => voice.localService && speaks(voice.lang, lang));
}

class Reader {
  /** @param {HTMLFormElement} form */
  constructor(form) {
    this.form = form;
    this.words = { read: form.dataset.aloud ?? "", stop: form.dataset.stop ?? "" };
    /** @type {?() => void} how to end what is being read */
    this.end = null;
    this.button = document.createElement("button");
    this.button.type = "button";
    this.button.className = "quiet aloud";
    this.button.innerHTML = `${SIGN}<span></span>`;
    this.button.addEventListener("click", () => (this.end ? this.stop() : this.read()));
    this.tell();
    this.item = this.shown;
    this.ears = new AbortController();
    const { signal } = this.ears;
    form.addEventListener("change", () => this.stop(), { signal });
    this.watch = new MutationObserver(() => this.move());
    this.watch.observe(form, { childList: true, subtree: true });
    document.addEventListener("visibilitychange", () => document.hidden && this.stop(), { signal });
    addEventListener("pagehide", () => this.stop(), { signal });
    speech?.addEventListener?.("voiceschanged", () => this.offer(), { signal }); // voices come late
    this.offer();
  }

  get shown() {
    return /** @type {?HTMLElement} */ (this.form.querySelector(".item"));
  }

  /** Stop when another item is shown, and offer to read that one. */
  move() {
    if (this.item === this.shown) return;
    this.item = this.shown;
    this.stop();
    this.tell();
    this.offer();
  }

  /** The button, where there is a recording or a voice for it. */
  offer() {
    if (!this.item?.dataset.sound && !ownVoice()) return this.button.remove();
    const line = this.item?.querySelector(".progress");
    if (line && !line.contains(this.button)) line.append(this.button);
    return undefined;
  }

  read() {
    const { item } = this;
    if (item?.dataset.sound) this.play(item, item.dataset.sound);
    else if (item) this.speak(item);
  }

  /** Play the item's recording, or, where it cannot be fetched, let the phone speak.
   * @param {HTMLElement} item @param {string} address */
  play(item, address) {
    const audio = new Audio(address);
    const end = () => audio.pause();
    this.end = end;
    this.tell();
    audio.addEventListener("playing", () => this.heard(item), { once: true });
    audio.addEventListener("ended", () => this.over(end));
    const fail = () => {
      if (!this.over(end)) return; // stopped meanwhile, or said already
      if (!this.speak(item)) this.tell(this.form.dataset.silent);
    };
    audio.addEventListener("error", fail);
    audio.play()?.catch(fail);
  }

  /** Whether the phone's own voice reads the item now. @param {HTMLElement} item */
  speak(item) {
    const voice = ownVoice();
    if (!speech || !voice) return false;
    speech.cancel(); // what another window left behind
    const parts = item.querySelectorAll(".recall, h1, .opt > span");
    const said = [...parts].map((part) => {
      const one = new SpeechSynthesisUtterance(part.textContent?.trim());
      Object.assign(one, { voice, lang: voice.lang });
      if (part.matches("h1")) one.onstart = () => this.heard(item);
      return one;
    });
    const end = () => speech.cancel();
    for (const one of said) one.onerror = () => { this.over(end); };
    said[said.length - 1].onend = () => { this.over(end); };
    this.end = end;
    this.said = said; // kept, or a browser forgets to tell of their end
    this.tell();
    for (const one of said) speech.speak(one);
    return true;
  }

  /** The question itself has been begun. @param {HTMLElement} item */
  heard(item) {
    const read = new Set(this.form.dataset.read?.split(" "));
    this.form.dataset.read = [...read.add(item.dataset.item ?? "")].join(" ");
    let field = /** @type {?HTMLInputElement} */ (this.form.elements.namedItem("read_aloud"));
    if (!field) {
      field = Object.assign(document.createElement("input"), { type: "hidden", name: "read_aloud" });
      this.form.append(field);
    }
    field.value = this.form.dataset.read;
  }

  /** End this, if it is what is being read; whether it was. @param {() => void} end */
  over(end) {
    if (this.end !== end) return false;
    this.stop();
    return true;
  }

  stop() {
    const { end } = this;
    if (!end) return;
    this.end = null;
    end();
    this.tell();
  }

  /** @param {string} [text] instead of the button's own words */
  tell(text) {
    const label = /** @type {HTMLElement} */ (this.button.lastElementChild);
    label.setAttribute("aria-live", text ? "polite" : "off"); // nothing talks over what is read
    label.textContent = text || (this.end ? this.words.stop : this.words.read);
  }

  /** The form is no longer there. */
  leave() {
    this.stop();
    this.ears.abort();
    this.watch.disconnect();
  }
}

/** @type {?Reader} */ let reader = null;

/** Read the items of the page's form, if it has one to be read. */
export function mount() {
  const form = document.querySelector("form[data-aloud]");
  if (reader?.form === form) return;
  reader?.leave();
  reader = form instanceof HTMLFormElement ? new Reader(form) : null;
}

mount();
