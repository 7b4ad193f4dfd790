// A model library and an estimate without a store, a file or a GPU, for tests of the page.
import type { AdapterProbe, Estimate, ModelLibrary, StorageSpace, StoredModel, StreamedEstimate } from "../api/types.ts";
import { ShaderloomError } from "../base/errors.ts";

/** A complete, verified download; `part` replaces what a test is about. */
export function storedModel(part: Partial<StoredModel> = {}): StoredModel {
  return {
    id: "a",
    kind: "downloaded",
    name: "model.gguf",
    location: "https://host.example/model.gguf",
    revision: "1",
    bytes: 386e6,
    storedBytes: part.bytes ?? 386e6,
    imageBytes: 0,
    complete: true,
    verified: true,
    tier: "indexeddb",
    files: 1,
    createdAt: 0,
    usedAt: 0,
    ...part,
  };
}

export interface FakeLibrary extends ModelLibrary {
  models: StoredModel[];
  readonly calls: string[];
  /** What the next work on a model throws. */
  failure: Error | undefined;
  damaged: number;
  spaceNow: StorageSpace;
  /** Resolves work that reports progress; until then it waits. */
  finish: () => void;
  /** Whether work waits for `finish`. */
  slow: boolean;
}

export function fakeLibrary(models: readonly StoredModel[] = []): FakeLibrary {
  const log = (call: string): void => {
    library.calls.push(call);
    const { failure } = library;
    library.failure = undefined;
    if (failure) throw failure;
  };
  const work = async (total: number, { signal, onProgress }: Parameters<ModelLibrary["verify"]>[1] = {}): Promise<void> => {
    onProgress?.(total / 4, total);
    if (!library.slow) return;
    await new Promise<void>((resolve, reject) => {
      library.finish = resolve;
      signal?.addEventListener("abort", () => reject(new ShaderloomError("AbortError", "The call was aborted by its signal.")));
    });
  };
  const library: FakeLibrary = {
    models: [...models],
    calls: [],
    failure: undefined,
    damaged: 0,
    slow: false,
    spaceNow: { usedBytes: 1.2e9, availableBytes: 8.4e10, persisted: false },
    finish: () => undefined,
    list: async () => [...library.models],
    space: async () => library.spaceNow,
    async verify(id, options) {
      log(`verify ${id}`);
      await work(100, options);
      return { chunks: 93, damaged: library.damaged };
    },
    async delete(id) {
      log(`delete ${id}`);
      library.models = library.models.filter((model) => model.id !== id);
    },
    async persist() {
      log("persist");
      library.spaceNow = { ...library.spaceNow, persisted: true };
      return true;
    },
    async importFile(file, options) {
      log(`import ${file.name}`);
      await work(file.size, options);
      const copy = storedModel({ id: `copy of ${file.name}`, kind: "imported", name: file.name, location: "stored:c", bytes: file.size });
      library.models.push(copy);
      return copy;
    },
    async remember(handle) {
      log(`remember ${handle.name}`);
      const model = storedModel({ id: "r", kind: "remembered", name: handle.name, location: "stored:r", storedBytes: 0, verified: false });
      library.models.push(model);
      return model;
    },
    async fileOf(id) {
      log(`file ${id}`);
      return new File(["GGUF"], "file.gguf");
    },
    close: () => undefined,
  };
  return library;
}

/** What streaming a model of 1.2 GB from storage might give. */
export function fakeStreamed(part: Partial<StreamedEstimate> = {}): StreamedEstimate {
  return {
    memoryBudget: 3e8,
    leastBytes: 1.2e8,
    residentLayers: 8,
    streamedLayers: 24,
    bytesPerToken: 2.8e8,
    decodeTokensPerSecond: 4.2,
    prefillTokensPerSecond: 60,
    imageBytes: 3.6e8,
    imageStored: false,
    tier: "opfs",
    readBytesPerSecond: 1.3e9,
    ...part,
  };
}

/** Only there: nothing above the engine looks inside. */
const fakeProbe = { copyBytes: 1 } as AdapterProbe;

/** What a 360M model in Q8_0 would take. */
export function fakeEstimate(part: Partial<Estimate> = {}): Estimate {
  return {
    name: "SmolLM2 360M Instruct",
    architecture: "llama",
    parameters: 361.8e6,
    types: {
      q8_0: { tensors: 225, parameters: 361.7e6, bytes: 384.3e6 },
      f32: { tensors: 65, parameters: 0.1e6, bytes: 0.25e6 },
    },
    fileBytes: 386.4e6,
    downloadBytes: 386.4e6,
    contextLength: 4096,
    trainedContextLength: 8192,
    gpu: {
      weights: 390e6,
      kvType: "f16",
      kvPerThousandTokens: 41e6,
      kvTypes: { f32: 82e6, f16: 41e6, q8_0: 21.8e6, bfp4: 11.5e6, q4: 11.5e6, kivi2: 6.4e6 },
      kv: 168e6,
      scratch: 62e6,
      atLoad: 470e6,
      total: 620e6,
    },
    fits: true,
    spareBytes: 620e6,
    memory: { source: "gpu", givenBytes: 1240e6 },
    prefillTokensPerSecond: 1840,
    decodeTokensPerSecond: 94,
    storage: { neededBytes: 386.4e6, availableBytes: 8.4e10, persisted: false, storedBytes: 0 },
    problems: [],
    suggestion: null,
    streamed: null,
    probe: fakeProbe,
    ...part,
  };
}
