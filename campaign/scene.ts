// What every test of the campaign starts from: the server, a browser over a fresh profile, tabs that take orders, and a seed that
// is printed and can be given back in SHADERLOOM_SEED.

import { createCipheriv, createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Page,
  type PlaywrightTestArgs,
  type PlaywrightTestOptions,
  type PlaywrightWorkerArgs,
  type PlaywrightWorkerOptions,
  type TestType,
  expect,
  test as base,
} from "@playwright/test";
import { type Rng, seededRng } from "../src/base/rng.ts";
import { servePages } from "./build.ts";
import { Chromium } from "./chromium.ts";
import { type FileServer, startFileServer } from "./file_server.ts";
import type { Answer, Order, Outcomes, Report } from "./protocol.ts";

/** The short form runs in `npm test`, the full one in `npm run campaign`. */
export const short: boolean = process.env.SHADERLOOM_CAMPAIGN === "short";

/** As in src/store/chunk_store.ts, and written again: the campaign holds the store to it. */
export const chunkBytes: number = 4 << 20;

/** A tab of the storage page. */
export class Tab {
  readonly page: Page;
  /** Since the tab was opened, in order. */
  readonly reports: Report[] = [];
  readonly #listeners = new Set<(report: Report) => void>();

  constructor(page: Page) {
    this.page = page;
  }

  hear(report: Report): void {
    this.reports.push(report);
    for (const listener of this.#listeners) listener(report);
  }

  onReport(listener: (report: Report) => void): void {
    this.#listeners.add(listener);
  }

  /** Waits until there has been such a report. */
  until(wanted: (report: Report) => boolean): Promise<void> {
    return new Promise((resolve) => {
      if (this.reports.some(wanted)) resolve();
      this.onReport((report) => wanted(report) && resolve());
    });
  }

  /** @throws when the tab dies over it */
  try<Act extends Order["act"]>(order: Extract<Order, { act: Act }>): Promise<Answer<Act>> {
    return this.page.evaluate((given) => window.order(given), order as Order) as Promise<Answer<Act>>;
  }

  /** An order that has to succeed. */
  async order<Act extends Order["act"]>(order: Extract<Order, { act: Act }>): Promise<Outcomes[Act]> {
    const answer = await this.try<Act>(order);
    if (!answer.ok) throw new Error(`${order.act} was refused: ${answer.error.code}: ${answer.error.message}`);
    return answer.value;
  }

  /** Chunks that the tab reported as stored, of one address. */
  stored(url: string): number[] {
    return this.reports.flatMap((report) => (report.what === "put" && report.url === url ? [report.index] : []));
  }

  /** Promises that nobody looked after, in any tab, are defects. */
  get unhandled(): string[] {
    return this.reports.flatMap((report) => (report.what === "unhandled" ? [report.message] : []));
  }
}

export class Scene {
  readonly site: FileServer;
  readonly profile: string;
  readonly seed: number;
  readonly rng: Rng;
  readonly tabs: Tab[] = [];
  browser: Chromium;

  constructor(facts: { site: FileServer; profile: string; seed: number; browser: Chromium }) {
    this.site = facts.site;
    this.profile = facts.profile;
    this.seed = facts.seed;
    this.rng = seededRng(facts.seed);
    this.browser = facts.browser;
  }

  async tab(): Promise<Tab> {
    const page = await this.browser.context.newPage();
    const tab = new Tab(page);
    this.tabs.push(tab);
    await page.exposeBinding("report", (_, report: Report) => tab.hear(report));
    await page.goto(`${this.site.origin}/storage.html`);
    await page.waitForFunction(() => typeof window.order === "function");
    return tab;
  }

  /** An order to a fresh tab that is closed afterwards. */
  async attempt<Act extends Order["act"]>(order: Extract<Order, { act: Act }>): Promise<Answer<Act>> {
    const tab = await this.tab();
    const answer = await tab.try<Act>(order);
    await tab.page.close();
    return answer;
  }

  /** The same for one that has to succeed. */
  async once<Act extends Order["act"]>(order: Extract<Order, { act: Act }>): Promise<Outcomes[Act]> {
    const tab = await this.tab();
    const value = await tab.order<Act>(order);
    await tab.page.close();
    return value;
  }

  /** Closes the browser, lets `work` change the profile at rest, and starts it again. */
  async atRest(work: () => Promise<void> | void): Promise<void> {
    await this.browser.close();
    await work();
    this.browser = await Chromium.start(this.profile);
  }

  async killBrowser(): Promise<void> {
    await this.browser.kill();
    this.browser = await Chromium.start(this.profile);
  }

  /** Overrides the quota of the pages' origin, for as long as the given page is there; without bytes it is lifted. */
  async quota(page: Page, bytes?: number): Promise<void> {
    const session = await this.browser.session(page);
    const { origin } = this.site;
    await session.send("Storage.overrideQuotaForOrigin", bytes === undefined ? { origin } : { origin, quotaSize: bytes });
  }

  /** Puts seeded noise up under a name. */
  noise(name: string, bytes: number, temper: Parameters<FileServer["host"]>[2] = {}): { url: string; content: Buffer; sha256: string } {
    const content = noise(this.rng.below(2 ** 31), bytes);
    return { url: this.site.host(name, content, temper), content, sha256: sha256(content) };
  }
}

/** Incompressible bytes of a seed. */
export function noise(seed: number, bytes: number): Buffer {
  const key = Buffer.alloc(16);
  key.writeUInt32LE(seed);
  return createCipheriv("aes-128-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(bytes));
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function seedOf(title: string): number {
  const given = process.env.SHADERLOOM_SEED;
  if (given !== undefined && given !== "") return Number(given) >>> 0;
  // The gate repeats itself; the full campaign goes on to new ground each time.
  return createHash("sha256")
    .update(short ? title : `${title} ${Date.now()}`)
    .digest()
    .readUInt32LE();
}

type Campaign = TestType<
  PlaywrightTestArgs & PlaywrightTestOptions & { scene: Scene },
  PlaywrightWorkerArgs & PlaywrightWorkerOptions & { site: FileServer }
>;

export const test: Campaign = base.extend<{ scene: Scene }, { site: FileServer }>({
  site: [
    async ({ browserName }, use) => {
      if (browserName !== "chromium") throw new Error("the campaign speaks Chromium's protocol");
      await using site = await startFileServer(servePages);
      await use(site);
    },
    { scope: "worker", timeout: 120_000 },
  ],
  scene: async ({ site }, use, info) => {
    const seed = seedOf(info.titlePath.join(" > "));
    console.log(`${info.title}: SHADERLOOM_SEED=${seed}`);
    const profile = mkdtempSync(join(tmpdir(), "shaderloom-campaign-"));
    const scene = new Scene({ site, profile, seed, browser: await Chromium.start(profile) });
    await use(scene);
    await scene.browser.end();
    rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
    site.files.clear();
    site.log.length = 0;
    expect(
      scene.tabs.flatMap((tab) => tab.unhandled),
      "promises that nobody looked after",
    ).toEqual([]);
  },
});

export { expect } from "@playwright/test";
