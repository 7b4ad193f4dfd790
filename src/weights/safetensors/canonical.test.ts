// From Hugging Face's tensors to canonical ones: scales of 8-bit weights, heads that are embeddings, and what is refused.

import { describe, expect, test } from "vitest";
import { decoderTensorName } from "../../models/huggingface.ts";
import { refusal } from "../../testing/refusal.ts";
import { canonicalTensors } from "./canonical.ts";
import type { StoredTensor } from "./header.ts";

const Q8_0 = 8;
const up = "model.layers.0.mlp.up_proj.weight";

function table(
  ...tensors: ReadonlyArray<readonly [name: string, dtype: string, shape: readonly number[], bytes?: number]>
): Map<string, StoredTensor> {
  let offset = 0;
  return new Map(
    tensors.map(([name, dtype, shape, bytes = 4]) => {
      offset += 1000;
      return [name, { name, dtype, shape, offset, bytes }];
    }),
  );
}

function canonical(
  stored: ReadonlyMap<string, StoredTensor>,
  rules: { tied?: boolean; scaled?: boolean } = {},
): ReturnType<typeof canonicalTensors> {
  return canonicalTensors(stored, { tensorName: decoderTensorName, tied: rules.tied, scaled: rules.scaled ?? false });
}

describe("scales of 8-bit weights", () => {
  test.each<[string, string, number[], object]>([
    ["one for the whole", "_scale", [], { blockRows: 300, blockCols: 512, perRow: 1 }],
    ["one for the whole, as a list of one", "_scale", [1], { blockRows: 300, blockCols: 512, perRow: 1 }],
    ["one for each row", "_scale", [300, 1], { blockRows: 1, blockCols: 512, perRow: 1 }],
    ["one for each row, as a vector", "_scale", [300], { blockRows: 1, blockCols: 512, perRow: 1 }],
    ["one for each square of 128", "_scale_inv", [3, 4], { blockRows: 128, blockCols: 128, perRow: 4 }],
  ])("%s", (_, suffix, shape, expected) => {
    const tensors = canonical(table([up, "F8_E4M3", [300, 512]], [`${up}${suffix}`, "F32", shape]), { scaled: true });
    expect([...tensors.keys()]).toEqual(["blk.0.ffn_up.weight"]);
    expect(tensors.get("blk.0.ffn_up.weight")).toMatchObject({
      type: Q8_0,
      offset: 1000,
      stored: { type: "F8_E4M3", scales: { name: `${up}${suffix}`, type: 0, offset: 2000, ...expected } },
    });
  });

  test("none where config.json says nothing of quantization: they are 1", () => {
    expect(canonical(table([up, "F8_E5M2", [4, 64]])).get("blk.0.ffn_up.weight")?.stored).toEqual({ type: "F8_E5M2", scales: undefined });
  });

  test("scales of activations and KV change nothing", () => {
    const layer = "model.layers.0.self_attn";
    const tensors = canonical(
      table([up, "BF16", [4, 64]], [up.replace("weight", "input_scale"), "F32", [1]], [`${layer}.k_scale`, "F32", [1]]),
    );
    expect([...tensors.keys()]).toEqual(["blk.0.ffn_up.weight"]);
  });

  test("missing or of another shape or type", () => {
    const missing = refusal(() => canonical(table([up, "F8_E4M3", [4, 64]]), { scaled: true }));
    expect(missing).toMatchObject({ code: "MODEL.tensor", detail: { tensor: `${up}_scale`, type: "F8_E4M3" } });
    for (const shape of [[2], [4, 2], [2, 1], [64]]) {
      const error = refusal(() => canonical(table([up, "F8_E4M3", [4, 64]], [`${up}_scale`, "F32", shape])));
      expect(error).toMatchObject({ code: "MODEL.shape", detail: { tensor: `${up}_scale` } });
    }
    const error = refusal(() => canonical(table([up, "F8_E4M3", [4, 64]], [`${up}_scale`, "F8_E8M0", [4, 1]])));
    expect(error).toMatchObject({ code: "UNSUPPORTED.type", detail: { tensor: `${up}_scale`, type: "F8_E8M0" } });
  });
});

describe("a head that is the embedding", () => {
  const embedding = ["model.embed_tokens.weight", "F32", [8, 64]] as const;
  const head = ["lm_head.weight", "F32", [8, 64]] as const;

  test("is stored under either name, and is the embedding", () => {
    for (const tied of [true, undefined]) {
      for (const [only, offset] of [
        [embedding, 1000],
        [head, 1000],
      ] as const) {
        const tensors = canonical(table([...only]), { tied });
        expect([...tensors.keys()]).toEqual(["token_embd.weight"]);
        expect(tensors.get("token_embd.weight")).toMatchObject({ name: "token_embd.weight", offset });
      }
    }
  });

  test("is dropped where both are stored and config.json ties them, kept where it does not", () => {
    expect([...canonical(table([...embedding], [...head]), { tied: true }).keys()]).toEqual(["token_embd.weight"]);
    for (const tied of [false, undefined]) {
      expect([...canonical(table([...embedding], [...head]), { tied }).keys()]).toEqual(["token_embd.weight", "output.weight"]);
    }
  });

  test("is missing where config.json says that it is another", () => {
    expect(refusal(() => canonical(table([...embedding]), { tied: false }))).toMatchObject({
      code: "MODEL.tensor",
      detail: { tensor: "lm_head.weight" },
    });
    const detail = { tensor: "model.embed_tokens.weight" };
    expect(refusal(() => canonical(table([...head]), { tied: false }))).toMatchObject({ code: "MODEL.tensor", detail });
  });
});

describe("what is refused, by name and type", () => {
  test.each<[string, string, string]>([
    ["a tensor that nothing is known of", "model.layers.0.mlp.experts.0.up_proj.weight", "UNSUPPORTED.tensor"],
    ["a name that is a prototype's", "__proto__", "UNSUPPORTED.tensor"],
    ["a part that is a prototype's", "model.layers.0.constructor.weight", "UNSUPPORTED.tensor"],
    ["a layer of another spelling", "model.layers.00.mlp.up_proj.weight", "UNSUPPORTED.tensor"],
  ])("%s", (_, name, code) => {
    expect(refusal(() => canonical(table([name, "F32", [4, 64]])))).toMatchObject({ code, detail: { tensor: name, type: "F32" } });
  });

  test("types that are no weights here", () => {
    for (const dtype of ["I32", "U8", "F64", "F8_E8M0", "F4", "BOOL"]) {
      expect(refusal(() => canonical(table([up, dtype, [4, 64]])))).toMatchObject({
        code: "UNSUPPORTED.type",
        detail: { tensor: up, type: dtype },
      });
    }
  });
});
