// Leaves the next decode step on the GPU: token and position of each row.

import { bitsOf } from "./choose.ts";
import type { CpuArgs, CpuTensor, Kernel } from "./kernel.ts";
import { makeHeader, supports, variantKey } from "./target.ts";

export interface AdvanceAttributes {
  /** Sequences of a decode step. */
  readonly rows: number;
}

const workgroupSize = 1;

/** The rows' state after the step, [rows, 3] words: token, position, slot. */
function reference(_attributes: AdvanceAttributes, { inputs: [chosen], rows }: CpuArgs): readonly CpuTensor[] {
  const data = new Float32Array(rows.length * 3);
  const words = bitsOf(data);
  const choices = bitsOf(chosen.data);
  for (const [row, { token, position, slot }] of rows.entries()) {
    const sound = choices[row * 4 + 2] === 0;
    words.set(sound ? [choices[row * 4], position + 1, slot] : [token, position, slot], row * 3);
  }
  return [{ rows: rows.length, cols: 3, data }];
}

/**
 * row[r].token = id, row[r].position += 1 where argmax's flag is 0; input u32 [rows, 4] of argmax. A row without a sound choice stays.
 */
export const advance: Kernel<AdvanceAttributes> = {
  name: "advance",
  outputs: () => [],
  variants: ({ rows }, target) =>
    supports(target)
      ? [
          {
            key: variantKey(target, "advance"),
            precision: target.precision,
            header: makeHeader(target, { WG: workgroupSize, ROWS: rows }),
            files: ["advance.wgsl"],
            bindings: [
              { name: "chosen", from: "input0", type: "array<u32>", access: "read" },
              { name: "state", from: "state", type: "array<u32>", access: "read_write" },
            ],
            usesStep: false,
            grid: () => [rows, 1, 1],
          },
        ]
      : [],
  reference,
  // Every third row is flagged.
  operands: () => ({
    inputs: [{ rows: "outputRows", cols: 4, type: "u32", fill: (rng, row, col) => (col === 2 ? Number(row % 3 === 2) : rng.below(1000)) }],
  }),
  cases: [
    { name: "1 row", attributes: { rows: 1 }, rows: 1 },
    { name: "7 rows", attributes: { rows: 7 }, rows: 7, outputRows: 7, sequences: "each", pastTokens: 40 },
  ],
};
