// Brings key channels of one size together, for caches whose channels share an exponent in groups (`bfp4`): a few channels of most models'
// keys are ten times as large as the rest, and every group with one of them would lose its small ones. How large a channel is follows from
// the weights that make it, so nothing is measured on data. Pairs that RoPE turns into each other count as one.

import { assert } from "../base/errors.ts";
import type { Formats } from "../formats/index.ts";
import type { AttentionNode, Graph, Node, RopeNode, Table, Value, Weight } from "../graph/ir.ts";
import type { ByteSource } from "../weights/byte_source.ts";
import type { ModelHeader } from "../weights/tensor_info.ts";

export interface ChannelSources {
  readonly file: ModelHeader;
  readonly source: ByteSource;
  readonly formats: Formats;
  /** Whether there is only a header: then channels stay in their order. */
  readonly headerOnly?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Order of a head's channels: the largest first, RoPE's pairs side by side.
 * @param sizes  root mean squares of the channels, [headDim]
 */
export function channelOrder(sizes: Float64Array, { rotaryDim, pairing }: Pick<RopeNode, "rotaryDim" | "pairing">): number[] {
  const half = rotaryDim / 2;
  const pairs = Array.from({ length: half }, (_, pair) => (pairing === "half" ? [pair, pair + half] : [2 * pair, 2 * pair + 1]));
  const single = Array.from({ length: sizes.length - rotaryDim }, (_, index) => [rotaryDim + index]);
  const sizeOf = (channels: readonly number[]): number => channels.reduce((sum, channel) => sum + sizes[channel] ** 2, 0) / channels.length;
  const sorted = [...pairs, ...single].map((channels) => ({ channels, size: sizeOf(channels) })).toSorted((a, b) => b.size - a.size);
  return sorted.flatMap(({ channels }) => channels);
}

/** The graph with an order for each layer's queries and keys, and the tables of those. */
export async function regroupChannels(graph: Graph, sources: ChannelSources): Promise<{ graph: Graph; tables: Table[] }> {
  const nodes: Node[] = [];
  const tables: Table[] = [];
  for (const node of graph.nodes) {
    if (node.op !== "attention") {
      nodes.push(node);
      continue;
    }
    const table = { name: `channels.${node.layer}`, data: await orderOf(graph, node, sources) };
    tables.push(table);
    nodes.push({ ...node, channelOrder: table });
  }
  return { graph: { ...graph, nodes }, tables };
}

/** How a key comes to be: a norm of what the product is of, the product, perhaps a norm of each head, a turn. */
interface KeyPath {
  readonly inputNorm: Weight | undefined;
  readonly weight: Weight;
  readonly bias: Weight | undefined;
  readonly headNorm: Weight | undefined;
  readonly turn: Pick<RopeNode, "rotaryDim" | "pairing">;
}

function keyPath(graph: Graph, { from }: AttentionNode): KeyPath {
  assert("key" in from, "channels are ordered before passes join heads");
  const maker = (value: Value): Node | undefined => graph.nodes.find((node) => "output" in node && node.output.id === value.id);
  const turn = maker(from.key);
  assert(turn?.op === "rope", "keys are turned last");
  let node = maker(turn.input);
  const headNorm = node?.op === "rms_norm" ? node : undefined;
  if (headNorm) node = maker(headNorm.input);
  assert(node?.op === "linear", "keys are a product");
  const before = maker(node.input);
  const [{ weight, bias }] = node.weights;
  return { inputNorm: before?.op === "rms_norm" ? before.weight : undefined, weight, bias, headNorm: headNorm?.weight, turn };
}

/** Words [kv heads, headDim]. */
async function orderOf(graph: Graph, node: AttentionNode, sources: ChannelSources): Promise<Float32Array<ArrayBuffer>> {
  const { numKvHeads, headDim } = node;
  const path = keyPath(graph, node);
  const words = new Uint32Array(numKvHeads * headDim);
  const sizes = sources.headerOnly === true ? undefined : await channelSizes(path, node, sources);
  for (let head = 0; head < numKvHeads; head++) {
    const own = sizes?.subarray(head * headDim, (head + 1) * headDim) ?? new Float64Array(headDim);
    words.set(channelOrder(own, path.turn), head * headDim);
  }
  return new Float32Array(words.buffer);
}

/** Root mean square of each key channel where the input is normal: from the rows of the weight, its bias and the norms around. */
async function channelSizes(path: KeyPath, { numKvHeads, headDim }: AttentionNode, sources: ChannelSources): Promise<Float64Array> {
  const [rows, cols] = path.weight.shape;
  assert(rows === numKvHeads * headDim, "keys have a row for each channel");
  const sizes = new Float64Array(rows);
  const values = await read(path.weight, sources);
  if (!values) return sizes;
  const gains = path.inputNorm && (await read(path.inputNorm, sources));
  const bias = path.bias && (await read(path.bias, sources));
  for (let row = 0; row < rows; row++) {
    let sum = (bias?.[row] ?? 0) ** 2;
    for (let col = 0; col < cols; col++) sum += (values[row * cols + col] * (gains?.[col] ?? 1)) ** 2;
    sizes[row] = Math.sqrt(sum);
  }
  const weights = path.headNorm && (await read(path.headNorm, sources));
  return weights ? sizes.map((size, row) => size * Math.abs(weights[row % headDim])) : sizes;
}

/** A tensor's values; undefined where scales apart from it would have to be known, which it is not worth here. */
async function read({ name }: Weight, { file, source, formats, signal }: ChannelSources): Promise<Float32Array | undefined> {
  const tensor = file.tensors.get(name);
  assert(tensor, `the file has ${name}`);
  const { type, stored, shape, offset, bytes } = tensor;
  const format = stored === undefined ? formats.get(type) : typeof stored.type === "number" ? formats.get(stored.type) : undefined;
  if (!format || stored?.scales) return undefined;
  const values = new Float32Array(shape.reduce((product, size) => product * size, 1));
  format.dequantize(await source.read(offset, bytes, { signal }), values);
  return values;
}
