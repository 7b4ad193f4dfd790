import { describe, expect, test } from "vitest";
import { seededRng } from "../base/rng.ts";
import { openGguf } from "../weights/gguf/gguf.ts";
import { bytesSource } from "../weights/byte_source.ts";
import { keptToken } from "../kernels/references/kv_tokens.ts";
import { plainCaps } from "../testing/plain_caps.ts";
import { tinyModel } from "../testing/tiny_model.ts";
import { channelOrder } from "./channel_order.ts";
import { buildModel } from "./model.ts";

const headDim = 64;
/** A few pairs that RoPE turns are thirty times as large as the rest. */
const large = [3, 17, 26, 30];
const sizes = Float64Array.from({ length: headDim }, (_, channel) => (large.includes(channel % 32) ? 30 : 1));

function keys(count: number): Float32Array[] {
  const rng = seededRng(9);
  return Array.from({ length: count }, () => Float32Array.from({ length: headDim }, (_, channel) => rng.normal() * sizes[channel]));
}

function moved(vector: Float32Array, order: readonly number[]): Float32Array {
  return Float32Array.from(order, (channel) => vector[channel]);
}

/** Mean square error of the channels that are not large, over their power. */
function smallError(vectors: readonly Float32Array[], order: readonly number[]): number {
  let [error, power] = [0, 0];
  for (const vector of vectors) {
    const kept = keptToken("bfp4", moved(vector, order));
    for (const [place, channel] of order.entries()) {
      if (sizes[channel] > 1) continue;
      error += (kept[place] - vector[channel]) ** 2;
      power += vector[channel] ** 2;
    }
  }
  return error / power;
}

function product(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, d) => sum + value * b[d], 0);
}

describe("orders of channels", () => {
  test.each(["half", "interleaved"] as const)("hold each channel once, pairs side by side, the largest first (%s)", (pairing) => {
    const rng = seededRng(4);
    const some = Float64Array.from({ length: 20 }, () => Math.abs(rng.normal()));
    const order = channelOrder(some, { rotaryDim: 16, pairing });
    expect(order.toSorted((a, b) => a - b)).toEqual([...some.keys()]);
    const partner = (channel: number): number =>
      channel >= 16 ? channel : pairing === "half" ? (channel + 8) % 16 : channel + 1 - 2 * (channel % 2);
    for (const [place, channel] of order.entries()) {
      expect(Math.abs(order.indexOf(partner(channel)) - place)).toBeLessThanOrEqual(1);
    }
    const power = (channel: number): number => some[channel] ** 2 + some[partner(channel)] ** 2;
    const powers = order.map(power);
    expect(powers).toEqual(powers.toSorted((a, b) => b - a));
  });

  test("bring outliers together, so that small channels keep what they have", () => {
    const vectors = keys(200);
    const plain = smallError(vectors, [...sizes.keys()]);
    const ordered = smallError(vectors, channelOrder(sizes, { rotaryDim: headDim, pairing: "half" }));
    // Every group of 16 has an outlier, beside which small channels are mostly rounded to nothing.
    expect(plain).toBeGreaterThan(0.6);
    // Of 56 small channels 8 are left beside outliers.
    expect(ordered).toBeLessThan(plain / 5);
  });

  test("change no product of query and key", () => {
    const [query, key] = keys(2);
    const order = channelOrder(sizes, { rotaryDim: headDim, pairing: "half" });
    expect(product(moved(query, order), moved(key, order))).toBeCloseTo(product(query, key), 6);
  });
});

describe("a model with keys in block floating point", () => {
  test.each(["llama", "qwen2", "qwen3"] as const)("has an order for each layer of %s, and others have none", async (architecture) => {
    const source = bytesSource(tinyModel({ architecture, layers: 2, hidden: 64, heads: 4, kvHeads: 2 }));
    const build = async (type: "bfp4" | "q8_0", headerOnly = false): Promise<number[][]> => {
      const model = await buildModel(await openGguf(source), source, { caps: plainCaps, kv: { type }, headerOnly });
      const named = model.tables.filter(({ name }) => name.startsWith("channels."));
      const used = model.graph.nodes.flatMap((node) => (node.op === "attention" && node.channelOrder ? [node.channelOrder] : []));
      expect(used).toEqual(named);
      return named.map(({ data }) => [...new Uint32Array(data.buffer)]);
    };
    expect(await build("q8_0")).toEqual([]);
    const orders = await build("bfp4");
    expect(orders.length).toBe(2);
    const whole = Array.from({ length: 16 }, (_, channel) => channel);
    for (const words of orders) {
      for (const head of [0, 1]) expect(words.slice(16 * head, 16 * head + 16).toSorted((a, b) => a - b)).toEqual(whole);
    }
    // Layers and heads differ, as their weights do; without weights all are alike.
    expect(new Set(orders.flatMap((words) => [words.slice(0, 16).join(), words.slice(16).join()])).size).toBe(4);
    expect(new Set((await build("bfp4", true)).flatMap((words) => [words.slice(0, 16).join(), words.slice(16).join()])).size).toBe(1);
  });
});
