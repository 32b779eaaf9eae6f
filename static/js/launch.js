/**
 * A tap on the app's icon, on one of its shortcuts or on a link to it brings the open window to the
 * front as it is (`launch_handler` of the manifest): nobody is thrown out of a question. Pages that
 * can be left without harm go on from there to where the tap points.
 */
export function follow() {
  /** @type {any} */ (window).launchQueue?.setConsumer((/** @type {{targetURL?: string}} */ launch) => {
    const url = new URL(launch.targetURL ?? "/", location.origin);
    const here = url.pathname === location.pathname && !url.hash; // a joining card's code stands there
    // the bare address is the icon's: it means no page in particular
    if (url.origin === location.origin && url.pathname !== "/" && !here) location.assign(url);
  });
}
