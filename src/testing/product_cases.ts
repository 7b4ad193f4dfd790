// Conformance cases of linear and embed, which import no format of their own.

import { bf16, f16, f32 } from "../formats/float.ts";
import type { WeightFormat } from "../formats/format.ts";
import { q4_0 } from "../formats/q4_0.ts";
import { q4_k } from "../formats/q4_k.ts";
import { q6_k } from "../formats/q6_k.ts";
import { q8_0 } from "../formats/q8_0.ts";
import type { EmbedAttributes } from "../kernels/embed.ts";
import type { KernelCase } from "../kernels/kernel.ts";
import type { LinearAttributes } from "../kernels/linear.ts";

/** One case of a format; the rest is what most cases have. */
function productCase(
  format: WeightFormat,
  shape: readonly [number, number, number],
  more: Partial<LinearAttributes> = {},
): KernelCase<LinearAttributes> {
  const [rows, n, k] = shape;
  const attributes = { format, k, n, bias: false, outStart: 0, outCols: n, over: "rows" as const, out: "act" as const, ...more };
  const details = [more.bias && "bias", more.outCols && "split", more.over && "output rows", more.activations].filter(Boolean);
  return {
    name: [`${format.name} ${rows}x${n}x${k}`, ...details].join(", "),
    attributes,
    rows: more.over === "outputRows" ? 11 : rows,
    ...(more.over === "outputRows" && { outputRows: rows }),
  };
}

// Every format at few rows; at many rows some, as only decode32 differs and `embed` compares that alone.
export const linearCases: readonly KernelCase<LinearAttributes>[] = [
  productCase(f32, [1, 1, 1]),
  productCase(f32, [1, 33, 172]),
  productCase(f32, [33, 33, 33]),
  productCase(f32, [67, 131, 100], { bias: true }),
  productCase(f16, [1, 131, 33]),
  productCase(bf16, [1, 131, 33]),
  productCase(q8_0, [1, 1031, 288]),
  productCase(q8_0, [3, 67, 1056], { bias: true }),
  productCase(q4_0, [1, 521, 4096], { out: "f32", bias: true }),
  productCase(q4_0, [8, 67, 288]),
  productCase(q4_0, [67, 288, 288]),
  productCase(q4_k, [1, 259, 2048]),
  productCase(q4_k, [5, 67, 256]),
  productCase(q4_k, [66, 71, 512]),
  productCase(q6_k, [1, 259, 1280]),
  productCase(q6_k, [5, 67, 256]),
  productCase(q8_0, [1, 48, 64], { outStart: 24, outCols: 130 }),
  productCase(q8_0, [20, 106, 64], { outStart: 24, outCols: 130 }),
  productCase(q8_0, [1, 129, 64], { over: "outputRows", out: "f32" }),
  productCase(q8_0, [10, 129, 64], { over: "outputRows", out: "f32" }),
  productCase(f32, [1, 67, 172], { activations: "int8" }),
  productCase(f16, [5, 67, 100], { activations: "int8" }),
  productCase(q8_0, [1, 131, 288], { activations: "int8", bias: true }),
  productCase(q8_0, [66, 67, 96], { activations: "int8" }),
  productCase(q4_0, [1, 131, 2048], { activations: "int8" }),
  productCase(q4_0, [5, 67, 288], { activations: "int8", over: "outputRows", out: "f32" }),
  productCase(q4_k, [1, 131, 512], { activations: "int8" }),
  productCase(q6_k, [1, 67, 512], { activations: "int8" }),
];

function embedCase(format: WeightFormat, cols: number): KernelCase<EmbedAttributes> {
  return { name: `${format.name} 33x${cols}`, attributes: { format, cols, rowStart: 0, rowCount: 67 }, rows: 33 };
}

export const embedCases: readonly KernelCase<EmbedAttributes>[] = [
  { name: "1 element", attributes: { format: f32, cols: 1, rowStart: 0, rowCount: 3 }, rows: 1 },
  embedCase(f32, 172),
  embedCase(f16, 100),
  embedCase(bf16, 33),
  embedCase(q8_0, 288),
  embedCase(q4_0, 288),
  embedCase(q4_k, 1280),
  embedCase(q6_k, 1280),
  { name: "one part of a split table", attributes: { format: q8_0, cols: 64, rowStart: 64, rowCount: 64 }, rows: 33 },
];
