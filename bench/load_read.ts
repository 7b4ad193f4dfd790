// What is timed of a warm load: all bytes of a file handed over chunk by chunk in the loader's order, and the loader itself with an
// upload that does nothing or the real one. The same code for every ByteSource.

import type { LayoutPlan } from "../src/base/layout.ts";
import { buildModel } from "../src/engine/model.ts";
import { planRunner } from "../src/engine/placement.ts";
import { allFormats } from "../src/formats/index.ts";
import type { OpenDevice } from "../src/gpu/device.ts";
import { createUpload } from "../src/gpu/upload.ts";
import { chunkBytes } from "../src/store/chunk_store.ts";
import type { ByteSource } from "../src/weights/byte_source.ts";
import { openGguf } from "../src/weights/gguf/gguf.ts";
import type { TensorInfo } from "../src/weights/gguf/gguf.ts";
import { planReads } from "../src/weights/load_plan.ts";
import { loadWeights } from "../src/weights/loader.ts";

const formatByGgufType = new Map((await allFormats()).map((format) => [format.ggufType, format]));

/** What the loader needs of a model, found once. */
export interface PlannedModel {
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly plan: LayoutPlan;
  /** Chunks of the file in the loader's order; those that it needs nothing of come last. */
  readonly order: readonly number[];
}

/** As many as the loader has. */
const readsInFlight = 4;

export async function planModel(source: ByteSource, { caps }: OpenDevice): Promise<PlannedModel> {
  const file = await openGguf(source);
  const model = await buildModel(file, source, { caps });
  const { plan } = (await planRunner(model, caps)).layout;
  const reads = planReads(plan, { tensors: file.tensors, formats: formatByGgufType, chunkBytes, pieceBytes: chunkBytes });
  const needed = reads.map(({ offset }) => Math.floor(offset / chunkBytes));
  const all = [...Array(Math.ceil(source.size / chunkBytes)).keys()];
  return { tensors: file.tensors, plan, order: [...new Set([...needed, ...all])] };
}

/** Milliseconds until every byte of the file was handed over once. */
export async function readAll(source: ByteSource, { order }: PlannedModel): Promise<number> {
  const start = performance.now();
  source.expect?.(order.map((index) => ({ offset: index * chunkBytes, length: lengthOf(source, index) })));
  const queue = order.values();
  let bytes = 0;
  await Promise.all(
    Array.from({ length: readsInFlight }, async () => {
      const into = new Uint8Array(chunkBytes);
      for (let next = queue.next(); next.done !== true; next = queue.next()) {
        const read = await source.read(next.value * chunkBytes, lengthOf(source, next.value), { into });
        bytes += read.length;
      }
    }),
  );
  const ms = performance.now() - start;
  if (bytes !== source.size) throw new Error(`${bytes} of ${source.size} bytes were read`);
  return ms;
}

function lengthOf(source: ByteSource, index: number): number {
  return Math.min(source.size - index * chunkBytes, chunkBytes);
}

/** Milliseconds of the loader with an upload that does nothing. */
export async function loadNowhere(source: ByteSource, { tensors, plan }: PlannedModel): Promise<number> {
  const start = performance.now();
  await loadWeights({ source, tensors, plan, formats: formatByGgufType, upload: () => undefined });
  return performance.now() - start;
}

/** Milliseconds of the loader until the weights are in the GPU's buffers. */
export async function loadToGpu(source: ByteSource, { tensors, plan }: PlannedModel, slabs: GpuSlabs): Promise<number> {
  const start = performance.now();
  const write = createUpload(slabs.device.queue);
  const upload = (slab: string, byteOffset: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> => {
    const buffer = slabs.buffers.get(slab);
    if (buffer === undefined) throw new Error(`no slab ${slab}`);
    return write(buffer, byteOffset, bytes);
  };
  await loadWeights({ source, tensors, plan, formats: formatByGgufType, upload });
  await slabs.device.queue.onSubmittedWorkDone();
  return performance.now() - start;
}

export interface GpuSlabs {
  readonly device: GPUDevice;
  readonly buffers: ReadonlyMap<string, GPUBuffer>;
}

export function allocateSlabs({ device }: OpenDevice, { plan }: PlannedModel): GpuSlabs {
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
  const buffers = plan.slabs.map(({ name, bytes }) => [name, device.createBuffer({ size: Math.max(bytes, 256), usage })] as const);
  return { device, buffers: new Map(buffers) };
}
