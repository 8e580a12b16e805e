// The curves of all shown runs, drawn by Vega-Lite: chosen ones thick, with their training
// dashed; as many of the others as there are colours left, best first; the rest faint; the one
// under the pointer in ink.

const MEASURES = {
  val_accuracy: { title: "validation accuracy", twin: "accuracy" },
  val_loss: { title: "validation loss", twin: "loss" },
  accuracy: { title: "training accuracy" },
  loss: { title: "training loss" },
  learning_rate: { title: "learning rate" },
};

// A layer draws the rows of one kind. Colours are the style's variables, so that the picture
// follows the system from light to dark by itself.
const layer = (kind, filter, mark) => ({
  name: kind,
  transform: [{ filter }],
  mark: { type: "line", strokeCap: "round", strokeJoin: "round", ...mark },
  encoding: { detail: { field: "id" }, stroke: { field: "colour", type: "nominal", scale: null } },
});
const SPEC = {
  width: "container",
  height: 320,
  background: null,
  padding: { left: 0, right: 2, top: 6, bottom: 4 },
  autosize: { type: "fit", contains: "padding" },
  params: [{ name: "hovered", value: null }],
  data: { name: "points" },
  encoding: {
    x: {
      field: "epoch", type: "quantitative", scale: { nice: false, zero: false },
      axis: { format: "d", tickMinStep: 1, tickCount: 10, grid: false, titleAnchor: "end" },
    },
    y: {
      field: "value", type: "quantitative", scale: { zero: false },
      axis: { title: null, tickCount: 6, format: "~r", minExtent: 44 },
    },
  },
  layer: [
    layer("faint", "datum.kind === 'faint'", { strokeWidth: 1, strokeOpacity: 0.6 }),
    layer("coloured", "datum.kind === 'coloured'", { strokeWidth: 1.5 }),
    layer("training", "datum.kind === 'training'", { strokeWidth: 1.5, strokeDash: [5, 4] }),
    layer("chosen", "datum.kind === 'chosen'", { strokeWidth: 2.6 }),
    layer("single", "datum.single", { type: "circle", size: 60, opacity: 1 }),
    layer("hovered", "datum.id === hovered && datum.kind !== 'training'", { strokeWidth: 2.6 }),
  ],
  config: {
    font: "system-ui, sans-serif",
    view: { stroke: null },
    axis: {
      aria: false, domain: false, ticks: false, labelPadding: 8, labelFontSize: 12, titleFontSize: 12,
      titleFontWeight: "normal", labelColor: "var(--soft)", titleColor: "var(--soft)", gridColor: "var(--line)",
    },
    mark: { aria: false },
  },
};
SPEC.layer[4].encoding.fill = SPEC.layer[4].encoding.stroke;
SPEC.layer[5].encoding.stroke = { value: "var(--ink)" };

let view = null; // Vega's, once it is there
let points = []; // what it draws: id, epoch, value, kind, colour, single

// `ast` has Vega interpret its expressions: the page's policy forbids it to compile them.
async function startCurves() {
  const options = { mode: "vega-lite", renderer: "svg", ast: true, logLevel: 1, actions: false, tooltip: false, defaultStyle: false };
  ({ view } = await vegaEmbed("#plot", SPEC, options));
  drawCurves();
}

function pointsOf(run, column, kind) {
  const values = run.history[column] ?? [];
  return values
    .map((value, i) => ({ id: run.id, epoch: run.history.epoch?.[i] ?? i + 1, value, kind, colour: colour(run.id), single: values.length === 1 }))
    .filter(({ value }) => value !== null);
}

function drawCurves() {
  const { title, twin } = MEASURES[state.measure];
  const kind = (run) => (state.chosen.includes(run.id) ? "chosen" : state.colours.has(run.id) ? "coloured" : "faint");
  const twins = visible().filter((run) => twin && state.chosen.includes(run.id));
  const drawn = visible().flatMap((run) => pointsOf(run, state.measure, kind(run)));
  points = [...drawn, ...twins.flatMap((run) => pointsOf(run, twin, "training"))];
  drawMeasures();
  drawLegend(new Set(drawn.map(({ id }) => id)));
  document.getElementById("empty").textContent = drawn.length ? "" : `No shown run has a ${title}.`;
  view?.data("points", points).runAsync();
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

function drawLegend(drawn) {
  const { twin } = MEASURES[state.measure];
  const chosen = state.chosen.filter((id) => drawn.has(id));
  const others = [...state.colours.keys()].filter((id) => drawn.has(id) && !chosen.includes(id));
  const items = [...chosen, ...others].map((id) => {
    const sign = element("i", { className: chosen.includes(id) ? "chosen" : "" });
    sign.style.borderColor = colour(id);
    const item = element("li", {}, sign, `${badge(id)} ${byId.get(id).name}`.trim());
    item.addEventListener("mouseenter", () => hover(id));
    item.addEventListener("mouseleave", () => hover(null));
    return item;
  });
  if (twin && chosen.length) items.push(element("li", {}, `dashed: ${MEASURES[twin].title}`));
  const faint = drawn.size - chosen.length - others.length;
  if (faint) items.push(element("li", {}, `grey: ${faint} more`));
  document.getElementById("legend").replaceChildren(...items);
}

function followInCurves() {
  const last = points.findLast(({ id, kind }) => id === state.hovered && kind !== "training");
  document.getElementById("reading").textContent = last
    ? `${names(byId.get(last.id))}: ${spelled(last.value)} after epoch ${last.epoch}`
    : "";
  view?.signal("hovered", state.hovered).runAsync();
}

// The point nearest to the pointer, within 30 pixels.
function nearest(event) {
  const box = document.querySelector("#plot svg").getBoundingClientRect();
  const [[left, top], air] = [view.origin(), view.padding()];
  const [x, y] = [event.clientX - box.left - left - air.left, event.clientY - box.top - top - air.top];
  const [across, down] = [view.scale("x"), view.scale("y")];
  const distance = ({ epoch, value }) => Math.hypot(across(epoch) - x, down(value) - y);
  return points
    .filter(({ kind }) => kind !== "training")
    .reduce((best, point) => (distance(point) < (best ? distance(best) : 30) ? point : best), null);
}

function listenToCurves() {
  const plot = document.getElementById("plot");
  plot.addEventListener("mousemove", (event) => {
    const point = view && nearest(event);
    hover(point?.id ?? null);
    if (point) {
      document.getElementById("reading").textContent =
        `${names(byId.get(point.id))}: ${spelled(point.value)} at epoch ${point.epoch}`;
    }
  });
  plot.addEventListener("mouseleave", () => hover(null));
  plot.addEventListener("click", () => { if (state.hovered) choose([state.hovered]); });
}
