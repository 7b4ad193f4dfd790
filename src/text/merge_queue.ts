// A priority queue of merges for spm_encoder.ts: highest score first, leftmost on a tie. Typed arrays, because a million equal
// letters make a million entries.

export interface Merge {
  /** Indices of two neighbouring symbols. */
  readonly left: number;
  readonly right: number;
  /** Code units of the union, by which a stale entry shows. */
  readonly size: number;
  readonly score: number;
}

export class MergeQueue {
  #count = 0;
  #left = new Int32Array(64);
  #right = new Int32Array(64);
  #size = new Int32Array(64);
  #score = new Float32Array(64);

  push(merge: Merge): void {
    if (this.#count === this.#left.length) this.#grow();
    let at = this.#count++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#precedes(merge, parent)) break;
      this.#move(parent, at);
      at = parent;
    }
    this.#put(merge, at);
  }

  pop(): Merge | undefined {
    if (this.#count === 0) return undefined;
    const top = this.#get(0);
    const last = this.#get(--this.#count);
    let at = 0;
    for (let child = 1; child < this.#count; child = 2 * at + 1) {
      if (child + 1 < this.#count && this.#inOrder(child + 1, child)) child++;
      if (this.#precedes(last, child)) break;
      this.#move(child, at);
      at = child;
    }
    if (this.#count > 0) this.#put(last, at);
    return top;
  }

  clear(): void {
    this.#count = 0;
  }

  #precedes(merge: Merge, other: number): boolean {
    const score = this.#score[other];
    return merge.score > score || (merge.score === score && merge.left < this.#left[other]);
  }

  #inOrder(first: number, second: number): boolean {
    const [a, b] = [this.#score[first], this.#score[second]];
    return a > b || (a === b && this.#left[first] < this.#left[second]);
  }

  #get(at: number): Merge {
    return { left: this.#left[at], right: this.#right[at], size: this.#size[at], score: this.#score[at] };
  }

  #put(merge: Merge, at: number): void {
    this.#left[at] = merge.left;
    this.#right[at] = merge.right;
    this.#size[at] = merge.size;
    this.#score[at] = merge.score;
  }

  #move(from: number, to: number): void {
    this.#left[to] = this.#left[from];
    this.#right[to] = this.#right[from];
    this.#size[to] = this.#size[from];
    this.#score[to] = this.#score[from];
  }

  #grow(): void {
    const length = 2 * this.#left.length;
    this.#left = grown(this.#left, new Int32Array(length));
    this.#right = grown(this.#right, new Int32Array(length));
    this.#size = grown(this.#size, new Int32Array(length));
    this.#score = grown(this.#score, new Float32Array(length));
  }
}

function grown<A extends Int32Array | Float32Array>(old: A, bigger: A): A {
  bigger.set(old);
  return bigger;
}
