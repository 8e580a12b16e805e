// Puts it together. What is chosen stands in the address, so that a link keeps it.

function fromAddress() {
  const ids = decodeURIComponent(location.hash.slice(1)).split(",");
  state.chosen = ids.filter((id) => byId.has(id));
}

function toAddress() {
  const address = state.chosen.length ? `#${state.chosen.join(",")}` : location.pathname;
  history.replaceState(null, "", address);
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
