// Rows 42 to 44 through a real browser: servers that refuse, send elsewhere, compress, or have another file than was promised.

import type { HostedFile } from "./file_server.ts";
import { bytesWithin, chunkCount, requestsOf } from "./ledger.ts";
import { always, beyond, expectRefused, faultAfterMs, loadWell, nth, stored, tier } from "./loads.ts";
import { chunkBytes, expect, noise, sha256, test } from "./scene.ts";

test("row 42: refusals have codes of their own, and nothing is cached of them", async ({ scene }) => {
  const refusals: Array<[status: number, code: string]> = [
    [401, "SOURCE.denied"],
    [403, "SOURCE.denied"],
    [404, "SOURCE.missing"],
    [429, "NET.rate"],
    [500, "NET.server"],
    [503, "NET.server"],
  ];
  for (const [status, code] of refusals) {
    const hosted = scene.noise(`status-${status}.bin`, chunkBytes, { fault: always({ kind: "status", status }) });
    await expectRefused(scene, hosted, code);
  }
  const loop = scene.noise("loop.bin", chunkBytes, { redirect: "/files/loop.bin" });
  await expectRefused(scene, loop, "NET.unreachable");
  const closed = scene.noise("closed.bin", chunkBytes);
  await expectRefused(scene, { url: closed.url.replace(scene.site.origin, scene.site.crossOrigin) }, "NET.cors");
  const { files } = await scene.once<"inspect">({ act: "inspect", tier });
  expect(files).toEqual([]);
});

test("row 42: a server that asks for patience gets it", async ({ scene }) => {
  const hosted = scene.noise("later.bin", 3 * chunkBytes, {
    fault: nth([1, 3], { kind: "status", status: 429, headers: { "retry-after": "1" } }),
  });
  const { diagnostics } = await loadWell(scene, hosted);
  expect(diagnostics.retries).toBeGreaterThan(0);
});

test("row 42: a signature that expired during a download leaves what is stored for the next", { tag: "@short" }, async ({ scene }) => {
  const hosted = scene.noise("signed.bin", 6 * chunkBytes, {
    faultAfterMs,
    fault: beyond(5 * chunkBytes, { kind: "status", status: 403 }),
  });
  await expectRefused(scene, { url: `${hosted.url}?signature=old` }, "SOURCE.denied");
  const kept = await stored(scene, hosted);
  expect(kept.length).toBeGreaterThan(0);
  scene.site.host("signed.bin", hosted.content);
  const since = scene.site.log.length;
  await loadWell(scene, { ...hosted, url: `${hosted.url}?signature=new` });
  expect(bytesWithin(requestsOf(scene, hosted.url, since), kept)).toBe(0);
});

test("row 42: a redirect to another host is followed, and resumed", async ({ scene }) => {
  const real = scene.noise("real.bin", 4 * chunkBytes, { cors: { expose: "ETag, Content-Range" } });
  const asked = { ...real, url: scene.site.host("moved.bin", real.content, { redirect: real.url }) };
  await loadWell(scene, asked);
  expect(await stored(scene, asked)).toHaveLength(chunkCount(real.content));
});

test("row 43: a server that compresses where it may has nothing to compress, and one that always does is refused", async ({ scene }) => {
  const content = Buffer.alloc(3 * chunkBytes, "the same line again and again\n");
  const url = scene.site.host("zipped.bin", content, { ranges: false, gzip: "allowed" });
  const hosted = { url, content, sha256: sha256(content) };
  const { size } = await loadWell(scene, hosted);
  expect(size).toBe(content.length);
  expect(await stored(scene, hosted)).toHaveLength(3);
  // With a request for a range Chromium forbids compression, and decodes nothing that comes compressed all the same.
  const rude = scene.site.host("rude.bin", content, { ranges: false, gzip: "always" });
  await expectRefused(scene, { url: rude }, "NET.unreachable");
});

test(
  "row 44: a wrong byte in a file whose hash was promised is INTEGRITY, and the store forgets the file",
  { tag: "@short" },
  async ({ scene }) => {
    const wrong: HostedFile["fault"] = always({ kind: "corrupt", offset: 5_000_000 });
    const hosted = scene.noise("wrong.bin", 3 * chunkBytes, { fault: wrong });
    await expectRefused(scene, hosted, "INTEGRITY.sha256", { sha256: hosted.sha256 });
    expect(await stored(scene, hosted)).toEqual([]);
    scene.site.host("wrong.bin", hosted.content);
    const { stored: kept } = await loadWell(scene, hosted, { sha256: hosted.sha256 });
    expect(kept?.verified).toBe(true);
  },
);

test("row 44: a hash that the server names is held to as well", async ({ scene }) => {
  const content = noise(scene.rng.below(2 ** 31), 3 * chunkBytes);
  const headers = { "x-linked-etag": `"${sha256(content)}"` };
  const url = scene.site.host("linked.bin", content, { headers, fault: always({ kind: "corrupt", offset: 77 }) });
  await expectRefused(scene, { url }, "INTEGRITY.sha256");
  scene.site.host("linked.bin", content, { headers });
  const { stored: kept } = await loadWell(scene, { url, content, sha256: sha256(content) });
  expect(kept?.verified).toBe(true);
});
