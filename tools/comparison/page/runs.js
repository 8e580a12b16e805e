// The data of the page, and what is chosen.
//
// A run: id, name, experiments (DVC's names), status, failure, problems, started (seconds),
// commit, setting (which of the settings; the same for runs that differ in seed and fold alone),
// parameters (as params.yaml spells them), metrics, history (a list a column), kept (the epoch,
// from 1, whose weights the model has), classes (which of the lists of names), confusion (steps
// and counts, see cells), images and right (of the test part, and how many it names rightly).
//
// A setting: metrics (means over its seeds and folds), accuracy {mean, deviation, count, interval
// (of the mean, 95%; empty of one run), repeats (in words)} of the test.
// pairs: see Pairs in chance.py. best: ids, the best first. chosen: the ids chosen at first.

const { runs, differing, same, classes: classLists, settings, pairs, best, chosen, significant } =
  JSON.parse(document.getElementById("data").textContent);
const byId = new Map(runs.map((run) => [run.id, run]));
const COLOURS = 8; // --c0 … --c7 of the style

const state = {
  chosen: [], // ids in the order of choosing; the first two are A and B
  colours: new Map(), // from id to the number of its colour
  hovered: null, // an id
  words: "",
  together: false,
  all: false, // columns
  sort: { column: "test_accuracy", down: true },
  measure: "val_accuracy",
};
const views = []; // functions that draw the page anew after a change of state
const hoverViews = []; // and those that follow the pointer

function changed() {
  share();
  views.forEach((draw) => draw());
}

function choose(ids) {
  const all = ids.every((id) => state.chosen.includes(id));
  state.chosen = state.chosen.filter((id) => !ids.includes(id));
  if (!all) state.chosen.push(...ids);
  changed();
}

function hover(id) {
  if (state.hovered === id) return;
  state.hovered = id;
  hoverViews.forEach((draw) => draw());
}

// Colours go to what is chosen, then to the best shown. Who keeps one keeps the same.
function share() {
  const shown = new Set(visible().map((run) => run.id));
  const others = best.filter((id) => shown.has(id) && !state.chosen.includes(id) && byId.get(id).metrics.epochs_run);
  const coloured = [...state.chosen, ...others].slice(0, COLOURS);
  const free = new Set(Array(COLOURS).keys());
  const kept = new Map(coloured.map((id) => [id, state.colours.get(id)]));
  kept.forEach((number) => free.delete(number));
  for (const [id, number] of kept) {
    if (number !== undefined) continue;
    const [first] = free;
    free.delete(first);
    kept.set(id, first);
  }
  state.colours = kept;
}

function colour(id) {
  const number = state.colours.get(id) ?? state.chosen.indexOf(id);
  return number < 0 ? "var(--faint)" : `var(--c${number % COLOURS})`;
}
const badge = (id) => "AB"[state.chosen.indexOf(id)] || "";

// A number as a person reads it.
function spelled(value, digits = 4) {
  if (value === null || value === undefined) return "–";
  return Number.isInteger(value) && digits !== 4 ? String(value) : value.toFixed(digits);
}

function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

// The confusion matrix as a flat array, row by row.
function cells(run) {
  const size = classLists[run.classes].length;
  const table = new Array(size * size).fill(0);
  let cell = 0;
  for (let i = 0; i < run.confusion.length; i += 2) {
    cell += run.confusion[i];
    table[cell] = run.confusion[i + 1];
  }
  return table;
}

// Whether a run fits the words of the filter: `name=value`, `name>number` and the like
// look at parameters and metrics, any other word stands somewhere in the run.
function fits(run, words) {
  return words.split(/\s+/).filter(Boolean).every((word) => {
    const parts = /^(\w+)(>=|<=|!=|=|>|<)(.*)$/.exec(word);
    if (!parts) return run.text.includes(word.toLowerCase());
    const [, name, sign, wanted] = parts;
    const found = run.parameters[name] ?? run.metrics[name] ?? run[name];
    if (found === undefined || found === null) return sign === "!=";
    const numbers = [Number(found), Number(wanted)];
    const numeric = wanted !== "" && !numbers.some(Number.isNaN);
    const [one, two] = numeric ? numbers : [String(found).toLowerCase(), wanted.toLowerCase()];
    if (sign === "=") return numeric ? one === two : one.includes(two);
    if (sign === "!=") return numeric ? one !== two : !one.includes(two);
    if (!numeric) return false;
    return { ">": one > two, "<": one < two, ">=": one >= two, "<=": one <= two }[sign];
  });
}

runs.forEach((run, place) => {
  run.place = place;
  const words = [run.id, run.name, ...run.experiments, run.status, run.commit, run.failure];
  run.text = [...words, ...Object.values(run.parameters)].join(" ").toLowerCase();
});

const visible = () => runs.filter((run) => fits(run, state.words));
