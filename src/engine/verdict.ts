// The verdict on a model before its download: what it takes, whether it fits, how fast it would run. Plain data; estimate.ts
// makes it.

import type { PlainError } from "../base/errors.ts";
import type { StoreTier } from "../store/chunk_store.ts";
import type { KvType } from "./kv_options.ts";

/** Multiply-adds per second from registers alone: what kernels that memory does not bound could reach. */
export interface ComputePeaks {
  readonly f32: number;
  /** Where shaders have 16-bit floats. */
  readonly f16?: number;
  /** Of bytes, four to an instruction (`dot4I8Packed`), which adapters without it emulate. */
  readonly packedDot: number;
}

/** What a short measurement says of this adapter. Rates are per second. */
export interface AdapterProbe {
  readonly adapter: {
    readonly vendor: string;
    readonly architecture: string;
    readonly description: string;
    readonly deviceClass: "gpu" | "cpu";
    readonly f16: boolean;
  };
  /** What the matrix kernels were measured for. */
  readonly activations: "f32" | "f16" | "int8";
  /** Bytes read and written by a kernel that only copies. */
  readonly copyBytes: number;
  /** Bytes read and written by a kernel on single elements, of activations that a cache may hold. */
  readonly elementBytes: number;
  /** Weights that the decode kernel multiplies, by format name (`q4_0`): one row of activations. */
  readonly decodeWeights: Readonly<Record<string, number>>;
  /** Multiply-adds of the prefill kernel, by format name. */
  readonly prefillProducts: Readonly<Record<string, number>>;
  /** Milliseconds that a product takes beyond its share of these rates, however small it is. */
  readonly productStartMs: { readonly decode: number; readonly prefill: number };
  /** Scores of one query against one key that the attention kernels compute, times head dimension. */
  readonly attentionProducts: { readonly decode: number; readonly prefill: number };
  /** Milliseconds of one more dispatch in a pass. */
  readonly dispatchMs: number;
  /** Milliseconds from submitting a step to holding its small result, beyond those that its work takes. */
  readonly readbackMs: number;
  /**
   * Milliseconds from submitting to holding 16 bytes: of no work at all on an idle adapter (`idleMs`), and of a step, beyond what its work
   * takes, while more steps wait behind it (`loadedMs`), which is how late a token of several in flight is heard of.
   */
  readonly latency: { readonly idleMs: number; readonly loadedMs: number };
  readonly peaks: ComputePeaks;
  /** Bytes written to GPU buffers. */
  readonly uploadBytes: number;
  /** Milliseconds the measurement took. */
  readonly tookMs: number;
}

/** Bytes of GPU memory. */
export interface GpuNeed {
  readonly weights: number;
  /** What keys and values are stored as. */
  readonly kvType: KvType;
  /** Keys and values of 1,000 tokens. */
  readonly kvPerThousandTokens: number;
  /** Likewise of every type, in pages of the size that it has when nobody says. */
  readonly kvTypes: Readonly<Record<KvType, number>>;
  /** Keys and values of the whole context, or as many as their budget has room for. */
  readonly kv: number;
  /** Activations, tables, control and readback buffers. */
  readonly scratch: number;
  /** What the load allocates at once: weights, scratch and the first pages. */
  readonly atLoad: number;
  /** With a full context. */
  readonly total: number;
}

/** How much memory there is for a model. */
export interface MemoryTrial {
  /**
   * `gpu`: that much was allocated and given back. `host`: nothing was, because the adapter computes on the CPU; what the machine is said to
   * spare. `none`: nothing tells, so the need is taken to be met. `budget`: the caller's `memoryBudget`, which is less than there is.
   */
  readonly source: "gpu" | "host" | "none" | "budget";
  /** At most twice the need: the trial stops there. */
  readonly givenBytes: number;
}

/** How a model that does not fit whole would run with weights streamed from this device's storage. */
export interface StreamedEstimate {
  /** What to give as `memoryBudget`: most of the memory that there is. */
  readonly memoryBudget: number;
  /** Least budget with which it runs at all. */
  readonly leastBytes: number;
  readonly residentLayers: number;
  readonly streamedLayers: number;
  /** Weight bytes that are read for each token, and for each chunk of a prompt. */
  readonly bytesPerToken: number;
  readonly decodeTokensPerSecond: number;
  readonly prefillTokensPerSecond: number;
  /** The repacked copy of the layers, beside the model's own files, and whether it is stored already: the first load writes it. */
  readonly imageBytes: number;
  readonly imageStored: boolean;
  /** Where that copy lies; `memory` is the machine's own, anew for each load. */
  readonly tier: StoreTier;
  /** What the speeds rest on: how fast storage was read just now. What the system has in memory reads faster than a disk. */
  readonly readBytesPerSecond: number;
}

/** What a model takes and gives on this machine, from its header alone. */
export interface Estimate {
  readonly name: string;
  readonly architecture: string;
  readonly parameters: number;
  /** By type name: tensors, weights and their bytes in the file. */
  readonly types: Readonly<Record<string, { readonly tensors: number; readonly parameters: number; readonly bytes: number }>>;
  /** Of all files of the model. */
  readonly fileBytes: number;
  /** Left to download: 0 when the model is stored or local. */
  readonly downloadBytes: number;
  readonly contextLength: number;
  readonly trainedContextLength: number;
  /** All 0 when it cannot be laid out at all, as `problems` says. */
  readonly gpu: GpuNeed;
  /** Whether there is memory for it with a full context, and how much is left over (or, negative, lacking). */
  readonly fits: boolean;
  readonly spareBytes: number;
  /** What that rests on; null without a GPU. */
  readonly memory: MemoryTrial | null;
  /** Tokens per second of a prompt of 128 and of the answer after it; null where nothing could be measured. */
  readonly prefillTokensPerSecond: number | null;
  readonly decodeTokensPerSecond: number | null;
  readonly storage: {
    /** Bytes that storing what is left would take; of a model that would be streamed the copy of its layers too. */
    readonly neededBytes: number;
    /** Advice of the browser, which is not always kept to. */
    readonly availableBytes: number | null;
    readonly persisted: boolean;
    /** Whether the model, or a part of it, is stored here already. */
    readonly storedBytes: number;
  };
  /** Why it would not load, as the load would say it; empty when nothing stands against it. */
  readonly problems: readonly PlainError[];
  /** What to do instead, when it does not fit or would be slow: a type of keys and values or a context that fits, or the size of file to look for. */
  readonly suggestion: {
    readonly text: string;
    readonly contextLength?: number;
    readonly fileBytes?: number;
    /** What to set as `kv.type`, for the same context. */
    readonly kvType?: KvType;
  } | null;
  /** Null when it fits whole, when it would not run streamed either, and where nothing could be measured. */
  readonly streamed: StreamedEstimate | null;
  /** What the speeds rest on; null where there is no GPU or nothing to run on it. */
  readonly probe: AdapterProbe | null;
}
