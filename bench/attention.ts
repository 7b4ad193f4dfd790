// Attention by itself: prompts in tiles against a buffer of all scores, pages against one range, and decode over ever longer pasts.

import { assert } from "../src/base/errors.ts";
import { type KvLayout, stepBytes } from "../src/base/layout.ts";
import { BufferLedger, readbackUsage, uniformUsage } from "../src/gpu/buffers.ts";
import type { Caps } from "../src/gpu/caps.ts";
import { createPipelineCache } from "../src/gpu/pipelines.ts";
import { programRequest } from "../src/graph/program.ts";
import { type AttentionAttributes, partialCols } from "../src/kernels/attention.ts";
import { attentionDecode, chooseSplits } from "../src/kernels/attention_decode.ts";
import { attentionMerge } from "../src/kernels/attention_merge.ts";
import { attentionPrefill } from "../src/kernels/attention_prefill.ts";
import type { KernelTarget, StepShape, Variant } from "../src/kernels/kernel.ts";
import { shaderFiles } from "../src/testing/shader_files.ts";
import { normalised } from "../src/tuning/compare.ts";
import { packStep } from "../src/tuning/operands.ts";
import { timeRounds, type TimingOptions, type Work } from "./measure.ts";
import { type Arena, bufferOf, emptyBuffer, inTurn, makeNumbers, naive, type Numbers, shape } from "./attention_naive.ts";
import type { Ratio } from "./ratios.ts";
import { median } from "./statistics.ts";

export interface AttentionTime {
  readonly name: string;
  readonly tokens: number;
  /** Of the fastest round; of a prompt, or of one token of decode. */
  readonly ms: number;
  /** Of queries, keys, values, outputs and whatever lies between. */
  readonly bytes?: number;
}

export interface AttentionResult {
  readonly shape: { readonly heads: number; readonly kvHeads: number; readonly headDim: number };
  readonly times: readonly AttentionTime[];
  readonly ratios: readonly Ratio[];
}

const promptTokens = [512, 1024, 4096];
const decodeTokens = [512, 1024, 2048, 3072, 4096, 6144, 8192];
const chunkRows = 512;
const pageTokens = 32;
const bound = 1e-6;

type Order = "paged" | "contiguous";

/** As the cache holds them; pages lie in an order of their own. */
function cacheOf({ tokens, k, v }: Numbers, order: Order): { cache: Float32Array<ArrayBuffer>; table: Uint32Array<ArrayBuffer> } {
  const { kvHeads, headDim } = shape;
  const cache = new Float32Array(2 * k.length);
  if (order === "contiguous") {
    cache.set(k);
    cache.set(v, k.length);
    return { cache, table: new Uint32Array(tokens / pageTokens) };
  }
  const pages = tokens / pageTokens;
  // 7 divides no power of two, so that every page is there once.
  const table = Uint32Array.from({ length: pages }, (_, page) => (page * 7 + 3) % pages);
  const part = pageTokens * headDim;
  for (let page = 0; page < pages; page++) {
    for (let head = 0; head < kvHeads; head++) {
      const from = (head * tokens + page * pageTokens) * headDim;
      const at = (table[page] * 2 * kvHeads + head) * part;
      cache.set(k.subarray(from, from + part), at);
      cache.set(v.subarray(from, from + part), at + kvHeads * part);
    }
  }
  return { cache, table };
}

type Bound = Readonly<Record<string, GPUBindingResource>>;

/** One dispatch of a variant on rows from `first` on. */
async function dispatchOf(
  arena: Arena,
  variant: Variant,
  { bound: resources, first, rows }: { bound: Bound; first: number; rows: number },
): Promise<Work> {
  const { device, pipelines, ledger } = arena;
  const pipeline = await pipelines.get(programRequest(variant, rows));
  const state = ledger.create("other", { label: "step", size: stepBytes(rows), usage: uniformUsage | 0x08 });
  const stepRows = Array.from({ length: rows }, (_, row) => ({ token: 0, position: first + row, slot: 0 }));
  device.queue.writeBuffer(state, 0, packStep(stepRows, [0], rows));
  const group = device.createBindGroup({
    layout: pipeline.tensors,
    entries: variant.bindings.map(({ name }, binding) => ({ binding, resource: resources[name] })),
  });
  assert(pipeline.step, "attention reads the step");
  const step = device.createBindGroup({ layout: pipeline.step, entries: [{ binding: 0, resource: { buffer: state } }] });
  const grid = variant.grid({ rows, outputRows: 1, contextTokens: first + rows } satisfies StepShape);
  return (pass) => {
    pass.setPipeline(pipeline.pipeline);
    pass.setBindGroup(0, group);
    pass.setBindGroup(1, step);
    pass.dispatchWorkgroups(...grid);
  };
}

function attributesOf(tokens: number, order: Order): AttentionAttributes {
  const { heads, kvHeads, headDim } = shape;
  const kv: KvLayout = { pageTokens, numKvHeads: kvHeads, headDim, type: "f32", maxPages: tokens / pageTokens, order };
  return { kv, numHeads: heads, scale: 1 / Math.sqrt(headDim) };
}

function targetOf({ caps }: Arena, maxRows: number): KernelTarget {
  return { caps, deviceClass: caps.deviceClass, precision: "f32", maxRows };
}

/** A prompt as the engine computes it: in chunks. */
async function prompt(arena: Arena, numbers: Numbers, order: Order): Promise<{ work: Work; y: GPUBuffer }> {
  const { tokens, q } = numbers;
  const { cache, table } = cacheOf(numbers, order);
  const [kv, pages] = [bufferOf(arena, "kv", cache), bufferOf(arena, "pages", table)];
  const [queries, y] = [bufferOf(arena, "q", q), emptyBuffer(arena, "y", q.length)];
  const [variant] = attentionPrefill.variants(attributesOf(tokens, order), targetOf(arena, chunkRows));
  const size = (chunkRows * q.byteLength) / tokens;
  const works: Work[] = [];
  for (let first = 0; first < tokens; first += chunkRows) {
    const at = { offset: (first / chunkRows) * size, size };
    const resources = { q: { buffer: queries, ...at }, kv: { buffer: kv }, pages: { buffer: pages }, y: { buffer: y, ...at } };
    works.push(await dispatchOf(arena, variant, { bound: resources, first, rows: chunkRows }));
  }
  return { work: inTurn(works), y };
}

async function read({ device, ledger }: Arena, from: GPUBuffer): Promise<Float32Array> {
  const copy = ledger.create("other", { label: "read", size: from.size, usage: readbackUsage });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(from, 0, copy, 0, from.size);
  device.queue.submit([encoder.finish()]);
  await copy.mapAsync(1); // GPUMapMode.READ
  return new Float32Array(copy.getMappedRange().slice(0));
}

function errorOf(found: Float32Array, want: Float32Array): number {
  let [error, norm] = [0, 0];
  for (const [index, value] of want.entries()) {
    error += (found[index] - value) ** 2;
    norm += value ** 2;
  }
  return normalised(error, norm);
}

function ratioOf(name: string, [ours, reference]: readonly [string, string], rounds: readonly (readonly number[])[], goal?: number): Ratio {
  const [mine, other] = rounds;
  return {
    name,
    ours,
    reference,
    ratio: Math.min(...other) / Math.min(...mine),
    medianRatio: median(mine.map((ms, round) => other[round] / ms)),
    ...(goal !== undefined && { goal }),
  };
}

/** What is promised of tiles at so many tokens. */
function tileGoal(caps: Caps, tokens: number): number | undefined {
  if (caps.software) return 1;
  return tokens === 4096 ? 2 : undefined;
}

async function measurePrompt(arena: Arena, tokens: number): Promise<{ times: AttentionTime[]; ratios: Ratio[] }> {
  const numbers = makeNumbers(tokens);
  const made = [await prompt(arena, numbers, "paged"), await prompt(arena, numbers, "contiguous"), await naive(arena, numbers)];
  const works = made.map(({ work }) => work);
  await timeRounds(arena.device, works, { leastMs: 1, rounds: 1 });
  const found = await Promise.all(made.map(({ y }) => read(arena, y)));
  for (const y of found.slice(0, 2)) {
    const error = errorOf(y, found[2]);
    assert(error <= bound, `attention of ${tokens} tokens differs between kernels, NMSE ${error}`);
  }
  const rounds = await timeRounds(arena.device, works, arena.timing);
  const least = rounds.map((one) => Math.min(...one));
  const linear = 4 * (2 * numbers.q.length + 2 * numbers.k.length);
  const times = [
    { name: "prompt in tiles", tokens, ms: least[0], bytes: linear },
    { name: "prompt in tiles, one range", tokens, ms: least[1], bytes: linear },
    { name: "prompt with all scores", tokens, ms: least[2], bytes: linear + 4 * shape.heads * tokens * tokens },
  ];
  return {
    times,
    ratios: [
      ratioOf(`prompt of ${tokens}`, ["tiles", "all scores"], [rounds[0], rounds[2]], tileGoal(arena.caps, tokens)),
      ratioOf(
        `prompt of ${tokens}, cost of pages`,
        ["paged", "contiguous"],
        [rounds[0], rounds[1]],
        arena.caps.software ? undefined : 1 / 1.03,
      ),
    ],
  };
}

/** One token after `tokens - 1`: attention over ranges and what joins them. */
async function decode(arena: Arena, numbers: Numbers, order: Order): Promise<Work[]> {
  const most = numbers.tokens;
  const { cache, table } = cacheOf(numbers, order);
  const target = targetOf(arena, 1);
  const attributes = attributesOf(most, order);
  const split = { ...attributes, ...chooseSplits(target, attributes.kv, most) };
  const resources = {
    q: { buffer: bufferOf(arena, "q", numbers.q.slice(0, shape.heads * shape.headDim)) },
    kv: { buffer: bufferOf(arena, "kv", cache) },
    pages: { buffer: bufferOf(arena, "pages", table) },
    partials: { buffer: emptyBuffer(arena, "partials", partialCols(split)) },
    y: { buffer: emptyBuffer(arena, "y", shape.heads * shape.headDim) },
  };
  const variants = [attentionDecode.variants(split, target)[0], attentionMerge.variants(split, target)[0]];
  const works: Work[] = [];
  for (const tokens of decodeTokens) {
    const step = { bound: resources, first: tokens - 1, rows: 1 };
    works.push(inTurn([await dispatchOf(arena, variants[0], step), await dispatchOf(arena, variants[1], step)]));
  }
  return works;
}

async function measureDecode(arena: Arena): Promise<{ times: AttentionTime[]; ratios: Ratio[] }> {
  const numbers = makeNumbers(Math.max(...decodeTokens));
  const paged = await timeRounds(arena.device, await decode(arena, numbers, "paged"), arena.timing);
  const whole = await timeRounds(arena.device, await decode(arena, numbers, "contiguous"), arena.timing);
  const row = (name: string, rounds: readonly (readonly number[])[]): AttentionTime[] =>
    decodeTokens.map((tokens, index) => ({ name, tokens, ms: Math.min(...rounds[index]) }));
  const last = decodeTokens.length - 1;
  const cost = ratioOf(`token after ${decodeTokens[last]}, cost of pages`, ["paged", "contiguous"], [paged[last], whole[last]]);
  return { times: [...row("token", paged), ...row("token, one range", whole)], ratios: [cost] };
}

/** @throws when kernels differ */
export async function measureAttention(device: GPUDevice, caps: Caps, timing: TimingOptions = {}): Promise<AttentionResult> {
  const times: AttentionTime[] = [];
  const ratios: Ratio[] = [];
  const pipelines = createPipelineCache(device, shaderFiles);
  const measure = async (run: (arena: Arena) => Promise<{ times: AttentionTime[]; ratios: Ratio[] }>): Promise<void> => {
    const ledger = new BufferLedger(device);
    try {
      const found = await run({ device, caps, pipelines, ledger, timing });
      times.push(...found.times);
      ratios.push(...found.ratios);
    } finally {
      ledger.destroyAll();
    }
  };
  for (const tokens of promptTokens) await measure((arena) => measurePrompt(arena, tokens));
  await measure(measureDecode);
  return { shape, times, ratios };
}
