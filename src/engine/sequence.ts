// A running sequence: which tokens its slot of the cache holds, and how much of a new prompt they already cover.

import type { KvCache } from "../kv/kv_cache.ts";

/** Tokens whose keys and values are in a slot, in order of position. */
export class Sequence {
  readonly slot: number;
  readonly #cache: Pick<KvCache, "adopt" | "discard" | "truncate">;
  #ids: number[] = [];
  #dropped = 0;
  #shift = 0;

  constructor(slot: number, cache: Pick<KvCache, "adopt" | "discard" | "truncate">) {
    this.slot = slot;
    this.#cache = cache;
  }

  /** Every token so far, dropped ones included. */
  get ids(): readonly number[] {
    return this.#ids;
  }

  /** Places taken: where the next token goes. */
  get length(): number {
    return this.#ids.length - this.#dropped;
  }

  /** How much further the next rows turn than their places say: for policies that leave turns as they were. */
  get shift(): number {
    return this.#shift;
  }

  /** Tokens that a policy dropped: the places of those that stayed are the first ones. */
  get dropped(): number {
    return this.#dropped;
  }

  /**
   * Takes over what is known of a prompt, from this sequence or from earlier ones.
   * @param most  tokens that may be taken: short of the prompt's last, which must run to give logits
   * @returns tokens taken
   */
  reuse(prompt: readonly number[], most: number): number {
    if (this.#dropped > 0) {
      // What is left holds for no other beginning than all that was seen.
      if (this.#ids.length <= most && this.#ids.every((id, index) => prompt[index] === id)) return this.#ids.length;
      this.reset();
    }
    const taken = this.#cache.adopt(this.slot, { held: this.#ids, wanted: prompt, most });
    this.#ids = prompt.slice(0, taken);
    return taken;
  }

  /** Tokens that a finished step wrote. */
  append(ids: readonly number[]): void {
    for (const id of ids) this.#ids.push(id);
  }

  /** Notes that a policy dropped tokens, and how much further rows to come turn than their places say. */
  drop(tokens: number, shift: number): void {
    this.#dropped += tokens;
    this.#shift = shift;
  }

  /** Gives back what is beyond the tokens so far, as steps leave it that nobody waits for any more. */
  trim(): void {
    const places = this.#cache.truncate(this.slot, this.length);
    this.#ids.length = Math.min(this.#ids.length, places + this.#dropped);
  }

  /** Makes the slot's tokens these: whoever wrote them says so. */
  restore(ids: readonly number[]): void {
    this.#ids = [...ids];
    this.#dropped = 0;
    this.#shift = 0;
  }

  /** Starts anew. */
  reset(): void {
    this.#cache.truncate(this.slot, 0);
    this.restore([]);
  }

  /** Starts anew when what the pages hold is no longer known, those that came from earlier requests included. */
  discard(): void {
    this.#cache.discard(this.slot);
    this.restore([]);
  }
}
