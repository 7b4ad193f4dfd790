// Puts an estimate into words: whether a model fits, what it takes and how fast it would be. Plain text, no DOM.

import type { Estimate, KvType, StreamedEstimate } from "../index.ts";
import { formatBytes, formatCount, formatCountOf, formatParameters, formatRate, formatShare } from "./figures.ts";
import type { Problem } from "./problem.ts";

/** `good`: nothing stands against it; `tight`: it runs, with a drawback; `bad`: it does not run. */
export type Tone = "good" | "tight" | "bad";

/** What the model in use holds and would give back for another. */
export interface Held {
  readonly name: string;
  readonly bytes: number;
}

export interface VerdictFact {
  readonly label: string;
  readonly text: string;
  readonly tone?: Tone;
}

/** A piece of the memory that a model takes. */
export interface MemoryPart {
  readonly kind: "weights" | "conversation" | "working" | "streamed";
  readonly label: string;
  readonly bytes: number;
}

export interface VerdictMemory {
  readonly text: string;
  readonly parts: readonly MemoryPart[];
  /** What there is for a model; undefined when nothing tells. */
  readonly given: number | undefined;
}

export interface Verdict {
  readonly tone: Tone;
  readonly headline: string;
  /** Family, size and types, in one line. */
  readonly about: string;
  /** Undefined when it cannot be laid out at all. */
  readonly memory: VerdictMemory | undefined;
  readonly facts: readonly VerdictFact[];
  readonly problems: readonly Problem[];
  readonly suggestion: string | undefined;
  /** A context that fits, in tokens. */
  readonly contextLength: number | undefined;
  /** What to hold keys and values as, so that it fits. */
  readonly kvType: KvType | undefined;
  /** What the button that goes on says; undefined when going on is pointless. */
  readonly run: string | undefined;
  /** What going on takes of the GPU's memory, in bytes, when the model is streamed; undefined when it is loaded whole. */
  readonly memoryBudget: number | undefined;
}

/** Types named in the line; the rest are summed up. */
const namedTypes = 3;
/** Tokens per second below which most people read faster. */
const readingSpeed = 5;

function isMemory({ code }: Problem): boolean {
  return code === "GPU.oom";
}

/** `Q4_K 62 %, Q6_K 30 %, F32 8 %`, by bytes. */
export function typeMix(types: Estimate["types"]): string {
  const sorted = Object.entries(types).toSorted(([, a], [, b]) => b.bytes - a.bytes);
  const total = sorted.reduce((sum, [, { bytes }]) => sum + bytes, 0);
  if (total === 0) return "";
  const share = (bytes: number): string => (bytes * 100 < total ? "under 1 %" : formatShare(bytes / total));
  const named = sorted.slice(0, namedTypes).map(([name, { bytes }]) => `${name.toUpperCase()} ${share(bytes)}`);
  const rest = sorted.slice(namedTypes);
  if (rest.length > 0) named.push(`${rest.length} more`);
  return named.join(", ");
}

/** The trial stops at twice the need, so what it found then is a lower bound. */
function atLeast({ memory, gpu }: Estimate): string {
  return memory !== null && memory.givenBytes >= gpu.total * 1.99 ? "at least " : "";
}

/** Whether the model would be streamed: not what the model in use makes room for, unless a limit was set. */
function streamedOf({ streamed, memory, spareBytes }: Estimate, held: Held | undefined): StreamedEstimate | undefined {
  const roomAfter = held !== undefined && memory?.source !== "budget" && held.bytes + spareBytes >= 0;
  return roomAfter ? undefined : (streamed ?? undefined);
}

interface Reading {
  readonly held: Held | undefined;
  readonly hard: readonly Problem[];
  readonly streamed: StreamedEstimate | undefined;
}

function headline(estimate: Estimate, { held, hard, streamed }: Reading): Pick<Verdict, "tone" | "headline"> {
  const { fits, spareBytes, memory } = estimate;
  if (hard.length > 0) return { tone: "bad", headline: "This cannot be run here" };
  if (fits && memory?.source === "none") return { tone: "good", headline: "Should fit; how much memory there is cannot be told" };
  if (fits) return { tone: "good", headline: `Fits, with ${atLeast(estimate)}${formatBytes(spareBytes)} to spare` };
  if (streamed)
    return {
      tone: "tight",
      headline: `Does not fit whole; streamed it writes about ${formatRate(streamed.decodeTokensPerSecond)} tokens/s`,
    };
  if (held && held.bytes + spareBytes >= 0) return { tone: "tight", headline: `Fits once ${held.name} has made room` };
  return { tone: "bad", headline: `Does not fit: ${formatBytes(-spareBytes)} short` };
}

function downloadFact({ downloadBytes, fileBytes }: Estimate): VerdictFact {
  const label = "Download";
  if (downloadBytes === 0) return { label, text: "nothing, it is on this device" };
  if (downloadBytes < fileBytes)
    return { label, text: `${formatBytes(downloadBytes)} of ${formatBytes(fileBytes)}, the rest is here already` };
  return { label, text: formatBytes(downloadBytes) };
}

function speedFacts(
  { decodeTokensPerSecond: answer, prefillTokensPerSecond: prompt }: Estimate,
  streamed?: StreamedEstimate,
): VerdictFact[] {
  if (streamed) return streamedFacts(streamed);
  if (answer === null || prompt === null) return [];
  return [speedFact(answer, prompt)];
}

function speedFact(answer: number, prompt: number): VerdictFact {
  const slow = answer < readingSpeed;
  return {
    label: "Speed",
    text: `about ${formatRate(answer)} tokens/s${slow ? ", slower than most people read" : ""}; prompts ${formatRate(prompt)} tokens/s`,
    ...(slow ? { tone: "tight" } : {}),
  };
}

function streamedFacts(streamed: StreamedEstimate): VerdictFact[] {
  const { residentLayers, streamedLayers, bytesPerToken, readBytesPerSecond, tier } = streamed;
  const from = tier === "memory" ? "this computer's memory" : "storage";
  const layers = `${formatCount(streamedLayers)} of ${formatCountOf(residentLayers + streamedLayers, "layer")}`;
  const text = `${layers} are read from ${from} for each token: ${formatBytes(bytesPerToken)} at ${formatBytes(readBytesPerSecond)}/s`;
  return [speedFact(streamed.decodeTokensPerSecond, streamed.prefillTokensPerSecond), { label: "Streamed", text }];
}

/** Where the copy of the layers goes that a streamed model is read from. */
function copyFacts({ tier, imageBytes, imageStored }: StreamedEstimate): VerdictFact[] {
  const label = "Copy";
  const size = formatBytes(imageBytes);
  if (imageStored) return [{ label, text: `${size}, it is on this device` }];
  if (tier === "memory") return [{ label, text: `${size} of this computer's memory, made anew at each load`, tone: "tight" }];
  return [{ label, text: `${size} of layers is stored beside the model, once, before it runs` }];
}

function storageFacts({ storage, downloadBytes }: Estimate, streamed?: StreamedEstimate): VerdictFact[] {
  const { neededBytes, availableBytes, persisted } = storage;
  const copy = streamed ? copyFacts(streamed) : [];
  if (downloadBytes === 0 && (!streamed || neededBytes === 0)) return copy;
  const label = "Storage";
  const needed = formatBytes(neededBytes);
  if (availableBytes !== null && neededBytes > availableBytes) {
    const text = `${needed} needed, the browser offers about ${formatBytes(availableBytes)}: it would run from memory and not be kept`;
    return [...copy, { label, text, tone: "tight" }];
  }
  const free = availableBytes === null ? "" : ` of about ${formatBytes(availableBytes)} free`;
  const kept = persisted ? "kept until you delete it" : "kept, unless the browser runs out of space";
  return [...copy, { label, text: `${needed}${free}; ${kept}` }];
}

function memoryText(estimate: Estimate): string {
  const { gpu, memory } = estimate;
  const need = (kind: string): string => `${formatBytes(gpu.total)} of ${kind} with a full context`;
  if (memory === null || memory.source === "none") return need("GPU memory");
  const given = `${atLeast(estimate)}${formatBytes(memory.givenBytes)}`;
  if (memory.source === "budget") return `${need("GPU memory")}; your limit is ${formatBytes(memory.givenBytes)}`;
  // An adapter that computes on the CPU takes the machine's memory.
  if (memory.source === "host") return `${need("memory")}; this machine can spare ${given}`;
  return `${need("GPU memory")}; the GPU gave ${given}`;
}

function memoryOf(estimate: Estimate, streamed: StreamedEstimate | undefined): Verdict["memory"] {
  const { gpu, memory } = estimate;
  // It cannot be laid out at all, as the problems say.
  if (gpu.total === 0) return undefined;
  const comes = Math.min(gpu.weights, streamed?.bytesPerToken ?? 0);
  const parts: MemoryPart[] = [
    { kind: "weights", label: streamed ? "weights that stay" : "weights", bytes: gpu.weights - comes },
    { kind: "conversation", label: `conversation (${gpu.kvType})`, bytes: gpu.kv },
    { kind: "working", label: "working memory", bytes: Math.max(0, gpu.total - gpu.weights - gpu.kv) },
    ...(streamed ? [{ kind: "streamed" as const, label: "streamed weights", bytes: comes }] : []),
  ];
  return { text: memoryText(estimate), parts, given: memory === null || memory.source === "none" ? undefined : memory.givenBytes };
}

function runLabel({ downloadBytes, storage }: Estimate, tone: Tone, { hard, streamed }: Reading): string | undefined {
  if (hard.length > 0) return undefined;
  if (streamed) return `Run streamed (about ${formatRate(streamed.decodeTokensPerSecond)} tokens/s)`;
  if (tone === "bad") return "Try anyway";
  if (downloadBytes === 0) return "Load";
  return storage.storedBytes > 0 ? "Resume and run" : "Download and run";
}

/** A type of keys and values with which it would fit, and a context. */
function smallerText({ contextLength, kvType }: { contextLength?: number; kvType: KvType }, gpu: Estimate["gpu"]): string {
  const each = `${formatBytes(gpu.kvTypes[kvType])} for 1,000 tokens instead of ${formatBytes(gpu.kvPerThousandTokens)}`;
  const context = contextLength === undefined ? "" : `, and with a context of ${formatCount(contextLength)} tokens as it is`;
  return `With its chat memory in ${kvType} it would fit, at ${each}${context}.`;
}

/** What would run without streaming. */
function wholeText({ contextLength, fileBytes }: NonNullable<Estimate["suggestion"]>): string | undefined {
  if (contextLength !== undefined) return `With a context of ${formatCount(contextLength)} tokens it would fit whole, and be faster.`;
  return fileBytes === undefined ? undefined : `A file of at most ${formatBytes(fileBytes)} would fit whole, and be faster.`;
}

function suggestionText(suggestion: NonNullable<Estimate["suggestion"]>, { gpu, streamed }: Estimate): string | undefined {
  const { contextLength, kvType } = suggestion;
  if (kvType !== undefined) return smallerText({ kvType, ...(contextLength === undefined ? {} : { contextLength }) }, gpu);
  return streamed ? wholeText(suggestion) : suggestion.text;
}

/** @param held what the model in use would give back, when there is one */
export function readVerdict(estimate: Estimate, held?: Held): Verdict {
  // Too little memory is what the bar and the headline are about.
  const hard = estimate.problems.filter((problem) => !isMemory(problem));
  const streamed = streamedOf(estimate, held);
  const reading = { held, hard, streamed };
  const { tone, headline: text } = headline(estimate, reading);
  const { architecture, parameters, types, contextLength, trainedContextLength, gpu, suggestion } = estimate;
  const about = [architecture, `${formatParameters(parameters)} parameters`, typeMix(types)].filter((part) => part !== "").join(" · ");
  const trained = trainedContextLength > contextLength ? `, trained for ${formatCount(trainedContextLength)}` : "";
  const each = gpu.kvPerThousandTokens > 0 ? `; 1,000 take ${formatBytes(gpu.kvPerThousandTokens)} as ${gpu.kvType}` : "";
  const context = `${formatCount(contextLength)} tokens${trained}${each}`;
  return {
    tone,
    headline: text,
    about,
    memory: memoryOf(estimate, streamed),
    facts: [
      downloadFact(estimate),
      ...speedFacts(estimate, streamed),
      { label: "Context", text: context },
      ...storageFacts(estimate, streamed),
    ],
    problems: hard,
    suggestion: suggestion === null ? undefined : suggestionText(suggestion, estimate),
    contextLength: suggestion?.contextLength,
    kvType: suggestion?.kvType,
    run: runLabel(estimate, tone, reading),
    memoryBudget: hard.length > 0 ? undefined : streamed?.memoryBudget,
  };
}
