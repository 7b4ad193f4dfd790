// Owns the loaded model and the load under way. A new model replaces the old one only once it is ready, so that a load that
// fails or is cancelled leaves the page with what it had. Shows nothing itself.

import type { Engine, EngineInfo, EngineOptions, KvType, LoadProgress } from "../index.ts";
import { asProblem, isAbort, isOutOfMemory, type Problem } from "./problem.ts";
import type { Quantize } from "./quantize_field.ts";

export type CreateEngine = (options: EngineOptions) => Promise<Engine>;

/** What a person picked: an absolute address, an `hf:` path, a stored model, a file or the files of one model, and how to call it. */
export interface ModelSource {
  readonly location: string | File | readonly File[];
  readonly name: string;
  /** A file beside this page, small enough to be loaded without asking. */
  readonly bundled?: boolean;
  /** For a gated file. Kept in memory only, and sent to the hub only. */
  readonly token?: string;
  /** Tokens; the engine's own choice when absent. */
  readonly contextLength?: number;
  /** Neither looked for in the model store nor put there. */
  readonly unstored?: boolean;
  /** What float weights become; as they are stored when absent. */
  readonly quantize?: Quantize;
  /** Bytes of GPU memory; what needs more is streamed. What the settings say when absent. */
  readonly memoryBudget?: number;
  /** What keys and values are stored as. What the settings say when absent. */
  readonly kvType?: KvType;
  /** Questions that this model is good for, to start with. */
  readonly prompts?: readonly string[];
}

export interface LoadedModel {
  readonly engine: Engine;
  readonly info: EngineInfo;
  readonly source: ModelSource;
}

export interface ModelEvents {
  onStart(source: ModelSource): void;
  onProgress(progress: LoadProgress): void;
  /** The model is loaded; the one before it is freed after this returns. */
  onReady(model: LoadedModel): void;
  onFail(problem: Problem, source: ModelSource): void;
  onCancel(source: ModelSource): void;
}

/** The engine's options for a source; loading and estimating take the same. */
export function sourceOptions({
  location,
  token,
  contextLength,
  memoryBudget,
  unstored,
  quantize,
  kvType,
}: ModelSource): Pick<EngineOptions, SourceOption> {
  return {
    model: location,
    ...(token === undefined ? {} : { hub: { token } }),
    ...(contextLength === undefined ? {} : { contextLength }),
    ...(memoryBudget === undefined ? {} : { memoryBudget }),
    ...(unstored ? { store: { mode: "off" } } : {}),
    ...(quantize === undefined ? {} : { quantize }),
    ...(kvType === undefined ? {} : { kv: { type: kvType } }),
  };
}

type SourceOption = "model" | "hub" | "contextLength" | "memoryBudget" | "store" | "quantize" | "kv";

interface Load {
  readonly controller: AbortController;
  readonly source: ModelSource;
}

export class ModelHost {
  readonly #create: CreateEngine;
  readonly #events: ModelEvents;
  #current: LoadedModel | undefined;
  #load: Load | undefined;

  constructor(create: CreateEngine, events: ModelEvents) {
    this.#create = create;
    this.#events = events;
  }

  get current(): LoadedModel | undefined {
    return this.#current;
  }

  get loading(): ModelSource | undefined {
    return this.#load?.source;
  }

  /** Loads a model; a load under way is given up for it. Never rejects: the outcome goes to the events. */
  async load(source: ModelSource): Promise<void> {
    const load: Load = { controller: new AbortController(), source };
    const givenUp = this.#load;
    this.#load = load;
    givenUp?.controller.abort();
    this.#events.onStart(source);
    try {
      const model = await this.#open(load);
      if (this.#load !== load) return await release(model);
      const previous = this.#current;
      this.#current = model;
      this.#load = undefined;
      this.#events.onReady(model);
      await release(previous);
    } catch (thrown) {
      if (this.#load !== load) return;
      this.#load = undefined;
      const problem = asProblem(thrown);
      if (isAbort(problem)) this.#events.onCancel(source);
      else this.#events.onFail(problem, source);
    }
  }

  cancel(): void {
    this.#load?.controller.abort();
  }

  /** Lets go of the current model, for example because its device is lost. */
  async drop(): Promise<void> {
    const model = this.#current;
    this.#current = undefined;
    await release(model);
  }

  /** Two models may not fit side by side: then the old one makes room and the load is tried once more. */
  async #open(load: Load): Promise<LoadedModel> {
    try {
      return await this.#openOnce(load);
    } catch (thrown) {
      if (!isOutOfMemory(asProblem(thrown)) || this.#current === undefined || this.#load !== load) throw thrown;
      await this.drop();
      return await this.#openOnce(load);
    }
  }

  async #openOnce({ controller, source }: Load): Promise<LoadedModel> {
    const { signal } = controller;
    const onProgress = (progress: LoadProgress): void => {
      if (this.#load?.controller === controller) this.#events.onProgress(progress);
    };
    const engine = await this.#create({ ...sourceOptions(source), signal, onProgress });
    try {
      return { engine, info: await engine.info(), source };
    } catch (thrown) {
      await engine.unload();
      throw thrown;
    }
  }
}

/** An engine whose end fails is gone all the same, and nothing could be done about it here. */
async function release(model: LoadedModel | undefined): Promise<void> {
  try {
    await model?.engine.unload();
  } catch {
    return;
  }
}
