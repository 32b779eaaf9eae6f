/** On a phone the rooms are a bar that is wider than the screen: show the one that is open. */
const open = document.querySelector(".staff > nav [aria-current=page]");
const bar = open?.parentElement;
if (bar && open instanceof HTMLElement) {
  bar.scrollLeft = open.offsetLeft - (bar.clientWidth - open.offsetWidth) / 2;
}
