// Rows 45 and 46: tabs crashed and browsers killed at seeded points of a download of 24 chunks.

import { downloadThrough, type Toll } from "./interruptions.ts";
import { type Scene, type Tab, chunkBytes, expect, short, test } from "./scene.ts";
import type { BrowserTier } from "./protocol.ts";

const chunks = short ? 10 : 24;
/** Slow enough for an interruption to meet requests in flight, and for what was sent to be what had arrived. */
const bytesPerSecond = 30e6;

interface Rounds {
  readonly kills: number;
  readonly perDownload: number;
  readonly interrupt: (tab: Tab) => Promise<void>;
}

/** Downloads, each in another tier than the one before, until there were enough interruptions. */
async function rounds(scene: Scene, { kills, perDownload, interrupt }: Rounds): Promise<Toll[]> {
  const tolls: Toll[] = [];
  let left = kills;
  for (let round = 0; left > 0; round++) {
    const tier: BrowserTier = round % 2 === 0 ? "opfs" : "indexeddb";
    // The last chunk is a short one.
    const subject = scene.noise(`round-${round}.bin`, chunks * chunkBytes - scene.rng.below(chunkBytes - 1), { bytesPerSecond });
    const bystander = scene.noise(`beside-${round}.bin`, 2 * chunkBytes + 1);
    await scene.once<"download">({ act: "download", url: bystander.url, tier, seed: scene.rng.below(2 ** 31) });
    const toll = await downloadThrough(scene, { tier, subject, bystander, kills: Math.min(perDownload, left), interrupt });
    left -= toll.kills;
    tolls.push(toll);
    for (const { id } of await scene.once<"list">({ act: "list", tier })) await scene.once<"delete">({ act: "delete", tier, model: id });
    scene.site.files.clear();
  }
  const sum = (of: (toll: Toll) => number): number => tolls.reduce((total, toll) => total + of(toll), 0);
  const overhead = sum((toll) => toll.fetched) / (tolls.length * chunks * chunkBytes);
  console.log(
    `${sum((toll) => toll.kills)} interruptions of ${tolls.length} downloads: ${sum((toll) => toll.refetched)} bytes of complete chunks fetched again, ${overhead.toFixed(2)}x the bytes in all`,
  );
  return tolls;
}

test(
  "row 45: a crashed tab's download is resumed by the next, and nothing complete is fetched twice",
  { tag: "@short" },
  async ({ scene }) => {
    const kills = short ? 6 : 60;
    test.setTimeout(kills * 20_000);
    const tolls = await rounds(scene, { kills, perDownload: short ? 3 : 6, interrupt: (tab) => scene.browser.crash(tab.page) });
    expect(tolls.reduce((total, toll) => total + toll.kills, 0)).toBe(kills);
  },
);

test(
  "row 46: a killed browser's download is resumed by the next, and nothing complete is fetched twice",
  { tag: "@short" },
  async ({ scene }) => {
    const kills = short ? 2 : 20;
    test.setTimeout(kills * 30_000);
    const tolls = await rounds(scene, { kills, perDownload: short ? 1 : 5, interrupt: () => scene.killBrowser() });
    expect(tolls.reduce((total, toll) => total + toll.kills, 0)).toBe(kills);
  },
);
