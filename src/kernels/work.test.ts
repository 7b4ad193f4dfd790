import { describe, expect, test } from "vitest";
import { q4_0 } from "../formats/q4_0.ts";
import { testedKernels } from "../testing/kernel_cases/index.ts";
import { add } from "./add.ts";
import { attentionDecode } from "./attention_decode.ts";
import { attentionMerge } from "./attention_merge.ts";
import { attentionPrefill } from "./attention_prefill.ts";
import { embed } from "./embed.ts";
import { gatherRows } from "./gather_rows.ts";
import { heads } from "./heads.ts";
import type { StepShape } from "./kernel.ts";
import { kvStore } from "./kv_store.ts";
import { linear } from "./linear.ts";
import { quantize } from "./quantize.ts";
import { rmsNorm } from "./rms_norm.ts";
import { rope } from "./rope.ts";

const step: StepShape = { rows: 3, outputRows: 2, contextTokens: 100 };
const kv = { pageTokens: 32, numKvHeads: 2, headDim: 8, type: "f32", maxPages: 4 } as const;
const attention = { kv, numHeads: 4, scale: 1 };
const product = { format: q4_0, k: 64, n: 16, bias: false, outStart: 0, outCols: 16, over: "rows", out: "act" } as const;

test("element by element", () => {
  expect(add.work({ cols: 10 }, step)).toEqual({ bytes: 3 * 3 * 10 * 4, macs: 30 });
  expect(gatherRows.work({ cols: 10 }, step)).toEqual({ bytes: 2 * 2 * 10 * 4, macs: 0 });
  expect(rmsNorm.work({ cols: 10, groups: 1, eps: 0 }, step)).toEqual({ bytes: (2 * 30 + 10) * 4, macs: 90 });
  expect(rope.work({ heads: 2, headDim: 8, rotaryDim: 4, pairing: "half", maxPositions: 9 }, step)).toEqual({
    bytes: (2 * 3 * 16 + 3 * 4) * 4,
    macs: 2 * 3 * 2 * 4,
  });
  // 40 inputs padded to 64: 64 bytes and two scales.
  expect(quantize.work({ cols: 40, over: "rows" }, step)).toEqual({ bytes: 3 * (40 * 4 + 64 + 2 * 4), macs: 120 });
});

describe("products", () => {
  test("read the matrix once, whatever the rows", () => {
    const matrix = 2 * q4_0.rowGroupBytes(64);
    expect(linear.work(product, step)).toEqual({ bytes: matrix + 3 * (64 + 16) * 4, macs: 3 * 16 * 64 });
    expect(linear.work({ ...product, bias: true, over: "outputRows" }, step)).toEqual({
      bytes: matrix + 2 * (64 + 16) * 4 + 16 * 4,
      macs: 2 * 16 * 64,
    });
  });

  test("of a split tensor write their own columns", () => {
    expect(linear.work({ ...product, outStart: 16, outCols: 48 }, step)).toEqual(linear.work(product, step));
  });

  test("an embedding reads the rows it gives", () => {
    const row = q4_0.rowGroupBytes(64) / 8;
    expect(embed.work({ format: q4_0, cols: 64, rowStart: 0, rowCount: 1000 }, step).bytes).toBe(3 * (row + 64 * 4));
  });
});

describe("attention", () => {
  const position = 2 * 2 * 8 * 4;

  test("of sequences reads the past of each", () => {
    const split = { ...attention, splits: 4, splitTokens: 32 };
    const partials = 3 * 4 * 4 * (8 + 4);
    expect(attentionDecode.work(split, step)).toEqual({ bytes: 3 * 32 * 4 + 300 * position + partials * 4, macs: 2 * 300 * 32 });
    expect(attentionMerge.work(split, step).bytes).toBe(partials * 4 + 3 * 32 * 4);
    // 20 tokens are in one range.
    expect(attentionMerge.work(split, { ...step, contextTokens: 20 }).bytes).toBe((partials / 4) * 4 + 3 * 32 * 4);
  });

  test("of consecutive rows reads the past once and sees 98, 99 and 100 keys", () => {
    expect(attentionPrefill.work(attention, step)).toEqual({ bytes: 2 * 3 * 32 * 4 + 100 * position, macs: 2 * 297 * 32 });
  });

  test("of heads made on the way reads all projections and writes the newest keys and values", () => {
    const stacked = {
      kv,
      numHeads: 4,
      headDim: 8,
      rotaryDim: 4,
      pairing: "half",
      maxPositions: 99,
      keyStart: 32,
      valueStart: 48,
      cols: 64,
    } as const;
    const turning = 2 * 6 * 4;
    expect(heads.work(stacked, step)).toEqual({ bytes: 3 * (64 + 32 + 4) * 4 + 3 * position, macs: 3 * turning });
    const normed = { ...stacked, qNorm: { eps: 0 }, kNorm: { eps: 0 } };
    expect(heads.work(normed, step)).toEqual({ bytes: 3 * (64 + 32 + 4) * 4 + 16 * 4 + 3 * position, macs: 3 * (turning + 3 * 48) });
    const split = { ...attention, splits: 4, splitTokens: 32 };
    const partials = 3 * 4 * 4 * (8 + 4);
    expect(attentionDecode.work({ ...split, prologue: stacked }, step)).toEqual({
      bytes: 3 * (64 + 4) * 4 + 300 * position + partials * 4,
      macs: 2 * 300 * 32 + 3 * turning,
    });
  });

  test("stores the keys and values of its rows", () => {
    expect(kvStore.work({ kv }, step)).toEqual({ bytes: 3 * position * 2, macs: 0 });
  });
});

describe("every case of every kernel", () => {
  for (const listed of testedKernels) {
    listed.visit((kernel) =>
      test(kernel.name, () => {
        for (const { attributes, rows, outputRows = 1, pastTokens = 0 } of kernel.cases) {
          const work = kernel.work(attributes, { rows, outputRows, contextTokens: pastTokens + rows });
          const more = kernel.work(attributes, { rows: rows + 1, outputRows: outputRows + 1, contextTokens: pastTokens + rows + 1 });
          expect(Number.isInteger(work.bytes) && work.bytes > 0).toBe(true);
          expect(Number.isInteger(work.macs) && work.macs >= 0).toBe(true);
          expect(more.bytes).toBeGreaterThan(work.bytes);
          expect(more.macs).toBeGreaterThanOrEqual(work.macs);
        }
      }),
    );
  }
});
