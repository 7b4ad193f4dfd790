// Moves the kept tokens of a sequence together in the cache, for policies that drop tokens. Not part of a graph: the engine dispatches it
// between steps. Its text comes with it, because most loads drop nothing.

import compactShader from "../../shaders/kv_compact.wgsl?raw";
import { assert } from "../base/errors.ts";
import { ceilDiv } from "../base/math.ts";
import { type KvCompactAttributes, movesHeader } from "./eviction_layout.ts";
import type { Kernel, KernelTarget, OperandSpecs, Variant } from "./kernel.ts";
import { kvAliases, kvBindings, kvConsts, kvParts, supportsKv } from "./kv_layout.ts";
import { makeHeader, variantKey } from "./target.ts";
import { kvBytes } from "./work.ts";

/** Kept tokens in order: where they are, and by how many positions their keys turn back, where they do. */
export interface MoveList {
  readonly sources: Uint32Array;
  readonly backs?: Uint32Array | undefined;
}

export interface Moves {
  /** The first place that is written; lists begin with its token. */
  readonly first: number;
  /** One list for all kv heads, or one for each, of equal lengths. */
  readonly lists: readonly MoveList[];
  /** Rows of the page table that places are read and written through; equal in a contiguous cache. */
  readonly slots: readonly [read: number, written: number];
}

/** Moves as the kernel reads them. */
export function packMoves({ first, lists, slots }: Moves): Uint32Array<ArrayBuffer> {
  const count = lists[0].sources.length;
  const words = new Uint32Array(movesHeader + 2 * count * lists.length);
  words.set([first, first + count, lists.length > 1 ? 2 * count : 0, ...slots]);
  let at = movesHeader;
  for (const { sources, backs } of lists) {
    assert(sources.length === count, "kv heads keep equally many tokens");
    for (let index = 0; index < count; index++) {
      words[at++] = sources[index];
      words[at++] = backs?.[index] ?? 0;
    }
  }
  return words;
}

const workgroupSize = 32;

/** Whether there is a kernel for such heads. */
export function compacts({ rotaryDim, pairing }: Pick<KvCompactAttributes, "rotaryDim" | "pairing">): boolean {
  return rotaryDim % (pairing === "half" ? 8 : 4) === 0;
}

function variants(attributes: KvCompactAttributes, target: KernelTarget): readonly Variant[] {
  const { kv, rotaryDim, pairing, maxPositions } = attributes;
  if (!supportsKv(target, kv) || (kv.type !== "f32" && kv.type !== "f16") || !compacts(attributes)) return [];
  const consts = {
    WG: workgroupSize,
    BATCH: target.caps.software ? 1 : 4,
    ...kvConsts(kv),
    ROTARY: rotaryDim,
    MAX_POSITIONS: maxPositions,
  };
  return [
    {
      key: variantKey(target, "kv_compact", pairing, `kv_${kv.type}`),
      precision: target.precision,
      header: makeHeader(target, consts, kvAliases(kv, target)),
      files: [{ name: "kv_compact.wgsl", text: compactShader }, `parts/turn/${pairing}.wgsl`, ...kvParts(kv, target)],
      bindings: [
        ...kvBindings("read_write"),
        { name: "turns", from: "table0", type: "array<vec4<f32>>", access: "read" },
        { name: "moves", from: "table1", type: "array<u32>", access: "read" },
      ],
      usesStep: false,
      grid: () => [ceilDiv((kv.numKvHeads * kv.headDim) / 2, workgroupSize), 1, 1],
    },
  ];
}

function exampleMoves({ kv, example }: KvCompactAttributes): Uint32Array<ArrayBuffer> {
  const { first, end, slots, each, turned } = example ?? { first: 0, end: 4, slots: [1, 1] as const, each: false, turned: true };
  const list = (head: number): MoveList => {
    const sources = Uint32Array.from({ length: end - first }, (_, index) => first + index + 1 + Math.floor(index / 2) + head);
    return { sources, backs: turned ? sources.map((source, index) => source - first - index) : undefined };
  };
  return packMoves({ first, slots, lists: Array.from({ length: each ? kv.numKvHeads : 1 }, (_, head) => list(head)) });
}

function operands(attributes: KvCompactAttributes): OperandSpecs {
  const { kv, rotaryDim, maxPositions } = attributes;
  const words = exampleMoves(attributes);
  return {
    kv,
    tables: [maxPositions * rotaryDim],
    lists: [{ length: words.length, word: (_, index) => words[index] }],
  };
}

/** kv[written slot, first + i] = kv[read slot, source i], keys turned back. Writes pages, has no output. */
export const kvCompact: Kernel<KvCompactAttributes> = {
  name: "kv_compact",
  outputs: () => [],
  variants,
  operands,
  work: ({ kv }, step) => ({ bytes: 2 * kvBytes(kv, step.contextTokens), macs: 0 }),
};
