import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { sameBytes, seededBytes, testChunks, testKeyValue } from "../testing/store_contract.ts";
import { errorCode } from "../testing/typed_error.ts";
import { openFiles } from "./files.ts";

const file = "d3".repeat(16);
const folders = new Set<string>();

async function newFolder(): Promise<string> {
  const folder = await fs.mkdtemp(join(tmpdir(), "shaderloom-files-"));
  folders.add(folder);
  return folder;
}

type FileSystem = Record<string, (...given: never[]) => Promise<unknown>>;

/** Lets the tier see a file system of ours. */
function useFileSystem(replaced: FileSystem): void {
  vi.spyOn(process, "getBuiltinModule").mockReturnValue({ ...fs, ...replaced });
}

/** A file system of a process that is killed before its call number `at`: from then on nothing happens any more. */
function killedAt(at: number): { calls: () => number } {
  let calls = 0;
  const counted = (name: string): ((...given: never[]) => Promise<unknown>) => {
    const real = Reflect.get(fs, name) as (...given: never[]) => Promise<unknown>;
    return (...given) => {
      if (calls++ >= at) return Promise.reject(new Error("killed"));
      return real(...given);
    };
  };
  useFileSystem(Object.fromEntries(["mkdir", "open", "rename", "rm", "readFile", "readdir", "stat"].map((name) => [name, counted(name)])));
  return { calls: () => calls };
}

function threeAs(value: string): Array<[string, string]> {
  return ["a", "b", "c"].map((key) => [key, value]);
}

function failing(code: string): () => Promise<never> {
  return () => Promise.reject(Object.assign(new Error(`${code}: refused`), { code }));
}

/** Files that can be opened and made, but not filled. */
async function openFull(path: string, flags: string): Promise<unknown> {
  const opened = await fs.open(path, flags);
  return { writeFile: failing("ENOSPC"), close: () => opened.close() };
}

afterEach(async () => {
  vi.restoreAllMocks();
  for (const folder of folders) await fs.rm(folder, { recursive: true, force: true });
  folders.clear();
});

testChunks("files", async () => (await openFiles(await newFolder())).chunks);
testKeyValue("files", async () => (await openFiles(await newFolder())).keyValue);

describe("files: what lasts", () => {
  test("is there for the next to open it, in a folder that was not there before", async () => {
    const folder = join(await newFolder(), "a", "b");
    const first = await openFiles(folder);
    await first.keyValue.set([["m/a", { b: [1] }]], "strict");
    await first.chunks.put(file, 3, seededBytes(5000, 1));
    const second = await openFiles(folder);
    expect(await second.keyValue.get("m/a")).toEqual({ b: [1] });
    expect(sameBytes(await second.chunks.read(file, 3, 5000), seededBytes(5000, 1))).toBe(true);
  });

  test("names of files are such that Windows takes them and no two differ by case alone", async () => {
    const folder = await newFolder();
    const { keyValue } = await openFiles(folder);
    const keys = ["Con", "con", "CON", "a/b", "a\\b", "a:b", 'a*?"<>|', "ü", "\ud800", "a.", "a ", "_", "_61_", "a"];
    await keyValue.set(keys.map((key) => [key, key]));
    expect(await keyValue.getMany(keys)).toEqual(keys);
    const names = await fs.readdir(join(folder, "values"));
    expect(names.length).toBe(keys.length);
    expect(names.filter((name) => !/^v-[a-z0-9_-]+\.json$/.test(name))).toEqual([]);
  });

  test("values that are not plain JSON data are a mistake of the caller's, and leave what was there", async () => {
    const { keyValue } = await openFiles(await newFolder());
    await keyValue.set([["a", 1]]);
    for (const value of [new Date(), new Uint8Array(2), undefined, Number.NaN, new Map(), [() => 1]]) {
      await expect(keyValue.set([["a", value]])).rejects.toThrow("plain JSON");
    }
    expect(await keyValue.get("a")).toBe(1);
  });

  test("a process killed at any call leaves all of a set or nothing of it", async () => {
    const outcomes: string[] = [];
    for (let at = 0, alive = false; !alive; at++) {
      const folder = await newFolder();
      await (await openFiles(folder)).keyValue.set(threeAs("old"));
      const opened = killedAt(Infinity);
      await openFiles(folder);
      const callsToOpen = opened.calls();
      const killed = killedAt(callsToOpen + at);
      const { keyValue: doomed } = await openFiles(folder);
      alive = await doomed.set(threeAs("new")).then(
        () => true,
        () => false,
      );
      expect(killed.calls() > callsToOpen + at).toBe(!alive);
      vi.restoreAllMocks();
      const { keyValue } = await openFiles(folder);
      outcomes.push((await keyValue.getMany(["a", "b", "c"])).join());
      expect(await keyValue.keys("")).toEqual(["a", "b", "c"]);
    }
    // Old up to the call that names the journal, new from the next one on.
    const turn = outcomes.indexOf("new,new,new");
    expect(turn).toBeGreaterThan(3);
    expect(outcomes.length - turn).toBeGreaterThan(3);
    expect(outcomes).toEqual(outcomes.map((_, at) => (at < turn ? "old,old,old" : "new,new,new")));
  });

  test("what a killed process left half written is neither a chunk nor a value, and goes when it is old", async () => {
    const folder = await newFolder();
    const { chunks } = await openFiles(folder);
    await chunks.put(file, 0, seededBytes(10, 1));
    const left = [join(folder, "chunks", file, "1.x.new"), join(folder, "values", "v-a.json.x.new")];
    for (const path of left) await fs.writeFile(path, "half");
    const again = await openFiles(folder);
    expect(await again.keyValue.keys("")).toEqual([]);
    expect(await again.chunks.read(file, 1, 4)).toBeUndefined();
    expect((await fs.readdir(join(folder, "values"))).length).toBe(1);
    for (const path of left) await fs.utimes(path, 1000, 1000);
    await openFiles(folder);
    expect(await fs.readdir(join(folder, "values"))).toEqual([]);
    expect(await fs.readdir(join(folder, "chunks", file))).toEqual(["0"]);
  });

  test("values and chunks that were damaged read as undefined", async () => {
    const folder = await newFolder();
    const { keyValue, chunks } = await openFiles(folder);
    await keyValue.set([["a", { b: 1 }]]);
    await chunks.put(file, 0, seededBytes(1000, 1));
    await fs.writeFile(join(folder, "values", "v-a.json"), '{"b":');
    await fs.truncate(join(folder, "chunks", file, "0"), 999);
    expect(await keyValue.get("a")).toBeUndefined();
    expect(await chunks.read(file, 0, 1000)).toBeUndefined();
    expect(sameBytes(await chunks.read(file, 0, 999), seededBytes(1000, 1).subarray(0, 999))).toBe(true);
    await fs.mkdir(join(folder, "chunks", file, "1"));
    expect(await chunks.read(file, 1, 10)).toBeUndefined();
  });
});

describe("files: refusals", () => {
  test("a full disk is QUOTA.full, and what was there stays", async () => {
    const folder = await newFolder();
    const first = await openFiles(folder);
    await first.keyValue.set([["a", "old"]]);
    await first.chunks.put(file, 0, seededBytes(1000, 1));
    useFileSystem({ open: (...[path, flags]: [string, string]) => (flags === "wx" ? openFull(path, flags) : fs.open(path, flags)) });
    const { keyValue, chunks } = await openFiles(folder);
    const sets = [
      [["a", "new"]],
      [
        ["a", "new"],
        ["b", "new"],
      ],
    ] as const;
    for (const entries of sets) expect(await errorCode(keyValue.set(entries))).toBe("QUOTA.full");
    expect(await errorCode(chunks.put(file, 0, seededBytes(1000, 2)))).toBe("QUOTA.full");
    expect(await keyValue.getMany(["a", "b"])).toEqual(["old", undefined]);
    expect(sameBytes(await chunks.read(file, 0, 1000), seededBytes(1000, 1))).toBe(true);
    expect(await fs.readdir(join(folder, "values"))).toEqual(["v-a.json"]);
    expect(await fs.readdir(join(folder, "chunks", file))).toEqual(["0"]);
  });

  test("a folder that may not be written to, or is none, is a typed error", async () => {
    useFileSystem({ mkdir: failing("EACCES") });
    expect(await errorCode(openFiles(await newFolder()))).toBe("STORE.unavailable");
    vi.restoreAllMocks();
    const path = join(await newFolder(), "a file");
    await fs.writeFile(path, "");
    expect(await errorCode(openFiles(path))).toBe("STORE.failed");
  });

  test("outside Node it is STORE.unavailable", async () => {
    vi.spyOn(process, "getBuiltinModule").mockReturnValue(undefined);
    expect(await errorCode(openFiles("anywhere"))).toBe("STORE.unavailable");
  });

  test("strict values reach the disk before their name does", async () => {
    const log: string[] = [];
    const open = async (...[path, flags]: [string, string]): Promise<unknown> => {
      const opened = await fs.open(path, flags);
      return {
        writeFile: (data: string) => opened.writeFile(data),
        sync: async () => {
          log.push(flags === "wx" ? "sync" : "sync folder");
          await opened.sync();
        },
        close: () => opened.close(),
      };
    };
    const rename = async (...[from, to]: [string, string]): Promise<void> => {
      log.push("rename");
      await fs.rename(from, to);
    };
    useFileSystem({ open, rename });
    const { keyValue } = await openFiles(await newFolder());
    await keyValue.set([["a", 1]]);
    await keyValue.set([["a", 2]], "strict");
    expect(log).toEqual(["rename", "sync", "rename", "sync folder"]);
  });
});
