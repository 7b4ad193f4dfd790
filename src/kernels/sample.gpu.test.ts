// The GPU's choices against the CPU sampler's, token for token: options by logits by vocabularies, penalties over several steps, masks,
// stop ids and rows that nothing can be chosen from; and the draws of both against exact probabilities.

import { afterAll, describe, expect, test } from "vitest";
import { chosenFlag, chosenWords, maskWords, noToken, samplingField, samplingWords } from "../base/layout.ts";
import { seededRng } from "../base/rng.ts";
import type { DeviceClass } from "../gpu/caps.ts";
import { openDevice } from "../gpu/device.ts";
import type { SamplingParams } from "../sampling/params.ts";
import { sampleToken } from "../sampling/sampler.ts";
import { openTestGpu, skipReason } from "../testing/gpu.ts";
import { createGpuSampler, type GpuSampler } from "../testing/gpu_sampler.ts";
import { chiSquaredP, exactProbabilities, hardLogits, optionSets, penaltySets, samplingParams } from "../testing/sampling_cases.ts";

const gpu = await openTestGpu();
const opened = gpu && (await openDevice(gpu, { maxStorageBuffers: 8 }));
afterAll(() => opened?.destroy());

/** Long enough for drivers that compile slowly on busy machines. */
const timeout = 600_000;

/** @param kind  `hardware`: as GPUs have it, with their lanes and digits */
async function makeSampler(vocabSize: number, rows: number, kind: DeviceClass | "hardware"): Promise<GpuSampler> {
  if (!opened) throw new Error("no GPU");
  const caps = kind === "hardware" ? { ...opened.caps, software: false } : opened.caps;
  return createGpuSampler(opened.device, { vocabSize, rows, caps, deviceClass: kind === "cpu" ? "cpu" : "gpu" });
}

interface Row {
  readonly name: string;
  readonly logits: Float32Array;
  readonly params: SamplingParams;
  readonly promptIds?: readonly number[];
  readonly allowed?: Uint32Array<ArrayBuffer>;
}

/** What the CPU sampler chooses in consecutive steps. */
function cpuIds({ logits, params, promptIds = [], allowed }: Row, draws: number): number[] {
  const completionIds: number[] = [];
  for (let draw = 0; draw < draws; draw++) {
    completionIds.push(sampleToken(logits, params, { promptIds, completionIds, ...(allowed && { allowed }) }, draw));
  }
  return completionIds;
}

/** What the GPU chooses; every word of what it says is checked, ids are returned. */
async function gpuIds(sampler: GpuSampler, rows: readonly Row[], draws: number): Promise<number[][]> {
  const size = rows[0].logits.length;
  const logits = new Float32Array(rows.length * size);
  for (const [slot, { logits: own, params, promptIds = [], allowed }] of rows.entries()) {
    logits.set(own, slot * size);
    sampler.state.begin(slot, { params, promptIds, stopIds: [] });
    sampler.state.setMask(slot, allowed);
  }
  sampler.setLogits(logits);
  const words = await sampler.draw(draws);
  const bits = new Uint32Array(logits.buffer);
  return rows.map((_, slot) =>
    Array.from({ length: draws }, (_unused, draw) => {
      const [id, raw, flag, counter] = words.subarray((draw * rows.length + slot) * chosenWords);
      expect([flag, counter, raw]).toEqual([chosenFlag.ok, draw, bits[slot * size + id]]);
      return id;
    }),
  );
}

/** Rows whose ids differ. */
async function differences(sampler: GpuSampler, rows: readonly Row[], draws: number): Promise<string[]> {
  const found = await gpuIds(sampler, rows, draws);
  return rows.flatMap((row, slot) => {
    const want = cpuIds(row, draws);
    return want.every((id, draw) => id === found[slot][draw]) ? [] : [`${row.name}: ${found[slot].join()}, not ${want.join()}`];
  });
}

function crossed(size: number, kinds: readonly string[], sets: ReadonlyMap<string, Partial<SamplingParams>>): Row[] {
  const logits = hardLogits(size, size);
  let seed = 11 * size;
  return kinds.flatMap((kind) =>
    [...sets].map(([name, changes]) => ({
      name: `${name} on ${kind}`,
      logits: logits.get(kind) ?? expect.fail(kind),
      params: samplingParams(changes, seed++),
      promptIds: [0, size - 1, size >> 1, size >> 2],
    })),
  );
}

function randomMask(size: number, seed: number): Uint32Array<ArrayBuffer> {
  const rng = seededRng(seed);
  const words = new Uint32Array(maskWords(size)).map(() => rng.below(2 ** 32));
  words[0] |= 1;
  return words;
}

/** Options, penalties and masks by logits. */
function crossedRows(size: number): { readonly rows: readonly Row[]; readonly draws: number } {
  const kinds = [...hardLogits(1, 1).keys()];
  const large = size > 1000;
  const plain = crossed(size, large ? kinds.slice(0, 4) : kinds, optionSets);
  const changed = crossed(size, large ? ["normal"] : kinds.filter((kind) => kind !== "denormals"), penaltySets(size));
  const masked = crossed(size, ["normal", "ties"], optionSets).map((row, index) => ({ ...row, allowed: randomMask(size, index) }));
  return { rows: [...plain, ...changed, ...masked], draws: large ? 2 : 6 };
}

function declareCross(deviceClass: DeviceClass): void {
  test.for([1, 7, 1000, 32000])(`ids are the CPU sampler's for %i tokens, ${deviceClass}`, { timeout }, async (size) => {
    const { rows, draws } = crossedRows(size);
    const sampler = await makeSampler(size, rows.length, deviceClass);
    expect(await differences(sampler, rows, draws)).toEqual([]);
    sampler.destroy();
  });
  test(`ids are the CPU sampler's for 151936 tokens, ${deviceClass}`, { timeout }, async () => {
    const names = ["plain", "top-k and top-p", "top-p 0.9", "min-p"];
    const sets = new Map([...optionSets, ...penaltySets(151_936)].filter(([name]) => [...names, "all of them"].includes(name)));
    const rows = crossed(151_936, ["normal", "a few that stand out"], sets);
    const sampler = await makeSampler(151_936, rows.length, deviceClass);
    expect(await differences(sampler, rows, 2)).toEqual([]);
    sampler.destroy();
  });
}

/** Software adapters have a shorter text; browsers on them are spared this one. */
function declareHardware(): void {
  test.skipIf(typeof window !== "undefined")("ids are the CPU sampler's in the text that GPUs have (in Node)", { timeout }, async () => {
    const { rows, draws } = crossedRows(1000);
    const sampler = await makeSampler(1000, rows.length, "hardware");
    expect(await differences(sampler, rows, draws)).toEqual([]);
    sampler.destroy();
  });
}

/** Tokens of what is not about the vocabulary: two tiles. */
const size = 1500;

function declareState(): void {
  const normal = hardLogits(size, 5).get("normal") ?? new Float32Array();
  const hard = (change: (logits: Float32Array) => unknown): Float32Array => {
    const logits = normal.slice();
    change(logits);
    return logits;
  };
  test("rows without a token say why, and keep their counter", { timeout }, async () => {
    const none = new Uint32Array(maskWords(size));
    const only = none.slice();
    only[1200 >>> 5] |= 1 << (1200 & 31);
    const cases = [
      { name: "NaN", logits: hard((l) => (l[1030] = Number.NaN)), flag: chosenFlag.numeric },
      { name: "infinity", logits: hard((l) => (l[3] = Number.POSITIVE_INFINITY)), flag: chosenFlag.numeric },
      { name: "nothing finite", logits: hard((l) => l.fill(Number.NEGATIVE_INFINITY)), flag: chosenFlag.numeric },
      { name: "nothing allowed", logits: normal, allowed: none, flag: chosenFlag.deadEnd },
      { name: "only a hole allowed", logits: hard((l) => (l[1200] = -Infinity)), allowed: only, flag: chosenFlag.deadEnd },
      { name: "NaN that is not allowed", logits: hard((l) => (l[3] = Number.NaN)), allowed: only, flag: chosenFlag.numeric },
    ];
    const sampler = await makeSampler(size, cases.length, "cpu");
    for (const changes of [{}, { temperature: 1 }, { temperature: 1, topK: 5, topP: 0.5, repetitionPenalty: 2 }]) {
      const logits = new Float32Array(cases.length * size);
      for (const [slot, { logits: own, allowed }] of cases.entries()) {
        logits.set(own, slot * size);
        sampler.state.begin(slot, { params: samplingParams(changes, 1), promptIds: [], stopIds: [0] });
        sampler.state.setMask(slot, allowed);
      }
      sampler.setLogits(logits);
      const words = await sampler.draw(2);
      for (const [slot, { name, flag }] of cases.entries()) {
        const got = [...words.subarray((cases.length + slot) * chosenWords, (cases.length + slot + 1) * chosenWords)];
        expect(got, name).toEqual([noToken + flag, 0, flag, 0]);
      }
    }
    sampler.destroy();
  });
  test("stop ids are told, a mask is lifted, and a slot begins anew", { timeout }, async () => {
    const sampler = await makeSampler(size, 1, "cpu");
    sampler.setLogits(normal);
    const best = normal.indexOf(Math.max(...normal));
    const without = new Uint32Array(maskWords(size)).fill(0xffffffff);
    without[best >>> 5] &= ~(1 << (best & 31));
    const params = samplingParams({ repetitionPenalty: 1.001 }, 1);
    sampler.state.begin(0, { params, promptIds: [2], stopIds: [9, best] });
    expect((await sampler.draw(1)).slice(0, 3)[2]).toBe(chosenFlag.stop);
    sampler.state.setMask(0, without);
    const [id, , flag, counter] = await sampler.draw(1);
    expect([id === best, flag, counter]).toEqual([false, chosenFlag.ok, 1]);
    sampler.state.setMask(0);
    expect((await sampler.draw(1))[0]).toBe(best);
    const adjust = await sampler.read("adjust");
    expect([adjust[2 * best], adjust[2 * id], adjust[4]]).toEqual([2, 1, 0x80000000]);
    sampler.state.begin(0, { params, promptIds: [], stopIds: [] });
    expect((await sampler.read("sampling"))[samplingField.counter]).toBe(0);
    expect(await sampler.read("sampling")).toHaveLength(samplingWords);
    expect((await sampler.read("adjust")).every((word) => word === 0)).toBe(true);
    sampler.destroy();
  });
}

function declareDistribution(): void {
  const sequences = 100;
  const draws = 200;
  const sets: readonly Partial<SamplingParams>[] = [
    { temperature: 0.8, seed: 1000 },
    { temperature: 1.2, topK: 100, topP: 0.9, seed: 2000 },
    { temperature: 1, topP: 0.7, seed: 3000 },
    { temperature: 1, minP: 0.02, seed: 4000 },
  ];
  // Whole numbers are the same in a browser, where each draw takes ten times as long.
  const own = typeof window === "undefined" ? sets : sets.slice(0, 2);
  test.for(own)("20,000 draws have their distribution, and the CPU's are the same: %o", { timeout }, async ({ seed = 0, ...changes }) => {
    const logits = hardLogits(size, 77).get("normal") ?? new Float32Array();
    const rows = Array.from({ length: sequences }, (_, slot) => ({
      name: `${slot}`,
      logits,
      params: samplingParams(changes, seed + slot),
    }));
    const sampler = await makeSampler(size, sequences, "cpu");
    const found = (await gpuIds(sampler, rows, draws)).flat();
    sampler.destroy();
    const exact = exactProbabilities(logits, rows[0].params);
    const cpu = rows.flatMap((row) => cpuIds(row, draws));
    expect(found).toHaveLength(20_000);
    const [onGpu, onCpu] = [chiSquaredP(found, exact), chiSquaredP(cpu, exact)];
    const equal = found.filter((id, index) => id === cpu[index]).length;
    console.info(
      `${JSON.stringify(changes)}: p ${onGpu.toFixed(4)} on the GPU, ${onCpu.toFixed(4)} on the CPU; ${equal} of 20000 draws equal`,
    );
    expect(onGpu).toBeGreaterThan(1e-3);
    expect(onCpu).toBeGreaterThan(1e-3);
    expect(equal).toBe(20_000);
    // The test sees a temperature that is 5 % off.
    const off = exactProbabilities(logits, { ...rows[0].params, temperature: 1.05 * rows[0].params.temperature });
    expect(chiSquaredP(found, off)).toBeLessThan(1e-3);
  });
}

describe("sampling", () => {
  if (!opened) test("on a GPU", (context) => context.skip(skipReason()));
  else {
    declareState();
    for (const deviceClass of ["cpu", "gpu"] as const) declareCross(deviceClass);
    declareHardware();
    declareDistribution();
  }
});
