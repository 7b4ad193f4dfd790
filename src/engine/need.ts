// GPU bytes of a model before it is loaded: the very function that places a load's buffers, run on a device that only counts, so
// that the two cannot drift apart.

import { kvPageBytes } from "../base/layout.ts";
import { BufferLedger } from "../gpu/buffers.ts";
import type { LoadedModel } from "./model.ts";
import { placeRunner, type RunnerPlan } from "./placement.ts";
import type { GpuNeed } from "./verdict.ts";

/** As much of a device as placing buffers takes. */
export function countingDevice(): GPUDevice {
  const device = {
    createBuffer: ({ size }: GPUBufferDescriptor) => ({ size, destroy: () => undefined }),
    queue: { writeBuffer: () => undefined },
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- placement calls nothing else of it, which its test would show
  return device as unknown as GPUDevice;
}

export function measureNeed(plan: RunnerPlan, model: LoadedModel): GpuNeed {
  const device = countingDevice();
  const ledger = new BufferLedger(device);
  placeRunner(plan, model, { device, ledger });
  const { weights, kv: kvAtLoad, activations, other, total: atLoad } = ledger.bytes();
  const pageBytes = kvPageBytes(model.kv) * model.config.numLayers;
  const kv = Math.max(kvAtLoad, model.kv.maxPages * pageBytes);
  return {
    weights,
    kvPerThousandTokens: (pageBytes * 1000) / model.kv.pageTokens,
    kv,
    scratch: activations + other,
    atLoad,
    total: atLoad - kvAtLoad + kv,
  };
}
