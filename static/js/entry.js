/**
 * Typing a paper questionnaire in: the number of an option chooses it and goes on to the next
 * question, minus says that it was left empty, a slash that it does not apply, and Backspace goes
 * back. Keys count only while a question has the focus.
 */
/** @type {Record<string, string>} */
const SIGNS = { "-": "skipped", "/": "not_applicable" };
const questions = /** @type {HTMLFieldSetElement[]} */ ([...document.querySelectorAll("[data-typed]")]);
const hint = document.querySelector("[data-keys]");
if (hint instanceof HTMLElement) hint.hidden = false;

/** @param {HTMLFieldSetElement} question */
function options(question) {
  return [...question.querySelectorAll("input")];
}

/**
 * Go to a question: to what is chosen there, or to its first option.
 * @param {HTMLFieldSetElement | undefined} question
 */
function go(question) {
  if (!question) return;
  const all = options(question);
  (all.find((one) => one.checked) ?? all[0]).focus();
  question.scrollIntoView({ block: "nearest" });
}

questions.forEach((question, place) => {
  question.addEventListener("keydown", (press) => {
    if (press.ctrlKey || press.altKey || press.metaKey) return;
    if (press.key === "Backspace") {
      press.preventDefault();
      go(questions[place - 1]);
      return;
    }
    const value = SIGNS[press.key] ?? press.key;
    const chosen = options(question).find((one) => one.value === value);
    if (!chosen) return;
    press.preventDefault();
    chosen.checked = true;
    const next = questions[place + 1];
    const button = question.form?.querySelector("button:not([formaction])");
    if (next) go(next);
    else if (button instanceof HTMLElement) button.focus();
  });
});
