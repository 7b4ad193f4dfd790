// What to do about a model that does not fit or would be slow: a context that fits, or the size of file to look for.

import { alignUp } from "../base/math.ts";
import { type KvOptions, type KvType } from "./kv_options.ts";
import type { Estimate, GpuNeed, StreamedEstimate } from "./verdict.ts";

/** Shorter contexts are no use for a conversation. */
const leastContext = 512;
/** Context that a smaller file should still have room for. */
const usefulContext = 2048;
/** Tokens per second below which most people read faster. */
const readingSpeed = 5;
/** Files are offered in steps, and a file a little smaller than it must be always fits. */
const sizeStep = 1e6;

export interface SuggestionInput {
  readonly gpu: GpuNeed;
  readonly contextLength: number;
  readonly fileBytes: number;
  /** Bytes that the GPU has to give; undefined when nobody asked it. */
  readonly givenBytes: number | undefined;
  readonly decodeTokensPerSecond: number | null;
  /** A context that the load would accept, when it refused the one asked for. */
  readonly acceptedContext: number | undefined;
  /** What the caller says of keys and values. */
  readonly kv?: KvOptions | undefined;
  /** How it would run streamed. */
  readonly streamed?: Pick<StreamedEstimate, "memoryBudget" | "decodeTokensPerSecond"> | undefined;
}

export function suggest(input: SuggestionInput): Estimate["suggestion"] {
  const { gpu, givenBytes, acceptedContext, contextLength, decodeTokensPerSecond: speed, fileBytes, streamed } = input;
  if (givenBytes !== undefined && givenBytes < gpu.total) {
    const instead = smaller(input, givenBytes);
    return streamed ? { ...instead, text: `${streamedText(streamed)} ${instead.text}` } : instead;
  }
  if (acceptedContext !== undefined) return { text: `Set the context to ${acceptedContext} tokens.`, contextLength: acceptedContext };
  if (speed === null || speed >= readingSpeed || contextLength === 0) return null;
  // Almost all of a token's time goes into reading the weights.
  const bytes = floorTo(fileBytes * (speed / readingSpeed), sizeStep);
  if (bytes <= 0) return null;
  return {
    text: `It would write more slowly than most people read. Files of about ${inMegabytes(bytes)} would keep up on this machine.`,
    fileBytes: bytes,
  };
}

function streamedText({ memoryBudget, decodeTokensPerSecond: speed }: NonNullable<SuggestionInput["streamed"]>): string {
  const rate = speed < 10 ? speed.toPrecision(2) : Math.round(speed);
  return `It fits streamed, at about ${rate} tokens per second: set memoryBudget to ${memoryBudget}.`;
}

/** What may stand in for a type, those that lose least first: the measured perplexity of the others says that they are no first choice. */
const smallerTypes: readonly KvType[] = ["f16", "q8_0", "q4"];

/** A type of keys and values with which the whole context would fit. */
function smallerType({ gpu, kv }: SuggestionInput, givenBytes: number): KvType | undefined {
  // A budget of the caller's bounds keys and values already, and single tokens are moved, or lie side by side, only as numbers.
  if (kv?.budget !== undefined) return undefined;
  const most = kv?.evict || kv?.layout === "contiguous" ? ["f16"] : smallerTypes;
  const now = gpu.kvTypes[gpu.kvType];
  const room = givenBytes - gpu.total + gpu.kv;
  return smallerTypes.find((type) => most.includes(type) && gpu.kvTypes[type] < now && (gpu.kv * gpu.kvTypes[type]) / now <= room);
}

function smaller(input: SuggestionInput, givenBytes: number): NonNullable<Estimate["suggestion"]> {
  const found = smallerContextOrFile(input, givenBytes);
  const type = smallerType(input, givenBytes);
  if (type === undefined) return found;
  const { gpu } = input;
  const perThousand = `${inMegabytes(gpu.kvTypes[type])} per 1,000 tokens instead of ${inMegabytes(gpu.kvTypes[gpu.kvType])}`;
  const text = `With keys and values as ${type} it would fit, at ${perThousand}: set kv: { type: "${type}" }.`;
  return found.contextLength === undefined ? { text, kvType: type } : { ...found, text: `${text} ${found.text}`, kvType: type };
}

function smallerContextOrFile({ gpu, contextLength, fileBytes }: SuggestionInput, givenBytes: number): NonNullable<Estimate["suggestion"]> {
  const tokenBytes = gpu.kvPerThousandTokens / 1000;
  const room = givenBytes - gpu.weights - gpu.scratch;
  const tokens = tokenBytes > 0 ? floorTo(room / tokenBytes, 32) : 0;
  if (tokens >= Math.min(leastContext, contextLength)) {
    return { text: `With a context of ${tokens} tokens it would fit.`, contextLength: tokens };
  }
  const context = Math.min(contextLength, usefulContext);
  const weights = givenBytes - gpu.scratch - alignUp(context, 32) * tokenBytes;
  const bytes = gpu.weights > 0 ? floorTo((fileBytes * weights) / gpu.weights, sizeStep) : 0;
  if (bytes <= 0) return { text: "Look for a model of far fewer parameters, or close what else uses the GPU." };
  return {
    text: `Look for a file of at most ${inMegabytes(bytes)}: the same model with fewer bits for each weight, or one of fewer parameters.`,
    fileBytes: bytes,
  };
}

function floorTo(value: number, step: number): number {
  return Math.floor(value / step) * step;
}

function inMegabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`;
}
