// What the fusion passes leave of a program: the very kernels that a step calls, and logits equal to those without any pass.

import { describe, expect, test } from "vitest";
import { fusionNames, type FusionName } from "../graph/fuse/names.ts";
import { fusedModel, type FusedLowering, relativeRms } from "../testing/fused.ts";
import type { TinyModelOptions } from "../testing/tiny_model.ts";
import { choosingOf, decodeSections } from "./step_result.ts";

const architectures = ["llama", "qwen2", "qwen3"] as const;
/** Heads of 64 and rows of 172: whole blocks in the one, a row group that is not full in the other. */
const shape = { hidden: 256, heads: 4, kvHeads: 2, ffn: 172 } as const;
const tail = ["sample_tiles", "sample_pick", "advance"];
/** Of a greedy step in the GPU program. */
const picking = ["pick_best", "advance"];

async function decodeKernels(options: TinyModelOptions, lowering: FusedLowering): Promise<string[]> {
  const { lower } = await fusedModel({ ...shape, ...options }, lowering.activations);
  const { calls, sections } = lower("decode", lowering);
  // Of a greedy request without log-probabilities.
  const used = decodeSections[choosingOf({ sections }, true)].id;
  return sections.flatMap(({ name, start, end }) => (used.includes(name) ? calls.slice(start, end) : [])).map(({ kernel }) => kernel);
}

/** Q4_0, and Q8_0 for some. */
function except(some: RegExp): (matrix: string) => string {
  return (matrix) => (some.test(matrix) ? "q8_0" : "q4_0");
}

function repeated(layers: number, kernels: readonly string[]): string[] {
  return Array.from({ length: layers }, () => kernels).flat();
}

describe("kernels of a decode step", () => {
  for (const architecture of architectures) {
    for (const activations of ["f32", "f16"] as const) {
      test(`${architecture} in ${activations} on GPUs: five a layer`, async () => {
        const layer = ["linear", "attention_decode", "linear", "linear", "linear"];
        expect(await decodeKernels({ architecture, layers: 3 }, { deviceClass: "gpu", activations })).toEqual([
          "embed",
          ...repeated(3, layer),
          "rms_norm",
          "linear",
          ...picking,
        ]);
      });
    }
    test(`${architecture} in int8 on GPUs: nine a layer, four of which leave codes`, async () => {
      const attention = ["rms_norm", "linear", "attention_decode", "attention_merge", "linear"];
      const layer = [...attention, "rms_norm", "linear", "glu", "linear"];
      expect(await decodeKernels({ architecture }, { deviceClass: "gpu", activations: "int8" })).toEqual([
        "embed",
        ...repeated(2, layer),
        "rms_norm",
        "linear",
        ...picking,
      ]);
    });
    test(`${architecture} in int8 on CPU drivers: ten a layer`, async () => {
      const attention = ["rms_norm", "linear", "heads", "attention_decode", "attention_merge", "linear"];
      const layer = [...attention, "rms_norm", "linear", "glu", "linear"];
      expect(await decodeKernels({ architecture }, { deviceClass: "cpu", activations: "int8" })).toEqual([
        "embed",
        ...repeated(2, layer),
        "rms_norm",
        "linear",
        ...tail,
      ]);
    });
    test(`${architecture} on CPU drivers: nine a layer`, async () => {
      const attention = ["rms_norm", "linear", "heads", "attention_decode", "attention_merge", "linear"];
      const layer = [...attention, "rms_norm", "linear", "linear"];
      expect(await decodeKernels({ architecture }, { deviceClass: "cpu" })).toEqual([
        "embed",
        ...repeated(2, layer),
        "rms_norm",
        "linear",
        ...tail,
      ]);
    });
  }
  test("types that a file mixes take a launch for each run of one type", async () => {
    const kernels = await decodeKernels({ format: except(/attn_v|ffn_down/), ffn: 192 }, { deviceClass: "gpu" });
    expect(kernels).toHaveLength(6 * 2 + 3 + picking.length);
    // Two launches for the two halves, and the unit.
    const halves = await decodeKernels({ format: except(/ffn_gate/), ffn: 192 }, { deviceClass: "gpu" });
    expect(halves).toHaveLength(7 * 2 + 3 + picking.length);
  });
  test("a stack over the binding limit is cut by its tensors, and those by rows", async () => {
    const lowering = { deviceClass: "gpu", maxBindingBytes: 150 * 1024 } as const;
    const { lower } = await fusedModel({ ...shape, architecture: "qwen2", ffn: 256 });
    const qkv = lower("decode", lowering).calls.filter(({ outputs }) => outputs[0]?.name === "blk.0.attn_qkv");
    expect(qkv.map(({ weights: [{ tensor, rowStart, rows }] }) => `${tensor.slice(6)} ${rowStart}+${rows}`)).toEqual([
      "attn_q.weight 0+128",
      "attn_q.weight 128+128",
      "attn_k.weight 0+128",
      "attn_v.weight 0+128",
    ]);
    expect(qkv.map(({ vectors }) => vectors.at(-1)?.start)).toEqual([0, 128, 0, 0]);
  });
});

describe("kernels of a prefill step", () => {
  for (const deviceClass of ["cpu", "gpu"] as const) {
    test(`on ${deviceClass}s`, async () => {
      const { lower } = await fusedModel(shape);
      const { calls, sections, fusion } = lower("prefill", { deviceClass });
      const attention = ["rms_norm", "linear", "heads", "attention_prefill", "linear"];
      const layer = [...attention, "rms_norm", "linear", "glu", "linear"];
      expect(calls.slice(0, sections[0].end).map(({ kernel }) => kernel)).toEqual(["embed", ...repeated(2, layer)]);
      expect(fusion).toEqual(["qkv", "gate_up", "residual", ...(deviceClass === "gpu" ? ["pick"] : [])]);
    });
  }
});

describe("logits by the interpreter, with passes and without", () => {
  const ids = [72, 101, 108, 108, 111, 32, 119, 111, 114, 108, 100, 33];
  const choices: readonly (readonly FusionName[] | undefined)[] = [
    ...fusionNames.map((name) => [name]),
    ...fusionNames.map((name) => fusionNames.filter((other) => other !== name)),
    fusionNames,
    undefined,
  ];
  const files: readonly TinyModelOptions[] = [
    ...architectures.map((architecture) => ({ architecture })),
    { architecture: "qwen2", ffn: 173, format: except(/attn_k/) },
  ];
  for (const [index, file] of files.entries()) {
    for (const deviceClass of ["gpu", "cpu"] as const) {
      test(`${file.architecture}, file ${index}, for ${deviceClass}s`, async () => {
        const { logits } = await fusedModel({ hidden: 64, heads: 4, kvHeads: 2, layers: 2, ...file });
        const plain = logits({ deviceClass, fusion: [] }, ids, 2);
        for (const fusion of choices) {
          const found = logits({ deviceClass, fusion }, ids, 2);
          for (const [step, one] of found.entries()) expect(relativeRms(one, plain[step]), String(fusion)).toBeLessThan(1e-5);
        }
      });
    }
  }
});

test("any subset of the passes", async () => {
  for (const deviceClass of ["gpu", "cpu"] as const) {
    const { logits } = await fusedModel({ architecture: "qwen3", hidden: 64, heads: 4, kvHeads: 2, layers: 1, ffn: 44 });
    const run = (fusion: readonly FusionName[]): Float32Array[] => logits({ deviceClass, fusion }, [72, 101, 108, 108], 1);
    const plain = run([]);
    for (let bits = 1; bits < 2 ** fusionNames.length; bits++) {
      const fusion = fusionNames.filter((_, index) => (bits & (1 << index)) !== 0);
      for (const [step, one] of run(fusion).entries()) expect(relativeRms(one, plain[step]), String(fusion)).toBeLessThan(1e-5);
    }
  }
});

test("every pass changes some program, so that leaving it out is a test of it", async () => {
  const { lower } = await fusedModel(shape);
  expect(lower("decode", { deviceClass: "gpu" }).fusion).toEqual(fusionNames);
  for (const name of fusionNames) expect(lower("decode", { deviceClass: "gpu", fusion: [] }).fusion).not.toContain(name);
});

test("every part of a head that is split by rows keeps its best, and one kernel looks at them all", async () => {
  const { lower } = await fusedModel({ ...shape, architecture: "qwen2", ffn: 256 });
  const { calls } = lower("decode", { deviceClass: "gpu", maxBindingBytes: 150 * 1024 });
  const heads = calls.filter(({ outputs }) => outputs[0]?.name === "logits");
  expect(heads.map(({ weights: [{ rowStart, rows }] }) => `${rowStart}+${rows}`)).toEqual(["0+128", "128+128", "256+7"]);
  const [{ outputs }] = heads;
  expect(outputs.map(({ name, cols }) => `${name} ${cols}`)).toEqual(["logits 263", "best 33"]);
  for (const head of heads) expect(head.outputs).toEqual(outputs);
  const pickers = calls.filter(({ kernel }) => kernel === "pick_best");
  expect(pickers.map(({ inputs }) => inputs)).toEqual([outputs]);
});

test("programs for CPU drivers leave the best of logits alone", async () => {
  const { lower } = await fusedModel(shape);
  for (const phase of ["decode", "prefill"] as const) {
    const { fusion, sections } = lower(phase, { deviceClass: "cpu", fusion: ["pick"] });
    expect([fusion, sections.map(({ name }) => name).includes("best")]).toEqual([[], false]);
  }
});
