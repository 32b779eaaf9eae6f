/** The QR picture carries the code behind the #: fill it in, and take it out of the address. */
const field = document.querySelector("[data-joining] #code");

function fill() {
  if (!field || location.hash.length < 2) return;
  field.value = location.hash.slice(1);
  history.replaceState(null, "", location.pathname + location.search);
}

addEventListener("hashchange", fill); // the page was open already when the picture was scanned
fill();
