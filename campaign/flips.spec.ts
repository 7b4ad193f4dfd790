// Rows 51 and 52: one bit flipped in every stored chunk, manifest and record, and in the database's own files. What is damaged is
// seen and fetched again, alone; what the reader gets is always right.

import { rmSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { flipBit, flipInChunk, placeOfChunk, profileFiles } from "./disk.ts";
import { bytesSent, bytesWithin, chunkCount, chunkOf, completeChunks, requestsOf } from "./ledger.ts";
import type { BrowserTier, DownloadOutcome } from "./protocol.ts";
import { type Scene, type Tab, chunkBytes, expect, short, test } from "./scene.ts";

const tiers: BrowserTier[] = ["opfs", "indexeddb"];
const chunks = short ? 4 : 24;

interface Subject {
  readonly url: string;
  readonly content: Buffer;
  readonly sha256: string;
}

async function stored(scene: Scene, tier: BrowserTier): Promise<Subject> {
  const subject = scene.noise("stored.bin", chunks * chunkBytes - 100_000);
  await scene.once<"download">({ act: "download", url: subject.url, tier, seed: 1 });
  return subject;
}

/** Loads what is stored and damaged, and checks everything but what had to be fetched. */
async function reload(
  scene: Scene,
  tab: Tab,
  tier: BrowserTier,
  { url, sha256 }: Subject,
): Promise<DownloadOutcome & { fetched: number; since: number }> {
  const since = scene.site.log.length;
  const outcome = await tab.order<"download">({ act: "download", url, tier, seed: scene.rng.below(2 ** 31) });
  expect(outcome.sha256, "what the reader got").toBe(sha256);
  expect(outcome).toMatchObject({ stored: { complete: true }, warning: null });
  return { ...outcome, fetched: bytesSent(requestsOf(scene, url, since)), since };
}

async function expectMended(scene: Scene, tier: BrowserTier, subject: Subject): Promise<void> {
  const { files, unreadable } = await scene.once<"inspect">({ act: "inspect", tier });
  expect(unreadable).toEqual([]);
  expect(completeChunks(files, subject)).toHaveLength(chunkCount(subject.content));
}

function all(count: number): number[] {
  return Array.from({ length: count }, (_, at) => at);
}

for (const tier of tiers) {
  test(
    `row 51: a bit flipped in a stored chunk is seen, and that chunk alone is fetched again (${tier})`,
    { tag: "@short" },
    async ({ scene }) => {
      test.setTimeout(chunks * 20_000);
      const subject = await stored(scene, tier);
      const targets = short ? [scene.rng.below(chunks)] : all(chunks);
      for (const index of targets) {
        const chunk = chunkOf(subject.content, index);
        await scene.atRest(() => flipInChunk(scene.profile, tier, chunk, scene.rng));
        const tab = await scene.tab();
        const { fetched, diagnostics, since } = await reload(scene, tab, tier, subject);
        expect(diagnostics.damagedChunks, `chunk ${index}: counted`).toBe(1);
        expect(fetched, `chunk ${index}: bytes fetched`).toBe(chunk.length);
        expect(bytesWithin(requestsOf(scene, subject.url, since), [index])).toBe(chunk.length);
        await tab.page.close();
      }
      await expectMended(scene, tier, subject);
    },
  );

  test(`row 51: a bit flipped in all stored chunks at once: all are seen (${tier})`, async ({ scene }) => {
    const subject = await stored(scene, tier);
    await scene.atRest(() => {
      for (const index of all(chunks)) flipInChunk(scene.profile, tier, chunkOf(subject.content, index), scene.rng);
    });
    const tab = await scene.tab();
    const [model] = await tab.order<"list">({ act: "list", tier });
    expect(await tab.order<"verify">({ act: "verify", tier, model: model?.id ?? "" })).toEqual({ chunks, damaged: chunks });
    const { fetched } = await reload(scene, tab, tier, subject);
    expect(fetched).toBe(subject.content.length);
    await expectMended(scene, tier, subject);
  });

  test(`row 51: payloads cut short, emptied and gone (${tier})`, async ({ scene }) => {
    test.setTimeout(240_000);
    const subject = await stored(scene, tier);
    const damages: Array<(path: string, at: number) => void> = [
      (path, at) => truncateSync(path, at + 1000),
      (path, at) => truncateSync(path, at),
      (path) => truncateSync(path, 0),
      (path) => rmSync(path),
    ];
    for (const damage of damages) {
      await scene.atRest(() => {
        const { path, at } = placeOfChunk(scene.profile, tier, chunkOf(subject.content, scene.rng.below(chunks)));
        damage(path, at);
      });
      const tab = await scene.tab();
      const { fetched } = await reload(scene, tab, tier, subject);
      expect(fetched).toBeGreaterThan(0);
      expect(fetched).toBeLessThanOrEqual(subject.content.length);
      await tab.page.close();
      await expectMended(scene, tier, subject);
    }
  });

  test(`row 51: a bit flipped in every manifest and record (${tier})`, { tag: "@short" }, async ({ scene }) => {
    test.setTimeout(chunks * 20_000);
    const subject = await stored(scene, tier);
    const tab = await scene.tab();
    const keys = await tab.order<"keys">({ act: "keys" });
    const records = keys.filter((key) => /^chunk\/[0-9a-f]{32}\/\d{6}$/.test(key));
    const manifests = keys.filter((key) => key.startsWith("manifest/"));
    expect([records.length, manifests.length]).toEqual([chunks, 1]);
    for (const key of short ? [...manifests, records[scene.rng.below(chunks)] ?? ""] : [...manifests, ...records, ...manifests]) {
      await tab.order<"tamper">({ act: "tamper", key, bit: scene.rng.below(1 << 20) });
      const { fetched, diagnostics, since } = await reload(scene, tab, tier, subject);
      if (key.startsWith("manifest/")) {
        expect(diagnostics.damagedManifests, `${key}: counted`).toBeGreaterThan(0);
        // A look at the server, because only it knows the version; the chunks are found again by their records.
        expect(fetched, `${key}: bytes fetched`).toBeLessThanOrEqual(1 << 20);
      } else {
        const index = Number(key.slice(-6));
        expect(diagnostics.damagedChunks, `${key}: counted`).toBe(1);
        expect(fetched, `${key}: bytes fetched`).toBe(chunkOf(subject.content, index).length);
        expect(bytesWithin(requestsOf(scene, subject.url, since), [index])).toBe(fetched);
      }
    }
    await tab.page.close();
    await expectMended(scene, tier, subject);
  });

  test(`row 52: the database's own log and tables, flipped and cut (${tier})`, async ({ scene }) => {
    test.setTimeout(300_000);
    const subject = await stored(scene, tier);
    for (const round of all(8)) {
      await scene.atRest(() => {
        const logs = profileFiles(scene.profile, "indexeddb", /leveldb[/\\]\d+\.(log|ldb)$/);
        for (const path of logs) {
          const { size: length } = statSync(path);
          if (length === 0) continue;
          if (round % 4 === 3) truncateSync(path, scene.rng.below(length));
          else flipBit(path, scene.rng.below(length), scene.rng.below(8));
        }
      });
      const tab = await scene.tab();
      const { fetched } = await reload(scene, tab, tier, subject);
      expect(fetched).toBeLessThanOrEqual(subject.content.length);
      await tab.page.close();
      await expectMended(scene, tier, subject);
    }
  });

  test(`row 52: the database is gone and the chunks are left: nothing is kept twice (${tier})`, async ({ scene }) => {
    const subject = await stored(scene, tier);
    await scene.atRest(() => rmSync(join(scene.profile, "Default", "IndexedDB"), { recursive: true }));
    const tab = await scene.tab();
    const { fetched } = await reload(scene, tab, tier, subject);
    expect(fetched).toBe(subject.content.length);
    await tab.page.close();
    await expectMended(scene, tier, subject);
    // Loading it once more leaves time and occasion to sweep.
    await reload(scene, await scene.tab(), tier, subject);
    const { usage = 0 } = await (await scene.tab()).page.evaluate(() => navigator.storage.estimate());
    expect(usage).toBeLessThan(subject.content.length + 2 * chunkBytes);
  });
}
