// Rows 47 to 49: the room for a file of 24 chunks ends at each chunk's boundary. What was stored stays, the refusal is typed or
// the load goes on from memory, and with room again only what is missing is fetched.

import { bytesSent, bytesWithin, chunkCount, completeChunks, expectWhole, requestsOf, type Subject } from "./ledger.ts";
import type { BrowserTier } from "./protocol.ts";
import { type Scene, type Tab, chunkBytes, expect, sha256, short, test } from "./scene.ts";

const chunks = short ? 10 : 24;
/** Room for manifests, records and what the browser adds, but not for a chunk. */
const slack = chunkBytes - (1 << 18);

/** Requests at once; each may lose the chunk that it is at when the refusal comes. */
const inFlight = 4;

interface Case {
  readonly tier: BrowserTier;
  readonly room: number;
  readonly onFull: "error" | "memory";
  readonly subject: Subject;
  readonly bystander: Subject;
}

async function inspect(scene: Scene, { tier, subject, bystander }: Case): Promise<number[]> {
  const { files, unreadable } = await scene.once<"inspect">({ act: "inspect", tier });
  expect(unreadable).toEqual([]);
  expectWhole(files, bystander);
  return completeChunks(files, subject);
}

/** @returns false when the browser did not hold to its quota: then all is stored, and nothing was there to be tested */
async function expectRefused(scene: Scene, tab: Tab, { tier, onFull, subject }: Case): Promise<boolean> {
  const { url, content } = subject;
  const since = scene.site.log.length;
  // As the loader reads: pieces that share a chunk would cost it twice where nothing is stored.
  const answer = await tab.try<"download">({ act: "download", url, tier, seed: scene.rng.below(2 ** 31), pieces: "chunks", onFull });
  if (answer.ok && answer.value.diagnostics.quotaRefusals === 0) {
    expect(answer.value).toMatchObject({ sha256: sha256(content), stored: { complete: true }, warning: null });
    return false;
  }
  if (onFull === "error") {
    expect(answer.ok).toBe(false);
    if (answer.ok) return true;
    expect(answer.error.code, answer.error.message).toBe("QUOTA.full");
    expect(answer.error.detail.needed).toEqual(expect.any(Number));
    expect(answer.diagnostics?.quotaRefusals).toBeGreaterThan(0);
    return true;
  }
  if (!answer.ok) throw new Error(`${answer.error.code}: ${answer.error.message}`);
  expect(answer.value.sha256).toBe(sha256(content));
  expect(answer.value.stored?.complete).toBe(false);
  expect(answer.value.warning?.code).toBe("QUOTA.full");
  expect(answer.value.diagnostics.quotaRefusals).toBeGreaterThan(0);
  const { networkBytes } = answer.value.diagnostics;
  expect(networkBytes, "bytes fetched to run from memory").toBeLessThanOrEqual(content.length + inFlight * chunkBytes);
  expect(bytesSent(requestsOf(scene, url, since)), "what the server sent, beside what the tab says").toBeGreaterThanOrEqual(networkBytes);
  return true;
}

/** @returns false when it has to be tried again */
async function holdsAtBoundary(scene: Scene, one: Case): Promise<boolean> {
  const { tier, room, subject } = one;
  const { url, content } = subject;
  // For a while Chromium keeps to the room that it found for a database before; only a fresh start knows nothing. Its own account of
  // what is used is wrong after a start (nothing of IndexedDB, of OPFS sometimes 4 GiB too much), so it is not asked.
  if (tier === "indexeddb") await scene.atRest(() => undefined);
  const tab = await scene.tab();
  await scene.quota(tab.page, one.bystander.content.length + room * chunkBytes + slack);
  if (!(await expectRefused(scene, tab, one))) {
    const [model] = (await tab.order<"list">({ act: "list", tier })).filter(({ location }) => location === url);
    await tab.order<"delete">({ act: "delete", tier, model: model?.id ?? "" });
    await tab.page.close();
    return false;
  }
  const kept = await inspect(scene, one);
  expect(kept.length, "chunks stored in the room there was").toBeLessThanOrEqual(room);
  // A file of OPFS has its chunks at their offsets, and the room in front of them counts as taken.
  if (tier === "indexeddb") expect(kept.length, "chunks stored in the room there was").toBeGreaterThanOrEqual(Math.max(0, room - 2));
  expect(
    tab.stored(url).filter((index) => !kept.includes(index)),
    "chunks stored before the refusal and gone after it",
  ).toEqual([]);
  await scene.quota(tab.page);
  const since = scene.site.log.length;
  const outcome = await tab.order<"download">({ act: "download", url, tier, seed: scene.rng.below(2 ** 31) });
  expect(outcome.sha256).toBe(sha256(content));
  expect(outcome).toMatchObject({ stored: { complete: true }, warning: null });
  expect(bytesWithin(requestsOf(scene, url, since), kept), "bytes of complete chunks fetched again").toBe(0);
  expect(await inspect(scene, one)).toHaveLength(chunkCount(content));
  await tab.order<"delete">({ act: "delete", tier, model: outcome.stored?.model ?? "" });
  await tab.page.close();
  return true;
}

const shortBoundaries: Partial<Record<BrowserTier, number[]>> = short ? { indexeddb: [0, chunks - 1], opfs: [4] } : {};

for (const tier of ["opfs", "indexeddb"] as const) {
  test(`rows 47, 48: the room ends at each chunk's boundary (${tier})`, { tag: "@short" }, async ({ scene }) => {
    const boundaries = shortBoundaries[tier] ?? Array.from({ length: chunks }, (_, at) => at);
    test.setTimeout(boundaries.length * 60_000);
    const bystander = scene.noise("beside.bin", chunkBytes + 1);
    await scene.once<"download">({ act: "download", url: bystander.url, tier, seed: 1 });
    for (const [at, room] of boundaries.entries()) {
      const both = ["error", "memory"] as const;
      const ways = short ? [both[at % 2] ?? "error"] : both;
      for (const onFull of ways) {
        const subject = scene.noise(`room-${room}-${onFull}.bin`, chunks * chunkBytes);
        await test.step(`room for ${room} chunks, then ${onFull}`, async () => {
          // Chromium learns of what was written with a delay, and now and then lets a fast download pass.
          for (let attempt = 1; !(await holdsAtBoundary(scene, { tier, room, onFull, subject, bystander })); attempt++) {
            if (attempt === 3) throw new Error("the browser did not hold to the quota in three attempts");
          }
        });
      }
    }
  });
}

test("row 49: what the browser says of its room is advice, and no gate", async ({ scene }) => {
  const tab = await scene.tab();
  const subject = scene.noise("advice.bin", 3 * chunkBytes);
  // The browser that says there is no room at all, and has some.
  await tab.order<"break">({ act: "break", how: "estimate", times: Infinity });
  const outcome = await tab.order<"download">({ act: "download", url: subject.url, tier: "indexeddb", seed: 1, onFull: "error" });
  expect(outcome.sha256).toBe(subject.sha256);
  expect(outcome).toMatchObject({ stored: { complete: true }, warning: null });
});
