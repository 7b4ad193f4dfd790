// What is left to download of a model: over HTTP with a folder as its store, in Node.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openModelStore } from "../store/open.ts";
import { type FaultServer, startFaultServer } from "../testing/fault_server.ts";
import { tinyModel } from "../testing/tiny_model.ts";
import { bytesSource } from "../weights/byte_source.ts";
import { openGguf } from "../weights/gguf/gguf.ts";
import { openSource } from "../weights/source.ts";
import { readFacts } from "./model_facts.ts";

const model = tinyModel({ hidden: 512, ffn: 1024 });

let server: FaultServer;
let folder: string;

beforeEach(async () => {
  server = await startFaultServer(model);
  folder = await mkdtemp(join(tmpdir(), "shaderloom-facts-"));
});

afterEach(async () => {
  await server[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

/** Loads the whole file, or what a reader of its first bytes makes it load. */
async function download(address: string): Promise<void> {
  const models = await openModelStore({ folder });
  if (!models) throw new Error("a folder is a store");
  const source = await openSource(address, { store: { models, mode: "use", onFull: "error", evict: false } });
  await source.finish?.();
  source.close?.();
  models.close();
}

test("of a new address all is left, and no more than the header is asked for", async () => {
  const facts = await readFacts({ model: `${server.origin}/m.gguf`, store: { folder } });
  expect(facts).toMatchObject({ fileBytes: model.length, downloadBytes: model.length });
  expect(facts.storage).toMatchObject({ neededBytes: model.length, storedBytes: 0 });
  expect(facts.file.tensors.size).toBeGreaterThan(10);
  const asked = server.requests.map(({ range }) => /bytes=(\d+)-(\d+)/.exec(range ?? ""));
  const bytes = asked.reduce((sum, match) => sum + (match ? Number(match[2]) - Number(match[1]) + 1 : model.length), 0);
  expect(model.length).toBeGreaterThan(3 << 20);
  const { headerBytes } = await openGguf(bytesSource(model));
  expect(bytes).toBeLessThanOrEqual(headerBytes + (1 << 20));
  // A look leaves nothing behind.
  const models = await openModelStore({ folder });
  expect(await models?.list()).toEqual([]);
  models?.close();
});

test("of a stored model nothing is left, and the server is not asked", async () => {
  const address = `${server.origin}/m.gguf`;
  await download(address);
  const before = server.requests.length;
  const facts = await readFacts({ model: address, store: { folder } });
  expect(facts).toMatchObject({ fileBytes: model.length, downloadBytes: 0, storage: { neededBytes: 0, storedBytes: model.length } });
  expect(server.requests.length).toBe(before);
  const models = await openModelStore({ folder });
  const [stored] = (await models?.list()) ?? [];
  models?.close();
  expect(await readFacts({ model: `stored:${stored.id}`, store: { folder } })).toMatchObject({ downloadBytes: 0 });
});

test("without a store all is left, and nothing needs room", async () => {
  const facts = await readFacts({ model: `${server.origin}/m.gguf`, store: { mode: "off" } });
  expect(facts).toMatchObject({ downloadBytes: model.length, storage: { neededBytes: 0, availableBytes: null, storedBytes: 0 } });
  expect(await readFacts({ model })).toMatchObject({ downloadBytes: 0, storage: { neededBytes: 0 } });
  expect(await readFacts({ model: new Blob([model]) })).toMatchObject({ downloadBytes: 0 });
});
