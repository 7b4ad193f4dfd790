// Rows 36 to 41 through a real browser: what goes wrong between a server and us is mended and counted, or a typed error that leaves
// what was stored as it was. The codes themselves are tested in Node, in src/weights.

import { bytesSent, bytesWithin, requestsOf } from "./ledger.ts";
import { beyond, expectRefused, faultAfterMs, impatient, loadWell, nth, stored, tier, always } from "./loads.ts";
import { chunkBytes, expect, noise, sha256, test } from "./scene.ts";

test("row 36: cut connections are taken up again behind the last complete chunk", { tag: "@short" }, async ({ scene }) => {
  for (const length of [true, false]) {
    const hosted = scene.noise(`cut-${length}.bin`, 12 * chunkBytes, {
      length,
      fault: nth([2, 3, 5], { kind: "cut", after: 6 << 20 }),
      bytesPerSecond: 100e6,
    });
    const { diagnostics } = await loadWell(scene, hosted);
    expect(diagnostics.retries).toBeGreaterThan(0);
    expect(bytesSent(requestsOf(scene, hosted.url))).toBeLessThanOrEqual(hosted.content.length + 3 * chunkBytes + (1 << 20));
    expect(await stored(scene, hosted)).toHaveLength(12);
  }
});

test("row 36: a connection that is always cut is NET.interrupted, and what came is kept", async ({ scene }) => {
  const hosted = scene.noise("cuts.bin", 6 * chunkBytes, { faultAfterMs, fault: beyond(5 * chunkBytes, { kind: "cut", after: 20_000 }) });
  await expectRefused(scene, hosted, "NET.interrupted");
  const kept = await stored(scene, hosted);
  expect(kept.length).toBeGreaterThan(0);
  expect(kept.length).toBeLessThan(6);
  scene.site.host("cuts.bin", hosted.content);
  const since = scene.site.log.length;
  await loadWell(scene, hosted);
  expect(bytesWithin(requestsOf(scene, hosted.url, since), kept)).toBe(0);
});

test("row 37: a body that ends early without a length is noticed", async ({ scene }) => {
  const mended = scene.noise("short.bin", 6 * chunkBytes, { fault: nth([2, 4], { kind: "short", after: 100_017 }) });
  const { diagnostics } = await loadWell(scene, mended);
  expect(diagnostics.retries).toBeGreaterThan(0);
  const never = scene.noise("shorter.bin", 3 * chunkBytes, { fault: beyond(chunkBytes, { kind: "short", after: 100 }) });
  await expectRefused(scene, never, "NET.truncated");
  // With nothing that says how long it is, only a promised hash can tell.
  const unknown = scene.noise("unknown.bin", 3 * chunkBytes, {
    ranges: false,
    length: false,
    fault: always({ kind: "short", after: 2 * chunkBytes }),
  });
  await expectRefused(scene, unknown, "INTEGRITY.sha256", { sha256: unknown.sha256 });
  expect(await stored(scene, unknown)).toEqual([]);
});

test("row 38: a server without ranges works, and one that lies about them is refused", async ({ scene }) => {
  // Of a body without a length nobody knows whether it is whole, so only a promised hash lets it be stored.
  for (const length of [true, false]) {
    const whole = scene.noise(`whole-${length}.bin`, 3 * chunkBytes + 9, { ranges: false, length });
    if (!length) {
      expect((await loadWell(scene, whole)).warning).not.toBeNull();
      expect(await stored(scene, whole)).toEqual([]);
    }
    await loadWell(scene, whole, length ? {} : { sha256: whole.sha256 });
    expect(await stored(scene, whole)).toHaveLength(4);
    const since = scene.site.log.length;
    await loadWell(scene, whole);
    expect(requestsOf(scene, whole.url, since), "requests of a load from the store").toEqual([]);
  }
  const ignoring = scene.noise("ignoring.bin", 6 * chunkBytes, { fault: ({ count }) => (count > 1 ? { kind: "whole" } : undefined) });
  await expectRefused(scene, ignoring, "NET.range");
  expect((await stored(scene, ignoring)).length).toBeLessThan(6);
  const lying = scene.noise("lying.bin", 6 * chunkBytes, {
    fault: beyond(2 * chunkBytes, { kind: "range", header: `bytes 0-4194303/${6 * chunkBytes}` }),
  });
  await expectRefused(scene, lying, "NET.range");
  await stored(scene, lying);
  const refusing = scene.noise("refusing.bin", 6 * chunkBytes, {
    fault: ({ count }) => (count > 1 ? { kind: "status", status: 416 } : undefined),
  });
  await expectRefused(scene, refusing, "NET.range");
});

test(
  "row 39: a file that changed on the server between sessions is never mixed with what was stored",
  { tag: "@short" },
  async ({ scene }) => {
    const old = scene.noise("changing.bin", 6 * chunkBytes, {
      faultAfterMs,
      fault: beyond(5 * chunkBytes, { kind: "status", status: 404 }),
    });
    await expectRefused(scene, old, "SOURCE.missing");
    const kept = await stored(scene, old);
    expect(kept.length).toBeGreaterThan(0);
    const next = noise(scene.rng.below(2 ** 31), 6 * chunkBytes);
    scene.site.host("changing.bin", next, { etag: '"2"' });
    const changed = { url: old.url, content: next, sha256: sha256(next) };
    await loadWell(scene, changed);
    const { files } = await scene.once<"inspect">({ act: "inspect", tier });
    expect(files.filter(({ url, state }) => url === old.url && state === "complete")).toHaveLength(1);
    expect(kept.length).toBeLessThan(6);
  },
);

test("row 39: refresh keeps the old copy until the new one is whole", async ({ scene }) => {
  const old = scene.noise("refreshed.bin", 4 * chunkBytes);
  const { stored: first } = await loadWell(scene, old);
  const next = noise(scene.rng.below(2 ** 31), 5 * chunkBytes);
  const changed = { url: old.url, content: next, sha256: sha256(next) };
  // The new file cannot be had in full yet.
  scene.site.host("refreshed.bin", next, { etag: '"2"', fault: beyond(2 * chunkBytes, { kind: "status", status: 404 }) });
  await expectRefused(scene, changed, "SOURCE.missing", { mode: "refresh" });
  const { files } = await scene.once<"inspect">({ act: "inspect", tier });
  expect(files.find(({ id }) => id === first?.model)?.state).toBe("complete");
  expect((await loadWell(scene, old)).diagnostics.networkBytes).toBe(0);
  scene.site.host("refreshed.bin", next, { etag: '"2"' });
  await loadWell(scene, changed, { mode: "refresh" });
  expect((await loadWell(scene, changed)).diagnostics.networkBytes).toBe(0);
  const after = await scene.once<"inspect">({ act: "inspect", tier });
  expect(after.files.filter(({ url }) => url === old.url).map(({ bytes }) => bytes)).toEqual([next.length]);
});

test("row 39: a file that changes during a download is SOURCE.changed", async ({ scene }) => {
  const hosted = scene.noise("midway.bin", 24 * chunkBytes, { bytesPerSecond: 60e6 });
  const tab = await scene.tab();
  const answer = tab.try<"download">({ act: "download", url: hosted.url, tier, seed: 1, ...impatient });
  await tab.until(({ what }) => what === "put");
  const file = scene.site.files.get("/files/midway.bin");
  if (file !== undefined) Object.assign(file, { etag: '"2"', content: noise(scene.rng.below(2 ** 31), hosted.content.length) });
  const given = await answer;
  expect(given.ok ? "no error" : given.error.code).toBe("SOURCE.changed");
  await stored(scene, hosted);
});

test("row 40: another origin that hides its headers is read without a preflight, and resumed", { tag: "@short" }, async ({ scene }) => {
  for (const expose of ["", "ETag, Content-Range"]) {
    const name = `cors-${expose.length}.bin`;
    const hosted = scene.noise(name, 8 * chunkBytes, {
      cors: { expose },
      faultAfterMs,
      fault: beyond(7 * chunkBytes, { kind: "status", status: 404 }),
    });
    await expectRefused(scene, hosted, "SOURCE.missing");
    const kept = await stored(scene, hosted);
    expect(kept.length).toBeGreaterThan(0);
    scene.site.host(name, hosted.content, { cors: { expose } });
    const since = scene.site.log.length;
    await loadWell(scene, hosted);
    // Without a validator that scripts may see, a sample of what is stored is compared.
    expect(bytesWithin(requestsOf(scene, hosted.url, since), kept)).toBeLessThanOrEqual(expose === "" ? 64 << 10 : 0);
    expect(await stored(scene, hosted)).toHaveLength(8);
  }
  expect(scene.site.log.filter(({ method }) => method === "OPTIONS")).toEqual([]);
  expect(scene.site.log.filter(({ headers }) => headers["if-range"] !== undefined)).toEqual([]);
});

test("row 41: a body that stalls is given up and asked for again", async ({ scene }) => {
  const mended = scene.noise("stalled.bin", 6 * chunkBytes, { fault: nth([2], { kind: "stall", after: 100_000 }) });
  const { diagnostics } = await loadWell(scene, mended);
  expect(diagnostics.retries).toBeGreaterThan(0);
  const never = scene.noise("stuck.bin", 3 * chunkBytes, { fault: beyond(chunkBytes, { kind: "stall", after: 100 }) });
  await expectRefused(scene, never, "NET.stalled");
  await stored(scene, never);
});

test("row 41: offline, a complete file is read without a request and a part is a typed error", { tag: "@short" }, async ({ scene }) => {
  const whole = scene.noise("offline.bin", 3 * chunkBytes);
  const part = scene.noise("part.bin", 6 * chunkBytes, { faultAfterMs, fault: beyond(5 * chunkBytes, { kind: "status", status: 404 }) });
  await loadWell(scene, whole);
  await expectRefused(scene, part, "SOURCE.missing");
  const kept = await stored(scene, part);
  expect(kept.length).toBeGreaterThan(0);
  const since = scene.site.log.length;
  scene.site.unplug(true);
  await loadWell(scene, whole);
  expect(scene.site.log.slice(since)).toEqual([]);
  await expectRefused(scene, part, "NET.unreachable");
  scene.site.unplug(false);
  expect(await stored(scene, part)).toEqual(kept);
});
