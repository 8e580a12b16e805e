// The table of all runs, or of all settings.

// Those with `more` are shown when all are wanted. The rest fit a screen of 1,300 pixels
// unless many parameters differ; then the table scrolls beside its first column.
const COLUMNS = [
  { key: "name", title: "experiment", kind: "name", value: (row) => row.name },
  metric("test_accuracy", "test accuracy"),
  { key: "seeds", title: "over seeds and folds", kind: "number", value: (row) => row.accuracy?.mean, text: seedsText, more: settings.every(({ accuracy }) => !(accuracy?.count > 1)) },
  metric("val_accuracy", "validation accuracy"),
  metric("gap", "train − validation"),
  ...differing.map((name) => ({
    key: name, title: name, kind: "parameter", value: (row) => row.parameters[name] ?? "–",
  })),
  metric("train_seconds", "seconds", 0),
  { key: "status", title: "status", kind: "long", value: (row) => row.status, more: runs.every((run) => run.status === "FINISHED" && !run.problems.length) },
  { key: "started", title: "started", kind: "number", value: (row) => row.started, text: (row) => dated(row.started), more: true },
  metric("test_loss", "test loss", 4, true),
  metric("test_f1", "F1", 4, true),
  metric("test_top_5", "top 5", 4, true),
  metric("epochs_run", "epochs run", 0, true),
  { key: "commit", title: "commit", kind: "text", value: (row) => row.commit, more: true },
].filter(({ key, measured }) => !measured || runs.some((run) => run.metrics[key] != null));
const columns = () => COLUMNS.filter(({ more }) => state.all || !more);

function metric(key, title, digits = 4, more = false) {
  return {
    key, title, more, kind: "number", measured: true,
    value: (row) => row.metrics[key],
    text: (row) => spelled(row.metrics[key], digits),
  };
}

function dated(seconds) {
  if (!seconds) return "–";
  const at = new Date(seconds * 1000);
  const two = (number) => String(number).padStart(2, "0");
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}`;
}

function seedsText({ accuracy }) {
  if (!accuracy) return "–";
  const { mean, deviation, count, interval } = accuracy;
  if (deviation === null) return "one run";
  return `${spelled(mean)} ± ${spelled(deviation)} (${count}), 95%: ${interval.map((end) => spelled(end)).join(" to ")}`;
}

// A row of the table: one run, or all runs of a setting.
function rowOf(members) {
  const [first] = members;
  const { accuracy, metrics } = settings[first.setting];
  const states = [...new Set(members.map((run) => run.status))];
  return {
    ids: members.map((run) => run.id),
    name: members.length > 1 ? `${first.name} and ${members.length - 1} more` : names(first),
    parameters: members.length > 1
      ? { ...first.parameters, ...repeats(members) }
      : first.parameters,
    metrics: members.length > 1 ? metrics : first.metrics,
    accuracy,
    started: first.started,
    commit: first.commit.slice(0, 7) + (first.commit.endsWith("+dirty") ? "+dirty" : ""),
    status: [states.join(", ").toLowerCase(), first.failure, ...first.problems].filter(Boolean).join(": "),
    scored: members.some((run) => run.metrics.test_accuracy != null),
  };
}

// How many seeds and folds stand behind one row, where it is more than one.
function repeats(members) {
  const counted = ["seed", "fold"].map((key) => [key, new Set(members.map((run) => run.parameters[key])).size]);
  return Object.fromEntries(counted.filter(([, count]) => count > 1).map(([key, count]) => [key, `${count} ${key}s`]));
}

const names = (run) => [run.name, ...run.experiments.filter((name) => name !== run.name)].join(", ");

function rows() {
  const shown = visible();
  if (!state.together) return shown.map((run) => rowOf([run]));
  const wanted = [...new Set(shown.map((run) => run.setting))];
  return wanted.map((setting) => rowOf(runs.filter((run) => run.setting === setting)));
}

// Numbers by size, texts with numbers in them as a person would (dropout 0.2, 0.8); nothing last.
function sorted(list) {
  const column = COLUMNS.find((one) => one.key === state.sort.column) ?? COLUMNS[0];
  const sign = state.sort.down ? -1 : 1;
  const none = (value) => value === null || value === undefined || value === "–" || value === "";
  const compare = (one, two) => {
    const [a, b] = [Number(one), Number(two)];
    if (!Number.isNaN(a) && !Number.isNaN(b)) return a - b;
    return String(one).localeCompare(String(two), undefined, { numeric: true });
  };
  return list
    .map((row) => [column.value(row), row])
    .sort(([one, a], [two, b]) => {
      if (none(one) || none(two)) return none(one) - none(two);
      return sign * compare(one, two) || b.started - a.started;
    })
    .map(([, row]) => row);
}

function headCell(column) {
  const parts = column.title.split(/(?<=_)/).flatMap((part) => [element("wbr"), part]);
  const button = element("button", { type: "button" }, ...parts);
  button.addEventListener("click", () => {
    const down = state.sort.column === column.key ? !state.sort.down : column.kind === "number";
    state.sort = { column: column.key, down };
    changed();
    document.querySelector(`th[data-column="${column.key}"] button`).focus();
  });
  const cell = element("th", { scope: "col", "data-column": column.key }, button);
  cell.className = column.kind === "number" ? "n" : column.kind;
  if (state.sort.column === column.key) {
    cell.setAttribute("aria-sort", state.sort.down ? "descending" : "ascending");
  }
  return cell;
}

function bodyRow(row) {
  const chosen = row.ids.filter((id) => state.chosen.includes(id));
  const box = element("input", { type: "checkbox", checked: chosen.length > 0 });
  box.setAttribute("aria-label", `choose ${row.name}`);
  const mark = element("td", { className: "mark" }, box);
  for (const id of (chosen.length ? chosen : row.ids.filter((one) => state.colours.has(one))).slice(0, 1)) {
    const sign = chosen.length ? element("span", { className: "badge" }, badge(id) || "•") : element("span", { className: "dot" });
    sign.style.background = colour(id);
    mark.append(" ", sign);
  }
  const line = element("tr", { className: row.scored ? "" : "without" }, mark);
  line.dataset.ids = row.ids.join(" ");
  for (const column of columns()) {
    const text = column.text ? column.text(row) : column.value(row);
    const className = { number: "n", long: "long", name: "name" }[column.kind] ?? "";
    line.append(element("td", { className }, text || "–"));
  }
  return line;
}

function drawTable() {
  const table = document.getElementById("table");
  const focused = document.activeElement?.closest?.("tr")?.dataset.ids;
  const list = sorted(rows());
  const head = element("tr", {}, element("th", { scope: "col", className: "mark" }), ...columns().map(headCell));
  table.replaceChildren(element("thead", {}, head), element("tbody", {}, ...list.map(bodyRow)));
  const again = focused && [...table.tBodies[0].rows].find((line) => line.dataset.ids === focused);
  again?.querySelector("input").focus({ preventScroll: true });
  const count = `${visible().length} of ${runs.length} runs`;
  document.getElementById("shown").textContent = state.together ? `${count}, ${list.length} settings` : count;
  document.getElementById("clear").disabled = state.chosen.length === 0;
}

function followInTable() {
  for (const line of document.querySelectorAll("#table tbody tr")) {
    line.classList.toggle("hovered", line.dataset.ids.split(" ").includes(state.hovered));
  }
}

function drawSame() {
  const entries = Object.entries(same);
  const details = document.getElementById("same");
  details.hidden = entries.length === 0;
  details.querySelector("summary").textContent = entries.length === 1
    ? "1 parameter is the same in all"
    : `${entries.length} parameters are the same in all`;
  details.querySelector("dl").append(...entries.map(
    ([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value)),
  ));
}

function listenToTable() {
  const table = document.getElementById("table");
  table.addEventListener("click", (event) => {
    const line = event.target.closest("tbody tr");
    if (line) choose(line.dataset.ids.split(" "));
  });
  table.addEventListener("mouseover", (event) => {
    hover(event.target.closest("tbody tr")?.dataset.ids.split(" ")[0] ?? null);
  });
  table.addEventListener("mouseleave", () => hover(null));
  table.addEventListener("focusin", (event) => {
    hover(event.target.closest("tbody tr")?.dataset.ids.split(" ")[0] ?? null);
  });
  const more = document.getElementById("more");
  more.addEventListener("click", () => {
    state.all = !state.all;
    more.setAttribute("aria-pressed", state.all);
    changed();
  });
}
