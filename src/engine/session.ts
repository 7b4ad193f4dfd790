// What the engine offers the API: a loaded model that turns token ids into token ids. Text shapes, OpenAI fields and stop
// strings live above it.

import type { Tokenizer } from "../text/tokenizer.ts";
import type { ChatTemplate } from "../text/chat_template.ts";
import type { SamplingParams } from "../sampling/params.ts";
import type { KernelReport } from "../tuning/report.ts";
import type { TuneProgress, TuneReport } from "../tuning/tune.ts";

import type { StoreTier } from "../store/chunk_store.ts";
import type { StoreDiagnostics } from "../store/diagnostics.ts";
import type { PlainError } from "../base/errors.ts";
import type { KvBounds, KvPolicy, KvType } from "./kv_options.ts";
import type { NeuronStats } from "../streaming/neurons/neuron_cache.ts";
import type { StreamingStats } from "../streaming/types.ts";
import type { Profile, ProfileOptions } from "./profile_report.ts";
import type { Conversations } from "./snapshot_types.ts";

export type { ChromeTrace, Profile, ProfileOptions } from "./profile_report.ts";
export type { TuneProgress, TuneReport } from "../tuning/tune.ts";
export type { KernelReport, TuningMode } from "../tuning/report.ts";
export type { LayerState, StreamingStats } from "../streaming/types.ts";
export type { StoreDiagnostics } from "../store/diagnostics.ts";
export type { Conversations, SavedSession, SessionTransfer, SuspendedSession } from "./snapshot_types.ts";
export type { ModelStore, StorageSpace, StoredModel } from "../store/model_store.ts";
export type { HubOptions, ModelLocation } from "../weights/source.ts";

/** How a load uses the model store. */
export interface StoreOptions {
  /**
   * `use` (default): a stored model is loaded without asking the network; what is downloaded is stored. `refresh`: the server is asked first
   * whether the file changed. `off`: nothing is read from the store or written to it.
   */
  readonly mode?: "use" | "refresh" | "off";
  /** Where chunks of a new download go; by default `opfs` where sync access handles are (in a worker), else `indexeddb`. */
  readonly tier?: "opfs" | "indexeddb";
  /** A folder to store in, where there is no browser (Node). Without it nothing is stored there. */
  readonly folder?: string;
  /** When storage is refused: go on without storing (`memory`, the default) or fail with QUOTA (`error`). */
  readonly onFull?: "memory" | "error";
  /** Whether other models, those used longest ago first, may be deleted to make room. Default false: nothing is ever deleted. */
  readonly evict?: boolean;
}

/** Where the weights of a loaded model came from, and what went wrong and was mended on the way. */
export interface SessionStorage {
  /** Null when nothing was stored: local files, bytes, `off`, no storage. */
  readonly tier: StoreTier | null;
  /** The stored model, for `models().delete(id)` and others. */
  readonly model: string | null;
  /** Whether the next load needs no network. */
  readonly complete: boolean;
  /** Whether the whole file was hashed and is what its origin or the caller promised. */
  readonly verified: boolean;
  readonly diagnostics: StoreDiagnostics;
  /** Why the model is not stored, or not all of it; null when it is. */
  readonly warning: PlainError | null;
}

/** A request in tokens. */
export interface GenerateRequest {
  readonly promptIds: readonly number[];
  /** Most tokens to generate; 0 with `promptLogprobs` scores the prompt only. */
  readonly maxTokens: number;
  readonly sampling: SamplingParams;
  /** Ids that end generation; the ending id is reported, not counted as text. */
  readonly stopIds: ReadonlySet<number>;
  /** Report the log-probability of each generated token and this many most likely alternatives (0: of the token alone). */
  readonly logprobs?: number;
  /** Likewise for every prompt token. */
  readonly promptLogprobs?: number;
  /**
   * Which ids may come next, bit i of the words for id i; undefined allows all. Called before each token with those generated so far, which
   * keeps a single token in flight. Fails with GRAMMAR.dead_end when it allows nothing.
   */
  readonly mask?: (completionIds: readonly number[]) => Uint32Array | undefined;
  readonly signal?: AbortSignal;
}

/** Log-probability of a token and of the most likely ones at its position, most likely first. */
export interface TokenScore {
  readonly id: number;
  readonly logprob: number;
  readonly top: ReadonlyArray<{ readonly id: number; readonly logprob: number }>;
}

/** Why generation ended. */
export type EndReason = "stop" | "length";

/** What `generate` yields, in order: prompt scores (when asked for), tokens, one end. */
export type GenerateEvent =
  | {
      readonly kind: "prompt";
      readonly cachedTokens: number;
      readonly prefillMs: number;
      readonly scores: ReadonlyArray<TokenScore | null>;
    }
  | { readonly kind: "token"; readonly id: number; readonly score?: TokenScore }
  | { readonly kind: "end"; readonly reason: EndReason; readonly decodeMs: number; readonly generated: number };

/** What a policy of eviction left of a conversation: tokens that are held, and tokens dropped since the conversation began. */
export interface KvUsage {
  readonly policy: KvPolicy;
  readonly keptTokens: number;
  readonly droppedTokens: number;
}

/** Facts of the loaded model and its device, plain data. */
export interface SessionInfo {
  readonly name: string;
  readonly architecture: string;
  readonly parameters: number;
  readonly types: Readonly<Record<string, number>>;
  readonly weightBytes: number;
  readonly vocabSize: number;
  readonly trainedContextLength: number;
  readonly contextLength: number;
  readonly adapter: {
    readonly vendor: string;
    readonly architecture: string;
    readonly description: string;
    readonly deviceClass: "gpu" | "cpu";
    readonly f16: boolean;
  };
  readonly activations: "f32" | "f16" | "int8";
  /** The policy that drops tokens where there would be no room; undefined: none, and CONTEXT instead. */
  readonly evict?: KvPolicy | undefined;
  /** What bounds the context; the API says it where there is no more room. */
  readonly kv?: KvBounds | undefined;
  readonly storage: SessionStorage;
}

/** Pages of keys and values. */
export interface KvPageStats {
  /** Those of kept prefixes included. */
  readonly used: number;
  readonly capacity: number;
  /** How often the pools were replaced by larger ones. */
  readonly growths: number;
  /** Of those used, pages that only later requests may want: prefixes of earlier ones. */
  readonly cached: number;
  readonly type: KvType;
  readonly pageTokens: number;
  /** In all layers. */
  readonly bytesPerThousandTokens: number;
}

/** Counters and byte ledgers since the load. */
export interface SessionStats {
  readonly gpuBytes: {
    readonly weights: number;
    readonly kv: number;
    readonly activations: number;
    readonly other: number;
    readonly total: number;
    /** Most at once since the load began. */
    readonly peak: number;
  };
  readonly kvPages: KvPageStats;
  /** Dispatches of a greedy decode step and of a prefill step. */
  readonly dispatches: { readonly decode: number; readonly prefill: number };
  /** Names of the fusions in each program. */
  readonly fusion: { readonly decode: readonly string[]; readonly prefill: readonly string[] };
  /** Distinct pipelines: at most 30 where the layers' matrices have up to six types and neither a race nor a choice of passes says otherwise, some two for each type more. */
  readonly pipelines: number;
  /** Which variants run, what was dropped and what was measured. */
  readonly kernels: KernelReport;
  readonly steps: number;
  /** Of these, steps of a row for each sequence. */
  readonly decodeSteps: number;
  /** Tokens of prompts that were computed: those that no kept page had. */
  readonly promptTokens: number;
  readonly tokensGenerated: number;
  /**
   * Decode steps that are submitted before the first of them is awaited, as last measured or as forced; 1 after a request whose steps need the
   * token before: where the CPU chooses it, or a mask or more scores than the GPU tells are asked for.
   */
  readonly tokensInFlight: number;
  /** Tokens that were computed ahead and thrown away, because a request ended before them. */
  readonly discardedTokens: number;
  /** Submits that prompts were cut into, and the longest of them from its start on the GPU to its end, as far as that can be told. */
  readonly prefillSubmits: { readonly count: number; readonly longestMs: number };
  /** Null where all weights are on the GPU. */
  readonly streaming: StreamingStats | null;
  /** Of `execution.neurons`; null without. */
  readonly neurons: NeuronStats | null;
  readonly loadMs: number;
  /** Mean JavaScript time to encode a decode step, in milliseconds. */
  readonly encodeMs: number;
  /** Mean time that the browser takes to accept an encoded step, in milliseconds. */
  readonly submitMs: number;
}

/**
 * A loaded model. One `generate` runs at a time: the API queues callers. Leaving the iteration early (break, throw, abort)
 * leaves the session ready for the next call.
 */
export interface Session {
  readonly tokenizer: Tokenizer;
  /** Undefined when the file carries no template. */
  readonly chatTemplate: ChatTemplate | undefined;
  /** @throws {ShaderloomError} CONTEXT when the prompt does not fit, AbortError, GPU.lost, GPU.numeric */
  generate(request: GenerateRequest): AsyncGenerator<GenerateEvent, void, undefined>;
  /**
   * Checks and times every variant of every product on this adapter. The session runs on as it is; the next load finds the winners. Not
   * while a `generate` runs.
   * @throws {ShaderloomError} AbortError, GPU.lost, GPU.oom
   */
  tune(options?: {
    readonly signal?: AbortSignal | undefined;
    readonly onProgress?: ((progress: TuneProgress) => void) | undefined;
  }): Promise<TuneReport>;
  /**
   * Times every dispatch of a decode step and of a prefill step. The session runs on as it is. Not
   * while a `generate` runs.
   * @param options  both numbers at least 1 and within the context, `promptTokens` at most a chunk's 256
   * @throws {ShaderloomError} AbortError, GPU.lost, GPU.oom
   */
  profile(options?: ProfileOptions): Promise<Profile>;
  info(): SessionInfo;
  stats(): SessionStats;
  /** Of the last conversation, once a `generate` has ended or was left; undefined without a policy. */
  kvUsage?(): KvUsage | undefined;
  /** Conversations beyond the GPU's memory; what does the work comes with the first call. @throws {ShaderloomError} NET.script */
  readonly conversations?: (() => Promise<Conversations>) | undefined;
  /** Frees the device and all memory. Idempotent. */
  destroy(): void;
}
