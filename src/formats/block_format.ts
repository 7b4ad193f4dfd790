// Makes a weight format from what is its own: its planes, how one file block goes into them, and what the block's weights are.
// Plain values, and the formats whose quantizers fill room that is given, are written out by hand.

import { blockWidth } from "../base/layout.ts";
import { ceilDiv } from "../base/math.ts";
import type { Rng } from "../base/rng.ts";
import type { WeightFormat } from "./format.ts";
import { blocksOf, eachRow, groupsOf, planeUnits, repackViews, unitBytes, unitStride } from "./row_groups.ts";
import { type HalfSizes, sampleBlocks } from "./sample.ts";

/** Both sides of a repack; `at[plane]` is the word where the present row begins in that plane. */
export interface RowPlanes<Plane extends string> {
  readonly from: DataView;
  readonly words: Uint32Array;
  /** The same bytes. */
  readonly floats: Float32Array;
  readonly at: Readonly<Record<Plane, number>>;
}

export interface BlockFormat<Plane extends string> {
  readonly name: string;
  readonly ggufType: number;
  readonly blockSize: number;
  readonly bytesPerBlock: number;
  readonly part: string;
  /** As in WeightFormat. */
  readonly codeBits?: number;
  /** As in WeightFormat, made when first asked. */
  readonly codebook?: () => Uint8Array;
  /** Planes of a row group in their order, each with the number of weights that one of its units is for. */
  readonly planes: Readonly<Record<Plane, number>>;
  /** The f16 fields of a file block. */
  readonly sizes: HalfSizes;
  /** Whether a scale that is no such field, of the block at byte `file`, is no finite number. */
  badScale?(source: Uint8Array, file: number): boolean;
  /** Gives such scales of the block at byte `file`, where any bits are so far, the size of scales. */
  sampleScales?(rng: Rng, bytes: Uint8Array, file: number): void;
  /** Writes the file block at byte `file` as the `block`-th of the row. */
  pack(row: RowPlanes<Plane>, file: number, block: number): void;
  /** Weights of the file block at byte `file`, `out.length` = blockSize. */
  decode(from: DataView, file: number, out: Float32Array): void;
  /** The file block of `values` into zeroed bytes at `file`. */
  encode?(values: Float32Array, to: DataView, file: number): void;
}

/** Word `index` of a row in a plane that begins at word `at`. */
export function putWord(words: Uint32Array, at: number, index: number, value: number): void {
  words[at + (index >> 2) * unitStride + (index & 3)] = value;
}

/** Word `index`, an f32. */
export function putFloat(floats: Float32Array, at: number, index: number, value: number): void {
  floats[at + (index >> 2) * unitStride + (index & 3)] = value;
}

/** The `index`-th f16 of a row in a plane of them, whose words are zero yet. */
export function putHalf(words: Uint32Array, at: number, index: number, bits: number): void {
  words[at + (index >> 3) * unitStride + ((index & 7) >> 1)] |= bits << ((index & 1) * 16);
}

/** Where each plane of a row group begins, in units, and `group`, where the row group ends. */
function placesOf<Plane extends string>(planes: Readonly<Record<Plane, number>>, cols: number): Record<Plane | "group", number> {
  const found: Record<Plane | "group", number> = { ...planes, group: 0 };
  for (const plane in planes) {
    found[plane] = found.group;
    found.group += planeUnits(ceilDiv(blocksOf(cols) * blockWidth, planes[plane]));
  }
  return found;
}

function quantizeBlocks(own: BlockFormat<string>, values: Float32Array): Uint8Array {
  const { blockSize, bytesPerBlock } = own;
  const view = new DataView(new ArrayBuffer((values.length / blockSize) * bytesPerBlock));
  for (let block = 0; block < values.length / blockSize; block++) {
    own.encode?.(values.subarray(block * blockSize, (block + 1) * blockSize), view, block * bytesPerBlock);
  }
  return new Uint8Array(view.buffer);
}

function firstBad(own: BlockFormat<string>, source: Uint8Array): number {
  for (let file = 0; file < source.length; file += own.bytesPerBlock) if (own.badScale?.(source, file)) return file / own.bytesPerBlock;
  return -1;
}

function sampleOf(own: BlockFormat<string>, rng: Rng, blocks: number): Uint8Array<ArrayBuffer> {
  const bytes = sampleBlocks(rng, blocks, own);
  if (own.sampleScales) for (let file = 0; file < bytes.length; file += own.bytesPerBlock) own.sampleScales(rng, bytes, file);
  return bytes;
}

/** The part's consts are the planes' places under the format's name: `Q5_0_BITS`, in units; with a codebook `START`, where row groups begin. */
export function blockFormat<Plane extends string>(own: BlockFormat<Plane>): WeightFormat {
  const { name, ggufType, blockSize, bytesPerBlock, part, codeBits, planes, sizes } = own;
  const rowGroupBytes = (cols: number): number => placesOf(planes, cols).group * unitBytes;
  const start = (): Record<string, number> => (own.codebook ? { start: own.codebook().length / unitBytes } : {});
  return {
    name,
    ggufType,
    blockSize,
    bytesPerBlock,
    part,
    packed: true,
    ...(codeBits === undefined ? {} : { codeBits }),
    halves: Object.keys(sizes).map(Number),
    ...(own.badScale ? { badScale: (source: Uint8Array) => firstBad(own, source) } : {}),
    get codebook() {
      return own.codebook?.();
    },
    rowGroupBytes,
    constants: (cols) =>
      Object.fromEntries(
        Object.entries({ ...start(), ...placesOf(planes, cols) }).map(([key, at]) => [`${name}_${key}`.toUpperCase(), at]),
      ),
    repack(source, span, out) {
      const blocks = span.cols / blockSize;
      const rowBytes = blocks * bytesPerBlock;
      const groupBytes = rowGroupBytes(span.cols);
      const { source: from, words } = repackViews(source, span.rows * rowBytes, out, groupsOf(span.rows) * groupBytes);
      const places = placesOf(planes, span.cols);
      const at: Record<Plane, number> = { ...planes };
      const row = { from, words, floats: new Float32Array(words.buffer, words.byteOffset, words.length), at };
      eachRow(span, groupBytes, (index, first) => {
        for (const plane in at) at[plane] = first + places[plane] * 4;
        for (let block = 0; block < blocks; block++) own.pack(row, index * rowBytes + block * bytesPerBlock, block);
      });
    },
    dequantize(source, out) {
      const from = new DataView(source.buffer, source.byteOffset, source.byteLength);
      for (let block = 0; block < out.length / blockSize; block++) {
        own.decode(from, block * bytesPerBlock, out.subarray(block * blockSize, (block + 1) * blockSize));
      }
    },
    ...(own.encode ? { quantize: (values: Float32Array) => quantizeBlocks(own, values) } : {}),
    sample: (rng, blocks) => sampleOf(own, rng, blocks),
  };
}
