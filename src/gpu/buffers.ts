// GPU buffers with a ledger: every byte that the engine holds is counted by what it is for, so that leaks and predictions can
// be checked, and running out of memory is one typed error after which nothing is left allocated.

import { ShaderloomError } from "../base/errors.ts";

export type BufferKind = "weights" | "kv" | "activations" | "other";

export type LedgerBytes = Readonly<Record<BufferKind, number>>;

/** STORAGE | COPY_SRC | COPY_DST as a number, because the global constants are missing in Node. */
export const storageUsage: number = 0x80 | 0x04 | 0x08;
/** UNIFORM, beside storage, for the step state. */
export const uniformUsage = 0x40;
/** MAP_READ | COPY_DST. */
export const readbackUsage: number = 0x01 | 0x08;

/** A range of a GPU buffer; all of it from the start when nothing else is said. */
export interface BufferRange {
  readonly buffer: GPUBuffer;
  readonly offset?: number;
  readonly size?: number;
}

/** Makes buffers and counts them. */
export class BufferLedger {
  readonly #device: GPUDevice;
  readonly #budget: number;
  readonly #parent: BufferLedger | undefined;
  readonly #live = new Map<GPUBuffer, BufferKind>();
  #total = 0;
  #peak = 0;

  /** @param within  bytes that are never exceeded, or a ledger that counts all of this one's too */
  constructor(device: GPUDevice, within: number | BufferLedger = Infinity) {
    this.#device = device;
    const nested = typeof within === "object";
    this.#budget = nested ? Infinity : within;
    this.#parent = nested ? within : undefined;
  }

  /** Most bytes that there were at once. */
  get peak(): number {
    return this.#peak;
  }

  /** Bytes that may still be made. */
  get room(): number {
    return this.#budget - this.#total;
  }

  /** @throws {ShaderloomError} GPU.oom beyond the budget */
  create(kind: BufferKind, descriptor: { label: string; size: number; usage?: number; mappedAtCreation?: boolean }): GPUBuffer {
    if (descriptor.size > this.room) throw overBudget(descriptor, this.#budget, this.#total);
    const buffer = this.#parent?.create(kind, descriptor) ?? this.#device.createBuffer({ usage: storageUsage, ...descriptor });
    this.#live.set(buffer, kind);
    this.#total += buffer.size;
    this.#peak = Math.max(this.#peak, this.#total);
    return buffer;
  }

  destroy(buffer: GPUBuffer): void {
    if (this.#live.delete(buffer)) this.#total -= buffer.size;
    this.#parent?.destroy(buffer);
    buffer.destroy();
  }

  destroyAll(): void {
    for (const buffer of this.#live.keys()) this.destroy(buffer);
  }

  bytes(): LedgerBytes & { readonly total: number } {
    const sums = { weights: 0, kv: 0, activations: 0, other: 0, total: 0 };
    for (const [buffer, kind] of this.#live) {
      sums[kind] += buffer.size;
      sums.total += buffer.size;
    }
    return sums;
  }
}

function overBudget({ label, size }: { label: string; size: number }, budget: number, used: number): ShaderloomError {
  const message = `${label} takes ${size} bytes and memoryBudget leaves ${budget - used} of ${budget}. Give a larger memoryBudget.`;
  return new ShaderloomError("GPU.oom", message, { detail: { need: used + size, have: budget } });
}

/**
 * Runs allocations and reports whether the device had the memory. A size that the device cannot even validate is the same to
 * a user; what `allocate` throws besides a refused size is a mistake of ours and passes.
 * @throws {ShaderloomError} GPU.oom; the caller frees what it made, `advice` says what would fit
 */
export async function withMemoryCheck<T>(device: GPUDevice, advice: () => string, allocate: () => T): Promise<T> {
  device.pushErrorScope("out-of-memory");
  device.pushErrorScope("validation");
  let outcome: { readonly value: T } | { readonly thrown: unknown };
  try {
    outcome = { value: allocate() };
  } catch (thrown) {
    outcome = { thrown };
  }
  const [validation, memory] = await Promise.all([device.popErrorScope(), device.popErrorScope()]);
  // Browsers throw a RangeError for sizes they refuse outright.
  const refused = "thrown" in outcome && outcome.thrown instanceof RangeError;
  if ("thrown" in outcome && !refused) throw outcome.thrown;
  if (memory || validation || "thrown" in outcome) {
    const cause = memory?.message ?? validation?.message ?? "the size was refused";
    throw new ShaderloomError("GPU.oom", `The GPU has too little memory for this model. ${advice()}`, { detail: { cause } });
  }
  return outcome.value;
}
