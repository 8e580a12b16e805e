// The curves of all shown runs: chosen ones in colour, the others faint, the one under the
// pointer in ink.

const MEASURES = {
  val_accuracy: { title: "validation accuracy", twin: "accuracy" },
  val_loss: { title: "validation loss", twin: "loss" },
  accuracy: { title: "training accuracy" },
  loss: { title: "training loss" },
  learning_rate: { title: "learning rate" },
};
const SPACE = { left: 58, right: 14, top: 10, bottom: 34 };
let scale = null; // of the last drawing: x(epoch), y(value) in pixels, and the lines in it

function svg(name, attributes = {}, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}

// Four to eight round numbers from low to high.
function ticks(low, high) {
  const rough = (high - low) / 5 || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const found = [];
  for (let i = Math.ceil(low / step); i * step <= high + step * 1e-9; i += 1) {
    found.push(Number((i * step).toPrecision(10)));
  }
  return found;
}

const points = (run, column) => (run.history[column] ?? [])
  .map((value, i) => [run.history.epoch?.[i] ?? i + 1, value])
  .filter(([, value]) => value !== null);

function drawCurves() {
  const { measure } = state;
  const shown = visible().filter((run) => points(run, measure).length);
  const plot = document.getElementById("plot");
  const { width, height } = plot.getBoundingClientRect();
  plot.setAttribute("viewBox", `0 0 ${width} ${height}`);
  plot.replaceChildren();
  drawMeasures();
  drawLegend();
  scale = null;
  if (!shown.length) {
    plot.append(svg("text", { x: 10, y: 24 }, `No shown run has a ${MEASURES[measure].title}.`));
    return;
  }
  const chosen = state.chosen.map((id) => byId.get(id)).filter((run) => shown.includes(run));
  const { twin } = MEASURES[measure];
  const lines = shown.map((run) => ({ run, dots: points(run, measure) }));
  const twins = twin ? chosen.map((run) => ({ run, dots: points(run, twin) })) : [];
  scale = scaleFor([...lines, ...twins].flatMap(({ dots }) => dots), width, height);
  drawAxes(plot, width, height);
  const ordered = [...lines.filter(({ run }) => !chosen.includes(run)), ...lines.filter(({ run }) => chosen.includes(run))];
  for (const { run, dots } of ordered) drawLine(plot, run, dots, chosen.includes(run) ? "chosen" : "");
  for (const { run, dots } of twins) drawLine(plot, run, dots, "chosen training");
  scale.lines = lines;
}

function scaleFor(dots, width, height) {
  const [xs, ys] = [dots.map(([x]) => x), dots.map(([, y]) => y)];
  const range = (values) => values.reduce(([low, high], v) => [Math.min(low, v), Math.max(high, v)], [Infinity, -Infinity]);
  let [first, last] = range(xs);
  let [low, high] = range(ys);
  if (first === last) [first, last] = [first - 0.5, last + 0.5];
  const air = (high - low) * 0.04 || 0.05;
  [low, high] = [low - air, high + air];
  const x = (epoch) => SPACE.left + ((epoch - first) / (last - first)) * (width - SPACE.left - SPACE.right);
  const y = (value) => height - SPACE.bottom - ((value - low) / (high - low)) * (height - SPACE.top - SPACE.bottom);
  return { x, y, first, last, low, high, lines: [] };
}

function drawAxes(plot, width, height) {
  for (const value of ticks(scale.low, scale.high)) {
    const y = scale.y(value);
    plot.append(svg("line", { class: "grid", x1: SPACE.left, x2: width - SPACE.right, y1: y, y2: y }));
    plot.append(svg("text", { x: SPACE.left - 8, y: y + 4, "text-anchor": "end" }, String(value)));
  }
  for (const value of ticks(scale.first, scale.last).filter(Number.isInteger)) {
    plot.append(svg("text", { x: scale.x(value), y: height - SPACE.bottom + 18, "text-anchor": "middle" }, String(value)));
  }
  plot.append(svg("text", { x: width - SPACE.right, y: height - 2, "text-anchor": "end" }, "epoch"));
}

function drawLine(plot, run, dots, kind) {
  const places = dots.map(([epoch, value]) => `${scale.x(epoch).toFixed(1)},${scale.y(value).toFixed(1)}`);
  const line = svg("polyline", { points: places.join(" "), class: kind, "data-id": run.id });
  if (kind) line.style.stroke = colour(run.id);
  plot.append(line);
  if (dots.length > 1) return;
  const dot = svg("circle", { cx: scale.x(dots[0][0]), cy: scale.y(dots[0][1]), r: 4, class: kind });
  dot.style.fill = kind ? colour(run.id) : "var(--faint)";
  plot.append(dot);
}

function drawMeasures() {
  const known = Object.keys(MEASURES).filter((key) => runs.some((run) => run.history[key]));
  document.getElementById("measures").replaceChildren(...known.map((key) => {
    const button = element("button", { type: "button" }, MEASURES[key].title);
    button.dataset.measure = key;
    button.setAttribute("aria-pressed", key === state.measure);
    button.addEventListener("click", () => {
      state.measure = key;
      changed();
      document.querySelector(`[data-measure=${key}]`).focus();
    });
    return button;
  }));
}

function drawLegend() {
  const { twin } = MEASURES[state.measure];
  const items = state.chosen.map((id) => {
    const sign = element("i");
    sign.style.borderColor = colour(id);
    return element("li", {}, sign, `${badge(id)} ${byId.get(id).name}`.trim());
  });
  if (twin && items.length) items.push(element("li", {}, `(dashed: ${MEASURES[twin].title})`));
  document.getElementById("legend").replaceChildren(...items);
}

function followInCurves() {
  for (const line of document.querySelectorAll("#plot .hovered")) line.remove();
  const found = scale?.lines.find(({ run }) => run.id === state.hovered);
  if (!found) {
    document.getElementById("reading").textContent = "";
    return;
  }
  const plot = document.getElementById("plot");
  drawLine(plot, found.run, found.dots, "hovered");
  const last = plot.querySelectorAll(".hovered");
  last.forEach((line) => { line.style.stroke = ""; });
  const [epoch, value] = found.dots.at(-1);
  document.getElementById("reading").textContent =
    `${names(found.run)}: ${spelled(value)} after epoch ${epoch}`;
}

function listenToCurves() {
  const plot = document.getElementById("plot");
  plot.addEventListener("mousemove", (event) => {
    if (!scale) return;
    const box = plot.getBoundingClientRect();
    const [px, py] = [event.clientX - box.left, event.clientY - box.top];
    let best = { distance: 30 ** 2 };
    for (const { run, dots } of scale.lines) {
      for (const [epoch, value] of dots) {
        const distance = (scale.x(epoch) - px) ** 2 + (scale.y(value) - py) ** 2;
        if (distance < best.distance) best = { distance, run, epoch, value };
      }
    }
    hover(best.run?.id ?? null);
    if (best.run) {
      document.getElementById("reading").textContent =
        `${names(best.run)}: ${spelled(best.value)} at epoch ${best.epoch}`;
    }
  });
  plot.addEventListener("mouseleave", () => hover(null));
  plot.addEventListener("click", () => { if (state.hovered) choose([state.hovered]); });
  let timer = 0;
  window.addEventListener("resize", () => { clearTimeout(timer); timer = setTimeout(changed, 100); });
}
