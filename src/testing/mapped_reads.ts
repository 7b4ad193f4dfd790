// Reads of an image straight into mapped GPU memory, and what the GPU then has. Plain functions: a worker and Node run them.
import type { WeightImage } from "../streaming/types.ts";
import { check, sameBytes } from "./chunk_cases.ts";
import { build, layerBytes, planOf, readAll } from "./image_shelf.ts";

/** Fills a mapped buffer of all chunks from the image, lets the GPU copy it, and compares the copy. */
export async function readMapped(gpu: GPU, image: WeightImage): Promise<void> {
  const plan = planOf({ chunks: 3, chunkBytes: 65_536 });
  await build(image, plan);
  const adapter = await gpu.requestAdapter();
  const device = await adapter?.requestDevice();
  check(device !== undefined, "there is no GPU here");
  if (device === undefined) return;
  const staging = device.createBuffer({
    size: plan.bytes,
    usage: GPUBufferUsage.MAP_WRITE | GPUBufferUsage.COPY_SRC,
    mappedAtCreation: true,
  });
  const result = device.createBuffer({ size: plan.bytes, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  // The second round maps again what the GPU has read from, as staging buffers are in use.
  for (let round = 0; round < 2; round++) {
    if (round > 0) await staging.mapAsync(GPUMapMode.WRITE);
    const mapped = staging.getMappedRange();
    new Uint8Array(mapped).fill(77);
    for (const [section, { firstChunk, chunks }] of plan.sections.entries()) {
      for (let chunk = 0; chunk < chunks; chunk++) {
        const place = new Uint8Array(mapped, (firstChunk + chunk) * plan.chunkBytes, plan.chunkBytes);
        check(await image.read(section, chunk, place), `chunk ${chunk} of section ${section} is not there`);
      }
    }
    staging.unmap();
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(staging, 0, result, 0, plan.bytes);
    device.queue.submit([encoder.finish()]);
    await result.mapAsync(GPUMapMode.READ);
    const got = new Uint8Array(result.getMappedRange());
    for (const [section, { firstChunk, chunks }] of plan.sections.entries()) {
      const bytes = got.subarray(firstChunk * plan.chunkBytes, (firstChunk + chunks) * plan.chunkBytes);
      check(sameBytes(bytes, layerBytes(plan, section)), `the GPU has other bytes of section ${section}`);
    }
    result.unmap();
  }
  device.destroy();
  check((await readAll(image, plan)).length === 0, "chunks went while they were read");
}
