/**
 * Opens the app without network, and sends what waits when it is back. The server puts `house` in
 * front: version, shell, assets. No page of a person is kept, and only GET is touched.
 */
const CACHE = `app-${house.version}`;
const OWN = /^\/($|today$|questionnaires\/)/; // pages that the phone can show by itself
const FIXED = /^\/(static|sheets|icons)\//; // addresses that change with their content

/** Have the app at hand. One file that is missing does not stop the others. */
async function install() {
  const cache = await caches.open(CACHE);
  const shell = fetch(house.shell).then((found) => found.ok && cache.put("/offline", found));
  await Promise.allSettled([shell, ...house.assets.map((one) => cache.add(one))]);
}

async function activate() {
  for (const name of await caches.keys()) {
    if (name.startsWith("app-") && name !== CACHE) await caches.delete(name);
  }
  await registration.navigationPreload?.enable();
  await clients.claim();
}

/** A page from the network, or, where there is none or it takes too long, the phone's own.
 * @param {FetchEvent} event @param {string} path */
async function page(event, path) {
  const answer = Promise.resolve(event.preloadResponse).then((found) => found ?? fetch(event.request));
  answer.catch(() => {}); // heard below; until then nobody listens
  const shell = await caches.match("/offline");
  if (!shell) return answer;
  const late = new Promise((resolve) => OWN.test(path) && setTimeout(resolve, house.patience));
  const found = await Promise.race([answer, late]).catch(() => null);
  return found && found.status < 502 ? found : shell; // 502 to 504: what stands in front is there alone
}

/** Send what waits, though no page is open. */
async function send() {
  const journal = await Journal.open();
  const news = new BroadcastChannel("journal");
  const tell = (/** @type {any} */ answer) => news.postMessage(answer);
  const work = () => deliver(journal, tell, () => 0, clocks);
  await (navigator.locks ? navigator.locks.request("journal", work) : work());
}

/** Take over from an older worker, but not while a questionnaire is open. */
async function takeOver() {
  const windows = await clients.matchAll({ type: "window", includeUncontrolled: true });
  if (!windows.some(isAnswering)) await skipWaiting();
}

addEventListener("install", (event) => event.waitUntil(install()));
addEventListener("activate", (event) => event.waitUntil(activate()));
addEventListener("message", (event) => event.data === "activate" && event.waitUntil(takeOver()));
addEventListener("sync", (event) => event.tag === "journal" && event.waitUntil(send()));
addEventListener("fetch", (event) => {
  const { method, mode, url } = event.request;
  const { origin, pathname } = new URL(url);
  if (method !== "GET" || origin !== location.origin) return;
  if (FIXED.test(pathname)) {
    event.respondWith(caches.match(event.request, { ignoreVary: true }).then((kept) => kept ?? fetch(event.request)));
  } else if (mode === "navigate") event.respondWith(page(event, pathname));
});
