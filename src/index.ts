// The public door of Shaderloom: what is exported here is the API, and nothing else is.

export { createEngine } from "./worker/create_engine.ts";
export { estimate, probe } from "./worker/estimate.ts";
export { openModels } from "./worker/open_models.ts";
export { ShaderloomError } from "./base/errors.ts";
export type { ErrorCode, ErrorDetail, FullErrorCode, PlainError } from "./base/errors.ts";
export type {
  AdapterProbe,
  CallOptions,
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletionMessageParam,
  ChatCompletionRequest,
  ChatLogprobs,
  Completion,
  CompletionLogprobs,
  CompletionRequest,
  ComputePeaks,
  Engine,
  EngineInfo,
  EngineOptions,
  EngineStats,
  Estimate,
  EstimateOptions,
  ExecutionOptions,
  FinishReason,
  FusionName,
  HubOptions,
  KernelReport,
  LoadProgress,
  ModelLibrary,
  ModelLocation,
  ProbeOptions,
  SamplingRequest,
  SessionStorage,
  StoreDiagnostics,
  StorageSpace,
  StoredModel,
  StoreOptions,
  TokenLogprob,
  TopToken,
  TuneOptions,
  TuneProgress,
  TuneReport,
  Usage,
} from "./api/types.ts";
