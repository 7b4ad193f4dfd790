// Weights on their way from the source into their slabs, and who looks at them as they go by: what checks kernels, and what tells the model from
// others.

import { assert, type ShaderloomError } from "../base/errors.ts";
import type { LayoutPlan } from "../base/layout.ts";
import type { OpenDevice } from "../gpu/device.ts";
import { createUpload } from "../gpu/upload.ts";
import type { KeptRows } from "../tuning/kept_rows.ts";
import type { ByteSource } from "../weights/byte_source.ts";
import { loadWeights } from "../weights/loader.ts";
import type { LoadedModel } from "./model.ts";
import type { LoadReport } from "./progress.ts";
import type { WeightDigest } from "./weight_digest.ts";

/** Whose weights are read. */
export interface WeightsLoad {
  readonly source: ByteSource;
  readonly model: LoadedModel;
  readonly opened: OpenDevice;
  readonly report: LoadReport;
  readonly signal: AbortSignal;
  /** Looks at every weight for NaN and infinity. */
  readonly checkWeights?: boolean | undefined;
  readonly memoryBudget?: number | undefined;
}

export interface Reading {
  readonly plan: LayoutPlan;
  readonly slabs: ReadonlyMap<string, GPUBuffer>;
  readonly kept: KeptRows;
  readonly digest: WeightDigest;
}

/** @throws {ShaderloomError} what reading the weights throws, GPU.lost */
export async function readWeights(load: WeightsLoad, { plan, slabs, kept, digest }: Reading): Promise<void> {
  const { source, model, opened, signal, report } = load;
  const upload = createUpload(opened.device.queue, load.memoryBudget);
  let failure: ShaderloomError | undefined;
  opened.onFailure((error) => {
    failure = error;
  });
  await loadWeights({
    source,
    tensors: model.file.tensors,
    plan,
    formats: model.formats,
    upload: (slab, byteOffset, bytes) => {
      // A lost device swallows writes silently.
      if (failure) throw failure;
      return upload(slabOf(slabs, slab), byteOffset, bytes);
    },
    onRows: (piece, bytes) => {
      kept.pass({ ...piece, bytes });
      digest.pass(piece, bytes);
    },
    onVector: (piece, values) => digest.pass(piece, new Uint8Array(values.buffer, values.byteOffset, values.byteLength)),
    onProgress: (moment) => report.weights(moment),
    fromCache: source.local === true,
    scan: load.checkWeights,
    signal,
  });
}

function slabOf(slabs: ReadonlyMap<string, GPUBuffer>, name: string): GPUBuffer {
  const found = slabs.get(name);
  assert(found, `${name} was not allocated`);
  return found;
}
