// Locations of every kind, hub paths and their token, and files that change under the reader.

import { appendFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { openAsBlob } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { startFaultServer } from "../testing/fault_server.ts";
import { errorCode, typedError } from "../testing/typed_error.ts";
import { hubHeaders, resolveHubPath } from "./http/hub.ts";
import { openSource } from "./source.ts";
import type { FileLocation } from "./source.ts";

const bytes = Uint8Array.from({ length: 1000 }, (_, i) => i);

describe("bytes and blobs", () => {
  test.each<[string, FileLocation, string]>([
    ["Uint8Array", bytes, "model in memory"],
    ["ArrayBuffer", bytes.slice().buffer, "model in memory"],
    ["Blob", new Blob([bytes]), "model in memory"],
    ["File", new File([bytes], "m.gguf"), "m.gguf"],
    ["data address", `data:application/octet-stream;base64,${Buffer.from(bytes).toString("base64")}`, "the data: address"],
  ])("%s", async (_, location, name) => {
    const source = await openSource(location);
    expect(source).toMatchObject({ name, size: 1000 });
    expect([...(await source.read(250, 10))]).toEqual([...bytes.subarray(250, 260)]);
    expect(await source.read(1000, 0)).toHaveLength(0);
    expect(await errorCode(source.read(999, 2))).toBe("SOURCE.range");
    expect(await errorCode(source.read(0.5, 1))).toBe("SOURCE.range");
    expect(await errorCode(source.read(0, 1, { signal: AbortSignal.abort() }))).toBe("AbortError");
    expect(await errorCode(openSource(location, { signal: AbortSignal.abort() }))).toBe("AbortError");
  });

  test.each([
    ["edited", async (path: string) => appendFile(path, "more")],
    ["deleted", async (path: string) => rm(path)],
  ])("row 21: a file that is %s while it is read", async (_, change) => {
    const folder = await mkdtemp(join(tmpdir(), "source-"));
    try {
      const path = join(folder, "m.gguf");
      await writeFile(path, bytes);
      const source = await openSource(await openAsBlob(path));
      expect(await source.read(0, 10)).toHaveLength(10);
      await change(path);
      expect(await errorCode(source.read(10, 10))).toBe("SOURCE.changed");
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("a closed blob source refuses reads", async () => {
    const source = await openSource(new Blob([bytes]));
    source.close?.();
    expect(await errorCode(source.read(0, 1))).toBe("SOURCE.closed");
  });
});

describe("addresses", () => {
  test.each(["", "model.gguf", "file:///m.gguf", "ftp://host/m.gguf", "https://user:secret@host/m.gguf?key=secret", "javascript:0"])(
    "%s is refused",
    async (location) => {
      const error = await typedError(openSource(location));
      expect(error.code).toBe("SOURCE.location");
      expect(error.message).not.toContain("secret");
    },
  );
});

describe("hub paths", () => {
  test.each([
    ["hf:owner/repo/m.gguf", "https://huggingface.co/owner/repo/resolve/main/m.gguf"],
    ["hf:owner/repo/a b/m#1.gguf", "https://huggingface.co/owner/repo/resolve/main/a%20b/m%231.gguf"],
    ["hf:owner/repo/m.gguf@refs/pr/1", "https://huggingface.co/owner/repo/resolve/refs%2Fpr%2F1/m.gguf"],
    ["hf:owner/repo/m.gguf@0a1b2c", "https://huggingface.co/owner/repo/resolve/0a1b2c/m.gguf"],
  ])("%s", (path, address) => {
    expect(resolveHubPath(path).href).toBe(address);
  });

  test("a mirror with a path", () => {
    expect(resolveHubPath("hf:o/r/f", { endpoint: "http://localhost:1/hub/" }).href).toBe("http://localhost:1/hub/o/r/resolve/main/f");
  });

  test.each(["hf:", "hf:owner/repo", "hf:owner//m.gguf", "hf:owner/../m.gguf", "hf:o/r/f@", "hf:o/r/f@..", "hf:/r/f"])(
    "%s is refused",
    async (path) => {
      expect(await errorCode(openSource(path))).toBe("SOURCE.location");
    },
  );

  test.each(["huggingface.co", "file:///x", "https://user@host", "https://host/?q"])("endpoint %s is refused", async (endpoint) => {
    expect(await errorCode(openSource("hf:o/r/f", { hub: { endpoint } }))).toBe("REQUEST.endpoint");
  });

  test("the token goes to the endpoint's origin and nowhere else", async () => {
    await using hub = await startFaultServer(bytes);
    await using elsewhere = await startFaultServer(bytes);
    hub.redirects.set("/o/r/resolve/main/f", `${elsewhere.origin}/f`);
    const source = await openSource("hf:o/r/f", { hub: { endpoint: hub.origin, token: "hf_secret" } });
    expect(source.size).toBe(1000);
    expect(source.name).toBe(`${hub.origin}/o/r/resolve/main/f`);
    expect(hub.requests.map(({ path }) => path)).toEqual([
      "/api/models/o/r/revision/main",
      "/api/models/o/r/paths-info/main",
      "/o/r/resolve/main/f",
    ]);
    expect(new Set(hub.requests.map(({ authorization }) => authorization))).toEqual(new Set(["Bearer hf_secret"]));
    expect(elsewhere.requests.map(({ authorization }) => authorization)).toEqual([undefined]);
    await openSource(`${elsewhere.origin}/f`, { hub: { endpoint: hub.origin, token: "hf_secret" } });
    expect(elsewhere.requests.at(-1)?.authorization).toBeUndefined();
    expect(hubHeaders(new URL("https://huggingface.co.evil.example/"), { token: "hf_secret" })).toEqual({});
  });

  test("a token is in no error", async () => {
    await using hub = await startFaultServer(bytes);
    hub.faults.push({ kind: "status", status: 401 });
    const denied = await typedError(openSource("hf:o/r/f", { hub: { endpoint: hub.origin, token: "hf_secret" } }));
    expect(denied.code).toBe("SOURCE.denied");
    const malformed = await typedError(openSource("hf:o/r/f", { hub: { endpoint: hub.origin, token: "hf_secret\n" } }));
    expect(malformed.code).toBe("REQUEST.token");
    for (const error of [denied, malformed]) expect(`${error.message} ${JSON.stringify(error.toPlain())}`).not.toContain("secret");
  });
});
