// Pages of keys and values between the GPU and this computer's memory: a page of all layers is one record here. Pages go in groups, a copy for
// each layer and run of neighbouring pages, through one buffer that is as large as a group (FastSwitch, arXiv:2411.18424). Knows neither whose
// the pages are nor where records are kept.

import { assert, ShaderloomError } from "../base/errors.ts";
import { type KvLayout, kvPageBytes, kvTailBytes } from "../base/layout.ts";
import { type BufferLedger, readbackUsage, withMemoryCheck } from "../gpu/buffers.ts";
import type { Readback } from "../gpu/readback.ts";
import { createUpload } from "../gpu/upload.ts";

/** What is transferred to and from. */
export interface TransferPools {
  readonly layout: KvLayout;
  readonly numLayers: number;
  /** `[page]`, replaced when the pools grow. */
  pool(layer: number): GPUBuffer;
  /** `[slot]`, where there are tails. */
  tail(layer: number): GPUBuffer | undefined;
}

export interface TransferOptions {
  readonly device: GPUDevice;
  readonly ledger: BufferLedger;
  readonly pools: TransferPools;
  /** Most bytes that are under way at once, if a page is not larger. */
  readonly groupBytes?: number | undefined;
  /** What is read through, piece by piece, where a budget has no room for a buffer of our own: slots of so many bytes. */
  readonly spare?: { readonly readback: Readback; readonly bytes: number } | undefined;
}

export interface TransferCounters {
  /** Pages, each in all layers. */
  readonly pagesRead: number;
  readonly pagesWritten: number;
  /** Copies from and writes to GPU buffers. */
  readonly copies: number;
}

/** Enough that a copy costs what its bytes cost, little beside a model. */
const defaultGroupBytes = 8 << 20;

/** Neighbouring pages, in the order in which they were asked for. */
interface Run {
  readonly page: number;
  readonly count: number;
  /** Place of the first in the group. */
  readonly at: number;
}

function runsOf(pages: readonly number[]): Run[] {
  const runs: Array<{ page: number; count: number; at: number }> = [];
  for (const [at, page] of pages.entries()) {
    const last = runs.at(-1);
    if (last && last.page + last.count === page) last.count++;
    else runs.push({ page, count: 1, at });
  }
  return runs;
}

/** A range of a GPU buffer, and where it goes in the buffer that is read. */
interface Copy {
  readonly source: GPUBuffer;
  readonly offset: number;
  readonly at: number;
  readonly bytes: number;
}

export class PageTransfer {
  readonly #options: TransferOptions;
  #pagesRead = 0;
  #pagesWritten = 0;
  #copies = 0;
  /** What is read in pieces. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: TransferOptions) {
    this.#options = options;
  }

  /** Bytes of a page in all layers. */
  get recordBytes(): number {
    const { layout, numLayers } = this.#options.pools;
    return numLayers * kvPageBytes(layout);
  }

  /** Bytes of a slot's tail in all layers; 0 where there is none. */
  get tailBytes(): number {
    const { layout, numLayers } = this.#options.pools;
    return numLayers * kvTailBytes(layout);
  }

  /** Pages that go together. */
  get groupPages(): number {
    const { ledger, groupBytes = defaultGroupBytes } = this.#options;
    return Math.max(1, Math.floor(Math.min(groupBytes, ledger.room) / this.recordBytes));
  }

  /** Whether `read` submits all copies of a group before it returns: there is room for them. */
  get atOnce(): boolean {
    const { ledger, spare } = this.#options;
    return !spare || Math.max(this.recordBytes, this.tailBytes) <= ledger.room;
  }

  get counters(): TransferCounters {
    return { pagesRead: this.#pagesRead, pagesWritten: this.#pagesWritten, copies: this.#copies };
  }

  /**
   * Pages as they are behind everything submitted so far: the copies are submitted before the call returns, where `atOnce` says so, and what is
   * submitted later may then overwrite the pages.
   * @param pages  at most `groupPages`
   * @returns a record for each, [layer][kvPageBytes]
   * @throws {ShaderloomError} GPU.oom, GPU.lost
   */
  async read(pages: readonly number[]): Promise<Array<Uint8Array<ArrayBuffer>>> {
    const { pools } = this.#options;
    const { layout, numLayers } = pools;
    if (pages.length === 0) return [];
    const pageBytes = kvPageBytes(layout);
    const runs = runsOf(pages);
    const copies = Array.from({ length: numLayers }, (_, layer) =>
      runs.map(({ page, count, at }) => ({
        source: pools.pool(layer),
        offset: page * pageBytes,
        at: (layer * pages.length + at) * pageBytes,
        bytes: count * pageBytes,
      })),
    ).flat();
    this.#pagesRead += pages.length;
    return this.#fetch(copies, (all) =>
      pages.map((_, index) => {
        const record = new Uint8Array(numLayers * pageBytes);
        for (let layer = 0; layer < numLayers; layer++) {
          const from = (layer * pages.length + index) * pageBytes;
          record.set(all.subarray(from, from + pageBytes), layer * pageBytes);
        }
        return record;
      }),
    );
  }

  /**
   * A slot's tail as it is behind everything submitted so far, likewise.
   * @returns [layer][kvTailBytes]
   * @throws {ShaderloomError} GPU.oom, GPU.lost
   */
  async readTail(slot: number): Promise<Uint8Array<ArrayBuffer>> {
    const { pools } = this.#options;
    const bytes = kvTailBytes(pools.layout);
    const copies = Array.from({ length: pools.numLayers }, (_, layer) => pools.tail(layer) ?? []).flat();
    return this.#fetch(
      copies.map((source, layer) => ({ source, offset: slot * bytes, at: layer * bytes, bytes })),
      (all) => all.slice(),
    );
  }

  /**
   * Fills pages, behind everything submitted so far.
   * @param records  one for each page, as `read` gives them
   * @returns when the browser can take more
   */
  async write(pages: readonly number[], records: readonly Uint8Array[]): Promise<void> {
    const { device, ledger, pools } = this.#options;
    const pageBytes = kvPageBytes(pools.layout);
    const upload = createUpload(device.queue, ledger.room);
    for (const { page, count, at } of runsOf(pages)) {
      for (let layer = 0; layer < pools.numLayers; layer++) {
        const together = new Uint8Array(count * pageBytes);
        for (let index = 0; index < count; index++) {
          together.set(records[at + index].subarray(layer * pageBytes, (layer + 1) * pageBytes), index * pageBytes);
        }
        this.#copies++;
        await upload(pools.pool(layer), page * pageBytes, together);
      }
    }
    this.#pagesWritten += pages.length;
  }

  /** Fills a slot's tail, behind everything submitted so far. */
  writeTail(slot: number, record: Uint8Array<ArrayBuffer>): void {
    const { device, pools } = this.#options;
    const bytes = kvTailBytes(pools.layout);
    for (let layer = 0; layer < pools.numLayers; layer++) {
      const tail = pools.tail(layer);
      if (tail) device.queue.writeBuffer(tail, slot * bytes, record, layer * bytes, bytes);
      this.#copies++;
    }
  }

  async #fetch<T>(copies: readonly Copy[], use: (all: Uint8Array<ArrayBuffer>) => T): Promise<T> {
    const { device, ledger } = this.#options;
    const size = copies.reduce((sum, { bytes }) => sum + bytes, 0);
    if (!this.atOnce) {
      // One after another: together they would need more slots than there are.
      const fetched = this.#last.then(() => this.#fetchInPieces(copies, size));
      this.#last = fetched.catch(() => undefined);
      return use(await fetched);
    }
    let staging: GPUBuffer | undefined;
    try {
      // All of it before the first await.
      const buffer = await withMemoryCheck(device, advice, () => {
        staging = ledger.create("other", { label: "kv on its way out", size, usage: readbackUsage });
        const encoder = device.createCommandEncoder({ label: "read kv" });
        for (const { source, offset, at, bytes } of copies) encoder.copyBufferToBuffer(source, offset, staging, at, bytes);
        device.queue.submit([encoder.finish()]);
        return staging;
      });
      this.#copies += copies.length;
      await buffer.mapAsync(1).catch(lost); // GPUMapMode.READ
      return use(new Uint8Array(buffer.getMappedRange()));
    } finally {
      if (staging) ledger.destroy(staging);
    }
  }

  async #fetchInPieces(copies: readonly Copy[], size: number): Promise<Uint8Array<ArrayBuffer>> {
    const { device, spare } = this.#options;
    assert(spare, "there is something to read through");
    const all = new Uint8Array(size);
    for (const { source, offset, at, bytes } of copies) {
      for (let done = 0; done < bytes; done += spare.bytes) {
        const length = Math.min(spare.bytes, bytes - done);
        const slot = spare.readback.take(length);
        const encoder = device.createCommandEncoder({ label: "read kv" });
        slot.copy(encoder, { source, offset: offset + done, bytes: length });
        device.queue.submit([encoder.finish()]);
        all.set(new Uint8Array(await slot.read()), at + done);
      }
      this.#copies++;
    }
    return all;
  }
}

function advice(): string {
  return "Keys and values could not be copied out of it: close other tabs that use the GPU and try again.";
}

/** A mapping fails with its device, and then with the name AbortError, which is no abort of ours. */
function lost(cause: unknown): never {
  throw new ShaderloomError("GPU.lost", "The browser lost the GPU device. Load the model again.", { retryable: true, cause });
}
