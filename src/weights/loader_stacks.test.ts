// Stacks through layout and loader: what lies in a slab is one bound range of all their rows, whatever the type and the reads.

import { expect, test } from "vitest";
import { seededRng } from "../base/rng.ts";
import { codebookBytes } from "../formats/format.ts";
import { type KernelCall, type StackPart, stackStarts, type WeightRange } from "../graph/call.ts";
import { planLayout } from "../graph/layout.ts";
import { formatByGgufType } from "../testing/formats.ts";
import { type GgufTensor, writeGguf } from "../testing/gguf_writer.ts";
import { errorCode } from "../testing/typed_error.ts";
import { bytesSource } from "./byte_source.ts";
import { openGguf } from "./gguf/gguf.ts";
import { loadWeights } from "./loader.ts";

const cols = 256;
const [F32, Q4_K, Q6_K, IQ2_S, IQ4_XS] = [0, 12, 14, 22, 23];

function matrix(name: string, rows: number, type: number): GgufTensor {
  const format = formatByGgufType.get(type) ?? expect.fail(`no format ${type}`);
  return { name, shape: [rows, cols], type, data: format.sample(seededRng(rows + type), (rows * cols) / format.blockSize) };
}

function vector(name: string, length: number): GgufTensor {
  const rng = seededRng(length);
  const data = new Uint8Array(Float32Array.from({ length }, () => rng.normal()).buffer);
  return { name, shape: [length], type: F32, data };
}

function stackOf(ggufType: number, stack: readonly { readonly tensor: string; readonly rows: number }[]): WeightRange {
  return { tensor: stack[0].tensor, ggufType, cols, rowStart: 0, rows: stackStarts(stack).end, stack };
}

const visit: KernelCall["visit"] = () => expect.fail("planning asks for no kernel");

function call(weights: WeightRange[], vectors: KernelCall["vectors"] = []): KernelCall {
  const none = { inputs: [], outputs: [], tables: [], layer: undefined, outputSpecs: [], variants: () => [], visit };
  return { kernel: "linear", name: "linear", weights, vectors, ...none };
}

/** Each part repacked by itself, after one codebook. */
function expectedRange(tensors: readonly GgufTensor[], { ggufType, stack = [] }: WeightRange, bytes: number): Uint8Array {
  const format = formatByGgufType.get(ggufType) ?? expect.fail(`no format ${ggufType}`);
  const out = new Uint8Array(bytes);
  out.set(format.codebook ?? []);
  const groupBytes = format.rowGroupBytes(cols);
  const { starts } = stackStarts(stack);
  for (const [index, { tensor, rows }] of stack.entries()) {
    const { data } = tensors.find(({ name }) => name === tensor) ?? expect.fail(tensor);
    const at = codebookBytes(format) + (starts[index] / 8) * groupBytes;
    format.repack(data, { rows, cols }, out.subarray(at, at + Math.ceil(rows / 8) * groupBytes));
  }
  return out;
}

for (const type of [Q4_K, IQ2_S, IQ4_XS]) {
  test(`stacks of ${formatByGgufType.get(type)?.name} with rows that end inside a group, beside another type`, async () => {
    const tensors = [
      matrix("q", 40, type),
      matrix("up", 172, type),
      vector("q.bias", 40),
      matrix("k", 20, type),
      matrix("gate", 172, type),
      matrix("v", 20, Q6_K),
      vector("v.bias", 20),
      vector("norm", 33),
    ];
    const stacks = [
      stackOf(type, [
        { tensor: "q", rows: 40 },
        { tensor: "k", rows: 20 },
      ]),
      stackOf(type, [
        { tensor: "gate", rows: 172 },
        { tensor: "up", rows: 172 },
      ]),
    ];
    const plain: WeightRange = { tensor: "v", ggufType: Q6_K, cols, rowStart: 0, rows: 20 };
    const biases: StackPart[] = [
      { tensor: "q.bias", rows: 40 },
      { tensor: undefined, rows: 20 },
      { tensor: "v.bias", rows: 20 },
    ];
    const bias = { tensor: "q.bias", length: stackStarts(biases).end, stack: biases };
    const calls = [call([...stacks, plain], [bias, { tensor: "norm", length: 33 }])];
    const { plan, ...layout } = planLayout(calls, formatByGgufType, 1 << 20);
    const file = writeGguf({ metadata: [], tensors });
    const { tensors: infos } = await openGguf(bytesSource(file));
    for (const chunkBytes of [1000, 4096, 1 << 20]) {
      const slabs = new Map(plan.slabs.map(({ name, bytes }) => [name, new Uint8Array(bytes)]));
      const upload = (slab: string, byteOffset: number, bytes: Uint8Array): void => {
        expect(byteOffset % 4).toBe(0);
        slabs.get(slab)?.set(bytes, byteOffset);
      };
      await loadWeights({ source: bytesSource(file), tensors: infos, plan, formats: formatByGgufType, upload, chunkBytes });
      for (const stack of stacks) {
        const { slab, byteOffset, bytes } = layout.matrix(stack);
        const found = slabs.get(slab)?.subarray(byteOffset, byteOffset + bytes) ?? expect.fail(slab);
        expect(Buffer.compare(found, expectedRange(tensors, stack, bytes)), stack.tensor).toBe(0);
      }
      const { byteOffset } = layout.vector(bias);
      const vectors = new Float32Array(slabs.get("vectors")?.buffer ?? expect.fail("vectors"), byteOffset, 96);
      const wanted = new Float32Array(96);
      wanted.set(new Float32Array(tensors[2].data.slice().buffer), 0);
      wanted.set(new Float32Array(tensors[6].data.slice().buffer), 64);
      expect(vectors).toEqual(wanted);
    }
  });
}

function refuse(): void {
  expect.fail("nothing is uploaded");
}

test("a bias of another length than its stack was planned for", async () => {
  const stack = [{ tensor: "q.bias", rows: 24 }];
  const { plan } = planLayout([call([], [{ tensor: "q.bias", length: 24, stack }])], formatByGgufType, 1 << 20);
  const file = writeGguf({ metadata: [], tensors: [vector("q.bias", 16)] });
  const { tensors } = await openGguf(bytesSource(file));
  expect(await errorCode(loadWeights({ source: bytesSource(file), tensors, plan, formats: formatByGgufType, upload: refuse }))).toBe(
    "MODEL.shape",
  );
});
