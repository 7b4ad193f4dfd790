// The n largest values of a long array without sorting all of it: a vocabulary has up to 152k entries and a request looks
// at a few. Knows nothing of probabilities.

/** Whether index a ranks before index b: the larger value first, at equal values the smaller index. */
function ranksBefore(values: Float32Array, a: number, b: number): boolean {
  return values[a] > values[b] || (values[a] === values[b] && a < b);
}

/** Restores the heap below `start`; the root is the entry that ranks last. */
function siftDown(heap: Uint32Array, values: Float32Array, start: number): void {
  let parent = start;
  for (;;) {
    let child = 2 * parent + 1;
    if (child >= heap.length) return;
    if (child + 1 < heap.length && ranksBefore(values, heap[child], heap[child + 1])) child++;
    if (!ranksBefore(values, heap[parent], heap[child])) return;
    const moved = heap[parent];
    heap[parent] = heap[child];
    heap[child] = moved;
    parent = child;
  }
}

/**
 * Indices of the `count` largest values, largest first; equal values by index.
 *
 * Keeps a heap of `count` entries, so most of the array costs one comparison each: O(V + count log count log V) on values in
 * random order.
 *
 * @param values [V], without NaN
 * @returns [min(count, V)]
 */
export function topIndices(values: Float32Array, count: number): Uint32Array {
  const size = Math.min(count, values.length);
  const heap = Uint32Array.from({ length: size }, (_, i) => i);
  if (size === 0) return heap;
  if (size < values.length) {
    for (let i = (size >> 1) - 1; i >= 0; i--) siftDown(heap, values, i);
    // Indices grow, so an equal value later never ranks before the root.
    for (let i = size; i < values.length; i++) {
      if (values[i] > values[heap[0]]) {
        heap[0] = i;
        siftDown(heap, values, 0);
      }
    }
  }
  return heap.toSorted((a, b) => values[b] - values[a] || a - b);
}

/** The index of the largest value, the first of equals; -1 when there is a NaN or the array is empty. */
export function argMax(values: Float32Array): number {
  let best = values.length === 0 ? -1 : 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    // One comparison per entry finds NaN too: it is the only value unequal to itself.
    if (value !== value) return -1;
    if (value > values[best]) best = i;
  }
  return best;
}
