// The dedicated worker of the load bench: keeps one file in every store that is compared and times reads of it, on orders from the
// page. A worker's script, so it runs at its top level.

import { openDevice, type OpenDevice } from "../src/gpu/device.ts";
import type { ModelStore } from "../src/store/model_store.ts";
import { noDiagnostics } from "../src/store/diagnostics.ts";
import { type ChunkStore, chunkBytes } from "../src/store/chunk_store.ts";
import { openIndexedDb } from "../src/store/indexeddb.ts";
import { openNamedStore } from "../src/store/open.ts";
import { openOpfs } from "../src/store/opfs.ts";
import type { ByteSource } from "../src/weights/byte_source.ts";
import { openSource } from "../src/weights/source.ts";
import { allocateSlabs, type GpuSlabs, loadNowhere, loadToGpu, type PlannedModel, planModel, readAll } from "./load_read.ts";
import { type CachedFile, type CacheKind, cacheKinds, openCached, putCached } from "./reference/cache_api.ts";

/** What can be asked of the worker. */
export interface LoadBench {
  /** Plans the weights of the file at an address; @returns bytes of the file and those of the weights on the GPU */
  plan(address: string): Promise<{ fileBytes: number; gpuBytes: number; adapter: string }>;
  /** Keeps the file in a tier of our store. */
  store(tier: Tier, address: string): Promise<void>;
  /** Keeps the file in the Cache API, whole and in shards. */
  cache(address: string): Promise<void>;
  /** Milliseconds from opening what was kept to the end of the work. */
  time(work: Work, from: Contender, verify: boolean): Promise<number>;
}

export type Tier = "opfs" | "indexeddb";
export type Contender = Tier | CacheKind;
/** `read` hands all bytes over; `repack` is the loader without its upload, `upload` with it. */
export type Work = "read" | "repack" | "upload";

/** Apart from the store of the loads by the public door. */
const storeName = "shaderloom-load-bench";

let device: OpenDevice | undefined;
let planned: PlannedModel | undefined;
let slabs: GpuSlabs | undefined;
let cached: CachedFile | undefined;
const stores = new Map<Tier, { readonly models: ModelStore; readonly id: string; readonly size: number }>();

function ready<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`${what} comes first`);
  return value;
}

/** The tier as the store itself reads it, without what is known of its chunks. */
async function openChunks(tier: Tier): Promise<ChunkStore> {
  return tier === "opfs" ? openOpfs(storeName) : (await openIndexedDb(storeName)).chunks;
}

function uncheckedSource(chunks: ChunkStore, id: string, size: number): ByteSource {
  return {
    name: id,
    size,
    read: async (offset, length, { into } = {}) => {
      const bytes = await chunks.read(id, Math.floor(offset / chunkBytes), length, { into });
      if (bytes === undefined) throw new Error(`no chunk at ${offset}`);
      return bytes;
    },
    close: () => chunks.close(),
  };
}

async function open(from: Contender, verify: boolean): Promise<ByteSource> {
  const kind = cacheKinds.find((one) => one === from);
  if (kind !== undefined) return openCached(ready(cached, "cache"), kind, verify);
  const tier = from as Tier;
  const { models, id, size } = ready(stores.get(tier), "store");
  if (!verify) return uncheckedSource(await openChunks(tier), id, size);
  return openSource(`stored:${id}`, { diagnostics: noDiagnostics(), store: { models, mode: "use", onFull: "error", evict: false } });
}

const bench: LoadBench = {
  async plan(address) {
    device = await openDevice(navigator.gpu);
    const source = await openSource(address);
    planned = await planModel(source, device);
    source.close?.();
    slabs = allocateSlabs(device, planned);
    const { description, architecture } = device.caps;
    return { fileBytes: source.size, gpuBytes: planned.plan.bytes, adapter: description || architecture };
  },

  async store(tier, address) {
    const models = ready(await openNamedStore(storeName, { tier }), "a store");
    const blob = await (await fetch(address)).blob();
    const { id, tier: got } = await models.importFile(new File([blob], `${tier}.gguf`, { lastModified: 0 }));
    if (got !== tier) throw new Error(`stored in ${got} instead of ${tier}`);
    stores.set(tier, { models, id, size: blob.size });
  },

  async cache(address) {
    cached = await putCached("model.gguf", address);
  },

  async time(work, from, verify) {
    const model = ready(planned, "plan");
    const start = performance.now();
    const source = await open(from, verify);
    const opened = performance.now() - start;
    let ms: number;
    if (work === "read") ms = await readAll(source, model);
    else if (work === "repack") ms = await loadNowhere(source, model);
    else ms = await loadToGpu(source, model, ready(slabs, "plan"));
    source.close?.();
    return opened + ms;
  },
};

globalThis.addEventListener("message", (event: MessageEvent<{ id: number; call: keyof LoadBench; args: never[] }>) => {
  const { id, call, args } = event.data;
  const run = bench[call] as (...given: never[]) => Promise<unknown>;
  const answer = (message: object): void => globalThis.postMessage({ id, ...message }, { transfer: [] });
  run(...args).then(
    (value) => answer({ value }),
    (error: unknown) => answer({ error: error instanceof Error ? `${error.name}: ${error.message}` : String(error) }),
  );
});
