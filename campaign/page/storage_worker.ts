// The worker of the storage page: carries out orders with the store's and the downloader's own modules, and without a GPU.
// Tells of every chunk as it is stored, so that the test knows from outside what a killed tab had completed.

import { ShaderloomError } from "../../src/base/errors.ts";
import { seededRng } from "../../src/base/rng.ts";
import { chunkBytes } from "../../src/store/chunk_store.ts";
import { noDiagnostics } from "../../src/store/diagnostics.ts";
import type { DownloadNews, Hold, ModelStore } from "../../src/store/model_store.ts";
import { openModelStore } from "../../src/store/open.ts";
import type { StoredFile } from "../../src/store/stored_file.ts";
import type { ByteSource } from "../../src/weights/byte_source.ts";
import { openSource } from "../../src/weights/source.ts";
import type { Answer, BrowserTier, DownloadOrder, DownloadOutcome, Order, Outcomes, Report } from "../protocol.ts";
import { breakBrowser, inspect, rawKeys, slowDown, squat, tamper, upgrade } from "./storage_below.ts";

interface Posted {
  readonly id: number;
  readonly order: Order;
}

/** This worker's side of its channel, which the DOM's types know of a port only. */
const outside = globalThis as unknown as MessagePort;
const held: Hold[] = [];
const diagnosticsOf = new WeakMap<Order, DownloadOutcome["diagnostics"]>();

function report(message: Report): void {
  outside.postMessage({ report: message }, []);
}

self.addEventListener("unhandledrejection", (event: PromiseRejectionEvent) => {
  report({ what: "unhandled", message: String(event.reason) });
});

self.addEventListener("message", (event: MessageEvent<Posted>) => {
  const { id, order } = event.data;
  void answer(order).then((given) => outside.postMessage({ id, answer: given }, []));
});

async function answer(order: Order): Promise<Answer<Order["act"]>> {
  try {
    return { ok: true, value: await carryOut(order) };
  } catch (thrown) {
    const diagnostics = diagnosticsOf.get(order);
    const counted = diagnostics === undefined ? {} : { diagnostics: { ...diagnostics } };
    if (thrown instanceof ShaderloomError) return { ok: false, error: thrown.toPlain(), ...counted };
    const message = thrown instanceof Error ? `${thrown.name}: ${thrown.message}\n${thrown.stack ?? ""}` : String(thrown);
    return { ok: false, error: { code: "UNTYPED", message, retryable: false, detail: {} }, ...counted };
  }
}

async function carryOut(order: Order): Promise<Outcomes[Order["act"]]> {
  switch (order.act) {
    case "download":
      return download(order);
    case "inspect":
      return inspect(order.tier);
    case "list":
      return withStore(order.tier, (store) => store.list());
    case "verify":
      return withStore(order.tier, (store) => store.verify(order.model));
    case "delete":
      return withStore(order.tier, async (store) => {
        await store.delete(order.model);
        return null;
      });
    case "space":
      return withStore(order.tier, (store) => store.space());
    case "release":
      for (const hold of held.splice(0)) hold.release();
      return null;
    case "locks": {
      const locks = await navigator.locks.query();
      return { held: locks.held?.length ?? 0, pending: locks.pending?.length ?? 0 };
    }
    case "squat":
      return squat();
    case "upgrade":
      return upgrade();
    case "break":
      return breakBrowser(order);
    case "tamper":
      return tamper(order);
    case "keys":
      return rawKeys();
    default:
      throw new Error("no such order");
  }
}

async function withStore<T>(tier: BrowserTier, use: (store: ModelStore) => Promise<T>): Promise<T> {
  const store = await openModelStore({ tier });
  if (store === undefined) throw new Error("this browser has no store");
  try {
    return await use(store);
  } finally {
    store.close();
  }
}

/** The object itself but for some of its members; its methods keep their own `this`. */
function overlaid<T extends object>(target: T, members: Partial<T>): T {
  return new Proxy(target, {
    get(_, key) {
      const value: unknown = Reflect.get(key in members ? members : target, key);
      return typeof value === "function" && !(key in members) ? value.bind(target) : value;
    },
  });
}

/** A store that tells of each chunk. */
function watched(store: ModelStore): ModelStore {
  return overlaid(store, {
    open: async (file, diagnostics) => watchedFile(await store.open(file, diagnostics)),
  });
}

function watchedFile(file: StoredFile): StoredFile {
  const { url } = file.manifest;
  return overlaid(file, {
    put: async (index, bytes) => {
      report({ what: "putting", url, index });
      await file.put(index, bytes);
      report({ what: "put", url, index });
    },
    complete: async (facts) => {
      await file.complete(facts);
      report({ what: "completed", url });
    },
  });
}

async function download(order: DownloadOrder): Promise<DownloadOutcome> {
  const { url, tier, mode = "use", onFull = "memory", evict = false } = order;
  const diagnostics = noDiagnostics();
  if (order.slowMs !== undefined) slowDown(order.slowMs, seededRng(order.seed + 1));
  diagnosticsOf.set(order, diagnostics);
  const news: DownloadNews[] = [];
  let store: ModelStore | undefined;
  let failure: ShaderloomError | undefined;
  try {
    if (mode !== "off") store = await openModelStore({ tier, onReconnect: () => void diagnostics.reconnects++ });
  } catch (thrown) {
    if (!order.storeMayFail || !(thrown instanceof ShaderloomError)) throw thrown;
    failure = thrown;
  }
  let source: ByteSource | undefined;
  try {
    source = await openSource(url, {
      diagnostics,
      ...(store === undefined ? {} : { store: { models: watched(store), mode: mode === "refresh" ? "refresh" : "use", onFull, evict } }),
      ...(order.sha256 === undefined ? {} : { sha256: order.sha256 }),
      ...(order.stallMs === undefined ? {} : { stallMs: order.stallMs }),
      ...(order.retries === undefined ? {} : { retries: order.retries }),
      ...(order.backOffMs === undefined ? {} : { backOffMs: order.backOffMs }),
      ...(order.token === undefined ? {} : { hub: { token: order.token, endpoint: new URL(url).origin } }),
      onNews: (one) => {
        news.push(one);
        report({ what: "news", news: one });
      },
    });
    const bytes = await readAll(source, order);
    await source.finish?.();
    const { stored } = source;
    if (order.hold && stored?.model !== undefined && store !== undefined) held.push(await store.holdModel(stored.model));
    return {
      size: source.size,
      sha256: hex(await crypto.subtle.digest("SHA-256", bytes)),
      diagnostics: { ...diagnostics },
      stored:
        stored === undefined
          ? null
          : {
              tier: stored.tier,
              model: stored.model,
              complete: stored.complete(),
              verified: stored.verified(),
            },
      warning: (failure ?? stored?.warning() ?? source.unstored)?.toPlain() ?? null,
      news,
    };
  } finally {
    source?.close?.();
    if (held.length === 0) store?.close();
  }
}

/** Reads the file in pieces, in an order of its own that it says before, four at a time. */
async function readAll(source: ByteSource, { seed, pieces: size = "any" }: DownloadOrder): Promise<Uint8Array<ArrayBuffer>> {
  const rng = seededRng(seed);
  const bytes = new Uint8Array(source.size);
  const pieces: Array<{ offset: number; length: number }> = [];
  for (let offset = 0; offset < source.size;) {
    const length = Math.min(size === "chunks" ? chunkBytes : 1 + rng.below(6 << 20), source.size - offset);
    pieces.splice(rng.below(pieces.length + 1), 0, { offset, length });
    offset += length;
  }
  source.expect?.(pieces);
  const left = pieces.values();
  const readers = Array.from({ length: 4 }, async () => {
    for (const { offset, length } of left) {
      const place = bytes.subarray(offset, offset + length);
      const read = await source.read(offset, length, { into: place });
      if (read.length !== length) throw new Error(`a read of ${length} bytes gave ${read.length}`);
      if (read.buffer !== bytes.buffer || read.byteOffset !== offset) place.set(read);
    }
  });
  await Promise.all(readers);
  return bytes;
}

function hex(buffer: ArrayBuffer): string {
  return Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
