// What the engine asks of a KV cache, however it lies in memory.

import type { KvLayout } from "../base/layout.ts";

/** Tokens of a slot, and those that it is to hold. */
export interface Adoption {
  /** Tokens that the slot holds now. */
  readonly held: readonly number[];
  readonly wanted: readonly number[];
  /** Tokens of `wanted` that may be taken from what is known. */
  readonly most: number;
}

export interface KvCache {
  readonly layout: KvLayout;
  readonly numLayers: number;
  readonly usedPages: number;
  readonly capacityPages: number;
  /** Pages that no slot uses, kept for prompts that begin like them. */
  readonly cachedPages: number;
  /** How often the pools were replaced by larger ones. */
  readonly growths: number;
  /** Most tokens that one slot can hold. */
  readonly maxTokens: number;
  /** The pool of a layer; a new buffer after growth, when programs must be bound again. */
  pool(layer: number): GPUBuffer;
  /** Of a layer, the pages in progress of all slots (`kvTailBytes`); undefined for types that have none. */
  tail(layer: number): GPUBuffer | undefined;
  /** Page numbers of a slot in order of position. */
  pages(slot: number): readonly number[];
  /**
   * Makes room for positions below `tokens` in a slot, from the pages that there are.
   * @returns whether the slot's table row changed, or undefined when the pools must `grow` first
   */
  reserve(slot: number, tokens: number): boolean | undefined;
  /**
   * Replaces the pools by larger ones, with what they hold: programs must be bound again, also after a failure.
   * @throws {ShaderloomError} GPU.oom when the pools cannot grow; what was there stays
   */
  grow(): Promise<void>;
  /**
   * Gives back what a slot holds beyond position `tokens`.
   * @returns tokens that it holds now: fewer where those in the middle of a page cannot be gone on from
   */
  truncate(slot: number, tokens: number): number;
  /** Empties a slot whose pages hold nobody knows what, and lets nobody else have them. */
  discard(slot: number): void;
  /**
   * Turns a slot from one sequence to another: what they have in common stays, what is known from before is taken.
   * @returns tokens of `wanted` that the slot now holds
   */
  adopt(slot: number, adoption: Adoption): number;
}
