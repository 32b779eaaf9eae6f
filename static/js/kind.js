/** What kind of browser this is, as far as pages must tell kinds apart. */

/** An iPhone or iPad, also one that says it is a Mac. */
export const apple = /iPhone|iPad|iPod/.test(navigator.userAgent) ||
  (navigator.platform === "MacIntel" && navigator.maxTouchPoints > 1);

/** A window inside another app, such as a chat: nothing can be installed from it. */
export const inApp = /MicroMessenger|FBA[NV]|Instagram|Line\/|; wv\)/.test(navigator.userAgent);

/** Opened from an icon of its own. */
export const installed = matchMedia("(display-mode: standalone)").matches ||
  /** @type {any} */ (navigator).standalone === true;
