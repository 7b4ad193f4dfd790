// Browsers that cannot run a model: the page says what is missing and stays usable.

import { chromium, expect } from "@playwright/test";
import { chromiumArgs } from "../scripts/find_chromium.mjs";
import { ChatPage, test } from "./chat_page.ts";

/** A browser without WebGPU, and one that has it but neither a GPU nor a software stand-in. */
const withoutWebGpu = [
  // Plain http from anywhere but this machine is no secure context, and WebGPU exists in no other.
  {
    state: "without a secure address",
    host: "elsewhere.test",
    flag: "--host-resolver-rules=MAP elsewhere.test 127.0.0.1",
    gpu: false,
    heading: "This page needs a secure address",
  },
  {
    state: "without an adapter",
    host: "localhost",
    flag: "--disable-software-rasterizer",
    gpu: true,
    heading: "WebGPU is not available here",
  },
];
for (const { state, host, flag, gpu, heading } of withoutWebGpu) {
  test(`${state} the page says so and stays usable`, async ({ baseURL, launchOptions }) => {
    const args = chromiumArgs.filter((argument) => argument !== "--enable-unsafe-webgpu");
    const browser = await chromium.launch({ ...launchOptions, args: [...args, "--disable-gpu", flag] });
    try {
      const page = await browser.newPage();
      const address = new URL(baseURL ?? "");
      address.hostname = host;
      const chat = new ChatPage(page, address.origin);
      // Chromium's own words about it.
      chat.allowConsole(/No available adapters/);
      await page.goto(address.href);
      expect(await page.evaluate(() => "gpu" in navigator)).toBe(gpu);
      await expect(chat.banner).toContainText(heading);
      await expect(page.getByRole("heading", { name: "No model is loaded" })).toBeVisible();
      await chat.banner.getByRole("button", { name: "Choose a model" }).click();
      await expect(page.getByRole("dialog", { name: "Choose a model" })).toBeVisible();
      await page.keyboard.press("Escape");
      await page.getByRole("button", { name: "Settings", exact: true }).click();
      await expect(page.getByLabel("Temperature")).toBeVisible();
      expect(chat.faults).toEqual([]);
    } finally {
      await browser.close();
    }
  });
}
