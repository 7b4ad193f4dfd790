// Records of bundles against the whole matrices: the rows of gate and up and the columns of down come back out of the record's row groups.

import { describe, expect, test } from "vitest";
import { seededRng } from "../base/rng.ts";
import { formats } from "../testing/formats.ts";
import { refusal } from "../testing/refusal.ts";
import { type BlockBytes, type BundlePlan, packBundle, planBundles } from "./bundle.ts";
import { matrixBytes, packMatrix, type WeightFormat } from "./format.ts";

function named(name: string): WeightFormat {
  return formats.find((format) => format.name === name) ?? expect.fail(name);
}

function blockOf({ up, down, hidden, intermediate }: BundlePlan): BlockBytes {
  const make = (format: WeightFormat, seed: number): Uint8Array => {
    return format.sample(seededRng(seed), (hidden * intermediate) / format.blockSize);
  };
  return { gate: make(up, 1), up: make(up, 2), down: make(down, 3) };
}

/** Rows of a matrix as file bytes, with zero rows behind them. */
function fileRows(
  format: WeightFormat,
  file: Uint8Array,
  { first, rows, cols }: { first: number; rows: number; cols: number },
): Uint8Array {
  const rowBytes = (cols / format.blockSize) * format.bytesPerBlock;
  const found = new Uint8Array(rows * rowBytes);
  found.set(file.subarray(first * rowBytes, (first + rows) * rowBytes));
  return found;
}

/** Down's columns of a bundle, seen as 8 rows of blocks: output 8 * b + i is block b of row i. */
function expectedDown({ down, hidden, intermediate, neurons, downCols }: BundlePlan, index: number, file: Uint8Array): Uint8Array {
  const size = (weights: number): number => (weights / down.blockSize) * down.bytesPerBlock;
  const count = Math.min(neurons, intermediate - index * neurons);
  const rows = new Uint8Array(size(8 * downCols));
  for (let lane = 0; lane < 8; lane++) {
    for (let block = 0; block < hidden / 8; block++) {
      const from = size((block * 8 + lane) * intermediate + index * neurons);
      rows.set(file.subarray(from, from + size(count)), size(lane * downCols + block * neurons));
    }
  }
  return packMatrix(down, rows, { rows: 8, cols: downCols });
}

const cases: ReadonlyArray<readonly [up: string, down: string, hidden: number, intermediate: number, group: number]> = [
  ["q8_0", "q4_0", 64, 352, 3],
  ["f32", "f32", 64, 172, 1],
  ["f16", "f16", 96, 64, 1],
  ["bf16", "f16", 32, 33, 1],
  ["q8_0", "q8_0", 64, 96, 1],
  ["q4_0", "q4_0", 128, 160, 1],
  ["q4_0", "q8_0", 64, 64, 1],
  ["q5_1", "q5_0", 64, 64, 1],
  ["q4_k", "q6_k", 256, 512, 1],
  ["q8_0", "q4_k", 64, 256, 1],
];

describe.each(cases)("gate and up in %s, down in %s, %i x %i, %i to a bundle", (...shape) => {
  const [upName, downName, hidden, intermediate, group] = shape;
  const plan = planBundles({ up: named(upName), down: named(downName), hidden, intermediate, group });
  const source = blockOf(plan);

  test("a record is those rows and columns in the layout of row groups", () => {
    expect(plan.neurons).toBe(Math.max(32, plan.down.blockSize) * group);
    expect(plan.recordBytes % 256).toBe(0);
    for (let index = 0; index < plan.bundles; index++) {
      const record = new Uint8Array(plan.recordBytes);
      packBundle(plan, index, source, record);
      const span = { first: index * plan.neurons, rows: plan.neurons, cols: hidden };
      const half = plan.upBytes / 2;
      for (const [place, matrix] of [source.gate, source.up].entries()) {
        const rows = packMatrix(plan.up, fileRows(plan.up, matrix, span), { rows: plan.neurons, cols: hidden });
        expect(Buffer.compare(record.subarray(place * half, (place + 1) * half), rows)).toBe(0);
      }
      const down = record.subarray(plan.upBytes, plan.upBytes + plan.downBytes);
      expect(Buffer.compare(down, expectedDown(plan, index, source.down))).toBe(0);
      expect(record.subarray(plan.upBytes + plan.downBytes).every((byte) => byte === 0)).toBe(true);
    }
  });
});

test("all records together are as large as the whole matrices on the GPU, but for their alignment", () => {
  for (const name of ["f16", "q8_0", "q4_0", "q4_k", "q6_k"]) {
    const format = named(name);
    const plan = planBundles({ up: format, down: format, hidden: 2048, intermediate: 8192 });
    const matrices = 2 * matrixBytes(format, 8192, 2048) + matrixBytes(format, 2048, 8192);
    expect((plan.bundles * plan.recordBytes) / matrices, name).toBeLessThan(1.002);
  }
});

test("what cannot be cut is refused by name", () => {
  const f32 = named("f32");
  expect(refusal(() => planBundles({ up: named("iq2_s"), down: f32, hidden: 256, intermediate: 64 })).message).toContain("iq2_s");
  expect(refusal(() => planBundles({ up: f32, down: f32, hidden: 48, intermediate: 64 })).code).toBe("UNSUPPORTED.bundles");
  expect(refusal(() => planBundles({ up: f32, down: named("q4_k"), hidden: 64, intermediate: 128 })).code).toBe("UNSUPPORTED.bundles");
});
