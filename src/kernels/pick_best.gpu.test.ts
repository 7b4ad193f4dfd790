// From a head's own logits to a token: rows of weights that make exact logits, hard ones among them, through `linear` and `pick_best`, against
// what the sampler's reference chooses of the same logits.

import { expect, test } from "vitest";
import { chosenFlag, noToken, samplingField, samplingWords } from "../base/layout.ts";
import { seededRng } from "../base/rng.ts";
import { f32 } from "../formats/float.ts";
import { packMatrix } from "../formats/format.ts";
import { openDevice } from "../gpu/device.ts";
import { createPipelineCache } from "../gpu/pipelines.ts";
import { programRequest } from "../graph/program.ts";
import { packSampling } from "../sampling/packed.ts";
import { greedySampling } from "../sampling/params.ts";
import { openTestGpu, skipReason } from "../testing/gpu.ts";
import { hardLogits } from "../testing/sampling_cases.ts";
import { shaderFiles } from "../testing/shader_files.ts";
import { execute, type GpuOperand } from "../tuning/execute.ts";
import { packRows, packStep } from "../tuning/operands.ts";
import { type Kernel, type KernelTarget, operandStride } from "./kernel.ts";
import { linear } from "./linear.ts";
import { pickBest } from "./pick_best.ts";
import { samplePickReference } from "./references/sample.ts";

const gpu = await openTestGpu();
const opened = gpu && (await openDevice(gpu, { maxStorageBuffers: 8 }));
const pipelines = opened && createPipelineCache(opened.device, shaderFiles);
const rows = [{ token: 0, position: 0, slot: 0 }];
const step = packStep(rows, [0], 1);

function bytesOf(words: Float32Array | Uint32Array): GpuOperand {
  return { bytes: new Uint8Array(words.slice().buffer) };
}

/** What one dispatch writes. */
async function run<A>(
  { device, target }: { device: GPUDevice; target: KernelTarget },
  { kernel, attributes }: { kernel: Kernel<A>; attributes: A },
  operands: Readonly<Record<string, GpuOperand>>,
): Promise<ReadonlyMap<string, Uint8Array<ArrayBuffer>>> {
  const outputs = kernel
    .outputs(attributes)
    .map((spec, index) => [`output${index}`, { bytes: new Uint8Array(4 * operandStride(spec)) }] as const);
  const [variant] = kernel.variants(attributes, target);
  const pipeline = (await pipelines?.get(programRequest(variant, 1))) ?? expect.fail("no GPU");
  const shape = { rows: 1, outputRows: 1, contextTokens: 1 };
  return execute(device, { variant, pipeline, shape, operands: new Map([...outputs, ...Object.entries(operands)]), step });
}

/** A sum of products is never a negative zero. */
function summed(logits: Float32Array): Float32Array<ArrayBuffer> {
  return Float32Array.from(logits, (value) => value + 0);
}

/** Words of the chosen token, and of the slot afterwards. */
async function pick(device: GPUDevice, target: KernelTarget, logits: Float32Array, slot: Uint32Array): Promise<Uint32Array[]> {
  const cols = logits.length;
  const product = { format: f32, k: 1, n: cols, bias: false, outStart: 0, outCols: cols, over: "outputRows", out: "f32" } as const;
  const weight = packMatrix(f32, new Uint8Array(logits.slice().buffer), { rows: cols, cols: 1 });
  const made = await run(
    { device, target },
    { kernel: linear, attributes: { ...product, best: true } },
    { input0: { bytes: packRows({ rows: 1, cols: 1, data: Float32Array.of(1) }, 32, "f32") }, weight0: { bytes: weight } },
  );
  const [input0, input1] = ["output0", "output1"].map((name) => ({ bytes: made.get(name) ?? expect.fail(name) }));
  expect(summed(new Float32Array(input0.bytes.buffer, 0, cols))).toEqual(summed(logits));
  const picked = await run({ device, target }, { kernel: pickBest, attributes: { cols } }, { input0, input1, sampling: bytesOf(slot) });
  return ["output0", "sampling"].map((name) => new Uint32Array((picked.get(name) ?? expect.fail(name)).buffer));
}

/** What the sampler's reference makes of it. */
function wanted(logits: Float32Array, slot: Uint32Array): Uint32Array[] {
  const sampling = new Uint32Array(slot);
  const state = { sampling, adjust: new Uint32Array(2 * logits.length), mask: new Uint32Array(1) };
  const inputs = [{ rows: 1, cols: logits.length, data: logits }];
  const [{ data }] = samplePickReference(
    { cols: logits.length },
    { inputs, weights: [], vectors: [], tables: [], rows, outputRows: [0], sampling: state },
  );
  return [new Uint32Array(data.buffer), sampling];
}

/** Logits of a vocabulary that a search for the largest can get wrong. */
function cases(size: number): ReadonlyMap<string, Float32Array> {
  const rng = seededRng(size);
  const normal = Float32Array.from({ length: size }, () => rng.normal());
  const last = size - 1;
  const having = (...changes: readonly (readonly [number, number])[]): Float32Array => {
    const logits = normal.slice();
    for (const [id, value] of changes) logits[Math.min(id, last)] = value;
    return logits;
  };
  const none = new Float32Array(size).fill(Number.NEGATIVE_INFINITY);
  return new Map([
    // Adapters may take those for zero.
    ...[...hardLogits(size, size)].filter(([name]) => name !== "denormals"),
    ["the last", having([last, 99])],
    ["a tie across eights", having([7, 50], [8, 50], [last, 50])],
    ["beyond 1e30, where all are equal", having([9, 1.5e30], [50, 2e30], [last, 3e38])],
    ["beneath -1e30", none.map((value, id) => (id === last ? -2e38 : value))],
    ["NaN", having([last, Number.NaN])],
    ["infinity", having([3, Number.POSITIVE_INFINITY])],
    ["nothing finite", none],
    ["negative", normal.map((value) => value - 100)],
  ]);
}

if (!opened) test("the best of a head", (context) => context.skip(skipReason()));
else {
  const { device, caps } = opened;
  const own: KernelTarget = { caps, deviceClass: "gpu", precision: "f32", maxRows: 1 };
  /** As GPUs have it, with their lanes. */
  const hardware: KernelTarget = { ...own, caps: { ...caps, software: false } };
  test.for([
    ...[1, 3, 8, 1000, 33_003].map((size) => ({ size, target: own, text: "as this adapter has it" })),
    ...[7, 4099].map((size) => ({ size, target: hardware, text: "as GPUs have it" })),
  ])("is the sampler's token of $size, $text", async ({ size, target }) => {
    const flags = new Set<number>();
    for (const [name, logits] of cases(size)) {
      const best = wanted(summed(logits), packSampling(greedySampling, { stopIds: [], counter: 5 }))[0][0];
      // A stop id now and then.
      const stopIds = name === "ties" && best < noToken ? [best] : [size + 1];
      const slot = packSampling(greedySampling, { stopIds, counter: 5 });
      const [found, expected] = [await pick(device, target, logits, slot), wanted(summed(logits), slot)];
      expect(found, name).toEqual(expected);
      expect(found[1]).toHaveLength(samplingWords);
      expect(found[1][samplingField.counter], name).toBe(best < noToken ? 6 : 5);
      flags.add(found[0][2]);
    }
    expect([...flags].toSorted((a, b) => a - b)).toEqual([chosenFlag.ok, chosenFlag.numeric, chosenFlag.stop]);
  });
}
