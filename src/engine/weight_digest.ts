// What tells a model's weights from another's of the same shape: hashes of some rows of each tensor, taken while the weights go by, so that
// nothing is read twice. Which rows follows from the tensor's shape alone; the order and the cuts in which they come change nothing.

import { elementsOf, type TensorInfo } from "../weights/tensor_info.ts";

/** Rows of a tensor as it is computed with. */
export interface DigestedRows {
  readonly tensor: string;
  readonly tensorRow: number;
  readonly rows: number;
  readonly cols: number;
}

/** Bytes of a tensor that are looked at, in whole rows. */
const sampleBytes = 65_536;

export class WeightDigest {
  readonly #tensors: ReadonlyMap<string, TensorInfo>;
  readonly #hashes = new Map<string, Map<number, number>>();

  constructor(tensors: ReadonlyMap<string, TensorInfo>) {
    this.#tensors = tensors;
  }

  pass({ tensor, tensorRow, rows, cols }: DigestedRows, bytes: Uint8Array): void {
    const info = this.#tensors.get(tensor);
    if (!info) return;
    const rowBytes = Math.floor(bytes.length / rows);
    const stride = Math.max(1, Math.floor((elementsOf(info) / cols) * (rowBytes / sampleBytes)));
    const hashes = this.#hashes.get(tensor) ?? new Map<number, number>();
    this.#hashes.set(tensor, hashes);
    for (let row = 0; row < rows; row++) {
      if ((tensorRow + row) % stride === 0) hashes.set(tensorRow + row, hashOf(bytes.subarray(row * rowBytes, (row + 1) * rowBytes)));
    }
  }

  /** Lines of `tensor row:hash row:hash …`, in an order that is always the same. */
  text(wanted: (tensor: string) => boolean = () => true): string {
    const tensors = [...this.#hashes].filter(([tensor]) => wanted(tensor)).toSorted(([a], [b]) => (a < b ? -1 : 1));
    const line = ([tensor, hashes]: (typeof tensors)[number]): string => {
      const rows = [...hashes].toSorted(([a], [b]) => a - b);
      return `${tensor} ${rows.map(([row, hash]) => `${row}:${hash.toString(16)}`).join(" ")}`;
    };
    return tensors.map(line).join("\n");
  }
}

/** FNV-1a. */
function hashOf(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
