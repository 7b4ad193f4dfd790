// Models that do not fit, on the page: the limit for GPU memory, the verdict's offer, the same answers, and the layers on display.

import { expect, type Page } from "@playwright/test";
import { tinyModel } from "../src/testing/tiny_model.ts";
import { startModelHost, test } from "./chat_page.ts";

/** The bundled model takes 11.2 MB whole, and 8.9 MB streamed at the least. */
const limits = { streamed: "0.01", tooSmall: "0.002" };

async function set(page: Page, label: string, value: string): Promise<void> {
  await page.getByRole("button", { name: "Settings", exact: true }).click();
  await page.getByLabel(label).fill(value);
  await page.keyboard.press("Escape");
}

function layers(page: Page): ReturnType<Page["getByRole"]> {
  return page.getByRole("region", { name: "Streaming" });
}

test("under a limit the bundled model answers as it does whole, its layers read from storage for each token", async ({ chat, page }) => {
  await chat.open();
  await set(page, "Temperature", "0");
  const whole = await chat.askFully("Tell me a story about a fox.");
  expect(whole.length).toBeGreaterThan(20);
  await expect(layers(page)).toBeHidden();
  await set(page, "GPU memory", limits.streamed);
  await chat.visitAgain();
  await expect(layers(page)).toContainText(/[1-4] of 4 layers are read for each token: [\d.]+ MB/);
  await expect(layers(page).locator(".layers-row .layer")).toHaveCount(4);
  expect(await chat.askFully("Tell me a story about a fox.")).toBe(whole);
  await expect(layers(page)).toContainText(/at [\d.]+ [kMG]B\/s, \d+ ms of waiting/);
  // The copy of the layers is stored beside the model, and read again by the next visit.
  await chat.modelButton.click();
  await expect(chat.picker).toContainText(/3\.3 MB more to stream from/);
  await page.keyboard.press("Escape");
  await chat.visitAgain();
  expect(await chat.askFully("Tell me a story about a fox.")).toBe(whole);
  await set(page, "GPU memory", "");
  await chat.visitAgain();
  await expect(layers(page)).toBeHidden();
  expect(await chat.askFully("Tell me a story about a fox.")).toBe(whole);
});

test("a limit that is too low says the least that works", async ({ chat, page }) => {
  await chat.open();
  await set(page, "GPU memory", limits.tooSmall);
  await page.reload();
  await expect(chat.banner).toContainText("The limit for GPU memory is too low", { timeout: 60_000 });
  await expect(chat.banner).toContainText(/Set GPU memory to 0\.\d+ GB or more/);
  await set(page, "GPU memory", "");
  await chat.banner.getByRole("button", { name: "Try again" }).click();
  await chat.ready();
});

test("the verdict on an address offers it streamed, and what was agreed to is loaded", async ({ chat, page }) => {
  const host = await startModelHost(Buffer.from(tinyModel({ layers: 6, hidden: 256, ffn: 688 })));
  try {
    chat.allowOrigin(host.origin);
    await chat.open();
    await set(page, "GPU memory", "0.018");
    await chat.pickAddress(`${host.origin}/model.gguf`);
    await expect(chat.verdict).toContainText("Does not fit whole; streamed it writes about", { timeout: 60_000 });
    await expect(chat.verdict).toContainText(/Streamed\s*\d of 6 layers are read from storage for each token/);
    await expect(chat.verdict).toContainText(/Copy\s*[\d.]+ MB of layers is stored beside the model/);
    await chat.verdict.getByRole("button", { name: /^Run streamed \(about [\d.,]+ tokens\/s\)$/ }).click();
    await expect(chat.modelButton).toHaveText("model.gguf", { timeout: 90_000 });
    await expect(layers(page)).toContainText(/\d of 6 layers are read for each token/);
    expect((await chat.askFully("Hello")).length).toBeGreaterThan(0);
  } finally {
    await host.close();
  }
});
