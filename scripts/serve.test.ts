import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Served, serve } from "./serve.mjs";

let folder = "";
let served: Served;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "shaderloom-serve-"));
  mkdirSync(join(folder, "page"));
  writeFileSync(join(folder, "secret.txt"), "secret");
  writeFileSync(join(folder, "page", "index.html"), "<p>page</p>");
  writeFileSync(join(folder, "page", "m.gguf"), "0123456789");
  mkdirSync(join(folder, "page", "assets"));
  writeFileSync(join(folder, "page", "assets", "worker-0a1b2c3d.js"), "");
  served = await serve({ folder: join(folder, "page"), port: 0 });
});

afterAll(() => {
  served.close();
  rmSync(folder, { recursive: true });
});

async function get(path: string, range?: string): Promise<{ status: number; text: string; headers: Headers }> {
  const response = await fetch(served.address + path, range === undefined ? {} : { headers: { range } });
  return { status: response.status, text: await response.text(), headers: response.headers };
}

/** fetch tidies `..` away before it sends. */
function getRaw(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(served.address).port), "127.0.0.1");
    let text = "";
    socket.on("data", (data) => (text += data.toString()));
    socket.on("end", () => resolve(text));
    socket.on("error", reject);
    socket.end(`GET ${path} HTTP/1.0\r\n\r\n`);
  });
}

test("serves the page with its policy, on workers' scripts too", async () => {
  const page = await get("");
  expect(page).toMatchObject({ status: 200, text: "<p>page</p>" });
  for (const answer of [page, await get("m.gguf")]) {
    const policy = answer.headers.get("content-security-policy") ?? "";
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("require-trusted-types-for 'script'");
    expect(policy).not.toContain("'unsafe-");
  }
});

test("lets browsers keep what has a hash in its name, and only that", async () => {
  expect((await get("assets/worker-0a1b2c3d.js")).headers.get("cache-control")).toContain("immutable");
  for (const path of ["", "m.gguf", "assets/absent.js"]) expect((await get(path)).headers.get("cache-control")).toBe("no-cache");
});

test("answers ranges", async () => {
  expect(await get("m.gguf", "bytes=2-4")).toMatchObject({ status: 206, text: "234" });
  expect(await get("m.gguf", "bytes=7-")).toMatchObject({ status: 206, text: "789" });
  expect(await get("m.gguf", "bytes=-2")).toMatchObject({ status: 206, text: "89" });
  expect(await get("m.gguf", "bytes=8-100")).toMatchObject({ status: 206, text: "89" });
  expect((await get("m.gguf", "bytes=2-4")).headers.get("content-range")).toBe("bytes 2-4/10");
  expect((await get("m.gguf", "bytes=10-")).status).toBe(416);
});

test("never leaves its folder", async () => {
  for (const path of ["/../secret.txt", "/..%2fsecret.txt", "/%2e%2e/secret.txt", "/x/../../secret.txt", "/%00", "/%"]) {
    const text = await getRaw(path);
    expect(text.split("\r\n")[0]).toContain(" 404 ");
    expect(text).not.toContain("\r\n\r\nsecret");
  }
});

test("takes the next port when one is busy", async () => {
  const busy = Number(new URL(served.address).port);
  await expect(serve({ folder, port: busy })).rejects.toThrow("EADDRINUSE");
  const next = await serve({ folder, port: busy, tries: 20 });
  expect(Number(new URL(next.address).port)).toBeGreaterThan(busy);
  next.close();
});
