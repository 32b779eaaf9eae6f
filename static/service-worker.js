/**
 * Shows reminders. The server puts `house` in front: language, title, text, icon, badge, key.
 * Every push shows something, or the phone takes the permission away.
 */

/** A page of this site, or null. @param {unknown} address */
function ours(address) {
  try {
    const url = new URL(String(address));
    return url.origin === location.origin ? url : null;
  } catch {
    return null;
  }
}

/** What to show; words of our own for what cannot be read. @param {?PushMessageData} data */
function read(data) {
  try {
    const { notification } = data.json();
    if (notification.title && typeof notification.title === "string") return notification;
  } catch { /* not for us, or cut short */ }
  return { title: house.title, body: house.text, lang: house.language, tag: "questions" };
}

/** Tell the study what became of a message. @param {?URL} url @param {string} what */
function note(url, what) {
  if (!url?.pathname.startsWith("/r/")) return undefined;
  return fetch(`${url.pathname}/${what}`, { method: "POST", keepalive: true }).catch(() => {});
}

/** @param {?PushMessageData} data */
async function show(data) {
  const { title, body, lang, dir, tag, navigate, app_badge: count } = read(data);
  const url = ours(navigate);
  const look = { icon: house.icon, badge: house.badge, data: { navigate: url?.href } };
  try {
    await registration.showNotification(title, { body, lang, dir, tag, ...look });
  } catch { // an option that this phone does not take
    await registration.showNotification(house.title, { body: house.text, ...look });
  }
  if (Number(count) > 0) await navigator.setAppBadge?.(Number(count)).catch(() => {});
  await note(url, "shown");
}

/** Whether a window is in the middle of a questionnaire. @param {Client} window */
function isAnswering(window) {
  return /\/questionnaires\/.+\/(items\/|review)/.test(window.url);
}

/** Open what a reminder told of, in a window of ours if there is one. @param {URL} url */
async function open(url) {
  const windows = await clients.matchAll({ type: "window", includeUncontrolled: true });
  const busy = windows.find(isAnswering);
  if (busy) { // in the middle of answering: nothing is taken away
    await busy.focus().catch(() => {});
    return note(url, "opened");
  }
  try {
    const shown = await windows[0].focus();
    return await shown.navigate(url.href);
  } catch { // no window, or one that another worker looks after
    return clients.openWindow(url.href);
  }
}

/** The browser has given its subscription up: make a new one and tell the study. */
async function renew(fresh) {
  const how = { userVisibleOnly: true, applicationServerKey: house.key };
  const subscription = fresh ?? (await registration.pushManager.subscribe(how));
  const headers = { "Content-Type": "application/json" };
  const body = JSON.stringify(subscription);
  await fetch("/reminders/renewal", { method: "POST", headers, body });
}

addEventListener("push", (event) => event.waitUntil(show(event.data)));
addEventListener("pushsubscriptionchange", (event) => event.waitUntil(renew(event.newSubscription)));
addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(open(ours(event.notification.data?.navigate) ?? new URL("/", location.origin)));
});
