// Looks at the screen that is shown. `proof(expected)` returns the faults as pairs: the check's
// name, and what failed it, which never quotes a text: texts may be licensed.
window.proof = (() => {
  const LEAST = 48; // pixels: the height of a row that a finger meets
  const SMALL = 8; // pixels: a text of less can be read by nobody
  const GLYPH = 40; // pixels: the size at which two drawings are compared
  const MISSING = "\u0378"; // a place of Unicode that no letter has: what a font draws for want of one
  const words = /[\p{L}\p{M}\p{N}\u200c\u200d'’]+/gu;
  const unspaced = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u; // may break anywhere
  const tidy = (text) => text.replace(/\s+/g, " ").trim();
  const seen = (one) => one.checkVisibility({ opacityProperty: true, visibilityProperty: true });

  /** An element in few words. */
  function name(one) {
    const kind = one.className && typeof one.className === "string" ? `.${one.className.split(" ")[0]}` : "";
    const row = one.closest?.(".opt");
    const place = row ? ` of option ${[...document.querySelectorAll(".opt")].indexOf(row) + 1}` : "";
    return `${one.localName}${kind}${place}`;
  }

  /** Every piece of text that is shown, with its element. */
  function* texts() {
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
      const holder = walk.currentNode.parentElement;
      if (!walk.currentNode.data.trim() || holder.closest("script, template, style, .unseen")) continue;
      if (seen(holder)) yield [walk.currentNode, holder];
    }
  }

  function boxes(node, from, to) {
    const range = document.createRange();
    range.setStart(node, from);
    range.setEnd(node, to);
    return [...range.getClientRects()].filter(({ width, height }) => width && height);
  }

  /** Whether a text is at least so large that its place can be seen. */
  function legible(one) {
    const range = document.createRange();
    range.selectNodeContents(one);
    return [...range.getClientRects()].some(({ width, height }) => width >= 1 && height >= SMALL);
  }

  const checks = {
    sideways() {
      const { scrollWidth, clientWidth } = document.documentElement;
      return scrollWidth > clientWidth ? [`${scrollWidth} px wide on ${clientWidth} px`] : [];
    },

    cut() {
      const found = [];
      for (const one of document.querySelectorAll("body *")) {
        if (one.closest(".unseen, progress, script, template") || !seen(one) || !one.textContent.trim()) continue;
        const { overflowX, overflowY } = getComputedStyle(one);
        const wide = overflowX !== "visible" && one.scrollWidth > one.clientWidth + 1;
        const high = overflowY !== "visible" && one.scrollHeight > one.clientHeight + 1;
        if (wide || high) found.push(name(one));
      }
      return found;
    },

    edge() {
      const found = [];
      const width = document.documentElement.clientWidth;
      for (const [node, holder] of texts()) {
        const around = holder.closest(".opt, .btn, .prompt, .remark")?.getBoundingClientRect();
        for (const box of boxes(node, 0, node.length)) {
          const out = around && (box.left < around.left - 1 || box.right > around.right + 1 ||
            box.top < around.top - 1 || box.bottom > around.bottom + 1);
          if (out || box.left < -1 || box.right > width + 1) { found.push(name(holder)); break; }
        }
      }
      return found;
    },

    broken() {
      const found = [];
      for (const [node, holder] of texts()) {
        for (const { 0: word, index } of node.data.matchAll(words)) {
          if (unspaced.test(word)) continue;
          const lines = boxes(node, index, index + word.length).map(({ bottom }) => bottom);
          if (lines.length && Math.max(...lines) - Math.min(...lines) > 4) {
            found.push(`a word of ${[...word].length} characters in ${name(holder)}`);
          }
        }
      }
      return found;
    },

    options(expected) {
      const rows = [...document.querySelectorAll(".opt")];
      if (expected.options === null) return [];
      if (rows.length !== expected.options) return [`${rows.length} rows for ${expected.options} options`];
      const found = [];
      const widths = new Set(rows.map((row) => Math.round(row.getBoundingClientRect().width)));
      if (widths.size > 1) found.push(`rows are ${[...widths].join(" and ")} px wide`);
      rows.forEach((row, place) => {
        const say = (text) => found.push(`option ${place + 1} ${text}`);
        if (!seen(row) || [...row.children].some((part) => !seen(part))) { say("is hidden"); return; }
        row.scrollIntoView({ block: "center" });
        const box = row.getBoundingClientRect();
        if (box.height < LEAST) say(`is ${Math.round(box.height)} px high`);
        for (const part of [row, row.querySelector("span")]) {
          const { left, top, width, height } = part.getBoundingClientRect();
          const hit = document.elementFromPoint(left + width / 2, top + height / 2);
          if (hit?.closest(".opt") !== row) { say("cannot be tapped"); break; }
        }
      });
      return found;
    },

    buttons() {
      const found = [];
      for (const button of document.querySelectorAll("main .btn")) {
        if (!seen(button)) {
          if (!button.closest("[hidden], .prompt")) found.push(`${name(button)} is hidden`);
          continue;
        }
        button.scrollIntoView({ block: "center" });
        const { left, top, width, height } = button.getBoundingClientRect();
        const hit = document.elementFromPoint(left + width / 2, top + height / 2);
        if (hit?.closest(".btn") !== button) found.push(`${name(button)} cannot be tapped`);
      }
      return found;
    },

    glyphs() {
      const canvas = document.createElement("canvas");
      canvas.width = canvas.height = 2 * GLYPH;
      const pen = canvas.getContext("2d", { willReadFrequently: true });
      const drawn = (sign) => {
        pen.clearRect(0, 0, canvas.width, canvas.height);
        pen.fillText(sign, GLYPH / 2, 1.5 * GLYPH);
        return pen.getImageData(0, 0, canvas.width, canvas.height).data.join();
      };
      const found = new Set(), done = new Set();
      for (const [node, holder] of texts()) {
        const { fontFamily, fontWeight } = getComputedStyle(holder);
        pen.font = `${fontWeight} ${GLYPH}px ${fontFamily}`;
        let none = null;
        for (const sign of node.data) {
          const key = `${pen.font} ${sign}`;
          if (done.has(key) || /[\p{M}\p{Z}\p{Cc}\p{Cf}]/u.test(sign)) continue; // marks need their letter
          done.add(key);
          none ??= drawn(MISSING);
          if (drawn(sign) === none) found.add(`U+${sign.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`);
        }
      }
      return [...found];
    },

    language(expected) {
      const found = new Set();
      for (const [place] of expected.texts) {
        for (const one of document.querySelectorAll(place)) {
          const said = one.closest("[lang]")?.lang;
          if (said !== expected.language) found.add(`${name(one)} is marked as ${said || "none"}`);
        }
      }
      return [...found];
    },

    wording(expected) {
      const found = [];
      for (const [place, wanted] of expected.texts) {
        const shown = [...document.querySelectorAll(place)];
        if (shown.length !== wanted.length) { found.push(`${place}: ${shown.length} texts, not ${wanted.length}`); continue; }
        shown.forEach((one, at) => {
          if (tidy(one.textContent) !== tidy(wanted[at])) found.push(`${place}: text ${at + 1} differs`);
          else if (!seen(one) || !legible(one) || tidy(one.innerText) !== tidy(wanted[at])) {
            found.push(`${place}: text ${at + 1} is not shown as it is`);
          }
        });
      }
      return found;
    },
  };

  return (expected) => {
    const at = scrollY;
    const found = Object.entries(checks).flatMap(([check, run]) => run(expected).map((one) => [check, one]));
    scrollTo({ top: at, behavior: "instant" });
    return found;
  };
})();

// How far the content reaches down the page, what of the window it can be seen in, and the size of
// the text, all in CSS pixels. `whole`: to the end of the page. The link that takes an answer back is
// looked for at the first item alone: it is the same at all, and would double their pictures.
window.extent = (whole) => {
  const root = document.documentElement;
  const foot = document.querySelector("main .foot");
  const sticks = foot !== null && getComputedStyle(foot).position === "sticky";
  const end = [...document.querySelectorAll("main *")]
    .filter((one) => !(sticks && one.closest(".foot")) && one.childElementCount === 0 &&
      one.checkVisibility({ visibilityProperty: true }) &&
      !one.closest(".unseen") && !one.matches(".item:not([data-n='1']) .clear"))
    .reduce((most, one) => Math.max(most, one.getBoundingClientRect().bottom + scrollY), 0);
  return {
    end: whole ? root.scrollHeight : Math.min(Math.ceil(end), root.scrollHeight),
    seen: innerHeight - (sticks ? Math.ceil(foot.getBoundingClientRect().height) : 0),
    font: parseFloat(getComputedStyle(root).fontSize),
  };
};
