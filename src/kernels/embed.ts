// Rows of the token embedding.

import { blockWidth, rowGroupSize, rowStride } from "../base/layout.ts";
import { ceilDiv } from "../base/math.ts";
import { codebookBytes, type WeightFormat } from "../formats/format.ts";
import type { Kernel, KernelTarget, Variant } from "./kernel.ts";
import { weightFiles } from "./matrix.ts";
import { actType, makeHeader, supports, variantKey } from "./target.ts";

export interface EmbedAttributes {
  readonly format: WeightFormat;
  readonly cols: number;
  /** First token that weight0 holds. */
  readonly rowStart: number;
  /** Tokens that weight0 holds. */
  readonly rowCount: number;
}

function variants({ format, cols, rowStart, rowCount }: EmbedAttributes, target: KernelTarget): readonly Variant[] {
  if (!supports(target)) return [];
  const workgroupSize = target.deviceClass === "cpu" ? 8 : 32;
  const blocks = rowStride(cols) / blockWidth;
  return [
    {
      key: variantKey(target, "embed", format.name),
      precision: target.precision,
      header: makeHeader(target, {
        WG: workgroupSize,
        BLOCKS: blocks,
        ROW_START: rowStart,
        ROW_COUNT: rowCount,
        Y_F16: actType(target) === "f16",
        ...format.constants(cols),
      }),
      files: ["embed.wgsl", ...weightFiles(format)],
      bindings: [
        { name: "w", from: "weight0", type: "array<vec4<u32>>", access: "read" },
        { name: "y", from: "output0", type: "array<vec4<act_t>>", access: "read_write" },
      ],
      usesStep: true,
      grid: (step) => [ceilDiv(blocks, workgroupSize), step.rows, 1],
    },
  ];
}

/** y[t] = weight[token(t) - rowStart], for tokens in [rowStart, rowStart + rowCount); other rows stay. y [rows, cols]. */
export const embed: Kernel<EmbedAttributes> = {
  name: "embed",
  outputs: ({ cols }) => [{ rows: "rows", cols, type: "act" }],
  variants,
  operands: ({ format, cols, rowStart, rowCount }) => ({
    weights: [{ format, rows: rowCount, cols }],
    // Half the tokens of a split table lie in another part.
    tokenCount: rowStart + rowCount * (rowStart > 0 ? 2 : 1),
  }),
  narrow: (attributes, rows) => {
    const rowCount = Math.min(attributes.rowCount, rows);
    return { attributes: { ...attributes, rowCount }, tokenCount: attributes.rowStart + rowCount };
  },
  work: ({ format, cols }, step) => ({
    bytes: codebookBytes(format) + step.rows * (format.rowGroupBytes(cols) / rowGroupSize + 4 * cols),
    macs: step.rows * cols,
  }),
};
