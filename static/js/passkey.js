/**
 * Fingerprint, face or screen lock: set it up, unlock with it, or open the app on a new phone. The
 * place of the button says which; it shows where the phone can do it.
 */
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

class Refused extends Error {}

/** @param {string} path @param {unknown} body */
async function send(path, body) {
  const token = /** @type {?HTMLInputElement} */ (document.querySelector("[name=csrf_token]"));
  const answer = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRFToken": token?.value ?? "" },
    body: JSON.stringify(body),
  });
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(told.fault ?? "");
  return told;
}

/** @param {HTMLElement} place @param {Error} error */
function why(place, error) {
  const { failed, known, network } = /** @type {HTMLElement} */ (place.querySelector("[role=alert]")).dataset;
  if (error instanceof Refused && error.message) return error.message;
  if (error instanceof TypeError) return network;
  return error.name === "InvalidStateError" ? known ?? failed : failed;
}

/** @param {HTMLElement} place @param {string} [text] */
function tell(place, text) {
  const line = /** @type {HTMLElement} */ (place.querySelector("[role=alert]"));
  line.textContent = text ?? "";
  line.hidden = !text;
}

/** Options as browsers want them; older ones do not read JSON. @param {any} options */
function read(options) {
  const kind = "user" in options ? "parseCreationOptionsFromJSON" : "parseRequestOptionsFromJSON";
  const own = /** @type {any} */ (PublicKeyCredential)[kind];
  if (own) return own.call(PublicKeyCredential, options);
  const known = (/** @type {any[]} */ list = []) => list.map((one) => ({ ...one, id: bytes(one.id) }));
  const found = { ...options, challenge: bytes(options.challenge) };
  if (options.user) found.user = { ...options.user, id: bytes(options.user.id) };
  if (options.excludeCredentials) found.excludeCredentials = known(options.excludeCredentials);
  if (options.allowCredentials) found.allowCredentials = known(options.allowCredentials);
  return found;
}

/** A credential as the study reads it. @param {any} credential */
function written(credential) {
  if (credential.toJSON) return credential.toJSON();
  const { id, rawId, type, response } = credential;
  const names = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"];
  const parts = names.filter((name) => response[name]).map((name) => [name, text(response[name])]);
  const transports = response.getTransports?.() ?? [];
  return { id, rawId: text(rawId), type, response: { ...Object.fromEntries(parts), transports } };
}

/** @param {string} base64url */
function bytes(base64url) {
  return Uint8Array.from(atob(base64url.replace(/-/g, "+").replace(/_/g, "/")), (one) => one.charCodeAt(0));
}

/** @param {ArrayBuffer} buffer */
function text(buffer) {
  const plain = btoa(String.fromCharCode(...new Uint8Array(buffer)));
  return plain.replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}
