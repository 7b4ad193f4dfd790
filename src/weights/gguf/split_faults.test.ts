// Sets of files that are no whole model, and headers that lie about the set: refused with the names of what is wrong (row 18).

import { describe, expect, test } from "vitest";
import { ShaderloomError } from "../../base/errors.ts";
import { seededRng } from "../../base/rng.ts";
import { writeGguf, writeSplitGguf } from "../../testing/gguf_writer.ts";
import type { GgufEntry, SplitClaim } from "../../testing/gguf_writer.ts";
import { named, nameOf, shelf, smallModel } from "../../testing/shard_shelf.ts";
import { errorCode, typedError } from "../../testing/typed_error.ts";
import { bytesSource } from "../byte_source.ts";
import { openModelFile } from "./model_file.ts";
import type { OpenShard } from "./split.ts";
import type { ModelLocation } from "../source.ts";

const content = smallModel(1);
const counts = [2, 3, 2];
const files = writeSplitGguf(content, counts);

/** The error of opening; everything that was opened for it is closed again. */
async function refusal(location: ModelLocation, served: Record<string, Uint8Array> = {}): Promise<ShaderloomError> {
  const { open, opened, closed } = shelf(served);
  const error = await typedError(openModelFile(location, open));
  expect(closed.toSorted()).toEqual(opened.toSorted());
  return error;
}

const fileList = (list: readonly Uint8Array[]): readonly File[] => list.map((bytes, index) => new File([bytes.slice()], nameOf(index)));
const lie = (claim: Partial<SplitClaim>): Uint8Array => writeSplitGguf(content, counts, [claim])[0];
const entries = (...list: readonly GgufEntry[]): Uint8Array => writeGguf({ ...content, metadata: [...content.metadata, ...list] });

describe("row 18: a wrong set is refused, saying what is wrong", () => {
  test("missing files of an address, also the first", async () => {
    const { [nameOf(1)]: _, ...lacking } = named(files);
    expect(await refusal(nameOf(0), lacking)).toMatchObject({ code: "MODEL.shards", detail: { missing: [nameOf(1)] } });
    const { [nameOf(0)]: __, ...headless } = named(files);
    expect(await refusal(nameOf(2), headless)).toMatchObject({ code: "MODEL.shards", detail: { missing: [nameOf(0)] } });
    expect((await refusal(nameOf(0), headless)).code).toBe("SOURCE.missing"); // as given
    const both = await refusal(`hf:o/r/${nameOf(0)}`, { [`hf:o/r/${nameOf(0)}`]: files[0] });
    expect(both.detail["missing"]).toEqual([nameOf(1), nameOf(2)]);
    expect(both.message).toContain(`Missing: ${nameOf(1)}, ${nameOf(2)}.`);
  });

  test("a file alone: the others are named", async () => {
    const error = await refusal(new File([files[1]], nameOf(1)));
    expect(error).toMatchObject({ code: "MODEL.shards", detail: { missing: [nameOf(0), nameOf(2)] } });
    expect((await refusal(new Blob([files[0]]))).detail["missing"]).toEqual(["file 2 of 3", "file 3 of 3"]);
  });

  test("too few, too many and doubled files", async () => {
    const [a, b, c] = fileList(files);
    expect((await refusal([a, c])).detail).toMatchObject({ missing: [nameOf(1)], foreign: [], repeated: [] });
    expect((await refusal([b, c])).detail).toMatchObject({ missing: [nameOf(0)] });
    expect((await refusal([a, b, c, b])).detail).toMatchObject({ missing: [], repeated: [nameOf(1)] });
    expect((await refusal([a, a, c])).detail).toMatchObject({ missing: [nameOf(1)], repeated: [nameOf(0)] });
    const whole = new File([writeGguf(content)], "whole.gguf");
    expect((await refusal([a, b, c, whole])).detail).toMatchObject({ missing: [], foreign: ["whole.gguf"] });
    expect((await refusal([whole, whole])).detail).toMatchObject({ foreign: ["whole.gguf", "whole.gguf"] });
    expect(await errorCode(openModelFile([], shelf({}).open))).toBe("MODEL.shards");
  });

  test("files of another model: other counts, architecture, tensors", async () => {
    const eight = { ...content, tensors: [...content.tensors, { ...content.tensors[0], name: "t7" }] };
    const otherTotal = writeSplitGguf(eight, [2, 3, 3]);
    expect((await refusal(nameOf(0), named([files[0], otherTotal[1], files[2]]))).detail).toMatchObject({ foreign: [nameOf(1)] });
    const fewer = writeSplitGguf(content, [4, 3]);
    expect((await refusal(fileList([files[0], fewer[1], files[2]]))).detail).toMatchObject({ foreign: [nameOf(1)], missing: [nameOf(1)] });
    const gemma = writeSplitGguf({ ...content, metadata: [["general.architecture", "string", "gemma3"]] }, [2, 3, 2]);
    const stating = writeGguf({
      metadata: [
        ["general.architecture", "string", "gemma3"],
        ["split.no", "u16", 1],
        ["split.count", "u16", 3],
        ["split.tensors.count", "i32", 7],
      ],
      tensors: content.tensors.slice(2, 5),
    });
    expect((await refusal(nameOf(0), named([files[0], stating, files[2]]))).detail).toMatchObject({ foreign: [nameOf(1)] });
    await expect(openModelFile(nameOf(0), shelf(named([gemma[0], stating, gemma[2]])).open)).resolves.toBeDefined();
    // Cut elsewhere, so that a tensor is there twice and another not at all.
    const shifted = writeSplitGguf(content, [2, 2, 3]);
    const twice = await refusal(nameOf(0), named([files[0], files[1], shifted[2]]));
    expect(twice).toMatchObject({ code: "MODEL.shards", detail: { foreign: [nameOf(2)] } });
    const lacking = await refusal(nameOf(0), named([files[0], shifted[1], files[2]]));
    expect(lacking.message).toContain("6 tensors together and promise 7");
  });

  test("files under each other's names", async () => {
    const error = await refusal(nameOf(0), named([files[0], files[2], files[1]]));
    expect(error.detail).toMatchObject({ displaced: [nameOf(1), nameOf(2)], missing: [] });
    expect((await refusal(nameOf(0), named([files[1], files[1], files[2]]))).code).toBe("MODEL.shards");
  });

  test("addresses whose names tell nothing, or something else than the file", async () => {
    expect((await refusal("model.gguf", { "model.gguf": files[0] })).message).toContain("does not tell where the others are");
    expect((await refusal(nameOf(0, 5), { [nameOf(0, 5)]: files[0] })).code).toBe("MODEL.shards");
    expect((await refusal(nameOf(1), { [nameOf(0)]: writeGguf(content) })).detail).toMatchObject({ foreign: [nameOf(0)] });
  });

  test("a shard that is broken, and one that cannot be reached", async () => {
    expect((await refusal(nameOf(0), named([files[0], files[1].subarray(0, files[1].length - 40), files[2]]))).code).toBe(
      "FORMAT.truncated",
    );
    const open: OpenShard = async (location) => {
      if (location === nameOf(1)) throw new ShaderloomError("NET.unreachable", "It could not be reached. Try again.", { retryable: true });
      return bytesSource(files[0]);
    };
    expect(await errorCode(openModelFile(nameOf(0), open))).toBe("NET.unreachable");
    expect(await errorCode(openModelFile(nameOf(0), shelf(named(files)).open, { signal: AbortSignal.abort() }))).toBe("AbortError");
  });
});

describe("headers that lie about the set, each refused in less than a second", () => {
  const plain: readonly GgufEntry[] = [
    ["split.no", "u16", 0],
    ["split.count", "u16", 3],
    ["split.tensors.count", "i32", 7],
  ];
  const without = (key: string): Uint8Array => entries(...plain.filter(([name]) => name !== key));

  test.each<[string, Uint8Array, string]>([
    ["a number that is the count", lie({ no: 3 }), "MODEL.shards"],
    ["a number far beyond it", lie({ no: 65_535 }), "MODEL.shards"],
    ["65,535 files", lie({ count: 65_535 }), "LIMIT.shards"],
    ["65,536 files", entries(["split.no", "u32", 0], ["split.count", "u32", 65_536], ["split.tensors.count", "i32", 7]), "LIMIT.shards"],
    ["2^53 files", entries(["split.no", "u16", 0], ["split.count", "u64", 2n ** 53n], ["split.tensors.count", "i32", 7]), "MODEL.shards"],
    ["more files than tensors", lie({ count: 9 }), "MODEL.shards"],
    ["fewer tensors than are in the file", lie({ tensors: 1 }), "MODEL.shards"],
    ["a negative count of tensors", lie({ tensors: -1 }), "MODEL.shards"],
    ["2^31 - 1 tensors", lie({ tensors: 2 ** 31 - 1 }), "MODEL.shards"],
    ["a negative number", entries(["split.no", "i16", -1], ...plain.slice(1)), "MODEL.shards"],
    ["a fraction", entries(plain[0], ["split.count", "f32", 2.5], plain[2]), "MODEL.shards"],
    ["text", entries(plain[0], ["split.count", "string", "3"], plain[2]), "MODEL.shards"],
    ["a list", entries(plain[0], ["split.count", "u16[]", [3]], plain[2]), "MODEL.shards"],
    ["no number", without("split.no"), "MODEL.shards"],
    ["no count of tensors", without("split.tensors.count"), "MODEL.shards"],
  ])("%s", async (_, bytes, code) => {
    const start = performance.now();
    expect(await errorCode(openModelFile(nameOf(0), shelf(named([bytes, files[1], files[2]])).open))).toBe(code);
    expect(await errorCode(openModelFile([bytes, files[1], files[2]], shelf({}).open))).toBe(code);
    expect(performance.now() - start).toBeLessThan(1000);
  });

  test("1,000 files of which none is there are not all asked for", async () => {
    const many = { ...content, tensors: Array.from({ length: 1000 }, (_, i) => ({ ...content.tensors[0], name: `t${i}` })) };
    const [first] = writeSplitGguf(
      many,
      Array.from({ length: 1000 }, () => 1),
    );
    const { open, asked } = shelf({ [nameOf(0, 1000)]: first });
    expect(await errorCode(openModelFile(nameOf(0, 1000), open))).toBe("MODEL.shards");
    expect(asked.length).toBeLessThan(20);
    const list = Array.from({ length: 1025 }, (_, index) => nameOf(index, 1025));
    expect(await errorCode(openModelFile(list, shelf({}).open))).toBe("LIMIT.shards");
  });

  test("3,000 mutated sets: the whole, or a typed error, and soon", { timeout: 60_000 }, async () => {
    const codes = new Map<string, number>();
    for (let seed = 0; seed < 3000; seed++) {
      const rng = seededRng(seed);
      const set = files.map((bytes) => bytes.slice());
      for (let i = rng.below(3); i >= 0; i--) {
        const victim = set[rng.below(3)];
        const at = rng.below(2) === 0 ? rng.below(200) : rng.below(victim.length);
        victim[at % victim.length] ^= 1 << rng.below(8);
      }
      const start = performance.now();
      let code = "accepted";
      try {
        const { file, source } = await openModelFile(set, async (bytes) => bytesSource(bytes as Uint8Array));
        expect(file.tensors.size).toBe(7);
        for (const { offset, bytes } of file.tensors.values()) expect((await source.read(offset, bytes)).length).toBe(bytes);
      } catch (thrown) {
        if (!(thrown instanceof ShaderloomError)) throw new Error(`seed ${seed}: ${String(thrown)}`, { cause: thrown });
        code = thrown.code;
      }
      expect(performance.now() - start).toBeLessThan(1000);
      codes.set(code, (codes.get(code) ?? 0) + 1);
    }
    for (const code of ["accepted", "MODEL.shards", "FORMAT.extent", "FORMAT.magic"]) expect(codes.get(code) ?? 0, code).toBeGreaterThan(0);
  });
});
