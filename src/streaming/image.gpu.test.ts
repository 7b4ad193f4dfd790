// Images read into mapped GPU memory as a session does it, from this process's memory and from a store.
import { expect, test } from "vitest";
import { memoryStore } from "../store/memory.ts";
import { gpuOrSkip } from "../testing/gpu.ts";
import { imageOf, openImageShelf, planOf } from "../testing/image_shelf.ts";
import { readMapped } from "../testing/mapped_reads.ts";

test.for(["no store", "a store in memory"])("an image in %s fills mapped memory that the GPU then copies", async (kind, context) => {
  const gpu = await gpuOrSkip(context);
  const { tab } = openImageShelf(memoryStore());
  const plan = planOf({ chunks: 3, chunkBytes: 65_536 });
  const image = await imageOf(tab(), { id: "ab".repeat(16), name: "model" }, kind === "no store" ? { plan, models: undefined } : { plan });
  await readMapped(gpu, image);
  expect([image.tier, image.readsAtOnce]).toEqual(["memory", 1]);
  image.close();
});
