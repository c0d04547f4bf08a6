// Rows of cases unfold to show every metric of the case.
const unfold = (body, open) => {
  body.rows[1].classList.toggle("open", open);
  body.querySelector(".fold").setAttribute("aria-expanded", open);
};
for (const body of all(".cases > tbody")) {
  const head = body.rows[0].cells[0];
  const fold = button(head.textContent, "fold");
  on(fold, "click", () => unfold(body, fold.getAttribute("aria-expanded") !== "true"));
  fold.setAttribute("aria-expanded", "false");
  head.replaceChildren(fold);
}
const caseBelow = (id) => {
  const body = byId(id);
  return body && body.matches(".cases > tbody") ? body : null;
};
const caseOfLink = (link) => caseBelow(link.getAttribute("href").slice(1));
const show = (body) => {
  if (body.hidden) reset();
  unfold(body, true);
  body.scrollIntoView({ block: "nearest" });
  body.querySelector(".fold").focus({ preventScroll: true });
};
on(document, "click", (event) => {
  const link = event.target.closest && event.target.closest('a[href^="#f"]');
  const body = link && caseOfLink(link);
  if (!body) return;
  event.preventDefault();
  show(body);
});

// Tables sort by the column heads; rows without a value stay at the end.
const key = (item, head, section) => {
  const { sort, column } = head.dataset;
  if (sort === "now" || sort === "change") {
    const of = section.columns[column];
    const now = of.now || section.axes[of.axis].new;
    return (sort === "now" ? now : of.harm || [])[caseOf.get(item)];
  }
  if (sort === "verdict") return caseOf.get(item);
  const cell = (item.rows ? item.rows[0] : item).cells[head.cellIndex];
  if (sort !== "number") return cell.textContent;
  const now = parseFloat(cell.textContent.split("→")[1]);
  return Number.isNaN(now) ? null : now;
};
const order = (a, b) => (typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b);
for (const table of all("table.cases, table.bill")) {
  const front = table.closest(".front");
  const section = front && data.sections[number(front, "front")];
  const heads = all("[data-sort]", table);
  for (const head of heads) {
    const sorter = button(head.textContent);
    head.replaceChildren(sorter);
    const group = head.dataset.column && table.rows[0].cells[2 + Number(head.dataset.column)].textContent;
    if (group) sorter.setAttribute("aria-label", `${group}, ${sorter.textContent}`);
    head.setAttribute("aria-sort", "none");
    on(sorter, "click", () => {
      const worstFirst = head.dataset.sort === "change";
      const was = head.getAttribute("aria-sort");
      const down = was === "none" ? worstFirst : was === "ascending";
      for (const other of heads) other.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const lacking = ([value]) => value === null || value === undefined;
      const sort = (items, parent) => {
        const keyed = items.map((item) => [key(item, head, section), item]);
        keyed.sort((a, b) => lacking(a) - lacking(b) || (lacking(a) ? 0 : order(a[0], b[0]) * (down ? -1 : 1)));
        parent.append(...keyed.map((pair) => pair[1]));
      };
      if (section) sort([...table.tBodies], table);
      else for (const body of table.tBodies) sort([...body.rows].filter((row) => row.cells.length > 1), body);
    });
  }
}

// One filter for all tables; in the plots, cases that are filtered out fade.
const text = byId("filter");
const changed = byId("changed");
const count = byId("shown");
const filtered = byId("filtered");
const whenFiltered = [];
const bodies = all(".cases > tbody, .rest li");
const titleOf = (body) => {
  const part = body.closest("details");
  return part ? part.querySelector("summary b") : body.closest(".front").querySelector("h2");
};
const contents = new Map(
  bodies.map((body) => [body, `${titleOf(body).textContent} ${body.textContent}`.toLowerCase()]),
);
const filter = () => {
  const wanted = text.value.trim().toLowerCase();
  let shown = 0;
  for (const body of bodies) {
    const fits = contents.get(body).includes(wanted) && (!changed.checked || body.classList.contains("changed"));
    body.hidden = !fits;
    shown += fits;
  }
  for (const part of all(".rest details")) {
    part.hidden = !part.querySelector("li:not([hidden])");
    part.open = wanted !== "" && !part.hidden;
  }
  for (const dot of all(".dot")) {
    const body = byId(dot.getAttribute("href").slice(1));
    dot.classList.toggle("off", body.hidden);
  }
  count.value = `${shown} of ${bodies.length} cases`;
  const by = [wanted && `“${text.value.trim()}”`, changed.checked && "changed only"].filter(Boolean);
  filtered.textContent = by.length ? `filtered: ${by.join(", ")}: ${count.value}` : "";
  for (const then of whenFiltered) then();
};
const reset = () => {
  text.value = "";
  changed.checked = false;
  filter();
};
if (text) {
  text.form.hidden = false;
  on(text.form, "submit", (event) => event.preventDefault());
  on(text, "input", filter);
  on(changed, "change", filter);
  filter();
}

// The map of many cases: the column under the pointer is named, and opens its row.
for (const map of all(".map")) {
  const { left: from, cell, across, band, columns } = data.map;
  const ids = columns.flatMap((numbers, section) => numbers.map((index) => `f${section}c${index}`));
  const pointed = (event) => {
    const { left: x, top: y } = map.getBoundingClientRect();
    const column = Math.floor((event.clientX - x - from) / cell);
    const found = column + across * Math.floor((event.clientY - y) / band);
    return column < 0 || !ids[found] ? null : caseBelow(ids[found]);
  };
  const told = byId("column");
  const tell = (body) => {
    if (body) told.value = `${body.rows[0].cells[0].textContent}: ${body.rows[0].cells[1].textContent.trim()}. `;
  };
  on(map, "pointermove", (event) => tell(pointed(event)));
  on(map, "click", (event) => {
    const body = pointed(event);
    if (body && !event.target.closest("a")) show(body);
  });
  for (const link of all("a", map)) on(link, "focus", () => tell(caseOfLink(link)));
}

// Copy buttons for commands, where the browser has a clipboard API.
if (navigator.clipboard) {
  for (const code of all(".steps code")) {
    const copy = button("copy", "copy");
    copy.setAttribute("aria-label", `copy ${code.textContent}`);
    on(copy, "click", () =>
      navigator.clipboard.writeText(code.textContent).then(
        () => { copy.textContent = "copied"; },
        () => { copy.textContent = "select and copy by hand"; },
      ));
    code.after(copy);
  }
}

// Images are enlarged in a dialog, which Escape closes.
for (const image of all(".images img")) {
  const open = button("");
  open.setAttribute("aria-label", `enlarge ${image.alt}`);
  image.before(open);
  open.append(image);
  on(open, "click", () => {
    const dialog = document.createElement("dialog");
    const copy = image.cloneNode();
    copy.removeAttribute("width");
    dialog.append(copy);
    on(dialog, "click", () => dialog.close());
    on(dialog, "close", () => { dialog.remove(); open.focus(); });
    document.body.append(dialog);
    dialog.showModal();
  });
}
