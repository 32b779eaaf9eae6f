/**
 * A passkey of the staff: add one, sign in with it, or prove again to be there. Shows where the
 * browser can do it; what the page carries goes on afterwards.
 */
import { Refused, read, send, tell, why, written } from "./credential.js";

const place = document.querySelector("[data-staff-passkey]");
if (place instanceof HTMLElement && "PublicKeyCredential" in window) mount(place);

/** @param {HTMLElement} place */
function mount(place) {
  const button = /** @type {HTMLButtonElement} */ (place.querySelector("button"));
  const act = { make, "sign-in": signIn, verify }[place.dataset.staffPasskey ?? ""];
  if (!act) return;
  const press = async (/** @type {Event} */ press) => {
    press.preventDefault();
    button.disabled = true;
    tell(place, "");
    await act(place).catch((error) => {
      if (error instanceof Refused && error.status === 401) location.reload(); // a proof is due first
      else tell(place, why(place, error));
    });
    button.disabled = false;
  };
  if (place instanceof HTMLFormElement) place.addEventListener("submit", press);
  else button.addEventListener("click", press);
  document.querySelector("[data-unable]")?.remove();
  place.hidden = false;
}

/** @param {HTMLElement} form */
async function make(form) {
  const { ask = "", answer = "" } = form.dataset;
  const name = /** @type {HTMLInputElement} */ (form.querySelector("[name=name]")).value;
  const options = await send(ask, { name });
  const credential = await navigator.credentials.create({ publicKey: read(options) });
  const { to } = await send(answer, { name, credential: written(credential) });
  location.assign(to);
}

/** @param {HTMLElement} place */
async function open(place) {
  const { ask = "", answer = "" } = place.dataset;
  const options = await send(ask, {});
  const credential = await navigator.credentials.get({ publicKey: read(options) });
  return send(answer, { credential: written(credential) });
}

/** @param {HTMLElement} place */
async function signIn(place) {
  const { to, csrf } = await open(place);
  const form = carrier();
  if (!form.querySelector("[name=kept]")) return location.assign(to);
  go(form, place.dataset.kept ?? "", csrf);
}

/** @param {HTMLElement} place */
async function verify(place) {
  const { csrf } = await open(place);
  const form = carrier();
  const to = value(form, "carry_to");
  if (new URL(to, location.origin).origin !== location.origin) return;
  if (value(form, "method") === "get") location.assign(to);
  else go(form, to, csrf);
}

/** The form of the page that carries what was entered. */
function carrier() {
  return /** @type {HTMLFormElement} */ (document.querySelector("form[data-carrier]"));
}

/** @param {HTMLFormElement} form @param {string} name */
function value(form, name) {
  return /** @type {HTMLInputElement} */ (form.querySelector(`[name=${name}]`)).value;
}

/** What the form carries goes on its way, without what was for the proof. @param {HTMLFormElement} form @param {string} path @param {string} csrf */
function go(form, path, csrf) {
  form.action = path;
  /** @type {HTMLInputElement} */ (form.querySelector("[name=csrf_token]")).value = csrf;
  form.querySelector("input[type=hidden][name=method]")?.remove();
  for (const own of form.querySelectorAll("[name=carry_to], [name=email], [name=password], #code")) own.remove();
  form.submit();
}
