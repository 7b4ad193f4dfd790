// How far logits are from others.

/** Largest of a row. */
export function argmax(logits: Float32Array): number {
  let best = 0;
  for (const [id, logit] of logits.entries()) if (logit > logits[best]) best = id;
  return best;
}

function logProbabilities(logits: Float32Array): Float64Array {
  const most = logits[argmax(logits)];
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - most);
  return Float64Array.from(logits, (logit) => logit - most - Math.log(sum));
}

/** Kullback-Leibler divergence of what `found` foretells from what `wanted` does, in nats. */
export function divergence(wanted: Float32Array, found: Float32Array): number {
  const [p, q] = [logProbabilities(wanted), logProbabilities(found)];
  return p.reduce((sum, value, id) => sum + Math.exp(value) * (value - q[id]), 0);
}

/** Nats that a token costs. */
export function surprise(logits: Float32Array, token: number): number {
  return -logProbabilities(logits)[token];
}

/** Length of the difference over the length of `wanted`. */
export function relativeError(wanted: Float32Array, found: Float32Array): number {
  let [error, norm] = [0, 0];
  for (const [at, value] of wanted.entries()) {
    error += (value - found[at]) ** 2;
    norm += value ** 2;
  }
  return Math.sqrt(error / Math.max(norm, Number.MIN_VALUE));
}
