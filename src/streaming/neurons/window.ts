// Which bundles of a layer stay on the GPU: those that were active lately, a sliding window whose weights fade. arXiv:2312.11514, 3.1; the
// fading is LRFU's (doi:10.1109/TC.2001.970573). Pure bookkeeping over bundle numbers; it reads nothing.

import { assert } from "../../base/errors.ts";

/** What changes on the GPU after a token. */
export interface WindowChange {
  /** Bundles to bring, most wanted first. */
  readonly load: readonly number[];
  /** Bundles that make room for them. */
  readonly evict: readonly number[];
}

export interface WindowOptions {
  /** Bundles that there is room for. */
  readonly capacity: number;
  /** Tokens after which an activation counts half. */
  readonly halfLife: number;
}

/** Bundles that a token needed, and how much of each: the share of its neurons that were active, or 1 where that is not known. */
export type Needed = ReadonlyMap<number, number>;

/** The window of one layer. */
export class BundleWindow {
  readonly #options: WindowOptions;
  readonly #resident = new Set<number>();
  /** Sum of halved activations, as it was at `token`. */
  readonly #weights = new Map<number, { weight: number; token: number }>();
  #token = 0;

  constructor(options: WindowOptions) {
    assert(options.capacity >= 0 && options.halfLife > 0, "a window has a capacity and a half-life");
    this.#options = options;
  }

  get resident(): ReadonlySet<number> {
    return this.#resident;
  }

  /** A token has been computed. What it needed competes for room with what is here; nothing is brought that would not stay. */
  advance(needed: readonly number[] | Needed): WindowChange {
    this.#token++;
    const shares: Needed = isList(needed) ? new Map(needed.map((bundle) => [bundle, 1])) : needed;
    for (const [bundle, share] of shares) this.#weights.set(bundle, { weight: this.#weightOf(bundle) + share, token: this.#token });
    const all = new Set([...this.#resident, ...shares.keys()]);
    const ranked = [...all].map((bundle) => ({ bundle, rank: this.#weightOf(bundle), here: this.#resident.has(bundle) }));
    // Of equals, what is here stays.
    ranked.sort((a, b) => b.rank - a.rank || Number(b.here) - Number(a.here) || a.bundle - b.bundle);
    const load: number[] = [];
    const evict: number[] = [];
    for (const [place, { bundle, here }] of ranked.entries()) {
      const stays = place < this.#options.capacity;
      if (stays && !here) load.push(bundle);
      if (!stays && here) evict.push(bundle);
    }
    for (const bundle of evict) this.#resident.delete(bundle);
    for (const bundle of load) this.#resident.add(bundle);
    this.#forget();
    return { load, evict };
  }

  #weightOf(bundle: number): number {
    const found = this.#weights.get(bundle);
    return found ? found.weight * 0.5 ** ((this.#token - found.token) / this.#options.halfLife) : 0;
  }

  /** What faded away needs no place in memory. */
  #forget(): void {
    if (this.#token % 64 !== 0) return;
    for (const bundle of this.#weights.keys()) {
      if (!this.#resident.has(bundle) && this.#weightOf(bundle) < 2 ** -20) this.#weights.delete(bundle);
    }
  }
}

function isList(needed: readonly number[] | Needed): needed is readonly number[] {
  return Array.isArray(needed);
}
