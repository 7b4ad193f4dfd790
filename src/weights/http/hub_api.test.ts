// What the hub's API adds to a download: a commit that a moving branch cannot change, and the sha256 of the file. Its answers are hostile until
// checked, and its silence is no failure.

import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type DownloadCase, caseBytes, caseChunk, counting, expectIdle, expectRight, startCase } from "../../testing/download_case.ts";
import { errorCode, typedError } from "../../testing/typed_error.ts";
import { DownloadPool } from "../download/pool.ts";
import { hubFileOf } from "./hub.ts";
import { askHub } from "./hub_api.ts";
import { type ByteSource, openSource } from "../source.ts";
import type { ModelStore } from "../../store/model_store.ts";

let here: DownloadCase;

beforeEach(async () => {
  here = await startCase();
});

afterEach(async () => {
  await expectIdle(here.locks);
  await here[Symbol.asyncDispose]();
});

const file = { owner: "o", repo: "r", path: "sub/m.gguf", revision: "main" };
const commit = "0123456789abcdef0123456789abcdef01234567";
const other = "f".repeat(40);
const revisionPath = "/api/models/o/r/revision/main";
const token = "hf_secret";

function infoPath(revision: string): string {
  return `/api/models/o/r/paths-info/${revision}`;
}

/** The hub as it is: a commit behind the branch, and the file's size and hash. */
function answer(bytes: Uint8Array, at = commit): void {
  const oid = createHash("sha256").update(bytes).digest("hex");
  here.server.answers.set(revisionPath, { body: JSON.stringify({ sha: at, siblings: [] }) });
  const entry = { type: "file", oid: "git", size: bytes.length, lfs: { oid, size: bytes.length, pointerSize: 1 }, path: file.path };
  here.server.answers.set(infoPath(at), { body: JSON.stringify([entry]) });
}

async function open(models: ModelStore | undefined, mode: "use" | "refresh" = "use", diagnostics = counting()): Promise<ByteSource> {
  return openSource("hf:o/r/sub/m.gguf", {
    hub: { endpoint: here.server.origin, token },
    shared: { pool: new DownloadPool({ chunkBytes: caseChunk }) },
    backOffMs: 1,
    retries: 1,
    diagnostics,
    ...(models === undefined ? {} : { store: { models, mode } }),
  });
}

const ask = async (timeoutMs?: number): ReturnType<typeof askHub> => askHub(file, { endpoint: here.server.origin }, { timeoutMs });

const deaf: typeof fetch = async () => new Promise<Response>(() => {});

describe("answers", () => {
  test("commit, size and sha256 of the file at that commit", async () => {
    answer(here.content);
    expect(await ask()).toEqual({ commit, size: caseBytes, sha256: createHash("sha256").update(here.content).digest("hex") });
    expect(here.server.requests.map(({ method, body }) => [method, body])).toEqual([
      ["GET", undefined],
      ["POST", '{"paths":["sub/m.gguf"]}'],
    ]);
  });

  test("a commit is not looked up", async () => {
    answer(here.content);
    expect(await askHub({ ...file, revision: commit }, { endpoint: here.server.origin })).toMatchObject({ commit, size: caseBytes });
    expect(here.server.requests).toHaveLength(1);
  });

  test.each<[string, string]>([
    ["no JSON", "<html>"],
    ["another shape", "[]"],
    ["null", "null"],
    ["a commit that is none", '{"sha":"../../x"}'],
    ["a number", '{"sha":7}'],
    ["a prototype", '{"__proto__":{"sha":"0123456789abcdef0123456789abcdef01234567"}}'],
    ["endless", `"${"x".repeat(5 << 20)}"`],
  ])("%s is no commit", async (_, body) => {
    here.server.answers.set(revisionPath, { body });
    expect(await ask()).toEqual({ commit: undefined });
  });

  test.each<[string, string]>([
    ["another path", JSON.stringify([{ path: "m.gguf", size: 1, lfs: { oid: "0".repeat(64) } }])],
    ["no list", JSON.stringify({ path: file.path, size: 1 })],
    ["a size and hash that are none", JSON.stringify([{ path: file.path, size: -1, lfs: { oid: "sha1" } }])],
    ["a size that is no integer", JSON.stringify([{ path: file.path, size: 1.5, lfs: 7 }])],
  ])("%s says nothing of the file", async (_, body) => {
    answer(here.content);
    here.server.answers.set(infoPath(commit), { body });
    expect(await ask()).toEqual({ commit, size: undefined, sha256: undefined });
  });

  test("refused, absent, late, unreachable: nothing, and no error", async () => {
    here.server.answers.set(revisionPath, { status: 429, body: "slow down" });
    expect(await ask()).toEqual({ commit: undefined });
    answer(here.content);
    here.server.answers.set(revisionPath, { body: JSON.stringify({ sha: commit }), delayMs: 2000 });
    expect(await ask(30)).toEqual({ commit: undefined });
    expect(await askHub(file, {}, { fetch: deaf, timeoutMs: 20 })).toEqual({ commit: undefined });
  });
});

describe("downloads", () => {
  test("come from the commit, are checked against the hub's hash, and are found again by the branch, offline", async () => {
    answer(here.content);
    const source = await open(here.visit());
    expect(here.server.requests.at(-1)?.path).toBe(`/o/r/resolve/${commit}/sub/m.gguf`);
    await expectRight(source, here.content);
    await source.finish?.();
    expect(source.stored?.verified()).toBe(true);
    await here.leave(source);
    const [manifest] = await here.visit().find(`${here.server.origin}/o/r/resolve/main/sub/m.gguf`);
    expect(manifest?.revision).toContain(`commit:${commit}`);
    expect(JSON.stringify(await here.visit().list())).not.toContain(token);
    await here.server[Symbol.asyncDispose]();
    const again = await open(here.visit());
    expect(again.local).toBe(true);
    await expectRight(again, here.content);
    await here.leave(again);
  });

  test("a branch that moves does not mix: a partial file is gone on with at the new commit only if the file is the same", async () => {
    answer(here.content);
    const first = await open(here.visit());
    await first.read(0, 3 * caseChunk);
    await here.leave(first);
    // Another file of the repository changed.
    answer(here.content, other);
    const diagnostics = counting();
    const second = await open(here.visit(), "use", diagnostics);
    await second.read(4 * caseChunk, caseChunk);
    await here.leave(second);
    expect(diagnostics.networkBytes).toBeLessThanOrEqual(2 * caseChunk + 1000);
    // This file changed.
    const young = here.content.map((byte) => byte ^ 1);
    here.server.content = young;
    answer(young, "e".repeat(40));
    const third = await open(here.visit());
    await expectRight(third, young);
    await third.finish?.();
    expect(third.stored?.verified()).toBe(true);
    await here.leave(third);
  });

  test("a partial file is gone on with when the API is down, and the other way round", async () => {
    const first = await open(here.visit());
    await first.read(0, 3 * caseChunk);
    await here.leave(first);
    answer(here.content);
    const diagnostics = counting();
    const second = await open(here.visit(), "use", diagnostics);
    await second.read(5 * caseChunk, caseChunk);
    await here.leave(second);
    here.server.answers.clear();
    const third = await open(here.visit(), "use", diagnostics);
    await third.finish?.();
    // The hash that the hub promised in between is kept.
    expect(third.stored?.verified()).toBe(true);
    await here.leave(third);
    expect(diagnostics.networkBytes).toBeLessThanOrEqual(caseBytes - 3 * caseChunk + 2000);
  });

  test("a hash that the file has not is INTEGRITY.sha256, also without a store", async () => {
    answer(here.content.map((byte) => byte ^ 1));
    for (const models of [here.visit(), undefined]) {
      const source = await open(models);
      expect(await errorCode(source.finish?.() ?? Promise.resolve())).toBe("INTEGRITY.sha256");
      await here.leave(source);
    }
  });

  test("a caller's hash that is not the hub's is refused before anything is downloaded", async () => {
    answer(here.content);
    const models = here.visit();
    const options = {
      hub: { endpoint: here.server.origin, token },
      shared: { pool: new DownloadPool({ chunkBytes: caseChunk }) },
      store: { models },
    };
    const error = await typedError(openSource("hf:o/r/sub/m.gguf", { ...options, sha256: "0".repeat(64) }));
    expect(error.code).toBe("INTEGRITY.sha256");
    expect(await models.list()).toEqual([]);
    expect(await errorCode(openSource("hf:o/r/sub/m.gguf", { ...options, sha256: "nonsense" }))).toBe("REQUEST.sha256");
  });

  test("another size than the hub lists is another file", async () => {
    answer(here.content.slice(1));
    expect(await errorCode(open(here.visit()))).toBe("SOURCE.changed");
  });

  test("headers of a redirect are not needed: the answer in hand tells nothing of them", async () => {
    await using cdn = await startCase();
    here.server.headers.set("x-linked-etag", `"${"0".repeat(64)}"`);
    here.server.redirects.set("/o/r/resolve/main/sub/m.gguf", cdn.address);
    const source = await open(here.visit());
    await source.finish?.();
    expect(source.stored?.verified()).toBe(false);
    await here.leave(source);
  });

  test("x-linked-etag and x-repo-commit of the answer itself are used", async () => {
    here.server.headers.set("x-repo-commit", commit);
    here.server.headers.set("x-linked-etag", `"${createHash("sha256").update(here.content).digest("hex")}"`);
    const source = await open(here.visit());
    await source.finish?.();
    expect(source.stored?.verified()).toBe(true);
    await here.leave(source);
  });
});

test("an address as copied from the hub's page is the same file", () => {
  expect(hubFileOf(new URL("https://huggingface.co/o/r/resolve/main/sub/m%20x.gguf?download=true"))).toEqual({
    ...file,
    path: "sub/m x.gguf",
  });
  expect(hubFileOf(new URL("http://localhost:1/hub/o/r/resolve/refs%2Fpr%2F1/f"), { endpoint: "http://localhost:1/hub" })).toEqual({
    owner: "o",
    repo: "r",
    revision: "refs/pr/1",
    path: "f",
  });
  for (const address of [
    "https://huggingface.co/o/r/blob/main/f",
    "https://elsewhere.test/o/r/resolve/main/f",
    "https://huggingface.co/o",
  ]) {
    expect(hubFileOf(new URL(address))).toBeUndefined();
  }
});
