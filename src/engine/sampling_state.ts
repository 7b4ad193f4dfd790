// The buffers from which the GPU samples: options, counts and biases, and masks of allowed tokens of every slot. Made at load; a request
// writes its slot when it begins, and after that the GPU keeps counter and counts itself.

import { adjustWords, maskWords, promptBit, samplingField, samplingFlag, samplingWords } from "../base/layout.ts";
import type { BufferLedger, BufferRange } from "../gpu/buffers.ts";

import { idleSampling, packSampling } from "../sampling/packed.ts";
import type { SamplingParams } from "../sampling/params.ts";

export interface SamplingShape {
  readonly slots: number;
  readonly vocabSize: number;
}

/** What a slot starts with. */
export interface SlotRequest {
  readonly params: SamplingParams;
  readonly promptIds: readonly number[];
  /** The first 16 end the request on the GPU. */
  readonly stopIds: Iterable<number>;
}

/** Owns the three buffers. */
export class SamplingState {
  readonly sampling: BufferRange;
  readonly adjust: BufferRange;
  readonly mask: BufferRange;
  readonly #queue: GPUQueue;
  readonly #shape: SamplingShape;
  /** Words of every slot as they were last written. */
  readonly #words: Uint32Array<ArrayBuffer>[];

  constructor(device: GPUDevice, ledger: BufferLedger, shape: SamplingShape) {
    const { slots, vocabSize } = shape;
    const make = (label: string, words: number): BufferRange => ({ buffer: ledger.create("other", { label, size: 4 * slots * words }) });
    this.#queue = device.queue;
    this.#shape = shape;
    this.sampling = make("sampling", samplingWords);
    this.adjust = make("adjust", adjustWords * vocabSize);
    this.mask = make("mask", maskWords(vocabSize));
    this.#words = Array.from({ length: slots }, idleSampling);
    for (let slot = 0; slot < slots; slot++) this.#write(slot);
  }

  /** Starts a request: counts from its prompt, no draw yet, everything allowed. */
  begin(slot: number, { params, promptIds, stopIds }: SlotRequest): void {
    this.#words[slot] = packSampling(params, { stopIds });
    this.#write(slot);
    const flags = this.#words[slot][samplingField.flags];
    if ((flags & (samplingFlag.penalties | samplingFlag.bias)) === 0) return;
    const { vocabSize } = this.#shape;
    const words = adjustOf(params, promptIds, vocabSize);
    this.#queue.writeBuffer(this.adjust.buffer, 4 * slot * adjustWords * vocabSize, words);
  }

  /**
   * Allows only some tokens from the next draw on, or all.
   * @param mask  [maskWords(V)], a bit for each token
   */
  setMask(slot: number, mask?: Uint32Array<ArrayBuffer>): void {
    const words = this.#words[slot];
    const flags = words[samplingField.flags];
    const wanted = mask ? flags | samplingFlag.mask : flags & ~samplingFlag.mask;
    if (mask)
      this.#queue.writeBuffer(this.mask.buffer, 4 * slot * maskWords(this.#shape.vocabSize), mask, 0, maskWords(this.#shape.vocabSize));
    if (wanted === flags) return;
    words[samplingField.flags] = wanted;
    // Not the counter, which the GPU has moved on since.
    this.#queue.writeBuffer(this.sampling.buffer, 4 * (slot * samplingWords + samplingField.flags), words, samplingField.flags, 1);
  }

  /** Whether a slot's token is the one of the largest raw logit. */
  takesBest(slot: number): boolean {
    const words = this.#words[slot];
    const { temperature, topK, flags } = samplingField;
    return ((words[temperature] & 0x7fffffff) === 0 || words[topK] === 1) && words[flags] === 0;
  }

  #write(slot: number): void {
    this.#queue.writeBuffer(this.sampling.buffer, 4 * slot * samplingWords, this.#words[slot]);
  }
}

/** [V, adjustWords] before the first token of a completion. */
export function adjustOf(params: SamplingParams, promptIds: readonly number[], vocabSize: number): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(adjustWords * vocabSize);
  const floats = new Float32Array(words.buffer);
  for (const id of promptIds) words[adjustWords * id] = promptBit;
  for (const [id, bias] of params.logitBias) floats[adjustWords * id + 1] = bias;
  return words;
}
