// Measures the page that is shown. Each function returns faults in words: none means all is well.
window.measure = {
  /** Nothing sticks out sideways, and no text is cut. */
  page() {
    const faults = [];
    const root = document.documentElement;
    if (root.scrollWidth > root.clientWidth) {
      const wide = [...document.querySelectorAll("body *")].filter(
        (one) => one.getBoundingClientRect().right > root.clientWidth + 1 && !one.closest(".unseen"));
      faults.push(`${root.scrollWidth} px wide: ${wide.slice(-1)[0]?.outerHTML.slice(0, 100)}`);
    }
    for (const one of document.querySelectorAll("body *")) {
      if (one.closest(".unseen, progress") || !one.checkVisibility()) continue;
      const style = getComputedStyle(one);
      const hides = /hidden|clip|scroll|auto/.test(style.overflowX + style.overflowY);
      if (hides && (one.scrollWidth > one.clientWidth + 1 || one.scrollHeight > one.clientHeight + 1)) {
        if (!one.matches("input, dialog")) faults.push(`cuts its text: ${one.outerHTML.slice(0, 100)}`);
      }
      if (style.textOverflow === "ellipsis") faults.push(`ends in dots: ${one.outerHTML.slice(0, 100)}`);
      const holder = one.closest(".btn, .opt, .panel button, .card, .menu summary, .prompt, .fault");
      for (const piece of holder ? one.childNodes : []) {
        if (piece.nodeType !== Node.TEXT_NODE || !piece.data.trim()) continue;
        const text = document.createRange();
        text.selectNodeContents(piece);
        const inside = text.getBoundingClientRect(), box = holder.getBoundingClientRect();
        const out = inside.left < box.left - 1 || inside.right > box.right + 1 ||
          inside.top < box.top - 1 || inside.bottom > box.bottom + 1;
        if (out) faults.push(`text leaves its box: ${one.outerHTML.slice(0, 100)}`);
      }
    }
    return faults;
  },

  /** No word of what these selectors name goes on in the next line, and nothing sticks out sideways.
   * Chinese breaks between any two signs. */
  words(...places) {
    const faults = [];
    const root = document.documentElement;
    if (root.scrollWidth > root.clientWidth) faults.push(`${root.scrollWidth} px wide`);
    for (const place of places) {
      const holders = [...document.querySelectorAll(place)];
      if (!holders.length) faults.push(`no ${place}`);
      for (const holder of holders) {
        const walk = document.createTreeWalker(holder, NodeFilter.SHOW_TEXT);
        while (walk.nextNode()) {
          const text = walk.currentNode;
          if (text.parentElement.closest(".unseen") || !text.parentElement.checkVisibility()) continue;
          for (const { 0: word, index } of text.data.matchAll(/[\p{L}\p{M}\p{N}]+/gu)) {
            if (/\p{Script=Han}/u.test(word)) continue;
            const range = document.createRange();
            range.setStart(text, index);
            range.setEnd(text, index + word.length);
            const lines = [...range.getClientRects()].filter(({ width }) => width).map(({ bottom }) => bottom);
            if (Math.max(...lines) - Math.min(...lines) > 4) faults.push(`${word} is broken in ${place}`);
          }
        }
      }
    }
    return faults;
  },

  /** The rows to choose from are equal, large, wholly sensitive, and none is chosen. */
  rows() {
    const faults = [];
    const rows = [...document.querySelectorAll(".opt")];
    const fields = document.querySelectorAll("fieldset").length;
    if (fields !== 1) faults.push(`${fields} groups of options`);
    if (document.querySelectorAll("h1").length !== 1) faults.push("not one heading");
    if (document.querySelector(":checked")) faults.push("something is chosen");
    if (rows.length < 2) faults.push(`${rows.length} options`);
    const looks = new Set(), widths = new Set();
    let above = null;
    for (const row of rows) {
      const box = row.getBoundingClientRect();
      if (box.height < 48) faults.push(`a row of ${box.height} px`);
      const gap = above === null ? 8 : box.top + scrollY - above;
      if (gap < 7.9) faults.push(`rows ${gap} px apart`);
      above = box.bottom + scrollY;
      widths.add(Math.round(box.width));
      const style = getComputedStyle(row.querySelector("span")), around = getComputedStyle(row);
      looks.add([style.fontFamily, style.fontSize, style.fontWeight, style.fontStyle, style.color,
        style.letterSpacing, around.backgroundColor, around.borderColor, around.padding].join(" | "));
      row.scrollIntoView({ block: "center" });
      const seen = row.getBoundingClientRect();
      for (const x of [seen.left + 3, seen.left + seen.width / 2, seen.right - 3]) {
        for (const y of [seen.top + seen.height / 2]) {
          const hit = document.elementFromPoint(x, y);
          if (hit?.closest(".opt") !== row) faults.push(`at ${x - seen.left} a tap misses its row`);
        }
      }
      if (row.control?.type !== "radio") faults.push("a row without its radio");
    }
    if (widths.size !== 1) faults.push(`widths ${[...widths]}`);
    if (looks.size !== 1) faults.push(`looks ${[...looks].join("  AND  ")}`);
    return faults;
  },

  /** Whether all options and Next are visible without scrolling. */
  fits() {
    scrollTo(0, 0);
    const rows = [...document.querySelectorAll(".opt")];
    const last = rows[rows.length - 1].getBoundingClientRect();
    const foot = document.querySelector(".foot").getBoundingClientRect();
    return last.bottom <= foot.top + 1 && foot.bottom <= innerHeight + 1;
  },

  /** The last option can be scrolled to where the foot does not cover it. */
  reachable() {
    const rows = [...document.querySelectorAll(".opt")];
    const last = rows[rows.length - 1];
    last.scrollIntoView({ block: "nearest" });
    last.querySelector("input").focus();
    const box = last.getBoundingClientRect();
    const foot = document.querySelector(".foot").getBoundingClientRect();
    const covered = getComputedStyle(document.querySelector(".foot")).position === "sticky" &&
      box.bottom > foot.top + 1;
    document.activeElement.blur();
    return covered || box.top < 0 || box.bottom > innerHeight + 1 ? ["the last option stays hidden"] : [];
  },

  /** Show every item of the sheet in turn, as the app's script does, and measure it. */
  async everyItem(names) {
    const form = document.querySelector("form[data-questionnaire]");
    const sheet = new DOMParser().parseFromString(
      await (await fetch(form.dataset.sheet)).text(), "text/html");
    const found = {};
    for (const item of sheet.querySelectorAll(".item")) {
      form.querySelector(".item").replaceWith(document.importNode(item, true));
      scrollTo(0, 0);
      found[item.dataset.item] = names.flatMap((name) => window.measure[name]());
    }
    return found;
  },

  /** WCAG 1.4.12: the text spacing that a reader may set. */
  spaced() {
    const style = new CSSStyleSheet();
    style.replaceSync(`* { line-height: 1.5 !important; letter-spacing: .12em !important;
      word-spacing: .16em !important; } p { margin-bottom: 2em !important; }`);
    document.adoptedStyleSheets = [style];
  },

  /** The text size that a person has set, 0 to 2. */
  size(size) { document.documentElement.className = `size-${size}`; },
};
