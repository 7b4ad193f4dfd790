// The reference for warm loads: model files in the Cache API, as one entry (transformers.js keeps them so) and in entries of
// 32 MB (WebLLM does), read as ByteSources in bounded memory and checked chunk by chunk as our own store's are.

import { checksum64 } from "../../src/store/hash.ts";
import { chunkBytes } from "../../src/store/chunk_store.ts";
import type { ByteSource } from "../../src/weights/byte_source.ts";

/**
 * `stream`: one entry, its body read in order; `slices`: one entry, taken as a Blob and sliced; `shards`: entries of 32 MB, each
 * taken as an ArrayBuffer.
 */
export type CacheKind = "stream" | "slices" | "shards";

export const cacheKinds: readonly CacheKind[] = ["stream", "slices", "shards"];

/** A multiple of the chunk, so that a chunk lies in one shard: WebLLM's 32 MB. */
export const shardBytes: number = 32 << 20;

const cacheName = "shaderloom-bench";

/** A file in the Cache API. */
export interface CachedFile {
  readonly name: string;
  readonly size: number;
  /** Of each chunk, 16 hex digits. */
  readonly checksums: readonly string[];
}

const wholeKey = (name: string): string => `/cached/${name}`;
const shardKey = (name: string, index: number): string => `/cached/${name}/${index}`;

/** Stores a file both ways. `address` serves ranges. */
export async function putCached(name: string, address: string): Promise<CachedFile> {
  const cache = await caches.open(cacheName);
  const whole = await fetch(address);
  const size = Number(whole.headers.get("content-length"));
  await cache.put(wholeKey(name), whole);
  const checksums: string[] = [];
  for (let start = 0; start < size; start += shardBytes) {
    const response = await fetch(address, { headers: { range: `bytes=${start}-${Math.min(start + shardBytes, size) - 1}` } });
    const bytes = new Uint8Array(await response.arrayBuffer());
    for (let at = 0; at < bytes.length; at += chunkBytes) checksums.push(await checksum64(bytes.subarray(at, at + chunkBytes)));
    await cache.put(shardKey(name, start / shardBytes), new Response(bytes));
  }
  return { name, size, checksums };
}

/** Gives a chunk's bytes: in `into`, which is a chunk long, or elsewhere. */
type ReadChunk = (index: number, into: Uint8Array<ArrayBuffer>) => Promise<Uint8Array<ArrayBuffer>>;

/** @param verify looks at the checksum of every chunk, as our store does */
export async function openCached(file: CachedFile, kind: CacheKind, verify: boolean): Promise<ByteSource> {
  const cache = await caches.open(cacheName);
  const readChunk = await readers[kind](file, cache);
  return {
    name: file.name,
    size: file.size,
    local: true,
    read: async (offset, length, { into } = {}) => {
      const index = Math.floor(offset / chunkBytes);
      const from = offset - index * chunkBytes;
      if (from + length > chunkBytes) throw new Error("the loader reads within chunks");
      const room = into !== undefined && into.length >= chunkBytes ? into.subarray(0, chunkBytes) : new Uint8Array(chunkBytes);
      const bytes = await readChunk(index, room);
      if (bytes.length !== lengthOf(file, index)) throw new Error(`chunk ${index} has ${bytes.length} bytes`);
      if (verify && (await checksum64(bytes)) !== file.checksums[index]) throw new Error(`chunk ${index} is damaged`);
      return bytes.subarray(from, from + length);
    },
  };
}

function lengthOf(file: CachedFile, index: number): number {
  return Math.min(file.size - index * chunkBytes, chunkBytes);
}

/** Chromium 156 collects a stream as garbage while it is read, when nothing but the pending read refers to it. */
const streams = new Set<ReadableStreamDefaultReader>();

async function matched(cache: Cache, key: string): Promise<Response> {
  const response = await cache.match(key);
  if (response === undefined) throw new Error(`${key} is not in the cache`);
  return response;
}

const readers: Record<CacheKind, (file: CachedFile, cache: Cache) => Promise<ReadChunk>> = {
  async stream(file, cache) {
    const { body } = await matched(cache, wholeKey(file.name));
    if (body === null) throw new Error("no body");
    const reader = body.getReader();
    streams.add(reader);
    return inOrder(file, reader);
  },

  async slices(file, cache) {
    const blob = await (await matched(cache, wholeKey(file.name))).blob();
    return async (index) => new Uint8Array(await blob.slice(index * chunkBytes, index * chunkBytes + lengthOf(file, index)).arrayBuffer());
  },

  async shards(file, cache) {
    let held: { index: number; bytes: Promise<ArrayBuffer> } | undefined;
    return async (index) => {
      const start = index * chunkBytes;
      const shard = Math.floor(start / shardBytes);
      if (held?.index !== shard) {
        held = { index: shard, bytes: matched(cache, shardKey(file.name, shard)).then((response) => response.arrayBuffer()) };
      }
      return new Uint8Array(await held.bytes, start - shard * shardBytes, lengthOf(file, index));
    };
  },
};

/** Cuts a stream into chunks; those that nobody asks for are passed over. */
function inOrder(file: CachedFile, reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>): ReadChunk {
  let next = 0;
  let rest = new Uint8Array(0);
  let turn: Promise<unknown> = Promise.resolve();
  const fill = async (into: Uint8Array<ArrayBuffer>): Promise<void> => {
    for (let at = 0; at < into.length;) {
      if (rest.length === 0) {
        const { done, value } = await reader.read();
        if (done) throw new Error("the entry ended early");
        rest = value;
      }
      const part = rest.subarray(0, into.length - at);
      into.set(part, at);
      at += part.length;
      rest = rest.subarray(part.length);
    }
    next++;
  };
  const readChunk: ReadChunk = async (index, into) => {
    if (index < next) throw new Error("a stream cannot go back");
    for (let passed = next; passed < index; passed++) await fill(into.subarray(0, lengthOf(file, passed)));
    const bytes = into.subarray(0, lengthOf(file, index));
    await fill(bytes);
    if (next * chunkBytes >= file.size) streams.delete(reader);
    return bytes;
  };
  return (index, into) => {
    const mine = turn.then(() => readChunk(index, into));
    turn = mine;
    return mine;
  };
}
