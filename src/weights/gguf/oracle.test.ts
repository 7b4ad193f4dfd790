// The GGUF reader against an independent one, @huggingface/gguf, entry by entry and tensor by tensor: on files that the
// writer makes and on those of ../shared/data.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gguf } from "@huggingface/gguf";
import { describe, expect, test } from "vitest";
import { sharedFileOrSkip } from "../../testing/files.ts";
import { everyValueType, f32Tensor } from "../../testing/gguf_cases.ts";
import { writeGguf } from "../../testing/gguf_writer.ts";
import { bytesSource } from "../byte_source.ts";
import { openGguf } from "./gguf.ts";

/**
 * Numbers as strings, because each side has bigint where the other has number. Their decoder drops a byte order mark at the
 * start of a text, which is a token of its own in two vocabularies; gguf.test.ts checks that ours keeps it.
 */
function comparable(value: unknown): unknown {
  if (Array.isArray(value) || ArrayBuffer.isView(value)) return Array.from(value as ArrayLike<unknown>, comparable);
  if (typeof value === "string") return value.replace(/^\ufeff/, "");
  return typeof value === "number" || typeof value === "bigint" ? String(value) : value;
}

async function expectSame(bytes: Uint8Array): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "gguf-"));
  try {
    const path = join(folder, "m.gguf");
    await writeFile(path, bytes);
    const theirs = await gguf(path, { allowLocalFile: true });
    const ours = await openGguf(bytesSource(bytes));
    const { version, tensor_count: tensorCount, kv_count: entryCount, ...entries } = theirs.metadata;
    expect({ version, tensorCount, entryCount }).toEqual({
      version: ours.version,
      tensorCount: BigInt(ours.tensors.size),
      entryCount: BigInt(ours.metadata.size),
    });
    for (const [key, value] of Object.entries(entries)) expect(comparable(ours.metadata.get(key)), key).toEqual(comparable(value));
    expect(Object.keys(entries)).toHaveLength(ours.metadata.size);
    const tensors = theirs.tensorInfos.map(({ name, shape, dtype, offset }) => ({
      name,
      shape: shape.map(Number).toReversed(),
      type: dtype,
      offset: Number(theirs.tensorDataOffset + offset),
    }));
    expect([...ours.tensors.values()].map(({ name, shape, type, offset }) => ({ name, shape, type, offset }))).toEqual(tensors);
  } finally {
    await rm(folder, { recursive: true });
  }
}

describe("the same content by another reader", () => {
  test.each([2, 3])("a written file of version %i with every value type", async (version) => {
    await expectSame(
      writeGguf({ version, metadata: everyValueType, tensors: [f32Tensor("a", [3, 5]), f32Tensor("b", [2, 3, 4]), f32Tensor("c", [7])] }),
    );
  });

  test.for([
    "models/stories260K/stories260K-f32",
    "models/tinystories-656k/tinystories-656k-f16",
    "models/tinystories-656k/tinystories-656k-q8_0",
    "models/tinystories-656k/tinystories-656k-q4_0",
    "vocab-gguf/ggml-vocab-bert-bge",
    "vocab-gguf/ggml-vocab-deepseek-coder",
    "vocab-gguf/ggml-vocab-gpt-2",
    "vocab-gguf/ggml-vocab-llama-spm",
    "vocab-gguf/ggml-vocab-phi-3",
    "vocab-gguf/ggml-vocab-starcoder",
  ])("%s", async (name, context) => {
    await expectSame(await sharedFileOrSkip(context, `data/${name}.gguf`));
  });
});
