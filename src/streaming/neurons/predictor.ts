// How much of the bundles that are not on the GPU a token would have needed: a coarse copy of the gate matrix gives every bundle a score, and
// those of the bundles that are there, whose active neurons the GPU reports, say what a score is worth. Pure; it knows no weights.

/** Shares are kept for this many ranges of scores. */
const bins = 64;
/** Weight of a count after another token. */
const memory = 0.98;

/** What scores of one layer have been worth. */
export class ScorePredictor {
  readonly #shares = new Float64Array(bins);
  readonly #seen = new Float64Array(bins);
  /** Largest score so far in size: ranges are parts of it. */
  #scale = 0;

  /** Learns from the bundles whose active share is known. */
  learn(scores: Float32Array, shares: ReadonlyMap<number, number>): void {
    for (const bundle of shares.keys()) {
      const size = Math.abs(scores[bundle]);
      if (size > this.#scale && Number.isFinite(size)) this.#widen(size);
    }
    for (let bin = 0; bin < bins; bin++) {
      this.#shares[bin] *= memory;
      this.#seen[bin] *= memory;
    }
    for (const [bundle, share] of shares) {
      const bin = this.#binOf(scores[bundle]);
      this.#seen[bin]++;
      this.#shares[bin] += share;
    }
  }

  /** Share of a bundle's neurons that are active at a score; where little was seen, half of them at a positive score. */
  share(score: number): number {
    const bin = this.#binOf(score);
    const prior = score > 0 ? 0.5 : 0;
    return (this.#shares[bin] + prior) / (this.#seen[bin] + 1);
  }

  /** Shares of the bundles that are not here, of those that have one worth the name. */
  missing(scores: Float32Array, here: ReadonlyMap<number, number>, atLeast: number = 1 / 64): Map<number, number> {
    const found = new Map<number, number>();
    for (let bundle = 0; bundle < scores.length; bundle++) {
      const share = here.has(bundle) ? 0 : this.share(scores[bundle]);
      if (share >= atLeast) found.set(bundle, share);
    }
    return found;
  }

  /** Counts of another scale say nothing: they are begun anew. Doubling keeps that rare. */
  #widen(size: number): void {
    this.#scale = size * 2;
    this.#shares.fill(0);
    this.#seen.fill(0);
  }

  #binOf(score: number): number {
    if (!(this.#scale > 0) || !Number.isFinite(score)) return score > 0 ? bins - 1 : 0;
    const part = Math.max(-1, Math.min(score / this.#scale, 1));
    return Math.min(bins - 1, Math.floor(((part + 1) / 2) * bins));
  }
}
