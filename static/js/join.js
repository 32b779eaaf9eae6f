/** The QR picture carries the code behind the #: fill it in, and take it out of the address. */
const field = document.querySelector("[data-joining] #code");
if (field && location.hash.length > 1) {
  field.value = location.hash.slice(1);
  history.replaceState(null, "", location.pathname + location.search);
}
