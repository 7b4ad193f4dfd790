// The GGUF reader on well-formed files. What it refuses is gguf_faults.test.ts, mutated files are gguf_fuzz.test.ts.

import { describe, expect, test } from "vitest";
import { everyValueType, f32Tensor } from "../../testing/gguf_cases.ts";
import { writeGguf, writeGgufHeader } from "../../testing/gguf_writer.ts";
import type { GgufEntry } from "../../testing/gguf_writer.ts";
import { errorCode } from "../../testing/typed_error.ts";
import { bytesSource } from "../byte_source.ts";
import type { ByteSource } from "../byte_source.ts";
import { ggmlTypes } from "./ggml_types.ts";
import { assertSupported, forgetVocabulary } from "../header_checks.ts";
import { openGguf } from "./gguf.ts";
import type { GgufFile } from "./gguf.ts";

const F32 = 0;
const Q4_0 = 2;

async function open(bytes: Uint8Array): Promise<GgufFile> {
  return openGguf(bytesSource(bytes));
}

describe("well-formed files", () => {
  test.each([2, 3])("version %i: every value type and the tensor table", async (version) => {
    const file = await open(writeGguf({ version, metadata: everyValueType, tensors: [f32Tensor("x", [3, 5]), f32Tensor("y", [7])] }));
    expect(file.version).toBe(version);
    expect(file.metadata.size).toBe(everyValueType.length);
    for (const [key, type, value] of everyValueType) {
      const got = file.metadata.get(key);
      const plain = Array.isArray(value) ? value.map(narrow) : narrow(value);
      if (!type.endsWith("[]")) expect(got, key).toBe(plain);
      else expect(Array.from(got as ArrayLike<unknown>), key).toEqual(plain);
    }
    expect(file.metadata.get("b.u8")).toBeInstanceOf(Uint8Array);
    expect(file.metadata.get("b.i32")).toBeInstanceOf(Int32Array);
    expect(file.metadata.get("b.u32")).toBeInstanceOf(Uint32Array);
    expect(file.metadata.get("b.f32")).toBeInstanceOf(Float32Array);
    expect([...file.tensors.keys()]).toEqual(["x", "y"]);
    expect(file.tensors.get("x")).toEqual({ name: "x", type: F32, shape: [3, 5], offset: file.dataOffset, bytes: 60 });
    expect(file.tensors.get("y")).toMatchObject({ shape: [7], offset: file.dataOffset + 64, bytes: 28 });
    expect(file.dataOffset % 32).toBe(0);
    expect(file.dataOffset - file.headerBytes).toBeLessThan(32);
  });

  test("alignment from the metadata, no tensors at all, and scalar tensors", async () => {
    const metadata: GgufEntry[] = [["general.alignment", "u32", 64]];
    const file = await open(writeGguf({ metadata, tensors: [f32Tensor("s", []), f32Tensor("t", [1])], alignment: 64 }));
    expect(file).toMatchObject({ alignment: 64 });
    expect(file.tensors.get("s")).toMatchObject({ shape: [], bytes: 4 });
    expect(file.tensors.get("t")?.offset).toBe(file.dataOffset + 64);
    const bare = writeGgufHeader({}).subarray(0, 24); // no padding after the header
    expect((await open(bare)).tensors.size).toBe(0);
  });

  test("a header longer than one read, and strings across window borders", async () => {
    const tokens = Array.from({ length: 200_000 }, (_, i) => `token ${i} ${"x".repeat(i % 13)}`);
    const bytes = writeGguf({ metadata: [["t", "string[]", tokens]], tensors: [f32Tensor("x", [4])] });
    const reads: number[] = [];
    const source: ByteSource = { ...bytesSource(bytes), read: async (at, n) => (reads.push(n), bytes.subarray(at, at + n)) };
    const file = await openGguf(source);
    expect(file.metadata.get("t")).toEqual(tokens);
    expect(file.headerBytes).toBeGreaterThan(3 << 20);
    expect(reads[0]).toBe(1 << 20);
    expect(reads.length).toBeGreaterThan(1);
    expect(reads.reduce((sum, n) => sum + n, 0)).toBe(bytes.length); // nothing twice
  });

  test("types beyond the caller's are refused by name, before data is read", async () => {
    const bytes = writeGgufHeader({ tensors: [{ name: "w", shape: [256], type: 10 }], dataBytes: 84 });
    const read: number[] = [];
    const source: ByteSource = { ...bytesSource(bytes), read: async (at, n) => (read.push(at + n), bytes.subarray(at, at + n)) };
    const file = await openGguf(source);
    const check = async (): Promise<void> => assertSupported(file.tensors.values(), new Set([F32, Q4_0]));
    await expect(check()).rejects.toMatchObject({
      code: "UNSUPPORTED.type",
      detail: { tensor: "w", type: "Q2_K" },
      message: expect.stringContaining("F32, Q4_0"),
    });
    assertSupported(file.tensors.values(), new Set([10]));
  });

  test("abort reaches the source", async () => {
    const error = openGguf(bytesSource(writeGguf({ metadata: everyValueType, tensors: [] })), { signal: AbortSignal.abort() });
    expect(await errorCode(error)).toBe("AbortError");
  });
});

/** What the reader makes of a written value: 64-bit integers are numbers where they fit. */
function narrow(value: unknown): unknown {
  return typeof value === "bigint" && Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

test("the table of GGML types has every id at its place", () => {
  expect(ggmlTypes.map(({ id }) => id)).toEqual(ggmlTypes.map((_, i) => i));
  expect(new Set(ggmlTypes.map(({ name }) => name)).size).toBe(ggmlTypes.length);
});

test("a vocabulary's lists are forgotten, and nothing else", async () => {
  const metadata: GgufEntry[] = [
    ["general.name", "string", "m"],
    ["general.tags", "string[]", ["a"]],
    ["tokenizer.ggml.model", "string", "gpt2"],
    ["tokenizer.ggml.tokens", "string[]", ["a", "b"]],
    ["tokenizer.ggml.token_type", "i32[]", [1, 1]],
    ["tokenizer.chat_template", "string", "{{ x }}"],
  ];
  const file = await open(writeGguf({ metadata, tensors: [f32Tensor("x", [4])] }));
  forgetVocabulary(file);
  expect([...file.metadata.keys()]).toEqual(["general.name", "general.tags", "tokenizer.ggml.model", "tokenizer.chat_template"]);
});
