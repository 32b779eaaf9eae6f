/** Register the service worker of this page's language. @param {string} language */
export function register(language) {
  const how = /** @type {RegistrationOptions} */ ({ scope: "/", updateViaCache: "none" });
  return navigator.serviceWorker.register(`/service-worker.js?language=${language}`, how);
}
