// Conformance cases of linear and embed, which import no format of their own.

import { f32 } from "../formats/float.ts";
import type { WeightFormat } from "../formats/format.ts";
import { q4_0 } from "../formats/q4_0.ts";
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
  const details = [
    more.bias && "bias",
    more.outCols && "split",
    more.over && "output rows",
    more.residual && "residual",
    more.norm && "norm",
    more.pair?.activation,
    more.merge && "ranges",
    more.best && "best",
    more.activations,
    more.shared && `shared ${Object.entries(more.shared).join(" ")}`,
  ].filter(Boolean);
  return {
    name: [`${format.name} ${rows}x${n}x${k}`, ...details].join(", "),
    attributes,
    rows: more.over === "outputRows" ? 11 : rows,
    ...(more.over === "outputRows" && { outputRows: rows }),
  };
}

/** Every family adds the residual where it stores. */
const residualCases: readonly KernelCase<LinearAttributes>[] = [
  productCase(q4_0, [1, 1, 64], { residual: true }),
  productCase(q4_0, [1, 131, 96], { residual: true, bias: true }),
  productCase(q8_0, [8, 33, 96], { residual: true, outStart: 24, outCols: 130 }),
  productCase(q8_0, [20, 106, 64], { residual: true, bias: true }),
  productCase(f32, [66, 67, 97], { residual: true }),
  productCase(q8_0, [10, 129, 64], { residual: true, over: "outputRows", out: "f32" }),
  productCase(q4_0, [1, 131, 288], { residual: true, activations: "int8" }),
  productCase(q8_0, [66, 67, 96], { residual: true, bias: true, activations: "int8" }),
];

/** One of everything that products take along; fused_cases.ts crosses it with types, shapes, rows and builds. */
const fusedCases: readonly KernelCase<LinearAttributes>[] = [
  productCase(q4_0, [1, 33, 96], { norm: { eps: 1e-6 }, bias: true }),
  productCase(q8_0, [8, 172, 96], { pair: { activation: "silu", start: 176 } }),
  productCase(q8_0, [1, 7, 96], { pair: { activation: "gelu", start: 8 }, norm: { eps: 1e-6 } }),
  productCase(q4_0, [1, 33, 96], { pair: { activation: "relu", start: 40 } }),
  {
    ...productCase(q8_0, [1, 33, 96], { merge: { numHeads: 3, headDim: 32, splits: 4, splitTokens: 16 }, residual: true }),
    pastTokens: 65,
  },
];

/** Products that are told their shapes, of every family, with geometries for other shapes. */
const sharedCases: readonly KernelCase<LinearAttributes>[] = [
  productCase(q4_0, [1, 33, 96], { norm: { eps: 1e-6 }, bias: true, shared: { n: 1024 } }),
  productCase(q4_0, [1, 33, 96], { norm: { eps: 1e-6 }, outStart: 40, outCols: 90, shared: { n: 1024, k: 1024, anyBias: true } }),
  productCase(q4_0, [1, 131, 288], { residual: true, bias: true, shared: { n: 16, k: 96, anyBias: true } }),
  productCase(q8_0, [8, 172, 96], { pair: { activation: "silu", start: 176 }, shared: { n: 64 } }),
  {
    ...productCase(q8_0, [1, 33, 96], {
      merge: { numHeads: 3, headDim: 32, splits: 4, splitTokens: 16 },
      residual: true,
      shared: { n: 256 },
    }),
    pastTokens: 65,
  },
  productCase(q8_0, [20, 106, 64], { shared: { n: 256, k: 128 } }),
  productCase(f32, [66, 67, 97], { residual: true, shared: { n: 4096, k: 128 } }),
  productCase(q8_0, [66, 67, 96], { bias: true, outStart: 8, outCols: 100, activations: "int8", shared: { n: 512, k: 512 } }),
  productCase(q4_0, [1, 131, 288], { activations: "int8", shared: { n: 512, k: 512, anyBias: true } }),
];

/** The best of every eight columns beside them: of a last few, of a part of a split head, of several rows. */
const bestCases: readonly KernelCase<LinearAttributes>[] = [
  productCase(f32, [1, 1, 1], { best: true, out: "f32" }),
  productCase(q4_0, [8, 131, 96], { best: true, out: "f32", bias: true }),
  productCase(q8_0, [3, 48, 64], { best: true, out: "f32", outStart: 24, outCols: 130 }),
  { ...productCase(q8_0, [3, 1031, 64], { best: true, out: "f32", over: "outputRows" }), rows: 5 },
  productCase(q8_0, [1, 131, 288], { best: true, out: "f32", activations: "int8" }),
];

// Types, shapes, tiers and builds are crossed in kernels/products.gpu.test.ts; here is what that leaves out.
export const linearCases: readonly KernelCase<LinearAttributes>[] = [
  productCase(f32, [1, 1, 1]),
  productCase(q4_0, [1, 521, 4096], { out: "f32", bias: true }),
  // Large enough for the tiles of large products.
  productCase(q4_0, [512, 1024, 64]),
  productCase(q8_0, [1, 48, 64], { outStart: 24, outCols: 130 }),
  productCase(q8_0, [20, 106, 64], { outStart: 24, outCols: 130 }),
  productCase(q8_0, [1, 129, 64], { over: "outputRows", out: "f32" }),
  productCase(q8_0, [10, 129, 64], { over: "outputRows", out: "f32" }),
  productCase(q8_0, [1, 131, 288], { activations: "int8", bias: true }),
  productCase(q8_0, [66, 67, 96], { activations: "int8" }),
  productCase(q4_0, [5, 67, 288], { activations: "int8", over: "outputRows", out: "f32" }),
  ...residualCases,
  ...sharedCases,
  ...fusedCases,
  ...bestCases,
];

export const embedCases: readonly KernelCase<EmbedAttributes>[] = [
  { name: "1 element", attributes: { format: f32, cols: 1, rowStart: 0, rowCount: 3 }, rows: 1 },
  { name: "q4_0 33x288", attributes: { format: q4_0, cols: 288, rowStart: 0, rowCount: 67 }, rows: 33 },
  { name: "one part of a split table", attributes: { format: q8_0, cols: 64, rowStart: 64, rowCount: 64 }, rows: 33 },
];
