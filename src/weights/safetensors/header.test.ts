// Headers of safetensors files: what is read of good ones, and which code each kind of bad one gets. Numbers are rows of the fault matrix.

import { describe, expect, test } from "vitest";
import { ShaderloomError } from "../../base/errors.ts";
import { seededRng } from "../../base/rng.ts";
import { randomTensor, safetensorsFile, writeSafetensors } from "../../testing/safetensors_writer.ts";
import { errorCode, typedError } from "../../testing/typed_error.ts";
import { bytesSource } from "../byte_source.ts";
import { openSafetensors } from "./header.ts";

const eight = new Uint8Array(8);

function open(header: string | Uint8Array, data: Uint8Array = eight, length?: bigint): ReturnType<typeof openSafetensors> {
  return openSafetensors(bytesSource(safetensorsFile(header, data, length), "m.safetensors"));
}

/** A header of one tensor with some fields replaced. */
function one(fields: object): string {
  return JSON.stringify({ a: { dtype: "F32", shape: [2], data_offsets: [0, 8], ...fields } });
}

/** Tensors without weights. */
function many(count: number): string {
  return `{${Array.from({ length: count }, (_, i) => `"t${i}":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}`).join(",")}}`;
}

test("tensors, their places and the texts of a good file", async () => {
  const tensors = [randomTensor("b", "BF16", [3, 5]), randomTensor("a", "F32", [2]), { ...randomTensor("s", "F16", [1]), shape: [] }];
  const bytes = writeSafetensors(tensors);
  const file = await openSafetensors(bytesSource(bytes));
  expect(file.metadata).toEqual(new Map([["format", "pt"]]));
  expect([...file.tensors.keys()]).toEqual(["b", "a", "s"]);
  for (const { name, dtype, shape, data } of tensors) {
    const found = file.tensors.get(name);
    expect(found).toMatchObject({ name, dtype, shape, bytes: data.length });
    expect(Buffer.compare(bytes.subarray(found?.offset, (found?.offset ?? 0) + data.length), data)).toBe(0);
  }
});

test("tensors without weights share an offset, and hostile names are only names", async () => {
  const empty = { dtype: "F32", shape: [0, 4], data_offsets: [0, 0] };
  const header = `{"__proto__":${JSON.stringify(empty)},"constructor":${JSON.stringify(empty)},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`;
  expect([...(await open(header)).tensors.keys()].toSorted()).toEqual(["__proto__", "a", "constructor"]);
  expect(Object.hasOwn(Object.prototype, "dtype")).toBe(false);
});

describe("row 14: the header itself", () => {
  test.each<[string, () => Promise<unknown>, string]>([
    ["an empty file", () => openSafetensors(bytesSource(new Uint8Array(0))), "FORMAT.truncated"],
    ["seven bytes", () => openSafetensors(bytesSource(new Uint8Array(7))), "FORMAT.truncated"],
    ["a length of 0", () => open("", eight), "FORMAT.json"],
    ["a length beyond the file", () => open("{}", new Uint8Array(0), 1000n), "FORMAT.truncated"],
    ["a length of 2^64-1", () => open("{}", eight, 2n ** 64n - 1n), "FORMAT.magic"],
    ["a length of 2^53+1", () => open("{}", eight, 2n ** 53n + 1n), "FORMAT.magic"],
    ["text that does not begin with a brace", () => open(` ${one({})}`), "FORMAT.json"],
    ["a byte order mark", () => open(`\uFEFF${one({})}`), "FORMAT.json"],
    ["bytes that are no UTF-8", () => open(new Uint8Array([0x7b, 0xff, 0xfe, 0x7d])), "FORMAT.json"],
    ["a list", () => open("[1,2,3]"), "FORMAT.json"],
    ["text behind its end", () => open(`${one({})}{}`), "FORMAT.json"],
    ["JSON that ends early", () => open(one({}).slice(0, -2)), "FORMAT.json"],
    ["nesting of 10,000", () => open(`{"a":${"[".repeat(10_000)}`), "FORMAT.json"],
    ["a GGUF file", () => openSafetensors(bytesSource(new TextEncoder().encode("GGUF\x03\0\0\0\x01\0\0\0"))), "FORMAT.magic"],
    ["a zip archive", () => openSafetensors(bytesSource(new TextEncoder().encode("PK\x03\x04aaaaaaaaaaaa"))), "FORMAT.magic"],
    ["a web page", () => openSafetensors(bytesSource(new TextEncoder().encode("<!doctype html><html></html>"))), "FORMAT.magic"],
  ])("%s", async (_, attempt, code) => {
    expect(await errorCode(attempt())).toBe(code);
  });

  test("row 19: a pickle and an archive are named, and nothing of them is run", async () => {
    const zip = openSafetensors(bytesSource(new TextEncoder().encode("PK\x03\x04aaaaaaaaaaaa"), "pytorch_model.bin"));
    expect((await typedError(zip)).message).toContain("PyTorch");
  });

  test("more than the limit allows", async () => {
    const big = safetensorsFile(`{"__metadata__":{"a":"${"x".repeat(5000)}"}}`, new Uint8Array(0));
    expect(await errorCode(openSafetensors(bytesSource(big), { limits: { headerBytes: 4096 } }))).toBe("LIMIT.metadata");
    expect(await errorCode(open(JSON.stringify({ ["n".repeat(300)]: { dtype: "F32", shape: [2], data_offsets: [0, 8] } })))).toBe(
      "LIMIT.name",
    );
  });
});

describe("row 15 and 16: its tensors", () => {
  test.each<[string, string, string]>([
    [
      "a name twice",
      `{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`,
      "FORMAT.dup",
    ],
    ["a field twice", `{"a":{"dtype":"F32","dtype":"F16","shape":[2],"data_offsets":[0,8]}}`, "FORMAT.dup"],
    ["an escaped name twice", `{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"\\u0061":1}`, "FORMAT.dup"],
    ["offsets as text", one({ data_offsets: ["0", "8"] }), "FORMAT.type"],
    ["a fraction", one({ data_offsets: [0, 8.5] }), "FORMAT.type"],
    ["a negative offset", one({ data_offsets: [-8, 0] }), "FORMAT.type"],
    ["an offset beyond 2^53", `{"a":{"dtype":"F32","shape":[2],"data_offsets":[9007199254740993,9007199254741001]}}`, "FORMAT.type"],
    ["one offset", one({ data_offsets: [0] }), "FORMAT.type"],
    ["three offsets", one({ data_offsets: [0, 8, 16] }), "FORMAT.type"],
    ["no dtype", one({ dtype: undefined }), "FORMAT.type"],
    ["no shape", one({ shape: undefined }), "FORMAT.type"],
    ["a shape of fractions", one({ shape: [1.5] }), "FORMAT.type"],
    ["a negative size", one({ shape: [-2] }), "FORMAT.type"],
    ["a tensor that is a number", `{"a":5}`, "FORMAT.type"],
    ["metadata that is no texts", `{"__metadata__":{"a":1}}`, "FORMAT.type"],
    ["a product beyond 2^53", one({ shape: [2 ** 30, 2 ** 30] }), "FORMAT.shape"],
    ["a product that wraps to the right size", one({ shape: [2 ** 31, 2 ** 31, 2] }), "FORMAT.shape"],
    ["nine dimensions", one({ shape: [2, 1, 1, 1, 1, 1, 1, 1, 1] }), "FORMAT.shape"],
    ["a size that is not its shape's", one({ shape: [3] }), "FORMAT.extent"],
    ["an end before its begin", one({ data_offsets: [8, 0] }), "FORMAT.extent"],
    ["a hole at the start", one({ shape: [1], data_offsets: [4, 8] }), "FORMAT.extent"],
    ["bytes behind the last", one({ shape: [1], data_offsets: [0, 4] }), "FORMAT.extent"],
    [
      "an overlap",
      `{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`,
      "FORMAT.extent",
    ],
    ["a tensor beyond the end", one({ shape: [4], data_offsets: [0, 16] }), "FORMAT.truncated"],
    ["a dtype that does not exist", one({ dtype: "Q4_0" }), "UNSUPPORTED.type"],
    ["a dtype that is a prototype's", one({ dtype: "__proto__" }), "UNSUPPORTED.type"],
  ])("%s", async (_, header, code) => {
    const error = await typedError(open(header));
    expect(error.code).toBe(code);
    expect(error.message.length).toBeLessThan(400);
  });

  test("errors of a tensor name it and its type", async () => {
    const name = "model.layers.0.mlp.up_proj.weight";
    for (const [fields, data] of [
      [{ shape: [3], data_offsets: [0, 8] }, eight],
      [{ shape: [2 ** 30, 2 ** 30], data_offsets: [0, 8] }, eight],
      [{ shape: [1], data_offsets: [4, 8] }, eight],
    ] as const) {
      const header = JSON.stringify({ [name]: { dtype: "BF16", ...fields } });
      const { message } = await typedError(open(header, data));
      expect(message).toContain(name);
      expect(message).toContain("BF16");
    }
  });

  test("row 17: as many tensors as the cap allows, and more, soon", async () => {
    const start = performance.now();
    expect((await open(many(65_536), new Uint8Array(0))).tensors.size).toBe(65_536);
    expect(await errorCode(open(many(65_537), new Uint8Array(0)))).toBe("LIMIT.count");
    expect(performance.now() - start).toBeLessThan(5000);
  });
});

test("4,000 mutated files: sound or a typed error, and soon", async () => {
  const rng = seededRng(11);
  const good = writeSafetensors([randomTensor("model.norm.weight", "F32", [4]), randomTensor("lm_head.weight", "BF16", [4, 8])]);
  let refused = 0;
  for (let round = 0; round < 4000; round++) {
    const bytes = good.slice(0, rng.below(8) === 0 ? rng.below(good.length) : good.length);
    for (let flips = 1 + rng.below(3); flips > 0 && bytes.length > 0; flips--) {
      bytes[rng.below(Math.min(bytes.length, 200))] = rng.below(3) === 0 ? rng.below(256) : 0x20 + rng.below(0x60);
    }
    const start = performance.now();
    try {
      const { tensors } = await openSafetensors(bytesSource(bytes));
      for (const { offset, bytes: length } of tensors.values()) expect(offset + length).toBeLessThanOrEqual(bytes.length);
    } catch (thrown) {
      refused++;
      expect(thrown).toBeInstanceOf(ShaderloomError);
    }
    expect(performance.now() - start).toBeLessThan(1000);
  }
  expect(refused).toBeGreaterThan(2000);
});
