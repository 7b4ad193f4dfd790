// The public door of Shaderloom: what is exported here is the API, and nothing else is.

export { createEngine } from "./worker/create_engine.ts";
export { ShaderloomError } from "./base/errors.ts";
export type { ErrorCode, ErrorDetail, FullErrorCode, PlainError } from "./base/errors.ts";
export type {
  CallOptions,
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletionMessageParam,
  ChatCompletionRequest,
  ChatLogprobs,
  Completion,
  CompletionLogprobs,
  CompletionRequest,
  Engine,
  EngineInfo,
  EngineOptions,
  EngineStats,
  FinishReason,
  HubOptions,
  LoadProgress,
  ModelLocation,
  SamplingRequest,
  TokenLogprob,
  TopToken,
  Usage,
} from "./api/types.ts";
