// Rows 50 and 53 to 57: more than one tab, storage that is cleared or broken under an open one, and databases of other versions.

import { allowance, bytesSent, bytesWithin, chunkCount, completeChunks, requestsOf } from "./ledger.ts";
import type { BrowserTier, DownloadOrder } from "./protocol.ts";
import { type Scene, type Tab, chunkBytes, expect, test } from "./scene.ts";

const tiers: BrowserTier[] = ["opfs", "indexeddb"];
/** For the header and for finding out what the server can do. */
const probeBytes = 1 << 20;

function orderFor(scene: Scene, url: string, tier: BrowserTier, more: Partial<DownloadOrder> = {}): DownloadOrder {
  return { act: "download", url, tier, seed: scene.rng.below(2 ** 31), ...more };
}

async function inspected(scene: Scene, tier: BrowserTier, subject: { url: string; content: Buffer }): Promise<number[]> {
  const { files, unreadable } = await scene.once<"inspect">({ act: "inspect", tier });
  expect(unreadable).toEqual([]);
  return completeChunks(files, subject);
}

/** Waits until a download is well under way. */
async function underWay(tab: Tab, chunks: number): Promise<void> {
  await expect.poll(() => tab.reports.filter(({ what }) => what === "put").length, { timeout: 60_000 }).toBeGreaterThanOrEqual(chunks);
}

/** The short form has one tier of each pair. */
function briefly(tier: BrowserTier, chosen: BrowserTier): string[] {
  return tier === chosen ? ["@short"] : [];
}

for (const tier of tiers) {
  test(
    `row 54: two tabs that want one model fetch it once, and the second follows (${tier})`,
    { tag: briefly(tier, "opfs") },
    async ({ scene }) => {
      const subject = scene.noise("shared.bin", 12 * chunkBytes - 5, { bytesPerSecond: 30e6 });
      const [first, second] = [await scene.tab(), await scene.tab()];
      const outcomes = await Promise.all([first, second].map((tab) => tab.order<"download">(orderFor(scene, subject.url, tier))));
      for (const outcome of outcomes) {
        expect(outcome.sha256).toBe(subject.sha256);
        expect(outcome.stored?.complete).toBe(true);
      }
      expect(bytesSent(requestsOf(scene, subject.url))).toBeLessThanOrEqual(subject.content.length + probeBytes);
      const waiting = outcomes.filter(({ news }) => news.length > 0);
      expect(waiting, "tabs that waited and heard").toHaveLength(1);
      const loaded = waiting[0]?.news.map((news) => news.loaded) ?? [];
      expect(loaded.length).toBeGreaterThan(2);
      expect(loaded).toEqual(loaded.toSorted((a, b) => a - b));
      expect(waiting[0]?.news.every(({ total }) => total === subject.content.length)).toBe(true);
      expect(waiting[0]?.diagnostics.networkBytes).toBe(0);
      expect(await first.order<"locks">({ act: "locks" }), "locks when nothing is under way").toEqual({ held: 0, pending: 0 });
    },
  );

  test(
    `row 55: the tab that downloads crashes, and the one that waits goes on where it was (${tier})`,
    { tag: briefly(tier, "indexeddb") },
    async ({ scene }) => {
      const subject = scene.noise("handed-on.bin", 12 * chunkBytes, { bytesPerSecond: 12e6 });
      const first = await scene.tab();
      const lost = first.order<"download">(orderFor(scene, subject.url, tier));
      lost.catch(() => undefined);
      await underWay(first, 1);
      const second = await scene.tab();
      const outcome = second.order<"download">(orderFor(scene, subject.url, tier));
      await second.until(({ what }) => what === "news");
      await underWay(first, 3);
      const at = performance.now();
      await scene.browser.crash(first.page);
      const crashedAt = scene.site.log.length;
      const { sha256, stored } = await outcome;
      expect(sha256).toBe(subject.sha256);
      expect(stored?.complete).toBe(true);
      const after = requestsOf(scene, subject.url, crashedAt);
      expect(bytesWithin(after, first.stored(subject.url)), "bytes of complete chunks fetched again").toBe(0);
      const before = requestsOf(scene, subject.url).filter((request) => !after.includes(request));
      const spent = allowance(before, { tab: first, url: subject.url, complete: first.stored(subject.url), at });
      expect(bytesSent(requestsOf(scene, subject.url))).toBeLessThanOrEqual(subject.content.length + spent + probeBytes);
    },
  );

  test(
    `row 50: all data of the site is cleared during a download and after it (${tier})`,
    { tag: briefly(tier, "indexeddb") },
    async ({ scene }) => {
      const subject = scene.noise("cleared.bin", 10 * chunkBytes, { bytesPerSecond: 40e6 });
      const tab = await scene.tab();
      const clear = async (): Promise<void> => {
        const session = await scene.browser.session(tab.page);
        await session.send("Storage.clearDataForOrigin", { origin: scene.site.origin, storageTypes: "all" });
      };
      const answer = tab.try<"download">(orderFor(scene, subject.url, tier));
      await underWay(tab, 3);
      await clear();
      const given = await answer;
      // Either the reader has every byte right, or it has a typed error; never anything else.
      if (given.ok) expect(given.value.sha256).toBe(subject.sha256);
      else expect(given.error.code).toMatch(/^(STORE|QUOTA)\./);
      // Cleared between a chunk's bytes and its record, the record comes after and stands alone.
      const { files } = await scene.once<"inspect">({ act: "inspect", tier });
      const left = completeChunks(files, subject, true);
      const since = scene.site.log.length;
      const again = await tab.order<"download">(orderFor(scene, subject.url, tier));
      expect(again.sha256).toBe(subject.sha256);
      expect(again).toMatchObject({ stored: { complete: true }, warning: null });
      expect(bytesWithin(requestsOf(scene, subject.url, since), left)).toBe(0);
      await clear();
      const fresh = await tab.order<"download">(orderFor(scene, subject.url, tier));
      expect(fresh.sha256).toBe(subject.sha256);
      expect(fresh.diagnostics.networkBytes).toBe(subject.content.length);
      expect(await inspected(scene, tier, subject)).toHaveLength(chunkCount(subject.content));
    },
  );

  test(`row 57: a model that another tab uses is not deleted (${tier})`, { tag: briefly(tier, "opfs") }, async ({ scene }) => {
    const subject = scene.noise("in-use.bin", 2 * chunkBytes);
    const [user, other] = [await scene.tab(), await scene.tab()];
    const { stored } = await user.order<"download">(orderFor(scene, subject.url, tier, { hold: true }));
    const model = stored?.model ?? "";
    const refused = await other.try<"delete">({ act: "delete", tier, model });
    expect(refused).toMatchObject({ ok: false, error: { code: "STORE.busy" } });
    expect(await inspected(scene, tier, subject)).toHaveLength(2);
    await user.order<"release">({ act: "release" });
    await other.order<"delete">({ act: "delete", tier, model });
    expect(await other.order<"list">({ act: "list", tier })).toEqual([]);
  });

  test(`row 57: a tab that uses a model crashes, and the model can be deleted (${tier})`, async ({ scene }) => {
    const subject = scene.noise("in-use.bin", 2 * chunkBytes);
    const [user, other] = [await scene.tab(), await scene.tab()];
    const { stored } = await user.order<"download">(orderFor(scene, subject.url, tier, { hold: true }));
    await scene.browser.crash(user.page);
    await expect
      .poll(async () => (await other.try<"delete">({ act: "delete", tier, model: stored?.model ?? "" })).ok, { timeout: 5000 })
      .toBe(true);
  });

  for (const how of ["open", "connection"] as const) {
    test(`row 53: IndexedDB fails for good on ${how}: the load goes on from memory and says so (${tier})`, async ({ scene }) => {
      const subject = scene.noise("memory.bin", 4 * chunkBytes);
      const tab = await scene.tab();
      await tab.order<"break">({ act: "break", how, times: Infinity });
      const outcome = await tab.order<"download">(orderFor(scene, subject.url, tier, { storeMayFail: true }));
      expect(outcome.sha256).toBe(subject.sha256);
      expect(outcome.warning?.code).toMatch(/^STORE\./);
    });
  }

  test(
    `row 53: IndexedDB loses its connection twice and is opened again (${tier})`,
    { tag: briefly(tier, "indexeddb") },
    async ({ scene }) => {
      const subject = scene.noise("reopened.bin", 4 * chunkBytes);
      const tab = await scene.tab();
      await tab.order<"break">({ act: "break", how: "connection", times: 2 });
      const outcome = await tab.order<"download">(orderFor(scene, subject.url, tier));
      expect(outcome.sha256).toBe(subject.sha256);
      expect(outcome).toMatchObject({ stored: { complete: true }, warning: null });
      expect(outcome.diagnostics.reconnects).toBeGreaterThan(0);
      expect(await inspected(scene, tier, subject)).toHaveLength(4);
    },
  );
}

test("row 56: a tab that will not let go of an old schema is named, and nothing hangs", async ({ scene }) => {
  const subject = scene.noise("blocked.bin", 2 * chunkBytes);
  const old = await scene.tab();
  // There has to be a database to squat in.
  await old.order<"list">({ act: "list", tier: "indexeddb" });
  await old.order<"squat">({ act: "squat" });
  const tab = await scene.tab();
  const outcome = await tab.order<"download">(orderFor(scene, subject.url, "indexeddb", { storeMayFail: true }));
  expect(outcome.sha256).toBe(subject.sha256);
  expect(outcome.warning?.code).toBe("STORE.blocked");
  await old.page.close();
  const after = await (await scene.tab()).order<"download">(orderFor(scene, subject.url, "indexeddb"));
  expect(after).toMatchObject({ stored: { complete: true }, warning: null });
});

test("row 56: a database of a later version is left alone, and said so", async ({ scene }) => {
  const subject = scene.noise("later.bin", 2 * chunkBytes);
  const tab = await scene.tab();
  await tab.order<"upgrade">({ act: "upgrade" });
  const outcome = await tab.order<"download">(orderFor(scene, subject.url, "indexeddb", { storeMayFail: true }));
  expect(outcome.sha256).toBe(subject.sha256);
  expect(outcome.warning?.code).toMatch(/^STORE\./);
});

test("row 56: a tab steps aside when a later version wants to change the database", async ({ scene }) => {
  const subject = scene.noise("stepped.bin", 2 * chunkBytes);
  const user = await scene.tab();
  await user.order<"download">(orderFor(scene, subject.url, "indexeddb", { hold: true }));
  // Resolves only when nobody blocks.
  await (await scene.tab()).order<"upgrade">({ act: "upgrade" });
});

test("the campaign notices a disk that takes bytes and loses them", { tag: "@short" }, async ({ scene }) => {
  const subject = scene.noise("lost.bin", 4 * chunkBytes);
  const tab = await scene.tab();
  await tab.order<"break">({ act: "break", how: "files", times: 2 });
  await tab.order<"download">(orderFor(scene, subject.url, "opfs"));
  await tab.page.close();
  const { files } = await scene.once<"inspect">({ act: "inspect", tier: "opfs" });
  expect(files.flatMap(({ chunks }) => chunks.filter(({ right }) => !right)).length).toBeGreaterThan(0);
});
