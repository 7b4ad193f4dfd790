// The contract of a weight format: how a file stores it (the specification, `dequantize`), how the GPU stores it (`repack`),
// and which WGSL part reads that. One format = one file here, one part in shaders/parts/weight, one line in index.ts.

import { rowGroupSize } from "../base/layout.ts";
import { ceilDiv } from "../base/math.ts";
import type { Rng } from "../base/rng.ts";

/** Rows handed to `repack`: `rows` of them, `cols` weights each. `rows` may end inside the last row group. */
export interface RowSpan {
  readonly rows: number;
  readonly cols: number;
}

/**
 * A quantized (or plain) weight type.
 *
 * GPU layout of a bound range: the codebook, if any, then rows in groups of 8. The bytes of a row group are contiguous, so
 * that a slab can be streamed, split by rows and concatenated with others at any group; its planes (quants, scales, ...)
 * follow each other inside the group, each a multiple of 16 bytes, at offsets that depend on `cols` only. K is padded with
 * zero weights to a multiple of 32, missing rows of the last group with zero weights.
 */
export interface WeightFormat {
  /** Lower-case GGML name; also the file names: formats/q4_k.ts, shaders/parts/weight/q4_k.wgsl. */
  readonly name: string;
  /** GGML type id in a GGUF tensor table. */
  readonly ggufType: number;
  /** Weights that share a scale in the file. A row's length is a multiple of it. */
  readonly blockSize: number;
  /** File bytes of one block. */
  readonly bytesPerBlock: number;
  /** Text of the WGSL part that defines `decode32` and, when `packed`, `codes32`. */
  readonly part: string;
  /** Whether weights are bytes times a scale, at most one scale for each 16, so that bytes can be multiplied with bytes. */
  readonly packed: boolean;
  /** Bits of the codes that `codes32` gives, where they are unsigned and at most 4. */
  readonly codeBits?: number;
  /** Byte offsets of the f16 scales in a file block. */
  readonly halves: readonly number[];
  /** The first file block with a scale (of plain types: a value) that is no finite number, or -1, where `halves` does not say where they are. */
  badScale?(source: Uint8Array): number;
  /** What the part looks codes up in, at the start of each bound range; a multiple of 256 bytes. */
  readonly codebook?: Uint8Array;
  /** GPU bytes of one group of 8 rows, a multiple of 16. */
  rowGroupBytes(cols: number): number;
  /** Consts that the part needs for rows of `cols` weights, by name; e.g. `{ Q4_0_SCALES: 128 }`, in units of vec4<u32>. */
  constants(cols: number): Record<string, number>;
  /** File bytes of whole rows to GPU row groups; `out` is zero-filled, `ceil(rows / 8) * rowGroupBytes(cols)` long. */
  repack(source: Uint8Array, span: RowSpan, out: Uint8Array): void;
  /** File bytes of whole blocks to f32: the specification, bit for bit as ggml's. */
  dequantize(source: Uint8Array, out: Float32Array): void;
  /**
   * f32 to file bytes: for quantizing while loading, tests and synthetic models. `values.length` is a multiple of `blockSize`. `room` is as
   * long as the result and may be taken for it.
   */
  quantize?(values: Float32Array, room?: Uint8Array): Uint8Array;
  /** File bytes of blocks that a file could hold: any code, weights of a standard deviation of 0.02 to 1. For checks and benches. */
  sample(rng: Rng, blocks: number): Uint8Array<ArrayBuffer>;
}

/** File bytes of `count` weights. */
export function fileBytes(format: WeightFormat, count: number): number {
  return (count / format.blockSize) * format.bytesPerBlock;
}

/** Bytes before the row groups of a bound range. */
export function codebookBytes(format: WeightFormat): number {
  return format.codebook?.length ?? 0;
}

/** GPU bytes of `rows` rows as a bound range of their own. */
export function matrixBytes(format: WeightFormat, rows: number, cols: number): number {
  return codebookBytes(format) + ceilDiv(rows, rowGroupSize) * format.rowGroupBytes(cols);
}

/** A bound range from whole rows as they are in a file. */
export function packMatrix(format: WeightFormat, file: Uint8Array, span: RowSpan): Uint8Array<ArrayBuffer> {
  const packed = new Uint8Array(matrixBytes(format, span.rows, span.cols));
  if (format.codebook) packed.set(format.codebook);
  format.repack(file, span, packed.subarray(codebookBytes(format)));
  return packed;
}

/**
 * The first file block of whole blocks with a scale that is NaN or infinite, or -1. One such scale makes a whole row of products
 * worthless, and shader parts need not keep it: so no file with one is loaded. Weights of the plain types are not looked at.
 */
export function firstBadScale(format: WeightFormat, source: Uint8Array): number {
  const { bytesPerBlock, halves } = format;
  let first = format.badScale?.(source) ?? -1;
  for (const half of halves) {
    const end = first < 0 ? source.length : first * bytesPerBlock;
    for (let at = half + 1; at < end; at += bytesPerBlock) {
      if ((source[at] & 0x7c) !== 0x7c) continue;
      first = Math.floor(at / bytesPerBlock);
      break;
    }
  }
  return first;
}
