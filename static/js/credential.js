/** What pages that make or use a passkey share: speaking with the study, and browsers' shapes. */

export class Refused extends Error {
  /** @param {string} message @param {number} status */
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** @param {string} path @param {unknown} body */
export async function send(path, body) {
  const token = /** @type {?HTMLInputElement} */ (document.querySelector("[name=csrf_token]"));
  const answer = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRFToken": token?.value ?? "" },
    body: JSON.stringify(body),
  });
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok || answer.redirected) throw new Refused(told.fault ?? "", answer.redirected ? 401 : answer.status);
  return told;
}

/** @param {HTMLElement} place @param {Error} error */
export function why(place, error) {
  const { failed, known, network } = /** @type {HTMLElement} */ (place.querySelector("[role=alert]")).dataset;
  if (error instanceof Refused && error.message) return error.message;
  if (error instanceof TypeError) return network;
  return error.name === "InvalidStateError" ? known ?? failed : failed;
}

/** @param {HTMLElement} place @param {string} [text] */
export function tell(place, text) {
  const line = /** @type {HTMLElement} */ (place.querySelector("[role=alert]"));
  line.textContent = text ?? "";
  line.hidden = !text;
}

/** Options as browsers want them; older ones do not read JSON. @param {any} options */
export function read(options) {
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
export function written(credential) {
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
