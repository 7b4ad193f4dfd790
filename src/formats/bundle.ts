// Bundles of neurons: the rows of gate and up and the columns of down that belong to the same 32 neurons (or as many as share a block of
// down) as one contiguous record, so that a neuron's weights are read together. arXiv:2312.11514, 3.2. Bytes only; no file, no GPU.

import { assert, ShaderloomError } from "../base/errors.ts";
import { bindAlignment, blockWidth, rowGroupSize } from "../base/layout.ts";
import { alignUp, ceilDiv } from "../base/math.ts";
import { fileBytes, type WeightFormat } from "./format.ts";

/** The matrices of a gated feed-forward block. */
export interface BundledBlock {
  /** Of gate and of up. */
  readonly up: WeightFormat;
  readonly down: WeightFormat;
  readonly hidden: number;
  readonly intermediate: number;
  /** A bundle has so many times the neurons that it must have, for stores whose reads cost more than their bytes; default 1. */
  readonly group?: number | undefined;
}

/**
 * Sizes of a layer's records. A record is row groups in the layout of format.ts: those of gate, those of up, then down as a matrix of its own
 * of 8 rows, in which row i has the blocks of the outputs i, i + 8, i + 16 ... So eight outputs lie side by side as eight rows do elsewhere,
 * and every format is decoded by its own shader part.
 */
export interface BundlePlan extends BundledBlock {
  /** Neurons of a bundle: 32, or what shares a block of down, or several of those; the last bundle may have fewer, the rest are zero. */
  readonly neurons: number;
  /** Bundles of the layer. */
  readonly bundles: number;
  /** Rows of gate and up in a record. */
  readonly upRows: number;
  readonly upBytes: number;
  /** Weights of a row of down as it lies in a record. */
  readonly downCols: number;
  readonly downBytes: number;
  /** A multiple of 256. */
  readonly recordBytes: number;
}

/**
 * @throws {ShaderloomError} UNSUPPORTED.bundles for types with codebooks (IQ), and for rows of hidden that are no whole blocks
 */
export function planBundles(block: BundledBlock): BundlePlan {
  const { up, down, hidden, intermediate, group = 1 } = block;
  for (const { name, codebook } of [up, down]) if (codebook) throw unsupported(`${name} weights have codebooks`);
  const whole = hidden % up.blockSize === 0 && intermediate % down.blockSize === 0 && hidden % blockWidth === 0;
  if (!whole) throw unsupported(`${hidden} x ${intermediate} is not cut into whole blocks`);
  const neurons = Math.max(blockWidth, down.blockSize) * group;
  const upRows = 2 * neurons;
  const upBytes = (upRows / rowGroupSize) * up.rowGroupBytes(hidden);
  const downCols = (hidden / rowGroupSize) * neurons;
  const downBytes = down.rowGroupBytes(downCols);
  const recordBytes = alignUp(upBytes + downBytes, bindAlignment);
  return { ...block, neurons, bundles: ceilDiv(intermediate, neurons), upRows, upBytes, downCols, downBytes, recordBytes };
}

function unsupported(why: string): ShaderloomError {
  const message = `Neurons of this model cannot be streamed: ${why}. Load it without execution.neurons.`;
  return new ShaderloomError("UNSUPPORTED.bundles", message);
}

/** File bytes of a layer: all rows of gate and up [intermediate, hidden] and of down [hidden, intermediate]. */
export interface BlockBytes {
  readonly gate: Uint8Array;
  readonly up: Uint8Array;
  readonly down: Uint8Array;
}

/**
 * Writes a bundle's record.
 * @param out  zero-filled, `recordBytes` long, at a multiple of 4
 */
export function packBundle(plan: BundlePlan, index: number, source: BlockBytes, out: Uint8Array): void {
  const { up, hidden, intermediate, neurons, upBytes, downBytes } = plan;
  const first = index * neurons;
  const count = Math.min(neurons, intermediate - first);
  assert(index >= 0 && count > 0 && out.byteLength === plan.recordBytes, `there is no bundle ${index} of ${plan.bundles}, or no room`);
  const rowBytes = fileBytes(up, hidden);
  const half = upBytes / 2;
  for (const [place, matrix] of [source.gate, source.up].entries()) {
    const rows = matrix.subarray(first * rowBytes, (first + count) * rowBytes);
    const bytes = ceilDiv(count, rowGroupSize) * up.rowGroupBytes(hidden);
    up.repack(rows, { rows: count, cols: hidden }, out.subarray(place * half, place * half + bytes));
  }
  const rows = downRows(plan, { first, count }, source.down);
  plan.down.repack(rows, { rows: rowGroupSize, cols: plan.downCols }, out.subarray(upBytes, upBytes + downBytes));
}

/** The file blocks of some columns of down, in the order in which a record has them. */
function downRows(plan: BundlePlan, { first, count }: { first: number; count: number }, file: Uint8Array): Uint8Array {
  const { down, hidden, intermediate, neurons, downCols } = plan;
  const [rowBytes, pieceBytes, fullBytes] = [intermediate, count, neurons].map((weights) => fileBytes(down, weights));
  const skipped = fileBytes(down, first);
  const laneBytes = fileBytes(down, downCols);
  const rows = new Uint8Array(rowGroupSize * laneBytes);
  for (let output = 0; output < hidden; output++) {
    const at = (output % rowGroupSize) * laneBytes + Math.floor(output / rowGroupSize) * fullBytes;
    const from = output * rowBytes + skipped;
    rows.set(file.subarray(from, from + pieceBytes), at);
  }
  return rows;
}
