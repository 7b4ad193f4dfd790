// A model of one layer with weights made by hand, whose answers are known: a fact token says "key i has value j", a question token asks for
// key i, and attention finds the fact by its key. What a cache has lost, the model cannot answer. Filler attends to some facts and not to
// others, so that it is known, too, which of them policies drop that go by attention.

import { assert } from "../base/errors.ts";
import { bytesSource } from "../weights/byte_source.ts";
import { openGguf } from "../weights/gguf/gguf.ts";
import { seededRng } from "../base/rng.ts";
import { tinyModel } from "./tiny_model.ts";

const keys = 8;
const values = 8;
const hidden = 128;
const heads = 2;
const headDim = hidden / heads;

/** Columns of the residual stream. */
const column = { key: 0, value: 8, question: 16, answer: 24, filler: 64, notable: 66, plain: 67 } as const;
/** Dimensions of a head; the first four turn with the position. */
const dim = { key: 4, notice: 12 } as const;

const firstQuestion = keys * values;
const firstAnswer = firstQuestion + keys;
const firstFiller = firstAnswer + values;
const fillers = 100;

/** Keys below this are of facts that filler attends to less than to anything else; the others it attends to most. */
export const plainKeys: number = keys / 2;

export function factToken(key: number, value: number): number {
  return key * values + value;
}

export function questionToken(key: number): number {
  return firstQuestion + key;
}

export function answerToken(value: number): number {
  return firstAnswer + value;
}

/** Seeded filler, with tokens at places of their own. */
export function fillerWith(length: number, placed: ReadonlyMap<number, number>, seed = 1): number[] {
  const rng = seededRng(seed);
  return Array.from({ length }, (_, place) => placed.get(place) ?? firstFiller + rng.below(fillers));
}

/** Elements of a token's embedding that are not zero. */
function embedding(token: number): ReadonlyMap<number, number> {
  if (token < firstQuestion) {
    const key = Math.floor(token / values);
    const flag = key < plainKeys ? column.plain : column.notable;
    return new Map([
      [column.key + key, 1],
      [column.value + (token % values), 1],
      [flag, 1],
    ]);
  }
  if (token < firstAnswer) return new Map([[column.question + token - firstQuestion, 1]]);
  if (token < firstFiller) return new Map([[column.answer + token - firstAnswer, 1]]);
  // Fillers differ, in columns that nothing reads.
  return new Map([
    [column.filler, 1],
    [72 + (token % 48), 1],
  ]);
}

type Element = (row: number, col: number) => number;

/** Connects columns of the residual stream with dimensions of each head. */
function projection(links: ReadonlyArray<readonly [dimension: number, column: number, weight: number]>): Element {
  return (row, col) => links.find(([dimension, from]) => dimension === row % headDim && from === col)?.[2] ?? 0;
}

function codes(count: number, to: number, from: number, weight: number): [number, number, number][] {
  return Array.from({ length: count }, (_, index) => [to + index, from + index, weight]);
}

const elements: Readonly<Record<string, Element>> = {
  "token_embd.weight": (row, col) => embedding(row).get(col) ?? 0,
  "blk.0.attn_q.weight": projection([...codes(keys, dim.key, column.question, 2), [dim.notice, column.filler, 0.5]]),
  // Scores of filler: about 1 for filler, 6 for notable facts, -2 for plain ones; of a question: about 18 for its fact, 0 for the rest.
  "blk.0.attn_k.weight": projection([
    ...codes(keys, dim.key, column.key, 1),
    [dim.notice, column.filler, 0.25],
    [dim.notice, column.notable, 2],
    [dim.notice, column.plain, -0.625],
  ]),
  "blk.0.attn_v.weight": projection(codes(values, 0, column.value, 1)),
  "blk.0.attn_output.weight": (row, col) =>
    row >= column.answer && row - column.answer === col % headDim && col % headDim < values ? 0.5 : 0,
  "blk.0.ffn_down.weight": () => 0,
  "output.weight": (row, col) => (row >= firstAnswer && row < firstFiller && col === column.answer + row - firstAnswer ? 1 : 0),
};

/** A GGUF file of the model in f32. */
export async function recallModel(contextLength: number): Promise<Uint8Array<ArrayBuffer>> {
  const metadata = [["llama.rope.dimension_count", "u32", 4]] as const;
  const shape = { layers: 1, hidden, heads, kvHeads: heads, ffn: 32, untied: true };
  const file = tinyModel({ ...shape, contextLength, metadata });
  const { tensors } = await openGguf(bytesSource(file));
  for (const { name, shape: sizes, offset, bytes } of tensors.values()) {
    const cols = sizes.at(-1) ?? 1;
    const value = elements[name] ?? (name.endsWith("_norm.weight") ? () => 1 : undefined);
    if (!value) continue;
    const data = Float32Array.from({ length: bytes / 4 }, (_, at) => value(Math.floor(at / cols), at % cols));
    assert(data.byteLength === bytes, `${name} is not in f32`);
    file.set(new Uint8Array(data.buffer), offset);
  }
  return file;
}
