// How fast bytes go up to a GPU, and how much longer than its work a step takes until its result is read.

import { throwIfAborted } from "../base/errors.ts";
import { clamp } from "../base/math.ts";
import { BufferLedger } from "../gpu/buffers.ts";
import { createReadback, type Readback } from "../gpu/readback.ts";
import { median, type TimerOptions, type Work } from "./probe_timer.ts";
import type { AdapterProbe } from "./verdict.ts";

const uploadBytes = 16 << 20;
const rounds = 7;
/** A token's time on a fast adapter: how soon its end is noticed depends on how long it took. */
const stepMs = 4;
/** Steps that wait behind the one whose end is awaited. */
const behindSteps = 3;

/** A work that was timed. */
export interface KnownWork {
  readonly work: Work;
  readonly ms: number;
}

interface Reader {
  readonly timer: TimerOptions;
  readonly source: GPUBuffer;
  readonly readback: Readback;
}

/** What a timed read is about. */
interface ReadSteps {
  /** Puts something in the queue before. */
  readonly before?: () => void;
  readonly works?: readonly Work[];
  /** Submitted right behind, so that the adapter goes on without a pause. */
  readonly behind?: readonly Work[];
}

function encode(device: GPUDevice, works: readonly Work[]): GPUCommandEncoder {
  const encoder = device.createCommandEncoder({ label: "probe" });
  const pass = encoder.beginComputePass();
  for (const [index, work] of works.entries()) work(pass, index);
  pass.end();
  return encoder;
}

/** Milliseconds from submitting works, and what `before` put in the queue, to holding 16 bytes. */
async function timeRead({ timer, source, readback }: Reader, { before, works = [], behind = [] }: ReadSteps): Promise<number> {
  throwIfAborted(timer.signal);
  const { device } = timer;
  const start = performance.now();
  before?.();
  const encoder = encode(device, works);
  const slot = readback.take(16);
  slot.copy(encoder, { source, bytes: 16 });
  device.queue.submit([encoder.finish()]);
  if (behind.length > 0) device.queue.submit([encode(device, behind).finish()]);
  await slot.read();
  const ms = performance.now() - start;
  if (behind.length > 0) await device.queue.onSubmittedWorkDone();
  timer.check();
  return ms;
}

/** @param known  what a step is made up of here; without it the end of no work at all is waited for */
export async function measureTransfers(
  timer: TimerOptions,
  known: KnownWork | undefined,
): Promise<Pick<AdapterProbe, "readbackMs" | "latency" | "uploadBytes">> {
  const ledger = new BufferLedger(timer.device);
  try {
    const source = ledger.create("other", { label: "upload", size: uploadBytes });
    const reader = { timer, source, readback: createReadback(ledger, [16]) };
    const bytes = new Uint8Array(uploadBytes).fill(1);
    const up = (): void => timer.device.queue.writeBuffer(source, 0, bytes);
    const works = known ? Array.from({ length: clamp(Math.round(stepMs / known.ms), 1, 64) }, () => known.work) : [];
    const worksMs = works.length * (known?.ms ?? 0);
    const behind = Array.from({ length: behindSteps }, () => works).flat();
    await timeRead(reader, { before: up, works });
    const times: Record<"empty" | "step" | "loaded" | "upload", number[]> = { empty: [], step: [], loaded: [], upload: [] };
    for (let round = 0; round < rounds; round++) {
      times.empty.push(await timeRead(reader, {}));
      times.step.push(await timeRead(reader, { works }));
      times.loaded.push(await timeRead(reader, { works, behind }));
      times.upload.push(await timeRead(reader, { before: up }));
    }
    const emptyMs = median(times.empty);
    const readbackMs = Math.max(median(times.step) - worksMs, emptyMs);
    // Against the same step alone, timed in turn with it: what its work takes cancels out.
    const delayMs = Math.max(median(times.loaded) - median(times.step), 0);
    const latency = { idleMs: emptyMs, loadedMs: readbackMs + delayMs };
    return { readbackMs, latency, uploadBytes: (uploadBytes * 1000) / Math.max(median(times.upload) - emptyMs, 0.01) };
  } finally {
    ledger.destroyAll();
  }
}
