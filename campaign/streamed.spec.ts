// A model larger than its memory budget, through the public door: tabs and browsers that die while its streamed copy is written or read, bits of
// that copy flipped on the disk, no room for it, data cleared under an answer, a file that is not what was promised. It is mended or it is a
// typed error; every answer is that of the whole model on the GPU.

import { statSync } from "node:fs";
import type { Page } from "@playwright/test";
import type { EngineOptions, EngineStats, LoadProgress, SessionStorage } from "../src/index.ts";
import { tinyModel } from "../src/testing/tiny_model.ts";
import { flipBit, profileFiles } from "./disk.ts";
import type { InspectedFile } from "./protocol.ts";
import { type Scene, chunkBytes, expect, sha256, short, test } from "./scene.ts";

interface Told {
  readonly text: string;
  readonly storage: SessionStorage;
  readonly streaming: EngineStats["streaming"];
}

declare global {
  interface Window {
    /** Of the load that is under way. */
    moment?: LoadProgress;
  }
}

interface Refused {
  readonly code: string;
  readonly message: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

type Options = Pick<EngineOptions, "store" | "sha256" | "memoryBudget"> & { readonly model: string; readonly tokens?: number };

/** As many as leave time to kill a tab between two of them. */
const layers = 8;

/** Each layer is more than a chunk of the store. */
function model(seed: number): Buffer {
  return Buffer.from(tinyModel({ hidden: 384, heads: 6, kvHeads: 3, ffn: 1024, layers, contextLength: 512, seed }));
}

async function door(scene: Scene): Promise<Page> {
  const page = await scene.browser.context.newPage();
  await page.goto(`${scene.site.origin}/door.html`);
  await page.waitForFunction(() => "shaderloom" in window);
  return page;
}

/** Loads the model and asks it something; a refusal is its code. */
function ask(page: Page, options: Options): Promise<Told | Refused> {
  return page.evaluate(async ({ tokens = 8, ...given }) => {
    try {
      const engine = await window.shaderloom.createEngine({
        ...given,
        contextLength: 128,
        tuning: "off",
        onProgress: (moment) => Object.assign(window, { moment }),
      });
      const completion = await engine.completions.create({ prompt: "nothing wrong", max_tokens: tokens, temperature: 0, ignore_eos: true });
      const [{ storage }, { streaming }] = [await engine.info(), await engine.stats()];
      await engine.unload();
      return { text: JSON.stringify(completion.choices[0]?.text), storage, streaming };
    } catch (error) {
      const { code = "UNTYPED", message, detail = {} } = error as Partial<Refused> & { message: string };
      return { code, message, detail };
    }
  }, options);
}

async function askWell(scene: Scene, options: Options): Promise<Told> {
  const page = await door(scene);
  const told = await ask(page, options);
  if ("code" in told) throw new Error(`${told.code}: ${told.message}`);
  await page.close();
  return told;
}

interface Known {
  readonly url: string;
  readonly content: Buffer;
  readonly text: string;
  readonly memoryBudget: number;
}

/** What the model says when all of it is on the GPU, and with how little it can be streamed. */
async function learn(scene: Scene): Promise<Known> {
  const content = model(scene.seed % 1000);
  const url = scene.site.host("streamed.gguf", content);
  const { text, streaming } = await askWell(scene, { model: url, store: { mode: "off" } });
  expect(streaming).toBeNull();
  const page = await door(scene);
  const refused = await ask(page, { model: url, store: { mode: "off" }, memoryBudget: 1 });
  await page.close();
  expect(refused).toMatchObject({ code: "GPU.budget", detail: { need: expect.any(Number) } });
  return { url, content, text, memoryBudget: "detail" in refused ? Number(refused.detail["need"]) : 0 };
}

/** The streamed copies in the store, from below: whatever a record names has to be there and right. */
async function images(scene: Scene): Promise<InspectedFile[]> {
  const { files, unreadable } = await scene.once<"inspect">({ act: "inspect", tier: "opfs" });
  expect(unreadable).toEqual([]);
  const found = files.filter(({ url }) => url.startsWith("image:"));
  for (const { chunks } of found) expect(chunks.filter(({ gone, right }) => gone || !right)).toEqual([]);
  return found;
}

test(
  "streamed: tabs and browsers die while the copy is written and read; what is recorded is right, and so is the next answer",
  { tag: "@short" },
  async ({ scene }) => {
    const kills = short ? 3 : 24;
    // On a busy machine a kill may come when all is written: a few more then.
    const most = kills + 6;
    test.setTimeout(60_000 + most * 40_000);
    const known = await learn(scene);
    const { url, text, memoryBudget } = known;
    // All of the file is stored, so that kills meet the copy and not the download.
    await askWell(scene, { model: url });
    await askWell(scene, { model: url, memoryBudget });
    expect(await images(scene)).toMatchObject([{ state: "complete" }]);
    let partial = 0;
    let kill = 0;
    for (; kill < kills || (partial === 0 && kill < most); kill++) {
      const [stored] = await scene.once<"list">({ act: "list", tier: "opfs" });
      // Every other time the copy is made anew.
      if (kill % 2 === 0) {
        await scene.once<"delete">({ act: "delete", tier: "opfs", model: stored?.id ?? "" });
        await askWell(scene, { model: url });
      }
      const page = await door(scene);
      ask(page, { model: url, memoryBudget, tokens: 100 }).catch(() => undefined);
      if (kill % 2 === 0) {
        // So many layers of the copy are written.
        const written = (1 + scene.rng.below(layers - 2)) / layers;
        await page.waitForFunction((least) => {
          // The phase begins with the bytes that the one before it ended with.
          const { phase, loaded, total } = window.moment ?? { phase: "open", loaded: 0, total: 0 };
          return phase === "image" && loaded < total && loaded / total >= least;
        }, written);
        await page.waitForTimeout(scene.rng.below(30));
      } else {
        await page.waitForFunction(() => window.moment?.phase === "ready");
        await page.waitForTimeout(scene.rng.below(500));
      }
      if (kill % 3 === 2) await scene.killBrowser();
      else await scene.browser.crash(page);
      const left = await images(scene);
      partial += left.filter(({ state, chunks }) => state === "partial" && chunks.length > 0).length;
      const told = await askWell(scene, { model: url, memoryBudget });
      expect(told.text).toBe(text);
      expect(told).toMatchObject({ storage: { warning: null }, streaming: { repairs: 0, image: { tier: "opfs" } } });
      expect(await images(scene)).toMatchObject([{ state: "complete" }]);
    }
    console.log(`${kill} interruptions, ${partial} of them left a part of a copy`);
    // Else nothing was tried.
    expect(partial).toBeGreaterThan(0);
  },
);

test(
  "streamed: flipped bits of the copy on the disk are mended, counted, and never computed with",
  { tag: "@short" },
  async ({ scene }) => {
    const rounds = short ? 2 : 12;
    test.setTimeout(60_000 + rounds * 40_000);
    const { url, text, memoryBudget } = await learn(scene);
    await askWell(scene, { model: url, memoryBudget });
    for (let round = 0; round < rounds; round++) {
      const [image] = await images(scene);
      const bytes = image?.bytes ?? 0;
      await scene.atRest(() => {
        const [path] = profileFiles(scene.profile, "opfs").filter((one) => statSync(one).size === bytes);
        if (path === undefined) throw new Error("the copy is nowhere in the profile");
        for (let flip = 0; flip <= round % 3; flip++) flipBit(path, scene.rng.below(bytes), scene.rng.below(8));
      });
      const told = await askWell(scene, { model: url, memoryBudget });
      expect(told.text).toBe(text);
      expect((told.streaming?.repairs ?? 0) + told.storage.diagnostics.damagedChunks).toBeGreaterThan(0);
      // What was mended is stored again.
      const again = await askWell(scene, { model: url, memoryBudget });
      expect(again.text).toBe(text);
      expect(again.streaming?.repairs).toBe(0);
    }
  },
);

test("streamed: no room for the copy: it is held in memory and said so", async ({ scene }) => {
  test.setTimeout(120_000);
  const { url, content, text, memoryBudget } = await learn(scene);
  await askWell(scene, { model: url });
  await scene.atRest(() => undefined);
  const page = await door(scene);
  await scene.quota(page, content.length + 2 * chunkBytes);
  const told = await ask(page, { model: url, memoryBudget });
  expect(told).toMatchObject({ text, streaming: { image: { tier: "memory" } } });
  expect("storage" in told && told.storage.diagnostics.quotaRefusals).toBeGreaterThan(0);
});

test("streamed: data cleared under an answer is mended or a typed error, and the next load is right", async ({ scene }) => {
  test.setTimeout(120_000);
  const { url, text, memoryBudget } = await learn(scene);
  await askWell(scene, { model: url, memoryBudget });
  const long = await askWell(scene, { model: url, memoryBudget, tokens: 60 });
  const page = await door(scene);
  const answer = ask(page, { model: url, memoryBudget, tokens: 60 });
  await page.waitForFunction(() => window.moment?.phase === "ready");
  const session = await scene.browser.session(page);
  await session.send("Storage.clearDataForOrigin", { origin: scene.site.origin, storageTypes: "all" });
  const told = await answer;
  if ("code" in told) expect(told.code).toMatch(/^(STORE|QUOTA|SOURCE|NET)\./);
  else expect(told.text).toBe(long.text);
  await page.close();
  expect((await askWell(scene, { model: url, memoryBudget })).text).toBe(text);
});

test("streamed: a file that is not what was promised leaves no copy that a later load would use", { tag: "@short" }, async ({ scene }) => {
  test.setTimeout(120_000);
  const { content, text, memoryBudget } = await learn(scene);
  let corrupt = true;
  // In the middle of a layer: a weight of another value, which nothing but the hash notices.
  const offset = Math.floor(content.length * 0.6);
  const fault = (): { kind: "corrupt"; offset: number } | undefined => (corrupt ? { kind: "corrupt", offset } : undefined);
  const url = scene.site.host("wrong.gguf", content, { fault });
  const page = await door(scene);
  const told = await ask(page, { model: url, memoryBudget, sha256: sha256(content) });
  await page.close();
  expect(told).toMatchObject({ code: "INTEGRITY.sha256" });
  corrupt = false;
  expect((await askWell(scene, { model: url, memoryBudget, sha256: sha256(content) })).text).toBe(text);
  expect((await askWell(scene, { model: url, memoryBudget })).text).toBe(text);
});
