// The table of all runs, or of all settings.

const COLUMNS = [
  { key: "name", title: "experiment", kind: "name", value: (row) => row.name },
  metric("test_accuracy", "test accuracy"),
  { key: "seeds", title: "over seeds", kind: "number", value: (row) => row.overSeeds.mean, text: seedsText },
  metric("val_accuracy", "validation accuracy"),
  metric("gap", "train − validation"),
  ...differing.map((name) => ({
    key: name, title: name, kind: "parameter", value: (row) => row.parameters[name] ?? "–",
  })),
  metric("test_loss", "test loss"),
  metric("test_f1", "F1"),
  ...(runs.some((run) => "test_top_5" in run.metrics) ? [metric("test_top_5", "top 5")] : []),
  { key: "epochs", title: "epochs run", kind: "number", value: (row) => row.averaged("epochs"), text: (row) => spelled(row.averaged("epochs"), 0) },
  metric("train_seconds", "seconds", 0),
  { key: "started", title: "started", kind: "number", value: (row) => row.started, text: (row) => dated(row.started) },
  { key: "commit", title: "commit", kind: "text", value: (row) => row.commit },
  { key: "status", title: "status", kind: "long", value: (row) => row.status },
];

function metric(key, title, digits = 4) {
  return {
    key, title, kind: "number",
    value: (row) => row.averaged(key),
    text: (row) => spelled(row.averaged(key), digits),
  };
}

function dated(seconds) {
  if (!seconds) return "–";
  const at = new Date(seconds * 1000);
  const two = (number) => String(number).padStart(2, "0");
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}`;
}

function seedsText(row) {
  const { mean: middle, spread, count } = row.overSeeds;
  if (middle === null) return "–";
  return spread === null ? "one seed" : `${spelled(middle)} ± ${spelled(spread)} (${count})`;
}

// A row of the table: one run, or all shown runs of a setting.
function rowOf(members) {
  const [first] = members;
  const values = (key) => members
    .map((run) => (key === "epochs" ? run.epochs : run.metrics[key]))
    .filter((value) => value !== null && value !== undefined);
  const accuracies = seedsOf(first).map((run) => run.metrics.test_accuracy);
  const states = [...new Set(members.map((run) => run.status))];
  return {
    ids: members.map((run) => run.id),
    name: members.length > 1 ? `${first.name} and ${members.length - 1} more` : names(first),
    parameters: members.length > 1
      ? { ...first.parameters, seed: `${new Set(members.map((run) => run.parameters.seed)).size} seeds` }
      : first.parameters,
    averaged: (key) => (values(key).length ? mean(values(key)) : null),
    overSeeds: {
      mean: accuracies.length ? mean(accuracies) : null,
      spread: deviation(accuracies),
      count: accuracies.length,
    },
    started: first.started,
    commit: first.commit.slice(0, 7) + (first.commit.endsWith("+dirty") ? "+dirty" : ""),
    status: [states.join(", ").toLowerCase(), first.failure, ...first.problems].filter(Boolean).join(": "),
    scored: members.some((run) => run.metrics.test_accuracy != null),
  };
}

const names = (run) => [run.name, ...run.experiments.filter((name) => name !== run.name)].join(", ");

function rows() {
  const shown = visible();
  if (!state.together) return shown.map((run) => rowOf([run]));
  const groups = new Map();
  for (const run of shown) groups.set(run.setting, [...(groups.get(run.setting) ?? []), run]);
  return [...groups.values()].map(rowOf);
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
  const button = element("button", { type: "button" }, column.title);
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
  for (const id of chosen.slice(0, 1)) {
    const sign = element("span", { className: "badge" }, badge(id) || "•");
    sign.style.background = colour(id);
    mark.append(" ", sign);
  }
  const line = element("tr", { className: row.scored ? "" : "without" }, mark);
  line.dataset.ids = row.ids.join(" ");
  for (const column of COLUMNS) {
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
  const head = element("tr", {}, element("th", { scope: "col", className: "mark" }), ...COLUMNS.map(headCell));
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
}
