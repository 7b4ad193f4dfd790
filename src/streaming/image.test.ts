// What holds of an image whatever it is kept in, over the tiers that Node has; image.browser.test.ts has the others.
import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, test } from "vitest";
import { openFiles } from "../store/files.ts";
import { memoryStore } from "../store/memory.ts";
import { type StoreHalves } from "../testing/faulty_store.ts";
import { imageCases } from "../testing/image_cases.ts";
import { openImageShelf } from "../testing/image_shelf.ts";

const folders = new Set<string>();

async function openFolder(): Promise<StoreHalves> {
  const folder = await fs.mkdtemp(join(tmpdir(), "shaderloom-image-"));
  folders.add(folder);
  return openFiles(folder);
}

afterEach(async () => {
  for (const folder of folders) await fs.rm(folder, { recursive: true, force: true });
  folders.clear();
});

const tiers: Record<string, () => Promise<StoreHalves>> = { memory: async () => memoryStore(), files: openFolder };

for (const [tier, open] of Object.entries(tiers)) {
  describe(`an image in ${tier}`, () => {
    for (const [title, run] of Object.entries(imageCases)) test(title, async () => run(openImageShelf(await open())));
  });
}
