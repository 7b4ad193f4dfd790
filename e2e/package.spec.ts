// The package in other people's hands: an empty Vite app, built and in development, and pages without any tool. Each loads
// the bundled model and generates.

import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, type Page } from "@playwright/test";
import { build, createServer } from "vite";
import { serve } from "../scripts/serve.mjs";
import type * as Shaderloom from "../src/index.ts";
import { installApp, packPackage, plainSite, serveFolder, type PackedPackage } from "./packed.ts";

let packed: PackedPackage;
let app: string;

test.beforeAll(() => {
  packed = packPackage();
  app = installApp(packed);
});

test.afterAll(() => packed.remove());

interface Outcome {
  readonly worker: boolean;
  readonly text: string;
  readonly chunks: number;
  readonly phases: string[];
}

/** Opens a page, loads the model and streams a greedy answer; returns what came or the error's code. */
async function generate(page: Page, address: string, worker?: boolean): Promise<Outcome | string> {
  const faults: string[] = [];
  page.on("pageerror", (error) => faults.push(error.message));
  await page.goto(address);
  await page.waitForFunction(() => "shaderloom" in globalThis);
  const outcome = await page.evaluate(async (wanted) => {
    const { shaderloom } = globalThis as unknown as { shaderloom: typeof Shaderloom };
    const phases: string[] = [];
    try {
      const engine = await shaderloom.createEngine({
        model: "model.gguf",
        onProgress: ({ phase }) => void (phases.at(-1) !== phase && phases.push(phase)),
        ...(wanted === undefined ? {} : { worker: wanted }),
      });
      let text = "";
      let chunks = 0;
      const messages = [{ role: "user" as const, content: "Tell me a story." }];
      for await (const chunk of await engine.chat.completions.create({ messages, max_tokens: 24, temperature: 0, stream: true })) {
        text += chunk.choices[0].delta.content ?? "";
        chunks++;
      }
      const info = await engine.info();
      await engine.unload();
      return { worker: info.worker, text, chunks, phases };
    } catch (error) {
      return error instanceof shaderloom.ShaderloomError ? error.code : String(error);
    }
  }, worker);
  expect(faults).toEqual([]);
  return outcome;
}

function expectStory(outcome: Outcome | string, worker: boolean): void {
  expect(outcome).toMatchObject({ worker });
  if (typeof outcome === "string") return;
  expect(outcome.text).toMatch(/^[A-Z][\w ,.'"!?-]{30,}$/);
  expect(outcome.chunks).toBeGreaterThan(10);
  expect(outcome.phases.at(-1)).toBe("ready");
}

test("the tarball holds the built package, its types and papers, and needs nothing", () => {
  for (const file of packed.files) expect(file).toMatch(/^(dist\/(lib|types)\/|package\.json$|README\.md$|LICENSE$)/);
  const manifest = JSON.parse(readFileSync(join(app, "node_modules/shaderloom/package.json"), "utf8")) as { dependencies?: object };
  expect(Object.keys(manifest.dependencies ?? {})).toEqual([]);
});

test("an empty Vite app builds with it and generates, under the strict policy of the chat page", async ({ page }) => {
  await build({ root: app, configFile: false, logLevel: "error", base: "./" });
  const site = await serve({ folder: join(app, "dist"), port: 4380, tries: 20 });
  try {
    expectStory(await generate(page, site.address), true);
  } finally {
    site.close();
  }
});

test("a Vite app in development generates", async ({ page }) => {
  const server = await createServer({ root: app, configFile: false, logLevel: "error", server: { port: 4400, host: "127.0.0.1" } });
  try {
    await server.listen();
    expectStory(await generate(page, server.resolvedUrls?.local[0] ?? ""), true);
  } finally {
    await server.close();
  }
});

/** Texts of an open page's engine, greedy and seeded, before and after a profile, and what the profile says. */
async function textsAround(page: Page, worker: boolean): Promise<{ texts: string[]; profile: Shaderloom.Profile; counts: number[] }> {
  return page.evaluate(async (wanted) => {
    const { shaderloom } = globalThis as unknown as { shaderloom: typeof Shaderloom };
    const engine = await shaderloom.createEngine({ model: "model.gguf", worker: wanted });
    const texts: string[] = [];
    const write = async (): Promise<void> => {
      for (const more of [{ temperature: 0 }, { temperature: 0.9, top_p: 0.9, repetition_penalty: 1.1, seed: 7 }]) {
        const { choices } = await engine.completions.create({ prompt: "Once upon a time", max_tokens: 32, ...more });
        texts.push(choices[0].text);
      }
    };
    await write();
    const profile = await engine.profile({ tokens: 64, promptTokens: 32 });
    await write();
    const { dispatches } = await engine.stats();
    await engine.unload();
    return { texts, profile, counts: [dispatches.decode, dispatches.prefill] };
  }, worker);
}

test('a plain <script type="module"> page generates, in a worker and in the page, the same texts, and profiles in both', async ({
  page,
}) => {
  const site = await serve({ folder: plainSite(app, "plain"), port: 4420, tries: 20 });
  try {
    const inWorker = await generate(page, site.address);
    expectStory(inWorker, true);
    const inPage = await generate(page, site.address, false);
    expectStory(inPage, false);
    expect(inPage).toMatchObject({ text: (inWorker as Outcome).text });
    const outcomes = [await textsAround(page, true), await textsAround(page, false)];
    expect(outcomes[0].texts).toEqual(outcomes[1].texts);
    for (const { texts, profile, counts } of outcomes) {
      expect(texts.slice(2)).toEqual(texts.slice(0, 2));
      expect(texts[1]).not.toBe(texts[0]);
      expect(profile.steps.map(({ dispatches }) => dispatches.length)).toEqual(counts);
      for (const { ms, name } of profile.steps.flatMap(({ dispatches }) => dispatches)) expect(ms, name).toBeGreaterThan(0);
      expect(profile.trace.traceEvents.filter(({ ph }) => ph === "X")).toHaveLength(counts[0] + counts[1]);
      expect(profile.table).toContain("decode of 1 row, 64 tokens of context");
    }
  } finally {
    site.close();
  }
});

test("from another origin, as from a CDN, the worker still starts", async ({ page }) => {
  const cdn = await serveFolder(plainSite(app, "cdn"), { "access-control-allow-origin": "*" });
  const site = await serveFolder(plainSite(app, "customer", `${cdn.address}shaderloom/index.js`));
  try {
    expectStory(await generate(page, site.address), true);
    expect(cdn.requests).toContain("/shaderloom/worker.js");
    expect(site.requests.filter((path) => path.startsWith("/shaderloom/"))).toEqual([]);
  } finally {
    cdn.close();
    site.close();
  }
});

test("without its worker script the engine runs in the page, unless a worker was asked for", async ({ page }) => {
  const folder = plainSite(app, "no-worker");
  rmSync(join(folder, "shaderloom/worker.js"));
  const site = await serveFolder(folder);
  try {
    expect(await generate(page, site.address, true)).toBe("WORKER.start");
    expectStory(await generate(page, site.address), false);
  } finally {
    site.close();
  }
});

for (const part of ["gguf_vocabulary", "self_test", "shared_shaders"]) {
  test(`without ${part}.js, which loads fetch on their way, a load fails with NET.script`, async ({ page }) => {
    const folder = plainSite(app, `no-${part}`);
    rmSync(join(folder, `shaderloom/chunks/${part}.js`));
    const site = await serveFolder(folder);
    try {
      for (const worker of [true, false]) expect(await generate(page, site.address, worker)).toBe("NET.script");
    } finally {
      site.close();
    }
  });
}

/** A plain site whose worker script does something else first. */
function sabotagedSite(name: string, code: string): string {
  const folder = plainSite(app, name);
  const script = join(folder, "shaderloom/worker.js");
  writeFileSync(script, `${readFileSync(script, "utf8")}\n${code}`);
  return folder;
}

test("where workers have no WebGPU the engine runs in the page; where the page has none, it says so", async ({ page }) => {
  const folder = plainSite(app, "no-webgpu");
  const script = join(folder, "shaderloom/worker.js");
  writeFileSync(join(folder, "shaderloom/hide.js"), 'Object.defineProperty(WorkerNavigator.prototype, "gpu", { value: undefined });');
  writeFileSync(script, `import "./hide.js";${readFileSync(script, "utf8")}`);
  const site = await serveFolder(folder);
  try {
    expectStory(await generate(page, site.address, true), false);
    await page.addInitScript(() => Object.defineProperty(Navigator.prototype, "gpu", { value: undefined }));
    expect(await generate(page, site.address)).toBe("GPU.unavailable");
  } finally {
    site.close();
  }
});

const deaths: Array<[how: string, action: string, code: string]> = [
  ["throws", 'setTimeout(() => { throw new Error("boom"); });', "WORKER.failed"],
  ["rejects", 'void Promise.reject(new Error("boom"));', "WORKER.internal"],
  ["closes itself without a word", "close();", "WORKER.silent"],
];

for (const [how, action, code] of deaths) {
  test(`a worker that ${how} ends its calls, and another engine can be made`, async ({ page }) => {
    const trigger = `addEventListener("message", ({ data }) => { if (data.message.method === "stats") { ${action} } }, true);`;
    const site = await serveFolder(sabotagedSite(`worker-${code}`, trigger));
    try {
      await page.goto(site.address);
      await page.waitForFunction(() => "shaderloom" in globalThis);
      const codes = await page.evaluate(async () => {
        const { shaderloom } = globalThis as unknown as { shaderloom: typeof Shaderloom };
        const codeOf = (call: Promise<unknown>): Promise<string> =>
          call.then(
            () => "no error",
            (error: unknown) => (error instanceof shaderloom.ShaderloomError ? error.code : String(error)),
          );
        const engine = await shaderloom.createEngine({ model: "model.gguf", worker: true });
        // Long enough to be running when the worker goes.
        const running = codeOf(engine.completions.create({ prompt: "Once", max_tokens: 900, ignore_eos: true }));
        await engine.stats().catch(() => undefined);
        const outcomes = [await running, await codeOf(engine.info())];
        const other = await shaderloom.createEngine({ model: "model.gguf", worker: true });
        const answer = await other.completions.create({ prompt: "Once", max_tokens: 2 });
        await other.unload();
        return [...outcomes, answer.object];
      });
      expect(codes).toEqual([code, code, "text_completion"]);
    } finally {
      site.close();
    }
  });
}
