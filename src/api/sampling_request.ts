// The fields both endpoints share, validated: sampling, stop strings, streaming. Ranges are OpenAI's where OpenAI has the
// field; defaults are OpenAI's too (temperature 1, no filters).

import { pcgHash } from "../base/rng.ts";
import type { SamplingParams } from "../sampling/params.ts";
import { checkArray, checkNumber, checkString, isRecord, optionalBoolean, optionalNumber, readFields, requestError } from "./fields.ts";
import type { Fields } from "./fields.ts";

/** Names of the fields read here. */
export const sharedFieldNames: readonly string[] = [
  "model",
  "n",
  "stream",
  "stream_options",
  "user",
  "temperature",
  "top_p",
  "top_k",
  "min_p",
  "repetition_penalty",
  "frequency_penalty",
  "presence_penalty",
  "logit_bias",
  "seed",
  "stop",
  "ignore_eos",
];

/** Longest text of a prompt or message, in UTF-16 units; longer than any context in tokens. */
export const MAX_TEXT_LENGTH: number = 1 << 24;

const MAX_STOP_STRINGS = 16;
const MAX_STOP_LENGTH = 1024;
const MAX_ID = 2 ** 31 - 1;
/** Logits are divided by both in single precision, on the GPU: what overflows there must not get that far. */
const MIN_TEMPERATURE = 1e-6;
const MIN_REPETITION_PENALTY = 0.01;

export interface SharedRequest {
  readonly sampling: SamplingParams;
  readonly stop: readonly string[];
  readonly ignoreEos: boolean;
  readonly stream: boolean;
  readonly includeUsage: boolean;
}

/** What validation needs to know of the model. */
export interface RequestLimits {
  readonly vocabSize: number;
  /** Taken when the request has no seed. */
  readonly freshSeed: number;
}

/** An integer of any sign and size as the u32 the generator takes; what fits stays what it is. */
function foldSeed(seed: number): number {
  const high = Math.floor(seed / 2 ** 32);
  return (high === 0 ? seed : (seed >>> 0) ^ pcgHash(high)) >>> 0;
}

function readLogitBias(value: unknown, vocabSize: number): ReadonlyMap<number, number> {
  const biases = new Map<number, number>();
  if (value === undefined || value === null) return biases;
  if (!isRecord(value)) throw requestError("logit_bias", "an object from token ids to numbers", value);
  for (const key of Object.keys(value)) {
    const path = `logit_bias.${key.slice(0, 40)}`;
    const id = Number(key);
    if (!/^\d{1,10}$/.test(key) || id >= vocabSize) throw requestError(path, `under a token id from 0 to ${vocabSize - 1}`, key);
    biases.set(id, checkNumber(value[key], path, { min: -100, max: 100 }));
  }
  return biases;
}

function readStop(value: unknown): readonly string[] {
  if (value === undefined || value === null) return [];
  const list = typeof value === "string" ? [value] : checkArray(value, "stop", MAX_STOP_STRINGS);
  return list.map((item, i) => {
    const path = typeof value === "string" ? "stop" : `stop[${i}]`;
    const text = checkString(item, path, MAX_STOP_LENGTH);
    if (text === "") throw requestError(path, "a string that is not empty", item);
    return text;
  });
}

/** What is too small to divide by leaves no token but the likeliest. */
function readTemperature(fields: Fields): number {
  const temperature = optionalNumber(fields, "temperature", { min: 0, max: 2 }) ?? 1;
  return temperature < MIN_TEMPERATURE ? 0 : temperature;
}

function readSampling(fields: Fields, limits: RequestLimits): SamplingParams {
  const safe = Number.MAX_SAFE_INTEGER;
  const seed = optionalNumber(fields, "seed", { min: -safe, max: safe, integer: true });
  return {
    temperature: readTemperature(fields),
    topK: optionalNumber(fields, "top_k", { min: 0, max: MAX_ID, integer: true }) ?? 0,
    topP: optionalNumber(fields, "top_p", { min: 0, max: 1 }) ?? 1,
    minP: optionalNumber(fields, "min_p", { min: 0, max: 1 }) ?? 0,
    repetitionPenalty: optionalNumber(fields, "repetition_penalty", { min: MIN_REPETITION_PENALTY, max: 10 }) ?? 1,
    frequencyPenalty: optionalNumber(fields, "frequency_penalty", { min: -2, max: 2 }) ?? 0,
    presencePenalty: optionalNumber(fields, "presence_penalty", { min: -2, max: 2 }) ?? 0,
    logitBias: readLogitBias(fields.get("logit_bias"), limits.vocabSize),
    seed: seed === undefined ? limits.freshSeed : foldSeed(seed),
  };
}

function readIncludeUsage(value: unknown): boolean {
  if (value === undefined || value === null) return false;
  const include = readFields(value, "stream_options", ["include_usage"]).get("include_usage") ?? false;
  if (typeof include !== "boolean") throw requestError("stream_options.include_usage", "true or false", include);
  return include;
}

/** @throws {ShaderloomError} REQUEST.<field> */
export function readShared(fields: Fields, limits: RequestLimits): SharedRequest {
  // One answer per request: more would need as many sequences in flight.
  const n = fields.get("n") ?? 1;
  if (n !== 1) throw requestError("n", "1 (this engine gives one choice a call)", n);
  for (const name of ["model", "user"]) checkString(fields.get(name) ?? "", name, 4096);
  return {
    sampling: readSampling(fields, limits),
    stop: readStop(fields.get("stop")),
    ignoreEos: optionalBoolean(fields, "ignore_eos") ?? false,
    stream: optionalBoolean(fields, "stream") ?? false,
    includeUsage: readIncludeUsage(fields.get("stream_options")),
  };
}

/** A count of tokens to generate; the context bounds it later. */
export function readMaxTokens(fields: Fields, name: string, min: number): number | undefined {
  return optionalNumber(fields, name, { min, max: Number.MAX_SAFE_INTEGER, integer: true });
}
