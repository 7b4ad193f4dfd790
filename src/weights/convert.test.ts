// Weights converted while they are loaded, against converting whole tensors at once: same bytes on the GPU whatever the read size.

import { describe, expect, test } from "vitest";
import type { LayoutPlan, Slab } from "../base/layout.ts";
import { seededRng } from "../base/rng.ts";
import { packMatrix } from "../formats/format.ts";
import { readSharedFile } from "../testing/files.ts";
import { formatByGgufType } from "../testing/formats.ts";
import {
  asFiles,
  randomTensor,
  type SafetensorsTensor,
  tinyTensors,
  writeFolder,
  writeSafetensors,
} from "../testing/safetensors_writer.ts";
import { typedError } from "../testing/typed_error.ts";
import { openModel } from "../engine/model_files.ts";
import { bytesSource } from "./byte_source.ts";
import type { ByteSource } from "./byte_source.ts";
import { float8Values } from "./float8.ts";
import { loadWeights } from "./loader.ts";
import { openGguf } from "./gguf/gguf.ts";
import { openSafetensors } from "./safetensors/header.ts";
import { openSource } from "./source.ts";
import { quantizedHeader, type QuantizeType } from "./quantize_rule.ts";
import type { TensorInfo } from "./tensor_info.ts";

function formatOf(
  type: number,
): Required<Pick<NonNullable<ReturnType<typeof formatByGgufType.get>>, "quantize">> & NonNullable<ReturnType<typeof formatByGgufType.get>> {
  const format = formatByGgufType.get(type);
  if (format?.quantize === undefined) throw new Error(`no format ${type}`);
  return { ...format, quantize: format.quantize.bind(format) };
}

/** What a matrix becomes on the GPU. */
async function load(source: ByteSource, tensor: TensorInfo, chunkBytes: number): Promise<Uint8Array> {
  const [rows, cols] = tensor.shape;
  const bytes = packMatrix(
    formatOf(tensor.type),
    new Uint8Array((rows * cols * formatOf(tensor.type).bytesPerBlock) / formatOf(tensor.type).blockSize),
    { rows, cols },
  ).length;
  const slab: Slab = {
    name: "s",
    kind: "matrix",
    cols,
    ggufType: tensor.type,
    bytes,
    parts: [{ tensor: tensor.name, rowStart: 0, rows, byteOffset: 0, bytes }],
  };
  const plan: LayoutPlan = { slabs: [slab], bytes };
  const out = new Uint8Array(bytes);
  const upload = (_: string, at: number, part: Uint8Array): void => out.set(part, at);
  await loadWeights({ source, tensors: new Map([[tensor.name, tensor]]), plan, formats: formatByGgufType, upload, chunkBytes });
  return out;
}

function expected(values: Float32Array, { type, shape: [rows, cols] }: TensorInfo): Uint8Array {
  return packMatrix(formatOf(type), formatOf(type).quantize(values), { rows, cols });
}

function valuesOf({ dtype, data, shape }: SafetensorsTensor): Float32Array {
  const values = new Float32Array(shape.reduce((a, b) => a * b, 1));
  formatOf({ F32: 0, F16: 1, BF16: 30 }[dtype] ?? -1).dequantize(data, values);
  return values;
}

describe("float matrices quantized while loading", () => {
  for (const dtype of ["F32", "F16", "BF16"] as const) {
    for (const wanted of ["q8_0", "q4_0", "q4_k"] as const) {
      test.each([999, 4096, 1 << 22])(`${dtype} to ${wanted} in chunks of %i bytes`, async (chunkBytes) => {
        const tensor = randomTensor("w", dtype, [37, 512]);
        // A header of odd length, so that tensors begin at any byte.
        const bytes = new Uint8Array([0, ...writeSafetensors([tensor])]);
        const { tensors } = await openSafetensors(bytesSource(bytes.slice(1)));
        const { offset = 0, bytes: length = 0 } = tensors.get("w") ?? {};
        const info: TensorInfo = {
          name: "w",
          type: { F32: 0, F16: 1, BF16: 30 }[dtype],
          shape: [37, 512],
          offset: offset + 1,
          bytes: length,
        };
        const marked = quantizedHeader({ metadata: new Map(), tensors: new Map([["w", info]]) }, wanted).tensors.get("w");
        if (marked === undefined) throw new Error("w");
        expect(marked.type).toBe({ q8_0: 8, q4_0: 2, q4_k: 12 }[wanted]);
        expect(Buffer.compare(await load(bytesSource(bytes), marked, chunkBytes), expected(valuesOf(tensor), marked))).toBe(0);
      });
    }
  }
});

/** [rows, cols] bytes of an FP8 matrix, none of them NaN or infinite. */
function float8Matrix(rows: number, cols: number): Uint8Array {
  const rng = seededRng(rows);
  return Uint8Array.from({ length: rows * cols }, () => rng.below(2) * 128 + rng.below(0x70));
}

function f32Bytes(values: readonly number[]): Uint8Array {
  return new Uint8Array(Float32Array.from(values).buffer);
}

describe("FP8 checkpoints", () => {
  const name = "model.layers.0.mlp.up_proj.weight";
  const quantized = { quantization_config: { quant_method: "fp8", weight_block_size: [128, 128] } };

  async function loadFloat8(
    scale: { suffix: string; shape: number[]; values: number[] },
    dtype: "F8_E4M3" | "F8_E5M2",
    quantize?: QuantizeType,
  ): Promise<void> {
    const [rows, cols] = [200, 288];
    const codes = float8Matrix(rows, cols);
    const weights: SafetensorsTensor[] = [
      { name, dtype, shape: [rows, cols], data: codes },
      { name: `${name}${scale.suffix}`, dtype: "F32", shape: scale.shape, data: f32Bytes(scale.values) },
    ];
    const rest = tinyTensors("BF16").filter((tensor) => tensor.name !== name);
    // The scales lie in another file than their weights.
    const tensors = [weights[0], ...rest, weights[1]];
    const config = { ...JSON.parse(new TextDecoder().decode(writeFolder([])["config.json"])), ...quantized };
    const model = await openModel(asFiles(writeFolder(tensors, 2, config)), { open: (location) => openSource(location), quantize });
    const info = model.file.tensors.get("blk.0.ffn_up.weight");
    if (info === undefined) throw new Error(name);
    const table = float8Values(dtype);
    const [perRow, blockRows, blockCols] =
      scale.shape.length === 2 && scale.shape[1] > 1 ? [scale.shape[1], 128, 128] : [1, scale.values.length > 1 ? 1 : rows, cols];
    const values = Float32Array.from(codes, (code, index) => {
      const [row, col] = [Math.floor(index / cols), index % cols];
      return table[code] * Math.fround(scale.values[Math.floor(row / blockRows) * perRow + Math.floor(col / blockCols)]);
    });
    for (const chunkBytes of [777, 1 << 22]) {
      expect(Buffer.compare(await load(model.source, info, chunkBytes), expected(values, info))).toBe(0);
    }
    expect(info.type).toBe(quantize === "q4_0" ? 2 : 8);
  }

  const rng = seededRng(5);
  const factors = (count: number): number[] => Array.from({ length: count }, () => 0.001 + rng.unit() / 50);

  test.each(["F8_E4M3", "F8_E5M2"] as const)("%s with a scale for each square of 128", async (dtype) => {
    await loadFloat8({ suffix: "_scale_inv", shape: [2, 3], values: factors(6) }, dtype);
  });
  test("a scale for each row", async () => {
    await loadFloat8({ suffix: "_scale", shape: [200, 1], values: factors(200) }, "F8_E4M3");
  });
  test("one scale, to 4 bits", async () => {
    await loadFloat8({ suffix: "_scale", shape: [], values: factors(1) }, "F8_E4M3", "q4_0");
  });
  test("small scales keep their weights: codes are rounded by the scale that is stored", async () => {
    await loadFloat8({ suffix: "_scale_inv", shape: [2, 3], values: factors(6).map((value) => value * 1e-5) }, "F8_E4M3");
    const values = Float32Array.from({ length: 3200 }, () => (rng.unit() - 0.5) * 2e-5);
    const back = new Float32Array(values.length);
    formatOf(8).dequantize(formatOf(8).quantize(values), back);
    const error = values.reduce((sum, value, i) => sum + (value - back[i]) ** 2, 0) / values.reduce((sum, value) => sum + value ** 2, 0);
    expect(error).toBeLessThan(2e-4);
  });

  test("NaN codes and scales name tensor and type", async () => {
    const codes = float8Matrix(8, 64);
    codes[130] = 0xff;
    const info: TensorInfo = { name: "w", type: 8, shape: [8, 64], offset: 0, bytes: 512, stored: { type: "F8_E4M3" } };
    const detail = { tensor: "w", type: "F8_E4M3", index: 130 };
    expect(await typedError(load(bytesSource(codes), info, 4096))).toMatchObject({ code: "MODEL.values", detail });
    codes[130] = 0;
    const scales = { name: "w_scale", type: 0, blockRows: 8, blockCols: 64, perRow: 1, offset: 512, bytes: 4 };
    const source = bytesSource(new Uint8Array([...codes, ...f32Bytes([Number.NaN])]));
    const scaled = { ...info, stored: { type: "F8_E4M3" as const, scales } };
    const found = await typedError(load(source, scaled, 4096));
    expect(found).toMatchObject({ code: "MODEL.values", detail: { tensor: "w_scale", type: "F32", index: 0 } });
  });
});

describe("floats of 8 bits", () => {
  test("E4M3 has 448, 2^-9 and no infinities", () => {
    const values = float8Values("F8_E4M3");
    expect([values[0x7e], values[0x01], values[0x08], values[0x38], values[0xb8], values[0x80]]).toEqual([
      448,
      2 ** -9,
      2 ** -6,
      1,
      -1,
      -0,
    ]);
    expect([...values.keys()].filter((code) => !Number.isFinite(values[code]))).toEqual([0x7f, 0xff]);
  });
  test("E5M2 has 57344, 2^-16 and infinities, as the upper bytes of f16", () => {
    const values = float8Values("F8_E5M2");
    const halves = new Float32Array(256);
    formatOf(1).dequantize(
      Uint8Array.from({ length: 512 }, (_, i) => (i % 2 === 0 ? 0 : i >> 1)),
      halves,
    );
    expect(values).toEqual(halves);
    expect([values[0x7b], values[0x01], values[0x7c], values[0xfc]]).toEqual([57344, 2 ** -16, Infinity, -Infinity]);
  });
});

test.for([
  ["q8_0", "token_embd.weight", "lm_head.weight"],
  ["q8_0", "blk.1.ffn_down.weight", "model.layers.1.mlp.down_proj.weight"],
  ["q4_0", "blk.0.ffn_up.weight", "model.layers.0.mlp.up_proj.weight"],
] as const)("%s: %s has the bytes that llama.cpp gives it", async ([type, name, stored], context) => {
  const folder = "data/models/tinystories-656k";
  const [gguf, weights] = await Promise.all(
    [`tinystories-656k-${type}.gguf`, "model.safetensors"].map((file) => readSharedFile(`${folder}/${file}`)),
  );
  if (gguf === undefined || weights === undefined) return context.skip("../shared/data is absent");
  const theirs = (await openGguf(bytesSource(gguf))).tensors.get(name);
  const ours = (await openSafetensors(bytesSource(weights))).tensors.get(stored);
  if (theirs === undefined || ours === undefined) throw new Error(name);
  const values = new Float32Array(weights.slice(ours.offset, ours.offset + ours.bytes).buffer);
  const made = formatOf(theirs.type).quantize(values);
  expect(Buffer.compare(made, gguf.subarray(theirs.offset, theirs.offset + theirs.bytes))).toBe(0);
});
