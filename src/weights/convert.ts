// Weights whose stored type is not the one that they are computed with: rows are decoded to f32, scaled, checked and quantized, a piece at a
// time, on their way to the GPU. Their scales are small tensors of the same file and are read before. Decides nothing (quantize_rule.ts does).

import { assert } from "../base/errors.ts";
import type { WeightFormat } from "../formats/format.ts";
import type { ByteRange, ByteSource } from "./byte_source.ts";
import { shortRead } from "./byte_source.ts";
import { float8Values } from "./float8.ts";
import { checkFinite, storedTypeName } from "./finite.ts";
import type { Piece } from "./load_plan.ts";
import type { Float8, TensorInfo, WeightScales } from "./tensor_info.ts";

export interface DecoderOptions {
  readonly source: ByteSource;
  readonly tensors: Iterable<TensorInfo>;
  /** By GGML type id; stored types too. */
  readonly formats: ReadonlyMap<number, WeightFormat>;
  readonly signal?: AbortSignal | undefined;
}

/** Decodes pieces that are stored otherwise than they are computed with. */
export interface Decoder {
  /** The weights of a piece, scaled. */
  decode(piece: Piece, packed: Uint8Array, values: Float32Array): void;
}

/** Scales of several tensors that lie together are read together. */
const readGapBytes = 64 << 10;
const largestReadBytes = 4 << 20;

/** Where the scales of the given tensors are, as few ranges in the order of the file. */
export function scaleRanges(tensors: Iterable<TensorInfo>): readonly ByteRange[] {
  const scales = [...tensors].flatMap(({ stored }) => stored?.scales ?? []).toSorted((a, b) => a.offset - b.offset);
  const ranges: Array<{ offset: number; length: number }> = [];
  for (const { offset, bytes } of scales) {
    const last = ranges.at(-1);
    const end = offset + bytes;
    if (last !== undefined && offset - (last.offset + last.length) <= readGapBytes && end - last.offset <= largestReadBytes) {
      last.length = Math.max(last.length, end - last.offset);
    } else ranges.push({ offset, length: bytes });
  }
  return ranges;
}

/**
 * Reads the scales of all tensors.
 *
 * @throws {ShaderloomError} MODEL.values for a scale that is no number, what the source throws
 */
export async function openDecoder({ source, tensors, formats, signal }: DecoderOptions): Promise<Decoder> {
  const list = [...tensors];
  const scales = await readScales(source, list, { formats, signal });
  const tables = new Map<Float8, Float32Array>();
  const tableOf = (type: Float8): Float32Array => {
    const table = tables.get(type) ?? float8Values(type);
    tables.set(type, table);
    return table;
  };
  return {
    decode(piece, packed, values) {
      assert(piece.stored, `${piece.tensor} is stored as it is computed with`);
      const { type, scales: own } = piece.stored;
      if (typeof type === "string") lookUp(tableOf(type), packed, values);
      else formatOf(formats, type).dequantize(packed, values);
      const factors = own && scales.get(own.name);
      if (own && factors) applyScales(values, piece, { own, factors });
    },
  };
}

function formatOf(formats: ReadonlyMap<number, WeightFormat>, type: number): WeightFormat {
  const format = formats.get(type);
  assert(format, `no weight format for the stored type ${type}`);
  return format;
}

function lookUp(table: Float32Array, bytes: Uint8Array, values: Float32Array): void {
  for (let index = 0; index < values.length; index++) values[index] = table[bytes[index]];
}

type ScaleOptions = Pick<DecoderOptions, "formats" | "signal">;

async function readScales(
  source: ByteSource,
  tensors: readonly TensorInfo[],
  { formats, signal }: ScaleOptions,
): Promise<ReadonlyMap<string, Float32Array>> {
  const wanted = tensors.flatMap(({ stored }) => stored?.scales ?? []);
  const found = new Map<string, Float32Array>();
  for (const range of scaleRanges(tensors)) {
    const bytes = await source.read(range.offset, range.length, { signal });
    if (bytes.length !== range.length) throw shortRead(source.name, range, bytes.length);
    for (const scale of wanted) {
      const at = scale.offset - range.offset;
      if (at < 0 || at + scale.bytes > range.length) continue;
      const format = formatOf(formats, scale.type);
      const factors = new Float32Array(scale.bytes / format.bytesPerBlock);
      format.dequantize(bytes.subarray(at, at + scale.bytes), factors);
      checkFinite(factors, { tensor: scale.name, type: storedTypeName(scale.type), first: 0 });
      found.set(scale.name, factors);
    }
  }
  return found;
}

interface Factors {
  readonly own: WeightScales;
  readonly factors: Float32Array;
}

function applyScales(values: Float32Array, { rows, cols, tensorRow }: Piece, { own, factors }: Factors): void {
  for (let row = 0; row < rows; row++) {
    const first = Math.floor((tensorRow + row) / own.blockRows) * own.perRow;
    for (let block = 0; block * own.blockCols < cols; block++) {
      const factor = factors[first + block];
      const end = row * cols + Math.min((block + 1) * own.blockCols, cols);
      for (let index = row * cols + block * own.blockCols; index < end; index++) values[index] *= factor;
    }
  }
}
