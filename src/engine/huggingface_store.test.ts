// A Hugging Face repository over HTTP with a folder as the store: what is stored, resumed, checked, and read without the network. Node only.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { ModelStore } from "../store/model_store.ts";
import { openModelStore } from "../store/open.ts";
import { type FaultServer, startFaultServer } from "../testing/fault_server.ts";
import { type FolderFiles, randomTensor, tinyTensors, writeFolder } from "../testing/safetensors_writer.ts";
import { errorCode } from "../testing/typed_error.ts";
import { openSource } from "../weights/source.ts";
import { readFacts } from "./model_facts.ts";
import { openModel } from "./model_files.ts";
import type { OpenedModel } from "./opened_model.ts";

const commit = "0123456789abcdef0123456789abcdef01234567";
// A head of 12 MiB, so that its file takes several chunks.
const tensors = [
  ...tinyTensors("F32").filter(({ name }) => name !== "lm_head.weight"),
  randomTensor("lm_head.weight", "F32", [24_576, 128]),
];
const files = writeFolder(tensors, 2);
const total = Object.values(files).reduce((sum, { length }) => sum + length, 0);

let server: FaultServer;
let folder: string;
let models: ModelStore;

async function reopenStore(): Promise<ModelStore> {
  const opened = await openModelStore({ folder });
  if (opened === undefined) throw new Error("a folder is a store");
  return opened;
}

function pathsOf(name: string): string[] {
  return ["main", commit].map((revision) => `/owner/repo/resolve/${revision}/${name}`);
}

function serve(served: FolderFiles): void {
  server.files.clear();
  for (const [name, bytes] of Object.entries(served)) {
    // A load asks for the commit behind a branch and takes all files from there; a look does not ask.
    for (const path of pathsOf(name)) {
      // Weights come from another place, as a hub's do.
      if (name.endsWith(".safetensors")) server.redirects.set(path, `/cdn/${name}`);
      server.files.set(name.endsWith(".safetensors") ? `/cdn/${name}` : path, bytes);
    }
  }
}

beforeEach(async () => {
  server = await startFaultServer(new Uint8Array(0));
  serve(files);
  server.answers.set("/api/models/owner/repo/revision/main", { body: JSON.stringify({ sha: commit }) });
  folder = await mkdtemp(join(tmpdir(), "shaderloom-folder-"));
  models = await reopenStore();
});

afterEach(async () => {
  models.close();
  await server[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

/** As a load does. */
async function open(location = "hf:owner/repo"): Promise<OpenedModel> {
  return openModel(location, {
    models,
    trusted: true,
    open: (file, { index, first }) =>
      openSource(file, {
        hub: { endpoint: server.origin },
        store: { models, mode: "use", onFull: "error", evict: false },
        file: index,
        ...(first?.stored ? { model: first.stored.model } : {}),
      }),
  });
}

async function expectTensors({ file, source }: OpenedModel): Promise<void> {
  for (const { name, data } of tensors.filter((tensor) => /lm_head|model.norm|layers.1.mlp.up/.test(tensor.name))) {
    const canonical = { "lm_head.weight": "output.weight", "model.norm.weight": "output_norm.weight" }[name] ?? "blk.1.ffn_up.weight";
    const info = file.tensors.get(canonical);
    expect(Buffer.compare(await source.read(info?.offset ?? 0, data.length), data), name).toBe(0);
  }
}

async function download(): Promise<void> {
  const model = await open();
  await expectTensors(model);
  await model.source.finish?.();
  model.source.close?.();
}

function bytesAsked(): number {
  return server.requests
    .filter(({ path }) => server.files.has(path))
    .reduce((sum, { range, path }) => {
      const match = /bytes=(\d+)-(\d*)/.exec(range ?? "");
      const size = server.files.get(path)?.length ?? 0;
      return sum + Math.min(match?.[2] ? Number(match[2]) + 1 : size, size) - Number(match?.[1] ?? 0);
    }, 0);
}

const facts = (quantize?: "q8_0"): ReturnType<typeof readFacts> =>
  readFacts({ model: "hf:owner/repo", hub: { endpoint: server.origin }, store: { folder }, quantize });

test("a repository is stored whole, and read without the network afterwards", async () => {
  await download();
  expect((await models.list()).map(({ complete, bytes }) => [complete, bytes])).toEqual([[true, total]]);
  const before = server.requests.length;
  const again = await open();
  await expectTensors(again);
  await again.source.finish?.();
  again.source.close?.();
  expect(server.requests.length).toBe(before);
  await server[Symbol.asyncDispose]();
  const offline = await open();
  await expectTensors(offline);
  expect(await offline.readText?.()).toMatchObject({ tokenizer: { model: {} } });
  offline.source.close?.();
  const [{ id }] = await models.list();
  const stored = await open(`stored:${id}`);
  await expectTensors(stored);
  stored.source.close?.();
  server = await startFaultServer(new Uint8Array(0));
});

test("an estimate reads headers only, and knows what is stored and what it becomes", async () => {
  const first = await facts("q8_0");
  expect(first).toMatchObject({ fileBytes: total, downloadBytes: total, storage: { neededBytes: total, storedBytes: 0 } });
  expect(bytesAsked()).toBeLessThan(total / 2);
  expect(first.file.tensors.get("output.weight")).toMatchObject({ type: 8, stored: { type: 0 } });
  expect(await models.list()).toEqual([]);
  await download();
  expect(await facts()).toMatchObject({ fileBytes: total, downloadBytes: 0, storage: { neededBytes: 0, storedBytes: total } });
});

test("a load that was stopped goes on where it ended", async () => {
  const stopped = await open();
  const { offset = 0 } = stopped.file.tensors.get("output.weight") ?? {};
  await stopped.source.read(offset, 1 << 20);
  stopped.source.close?.();
  await new Promise((resolve) => setTimeout(resolve, 200));
  const [{ storedBytes }] = await models.list();
  expect(storedBytes).toBeGreaterThan(4 << 20);
  expect(storedBytes).toBeLessThan(total);
  server.requests.length = 0;
  await download();
  // Headers of new files are looked at with one MiB, which may be asked for twice.
  expect(bytesAsked()).toBeLessThanOrEqual(total - storedBytes + (3 << 20));
  expect(await models.list()).toMatchObject([{ complete: true, storedBytes: total }]);
});

test("a connection that is cut is taken up again", async () => {
  const opened = await open();
  server.faults.push({ kind: "cut", after: 100_000 }, { kind: "cut", after: 3_000_000 });
  await expectTensors(opened);
  await opened.source.finish?.();
  opened.source.close?.();
  const [{ id, complete }] = await models.list();
  expect(complete).toBe(true);
  expect(await models.verify(id)).toMatchObject({ damaged: 0 });
});

test("a repository without config.json, or with a part missing, stores nothing that loads", async () => {
  for (const path of pathsOf("config.json")) server.files.delete(path);
  expect(await errorCode(open())).toBe("MODEL.folder");
  serve(files);
  const last = [...server.files.keys()].findLast((path) => path.endsWith(".safetensors")) ?? "";
  server.files.delete(last);
  expect(await errorCode(open())).toBe("MODEL.shards");
  serve(files);
  await download();
});
