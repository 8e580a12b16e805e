// Confusion matrices: as tables of numbers, of many classes as pictures.

const MOST_NUMBERED = 20; // classes

// One matrix. `tint(value, row, column)` gives the colour of a cell and how much of it (0 to 1).
function matrix(title, classes, values, tint, text) {
  const box = element("div", {}, element("h3", {}, title));
  box.append(classes.length > MOST_NUMBERED
    ? picture(classes, values, tint, text)
    : numbered(classes, values, tint, text));
  return box;
}

function numbered(classes, values, tint, text) {
  const table = element("table", { className: classes.length > 5 ? "matrix many" : "matrix" });
  const head = element("tr", {}, element("th", { title: "true class, by row; answer, by column" }, "true"));
  classes.forEach((name) => head.append(element("th", { scope: "col", title: name }, name)));
  const body = element("tbody");
  classes.forEach((name, row) => {
    const line = element("tr", {}, element("th", { scope: "row", title: name }, name));
    classes.forEach((answer, column) => {
      const value = values[row * classes.length + column];
      const cell = element("td", { title: `true ${name}, answer ${answer}: ${text(value)}` }, value ? text(value) : "");
      const [hue, strength] = tint(value, row, column);
      if (value) cell.style.background = `color-mix(in srgb, ${hue} ${Math.round(strength * 60)}%, transparent)`;
      line.append(cell);
    });
    body.append(line);
  });
  table.append(element("thead", {}, head), body);
  return table;
}

function picture(classes, values, tint, text) {
  const size = classes.length;
  const canvas = element("canvas", { width: size, height: size });
  const reading = element("p", { className: "how" }, "Point at a cell to read it.");
  const context = canvas.getContext("2d");
  const style = getComputedStyle(document.documentElement);
  values.forEach((value, i) => {
    if (!value) return;
    const [hue, strength] = tint(value, Math.floor(i / size), i % size);
    context.globalAlpha = 0.15 + 0.85 * strength;
    context.fillStyle = style.getPropertyValue(hue.slice(4, -1));
    context.fillRect(i % size, Math.floor(i / size), 1, 1);
  });
  canvas.addEventListener("mousemove", (event) => {
    const box = canvas.getBoundingClientRect();
    const place = (at, length) => Math.min(size - 1, Math.max(0, Math.floor((at / length) * size)));
    const [row, column] = [place(event.clientY - box.top, box.height), place(event.clientX - box.left, box.width)];
    reading.textContent = `true ${classes[row]}, answer ${classes[column]}: ${text(values[row * size + column])}`;
  });
  return element("div", {}, canvas, reading);
}

const rowSums = (values, size) => Array.from({ length: size }, (_, row) => values
  .slice(row * size, (row + 1) * size)
  .reduce((sum, value) => sum + value, 0));

// Counts; colours on a square-root scale of the row's share, so that rare mistakes show.
function counts(title, classes, values) {
  const sums = rowSums(values, classes.length);
  const tint = (value, row) => ["var(--accent)", Math.sqrt(value / (sums[row] || 1))];
  return matrix(title, classes, values, tint, String);
}

// B less A: blue where B is better (more on the diagonal, fewer beside it), orange where worse.
function difference(classes, one, two) {
  const values = two.map((value, i) => value - one[i]);
  const most = values.reduce((high, value) => Math.max(high, Math.abs(value)), 1);
  const tint = (value, row, column) => {
    const better = (value > 0) === (row === column);
    return [better ? "var(--better)" : "var(--worse)", Math.sqrt(Math.abs(value) / most)];
  };
  const signed = (value) => (value > 0 ? `+${value}` : String(value).replace("-", "−"));
  return matrix("B − A: blue is better, orange worse", classes, values, tint, signed);
}
