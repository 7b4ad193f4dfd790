// What the page stores and what it takes, with the real store and a host that counts the bytes it sends.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium, expect, type Page } from "@playwright/test";
import { tinyModel } from "../src/testing/tiny_model.ts";
import { ChatPage, startModelHost, test as base, type ModelHost } from "./chat_page.ts";

/** 35 MB, nine chunks; random weights, so that nothing but its bytes matters. */
const model = Buffer.from(tinyModel({ layers: 3, hidden: 512, ffn: 1376 }));
const chunkBytes = 4 << 20;

const test = base.extend<{ host: ModelHost; address: string }>({
  // Playwright wants the pattern.
  // oxlint-disable-next-line no-empty-pattern
  host: async ({}, use) => {
    const host = await startModelHost(model);
    await use(host);
    await host.close();
  },
  address: async ({ host, chat }, use) => {
    chat.allowOrigin(host.origin);
    await use(`${host.origin}/model.gguf`);
  },
});

async function loaded(chat: ChatPage, name = "model.gguf"): Promise<void> {
  await expect(chat.modelButton).toHaveText(name, { timeout: 90_000 });
}

test("what a model takes is shown before its weights are fetched; it is fetched once, and loads with the network off", async ({
  chat,
  page,
  host,
  address,
  context,
}) => {
  await chat.open();
  await chat.pickAddress(address);
  await expect(chat.verdict.locator(".verdict-headline")).toContainText(/fit/i, { timeout: 60_000 });
  await expect(chat.verdict).toContainText(/llama · [\d.]+M parameters · F32 100 %/);
  await expect(chat.verdict).toContainText(/Download\s*3\d\.\d MB/);
  await expect(chat.verdict).toContainText(/Speed\s*about [\d.]+ tokens\/s/);
  await expect(chat.verdict).toContainText(/Context\s*256 tokens/);
  await expect(chat.verdict).toContainText(/Storage\s*3\d\.\d MB/);
  expect(host.sent()).toBeLessThan(chunkBytes);
  const header = host.sent();
  await chat.verdict.getByRole("button", { name: "Download and run" }).click();
  await loaded(chat);
  expect(host.sent() - header).toBeLessThan(model.length + chunkBytes);
  expect((await chat.askFully("Hello")).length).toBeGreaterThan(0);

  await chat.visitAgain();
  const before = host.sent();
  await context.setOffline(true);
  await chat.modelButton.click();
  await expect(chat.stored("model.gguf")).toContainText(/3\d\.\d MB · complete/);
  await page.getByRole("button", { name: "Load model.gguf" }).click();
  await loaded(chat);
  expect((await chat.askFully("Hello")).length).toBeGreaterThan(0);
  // By its address it is found too, and nothing is asked.
  await chat.choose({ name: "other.gguf", buffer: Buffer.from(tinyModel()) });
  await loaded(chat, "other.gguf");
  await chat.pickAddress(address);
  await loaded(chat);
  expect(host.sent()).toBe(before);
});

test("the page's own model is fetched once for all visits", async ({ chat, page }) => {
  const requests: string[] = [];
  page.context().on("request", (request) => {
    if (request.url().endsWith(".gguf")) requests.push(request.url());
  });
  await chat.open();
  expect(requests.length).toBeGreaterThan(0);
  const first = requests.length;
  await chat.visitAgain();
  expect(requests.length).toBe(first);
});

test("a cancelled download goes on where it stopped", async ({ chat, page, host, address }) => {
  await chat.open();
  await chat.pickAddress(address);
  await chat.verdict.getByRole("button", { name: "Download and run" }).waitFor({ timeout: 60_000 });
  host.holdAfter(20 << 20);
  await chat.verdict.getByRole("button", { name: "Download and run" }).click();
  await expect(chat.loading).toContainText(/Downloading.*MB of 3\d\.\d MB/, { timeout: 60_000 });
  await expect.poll(async () => await storedBytes(page), { timeout: 60_000 }).toBeGreaterThan(2 * chunkBytes);
  await chat.loading.getByRole("button", { name: "Cancel" }).click();
  await expect(chat.loading).toBeHidden();
  await expect(chat.modelButton).toHaveText("Shaderloom Tiny");
  host.release();
  await chat.visitAgain();
  await chat.modelButton.click();
  await expect(chat.stored("model.gguf")).toContainText(/\d+ % downloaded/);
  const kept = await storedBytes(page);
  const before = host.sent();
  await page.getByRole("button", { name: "Resume model.gguf" }).click();
  await loaded(chat);
  // Nothing that was complete is fetched again, but for the first look at the file.
  expect(host.sent() - before).toBeLessThan(model.length - kept + (1 << 20) + 1);
  await chat.modelButton.click();
  await expect(chat.stored("model.gguf")).toContainText("complete");
});

/** Bytes of the model that the list says are stored, with the dialog open or not. */
async function storedBytes(page: Page): Promise<number> {
  const wasOpen = await page.locator("#picker").evaluate((dialog: HTMLDialogElement) => dialog.open);
  if (!wasOpen) await page.locator("button.model").click();
  await page.waitForTimeout(200);
  const text = (await page.locator(".stored", { hasText: "model.gguf" }).allTextContents()).join("");
  if (!wasOpen) await page.keyboard.press("Escape");
  const [, amount] = /([\d.]+) MB of/.exec(text) ?? [];
  return Number(amount ?? 0) * 1e6;
}

test("a stored model is checked and deleted; one in use stays", async ({ chat, page, host, address }) => {
  await chat.open();
  await chat.loadAddress(address);
  await loaded(chat);
  await chat.modelButton.click();
  await expect(chat.stored("model.gguf")).toContainText("in use");
  await page.getByRole("button", { name: "Check model.gguf" }).click();
  await expect(chat.stored("model.gguf")).toContainText("Checked: all 9 parts are as downloaded.");
  await page.getByRole("button", { name: "Delete model.gguf" }).click();
  await page.getByRole("button", { name: /^Delete 3\d\.\d MB$/ }).click();
  await expect(chat.stored("model.gguf").locator(".stored-note")).toContainText(/in use/);
  await page.keyboard.press("Escape");
  await chat.visitAgain();
  await chat.modelButton.click();
  await page.getByRole("button", { name: "Delete model.gguf" }).click();
  await expect(chat.stored("model.gguf")).toContainText("It would have to be downloaded again.");
  await page.getByRole("button", { name: "Keep it" }).click();
  await expect(page.getByRole("button", { name: "Delete model.gguf" })).toBeFocused();
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: /^Delete 3\d\.\d MB$/ }).click();
  await expect(chat.stored("model.gguf")).toHaveCount(0);
  await page.keyboard.press("Escape");
  const before = host.sent();
  await chat.pickAddress(address);
  await expect(chat.verdict).toContainText(/Download\s*3\d\.\d MB/, { timeout: 60_000 });
  expect(host.sent()).toBeGreaterThan(before);
});

test("two tabs download a model once, and the second one follows", async ({ chat, host, address, context, baseURL }) => {
  await chat.open();
  await chat.pickAddress(address);
  await chat.verdict.getByRole("button", { name: "Download and run" }).waitFor({ timeout: 60_000 });
  const header = host.sent();
  host.holdAfter(12 << 20);
  await chat.verdict.getByRole("button", { name: "Download and run" }).click();
  await expect(chat.loading).toContainText("Downloading", { timeout: 60_000 });
  const second = new ChatPage(await context.newPage(), new URL(baseURL ?? "").origin);
  second.allowOrigin(host.origin);
  await second.open();
  // What the first tab has is there already, so this is a resume.
  await second.modelButton.click();
  await second.page.getByRole("button", { name: "Resume model.gguf" }).click();
  await expect(second.loading).toContainText("Opening");
  host.slowDown(100);
  host.release();
  await expect(second.loading).toContainText(/Another tab is downloading this model: \d+ %/, { timeout: 60_000 });
  host.slowDown(0);
  await loaded(chat);
  await loaded(second);
  expect(host.sent() - header).toBeLessThan(model.length + chunkBytes);
  expect((await second.askFully("Hello")).length).toBeGreaterThan(0);
  expect(second.faults).toEqual([]);
});

test("full storage costs the keeping, not the model; with room it is kept", async ({ host, baseURL, launchOptions }) => {
  // Chromium holds only profiles on disk to the quota that the test sets.
  const profile = mkdtempSync(join(tmpdir(), "shaderloom-e2e-"));
  const context = await chromium.launchPersistentContext(profile, launchOptions);
  try {
    const page = await context.newPage();
    const { href, origin } = new URL(baseURL ?? "");
    const chat = new ChatPage(page, origin);
    chat.allowOrigin(host.origin);
    const cdp = await context.newCDPSession(page);
    // Before anything is stored: Chromium remembers for a while how much room it found.
    await cdp.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 16 << 20 });
    await page.goto(href);
    await chat.ready();
    await chat.loadAddress(`${host.origin}/model.gguf`);
    await loaded(chat);
    await expect(chat.banner).toContainText("QUOTA");
    await expect(chat.banner).toContainText("model.gguf runs from memory and was not kept");
    expect((await chat.askFully("Hello")).length).toBeGreaterThan(0);
    await chat.banner.getByRole("button", { name: "Make room" }).click();
    await expect(chat.picker).toContainText(/model.gguf runs from memory and is not kept. \d+\.\d MB of it found no room/);
    await cdp.send("Storage.overrideQuotaForOrigin", { origin });
    await chat.picker.getByRole("button", { name: "Store it" }).click();
    await expect(chat.loading).toBeHidden({ timeout: 90_000 });
    await expect(chat.banner).toHaveCount(0);
    await chat.modelButton.click();
    await expect(chat.stored("model.gguf")).toContainText("complete");
    expect(chat.faults).toEqual([]);
  } finally {
    await context.close();
    rmSync(profile, { recursive: true, force: true });
  }
});

test("a file of this computer is read in place, again on the next visit, and copied when asked", async ({ chat, page }) => {
  await chat.open();
  const stub = async (): Promise<void> => {
    await page.evaluate(async () => {
      const folder = await navigator.storage.getDirectory();
      const handle = await folder.getFileHandle("mine.gguf", { create: true });
      if ((await handle.getFile()).size === 0) {
        const bytes = await (await fetch("models/shaderloom-tiny.gguf")).arrayBuffer();
        const writable = await handle.createWritable();
        await writable.write(bytes);
        await writable.close();
      }
      Object.assign(window, { showOpenFilePicker: () => Promise.resolve([handle]) });
    });
  };
  await stub();
  await chat.modelButton.click();
  await page.getByRole("button", { name: "Choose model files" }).click();
  await loaded(chat, "mine.gguf");
  await chat.visitAgain();
  await chat.modelButton.click();
  await expect(chat.stored("mine.gguf")).toContainText("on this computer, read in place");
  await page.getByRole("button", { name: "Open mine.gguf" }).click();
  await loaded(chat, "mine.gguf");
  expect((await chat.askFully("Hello")).length).toBeGreaterThan(0);
  await chat.modelButton.click();
  await page.getByRole("button", { name: "Keep a copy mine.gguf" }).click();
  await expect(chat.picker).toContainText("A copy of mine.gguf is on this device.");
  await expect(chat.stored("mine.gguf")).toHaveCount(2);
  await page.getByRole("button", { name: "Load mine.gguf" }).click();
  await loaded(chat, "mine.gguf");
});
