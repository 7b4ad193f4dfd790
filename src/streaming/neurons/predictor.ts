// Which bundles that are not on the GPU a token would have needed: a coarse copy of the gate matrix gives every bundle a score, and those of
// the bundles that are there, whose activity the GPU reports, say what a score is worth. Pure; it knows no weights.

/** Shares are kept for this many ranges of scores. */
const bins = 32;
/** Weight of a count after another token. */
const memory = 0.98;

/** What scores of one layer have been worth. */
export class ScorePredictor {
  readonly #active = new Float64Array(bins);
  readonly #seen = new Float64Array(bins);
  /** Largest score so far in size: ranges are shares of it. */
  #scale = 0;

  /** Learns from the bundles whose activity is known. */
  learn(scores: Float32Array, here: ReadonlySet<number>, active: ReadonlySet<number>): void {
    for (const bundle of here) {
      const size = Math.abs(scores[bundle]);
      if (size > this.#scale && Number.isFinite(size)) this.#widen(size);
    }
    for (let bin = 0; bin < bins; bin++) {
      this.#active[bin] *= memory;
      this.#seen[bin] *= memory;
    }
    for (const bundle of here) {
      const bin = this.#binOf(scores[bundle]);
      this.#seen[bin]++;
      if (active.has(bundle)) this.#active[bin]++;
    }
  }

  /** Probability that a bundle of this score is active; where nothing was seen, a positive score says yes. */
  probability(score: number): number {
    const bin = this.#binOf(score);
    const prior = score > 0 ? 1 : 0;
    return (this.#active[bin] + prior) / (this.#seen[bin] + 1);
  }

  /** Bundles beyond those that are here that were probably needed, ascending. */
  missing(scores: Float32Array, here: ReadonlySet<number>, atLeast = 0.5): number[] {
    const found: number[] = [];
    for (let bundle = 0; bundle < scores.length; bundle++) {
      if (!here.has(bundle) && this.probability(scores[bundle]) >= atLeast) found.push(bundle);
    }
    return found;
  }

  /** Counts of another scale say nothing: they are begun anew. Doubling keeps that rare. */
  #widen(size: number): void {
    this.#scale = size * 2;
    this.#active.fill(0);
    this.#seen.fill(0);
  }

  #binOf(score: number): number {
    if (!(this.#scale > 0) || !Number.isFinite(score)) return score > 0 ? bins - 1 : 0;
    const share = Math.max(-1, Math.min(score / this.#scale, 1));
    // Finer where scores are small.
    const bent = Math.sign(share) * Math.sqrt(Math.abs(share));
    return Math.min(bins - 1, Math.floor(((bent + 1) / 2) * bins));
  }
}
