// A few rows of the weights of each product, as the file has them: what the check of a product in the model's own weights compares
// with. Kept while the weights go by, so that nothing is read twice.

import { rowGroupSize } from "../base/layout.ts";
import { fileBytes, type WeightFormat } from "../formats/format.ts";
import type { WeightRange } from "../graph/call.ts";
import type { CpuTensor } from "../kernels/kernel.ts";
import type { KernelClass } from "./classes.ts";

/** Whole rows of a matrix on their way to the GPU, in the file form of their GPU format. */
export interface PassingRows {
  readonly tensor: string;
  /** The first one's number in the tensor. */
  readonly tensorRow: number;
  readonly rows: number;
  readonly cols: number;
  readonly format: WeightFormat;
  readonly bytes: Uint8Array;
}

/** Kept rows of a range. */
export interface KeptWeights {
  /** Their numbers in the range. */
  readonly rows: readonly number[];
  /** Dequantized, [rows, cols]. */
  readonly weights: CpuTensor;
}

interface Kept {
  readonly format: WeightFormat;
  readonly bytes: Uint8Array;
}

/** Rows of a range that are looked at: those of the first, a middle and the last row group. */
function sampledRows(rows: number): readonly number[] {
  const groups = Math.ceil(rows / rowGroupSize);
  const chosen = [...new Set([0, groups >> 1, groups - 1])];
  return chosen
    .flatMap((group) => Array.from({ length: rowGroupSize }, (_, row) => group * rowGroupSize + row))
    .filter((row) => row < rows);
}

/** Keeps rows of the first range of each class that has weights. */
export class KeptRows {
  readonly #wanted = new Map<string, Set<number>>();
  readonly #kept = new Map<string, Kept>();

  constructor(classes: readonly KernelClass[]) {
    for (const range of classes.flatMap(({ calls }) => calls[0].weights)) {
      const wanted = this.#wanted.get(range.tensor) ?? new Set();
      this.#wanted.set(range.tensor, wanted);
      for (const row of sampledRows(range.rows)) wanted.add(range.rowStart + row);
    }
  }

  /** Copies what is wanted of rows whose bytes will be overwritten. */
  pass({ tensor, tensorRow, rows, cols, format, bytes }: PassingRows): void {
    const wanted = this.#wanted.get(tensor);
    if (!wanted) return;
    const rowBytes = fileBytes(format, cols);
    for (const row of wanted) {
      const at = row - tensorRow;
      if (at >= 0 && at < rows) this.#kept.set(`${tensor}[${row}]`, { format, bytes: bytes.slice(at * rowBytes, (at + 1) * rowBytes) });
    }
  }

  /** The kept rows of a range; undefined when not all of them came by. */
  find(range: WeightRange): KeptWeights | undefined {
    const rows = sampledRows(range.rows);
    const data = new Float32Array(rows.length * range.cols);
    for (const [index, row] of rows.entries()) {
      const kept = this.#kept.get(`${range.tensor}[${range.rowStart + row}]`);
      if (!kept) return undefined;
      kept.format.dequantize(kept.bytes, data.subarray(index * range.cols, (index + 1) * range.cols));
    }
    return { rows, weights: { rows: rows.length, cols: range.cols, data } };
  }
}
