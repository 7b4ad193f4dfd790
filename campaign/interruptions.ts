// Downloads a file through one interruption after another, at points drawn from the seed, and holds every session to the
// invariants: what was complete stays complete and right, and is never asked for again.

import type { Served } from "./file_server.ts";
import { type Subject, allowance, bytesSent, bytesWithin, chunkCount, completeChunks, expectWhole, requestsOf } from "./ledger.ts";
import type { BrowserTier, DownloadOutcome } from "./protocol.ts";
import { type Scene, type Tab, chunkBytes, expect, sha256 } from "./scene.ts";

/** Where in a session the interruption comes. */
type Point =
  | { readonly at: "bytes"; readonly bytes: number }
  /** So many milliseconds after the n-th chunk began, or ended, to be stored. */
  | { readonly at: "putting" | "put"; readonly count: number; readonly ms: number }
  | { readonly at: "ms"; readonly ms: number };

/** Steps of storing take up to so much longer than by themselves. */
const slowMs = 25;

export interface Plan {
  readonly tier: BrowserTier;
  readonly subject: Subject;
  /** Complete in the store before; must be so afterwards. */
  readonly bystander: Subject;
  readonly kills: number;
  /** Ends the tab, or all of the browser; a new tab can be opened after it. */
  readonly interrupt: (tab: Tab) => Promise<void>;
}

export interface Toll {
  kills: number;
  fetched: number;
  /** Bytes of complete chunks that were fetched again. */
  refetched: number;
  /** What invariant (e) allows beyond the file's own bytes. */
  allowance: number;
}

function drawPoint(scene: Scene, chunksLeft: number, killsLeft: number): Point {
  const { rng } = scene;
  const chunks = (2 * chunksLeft) / (killsLeft + 1);
  const kind = rng.below(10);
  if (kind < 4) return { at: "bytes", bytes: 1 + rng.below(Math.max(1, Math.floor(chunks * chunkBytes))) };
  if (kind < 9)
    return { at: kind < 8 ? "putting" : "put", count: 1 + rng.below(Math.max(1, Math.floor(chunks))), ms: rng.below(2 * slowMs) };
  return { at: "ms", ms: rng.below(300) };
}

function reached(scene: Scene, { point, tab, url, since }: { point: Point; tab: Tab; url: string; since: number }): Promise<void> {
  return new Promise((resolve) => {
    if (point.at === "ms") setTimeout(resolve, point.ms);
    else if (point.at === "bytes") {
      const timer = setInterval(() => {
        const gone = tab.page.isClosed();
        if (!gone && bytesSent(requestsOf(scene, url, since)) < point.bytes) return;
        clearInterval(timer);
        resolve();
      }, 2);
    } else {
      let count = 0;
      tab.onReport((report) => {
        if (report.what === point.at && report.url === url && ++count === point.count) setTimeout(resolve, point.ms);
      });
    }
  });
}

/** Waits until no request is open: what a dead tab left behind has come to its end. */
async function settled(requests: () => Served[]): Promise<void> {
  await expect.poll(() => requests().filter(({ open }) => open).length, { timeout: 10_000 }).toBe(0);
}

async function inspectComplete(scene: Scene, { tier, subject, bystander }: Plan): Promise<number[]> {
  const { files, unreadable } = await scene.once<"inspect">({ act: "inspect", tier });
  expect(unreadable, "values in the store that nobody can read").toEqual([]);
  expectWhole(files, bystander);
  return completeChunks(files, subject);
}

/** One session: either it is interrupted at the point, or it comes to its end before. */
async function session(
  scene: Scene,
  plan: Plan,
  point: Point | undefined,
): Promise<DownloadOutcome | { readonly tab: Tab; readonly at: number }> {
  const { url } = plan.subject;
  const since = scene.site.log.length;
  const tab = await scene.tab();
  const hit = point === undefined ? new Promise<void>(() => undefined) : reached(scene, { point, tab, url, since });
  const done = tab.order<"download">({ act: "download", url, tier: plan.tier, seed: scene.rng.below(2 ** 31), slowMs });
  done.catch(() => undefined);
  const outcome = await Promise.race([done, hit]);
  if (outcome !== undefined) {
    expect(await tab.order<"locks">({ act: "locks" }), "locks when nothing is under way").toEqual({ held: 0, pending: 0 });
    await tab.page.close();
    return outcome;
  }
  const at = performance.now();
  await plan.interrupt(tab);
  return { tab, at };
}

/** @returns what it cost; every broken promise fails the test on the way */
export async function downloadThrough(scene: Scene, plan: Plan): Promise<Toll> {
  const { content, url } = plan.subject;
  const toll: Toll = { kills: 0, fetched: 0, refetched: 0, allowance: 0 };
  let complete: number[] = [];
  for (;;) {
    const since = scene.site.log.length;
    const left = plan.kills - toll.kills;
    const point = left > 0 ? drawPoint(scene, chunkCount(content) - complete.length, left) : undefined;
    const ended = await session(scene, plan, point);
    await settled(() => requestsOf(scene, url, since));
    const requests = requestsOf(scene, url, since);
    toll.fetched += bytesSent(requests);
    toll.refetched += bytesWithin(requests, complete);
    const what = `after ${JSON.stringify(point)}`;
    expect(bytesWithin(requests, complete), `bytes of complete chunks fetched again ${what}`).toBe(0);
    if (!("tab" in ended)) {
      expect(ended.sha256, "what the reader got").toBe(sha256(content));
      expect(ended).toMatchObject({ stored: { tier: plan.tier, complete: true }, warning: null });
      expect(await inspectComplete(scene, plan)).toHaveLength(chunkCount(content));
      expect(toll.fetched, "bytes fetched in all").toBeLessThanOrEqual(content.length + toll.allowance);
      return toll;
    }
    toll.kills += 1;
    const before = complete;
    complete = await inspectComplete(scene, plan);
    toll.allowance += allowance(requests, { tab: ended.tab, url, complete, at: ended.at });
    const lost = [...before, ...ended.tab.stored(url)].filter((index) => !complete.includes(index));
    expect(lost, `chunks that were complete and are not any more ${what}`).toEqual([]);
  }
}
