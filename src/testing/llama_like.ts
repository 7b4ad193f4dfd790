// A tensor table and layout plan of the sizes, types and file order that llama.cpp's converter gives a Llama, without any bytes: for tests
// of what is read when. The head comes first in the file, and each layer's tensors in alphabetical order.

import { bindAlignment, rowStride } from "../base/layout.ts";
import type { LayoutPlan, Slab, SlabPart } from "../base/layout.ts";
import { alignUp } from "../base/math.ts";
import { fileBytes, matrixBytes } from "../formats/format.ts";
import { formatByGgufType } from "./formats.ts";
import type { WeightFormat } from "../formats/format.ts";
import type { TensorInfo } from "../weights/gguf/gguf.ts";

export interface LlamaLikeSizes {
  readonly layers: number;
  readonly hidden: number;
  readonly intermediate: number;
  readonly vocab: number;
}

export interface LlamaLike {
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** Slabs in the order of the graph: embedding, layers, head, vectors. */
  readonly plan: LayoutPlan;
  /** Bytes of the file. */
  readonly size: number;
}

const F32 = 0;
const F16 = 1;
const Q4_0 = 2;
const Q8_0 = 8;
/** Where the tensors begin: after a vocabulary. */
const dataOffset = 1_000_032;

export function llamaLike(sizes: LlamaLikeSizes): LlamaLike {
  const { layers, hidden, intermediate, vocab } = sizes;
  const kv = hidden / 4;
  const tensors = new Map<string, TensorInfo>();
  let offset = dataOffset;
  const add = (name: string, shape: readonly number[], type: number): void => {
    const bytes = fileBytes(
      formatOf(type),
      shape.reduce((product, size) => product * size, 1),
    );
    tensors.set(name, { name, type, shape, offset, bytes });
    offset += alignUp(bytes, 32);
  };
  add("output.weight", [vocab, hidden], Q8_0);
  add("token_embd.weight", [vocab, hidden], Q4_0);
  for (let layer = 0; layer < layers; layer++) {
    const at = (name: string): string => `blk.${layer}.${name}.weight`;
    add(at("attn_norm"), [hidden], F32);
    add(at("ffn_down"), [hidden, intermediate], layer % 2 === 0 ? Q8_0 : Q4_0);
    add(at("ffn_gate"), [intermediate, hidden], Q4_0);
    add(at("ffn_up"), [intermediate, hidden], Q4_0);
    add(at("ffn_norm"), [hidden], F32);
    add(at("attn_k"), [kv, hidden], Q4_0);
    add(at("attn_output"), [hidden, hidden], Q4_0);
    add(at("attn_q"), [hidden, hidden], Q4_0);
    add(at("attn_v"), [kv, hidden], F16);
  }
  add("output_norm.weight", [hidden], F32);
  return { tensors, plan: planOf(tensors, layers), size: offset };
}

function planOf(tensors: ReadonlyMap<string, TensorInfo>, layers: number): LayoutPlan {
  const slab = (name: string, parts: readonly string[]): Slab =>
    matrixSlab(
      name,
      parts.map((part) => tensorOf(tensors, part)),
    );
  const slabs = [slab("embedding", ["token_embd.weight"])];
  for (let layer = 0; layer < layers; layer++) {
    const at = (name: string): string => `blk.${layer}.${name}.weight`;
    slabs.push(slab(at("qk"), [at("attn_q"), at("attn_k")]), slab(at("v"), [at("attn_v")]), slab(at("o"), [at("attn_output")]));
    slabs.push(slab(at("gate_up"), [at("ffn_gate"), at("ffn_up")]), slab(at("down"), [at("ffn_down")]));
  }
  slabs.push(slab("head", ["output.weight"]), vectorSlab([...tensors.values()].filter(({ shape }) => shape.length === 1)));
  return { slabs, bytes: slabs.reduce((sum, { bytes }) => sum + bytes, 0) };
}

function matrixSlab(name: string, tensors: readonly TensorInfo[]): Slab {
  const parts: SlabPart[] = [];
  let byteOffset = 0;
  for (const { name: tensor, shape, type } of tensors) {
    const bytes = alignUp(matrixBytes(formatOf(type), shape[0], shape[1]), bindAlignment);
    parts.push({ tensor, rowStart: 0, rows: shape[0], byteOffset, bytes });
    byteOffset += bytes;
  }
  return { name, kind: "matrix", ggufType: tensors[0].type, cols: tensors[0].shape[1], bytes: byteOffset, parts };
}

function vectorSlab(tensors: readonly TensorInfo[]): Slab {
  const parts: SlabPart[] = [];
  let byteOffset = 0;
  for (const { name: tensor, shape } of tensors) {
    const bytes = alignUp(rowStride(shape[0]) * 4, bindAlignment);
    parts.push({ tensor, rowStart: 0, rows: 1, byteOffset, bytes });
    byteOffset += bytes;
  }
  return { name: "vectors", kind: "vector", ggufType: 0, cols: 0, bytes: byteOffset, parts };
}

function tensorOf(tensors: ReadonlyMap<string, TensorInfo>, name: string): TensorInfo {
  const found = tensors.get(name);
  if (found === undefined) throw new Error(`no tensor ${name}`);
  return found;
}

function formatOf(type: number): WeightFormat {
  const format = formatByGgufType.get(type);
  if (format === undefined) throw new Error(`no format ${type}`);
  return format;
}
