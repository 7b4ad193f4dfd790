// Validates a request to `completions.create`. No model, no text processing.

import { checkArray, checkNumber, optionalBoolean, optionalNumber, readFields, requestError } from "./fields.ts";
import { MAX_TEXT_LENGTH, readMaxTokens, readShared, sharedFieldNames } from "./sampling_request.ts";
import type { RequestLimits, SharedRequest } from "./sampling_request.ts";

const FIELD_NAMES = [...sharedFieldNames, "prompt", "max_tokens", "echo", "logprobs"];

/** OpenAI's default for this endpoint. */
const DEFAULT_MAX_TOKENS = 16;
const MAX_LOGPROBS = 20;
const MAX_PROMPT_TOKENS = 1 << 24;

export interface ParsedCompletionRequest extends SharedRequest {
  readonly prompt: string | readonly number[];
  readonly maxTokens: number;
  readonly echo: boolean;
  readonly logprobs: number | undefined;
}

function readPrompt(value: unknown, vocabSize: number): string | readonly number[] {
  if (typeof value === "string") {
    if (value.length > MAX_TEXT_LENGTH) throw requestError("prompt", `at most ${MAX_TEXT_LENGTH} characters`, value.length);
    return value;
  }
  if (!Array.isArray(value)) throw requestError("prompt", "a string or an array of token ids", value);
  const ids = checkArray(value, "prompt", MAX_PROMPT_TOKENS);
  if (ids.length === 0) throw requestError("prompt", "a string or at least one token id", value);
  return ids.map((id, i) => checkNumber(id, `prompt[${i}]`, { min: 0, max: vocabSize - 1, integer: true }));
}

/** @throws {ShaderloomError} REQUEST.<field> */
export function parseCompletionRequest(request: unknown, limits: RequestLimits): ParsedCompletionRequest {
  const fields = readFields(request, "", FIELD_NAMES);
  const echo = optionalBoolean(fields, "echo") ?? false;
  return {
    ...readShared(fields, limits),
    prompt: readPrompt(fields.get("prompt"), limits.vocabSize),
    // Without an echo an answer of no tokens would be no answer.
    maxTokens: readMaxTokens(fields, "max_tokens", echo ? 0 : 1) ?? DEFAULT_MAX_TOKENS,
    echo,
    logprobs: optionalNumber(fields, "logprobs", { min: 0, max: MAX_LOGPROBS, integer: true }),
  };
}
