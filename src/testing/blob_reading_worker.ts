// A dedicated worker that reads chunks of a database while garbage piles up; what its test file says of it. A worker's script, so it
// runs at its top level.

import { openIndexedDb } from "../store/indexeddb.ts";

/** What the worker is told; it answers with the number of chunks that were there. */
export interface ReadingOrder {
  readonly database: string;
  readonly file: string;
  /** Those numbered from 0 are there, each of `length` bytes. */
  readonly chunks: number;
  readonly length: number;
  readonly reads: number;
}

globalThis.addEventListener("message", ({ data }: MessageEvent<ReadingOrder>) => {
  void readMany(data).then((right) => globalThis.postMessage(right, { transfer: [] }));
});

async function readMany({ database, file, chunks: count, length, reads }: ReadingOrder): Promise<number> {
  const { chunks } = await openIndexedDb(database);
  const queue = Array(reads).keys();
  const garbage: Uint8Array[] = [];
  const littering = setInterval(() => {
    garbage[0] = new Uint8Array(length);
  }, 1);
  let right = 0;
  const read = async (): Promise<void> => {
    const place = new Uint8Array(length);
    for (const turn of queue) if ((await chunks.read(file, turn % count, length, { into: place })) !== undefined) right++;
  };
  await Promise.all([read(), read(), read(), read()]);
  clearInterval(littering);
  chunks.close();
  return right;
}
