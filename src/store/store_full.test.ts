import { describe, expect, test } from "vitest";
import { ShaderloomError } from "../base/errors.ts";
import { faultyStore } from "../testing/faulty_store.ts";
import { download, expectHonest, openSmallStore, smallChunk, testFile } from "../testing/small_store.ts";
import { errorCode } from "../testing/typed_error.ts";
import { noDiagnostics } from "./diagnostics.ts";
import { memoryStore } from "./memory.ts";

describe("row 47: room runs out", () => {
  test("at every chunk: typed, and all that was stored before stays", async () => {
    const error = new ShaderloomError("QUOTA.full", "There is no room. Delete something.", { detail: { needed: 1024, available: 0 } });
    const count = 24;
    const large = testFile("https://host.test/large", { bytes: count * smallChunk });
    for (const half of ["chunks", "values"] as const) {
      for (let full = 0; full < count; full++) {
        const halves = memoryStore();
        let puts = 0;
        const faulty = faultyStore(halves, (step) => {
          const counts = step.half === half && (step.call === "put" || (step.call === "set" && step.what.startsWith("chunk/")));
          return counts && puts++ >= full ? { kind: "fail", error } : undefined;
        });
        expect(await errorCode(download(openSmallStore(faulty), large))).toBe("QUOTA.full");
        const file = await openSmallStore(halves).open(large.about, noDiagnostics());
        expect(await expectHonest(file, large.bytes)).toEqual([...Array(full).keys()]);
        const refetched: number[] = [];
        await download(openSmallStore(halves), large, { onPut: (index) => refetched.push(index) });
        expect(refetched.length).toBe(count - full);
      }
    }
  });

  test("before the manifest of a new file: nothing is left of it", async () => {
    const error = new ShaderloomError("QUOTA.full", "There is no room. Delete something.");
    const halves = memoryStore();
    const faulty = faultyStore(halves, ({ call }) => (call === "set" ? { kind: "fail", error } : undefined));
    expect(await errorCode(openSmallStore(faulty).open(testFile("https://host.test/new").about, noDiagnostics()))).toBe("QUOTA.full");
    expect(await halves.keyValue.keys("")).toEqual([]);
  });
});
