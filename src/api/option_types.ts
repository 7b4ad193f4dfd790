// What a caller says of an engine, an estimate or a probe before there is one. Plain types; engine_options.ts checks them.

import type { ExecutionOptions } from "../engine/execution.ts";
import type { KvOptions } from "../engine/kv_options.ts";
import type { LoadProgress } from "../engine/progress.ts";
import type { HubOptions, ModelLocation, StoreOptions, TuningMode } from "../engine/session.ts";
import type { AdapterProbe } from "../engine/verdict.ts";

/** Options of `createEngine`. */
export interface EngineOptions {
  /**
   * A URL, `hf:owner/repo/file.gguf[@revision]`, `stored:<id>`, a File or Blob, or the bytes of a GGUF file. Of a split model the first
   * shard's address, or all files; of a safetensors folder `hf:owner/repo`, its config.json's address, or all files.
   */
  readonly model: ModelLocation;
  /** Run in a worker of its own (default true in pages whose workers have WebGPU). */
  readonly worker?: boolean;
  /** Most tokens of prompt and answer together; default min(the model's, 4096). */
  readonly contextLength?: number;
  /**
   * Most bytes of GPU memory, keys and values of the whole context included. A model that needs more is streamed: its layers are stored once more
   * in the form that the GPU has them, and those that do not fit are read again for every token. Less than what works at all is refused with
   * GPU.budget, which says the least. Left out, nothing is streamed.
   */
  readonly memoryBudget?: number;
  readonly onProgress?: (progress: LoadProgress) => void;
  /** Aborts the load. */
  readonly signal?: AbortSignal;
  /** A WebGPU implementation, where `navigator.gpu` is not it (Node). Implies `worker: false`. */
  readonly gpu?: GPU;
  /**
   * Precision class: `f32` (default), `f16` stores activations and KV in half precision where the adapter can, `int8`
   * quantizes the inputs of matrix products to 8 bit. Classes differ in text; what is chosen inside one (`tuning`) by rounding alone.
   */
  readonly activations?: "f32" | "f16" | "int8";
  /** Forces the GPU or the CPU-driver program; chosen from the adapter by default. */
  readonly deviceClass?: "gpu" | "cpu";
  readonly hub?: HubOptions;
  /** sha256 of the file, 64 hex digits; of a model in several files one for each with weights. A file that is something else is refused. */
  readonly sha256?: string | readonly string[];
  /** How the model store is used. */
  readonly store?: StoreOptions;
  /** What float matrices become while they are loaded, embedding and head 8 bits at least; left out, only FP8 changes, to Q8_0. */
  readonly quantize?: "q8_0" | "q4_0" | "q4_k";
  /**
   * How kernels are chosen among equals. `auto` (default): a race at the first load on an adapter, remembered. `race`: one at each load that
   * remembers none, however small the model. `off`: the same variants everywhere, for answers that are equal to the last bit. In every mode
   * each kernel is checked at each load.
   */
  readonly tuning?: TuningMode;
  /** Decodes every weight once more on the CPU to look for NaN and infinity, which scales and plain values are looked at for anyway. */
  readonly checkWeights?: boolean;
  /** How steps are run. What is left out is measured or chosen for the adapter, which is right for everything but measuring. */
  readonly execution?: ExecutionOptions;
  /** How keys and values are kept: their type, how many, and what happens when there is no more room. */
  readonly kv?: KvOptions;
}

/** Options of `estimate`. */
export interface EstimateOptions extends Pick<
  EngineOptions,
  | "model"
  | "contextLength"
  | "memoryBudget"
  | "activations"
  | "deviceClass"
  | "hub"
  | "gpu"
  | "store"
  | "signal"
  | "quantize"
  | "execution"
  | "kv"
> {
  /** A probe of before, to skip measuring. */
  readonly probe?: AdapterProbe;
  /** Run in a worker of its own, as for `createEngine`. */
  readonly worker?: boolean;
}

/** Options of `probe`. */
export type ProbeOptions = Pick<EngineOptions, "gpu" | "deviceClass" | "activations" | "worker" | "signal">;
