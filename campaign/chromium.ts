// A headless Chromium over a profile on disk that can be killed like a real one: started by this process, so that its process
// ids are known, and driven over the DevTools protocol.

import { type ChildProcess, spawn } from "node:child_process";
import { type Browser, type BrowserContext, type CDPSession, type Page, chromium } from "@playwright/test";
import { chromiumArgs, findChromium } from "../scripts/find_chromium.mjs";

export class Chromium {
  readonly context: BrowserContext;
  readonly #browser: Browser;
  readonly #child: ChildProcess;
  readonly #sessions = new WeakMap<Page, Promise<CDPSession>>();

  private constructor(child: ChildProcess, browser: Browser, context: BrowserContext) {
    this.#child = child;
    this.#browser = browser;
    this.context = context;
  }

  /** @param profile a folder; what the browser stores stays there */
  static async start(profile: string): Promise<Chromium> {
    const executable = findChromium();
    if (executable === undefined) throw new Error("no Chromium: set CHROME_PATH to one");
    const args = ["--headless", "--remote-debugging-port=0", `--user-data-dir=${profile}`, ...chromiumArgs, "about:blank"];
    const child = spawn(executable, args, { stdio: ["ignore", "ignore", "pipe"] });
    const browser = await chromium.connectOverCDP(await devtoolsAddress(child));
    const context = browser.contexts()[0];
    if (context === undefined) throw new Error("Chromium has no default context");
    return new Chromium(child, browser, context);
  }

  /** The one session with the page's target: what a session overrides lasts as long as it does. */
  session(page: Page): Promise<CDPSession> {
    const known = this.#sessions.get(page);
    if (known !== undefined) return known;
    const session = this.context.newCDPSession(page);
    this.#sessions.set(page, session);
    return session;
  }

  /** Crashes the renderer of a tab, its workers with it. */
  async crash(page: Page): Promise<void> {
    const session = await this.session(page);
    const crashed = page.waitForEvent("crash");
    // Never answered: who should answer is gone.
    session.send("Page.crash").catch(() => undefined);
    await crashed;
    // Left open, it would fail the preparation of every later page of the context.
    await page.close();
  }

  /** SIGKILL to every process of this browser, without a moment to tidy up. */
  async kill(): Promise<void> {
    const session = await this.#browser.newBrowserCDPSession();
    const { processInfo } = await session.send("SystemInfo.getProcessInfo");
    const gone = exited(this.#child);
    const browserFirst = processInfo.toSorted((a, b) => Number(b.type === "browser") - Number(a.type === "browser"));
    for (const { id } of browserFirst) {
      try {
        process.kill(id, "SIGKILL");
      } catch {
        // Gone with the process that it belonged to.
      }
    }
    await gone;
    await this.#browser.close().catch(() => undefined);
  }

  /** Ends it in order; the profile is at rest afterwards. */
  async close(): Promise<void> {
    const gone = exited(this.#child);
    const session = await this.#browser.newBrowserCDPSession();
    await session.send("Browser.close").catch(() => undefined);
    await gone;
    await this.#browser.close().catch(() => undefined);
  }

  /** For the end of a test, whatever state it is in. */
  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    await this.kill().catch(() => this.#child.kill("SIGKILL"));
    await exited(this.#child);
  }
}

function exited(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once("exit", () => resolve()));
}

function devtoolsAddress(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let heard = "";
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`Chromium ended with ${code}: ${heard.slice(-500)}`)));
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      heard += text;
      const address = /DevTools listening on (ws:\S+)/.exec(heard)?.[1];
      if (address !== undefined) resolve(address);
    });
  });
}
