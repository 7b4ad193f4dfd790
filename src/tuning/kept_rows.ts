// A few rows of the weights of each product, as the file has them: what the check of a product in the model's own weights compares
// with. Kept while the weights go by, so that nothing is read twice.

import { rowGroupSize } from "../base/layout.ts";
import { fileBytes, type WeightFormat } from "../formats/format.ts";
import { stackStarts, type WeightRange } from "../graph/call.ts";
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

/** A row that is looked at. */
interface SampledRow {
  readonly tensor: string;
  /** Its numbers in the tensor and in the range. */
  readonly row: number;
  readonly place: number;
}

/** Rows of the first, a middle and the last row group. */
function sampledRows(rows: number): readonly number[] {
  const groups = Math.ceil(rows / rowGroupSize);
  const chosen = [...new Set([0, groups >> 1, groups - 1])];
  return chosen
    .flatMap((group) => Array.from({ length: rowGroupSize }, (_, row) => group * rowGroupSize + row))
    .filter((row) => row < rows);
}

/** Rows of a range that are looked at; of a stack rows of each part, which lie where they do. */
function samplesOf({ tensor, rowStart, rows, stack }: WeightRange): readonly SampledRow[] {
  if (!stack) return sampledRows(rows).map((row) => ({ tensor, row: rowStart + row, place: row }));
  const { starts } = stackStarts(stack);
  return stack.flatMap((part, index) => {
    return sampledRows(part.rows).map((row) => ({ tensor: part.tensor ?? tensor, row, place: starts[index] + row }));
  });
}

/** Keeps rows of the first range of each class that has weights. */
export class KeptRows {
  readonly #wanted = new Map<string, Set<number>>();
  readonly #kept = new Map<string, Kept>();

  constructor(classes: readonly KernelClass[]) {
    for (const { tensor, row } of classes.flatMap(({ calls }) => calls[0].weights).flatMap((range) => samplesOf(range))) {
      const wanted = this.#wanted.get(tensor) ?? new Set();
      this.#wanted.set(tensor, wanted);
      wanted.add(row);
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
    const samples = samplesOf(range);
    const data = new Float32Array(samples.length * range.cols);
    for (const [index, { tensor, row }] of samples.entries()) {
      const kept = this.#kept.get(`${tensor}[${row}]`);
      if (!kept) return undefined;
      kept.format.dequantize(kept.bytes, data.subarray(index * range.cols, (index + 1) * range.cols));
    }
    return { rows: samples.map(({ place }) => place), weights: { rows: samples.length, cols: range.cols, data } };
  }
}
