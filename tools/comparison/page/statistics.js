// Mean, spread, and McNemar's test; the same as tools/comparison/chance.py.

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

// Sample standard deviation (n − 1), or null of fewer than two values.
function deviation(values) {
  if (values.length < 2) return null;
  const middle = mean(values);
  const squares = values.reduce((sum, value) => sum + (value - middle) ** 2, 0);
  return Math.sqrt(squares / (values.length - 1));
}

// McNemar's mid-p value of the images that only one of two models names rightly:
// how often chance alone splits them so unevenly, or more so.
function mcnemar(onlyFirst, onlySecond) {
  const unlike = onlyFirst + onlySecond;
  const least = Math.min(onlyFirst, onlySecond);
  if (!unlike) return 1;
  let sum = 0;
  let probability = 0;
  let logarithm = -unlike * Math.LN2; // of "none of them"
  for (let k = 0; k <= least; k += 1) {
    if (k) logarithm += Math.log(unlike - k + 1) - Math.log(k);
    probability = Math.exp(logarithm);
    sum += probability;
  }
  return Math.min(1, 2 * sum - probability);
}

// How many images both models name rightly, and each alone; bits as in runs.js.
function agreement(first, second) {
  const found = { both: 0, onlyFirst: 0, onlySecond: 0 };
  for (let i = 0; i < first.length; i += 1) {
    if (first[i] && second[i]) found.both += 1;
    else if (first[i]) found.onlyFirst += 1;
    else if (second[i]) found.onlySecond += 1;
  }
  return found;
}
