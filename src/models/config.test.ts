// Row 12 of the fault matrix: sizes that disagree with each other or with sense are refused before anything is allocated.

import { describe, expect, test } from "vitest";
import type { Metadata, MetaValue } from "../base/metadata.ts";
import { readConfig } from "./config.ts";
import { architectureOf, architectures } from "./index.ts";

const base: Record<string, MetaValue> = {
  "llama.block_count": 2,
  "llama.context_length": 2048,
  "llama.embedding_length": 64,
  "llama.feed_forward_length": 172,
  "llama.attention.head_count": 8,
  "llama.attention.head_count_kv": 4,
  "llama.attention.layer_norm_rms_epsilon": 1e-5,
};

function metadata(changes: Record<string, MetaValue | undefined> = {}): Metadata {
  const entries = Object.entries({ ...base, ...changes }).filter((entry): entry is [string, MetaValue] => entry[1] !== undefined);
  return new Map(entries);
}

test("a plain file gives sizes and defaults", () => {
  expect(readConfig(metadata(), "llama", 512)).toMatchObject({
    numLayers: 2,
    hiddenSize: 64,
    headDim: 8,
    numHeads: 8,
    numKvHeads: 4,
    vocabSize: 512,
    rotaryDim: 8,
    ropeTheta: 10000,
    ropeScaling: undefined,
  });
});

test("a window that files state, unless it holds the whole context", () => {
  expect(readConfig(metadata({ "llama.attention.sliding_window": 512 }), "llama", 512).slidingWindow).toEqual({
    tokens: 512,
    firstLayer: 0,
  });
  for (const tokens of [0, 2048, 4096]) {
    expect(readConfig(metadata({ "llama.attention.sliding_window": tokens }), "llama", 512).slidingWindow).toBeUndefined();
  }
  for (const tokens of [-1, 0.5]) {
    const refused = (): unknown => readConfig(metadata({ "llama.attention.sliding_window": tokens }), "llama", 512);
    expect(refused).toThrow(expect.objectContaining({ code: "MODEL.config" }));
  }
});

test("heads of a stated size need not divide the hidden size", () => {
  const changes = { "llama.embedding_length": 100, "llama.attention.key_length": 16, "llama.attention.value_length": 16 };
  expect(readConfig(metadata(changes), "llama", 512)).toMatchObject({ hiddenSize: 100, headDim: 16, rotaryDim: 16 });
});

describe("refused with MODEL.config, naming the key", () => {
  const cases: Array<[name: string, key: string, value: MetaValue | undefined]> = [
    ["no heads", "llama.attention.head_count", 0],
    ["no layers", "llama.block_count", undefined],
    ["text for a number", "llama.block_count", "two"],
    ["a fraction of a layer", "llama.block_count", 1.5],
    ["a 64-bit number", "llama.block_count", 2n ** 63n],
    ["hidden size no multiple of heads", "llama.embedding_length", 65],
    ["KV heads that do not divide the heads", "llama.attention.head_count_kv", 3],
    ["a head size of 6", "llama.attention.key_length", 6],
    ["values of another size than keys", "llama.attention.value_length", 4],
    ["more rotated dimensions than there are", "llama.rope.dimension_count", 16],
    ["an odd number of rotated dimensions", "llama.rope.dimension_count", 7],
    ["a context of 2^40", "llama.context_length", 2 ** 40],
    ["a million layers", "llama.block_count", 1_000_000],
    ["an epsilon of zero", "llama.attention.layer_norm_rms_epsilon", 0],
    ["an epsilon of NaN", "llama.attention.layer_norm_rms_epsilon", Number.NaN],
    ["a negative RoPE base", "llama.rope.freq_base", -1],
  ];
  for (const [name, key, value] of cases) {
    test(name, () => {
      expect(() => readConfig(metadata({ [key]: value }), "llama", 512)).toThrow(expect.objectContaining({ code: "MODEL.config" }));
    });
  }
});

test("a vocabulary is refused where the sampler ends", () => {
  expect(readConfig(metadata(), "llama", 524_288).vocabSize).toBe(524_288);
  const refused = expect.objectContaining({ code: "MODEL.config", message: expect.stringContaining("524288") });
  expect(() => readConfig(metadata(), "llama", 524_289)).toThrow(refused);
});

describe("RoPE scaling", () => {
  test("linear, also as old files say it", () => {
    const linear = { "llama.rope.scaling.type": "linear", "llama.rope.scaling.factor": 4 };
    expect(readConfig(metadata(linear), "llama", 512).ropeScaling).toEqual({ type: "linear", factor: 4 });
    expect(readConfig(metadata({ "llama.rope.scale_linear": 2 }), "llama", 512).ropeScaling).toEqual({ type: "linear", factor: 2 });
  });

  test("YaRN keeps the original context", () => {
    const yarn = { "llama.rope.scaling.type": "yarn", "llama.rope.scaling.factor": 4, "llama.rope.scaling.original_context_length": 512 };
    expect(readConfig(metadata(yarn), "llama", 512).ropeScaling).toMatchObject({ type: "yarn", factor: 4 });
  });

  test("an unknown kind is refused by name, never ignored", () => {
    const strange = { "llama.rope.scaling.type": "spiral" };
    expect(() => readConfig(metadata(strange), "llama", 512)).toThrow(
      expect.objectContaining({ code: "UNSUPPORTED.rope", detail: { type: "spiral" } }),
    );
  });
});

function activationOf(name?: MetaValue): string {
  return readConfig(metadata({ "llama.hidden_activation": name }), "llama", 512).activation;
}

describe("what gates feed-forward blocks", () => {
  test("SiLU unless the file says ReLU", () => {
    expect([activationOf(), activationOf("silu"), activationOf("relu")]).toEqual(["silu", "silu", "relu"]);
  });

  test("what is not known is refused by name, never ignored", () => {
    for (const name of ["gelu", "relu2", "toString"]) {
      expect(() => activationOf(name)).toThrow(
        expect.objectContaining({ code: "UNSUPPORTED.config", message: expect.stringContaining(`"${name}"`) }),
      );
    }
  });
});

test("architectures are found by name, others refused with the list", () => {
  for (const architecture of architectures) expect(architectureOf(architecture.name)).toBe(architecture);
  for (const name of ["mamba", undefined, 7, "__proto__"]) {
    expect(() => architectureOf(name)).toThrow(
      expect.objectContaining({ code: "UNSUPPORTED.architecture", message: expect.stringContaining("qwen3") }),
    );
  }
});
