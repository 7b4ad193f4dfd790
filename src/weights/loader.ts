// Carries out a layout plan: reads the file chunk by chunk in the order of need, converts what is stored as another type, repacks whole row
// groups to the GPU's layout and hands them to `upload`. Each worker has one buffer to read into and one to repack into, so the JS heap holds
// a few chunks whatever the model's size. Owns no GPU object and caches nothing.

import { ShaderloomError, abortError, assert, throwIfAborted } from "../base/errors.ts";
import { rowGroupSize } from "../base/layout.ts";
import type { LayoutPlan } from "../base/layout.ts";
import { ceilDiv } from "../base/math.ts";
import { fileBytes, firstBadScale } from "../formats/format.ts";
import type { WeightFormat } from "../formats/format.ts";
import { chunkBytes as storeChunkBytes } from "../store/chunk_store.ts";
import { shortRead } from "./byte_source.ts";
import type { ByteSource } from "./byte_source.ts";
import type { Decoder } from "./convert.ts";
import { checkFinite, storedTypeName } from "./finite.ts";
import type { TensorInfo } from "./tensor_info.ts";
import { planReads } from "./load_plan.ts";
import type { Piece, Read } from "./load_plan.ts";
import { progressMeter } from "./progress.ts";
import type { LoadProgress, ProgressMeter } from "./progress.ts";

export type { LoadProgress } from "./progress.ts";

export interface LoadWeightsOptions {
  readonly source: ByteSource;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly plan: LayoutPlan;
  /** By GGML type id; all types of the plan's tensors (`assertSupported` says so before), and those that they are stored as. */
  readonly formats: ReadonlyMap<number, WeightFormat>;
  /** Copies bytes into a zero-filled slab. They are overwritten once the call (or its promise) is done. */
  readonly upload: (slab: string, byteOffset: number, bytes: Uint8Array<ArrayBuffer>) => void | Promise<void>;
  /** Sees the rows of every matrix in the file form of their GPU format; the bytes are overwritten later. */
  readonly onRows?: (piece: Pick<Piece, "tensor" | "tensorRow" | "rows" | "cols" | "format">, bytes: Uint8Array) => void;
  /** Sees the values of every vector. */
  readonly onVector?: (piece: Pick<Piece, "tensor" | "tensorRow" | "rows" | "cols">, values: Float32Array) => void;
  readonly onProgress?: (progress: LoadProgress) => void;
  readonly signal?: AbortSignal;
  /** Looks for NaN and infinity in every matrix, at the price of a dequantization. Scales, vectors and what is converted are always checked. */
  readonly scan?: boolean | undefined;
  /** Whether the source reads from a local copy, for progress. */
  readonly fromCache?: boolean;
  /** The file's chunks, each read once and never two together; those that suit the source unless told. */
  readonly chunkBytes?: number;
}

const readsInFlight = 4;
/** File bytes of one upload: large enough for the GPU's queue, small enough that repacking needs little room. */
const pieceBytes = 1 << 20;
/** Reads from memory never wait, so the loop lets other tasks (an abort, a message) in after this long. */
const breathEveryMs = 30;

/**
 * Reads the chunks that hold tensors of the plan, first-needed first, repacks and uploads what lies in them. The source is told of all reads
 * before the first.
 *
 * @throws {ShaderloomError} MODEL.tensor or .shape before anything is read; MODEL.values for weights that are no numbers;
 *   SOURCE.*, NET.*, AbortError; what `upload` throws. After a throw no read is under way and `upload` is not called again.
 */
export async function loadWeights(options: LoadWeightsOptions): Promise<void> {
  throwIfAborted(options.signal);
  const { source, tensors, plan, formats, chunkBytes = source.readBytes ?? storeChunkBytes } = options;
  const reads = planReads(plan, { tensors, formats, chunkBytes, pieceBytes });
  const used = new Set(plan.slabs.flatMap(({ parts }) => parts.map(({ tensor }) => tensors.get(tensor))));
  const converted = [...used].filter((tensor) => tensor?.stored !== undefined).flatMap((tensor) => tensor ?? []);
  // A chunk of its own: most files are computed with as they are stored.
  const convert = converted.length === 0 ? undefined : await import("./convert.ts");
  source.expect?.([...(convert?.scaleRanges(converted) ?? []), ...reads.map(({ offset, length }) => ({ offset, length }))]);
  const total = reads.reduce((sum, { length }) => sum + length, 0);
  const { onProgress: report = (): void => {}, fromCache = false } = options;
  const meter = progressMeter({ file: source.name, total, fromCache, report });
  const failing = new AbortController();
  const signal = options.signal === undefined ? failing.signal : AbortSignal.any([options.signal, failing.signal]);
  const queue: Queue = {
    reads: reads.values(),
    largest: reads.reduce((most, { length }) => Math.max(most, length), 0),
    seams: new Map(),
    spare: [],
  };
  await placeCodebooks(options);
  const decoder = await convert?.openDecoder({ source, tensors: converted, formats, signal });
  const workers = Array.from({ length: Math.min(source.readsAtOnce ?? readsInFlight, reads.length) }, async () => {
    try {
      await work({ ...options, signal, decoder }, queue, meter);
    } catch (thrown) {
      // The first failure is the one to tell; it ends the other workers, whose aborts are consequences.
      if (!failing.signal.aborted) failing.abort(thrown);
      throw thrown;
    }
  });
  await Promise.allSettled(workers);
  if (options.signal?.aborted) throw abortError();
  if (failing.signal.aborted) throw failing.signal.reason;
  meter.finish();
}

/** What parts look codes up in lies before their row groups. */
async function placeCodebooks({ plan, formats, upload, signal }: LoadWeightsOptions): Promise<void> {
  for (const slab of plan.slabs) {
    const codebook = slab.kind === "matrix" ? formats.get(slab.ggufType)?.codebook : undefined;
    if (codebook === undefined) continue;
    for (const { byteOffset, stacked } of slab.parts) {
      if (stacked) continue;
      await upload(slab.name, byteOffset, Uint8Array.from(codebook));
      throwIfAborted(signal);
    }
  }
}

/** What the workers share. */
interface Queue {
  readonly reads: Iterator<Read>;
  /** Bytes of the longest read. */
  readonly largest: number;
  /** Pieces over chunk borders, until all of their bytes have come: a row group for each tensor that is half read. */
  readonly seams: Map<Piece, Seam>;
  /** Room of seams that are closed, for the next ones: there is one for each chunk. */
  readonly spare: Uint8Array[];
}

interface Seam {
  /** At least as long as the piece. */
  readonly room: Uint8Array;
  missing: number;
}

interface WorkOptions extends LoadWeightsOptions {
  /** Where something is converted. */
  readonly decoder: Decoder | undefined;
}

/** Takes reads off the shared queue until it is empty. */
async function work(options: WorkOptions, queue: Queue, meter: ProgressMeter): Promise<void> {
  const into = new Uint8Array(queue.largest);
  const scratch: Scratch = { bytes: new Uint8Array(0), values: new Float32Array(0), quantized: new Uint8Array(0) };
  let breathed = performance.now();
  for (let next = queue.reads.next(); next.done !== true; next = queue.reads.next()) {
    const read = next.value;
    const bytes = await readCounted(options, read, { meter, into });
    for (const piece of read.pieces) {
      throwIfAborted(options.signal);
      const packed = bytesOf(piece, { read, bytes, queue });
      if (packed === undefined) continue;
      await place(options, { piece, packed, scratch });
      if (packed.buffer !== bytes.buffer) queue.spare.push(new Uint8Array(packed.buffer));
      if (performance.now() - breathed < breathEveryMs) continue;
      await new Promise((resolve) => setTimeout(resolve, 0));
      breathed = performance.now();
    }
  }
  throwIfAborted(options.signal);
}

/** The bytes of a piece, a view of the read where it lies in that whole; undefined while a part of it is still to come. */
function bytesOf(piece: Piece, { read, bytes, queue }: { read: Read; bytes: Uint8Array; queue: Queue }): Uint8Array | undefined {
  const start = Math.max(piece.offset, read.offset);
  const end = Math.min(piece.offset + piece.length, read.offset + read.length);
  const here = bytes.subarray(start - read.offset, end - read.offset);
  if (here.length === piece.length) return here;
  const { seams, spare } = queue;
  const seam = seams.get(piece) ?? { room: roomFor(piece.length, spare), missing: piece.length };
  seam.room.set(here, start - piece.offset);
  seam.missing -= here.length;
  seams.set(piece, seam);
  if (seam.missing > 0) return undefined;
  seams.delete(piece);
  return seam.room.subarray(0, piece.length);
}

function roomFor(length: number, spare: Uint8Array[]): Uint8Array {
  const fitting = spare.findIndex((room) => room.length >= length);
  return fitting < 0 ? new Uint8Array(length) : spare.splice(fitting, 1)[0];
}

interface Counting {
  readonly meter: ProgressMeter;
  /** The worker's room for a read. */
  readonly into: Uint8Array<ArrayBuffer>;
}

async function readCounted({ source, signal }: LoadWeightsOptions, read: Read, { meter, into }: Counting): Promise<Uint8Array> {
  let counted = 0;
  const bytes = await source.read(read.offset, read.length, {
    signal,
    into,
    onBytes: (count) => {
      counted += count;
      meter.add(count);
    },
  });
  if (bytes.length !== read.length) throw shortRead(source.name, read, bytes.length);
  meter.add(read.length - counted);
  return bytes;
}

/** One worker's room for decoded, quantized and repacked weights, kept from piece to piece. */
interface Scratch {
  bytes: Uint8Array<ArrayBuffer>;
  values: Float32Array<ArrayBuffer>;
  quantized: Uint8Array<ArrayBuffer>;
}

interface PieceBytes {
  readonly piece: Piece;
  /** As in the file. */
  readonly packed: Uint8Array;
  readonly scratch: Scratch;
}

async function place(options: WorkOptions, { piece, packed, scratch }: PieceBytes): Promise<void> {
  const { format, rows, cols, stored } = piece;
  if (stored === undefined) checkScales(piece, packed, "The file is damaged: get it again.");
  let fileRows = packed;
  if (piece.kind === "vector" || stored !== undefined || options.scan === true) {
    if (scratch.values.length < rows * cols) scratch.values = new Float32Array(rows * cols);
    const values = scratch.values.subarray(0, rows * cols);
    if (stored === undefined) format.dequantize(packed, values);
    else {
      assert(options.decoder, `no decoder for ${piece.tensor}`);
      options.decoder.decode(piece, packed, values);
    }
    checkFinite(values, { tensor: piece.tensor, type: storedTypeName(stored?.type ?? format.ggufType), first: piece.tensorRow * cols });
    if (piece.kind === "vector") options.onVector?.(piece, values);
    if (piece.kind === "vector") return options.upload(piece.slab, piece.slabOffset, new Uint8Array(values.slice().buffer));
    if (stored !== undefined) fileRows = quantized(piece, values, scratch);
  }
  options.onRows?.(piece, fileRows);
  const length = ceilDiv(rows, rowGroupSize) * format.rowGroupBytes(cols);
  if (scratch.bytes.length < length) scratch.bytes = new Uint8Array(length);
  const out = scratch.bytes.subarray(0, length).fill(0);
  format.repack(fileRows, { rows, cols }, out);
  await options.upload(piece.slab, piece.slabOffset, out);
}

function quantized(piece: Piece, values: Float32Array, scratch: Scratch): Uint8Array {
  const { format } = piece;
  assert(format.quantize !== undefined, `weights cannot be converted to ${format.name}`);
  const length = fileBytes(format, values.length);
  if (scratch.quantized.length < length) scratch.quantized = new Uint8Array(length);
  const rows = format.quantize(values, scratch.quantized.subarray(0, length));
  checkScales(piece, rows, "Its weights are too large for that type: load it without quantizing.");
  return rows;
}

/** A scale that is no number spoils a row of every product, and shaders need not keep it: looked for on every load. */
function checkScales({ tensor, format, tensorRow, cols }: Piece, rows: Uint8Array, advice: string): void {
  const bad = firstBadScale(format, rows);
  if (bad < 0) return;
  const block = (tensorRow * cols) / format.blockSize + bad;
  const type = storedTypeName(format.ggufType);
  const plain = format.blockSize === 1;
  const where = plain ? `value that is no finite number, at place ${block}` : `scale that is no finite number, in block ${block}`;
  const detail = { tensor, type, ...(plain ? { index: block } : { block }) };
  throw new ShaderloomError("MODEL.values", `The tensor ${tensor} (${type}) has a ${where}. ${advice}`, { detail });
}
