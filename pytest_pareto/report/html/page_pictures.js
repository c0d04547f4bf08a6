// Plots: moves the elements of the static drawing to other axes; it decides nothing.
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
  let named = new Map();
  // Whether an entry of the legend is drawn depends on the axes.
  const lined = (when) => svg.querySelector(`[data-line=${when}]`).getAttribute("d") !== "";
  const seen = (selector) => all(selector, svg).some((element) => element.getAttribute("visibility") !== "hidden");
  const drawn = {
    new: () => lined("new"),
    old: () => lined("old"),
    moved: () => seen("[data-arrow]"),
    bars: () => all("[data-bar]", svg).some((path) => path.getAttribute("d") !== ""),
    ring: () => dots.some((dot) => dot.querySelector('[href="#m-ring"]') && dot.getAttribute("visibility") !== "hidden"),
  };

  const X = (value) => left + share(sides.x.axis, sides.x.log, value) * (right - left);
  const Y = (value) => bottom - share(sides.y.axis, sides.y.log, value) * (bottom - top);
  const spot = (when, index) => {
    const [x, y] = ["x", "y"].map((side) => {
      const { old, new: now } = sides[side].axis;
      return when === "old" && index in old ? old[index] : now[index];
    });
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
    if (length < data.arrows.shortest) return line.setAttribute("visibility", "hidden");
    const to = 1 - data.arrows.gap / length;
    line.removeAttribute("visibility");
    const ends = { x1: a[0], y1: a[1], x2: a[0] + to * (b[0] - a[0]), y2: a[1] + to * (b[1] - a[1]) };
    for (const [name, value] of Object.entries(ends)) line.setAttribute(name, value);
  };
  const redraw = () => {
    for (const side of Object.values(sides)) {
      side.axis = section.axes[side.select.value];
      side.log = side.box.checked && side.axis.log !== null;
    }
    ticks("x", X);
    ticks("y", Y);
    const [a, b] = [sides.x, sides.y].map((side) => Number(side.select.value));
    const lines = section.lines[`${Math.min(a, b)},${Math.max(a, b)}`] || [[]];
    ["old", "new"].forEach((when, index) => {
      const line = lines[index] || lines[0];
      svg.querySelector(`[data-line=${when}]`).setAttribute("d", stairs(when, a < b ? line : [...line].reverse()));
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
    named = placeLabels(section.named, places);
    labels.replaceChildren(...named.values());
    for (const entry of all("[data-legend]", picture)) entry.hidden = !drawn[entry.dataset.legend]();
    rest();
    tell();
  };
  // A case in brief has its metrics only in the columns of the table.
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
      add(name, `${before} → ${now}`, `${change} ${sure.replace("≥", "catches ")}`, "", "", "");
    });
    return table;
  };
  const spoken = (index) => {
    const said = [...metrics(index).rows].slice(1).filter((row) => row.cells.length === 6)
      .map((row) => [0, 1, 2, 5].map((at) => row.cells[at].textContent.trim()).filter(Boolean).join(" "));
    return `${names[index]}, ${cases[index].rows[0].cells[1].textContent.trim()}: ${said.join("; ")}`;
  };

  // The card shows every metric of the case under the pointer or with the focus.
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
    tell();
  };
  // A case without a label, for lack of room or because it is unchanged, has one while selected.
  const tell = () => {
    const at = here === null ? null : places[here];
    near.textContent = "";
    if (!at || (named.has(here) && getComputedStyle(labels).display !== "none")) return;
    const leftwards = at[0] > (left + right) / 2;
    near.setAttribute("x", at[0] + (leftwards ? -14 : 14));
    near.setAttribute("y", at[1] - 12);
    near.setAttribute("text-anchor", leftwards ? "end" : "start");
    near.textContent = names[here].slice(0, 40);
  };
  const visible = () => dots.filter((dot) => dot.getAttribute("visibility") !== "hidden" && !dot.classList.contains("off"))
    .sort((a, b) => places[caseOf.get(a)][0] - places[caseOf.get(b)][0]);
  // All points are one tab stop; arrow keys move between them from left to right.
  const rove = (dot) => {
    for (const other of dots) other.setAttribute("tabindex", other === dot ? "0" : "-1");
  };
  // The tab stop is a visible point, whatever the axes and the filter hide.
  const rest = () => {
    const seen = visible();
    if (!seen.some((dot) => dot.getAttribute("tabindex") === "0")) rove(seen[0]);
  };
  whenFiltered.push(rest);
  for (const dot of dots) {
    for (const title of all("title", dot)) title.remove();
    dot.prepend(make("circle", { class: "halo", r: 14, fill: "none" }));
    on(dot, "pointerenter", () => point(caseOf.get(dot)));
    on(dot, "focus", () => { rove(dot); point(caseOf.get(dot)); });
  }
  on(svg, "keydown", (event) => {
    const order = visible();
    const at = order.indexOf(document.activeElement);
    const to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: order.length - 1 }[event.key];
    if (to === undefined || !order.length) return;
    event.preventDefault();
    order[(to + order.length) % order.length].focus();
  });
  on(form, "submit", (event) => event.preventDefault());
  for (const side of Object.values(sides)) {
    const start = () => {
      const axis = section.axes[side.select.value];
      side.box.checked = axis.startsLog;
      side.box.disabled = axis.log === null;
    };
    on(side.select, "change", () => { start(); redraw(); });
    on(side.box, "change", redraw);
    start();
  }
  form.hidden = false;
  card.hidden = false;
  redraw();
  if (dots.length) point(0);
};
for (const front of all(".front")) if (front.querySelector(".picture")) draw(front);

const linked = caseBelow(location.hash.slice(1));
if (linked) show(linked);
document.documentElement.dataset.ready = "";
