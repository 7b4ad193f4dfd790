// Which slot of a layer holds which bundle, what a token's list says, and what the GPU's report of it means. Bookkeeping; it moves no bytes.

import { assert } from "../../base/errors.ts";
import { ScorePredictor } from "./predictor.ts";
import { BundleWindow, type Needed } from "./window.ts";

/** Words of a list before its slots: their number, and bits of the f32 below which a neuron's output counts as zero. */
const headerWords = 4;

/** Sizes of a streamed feed-forward block. */
export interface NeuronSizes {
  readonly bundles: number;
  readonly slots: number;
  /** Words of 32 neurons in a bundle. */
  readonly words: number;
  /** Bytes of a record: gate and up, then down, then padding to a multiple of 256. */
  readonly recordBytes: number;
  readonly upBytes: number;
  readonly downBytes: number;
}

/** What a token needed of a layer. */
export interface TokenNeeds {
  /** Shares of neurons that were active, of the bundles here that had any. */
  readonly active: ReadonlyMap<number, number>;
  /** Shares that bundles which were not here probably would have had. */
  readonly missing: ReadonlyMap<number, number>;
}

/** A bundle that is to be copied into a slot. */
export interface SlotLoad {
  readonly bundle: number;
  readonly slot: number;
}

export class LayerSlots {
  readonly #sizes: NeuronSizes;
  readonly #window: BundleWindow;
  readonly #predictor = new ScorePredictor();
  readonly #free: number[];
  /** Slots by bundle, of those that are here before the next token. */
  readonly #slots = new Map<number, number>();
  /** Bundles in the order of the list that was written last. */
  #listed: readonly number[] = [];

  constructor(sizes: NeuronSizes, halfLife: number) {
    this.#sizes = sizes;
    this.#window = new BundleWindow({ capacity: sizes.slots, halfLife });
    this.#free = Array.from({ length: sizes.slots }, (_, slot) => slot);
  }

  /** Bundles to begin with: the first that there is room for. */
  prime(): SlotLoad[] {
    const count = Math.min(this.#sizes.slots, this.#sizes.bundles);
    return this.#change(Array.from({ length: count }, (_, bundle) => bundle));
  }

  /**
   * The list of the bundles that are here, ascending, so that sums do not depend on where they lie.
   * @param threshold  outputs of neurons smaller than this count as zero
   */
  list(threshold: number): Uint32Array<ArrayBuffer> {
    const here = [...this.#slots].toSorted(([a], [b]) => a - b);
    this.#listed = here.map(([bundle]) => bundle);
    const words = new Uint32Array(headerWords + this.#sizes.slots);
    words[0] = here.length;
    new Float32Array(words.buffer)[1] = threshold;
    words.set(
      here.map(([, slot]) => slot),
      headerWords,
    );
    return words;
  }

  /** What the report of a token over the last list says. @param scores  of all bundles, where a coarse copy gives them */
  needs(report: Uint32Array, scores: Float32Array | undefined): TokenNeeds {
    const { words } = this.#sizes;
    const shares = new Map<number, number>();
    for (const [entry, bundle] of this.#listed.entries()) {
      let neurons = 0;
      for (let word = 0; word < words; word++) neurons += bitCount(report[entry * words + word]);
      shares.set(bundle, neurons / (32 * words));
    }
    const active = new Map([...shares].filter(([, share]) => share > 0));
    if (!scores) return { active, missing: new Map() };
    this.#predictor.learn(scores, shares);
    return { active, missing: this.#predictor.missing(scores, shares) };
  }

  /** Makes room for what a token needed, as far as it deserves it. */
  advance({ active, missing }: TokenNeeds): SlotLoad[] {
    return this.#change(new Map([...active, ...missing]));
  }

  #change(needed: readonly number[] | Needed): SlotLoad[] {
    const { load, evict } = this.#window.advance(needed);
    for (const bundle of evict) {
      const slot = this.#slots.get(bundle);
      assert(slot !== undefined, `bundle ${bundle} has no slot`);
      this.#slots.delete(bundle);
      this.#free.push(slot);
    }
    return load.map((bundle) => {
      const slot = this.#free.pop();
      assert(slot !== undefined, "a window never holds more than it has slots");
      this.#slots.set(bundle, slot);
      return { bundle, slot };
    });
  }
}

function bitCount(word: number): number {
  let bits = word;
  bits -= (bits >>> 1) & 0x55555555;
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return (Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24) & 0x3f;
}
