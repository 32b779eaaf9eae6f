/**
 * Fingerprint, face or screen lock: set it up, unlock with it, or open the app on a new phone. The
 * place of the button says which; it shows where the phone can do it.
 */
import { read, send, tell, why, written } from "./credential.js";

const place = document.querySelector("[data-passkey]");
if (place instanceof HTMLElement && "PublicKeyCredential" in window) mount(place).catch(() => {});

/** @param {HTMLElement} place */
async function mount(place) {
  if (!await PublicKeyCredential.isUserVerifyingPlatformAuthenticatorAvailable()) return;
  const button = /** @type {HTMLButtonElement} */ (place.querySelector("button"));
  button.addEventListener("click", async () => {
    button.disabled = true;
    tell(place, "");
    await (place.dataset.passkey === "make" ? make() : open(place)).catch((error) => tell(place, why(place, error)));
    button.disabled = false;
  });
  document.querySelector("[data-unable]")?.remove();
  place.hidden = false;
}

async function make() {
  const options = await send("/phone/passkey/options", {});
  const credential = await navigator.credentials.create({ publicKey: read(options) });
  const { to } = await send("/phone/passkey", { credential: written(credential) });
  location.assign(to);
}

/** @param {HTMLElement} place */
async function open(place) {
  const use = place.dataset.passkey;
  const options = await send("/phone/opening", { use });
  const credential = await navigator.credentials.get({ publicKey: read(options) });
  const { to, csrf } = await send("/phone/open", { use, credential: written(credential) });
  if (!csrf || !carry(csrf)) location.assign(to);
}

/** What was posted before the phone had to be unlocked goes on its way. @param {string} csrf */
function carry(csrf) {
  const form = /** @type {?HTMLFormElement} */ (document.querySelector("form[data-pin]"));
  const field = /** @type {?HTMLInputElement} */ (form?.querySelector("[name=carry_to]"));
  if (!form || !field || new URL(field.value, location.origin).origin !== location.origin) return false;
  form.action = field.value;
  /** @type {HTMLInputElement} */ (form.querySelector("[name=csrf_token]")).value = csrf;
  for (const own of form.querySelectorAll("[name=carry_to], [name=pin], [name=username]")) own.remove();
  form.submit();
  return true;
}
