// The shapes of requests and responses: OpenAI's field names, exactly, and the few fields beside them that this engine adds.

import type { KvPolicy } from "../engine/kv_options.ts";
import type { ModelStore, Profile, SessionStats, SessionStorage, TuneProgress, TuneReport } from "../engine/session.ts";
import type { SessionMethods } from "./session_types.ts";

export type { SavedSession, SaveSessionOptions, SuspendedSession } from "./session_types.ts";
export type { SessionMethods, SessionOptions, SessionReport, SessionTransfer } from "./session_types.ts";
export type { EngineOptions, EstimateOptions, ProbeOptions } from "./option_types.ts";
export type { ExecutionOptions, FusionName } from "../engine/execution.ts";
export type { KvEvictOptions, KvOptions, KvPolicy, KvType } from "../engine/kv_options.ts";
export type { LoadProgress } from "../engine/progress.ts";
export type {
  ChromeTrace,
  HubOptions,
  KernelReport,
  LayerState,
  ModelLocation,
  Profile,
  SessionStorage,
  StoreDiagnostics,
  StorageSpace,
  StoredModel,
  StoreOptions,
  StreamingStats,
  TuneProgress,
  TuneReport,
} from "../engine/session.ts";
export type { AdapterProbe, ComputePeaks, Estimate, StreamedEstimate } from "../engine/verdict.ts";

/** One message of a conversation. `content` is null only beside tool calls of the assistant; text parts are joined by newlines. */
export interface ChatCompletionMessageParam {
  readonly role: "system" | "developer" | "user" | "assistant" | "tool";
  readonly content: string | null | ReadonlyArray<{ readonly type: "text"; readonly text: string }>;
  readonly name?: string;
  readonly tool_call_id?: string;
  readonly tool_calls?: readonly unknown[];
  /** Thinking of an earlier assistant turn; templates that know it decide what to keep. */
  readonly reasoning_content?: string;
}

/** Sampling fields shared by both endpoints. `top_k`, `min_p` and `repetition_penalty` are beside OpenAI's. */
export interface SamplingRequest {
  readonly temperature?: number | null;
  readonly top_p?: number | null;
  readonly top_k?: number | null;
  readonly min_p?: number | null;
  readonly repetition_penalty?: number | null;
  readonly frequency_penalty?: number | null;
  readonly presence_penalty?: number | null;
  readonly logit_bias?: Readonly<Record<string, number>> | null;
  readonly seed?: number | null;
  readonly stop?: string | readonly string[] | null;
  /** Keep going past end-of-generation tokens (benchmarks). */
  readonly ignore_eos?: boolean;
}

/** A request to `chat.completions.create`. Without `max_tokens` the answer may fill what is left of the context. */
export interface ChatCompletionRequest extends SamplingRequest {
  readonly messages: readonly ChatCompletionMessageParam[];
  readonly model?: string | null;
  readonly max_tokens?: number | null;
  readonly max_completion_tokens?: number | null;
  readonly n?: number | null;
  readonly stream?: boolean | null;
  readonly stream_options?: { readonly include_usage?: boolean } | null;
  readonly logprobs?: boolean | null;
  readonly top_logprobs?: number | null;
  readonly user?: string | null;
  /** Handed to the model's chat template, e.g. `{ enable_thinking: false }`. */
  readonly chat_template_kwargs?: Readonly<Record<string, unknown>>;
}

/**
 * A request to `completions.create`. A string gets the model's beginning of sequence and never yields control tokens; ids are taken
 * as they are. `max_tokens` defaults to 16; 0 with `echo` scores the prompt only.
 */
export interface CompletionRequest extends SamplingRequest {
  readonly prompt: string | readonly number[];
  readonly model?: string | null;
  readonly max_tokens?: number | null;
  readonly n?: number | null;
  readonly echo?: boolean | null;
  readonly logprobs?: number | null;
  readonly stream?: boolean | null;
  readonly stream_options?: { readonly include_usage?: boolean } | null;
  readonly user?: string | null;
}

/** `stop`: end of generation or a stop string; `length`: max tokens or a full context. */
export type FinishReason = "stop" | "length";

/** Natural logarithm of a token's probability. `bytes` because a token can be part of a character; null for control tokens. */
export interface TokenLogprob {
  readonly token: string;
  readonly logprob: number;
  readonly bytes: number[] | null;
}

/** Log-probabilities of an answer's tokens, each with the most likely alternatives. */
export interface ChatLogprobs {
  readonly content: Array<TokenLogprob & { readonly top_logprobs: TokenLogprob[] }>;
}

/** The most likely tokens at one position, most likely first. */
export interface TopToken {
  readonly id: number;
  readonly token: string;
  readonly bytes: number[];
  readonly logprob: number;
}

/** Log-probabilities of a completion's tokens, and of the prompt's with `echo`; one entry per token in every list. */
export interface CompletionLogprobs {
  readonly tokens: string[];
  /** Null for the first token of an echoed prompt. */
  readonly token_logprobs: Array<number | null>;
  readonly top_logprobs: Array<Record<string, number> | null>;
  /** Where each token's text begins in the returned text, in UTF-16 units. */
  readonly text_offset: number[];
  /** Beside OpenAI's fields: ids and bytes, because different tokens can have the same text. Empty for the first. */
  readonly top: TopToken[][];
}

/** Token counts and times of one call. */
export interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
  /** Of the prompt's tokens, those whose keys and values were there already: none of them was computed again. */
  readonly prompt_tokens_details: { readonly cached_tokens: number };
  /** Beside OpenAI's: tokens per second and milliseconds. */
  readonly prefill_tokens_per_second: number;
  readonly decode_tokens_per_second: number;
  readonly time_to_first_token_ms: number;
  readonly total_ms: number;
  /** Beside OpenAI's, with `kv.evict`: tokens that the model still knows at the end, and tokens of this conversation that it does not. */
  readonly kv?: { readonly policy: KvPolicy; readonly kept_tokens: number; readonly dropped_tokens: number };
}

/** An answer of `chat.completions.create`. */
export interface ChatCompletion {
  readonly id: string;
  readonly object: "chat.completion";
  readonly created: number;
  readonly model: string;
  readonly choices: Array<{
    readonly index: number;
    readonly message: { readonly role: "assistant"; readonly content: string };
    readonly logprobs: ChatLogprobs | null;
    readonly finish_reason: FinishReason;
  }>;
  readonly usage: Usage;
}

/** A part of a streamed answer. The first has the role, the last with a choice has `finish_reason`. */
export interface ChatCompletionChunk {
  readonly id: string;
  readonly object: "chat.completion.chunk";
  readonly created: number;
  readonly model: string;
  readonly choices: Array<{
    readonly index: number;
    readonly delta: { readonly role?: "assistant"; readonly content?: string };
    readonly logprobs: ChatLogprobs | null;
    readonly finish_reason: FinishReason | null;
  }>;
  /** With `stream_options.include_usage`: null, and on one last chunk without choices the counts. */
  readonly usage?: Usage | null;
}

/** An answer of `completions.create`, or a part of one. */
export interface Completion {
  readonly id: string;
  readonly object: "text_completion";
  readonly created: number;
  readonly model: string;
  readonly choices: Array<{
    readonly index: number;
    readonly text: string;
    readonly logprobs: CompletionLogprobs | null;
    readonly finish_reason: FinishReason | null;
  }>;
  readonly usage?: Usage | null;
}

/** What was loaded and onto what. */
export interface EngineInfo {
  readonly model: {
    readonly name: string;
    readonly architecture: string;
    readonly parameters: number;
    /** Tensor count by type name, `{ q8_0: 29, f32: 9 }`. */
    readonly types: Readonly<Record<string, number>>;
    readonly weightBytes: number;
    readonly vocabSize: number;
    readonly trainedContextLength: number;
    readonly chatTemplate: boolean;
  };
  readonly adapter: {
    readonly vendor: string;
    readonly architecture: string;
    readonly description: string;
    readonly deviceClass: "gpu" | "cpu";
    readonly f16: boolean;
  };
  readonly contextLength: number;
  readonly activations: "f32" | "f16" | "int8";
  /** With `kv.evict`: what drops tokens once there is no more room. */
  readonly evict?: KvPolicy;
  readonly worker: boolean;
  readonly storage: SessionStorage;
}

/** Counters and byte ledgers since the load. */
export interface EngineStats extends SessionStats {
  /** Calls that wait for their turn. */
  readonly queued: number;
}

/** Options of one call. `signal` aborts it, whether it waits or runs. */
export interface CallOptions {
  readonly signal?: AbortSignal;
}

/**
 * A loaded model. The same interface in a worker, in the page and in Node.
 *
 * One call runs at a time; up to 64 wait their turn, first in, first out, and more are refused with BUSY. `create` checks the
 * request and makes the prompt at once, so a bad request fails there. A stream takes its turn at the first `next()`: one that
 * nobody reads holds nothing. Generation goes only as fast as the stream is read, and the engine is free for the next call
 * when the stream ends, fails, is aborted or is left (`break`, `return`, `throw`).
 */
export interface Engine extends AsyncDisposable, SessionMethods {
  readonly chat: {
    readonly completions: {
      create(
        request: ChatCompletionRequest & { readonly stream: true },
        options?: CallOptions,
      ): Promise<AsyncIterable<ChatCompletionChunk>>;
      create(request: ChatCompletionRequest & { readonly stream?: false | null }, options?: CallOptions): Promise<ChatCompletion>;
      /** For a `stream` that is decided at run time. */
      create(request: ChatCompletionRequest, options?: CallOptions): Promise<ChatCompletion | AsyncIterable<ChatCompletionChunk>>;
    };
  };
  readonly completions: {
    create(request: CompletionRequest & { readonly stream: true }, options?: CallOptions): Promise<AsyncIterable<Completion>>;
    create(request: CompletionRequest & { readonly stream?: false | null }, options?: CallOptions): Promise<Completion>;
    /** For a `stream` that is decided at run time. */
    create(request: CompletionRequest, options?: CallOptions): Promise<Completion | AsyncIterable<Completion>>;
  };
  /** Ids of a user's text: without a beginning of sequence, and never control tokens. */
  tokenize(text: string): Promise<number[]>;
  /** Text of ids, control tokens by their names. */
  detokenize(ids: readonly number[]): Promise<string>;
  /** The prompt the model's own template makes of the messages. */
  applyChatTemplate(messages: readonly ChatCompletionMessageParam[], kwargs?: Readonly<Record<string, unknown>>): Promise<string>;
  info(): Promise<EngineInfo>;
  /**
   * Checks and times every variant of every matrix product on this adapter, which takes from seconds to minutes. Waits its turn like a
   * request. The engine goes on as it is; the next load runs the winners.
   */
  tune(options?: TuneOptions): Promise<TuneReport>;
  /**
   * Where the time of a decode step and of a prefill step goes on this adapter: each dispatch by itself, with the share that its bytes and
   * multiply-adds have of the adapter's best, as data, as a table to read and as a trace for chrome://tracing or Perfetto. Takes some seconds
   * and waits its turn like a request. The engine goes on as it is. Costs nothing unless called.
   *
   * @throws {ShaderloomError} REQUEST.<option>, AbortError, GPU.oom, GPU.lost
   */
  profile(options?: ProfileOptions): Promise<Profile>;
  stats(): Promise<EngineStats>;
  /** Ends running calls with an AbortError and frees everything. */
  unload(): Promise<void>;
}

/** Options of `profile`. */
export interface ProfileOptions extends CallOptions {
  /** Tokens in the context of the decode step, its own included: from 1 to the context length; default 256 or the whole context. */
  readonly tokens?: number;
  /** Tokens of the prefill step, from 1 to 256 and to the context length; default as many as that. */
  readonly promptTokens?: number;
}

/** Options of `tune`. */
export interface TuneOptions extends CallOptions {
  readonly onProgress?: (progress: TuneProgress) => void;
}

/** The stored models of this origin (or folder), without loading any. */
export interface ModelLibrary extends Pick<
  ModelStore,
  "list" | "verify" | "delete" | "space" | "persist" | "importFile" | "remember" | "fileOf" | "close"
> {}
