// At which position the key of each held token is turned, for policies that leave turns as they were: one list for each layer and kv head,
// because each keeps other tokens. Positions run out in time; then all are turned to their places at once.

/** Owns the lists. */
export class HeldTurns {
  /** Of places that were kept at the last eviction; later ones turn by place + shift. */
  #lists: Array<Uint32Array<ArrayBuffer>>;
  #shift = 0;

  /** @param count  layers times kv heads */
  constructor(count: number) {
    this.#lists = Array.from({ length: count }, () => new Uint32Array(0));
  }

  /** By how much tokens to come turn further than their places say. */
  get shift(): number {
    return this.#shift;
  }

  turnOf(list: number, place: number): number {
    const turns = this.#lists[list];
    return place < turns.length ? turns[place] : place + this.#shift;
  }

  /** Forgets a sequence. */
  reset(): void {
    this.#lists = this.#lists.map(() => new Uint32Array(0));
    this.#shift = 0;
  }

  /**
   * Notes what was kept of `held` tokens.
   * @param kept  places by list
   */
  keep(kept: readonly Uint32Array[], held: number): void {
    const next = kept.map((places, list) => Uint32Array.from(places, (place) => this.turnOf(list, place)));
    this.#shift += held - kept[0].length;
    this.#lists = next;
  }

  /** How far kept keys turn back when all go to their places; call before `keep`. */
  backs(list: number, kept: Uint32Array): Uint32Array<ArrayBuffer> {
    return Uint32Array.from(kept, (place, index) => this.turnOf(list, place) - index);
  }

  /** Notes that every key is turned by its place. */
  settle(): void {
    this.reset();
  }
}
