import { expect, test } from "vitest";
import type { Engine, EngineOptions } from "../index.ts";
import { ModelHost, sourceOptions, type CreateEngine } from "./model_host.ts";

/** The host's events and what became of each engine, in order. */
function setUp(create: (options: EngineOptions) => Promise<void>): { host: ModelHost; log: string[] } {
  const log: string[] = [];
  const createEngine: CreateEngine = async (options) => {
    await create(options);
    const name = typeof options.model === "string" ? options.model : "";
    const engine = {
      info: () => Promise.resolve({ name }),
      unload: () => {
        log.push(`unload ${name}`);
        return Promise.resolve();
      },
    };
    return engine as unknown as Engine;
  };
  const host = new ModelHost(createEngine, {
    onStart: ({ name }) => log.push(`start ${name}`),
    onProgress: ({ text }) => log.push(text),
    onReady: (model) => log.push(`ready ${model.source.name}`),
    onFail: ({ code }, { name }) => log.push(`fail ${name} ${code}`),
    onCancel: ({ name }) => log.push(`cancel ${name}`),
  });
  return { host, log };
}

function failure(code: string): Error {
  return Object.assign(new Error("It failed. Do something."), { code, retryable: false, detail: {} });
}

function source(name: string): { location: string; name: string } {
  return { location: name, name };
}

test("a new model replaces the old one once it is ready", async () => {
  const { host, log } = setUp(() => Promise.resolve());
  await host.load(source("a"));
  await host.load(source("b"));
  expect(log).toEqual(["start a", "ready a", "start b", "ready b", "unload a"]);
  expect(host.current?.source.name).toBe("b");
});

test("a load that fails leaves the model before it", async () => {
  const { host, log } = setUp(({ model }) => (model === "bad" ? Promise.reject(failure("FORMAT.magic")) : Promise.resolve()));
  await host.load(source("a"));
  await host.load(source("bad"));
  expect(log.slice(2)).toEqual(["start bad", "fail bad FORMAT.magic"]);
  expect(host.current?.source.name).toBe("a");
  expect(host.loading).toBeUndefined();
});

test("a load can be cancelled, and a newer load wins over an older one", async () => {
  const { host, log } = setUp(
    ({ model, signal, onProgress }) =>
      new Promise((resolve, reject) => {
        if (model === "fast") return resolve();
        signal?.addEventListener("abort", () => {
          onProgress?.({ phase: "weights", file: "", loaded: 0, total: 0, bytesPerSecond: 0, fromCache: false, progress: 0, text: "late" });
          reject(failure("AbortError"));
        });
      }),
  );
  const slow = host.load(source("slow"));
  const fast = host.load(source("fast"));
  await Promise.all([slow, fast]);
  expect(log).toEqual(["start slow", "start fast", "ready fast"]);
  const stalled = host.load(source("stalled"));
  expect(host.loading?.name).toBe("stalled");
  host.cancel();
  await stalled;
  expect(log.at(-1)).toBe("cancel stalled");
  expect(host.current?.source.name).toBe("fast");
});

test("when two models do not fit, the old one makes room, once", async () => {
  let loaded = 0;
  const { host, log } = setUp(({ model }) => {
    if (model === "large" && loaded > 0) {
      loaded = 0;
      return Promise.reject(failure("GPU.oom"));
    }
    if (model === "huge") return Promise.reject(failure("GPU.oom"));
    loaded += 1;
    return Promise.resolve();
  });
  await host.load(source("a"));
  await host.load(source("large"));
  expect(log.slice(2)).toEqual(["start large", "unload a", "ready large"]);
  await host.load(source("huge"));
  expect(log.slice(5)).toEqual(["start huge", "unload large", "fail huge GPU.oom"]);
  expect(host.current).toBeUndefined();
});

test("a source becomes options: a token goes to the hub's field only, and nothing is said that was not asked for", () => {
  expect(sourceOptions({ location: "hf:o/r/f.gguf", name: "f.gguf" })).toEqual({ model: "hf:o/r/f.gguf" });
  expect(sourceOptions({ location: "a", name: "a", token: "t", contextLength: 512, unstored: true })).toEqual({
    model: "a",
    hub: { token: "t" },
    contextLength: 512,
    store: { mode: "off" },
  });
});
