// The control buffer: step state of the prefill and decode programs and the page table, mirrored on the CPU, so that whatever
// changed before a decode step goes up in a single write.

import { alignUp } from "../base/math.ts";
import { bindAlignment, stepBytes, stepHeaderWords, stepRowWords } from "../base/layout.ts";
import { type BufferLedger, type BufferRange, storageUsage, uniformUsage } from "../gpu/buffers.ts";
import type { StepRow } from "../kernels/kernel.ts";

export interface ControlShape {
  readonly prefillRows: number;
  readonly decodeRows: number;
  readonly slots: number;
  readonly maxPages: number;
}

/** The rows of a step and which of them the head takes. */
export interface ControlStep {
  readonly rows: readonly StepRow[];
  readonly outputRows: readonly number[];
}

/** Owns the control buffer: `[prefill state | decode state | page table]`. */
export class Control {
  readonly prefillState: BufferRange;
  readonly decodeState: BufferRange;
  readonly pages: BufferRange;
  readonly #queue: GPUQueue;
  readonly #buffer: GPUBuffer;
  readonly #words: Uint32Array<ArrayBuffer>;
  readonly #maxPages: number;
  readonly #decodeStart: number;
  readonly #pagesStart: number;
  #dirtyPagesEnd = 0;
  #shift = 0;
  #writes = 0;

  constructor(device: GPUDevice, ledger: BufferLedger, shape: ControlShape) {
    const prefillBytes = stepBytes(shape.prefillRows);
    const decodeBytes = stepBytes(shape.decodeRows);
    const pagesBytes = alignUp(shape.slots * shape.maxPages * 4, bindAlignment);
    this.#queue = device.queue;
    this.#maxPages = shape.maxPages;
    this.#decodeStart = prefillBytes;
    this.#pagesStart = prefillBytes + decodeBytes;
    this.#words = new Uint32Array((prefillBytes + decodeBytes + pagesBytes) / 4);
    this.#buffer = ledger.create("other", { label: "control", size: this.#words.byteLength, usage: storageUsage | uniformUsage });
    this.prefillState = { buffer: this.#buffer, offset: 0, size: prefillBytes };
    this.decodeState = { buffer: this.#buffer, offset: this.#decodeStart, size: decodeBytes };
    this.pages = { buffer: this.#buffer, offset: this.#pagesStart, size: pagesBytes };
  }

  /** `writeBuffer` calls so far. */
  get writes(): number {
    return this.#writes;
  }

  /** Notes a slot's pages; they go up with the next step. */
  setPages(slot: number, pages: readonly number[]): void {
    const start = this.#pagesStart / 4 + slot * this.#maxPages;
    this.#words.set(pages, start);
    this.#dirtyPagesEnd = Math.max(this.#dirtyPagesEnd, (start + pages.length) * 4);
  }

  /** How much further rows of the steps to come turn than their places say; steps that go on by themselves keep theirs. */
  setShift(shift: number): void {
    this.#shift = shift;
  }

  /** Uploads a prefill step, and pages if any changed. */
  writePrefill(step: ControlStep): void {
    this.#encode(0, step);
    this.#write(0, (stepHeaderWords + step.rows.length * stepRowWords) * 4);
    if (this.#dirtyPagesEnd > 0) this.#write(this.#pagesStart, this.#dirtyPagesEnd);
    this.#dirtyPagesEnd = 0;
  }

  /**
   * Uploads what the GPU does not know before a decode step, in at most one write.
   * @param step  undefined when `advance` left it on the GPU
   */
  writeDecode(step: ControlStep | undefined): void {
    let start = this.#pagesStart;
    let end = this.#dirtyPagesEnd;
    if (step) {
      this.#encode(this.#decodeStart, step);
      start = this.#decodeStart;
      end = Math.max(end, start + (stepHeaderWords + step.rows.length * stepRowWords) * 4);
    }
    if (end > start) this.#write(start, end);
    this.#dirtyPagesEnd = 0;
  }

  #encode(byteStart: number, { rows, outputRows }: ControlStep): void {
    const start = byteStart / 4;
    this.#words.set([rows.length, outputRows.length, 0, this.#shift], start);
    rows.forEach((row, index) => {
      const source = outputRows[index] ?? 0;
      this.#words.set([row.token, row.position, row.slot, source], start + stepHeaderWords + index * stepRowWords);
    });
  }

  #write(start: number, end: number): void {
    this.#queue.writeBuffer(this.#buffer, start, this.#words, start / 4, (end - start) / 4);
    this.#writes++;
  }
}
