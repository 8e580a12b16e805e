// Two chosen runs: what differs, whether it is more than chance, and their confusion matrices.

function chanceText(p) {
  if (p < 0.0001) return "fewer than 1 in 10,000";
  if (p < 0.01) return `1 in ${Math.round(1 / p).toLocaleString("en")}`;
  return `${Math.round(p * 100)} in 100`;
}

function verdict(first, second) {
  const [low, high] = [first.place, second.place].sort((a, b) => a - b);
  const pair = (high * (high - 1)) / 2 + low;
  const [both, p] = [pairs.both[pair], pairs.p[pair]];
  if (both < 0) return `No test of the difference: ${pairs.reasons[-1 - both]}.`;
  const points = ((second.right - first.right) / first.images) * 100;
  const spell = (number) => number.toLocaleString("en");
  const result = points === 0
    ? "They are right equally often"
    : `B is ${Math.abs(points).toFixed(2)} points ${points > 0 ? "better" : "worse"}`;
  return `On the same ${spell(first.images)} test images both are right on ${spell(both)}, only A on `
    + `${spell(first.right - both)}, only B on ${spell(second.right - both)}. ${result}. Two equally good models differ `
    + `so much by chance in ${chanceText(p)} cases (McNemar's test, mid-p ${p.toPrecision(2)}): `
    + (p < significant ? "more than chance." : "this may well be chance.");
}

function seedsVerdict(first, second) {
  const spread = (run) => {
    const { accuracy } = settings[run.setting];
    if (!accuracy) return "no score";
    if (accuracy.deviation === null) return `${spelled(accuracy.mean)} (one run)`;
    const ends = accuracy.interval.map((end) => spelled(end)).join(" to ");
    return `${spelled(accuracy.mean)} ± ${spelled(accuracy.deviation)} over ${accuracy.repeats}, the mean's 95% interval ${ends}`;
  };
  const start = "The test compares these two trained models; another seed gives another model. ";
  if (first.setting === second.setting) {
    return `${start}Both have the same setting: ${spread(first)}.`;
  }
  return `${start}Test accuracy of A's setting: ${spread(first)}; of B's: ${spread(second)}.`;
}

function facts(first, second) {
  const keys = [...new Set([...Object.keys(first.parameters), ...Object.keys(second.parameters)])];
  const unlike = keys.filter((key) => first.parameters[key] !== second.parameters[key]);
  const line = (title, one, two) => element("tr", {}, element("th", { scope: "row" }, title), element("td", {}, one), element("td", {}, two));
  const number = (key, digits) => [spelled(first.metrics[key], digits), spelled(second.metrics[key], digits)];
  const heads = [first, second].map((run, i) => {
    const sign = element("span", { className: "badge" }, "AB"[i]);
    sign.style.background = colour(run.id);
    return element("th", { scope: "col" }, sign, ` ${names(run)}`);
  });
  const table = element("table", { className: "facts" });
  const back = (run) => (run.experiments.length ? `dvc exp apply ${run.experiments[0]}` : run.commit.slice(0, 7) || "–");
  table.append(
    element("thead", {}, element("tr", {}, element("th"), ...heads)),
    element("tbody", {},
      ...unlike.map((key) => line(key, first.parameters[key] ?? "–", second.parameters[key] ?? "–")),
      line("test accuracy", ...number("test_accuracy")),
      line("test loss", ...number("test_loss")),
      line("validation accuracy", ...number("val_accuracy")),
      line("training accuracy above it", ...number("gap")),
      line("training", ...number("train_seconds", 0).map((text) => `${text} s`)),
      line("brought back by", back(first), back(second))),
  );
  return table;
}

function matrices(first, second) {
  const [a, b] = [first, second].map((run) => (run.confusion && run.classes !== null ? cells(run) : null));
  const title = (run, sign) => `${sign} ${run.name}: images, a row a true class`;
  const box = element("div", { className: "tables" });
  if (a) box.append(counts(title(first, "A"), classLists[first.classes], a));
  if (b) box.append(counts(title(second, "B"), classLists[second.classes], b));
  if (!a || !b) return box;
  const classes = classLists[first.classes];
  const size = classes.length;
  if (first.classes !== second.classes) {
    box.append(element("p", { className: "how" }, "No difference of the two: their classes are not the same."));
  } else if (String(rowSums(a, size)) !== String(rowSums(b, size))) {
    box.append(element("p", { className: "how" }, "No difference of the two: their test parts are not the same."));
  } else {
    box.append(difference(classes, a, b));
  }
  return box;
}

function drawPair() {
  const target = document.getElementById("comparison");
  const [first, second] = state.chosen.slice(0, 2).map((id) => byId.get(id));
  if (!second) {
    const wanted = first ? "one more run" : "two runs";
    target.replaceChildren(element("p", { className: "how" }, `Choose ${wanted} in the table to compare them here.`));
    return;
  }
  target.replaceChildren(
    element("div", { className: "sides" },
      facts(first, second),
      element("div", {},
        element("p", { id: "verdict" }, verdict(first, second)),
        element("p", { className: "how" }, seedsVerdict(first, second)))),
    matrices(first, second),
  );
}
