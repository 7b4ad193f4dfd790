// GPU bytes of a model before it is loaded: the very function that places a load's buffers, run on a device that only counts, so
// that the two cannot drift apart.

import { kvTypes, type KvType, kvPageTokens } from "../base/kv_types.ts";
import { kvPageBytes, kvRate, kvTailBytes } from "../base/layout.ts";
import { BufferLedger } from "../gpu/buffers.ts";
import type { LoadedModel } from "./model.ts";
import { placeRunner, type RunnerPlan, slots } from "./placement.ts";
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
  const kv = Math.max(kvAtLoad, mostKvBytes(model));
  return {
    weights,
    kvType: model.kv.type,
    kvPerThousandTokens: kvRate(model.kv, model.config.numLayers),
    kvTypes: everyType(model),
    kv,
    scratch: activations + other,
    atLoad,
    total: atLoad - kvAtLoad + kv,
  };
}

/** What is told of a model that cannot be laid out. */
export const nothing: GpuNeed = {
  weights: 0,
  kvType: "f32",
  kvPerThousandTokens: 0,
  kvTypes: { f32: 0, f16: 0, q8_0: 0, bfp4: 0, q4: 0, kivi2: 0 },
  kv: 0,
  scratch: 0,
  atLoad: 0,
  total: 0,
};

/** Bytes that pages and tails come to: those of the whole context, or as many pages as a budget has room for. */
function mostKvBytes({ kv, kvPool, config }: LoadedModel): number {
  return config.numLayers * (kvPool.maxPages * kvPageBytes(kv) + slots * kvTailBytes(kv));
}

function everyType({ kv, config }: LoadedModel): Record<KvType, number> {
  const rate = (type: KvType): number => kvRate(type === kv.type ? kv : { ...kv, type, pageTokens: kvPageTokens(type) }, config.numLayers);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- one entry for each type
  return Object.fromEntries(kvTypes.map((type) => [type, rate(type)])) as Record<KvType, number>;
}
