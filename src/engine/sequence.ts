// A running sequence: which tokens its KV pages hold, and how much of a new prompt they already cover.

/** Tokens whose keys and values are in the pages of a slot, in order of position. */
export class Sequence {
  readonly slot: number;
  #ids: number[] = [];

  constructor(slot: number) {
    this.slot = slot;
  }

  get length(): number {
    return this.#ids.length;
  }

  /**
   * Keeps the longest common prefix with `prompt`, short of its last token, which must run to give logits.
   * @returns tokens kept
   */
  reuse(prompt: readonly number[]): number {
    const most = Math.min(this.#ids.length, prompt.length - 1);
    let common = 0;
    while (common < most && this.#ids[common] === prompt[common]) common++;
    this.#ids.length = Math.max(common, 0);
    return this.#ids.length;
  }

  /** Tokens that a finished step wrote. */
  append(ids: readonly number[]): void {
    for (const id of ids) this.#ids.push(id);
  }

  /** Forgets everything, when what the pages hold is no longer known. */
  reset(): void {
    this.#ids.length = 0;
  }
}
