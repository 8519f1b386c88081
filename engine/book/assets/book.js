// What the pages of a book do by themselves: tables are sorted by their headings, and the search looks things up.
"use strict";

(() => {
  const LANGUAGE = document.documentElement.lang;
  const MOST = 60;

  /** A cell's text as it is sorted. */
  function key(row, column) {
    const cell = row.cells[column];
    return cell.dataset.sort ?? cell.textContent.trim();
  }

  /** Make the headings of a table buttons that sort it. */
  function sortable(table) {
    const collator = new Intl.Collator(LANGUAGE, { numeric: true });
    const headings = [...table.tHead.rows[0].cells];
    headings.forEach((heading, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => {
        const down = heading.getAttribute("aria-sort") === "ascending";
        const rows = [...table.tBodies[0].rows];
        const sign = down ? -1 : 1;
        rows.sort((one, other) => sign * collator.compare(key(one, column), key(other, column)));
        table.tBodies[0].append(...rows);
        headings.forEach((each) => each.removeAttribute("aria-sort"));
        heading.setAttribute("aria-sort", down ? "descending" : "ascending");
      });
    });
  }

  /** Letters without their accents, small, so that they are found however they are typed. */
  function fold(text) {
    return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
  }

  /** How well an entry fits the words; 0 where one of them is not in it. */
  function rate(entry, words) {
    let sum = 0;
    for (const word of words) {
      if (entry.title === word) sum += 16;
      else if (entry.title.startsWith(word)) sum += 8;
      else if (entry.title.includes(word)) sum += 4;
      else if (entry.text.includes(word)) sum += 1;
      else return 0;
    }
    return sum;
  }

  function hit([kind, title, text, link]) {
    const item = document.createElement("li");
    const label = document.createElement("span");
    const anchor = document.createElement("a");
    label.className = "kind";
    label.textContent = kind;
    anchor.href = link;
    anchor.textContent = title;
    item.append(label, anchor);
    if (text) {
      const paragraph = document.createElement("p");
      paragraph.textContent = text.length > 200 ? `${text.slice(0, 200)}…` : text;
      item.append(paragraph);
    }
    return item;
  }

  function search(input) {
    const found = document.getElementById("found");
    const hits = document.getElementById("hits");
    const hint = found.textContent;
    const entries = (globalThis.changegateEntries ?? []).map((raw) => ({
      raw, title: fold(raw[1]), text: fold(`${raw[0]} ${raw[2]}`),
    }));
    function show() {
      const words = fold(input.value).split(/\s+/).filter(Boolean);
      const rated = words.length ? entries.map((entry) => [rate(entry, words), entry]).filter(([rating]) => rating) : [];
      rated.sort(([one], [other]) => other - one);
      hits.replaceChildren(...rated.slice(0, MOST).map(([, entry]) => hit(entry.raw)));
      const count = new Intl.NumberFormat(LANGUAGE).format(rated.length);
      found.textContent = !words.length ? hint : rated.length ? found.dataset.found.replace("{count}", count) : found.dataset.none;
      const fragment = input.value ? `#${encodeURIComponent(input.value)}` : " ";
      history.replaceState(null, "", fragment.trim() || location.pathname);
    }
    let wanted = "";
    try {
      wanted = decodeURIComponent(location.hash.slice(1));
    } catch {
      // Whoever has written such an address gets an empty search.
    }
    input.value = wanted;
    input.addEventListener("input", show);
    input.focus();
    if (wanted) show();
  }

  /** What is folded away is on paper, too. */
  function unfoldForPrint() {
    let opened = [];
    addEventListener("beforeprint", () => {
      opened = [...document.querySelectorAll("details:not([open])")];
      opened.forEach((each) => (each.open = true));
    });
    addEventListener("afterprint", () => opened.forEach((each) => (each.open = false)));
  }

  document.querySelectorAll("table.sortable").forEach(sortable);
  const input = document.getElementById("query");
  if (input) search(input);
  unfoldForPrint();
})();
