// Puts it together. What is chosen stands in the address, so that a link keeps it; without an
// address it is the best two.

function fromAddress() {
  const text = decodeURIComponent(location.hash.slice(1));
  const ids = text.split(",").filter((id) => byId.has(id));
  state.chosen = ids.length || text === "none" ? ids : [...chosen];
}

function toAddress() {
  const ids = state.chosen.join(",");
  history.replaceState(null, "", ids === chosen.join(",") ? location.pathname : `#${ids || "none"}`);
}

function listen() {
  const filter = document.getElementById("filter");
  filter.addEventListener("input", () => { state.words = filter.value; changed(); });
  const together = document.getElementById("together");
  together.addEventListener("change", () => { state.together = together.checked; changed(); });
  document.getElementById("clear").addEventListener("click", () => { state.chosen = []; changed(); });
  window.addEventListener("hashchange", () => { fromAddress(); changed(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawPair);
  listenToTable();
  listenToCurves();
}

if (!runs.some((run) => run.history[state.measure])) state.measure = "loss";
views.push(drawTable, drawCurves, drawPair, followInTable, followInCurves, toAddress);
hoverViews.push(followInTable, followInCurves);
fromAddress();
drawSame();
listen();
changed();
startCurves();
