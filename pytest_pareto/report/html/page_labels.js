// Labels of points: as many as fit without overlap, by the rule of place_labels in picture.py.
const placeLabels = (named, places) => {
  const { tries, line, point, letter } = data.labels;
  const taken = places.filter(Boolean).map(([x, y]) => [x - point, y - point, x + point, y + point]);
  const apart = (a) => taken.every((b) => a[0] >= b[2] || b[0] >= a[2] || a[1] >= b[3] || b[1] >= a[3]);
  const placed = new Map();
  for (const [index, cells, text] of named) {
    if (!places[index]) continue;
    const width = letter * cells;
    for (const [dx, dy] of tries) {
      const [x, y] = [places[index][0] + dx, places[index][1] + dy];
      const box = [dx < 0 ? x - width : x, y - line + 3, dx < 0 ? x : x + width, y + 3];
      if (box[0] <= left || box[2] >= data.width || box[1] <= top || box[3] >= bottom || !apart(box)) continue;
      taken.push(box);
      placed.set(index, make("text", dx < 0 ? { x, y, "text-anchor": "end" } : { x, y }, text));
      break;
    }
  }
  return placed;
};
