// A file that its hub gives only to those with a token: what the page does with the token, and what it does not.

import { expect, type Page } from "@playwright/test";
import { tinyModel } from "../src/testing/tiny_model.ts";
import { test } from "./chat_page.ts";

test("a gated file loads with a token that goes to the hub alone and is kept nowhere", async ({ chat, page, context }) => {
  const token = "hf_not-a-real-token";
  const tiny = Buffer.from(tinyModel());
  const asked: string[] = [];
  chat.allowOrigin("https://huggingface.co");
  chat.allowConsole(/status of 40[134]/);
  await context.route("https://huggingface.co/**", async (route) => {
    const { authorization, range } = await route.request().allHeaders();
    asked.push(authorization ?? "none");
    const headers = { "access-control-allow-origin": "*", "access-control-expose-headers": "*", etag: '"1"' };
    if (new URL(route.request().url()).pathname.startsWith("/api/")) return route.fulfill({ status: 404, headers });
    if (authorization !== `Bearer ${token}`) return route.fulfill({ status: 401, headers });
    const [, start = "0", end = ""] = /^bytes=(\d+)-(\d*)$/.exec(range ?? "") ?? [];
    const last = Math.min(end === "" ? tiny.length - 1 : Number(end), tiny.length - 1);
    const label = `bytes ${start}-${last}/${tiny.length}`;
    return route.fulfill({ status: 206, headers: { ...headers, "content-range": label }, body: tiny.subarray(Number(start), last + 1) });
  });
  await chat.open();
  await chat.pickAddress("hf:owner/gated/tiny.gguf");
  await expect(chat.banner).toContainText("Access was refused", { timeout: 60_000 });
  await chat.banner.getByRole("button", { name: "Enter an access token" }).click();
  await expect(page.getByLabel("Access token")).toBeFocused();
  await expect(page.getByLabel("From an address")).toHaveValue("hf:owner/gated/tiny.gguf");
  await page.keyboard.type(token);
  await page.keyboard.press("Enter");
  await chat.verdict.getByRole("button", { name: "Download and run" }).click({ timeout: 60_000 });
  await expect(chat.modelButton).toHaveText("tiny.gguf", { timeout: 90_000 });
  expect(asked).toContain(`Bearer ${token}`);
  await expect(page.getByLabel("Access token")).toHaveValue("");
  const stored = await everythingStored(page);
  expect(stored).toContain("tiny.gguf");
  expect(stored).not.toContain(token);
  // What is stored needs no token.
  await page.reload();
  await chat.ready();
  asked.length = 0;
  await chat.pickAddress("hf:owner/gated/tiny.gguf");
  await expect(chat.modelButton).toHaveText("tiny.gguf", { timeout: 90_000 });
  expect(asked).toEqual([]);
});

/** Text of all that the page keeps but for the chunks of models. */
function everythingStored(page: Page): Promise<string> {
  return page.evaluate(async () => {
    const texts = [JSON.stringify(Object.entries(localStorage)), JSON.stringify(Object.entries(sessionStorage)), document.cookie];
    // oxlint-disable-next-line unicorn/consistent-function-scoping -- what runs in the page brings all it needs
    const settled = <T>(request: IDBRequest<T>): Promise<T> =>
      new Promise((resolve, reject) => {
        request.addEventListener("success", () => resolve(request.result));
        request.addEventListener("error", () => reject(new Error("not read")));
      });
    for (const { name = "" } of await indexedDB.databases()) {
      const database = await settled(indexedDB.open(name));
      for (const store of database.objectStoreNames) {
        const values = database.transaction(store).objectStore(store);
        texts.push(
          JSON.stringify([await settled(values.getAllKeys()), await settled(database.transaction(store).objectStore(store).getAll())]),
        );
      }
      database.close();
    }
    return texts.join("\n");
  });
}
