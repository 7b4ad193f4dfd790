// How fast layers of a streamed model would be read from where they would lie: of what is stored of the model already, as the system may
// have to fetch that from the disk, else of a sample that is written for the purpose and deleted after. Knows nothing of models.

import { throwIfAborted } from "../base/errors.ts";
import { ceilDiv } from "../base/math.ts";
import { chunkBytes as storeChunkBytes, type StoreTier } from "../store/chunk_store.ts";
import { noDiagnostics } from "../store/diagnostics.ts";
import { imageScheme, type Manifest } from "../store/manifest.ts";
import type { ModelStore } from "../store/model_store.ts";
import { openImage } from "../streaming/image.ts";
import type { ImagePlan } from "../streaming/types.ts";

/** Bytes that are read; several chunks of any tier. */
const sampleBytes = 16 << 20;
/** Reads end after this long, however slow the storage is. */
const mostMs = 1000;
/** Reads of a database or of files wait side by side. */
const readsAtOnce = 3;
/** What a sample belongs to: no model's id, so that one whose tab was closed is deleted with the next. */
const sampleOwner = "0".repeat(32);

export interface ReadRate {
  /** Where a streamed copy would lie; `memory` where nothing is stored. */
  readonly tier: StoreTier;
  readonly bytesPerSecond: number;
}

export interface ReadProbeOptions {
  /** Undefined where nothing is stored. */
  readonly models: ModelStore | undefined;
  /** The stored model; undefined when nothing of it is stored. */
  readonly model?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** @throws {ShaderloomError} QUOTA.memory, AbortError; STORE.* when the store is out of order */
export async function measureReads({ models, model, signal }: ReadProbeOptions): Promise<ReadRate> {
  throwIfAborted(signal);
  const stored = models && model !== undefined ? await largestOf(models, model) : undefined;
  const rate = models && stored ? await readStored(models, stored) : undefined;
  return rate ?? measureSample(models, signal);
}

/** The streamed copy of a model if there is one, else the largest of its files. */
async function largestOf(models: ModelStore, model: string): Promise<Manifest | undefined> {
  const files = [...(await models.find(imageScheme + model)), ...(await models.filesOf(model))];
  const whole = files.filter(({ state }) => state === "complete");
  return whole.find(({ url }) => url.startsWith(imageScheme)) ?? whole.toSorted((a, b) => b.bytes - a.bytes)[0];
}

async function readStored(models: ModelStore, manifest: Manifest): Promise<ReadRate | undefined> {
  const { url, revision, name, bytes, sha256, model, chunkBytes, tier } = manifest;
  const file = await models.open({ url, revision, name, bytes, sha256, model, chunkBytes }, noDiagnostics());
  const wanted = Math.min(file.chunkCount, ceilDiv(sampleBytes, chunkBytes) + 1);
  const spread = Array.from({ length: wanted }, (_, at) => Math.floor((at * file.chunkCount) / wanted));
  const into = buffers(chunkBytes);
  const bytesPerSecond = await timeReads(spread, async (index, lane) => (await file.read(index, into[lane]))?.length ?? 0);
  return bytesPerSecond === undefined ? undefined : { tier, bytesPerSecond };
}

async function measureSample(models: ModelStore | undefined, signal: AbortSignal | undefined): Promise<ReadRate> {
  const chunks = ceilDiv(sampleBytes, storeChunkBytes) + 1;
  const bytes = chunks * storeChunkBytes;
  const section = { layer: 0, firstChunk: 0, chunks, bytes, slabs: new Map<string, number>() };
  // Of its own, so that another tab's sample is not written over.
  const plan: ImagePlan = { chunkBytes: storeChunkBytes, sections: [section], bytes, revision: crypto.randomUUID() };
  const owner = models && { id: sampleOwner, name: "a measurement of storage" };
  const image = await openImage({ models, model: owner, plan, diagnostics: noDiagnostics(), onFull: "memory", signal });
  try {
    await image.write(0, new Uint8Array(bytes));
    throwIfAborted(signal);
    const into = buffers(storeChunkBytes);
    const numbers = Array.from({ length: chunks }, (_, at) => at);
    const rate = await timeReads(numbers, async (chunk, lane) => ((await image.read(0, chunk, into[lane])) ? storeChunkBytes : 0));
    return { tier: image.tier, bytesPerSecond: rate ?? 0 };
  } finally {
    image.close();
    await models?.deleteImages(sampleOwner).catch(() => undefined);
  }
}

function buffers(bytes: number): ReadonlyArray<Uint8Array<ArrayBuffer>> {
  return Array.from({ length: readsAtOnce }, () => new Uint8Array(bytes));
}

/**
 * Bytes per second of some reads, the first of which opens the file and counts only when it is the only one.
 * @param read  gives the bytes that were read; 0 for a chunk that is not there
 * @returns undefined when nothing was there
 */
async function timeReads(indices: readonly number[], read: (index: number, lane: number) => Promise<number>): Promise<number | undefined> {
  const [first, ...rest] = indices;
  let start = performance.now();
  let bytes = await read(first, 0);
  if (rest.length > 0) {
    bytes = 0;
    start = performance.now();
    const lanes = Array.from({ length: readsAtOnce }, async (_, lane) => {
      for (let index = rest.shift(); index !== undefined && performance.now() - start < mostMs; index = rest.shift()) {
        bytes += await read(index, lane);
      }
    });
    await Promise.all(lanes);
  }
  // Clocks of pages may stand still for a tenth of a millisecond.
  const tookMs = Math.max(performance.now() - start, 0.1);
  return bytes > 0 ? (bytes * 1000) / tookMs : undefined;
}
