// A request's sampling options as the words of base/layout.ts: what the GPU reads, and what the CPU sampler computes with too, so that
// both round alike.

import { mostStopIds, samplingField, samplingFlag, samplingWords } from "../base/layout.ts";
import { greedySampling, type SamplingParams } from "./params.ts";

/** Weight of the most likely token. */
export const fullWeight: number = 2 ** 31;
/** `topP24` that keeps all. */
export const fullTopP: number = 2 ** 24;

/** Of a temperature of 7e-7: smaller ones are the same, so that no product overflows. */
const mostScale = 2 ** 21;

/** What a draw computes with. */
export interface SamplingRule {
  readonly greedy: boolean;
  /** 0 keeps all. */
  readonly topK: number;
  /** log2(e) / temperature, in f32. */
  readonly scale: number;
  /** Least weight that may be drawn, of 2^31 for the most likely token; at least 1. */
  readonly leastWeight: number;
  /** In units of 2^-24. */
  readonly topP24: number;
}

/** The rule of a request. */
export function samplingRule({ temperature, topK, topP, minP }: SamplingParams): SamplingRule {
  return {
    greedy: temperature === 0 || topK === 1,
    topK,
    scale: temperature === 0 ? 0 : Math.fround(Math.min(Math.LOG2E / temperature, mostScale)),
    leastWeight: Math.max(1, Math.ceil(Math.min(minP, 1) * fullWeight)),
    topP24: Math.floor(Math.min(topP, 1) * fullTopP),
  };
}

/** Whether tokens seen before count. */
export function hasPenalties(params: SamplingParams): boolean {
  return params.repetitionPenalty !== 1 || params.frequencyPenalty !== 0 || params.presencePenalty !== 0;
}

/** What a slot has beside the options. */
export interface SlotState {
  /** The first `mostStopIds` are packed. */
  readonly stopIds?: Iterable<number>;
  readonly counter?: number;
  readonly masked?: boolean;
}

/** [samplingWords] */
export function packSampling(
  params: SamplingParams,
  { stopIds = [], counter = 0, masked = false }: SlotState = {},
): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(samplingWords);
  const floats = new Float32Array(words.buffer);
  const rule = samplingRule(params);
  const stops = [...stopIds].slice(0, mostStopIds);
  const field = samplingField;
  floats[field.temperature] = params.temperature;
  floats[field.topP] = params.topP;
  floats[field.minP] = params.minP;
  floats[field.repetition] = params.repetitionPenalty;
  floats[field.frequency] = params.frequencyPenalty;
  floats[field.presence] = params.presencePenalty;
  floats[field.scale] = rule.scale;
  floats[field.repetitionInverse] = 1 / params.repetitionPenalty;
  words[field.topK] = params.topK;
  words[field.seed] = params.seed;
  words[field.counter] = counter;
  words[field.flags] =
    (hasPenalties(params) ? samplingFlag.penalties : 0) |
    (params.logitBias.size > 0 ? samplingFlag.bias : 0) |
    (masked ? samplingFlag.mask : 0);
  words[field.stopCount] = stops.length;
  words.set(stops, field.stopIds);
  words[field.leastWeight] = rule.leastWeight;
  words[field.topP24] = rule.topP24;
  return words;
}

/** The words of a slot that has no request. */
export function idleSampling(): Uint32Array<ArrayBuffer> {
  return packSampling(greedySampling);
}

/** The rule in a slot's words. */
export function ruleOf(words: Uint32Array<ArrayBuffer>): SamplingRule {
  const floats = new Float32Array(words.buffer, words.byteOffset, words.length);
  return {
    greedy: floats[samplingField.temperature] === 0 || words[samplingField.topK] === 1,
    topK: words[samplingField.topK],
    scale: floats[samplingField.scale],
    leastWeight: words[samplingField.leastWeight],
    topP24: words[samplingField.topP24],
  };
}
