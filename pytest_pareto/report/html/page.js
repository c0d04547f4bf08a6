"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const [left, top, right, bottom] = data.box;
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const number = (element, key) => Number(element.dataset[key]);
  // The number of each case within its section, as the tables have them at first.
  const caseOf = new Map();
  for (const table of all("table.cases")) [...table.tBodies].forEach((body, index) => caseOf.set(body, index));
  for (const dot of all(".dot")) caseOf.set(dot, caseOf.get(document.getElementById(dot.getAttribute("href").slice(1))));

  const make = (name, attributes = {}, text) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    return element;
  };
  const button = (text, className) => {
    const element = document.createElement("button");
    element.type = "button";
    element.textContent = text;
    if (className) element.className = className;
    return element;
  };

  // Rows of cases unfold into every metric of the case.
  const unfold = (body, open) => {
    body.rows[1].classList.toggle("open", open);
    body.querySelector(".fold").setAttribute("aria-expanded", open);
  };
  for (const body of all(".cases > tbody")) {
    const head = body.rows[0].cells[0];
    const fold = button(head.textContent, "fold");
    fold.addEventListener("click", () => unfold(body, fold.getAttribute("aria-expanded") !== "true"));
    fold.setAttribute("aria-expanded", "false");
    head.replaceChildren(fold);
  }
  const caseBelow = (id) => {
    const body = document.getElementById(id);
    return body && body.matches(".cases > tbody") ? body : null;
  };
  const show = (body) => {
    if (body.hidden) reset();
    unfold(body, true);
    body.scrollIntoView({ block: "nearest" });
    body.querySelector(".fold").focus({ preventScroll: true });
  };
  document.addEventListener("click", (event) => {
    const link = event.target.closest && event.target.closest('a[href^="#f"]');
    const body = link && caseBelow(link.getAttribute("href").slice(1));
    if (!body) return;
    event.preventDefault();
    show(body);
  });

  // Tables sort by their heads; what has no value stays at the end.
  const key = (item, head, section) => {
    const { sort, column } = head.dataset;
    if (sort === "now" || sort === "change") {
      const of = section.columns[column];
      const now = of.now || section.axes[of.axis].new;
      return (sort === "now" ? now : of.harm)[caseOf.get(item)];
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
      sorter.addEventListener("click", () => {
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

  // One filter for all tables; in the pictures, what is filtered out fades.
  const text = document.getElementById("filter");
  const changed = document.getElementById("changed");
  const count = document.getElementById("shown");
  const bodies = all(".cases > tbody");
  const contents = new Map(bodies.map((body) => [body, body.textContent.toLowerCase()]));
  const filter = () => {
    const wanted = text.value.trim().toLowerCase();
    let shown = 0;
    for (const body of bodies) {
      const fits = contents.get(body).includes(wanted) && (!changed.checked || body.classList.contains("changed"));
      body.hidden = !fits;
      shown += fits;
    }
    for (const dot of all(".dot")) {
      const body = document.getElementById(dot.getAttribute("href").slice(1));
      dot.classList.toggle("off", body.hidden);
    }
    count.value = `${shown} of ${bodies.length} cases`;
  };
  const reset = () => {
    text.value = "";
    changed.checked = false;
    filter();
  };
  if (text) {
    text.form.hidden = false;
    text.form.addEventListener("submit", (event) => event.preventDefault());
    text.addEventListener("input", filter);
    changed.addEventListener("change", filter);
    filter();
  }

  // Commands can be copied where the browser lets a page do so.
  if (navigator.clipboard) {
    for (const code of all(".steps code")) {
      const copy = button("copy", "copy");
      copy.setAttribute("aria-label", `copy ${code.textContent}`);
      copy.addEventListener("click", () =>
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
    open.addEventListener("click", () => {
      const dialog = document.createElement("dialog");
      const copy = image.cloneNode();
      copy.removeAttribute("width");
      dialog.append(copy);
      dialog.addEventListener("click", () => dialog.close());
      dialog.addEventListener("close", () => { dialog.remove(); open.focus(); });
      document.body.append(dialog);
      dialog.showModal();
    });
  }

  // Pictures: what the static drawing shows is moved to other axes, nothing is decided anew.
  const share = (axis, log, value) => {
    const [low, high] = axis[log ? "log" : "linear"].ends;
    return log ? (Math.log(value) - Math.log(low)) / (Math.log(high) - Math.log(low)) : (value - low) / (high - low);
  };
  const within = (axis, log, value) => {
    const [low, high] = axis[log ? "log" : "linear"].ends;
    return Math.min(Math.max(value, low), high);
  };

  const draw = (front) => {
    const section = data.sections[number(front, "front")];
    const picture = front.querySelector(".picture");
    const svg = picture.querySelector("figure > svg");
    const card = picture.querySelector(".card");
    const form = picture.querySelector(".axes");
    const cases = all(".cases > tbody", front).sort((a, b) => caseOf.get(a) - caseOf.get(b));
    const names = cases.map((body) => body.rows[0].cells[0].textContent);
    const dots = all(".dot", svg);
    const labels = svg.querySelector(".labels");
    const near = make("text", { class: "near" });
    svg.append(near);
    const sides = {};
    for (const side of ["x", "y"]) {
      sides[side] = {
        select: form.querySelector(`[data-side=${side}]`),
        box: form.querySelector(`[data-log=${side}]`),
        ticks: svg.querySelector(`[data-ticks=${side}]`),
        title: svg.querySelector(`[data-title=${side}]`),
      };
    }
    let places = [];

    const X = (value) => left + share(sides.x.axis, sides.x.log, value) * (right - left);
    const Y = (value) => bottom - share(sides.y.axis, sides.y.log, value) * (bottom - top);
    const spot = (when, index) => {
      const [x, y] = ["x", "y"].map((side) => (sides[side].axis[when] || sides[side].axis.new)[index]);
      return x === null || y === null ? null : [X(x), Y(y)];
    };

    const ticks = (side, pixel) => {
      const { axis, log, ticks: group, title } = sides[side];
      group.replaceChildren(...axis[log ? "log" : "linear"].ticks.flatMap(([value, label]) => {
        const at = pixel(value);
        return side === "x"
          ? [make("line", { x1: at, x2: at, y1: top, y2: bottom }), make("text", { stroke: "none", x: at, y: bottom + 17 }, label)]
          : [make("line", { y1: at, y2: at, x1: left, x2: right }), make("text", { stroke: "none", x: left - 7, y: at + 4 }, label)];
      }));
      const arrow = side === "x" ? (axis.higher ? "→" : "←") : axis.higher ? "↑" : "↓";
      title.textContent = `${arrow} ${axis.label}${log ? ", logarithmic" : ""}`;
    };
    const stairs = (when, line) => {
      const known = line.map((index) => spot(when, index)).filter(Boolean);
      if (!known.length) return "";
      const steps = known.slice(1).map(([x, y]) => `H${x}V${y}`);
      const worstX = sides.x.axis.higher ? left : right;
      const worstY = sides.y.axis.higher ? bottom : top;
      return `M${known[0][0]} ${worstY}V${known[0][1]}${steps.join("")}H${worstX}`;
    };
    const cross = (index) => {
      const now = spot("new", index);
      if (!now) return "";
      const ends = ({ axis, log }) => axis.bars[index] && axis.bars[index].map((value) => within(axis, log, value));
      const [x, y] = [ends(sides.x), ends(sides.y)];
      return (x ? `M${X(x[0])} ${now[1]}H${X(x[1])}` : "") + (y ? `M${now[0]} ${Y(y[0])}V${Y(y[1])}` : "");
    };
    const arrow = (line) => {
      const [a, b] = ["old", "new"].map((when) => spot(when, number(line, "arrow")));
      const length = a && b ? Math.hypot(b[0] - a[0], b[1] - a[1]) : 0;
      if (length < 18) return line.setAttribute("visibility", "hidden");
      const to = 1 - 12 / length;
      line.removeAttribute("visibility");
      const ends = { x1: a[0], y1: a[1], x2: a[0] + to * (b[0] - a[0]), y2: a[1] + to * (b[1] - a[1]) };
      for (const [name, value] of Object.entries(ends)) line.setAttribute(name, value);
    };
    const label = () => {
      const taken = places.filter(Boolean).map(([x, y]) => [x - 7, y - 7, x + 7, y + 7]);
      const apart = (a) => taken.every((b) => a[0] >= b[2] || b[0] >= a[2] || a[1] >= b[3] || b[1] >= a[3]);
      const made = [];
      for (const index of section.named) {
        if (!places[index]) continue;
        const [px, py] = places[index];
        const name = [...names[index]];
        const short = name.length > 26 ? `${name.slice(0, 13).join("")}…${name.slice(-12).join("")}` : names[index];
        const width = 6.3 * Math.min(name.length, 26);
        for (const [dx, dy] of [[17, 4], [-17, 4], [12, -11], [-12, -11], [12, 20], [-12, 20]]) {
          const [x, y] = [px + dx, py + dy];
          const box = [dx < 0 ? x - width : x, y - 10, dx < 0 ? x : x + width, y + 3];
          if (box[0] < left || box[2] > right || box[1] < top || box[3] > bottom || !apart(box)) continue;
          taken.push(box);
          made.push(make("text", dx < 0 ? { x, y, "text-anchor": "end" } : { x, y }, short));
          break;
        }
      }
      labels.replaceChildren(...made);
    };

    const redraw = () => {
      for (const side of Object.values(sides)) {
        side.axis = section.axes[side.select.value];
        side.log = side.box.checked && side.axis.log !== null;
      }
      ticks("x", X);
      ticks("y", Y);
      const [a, b] = [sides.x, sides.y].map((side) => Number(side.select.value));
      const lines = section.lines[`${Math.min(a, b)},${Math.max(a, b)}`] || [[], []];
      ["old", "new"].forEach((when, index) => {
        const line = a < b ? lines[index] : [...lines[index]].reverse();
        svg.querySelector(`[data-line=${when}]`).setAttribute("d", stairs(when, line));
      });
      for (const path of all("[data-bar]", svg)) path.setAttribute("d", cross(number(path, "bar")));
      all("[data-arrow]", svg).forEach(arrow);
      places = cases.map((_, index) => spot("new", index) || spot("old", index));
      for (const dot of dots) {
        const index = caseOf.get(dot);
        const at = places[index];
        dot.classList.toggle("gone", spot("new", index) === null);
        if (!at) { dot.setAttribute("visibility", "hidden"); continue; }
        dot.removeAttribute("visibility");
        for (const part of dot.children) {
          const [x, y] = part.tagName === "circle" ? ["cx", "cy"] : ["x", "y"];
          part.setAttribute(x, at[0]);
          part.setAttribute(y, at[1]);
        }
        dot.setAttribute("aria-label", spoken(index));
      }
      label();
      near.textContent = "";
    };
    // A case that is told in brief has its metrics in the columns of the table.
    const columns = [...front.querySelector(".cases").rows[0].cells].slice(2).map((cell) => cell.textContent);
    const metrics = (index) => {
      const inner = cases[index].querySelector(".more table");
      if (inner) return inner.cloneNode(true);
      const table = document.createElement("table");
      const [first, second] = cases[index].rows;
      const add = (...texts) => {
        const row = table.insertRow();
        for (const text of texts) row.insertCell().textContent = text;
      };
      add("metric", "before → now", "change", "", "", "");
      columns.forEach((name, at) => {
        const [now, change] = [first.cells[2 + 2 * at], first.cells[3 + 2 * at]].map((cell) => cell.textContent);
        const [before, sure] = [second.cells[1 + 2 * at], second.cells[2 + 2 * at]].map((cell) => cell.textContent);
        add(name, `${before} → ${now}`, `${change} ${sure}`, "", "", "");
      });
      return table;
    };
    const spoken = (index) => {
      const said = [...metrics(index).rows].slice(1).filter((row) => row.cells.length === 6)
        .map((row) => [0, 1, 2, 5].map((at) => row.cells[at].textContent.trim()).filter(Boolean).join(" "));
      return `${names[index]}, ${cases[index].rows[0].cells[1].textContent.trim()}: ${said.join("; ")}`;
    };

    // Who points at a case, or steps to it, sees every metric of it in the card.
    let here = null;
    const point = (index) => {
      if (here === index) return;
      here = index;
      for (const dot of dots) dot.classList.toggle("here", caseOf.get(dot) === index);
      cases.forEach((body, at) => body.classList.toggle("here", at === index));
      const title = document.createElement("h3");
      title.textContent = names[index];
      const verdict = document.createElement("p");
      verdict.className = "verdict";
      verdict.append(...[...cases[index].rows[0].cells[1].childNodes].map((node) => node.cloneNode(true)));
      verdict.classList.add(...cases[index].rows[0].cells[1].classList);
      const said = cases[index].querySelector(".more ul");
      card.replaceChildren(title, verdict, ...(said ? [said.cloneNode(true)] : []), metrics(index));
      const at = places[index];
      if (!at) return;
      const leftwards = at[0] > (left + right) / 2;
      near.setAttribute("x", at[0] + (leftwards ? -14 : 14));
      near.setAttribute("y", at[1] - 12);
      near.setAttribute("text-anchor", leftwards ? "end" : "start");
      near.textContent = section.named.includes(index) ? "" : names[index].slice(0, 40);
    };
    const visible = () => dots.filter((dot) => dot.getAttribute("visibility") !== "hidden" && !dot.classList.contains("off"))
      .sort((a, b) => places[caseOf.get(a)][0] - places[caseOf.get(b)][0]);
    // All points are one stop of the tab key; within them, arrows go from left to right.
    const rove = (dot) => {
      for (const other of dots) other.setAttribute("tabindex", other === dot ? "0" : "-1");
    };
    for (const dot of dots) {
      dot.querySelector("title").remove();
      dot.prepend(make("circle", { class: "halo", r: 14, fill: "none" }));
      dot.addEventListener("pointerenter", () => point(caseOf.get(dot)));
      dot.addEventListener("focus", () => { rove(dot); point(caseOf.get(dot)); });
    }
    svg.addEventListener("keydown", (event) => {
      const order = visible();
      const at = order.indexOf(document.activeElement);
      const to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: order.length - 1 }[event.key];
      if (to === undefined || !order.length) return;
      event.preventDefault();
      order[(to + order.length) % order.length].focus();
    });
    form.addEventListener("submit", (event) => event.preventDefault());
    for (const side of Object.values(sides)) {
      const start = () => {
        const axis = section.axes[side.select.value];
        side.box.checked = axis.startsLog;
        side.box.disabled = axis.log === null;
      };
      side.select.addEventListener("change", () => { start(); redraw(); });
      side.box.addEventListener("change", redraw);
      start();
    }
    form.hidden = false;
    card.hidden = false;
    redraw();
    if (dots.length) { rove(visible()[0]); point(0); }
  };
  for (const front of all(".front")) if (front.querySelector(".picture")) draw(front);

  const linked = caseBelow(location.hash.slice(1));
  if (linked) show(linked);
  document.documentElement.dataset.ready = "";
})();
