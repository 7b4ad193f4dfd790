// What should follow from a row's choice: the next step's state; and what else a request may be told of a row.

import { chosenFlag, chosenWords, stepRowWords } from "../../base/layout.ts";
import type { AdvanceAttributes } from "../advance.ts";
import type { CpuArgs, CpuTensor } from "../kernel.ts";
import { lowest, noIndex, type TopKAttributes } from "../top_k.ts";
import { bitsOf, brokenRow, logitRow } from "./logits.ts";

/** The whole state: header, then four words for each row. */
export function advanceReference(_: AdvanceAttributes, args: CpuArgs): readonly CpuTensor[] {
  const chosen = bitsOf(args.inputs[0].data);
  const rows = args.rows.map(({ token, position, slot }, index) => [token, position, slot, args.outputRows[index] ?? 0]);
  let moved = false;
  for (const [index, row] of args.outputRows.entries()) {
    const [id, , flag] = chosen.subarray(index * chosenWords);
    if (flag !== chosenFlag.ok) continue;
    rows[row][0] = id;
    rows[row][1] += 1;
    moved = true;
  }
  const header = moved ? [rows.length, args.outputRows.length, 0, 0] : [0, 0, 0, 0];
  const words = Uint32Array.from([header, ...rows].flat());
  return [{ rows: 1 + rows.length, cols: stepRowWords, data: new Float32Array(words.buffer) }];
}

/** Finite columns of a row in order: larger first, lower id first among equals. */
function bestFirst(row: Float32Array, count: number): number[] {
  const finite = [...row.keys()].filter((col) => Number.isFinite(row[col]));
  return finite.toSorted((a, b) => row[b] - row[a] || a - b).slice(0, count);
}

export function topKReference({ k }: TopKAttributes, args: CpuArgs): readonly CpuTensor[] {
  const [logits] = args.inputs;
  const cols = 2 * k + 4;
  const data = new Float32Array(logits.rows * cols);
  for (let row = 0; row < logits.rows; row++) {
    const values = logitRow(logits, row);
    const broken = brokenRow(values);
    const best = broken ? [] : bestFirst(values, k);
    const out = data.subarray(row * cols, (row + 1) * cols);
    const words = bitsOf(out);
    for (let i = 0; i < k; i++) {
      words[i] = best[i] ?? noIndex;
      out[k + i] = i < best.length ? values[best[i]] : lowest;
    }
    const max = broken ? lowest : values[best[0]];
    const sum = broken ? 1 : values.reduce((total, value) => total + Math.exp(value - max), 0);
    out.set([max, max + Math.log(sum)], 2 * k);
    words[2 * k + 2] = broken ? 1 : 0;
  }
  return [{ rows: logits.rows, cols, data }];
}
