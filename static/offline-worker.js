/**
 * Opens the app without network, and sends what waits when it is back. The server puts `house` in
 * front: version, shell, assets. No page of a person is kept, and only GET is touched.
 */
const CACHE = `app-${house.version}`;
const OWN = /^\/($|today$|questionnaires\/)/; // pages that the phone can show by itself
const FIXED = /^\/(static|sheets|icons)\//; // addresses that change with their content
const SOUND = /^\/sounds\//; // these, too, but asked for in parts
const NEEDED = [[house.shell, "/offline"], ...house.assets.map((one) => [one, one])]; // address, name

/** Have the app at hand. One file that is missing does not stop the others: it is asked for again at
 * each start. */
async function fill() {
  const cache = await caches.open(CACHE);
  await Promise.allSettled(NEEDED.map(async ([address, name]) => {
    if (await cache.match(name)) return;
    const found = await fetch(address);
    if (found.ok) await cache.put(name, found);
  }));
}

/** The release before stays until this one is whole. */
async function tidy() {
  const cache = await caches.open(CACHE);
  const kept = await Promise.all(NEEDED.map(([, name]) => cache.match(name)));
  if (!kept.every(Boolean) || registration.waiting || registration.installing) return;
  for (const name of await caches.keys()) {
    if (name.startsWith("app-") && name !== CACHE) await caches.delete(name);
  }
}

async function activate() {
  await tidy();
  await registration.navigationPreload?.enable();
  await clients.claim();
}

/** A page from the network, or, where there is none or it takes too long, the phone's own.
 * @param {FetchEvent} event @param {string} path */
async function page(event, path) {
  const answer = Promise.resolve(event.preloadResponse).then((found) => found ?? fetch(event.request));
  answer.catch(() => {}); // heard below; until then nobody listens
  const shell = await caches.match("/offline", { cacheName: CACHE }) ?? await caches.match("/offline");
  if (!shell) return answer;
  const late = new Promise((resolve) => {
    if (OWN.test(path)) setTimeout(() => isKnown(path).then((known) => known && resolve(null), () => {}), house.patience);
  });
  const found = await Promise.race([answer, late]).catch(() => null);
  return found && found.status < 502 ? found : shell; // 502 to 504: what stands in front is there alone
}

/** Whether the phone has what this page shows. @param {string} path */
async function isKnown(path) {
  const plan = await (await Journal.open()).kept("plan");
  const [, id] = path.match(/^\/questionnaires\/([^/]+)/) ?? [];
  return plan && (!id || plan.questionnaires.some((one) => one.id === id));
}

/** A recording: the phone's own, or from the network. A phone that plays one asks for parts.
 * @param {Request} request @param {string} path */
async function sound(request, path) {
  const kept = await caches.match(path, { ignoreVary: true });
  if (!kept) return fetch(request);
  const asked = request.headers.get("Range");
  if (!asked) return kept;
  const whole = await kept.blob();
  const [, first, last] = asked.match(/^bytes=(\d*)-(\d*)$/) ?? [];
  if (!first && !last) return new Response(whole, kept); // several parts, or none of bytes: all of it
  const begin = first ? Number(first) : Math.max(whole.size - Number(last), 0);
  const end = Math.min(first && last ? Number(last) + 1 : whole.size, whole.size);
  const total = { "Content-Range": `bytes */${whole.size}` };
  if (begin >= end) return new Response(null, { status: 416, headers: total });
  return new Response(whole.slice(begin, end), { status: 206, headers: {
    "Accept-Ranges": "bytes", "Content-Length": String(end - begin),
    "Content-Range": `bytes ${begin}-${end - 1}/${whole.size}`,
    "Content-Type": kept.headers.get("Content-Type") ?? "",
  } });
}

/** Send what waits, though no page is open. */
async function send() {
  const journal = await Journal.open();
  const news = new BroadcastChannel("journal");
  const tell = (/** @type {any} */ answer) => news.postMessage(answer);
  await alone(() => deliver(journal, tell, () => 0, clocks));
}

/** Take over from an older worker, but not while a questionnaire is open. Only when the app was put
 * away: a page that is asked for meanwhile may never come. */
async function takeOver() {
  const windows = await clients.matchAll({ type: "window", includeUncontrolled: true });
  if (!windows.some(isAnswering)) await skipWaiting();
}

addEventListener("install", (event) => event.waitUntil(fill()));
addEventListener("activate", (event) => event.waitUntil(activate()));
addEventListener("message", (event) => {
  if (event.data === "start") event.waitUntil(fill().then(tidy));
  if (event.data === "away") event.waitUntil(takeOver());
});
addEventListener("sync", (event) => event.tag === "journal" && event.waitUntil(send()));
addEventListener("fetch", (event) => {
  const { method, mode, url } = event.request;
  const { origin, pathname } = new URL(url);
  if (method !== "GET" || origin !== location.origin) return;
  if (FIXED.test(pathname)) {
    event.respondWith(caches.match(event.request, { ignoreVary: true }).then((kept) => kept ?? fetch(event.request)));
  } else if (SOUND.test(pathname)) {
    event.respondWith(sound(event.request, pathname));
  } else if (mode === "navigate") event.respondWith(page(event, pathname));
});
