/**
 * Ask for the PIN over the page: what was tapped has been taken, but nothing more is shown.
 * @param {DocumentFragment} words @returns {Promise<void>}
 */
export function unlock(words) {
  return new Promise((resolve) => {
    if (document.querySelector("dialog[open]")) return resolve();
    const box = /** @type {HTMLDialogElement} */ (
      document.importNode(/** @type {Element} */ (words.querySelector("dialog")), true)
    );
    const pin = /** @type {HTMLInputElement} */ (box.querySelector("#pin"));
    const name = /** @type {HTMLInputElement} */ (box.querySelector("[autocomplete=username]"));
    name.value = document.title.split(" · ").pop() ?? ""; // by which the browser knows the PIN
    let isOpen = false;
    const fault = /** @type {HTMLElement} */ (box.querySelector(".fault"));
    box.addEventListener("submit", async (submission) => {
      submission.preventDefault();
      const answer = await fetch("/unlock", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ pin: pin.value }),
      }).then((response) => response.json()).catch(() => ({ error: "network" }));
      if (answer.csrf) {
        for (const field of document.querySelectorAll("[name=csrf_token]")) field.setAttribute("value", answer.csrf);
        isOpen = true;
        sessionStorage.opened = Date.now();
        return box.close();
      }
      if (answer.error !== "network") pin.value = "";
      const told = words.querySelector(`[data-word=${answer.error === "network" ? "offline" : "broken"}]`);
      fault.textContent = answer.fault ?? told?.textContent ?? "";
      fault.hidden = false;
      return pin.focus();
    });
    box.addEventListener("cancel", (escape) => escape.preventDefault());
    box.addEventListener("close", () => {
      if (!isOpen) return box.showModal(); // some browsers close it at the second Escape
      box.remove();
      return resolve();
    });
    sessionStorage.removeItem("opened");
    document.body.append(box);
    box.showModal();
    pin.focus();
  });
}
