/**
 * Reads an item aloud: what it is about, the question, then the options in their order. Pages load
 * this only where the study allows it; the form's `data-aloud` and `data-stop` are the button's
 * words. Which items were read stands in its `data-read`, for an answer to a question that was heard
 * is recorded as such.
 */
const SIGN = '<svg viewBox="0 0 24 24" width="24" height="24" fill="none" stroke="currentColor" ' +
  'stroke-width="2" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">' +
  '<path d="M4 9v6h4l5 4V5L8 9zM16.5 8.5a5 5 0 0 1 0 7M19 6a8.5 8.5 0 0 1 0 12"/></svg>';
const SIMPLIFIED = ["hans", "cn", "sg", "my"]; // scripts and regions of Chinese as we write it

/** Whether a voice speaks a page's language: a neighbouring language will not do.
 * @param {string} voice its tag, `zh-CN` or, on Android, `zh_CN` @param {string} language `zh-Hans` */
function speaks(voice, language) {
  const [spoken, ...parts] = voice.toLowerCase().split(/[-_]/);
  const [wanted, script] = language.toLowerCase().split("-");
  return spoken === wanted && (!script || parts.some((part) => SIMPLIFIED.includes(part)));
}

/** The phone's own voice for a language. Others would send the question to another company.
 * @param {string} language */
function voiceFor(language) {
  const voices = speechSynthesis.getVoices();
  return voices.find((voice) => voice.localService && speaks(voice.lang, language));
}

class Reader {
  /** @param {HTMLElement} form */
  constructor(form) {
    this.form = form;
    this.words = { read: form.dataset.aloud ?? "", stop: form.dataset.stop ?? "" };
    /** @type {SpeechSynthesisUtterance[]} kept, or a browser forgets to tell of their end */
    this.said = [];
    this.button = document.createElement("button");
    this.button.type = "button";
    this.button.className = "quiet aloud";
    this.button.innerHTML = `${SIGN}<span></span>`;
    this.button.addEventListener("click", () => (this.said.length ? this.stop() : this.read()));
    this.tell();
    this.item = this.shown;
    form.addEventListener("change", () => this.stop());
    new MutationObserver(() => this.move()).observe(form, { childList: true, subtree: true });
    document.addEventListener("visibilitychange", () => document.hidden && this.stop());
    addEventListener("pagehide", () => this.stop());
    speechSynthesis.addEventListener?.("voiceschanged", () => this.offer()); // voices come late
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
    this.offer();
  }

  /** The button, where there is a voice for it. */
  offer() {
    if (!voiceFor(document.documentElement.lang)) return this.button.remove();
    const line = this.item?.querySelector(".progress");
    if (line && !line.contains(this.button)) line.append(this.button);
    return undefined;
  }

  read() {
    const voice = voiceFor(document.documentElement.lang);
    const { item } = this;
    if (!voice || !item) return;
    speechSynthesis.cancel(); // what another window left behind
    const parts = item.querySelectorAll(".recall, h1, .opt > span");
    this.said = [...parts].map((part) => {
      const one = new SpeechSynthesisUtterance(part.textContent?.trim());
      Object.assign(one, { voice, lang: voice.lang });
      if (part.matches("h1")) one.onstart = () => this.heard(item);
      return one;
    });
    const said = this.said;
    const end = () => { if (this.said === said) this.stop(); };
    for (const one of said) one.onerror = end;
    said[said.length - 1].onend = end;
    this.tell();
    for (const one of said) speechSynthesis.speak(one);
  }

  /** The question itself has been begun. @param {HTMLElement} item */
  heard(item) {
    const read = new Set(this.form.dataset.read?.split(" "));
    this.form.dataset.read = [...read.add(item.dataset.item ?? "")].join(" ");
  }

  stop() {
    if (!this.said.length) return;
    this.said = [];
    speechSynthesis.cancel();
    this.tell();
  }

  tell() {
    const label = /** @type {HTMLElement} */ (this.button.lastElementChild);
    label.textContent = this.said.length ? this.words.stop : this.words.read;
  }
}

const form = document.querySelector("form[data-aloud]");
if (form instanceof HTMLElement && "speechSynthesis" in window) new Reader(form);
