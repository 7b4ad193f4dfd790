// A server, a store and a source between them, for tests of downloads: small chunks, short waits, and what the tests ask again and again:
// whether every byte is right, which chunks were asked for twice, whether everything was let go.

import { expect } from "vitest";
import { pcgHash } from "../base/rng.ts";
import { type StoreDiagnostics, noDiagnostics } from "../store/diagnostics.ts";
import { openLocks } from "../store/locks.ts";
import { memoryStore } from "../store/memory.ts";
import type { ModelStore } from "../store/model_store.ts";
import { type LockRequests, createProcessLocks } from "../store/process_locks.ts";
import type { ByteSource } from "../weights/byte_source.ts";
import { DownloadPool } from "../weights/download/pool.ts";
import { type OpenSourceOptions, openSource } from "../weights/source.ts";
import { type FaultServer, type ServedRequest, startFaultServer } from "./fault_server.ts";
import type { StoreHalves } from "./faulty_store.ts";
import { openSmallStore } from "./small_store.ts";

export const caseChunk: number = 16 << 10;
/** Ten chunks, the last one short. */
export const caseBytes: number = 9 * caseChunk + 1234;
export const caseCount = 10;

export interface DownloadCase extends AsyncDisposable {
  readonly server: FaultServer;
  readonly content: Uint8Array<ArrayBuffer>;
  readonly halves: StoreHalves;
  readonly locks: LockRequests;
  readonly address: string;
  /** A new tab: another store over the same halves and locks. */
  visit(more?: Parameters<typeof openSmallStore>[1], halves?: StoreHalves): ModelStore;
  /** Opens the address; counts into `diagnostics` of its own unless given. */
  open(store: ModelStore | undefined, options?: Partial<OpenSourceOptions>): Promise<ByteSource>;
  /** Closes a source and waits until its locks are free. */
  leave(source: ByteSource): Promise<void>;
}

export async function startCase(bytes: number = caseBytes, seed = 1): Promise<DownloadCase> {
  const content = Uint8Array.from({ length: bytes }, (_, i) => pcgHash(i + seed * 0x1000000) & 255);
  const server = await startFaultServer(content);
  const halves = memoryStore();
  const locks = createProcessLocks();
  const address = `${server.origin}/model.gguf`;
  return {
    server,
    content,
    halves,
    locks,
    address,
    visit: (more = {}, own = halves) => openSmallStore(own, { chunkBytes: caseChunk, locks: openLocks("test", locks), ...more }),
    open: async (store, options = {}) =>
      openSource(address, {
        backOffMs: 1,
        stallMs: 300,
        retries: 3,
        shared: { pool: new DownloadPool({ chunkBytes: caseChunk }) },
        ...options,
        ...(store === undefined ? {} : { store: { models: store, ...options.store } }),
      }),
    leave: async (source) => {
      source.close?.();
      await expectIdle(locks);
    },
    [Symbol.asyncDispose]: async () => server[Symbol.asyncDispose](),
  };
}

/** No lock stays. */
export async function expectIdle(locks: LockRequests): Promise<void> {
  await expect.poll(async () => (await locks.query()).held, { timeout: 3000, interval: 2 }).toEqual([]);
}

/** Reads everything in pieces of a few sizes that fit no chunk, in some order. */
export async function expectRight(source: ByteSource, content: Uint8Array, pieceBytes = 10_007): Promise<void> {
  expect(source.size).toBe(content.length);
  const offsets = Array.from({ length: Math.ceil(content.length / pieceBytes) }, (_, i) => i * pieceBytes);
  await Promise.all(
    offsets.map(async (offset) => {
      const length = Math.min(pieceBytes, content.length - offset);
      let counted = 0;
      const bytes = await source.read(offset, length, { onBytes: (count) => (counted += count) });
      expect(counted).toBeLessThanOrEqual(length);
      expect(Buffer.compare(bytes, content.subarray(offset, offset + length)), `bytes at ${offset}`).toBe(0);
    }),
  );
}

/** How often each chunk was asked for as a whole. */
export function wholeChunksAsked(requests: readonly ServedRequest[], bytes: number = caseBytes): number[] {
  const count = Math.ceil(bytes / caseChunk);
  const asked = Array.from({ length: count }, () => 0);
  for (const { range, method, path } of requests) {
    if (method !== "GET" || path.startsWith("/api/")) continue;
    const match = /^bytes=(\d+)-(\d*)$/.exec(range ?? "");
    const start = Number(match?.[1] ?? 0);
    const end = match?.[2] ? Number(match[2]) + 1 : bytes;
    for (let i = 0; i < count; i++) {
      if (start <= i * caseChunk && end >= Math.min((i + 1) * caseChunk, bytes)) asked[i]++;
    }
  }
  return asked;
}

/** Diagnostics that may be looked at while they are counted. */
export function counting(): StoreDiagnostics {
  return noDiagnostics();
}

/** What is stored is right, chunk by chunk. @returns how many chunks that are */
export async function expectHonestStore(here: DownloadCase, content: Uint8Array = here.content): Promise<number> {
  const store = here.visit();
  let chunks = 0;
  for (const manifest of await store.find(here.address)) {
    const file = await store.open({ ...manifest, sha256: null }, counting());
    for (let index = 0; index < file.chunkCount; index++) {
      if (!file.has(index)) continue;
      const bytes = (await file.read(index)) ?? new Uint8Array(0);
      expect(Buffer.compare(bytes, content.subarray(index * caseChunk, (index + 1) * caseChunk)), `chunk ${index}`).toBe(0);
      chunks++;
    }
  }
  return chunks;
}

/** A whole load that ends well. */
export async function loadAll(here: DownloadCase, options: Partial<OpenSourceOptions> = {}): Promise<void> {
  const source = await here.open(here.visit(), options);
  try {
    await expectRight(source, here.content);
    await source.finish?.();
    expect(source.stored?.complete()).toBe(true);
  } finally {
    await here.leave(source);
  }
}
