// Between a slot of the cache and records: what a conversation's pages hold is taken from behind the steps so far, and what records hold
// becomes the slot's. Knows no store and no file.

import { ShaderloomError, throwIfAborted } from "../base/errors.ts";
import { isKvPageType } from "../base/kv_types.ts";
import type { BufferLedger } from "../gpu/buffers.ts";
import type { Readback } from "../gpu/readback.ts";
import type { KvCache } from "../kv/kv_cache.ts";
import { PagedCache } from "../kv/paged_cache.ts";
import { PageTransfer } from "../kv/page_transfer.ts";
import { clearUnwritten, clearUnwrittenPage } from "../kv/unwritten_tokens.ts";
import type { Runner } from "./runner.ts";
import type { Sequence } from "./sequence.ts";

export interface SlotParts {
  readonly device: GPUDevice;
  readonly ledger: BufferLedger;
  readonly cache: KvCache;
  readonly runner: Pick<Runner, "reuse" | "reserve">;
  readonly sequence: Sequence;
  /** Of the ring that logits are read through, for what a budget has no room for. */
  readonly readback: Readback;
  readonly vocabSize: number;
  /** Throws what went wrong with the device, or that the session ended. */
  readonly check: () => void;
}

/** A conversation as it is at one moment. Its full pages are held until they are read or let go of. */
export interface Captured {
  readonly ids: readonly number[];
  /** Tokens with keys and values. */
  readonly covered: number;
  /** Full ones. */
  readonly pages: readonly number[];
  /** The tokens behind them: their page, and of types that are quantized page by page the tail behind it. */
  readonly rest: Promise<Uint8Array<ArrayBuffer>> | undefined;
  /** Lets go of pages, by their numbers; of all that are left when not given. */
  release(numbers?: Iterable<number>): void;
}

export interface ReadPages {
  readonly take: (numbers: readonly number[], records: Array<Uint8Array<ArrayBuffer>>) => unknown;
  readonly signal: AbortSignal | undefined;
}

/** Gives a record when it is needed: of a full page by its number, of the tokens behind them by one more. */
export type RecordReader = (index: number) => Promise<Uint8Array>;

export class SnapshotSlot {
  readonly transfer: PageTransfer;
  readonly #parts: SlotParts;
  readonly #cache: PagedCache;

  /** @throws {ShaderloomError} SESSION.layout where there are no pages */
  constructor(parts: SlotParts) {
    const { device, ledger, cache, readback, vocabSize } = parts;
    if (!(cache instanceof PagedCache)) {
      const message = 'With kv.layout "contiguous", conversations are not kept beyond the GPU. Load the model with kv.layout "paged".';
      throw new ShaderloomError("SESSION.layout", message, { detail: { layout: "contiguous" } });
    }
    this.#parts = parts;
    this.#cache = cache;
    this.transfer = new PageTransfer({ device, ledger, pools: cache, spare: { readback, bytes: 4 * vocabSize } });
  }

  /** Tokens of a page. */
  get pageTokens(): number {
    return this.#cache.layout.pageTokens;
  }

  /** Bytes of the record of tokens behind the full pages. */
  get restBytes(): number {
    return this.transfer.recordBytes + this.transfer.tailBytes;
  }

  /**
   * The conversation as the steps that were waited for have left it. Those in flight write behind it.
   * @throws {ShaderloomError} SESSION.evicted, SESSION.empty
   */
  capture(): Captured {
    const { sequence } = this.#parts;
    const cache = this.#cache;
    if (sequence.dropped > 0) throw evicted(sequence.dropped);
    if (sequence.length === 0) throw nothingToKeep();
    const all = cache.pages(sequence.slot);
    const full = Math.floor(sequence.length / this.pageTokens);
    const pages = all.slice(0, full);
    cache.retain(pages);
    const held = new Set(pages.keys());
    const rest = sequence.length % this.pageTokens === 0 ? undefined : this.#readRest(all[full], full);
    return {
      ids: [...sequence.ids],
      covered: rest ? sequence.length : full * this.pageTokens,
      pages,
      rest,
      release: (numbers = held.keys()) => {
        for (const number of numbers) if (held.delete(number)) cache.release([pages[number]]);
      },
    };
  }

  /** Copied at once: steps to come write into the same page. */
  #readRest(page: number, full: number): Promise<Uint8Array<ArrayBuffer>> | undefined {
    const { sequence } = this.#parts;
    const { layout } = this.#cache;
    const tokens = sequence.length - full * this.pageTokens;
    const quantized = isKvPageType(layout.type);
    // Steps in flight that are in the next page by now have written over it: its tokens are computed again.
    if (quantized && (this.#cache.tailPage(sequence.slot) !== full || !this.transfer.atOnce)) return undefined;
    this.#cache.retain([page]);
    // Both copies before the first await. Values may be quantized before their page is full.
    const reading = Promise.all([this.transfer.read([page]), quantized ? this.transfer.readTail(sequence.slot) : undefined]);
    const cleared = reading.then(([[record], tail]) => {
      if (!tail) {
        clearUnwritten(record, layout, tokens);
        return record;
      }
      clearUnwrittenPage(record, layout, tokens);
      clearUnwritten(tail, layout, tokens);
      const both = new Uint8Array(record.length + tail.length);
      both.set(record);
      both.set(tail, record.length);
      return both;
    });
    // Whoever waits for it may be late, or end before.
    void cleared.catch(() => undefined).then(() => this.#cache.release([page]));
    return cleared;
  }

  /**
   * Reads full pages of a conversation, a group at a time, and lets go of them.
   * @param wanted  their numbers
   * @param take  given each group's numbers and records
   * @throws {ShaderloomError} GPU.oom, GPU.lost, AbortError, what `take` throws
   */
  async read(captured: Captured, wanted: readonly number[], { take, signal }: ReadPages): Promise<void> {
    const together = this.transfer.groupPages;
    for (let start = 0; start < wanted.length; start += together) {
      throwIfAborted(signal);
      this.#parts.check();
      const group = wanted.slice(start, start + together);
      const reading = this.transfer.read(group.map((number) => captured.pages[number]));
      // The copies are submitted: a page that nobody else has may be written over behind them.
      if (this.transfer.atOnce) captured.release(group);
      const records = await reading;
      captured.release(group);
      this.#parts.check();
      await take(group, records);
    }
  }

  /** Full pages at the beginning of a conversation that are on the GPU already. */
  known(ids: readonly number[]): number {
    const { sequence } = this.#parts;
    if (sequence.dropped === 0) this.#cache.publish(sequence.slot, sequence.ids);
    return this.#cache.prefix.match(ids, ids.length).pages.length;
  }

  /**
   * Makes a conversation the slot's. What is known of it stays where it is.
   * @param ids  those with keys and values
   * @returns pages that were moved
   * @throws {ShaderloomError} CONTEXT.full, GPU.oom, AbortError, what `recordOf` throws; the slot then holds what was known
   */
  async fill(ids: readonly number[], recordOf: RecordReader, signal: AbortSignal | undefined): Promise<number> {
    const { runner, sequence, check } = this.#parts;
    const { slot } = sequence;
    // Places of a conversation that a policy has cut say nothing of these tokens, though it may begin with the same.
    if (sequence.dropped > 0) sequence.reset();
    const taken = runner.reuse(sequence, ids, ids.length);
    if (taken === ids.length) return 0;
    const first = Math.floor(taken / this.pageTokens);
    const full = Math.floor(ids.length / this.pageTokens);
    try {
      await runner.reserve(slot, ids.length);
      const pages = [...this.#cache.pages(slot)];
      const together = this.transfer.groupPages;
      for (let start = first; start < full; start += together) {
        const end = Math.min(start + together, full);
        const records = await Promise.all(Array.from({ length: end - start }, (_, index) => recordOf(start + index)));
        throwIfAborted(signal);
        check();
        await this.transfer.write(pages.slice(start, end), records);
      }
      const moved = full - first;
      if (ids.length % this.pageTokens !== 0) await this.#fillRest(pages[full], await recordOf(full), signal);
      else if (isKvPageType(this.#cache.layout.type)) {
        // The tail has none of these tokens, though they have room.
        this.#cache.retain(pages);
        this.#cache.assign(slot, pages);
      }
      sequence.restore(ids);
      return moved + (pages.length - full);
    } catch (error) {
      sequence.trim();
      throw error;
    }
  }

  async #fillRest(page: number, rest: Uint8Array, signal: AbortSignal | undefined): Promise<void> {
    const { sequence, check } = this.#parts;
    throwIfAborted(signal);
    check();
    const { recordBytes, tailBytes } = this.transfer;
    await this.transfer.write([page], [rest.subarray(0, recordBytes)]);
    if (tailBytes > 0) this.transfer.writeTail(sequence.slot, rest.slice(recordBytes));
  }

  /** Gives the conversation's pages back, but for those that others begin with, too. */
  free(): void {
    const { runner, sequence } = this.#parts;
    const ids = [...sequence.ids];
    runner.reuse(sequence, [], 0);
    this.#cache.prefix.forgetEnd(ids);
  }
}

function nothingToKeep(): ShaderloomError {
  return new ShaderloomError(
    "SESSION.empty",
    "No conversation has been computed since the load or the last failure. Send a request first.",
  );
}

function evicted(dropped: number): ShaderloomError {
  return new ShaderloomError(
    "SESSION.evicted",
    `A policy has dropped ${dropped} tokens of this conversation, so it cannot be kept beyond the GPU. Save before that, or load the model without kv.evict.`,
    { detail: { dropped } },
  );
}
