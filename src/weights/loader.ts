// Carries out a layout plan: reads the tensors in file order, a few ranges at a time, repacks them to the GPU's layout and
// hands them to `upload`. The JS heap holds the ranges in flight and no more. Owns no GPU object and caches nothing.

import { ShaderloomError, abortError, throwIfAborted } from "../base/errors.ts";
import { rowGroupSize } from "../base/layout.ts";
import type { LayoutPlan } from "../base/layout.ts";
import { ceilDiv } from "../base/math.ts";
import type { WeightFormat } from "../formats/format.ts";
import { shortRead } from "./byte_source.ts";
import type { ByteSource } from "./byte_source.ts";
import type { TensorInfo } from "./gguf.ts";
import { planReads } from "./load_plan.ts";
import type { Piece, Read } from "./load_plan.ts";
import { progressMeter } from "./progress.ts";
import type { LoadProgress, ProgressMeter } from "./progress.ts";

export type { LoadProgress } from "./progress.ts";

export interface LoadWeightsOptions {
  readonly source: ByteSource;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly plan: LayoutPlan;
  /** By GGML type id; all types of the plan's tensors (`assertSupported` says so before). */
  readonly formats: ReadonlyMap<number, WeightFormat>;
  /** Copies bytes into a zero-filled slab. They are overwritten once the call (or its promise) is done. */
  readonly upload: (slab: string, byteOffset: number, bytes: Uint8Array<ArrayBuffer>) => void | Promise<void>;
  readonly onProgress?: (progress: LoadProgress) => void;
  readonly signal?: AbortSignal;
  /** Looks for NaN and infinity in every matrix, at the price of a dequantization. Vectors are always looked at. */
  readonly scan?: boolean;
  /** Whether the source reads from a local copy, for progress. */
  readonly fromCache?: boolean;
  /** Bytes of one read; 8 MiB. */
  readonly readBytes?: number;
}

const defaultReadBytes = 8 << 20;
const readsInFlight = 4;
/** Reads from memory never wait, so the loop lets other tasks (an abort, a message) in after this long. */
const breathEveryMs = 30;

/**
 * Reads each tensor of the plan in spans of whole row groups, repacks and uploads them.
 *
 * @throws {ShaderloomError} MODEL.tensor or .shape before anything is read; MODEL.values for weights that are no numbers;
 *   SOURCE.*, NET.*, AbortError; what `upload` throws. After a throw no read is under way and `upload` is not called again.
 */
export async function loadWeights(options: LoadWeightsOptions): Promise<void> {
  throwIfAborted(options.signal);
  const { source, tensors, plan, formats, readBytes = defaultReadBytes } = options;
  const reads = planReads(plan, { tensors, formats, readBytes });
  const total = reads.reduce((sum, { length }) => sum + length, 0);
  const { onProgress: report = (): void => {}, fromCache = false } = options;
  const meter = progressMeter({ file: source.name, total, fromCache, report });
  const failing = new AbortController();
  const signal = options.signal === undefined ? failing.signal : AbortSignal.any([options.signal, failing.signal]);
  const queue = reads.values();
  const workers = Array.from({ length: Math.min(readsInFlight, reads.length) }, async () => {
    try {
      await work({ ...options, signal }, queue, meter);
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

/** Takes reads off the shared queue until it is empty. */
async function work(options: LoadWeightsOptions, queue: Iterator<Read>, meter: ProgressMeter): Promise<void> {
  const scratch: Scratch = { bytes: new Uint8Array(0) };
  let breathed = performance.now();
  for (let next = queue.next(); next.done !== true; next = queue.next()) {
    const read = next.value;
    const bytes = await readCounted(options, read, meter);
    for (const piece of read.pieces) {
      throwIfAborted(options.signal);
      const from = piece.offset - read.offset;
      await place(options, { piece, packed: bytes.subarray(from, from + piece.length), scratch });
      if (performance.now() - breathed < breathEveryMs) continue;
      await new Promise((resolve) => setTimeout(resolve, 0));
      breathed = performance.now();
    }
  }
  throwIfAborted(options.signal);
}

async function readCounted({ source, signal }: LoadWeightsOptions, read: Read, meter: ProgressMeter): Promise<Uint8Array> {
  let counted = 0;
  const bytes = await source.read(read.offset, read.length, {
    signal,
    onBytes: (count) => {
      counted += count;
      meter.add(count);
    },
  });
  if (bytes.length !== read.length) throw shortRead(source.name, read, bytes.length);
  meter.add(read.length - counted);
  return bytes;
}

/** One worker's room for repacked bytes, kept from piece to piece. */
interface Scratch {
  bytes: Uint8Array<ArrayBuffer>;
}

interface PieceBytes {
  readonly piece: Piece;
  /** As in the file. */
  readonly packed: Uint8Array;
  readonly scratch: Scratch;
}

async function place(options: LoadWeightsOptions, { piece, packed, scratch }: PieceBytes): Promise<void> {
  const { format, rows, cols } = piece;
  if (piece.kind === "vector" || options.scan === true) {
    const values = new Float32Array(rows * cols);
    format.dequantize(packed, values);
    refuseNonNumbers(piece.tensor, values);
    if (piece.kind === "vector") return options.upload(piece.slab, piece.slabOffset, new Uint8Array(values.buffer));
  }
  const length = ceilDiv(rows, rowGroupSize) * format.rowGroupBytes(cols);
  if (scratch.bytes.length < length) scratch.bytes = new Uint8Array(length);
  const out = scratch.bytes.subarray(0, length).fill(0);
  format.repack(packed, { rows, cols }, out);
  await options.upload(piece.slab, piece.slabOffset, out);
}

function refuseNonNumbers(tensor: string, values: Float32Array): void {
  const index = values.findIndex((value) => !Number.isFinite(value));
  if (index < 0) return;
  const message = `The tensor ${tensor} has the value ${values[index]} at place ${index}. The file is damaged: get it again.`;
  throw new ShaderloomError("MODEL.values", message, { detail: { tensor, index } });
}
