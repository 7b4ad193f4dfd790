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

/** Milliseconds from submitting works, and what `before` put in the queue, to holding 16 bytes. */
async function timeRead({ timer, source, readback }: Reader, before: () => void, works: readonly Work[]): Promise<number> {
  throwIfAborted(timer.signal);
  const start = performance.now();
  before();
  const encoder = timer.device.createCommandEncoder({ label: "probe" });
  const pass = encoder.beginComputePass();
  for (const [index, work] of works.entries()) work(pass, index);
  pass.end();
  const slot = readback.take(16);
  slot.copy(encoder, { source, bytes: 16 });
  timer.device.queue.submit([encoder.finish()]);
  await slot.read();
  timer.check();
  return performance.now() - start;
}

function nothing(): void {}

/** @param known  what a step is made up of here; without it the end of no work at all is waited for */
export async function measureTransfers(
  timer: TimerOptions,
  known: KnownWork | undefined,
): Promise<Pick<AdapterProbe, "readbackMs" | "uploadBytes">> {
  const ledger = new BufferLedger(timer.device);
  try {
    const source = ledger.create("other", { label: "upload", size: uploadBytes });
    const reader = { timer, source, readback: createReadback(ledger, [16]) };
    const bytes = new Uint8Array(uploadBytes).fill(1);
    const up = (): void => timer.device.queue.writeBuffer(source, 0, bytes);
    const works = known ? Array.from({ length: clamp(Math.round(stepMs / known.ms), 1, 64) }, () => known.work) : [];
    const worksMs = works.length * (known?.ms ?? 0);
    await timeRead(reader, up, works);
    const times: Record<"empty" | "step" | "upload", number[]> = { empty: [], step: [], upload: [] };
    for (let round = 0; round < rounds; round++) {
      times.empty.push(await timeRead(reader, nothing, []));
      times.step.push(await timeRead(reader, nothing, works));
      times.upload.push(await timeRead(reader, up, []));
    }
    const emptyMs = median(times.empty);
    const readbackMs = Math.max(median(times.step) - worksMs, emptyMs);
    return { readbackMs, uploadBytes: (uploadBytes * 1000) / Math.max(median(times.upload) - emptyMs, 0.01) };
  } finally {
    ledger.destroyAll();
  }
}
