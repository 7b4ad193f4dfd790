// The self-test of products that do more than multiply, over stacks of weights: right ones are checked, not passed over, and what is
// wrong in any of their parts is found.

import { expect, test } from "vitest";
import { seededRng } from "../base/rng.ts";
import { codebookBytes, packMatrix } from "../formats/format.ts";
import { iq4_nl } from "../formats/iq4_nl.ts";
import { BufferLedger } from "../gpu/buffers.ts";
import { openDevice } from "../gpu/device.ts";
import { createPipelineCache } from "../gpu/pipelines.ts";
import { kernelCall } from "../graph/call.ts";
import { programRequest } from "../graph/program.ts";
import { partialCols } from "../kernels/attention.ts";
import { linear } from "../kernels/linear.ts";
import type { LinearAttributes } from "../kernels/matrix.ts";
import { shaderFiles } from "../testing/shader_files.ts";
import { gpuOrSkip } from "../testing/gpu.ts";
import { collectClasses } from "./classes.ts";
import { KeptRows } from "./kept_rows.ts";
import { checkCount, readyCheck, type Verdict } from "./product_check.ts";
import { ProductBench } from "./product_bench.ts";

const format = iq4_nl;
const k = 64;
/** Two parts of 44 rows: the second begins at 48, after rows of zeros. */
const stack = [
  { tensor: "gate", rows: 44 },
  { tensor: "up", rows: 44 },
];
const start = 48;
const rows = start + 44;
const plain = { format, k, bias: false, outStart: 0, over: "rows", out: "act" } as const;
const ranges = { numHeads: 2, headDim: 32, splits: 4, splitTokens: 64 };

const shapes: Readonly<Record<string, LinearAttributes>> = {
  stack: { ...plain, n: rows, outCols: rows },
  "stack with norm, bias and residual": { ...plain, n: rows, outCols: rows, bias: true, norm: { eps: 1e-5 }, residual: true },
  pair: { ...plain, n: 44, outCols: 44, norm: { eps: 1e-5 }, pair: { activation: "silu", start } },
  join: { ...plain, n: rows, outCols: rows, merge: ranges, residual: true },
  best: { ...plain, n: rows, outCols: rows, out: "f32", best: true },
};

/** Changes of shaders that a check has to find: the file, a part of it, what takes its place, and in which shape. */
const mistakes: readonly (readonly [shape: string, file: string, part: RegExp, instead: string])[] = [
  ["stack with norm, bias and residual", "parts/prologue/norm.wgsl", /\+ NORM_EPS/, "+ 0.01"],
  ["stack with norm, bias and residual", "parts/residual/input.wgsl", /residual\[at\]/, "residual[at ^ 1u]"],
  ["join", "parts/prologue/ranges.wgsl", /let used = .*;/, "let used = 1u;"],
  ["best", "parts/best/eights.wgsl", /n < 8u/, "n < 4u"],
];

interface Weights {
  /** As the GPU should have them. */
  readonly packed: Uint8Array<ArrayBuffer>;
  readonly files: ReadonlyMap<string, Uint8Array<ArrayBuffer>>;
}

function makeWeights(): Weights {
  const packed = new Uint8Array(codebookBytes(format) + (96 / 8) * format.rowGroupBytes(k));
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  for (const [index, { tensor, rows: count }] of stack.entries()) {
    const file = format.sample(seededRng(index + 5), (count * k) / format.blockSize);
    files.set(tensor, file);
    const one = packMatrix(format, file, { rows: count, cols: k });
    const at = (index * start) / 8;
    packed.set(one.subarray(0, codebookBytes(format)));
    packed.set(one.subarray(codebookBytes(format)), codebookBytes(format) + at * format.rowGroupBytes(k));
  }
  return { packed, files };
}

/** What the check says of the default variant, in these weights and with these shader files. */
async function verdictOf(
  gpu: GPU,
  attributes: LinearAttributes,
  changed: { readonly packed?: Uint8Array<ArrayBuffer>; readonly files?: ReadonlyMap<string, string> } = {},
): Promise<Verdict> {
  const opened = await openDevice(gpu, { deviceClass: "gpu" });
  const { device, caps } = opened;
  const ledger = new BufferLedger(device);
  try {
    const { residual, merge } = attributes;
    const cols = merge ? partialCols({ ...ranges, kv: { ...noPages, headDim: 32 }, scale: 1 }) : k;
    const x = { id: 0, name: "x", rows: "rows", cols, type: merge ? "f32" : "act" } as const;
    const output = { id: 1, name: "y", rows: "rows", cols: attributes.outCols, type: "act" } as const;
    const range = { tensor: "gate", ggufType: format.ggufType, cols: k, rowStart: 0, rows, stack };
    const vectors = [...(attributes.norm ? [{ tensor: "n", length: k }] : []), ...(attributes.bias ? [{ tensor: "b", length: rows }] : [])];
    const inputs = residual ? [x, { ...output, id: 2, name: "r" }] : [x];
    const call = kernelCall(linear, attributes, { inputs, outputs: [output], weights: [range], vectors });
    const target = { caps, deviceClass: "gpu", precision: "f32", maxRows: 1 } as const;
    const [cls] = collectClasses([{ label: "decode", calls: [call], target, stepRows: 1, maxOutputRows: 1 }]);
    const weights = makeWeights();
    const packed = changed.packed ?? weights.packed;
    const slab = ledger.create("weights", { label: "w", size: packed.byteLength });
    device.queue.writeBuffer(slab, 0, packed);
    const kept = new KeptRows([cls]);
    for (const { tensor, rows: count } of stack) {
      const bytes = weights.files.get(tensor) ?? expect.fail(tensor);
      kept.pass({ tensor, tensorRow: 0, rows: count, cols: k, format, bytes });
    }
    const bench = new ProductBench({ device, ledger, weights: () => ({ buffer: slab }) });
    await bench.reserve([{ cls, count: checkCount(cls) }]);
    const [variant] = cls.variants;
    const pipelines = createPipelineCache(device, changed.files ?? shaderFiles);
    const pipeline = await pipelines.get(programRequest(variant, 1));
    return await readyCheck(bench, cls, kept).run({ variant, pipeline });
  } finally {
    ledger.destroyAll();
    opened.destroy();
  }
}

const noPages = { pageTokens: 32, numKvHeads: 2, type: "f32", maxPages: 8 } as const;

for (const [name, attributes] of Object.entries(shapes)) {
  test(`a right product is found right: ${name}`, async (context) => {
    expect(await verdictOf(await gpuOrSkip(context), attributes)).toEqual({ kind: "right" });
  });
  test(`rows of the second part in another's place are found: ${name}`, async (context) => {
    const packed = makeWeights().packed;
    const groupBytes = format.rowGroupBytes(k);
    const at = codebookBytes(format) + (start / 8) * groupBytes;
    // The parts lie one row group too near to each other.
    packed.copyWithin(at - groupBytes, at);
    expect((await verdictOf(await gpuOrSkip(context), attributes, { packed })).kind).toBe("wrong");
  });
}

for (const [shape, file, part, instead] of mistakes) {
  test(`a mistake in ${file} is found`, async (context) => {
    const text = shaderFiles.get(file) ?? expect.fail(`no file ${file}`);
    expect(text).toMatch(part);
    const files = new Map([...shaderFiles, [file, text.replace(part, instead)]]);
    expect((await verdictOf(await gpuOrSkip(context), shapes[shape], { files })).kind).toBe("wrong");
  });
}
