// The plan of reads for a file like a real one: each chunk once, in the order of need, every weight in exactly one piece.

import { describe, expect, test } from "vitest";
import { llamaLike } from "../testing/llama_like.ts";
import { formatByGgufType } from "../testing/formats.ts";
import { planReads } from "./load_plan.ts";
import type { Read, ReadRules } from "./load_plan.ts";

const chunkBytes = 4 << 20;
const model = llamaLike({ layers: 4, hidden: 1024, intermediate: 2816, vocab: 32_000 });

function reads(rules: Partial<ReadRules> = {}): readonly Read[] {
  const { tensors, plan } = model;
  return planReads(plan, { tensors, formats: formatByGgufType, chunkBytes, pieceBytes: 1 << 20, ...rules });
}

describe("a llama-like file of mixed types", () => {
  test("each chunk is read once, within its borders", () => {
    const planned = reads();
    const chunks = planned.map(({ offset }) => Math.floor(offset / chunkBytes));
    expect(planned.length).toBeGreaterThan(20);
    expect(new Set(chunks).size).toBe(planned.length);
    expect(planned.length).toBe(Math.ceil(model.size / chunkBytes));
    for (const { offset, length } of planned) expect((offset % chunkBytes) + length).toBeLessThanOrEqual(chunkBytes);
  });

  test("the embedding comes first, then layer after layer, the head last, wherever they are in the file", () => {
    const rankOf = new Map(
      model.plan.slabs.flatMap(({ kind, parts }) => (kind === "vector" ? [] : parts)).map((part, i) => [part.tensor, i]),
    );
    const ranks = reads().map(({ pieces }) => Math.min(...pieces.map(({ tensor }) => rankOf.get(tensor) ?? Infinity)));
    expect(ranks[0]).toBe(0);
    for (let i = 1; i < ranks.length; i++) expect(ranks[i]).toBeGreaterThanOrEqual(ranks[i - 1]);
    // The head is the first tensor of this file.
    expect(model.tensors.get("output.weight")?.offset).toBeLessThan(chunkBytes);
    expect(
      reads()
        .at(-1)
        ?.pieces.every(({ tensor }) => tensor === "output.weight"),
    ).toBe(true);
  });

  test.each([chunkBytes, 100_000, 3000])(
    "pieces cover each tensor once, in chunks of %i bytes",
    (size) => {
      const planned = reads({ chunkBytes: size });
      const pieces = new Set(planned.flatMap((read) => read.pieces));
      const covered = new Map<string, number>();
      for (const { tensor, length } of pieces) covered.set(tensor, (covered.get(tensor) ?? 0) + length);
      expect(covered).toEqual(new Map([...model.tensors.values()].map(({ name, bytes }) => [name, bytes])));
      for (const piece of pieces) {
        const within = planned.filter((read) => read.pieces.includes(piece));
        const bytes = within.map(
          (read) => Math.min(read.offset + read.length, piece.offset + piece.length) - Math.max(read.offset, piece.offset),
        );
        expect(bytes.reduce((sum, count) => sum + count, 0)).toBe(piece.length);
        // Over a border goes a row group at most.
        if (within.length > 1 && piece.kind === "matrix") expect(piece.rows).toBeLessThanOrEqual(8);
      }
    },
    60_000,
  );
});
