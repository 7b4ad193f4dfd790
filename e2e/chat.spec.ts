// The chat page in a browser, with the bundled model: what a person does with it, and what must not happen meanwhile.

import { expect } from "@playwright/test";
import { bundledModel, modelWithTemplate, patchedModel, startModelHost, test } from "./chat_page.ts";

/** Longer than any bundled context. */
const tooLong = "The fox went to the river and the bear went to the forest. ".repeat(400);

test("answers a question with the bundled model, as a stream, offline", async ({ chat, page, context }) => {
  await chat.open();
  await context.setOffline(true);
  // Lengths of the answer at each change of the page.
  await page.evaluate(() => {
    const seen: number[] = [];
    Object.assign(window, { seenLengths: seen });
    const watch = new MutationObserver(() => {
      const length = document.querySelector(".answer-text")?.textContent.length ?? 0;
      if (length !== (seen.at(-1) ?? 0)) seen.push(length);
    });
    watch.observe(document.body, { subtree: true, childList: true, characterData: true });
  });
  const answer = await chat.askFully("Tell me a story about a fox.");
  expect(answer.split(/\s+/).length).toBeGreaterThan(8);
  expect(answer).not.toContain("<|");
  const lengths = await page.evaluate(() => (window as unknown as { seenLengths: number[] }).seenLengths);
  expect(lengths.length).toBeGreaterThan(2);
  expect(lengths.toSorted((a, b) => a - b)).toEqual(lengths);
  expect(lengths.at(-1)).toBe(answer.length);
  await expect(chat.answers.first()).toContainText(/\d+ tokens · [\d.,]+ tokens\/s · prompt \d+.* first token/);
  await expect(page.getByText("Adapter")).toBeVisible();
  await expect(page.locator(".stats")).toContainText(/Context:?\s*[1-9][\d,]* of [\d,]+/);
  await expect(page.locator(".stats")).toContainText(/Decode:?\s*[1-9][\d,]* dispatches a token, [1-9]\d* tokens? in flight/);
});

test("a second question knows of the first, a new chat does not", async ({ chat, page }) => {
  await chat.open();
  await chat.askFully("Hello");
  await chat.askFully("What can you do?");
  await expect(chat.answers).toHaveCount(2);
  // The first exchange is still in the cache.
  await expect(chat.answers.nth(1)).toContainText("reused");
  await page.getByRole("button", { name: "New chat" }).click();
  await expect(chat.answers).toHaveCount(0);
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  await expect(page.locator(".stats")).toContainText(/Context:?\s*0 of/);
  expect((await chat.askFully("Hello")).length).toBeGreaterThan(0);
});

test("stops by button and by Escape, keeps what was written, and goes on", async ({ chat, page }) => {
  await chat.open();
  await chat.ask("Tell me a long story about a bear.");
  await page.evaluate(async () => {
    while ((document.querySelector(".answer-text")?.textContent.length ?? 0) === 0) await new Promise(requestAnimationFrame);
    document.querySelector<HTMLButtonElement>("#send")?.click();
  });
  await expect(chat.answers.first()).toContainText("Stopped");
  const partial = (await chat.answerText(0).textContent()) ?? "";
  expect(partial.length).toBeGreaterThan(0);
  await chat.ask("Tell me a story about a mouse.");
  await page.keyboard.press("Escape");
  await expect(chat.answers.nth(1)).toContainText("Stopped");
  expect((await chat.askFully("Hello")).length).toBeGreaterThan(0);
  await expect(chat.answerText(0)).toHaveText(partial);
});

test("a suggested question is asked by a press", async ({ chat, page }) => {
  await chat.open();
  await page.getByRole("button", { name: "What can you do?" }).click();
  await expect(chat.answerText(0)).not.toBeEmpty();
});

test("can be used with the keyboard alone", async ({ chat, page }) => {
  await chat.open();
  await expect(chat.question).toBeFocused();
  await page.keyboard.type("Hello");
  await page.keyboard.press("Shift+Enter");
  await page.keyboard.type("How are you?");
  await expect(chat.question).toHaveValue("Hello\nHow are you?");
  await page.keyboard.press("Enter");
  await expect(chat.question).toHaveValue("");
  await expect(chat.answers.first()).toContainText("tokens/s");
  const focusByTab = async (name: string): Promise<void> => {
    for (let press = 0; press < 20; press += 1) {
      await page.keyboard.press("Shift+Tab");
      const focused = await page.evaluate(() => document.activeElement?.ariaLabel ?? document.activeElement?.textContent);
      if (focused === name) return;
    }
    throw new Error(`${name} cannot be reached with Shift+Tab`);
  };
  await focusByTab("Settings");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("complementary", { name: "Settings" })).toBeVisible();
  await expect(page.getByLabel("System prompt")).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("button", { name: "Settings", exact: true })).toBeFocused();
  await focusByTab("New chat");
  await page.keyboard.press("Enter");
  await expect(chat.answers).toHaveCount(0);
  await expect(chat.question).toBeFocused();
  await focusByTab("Shaderloom Tiny");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("dialog", { name: "Choose a model" })).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(chat.modelButton).toBeFocused();
});

test("opens a local file by button and by drop", async ({ chat, page }) => {
  await chat.open();
  await chat.choose({ name: "by-button.gguf", buffer: bundledModel() });
  await expect(chat.modelButton).toHaveText("by-button.gguf");
  expect((await chat.askFully("Hello")).length).toBeGreaterThan(0);
  await page.evaluate(async () => {
    const bytes = await (await fetch("models/shaderloom-tiny.gguf")).blob();
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([bytes], "by-drop.gguf"));
    for (const type of ["dragenter", "dragover", "drop"]) {
      document.body.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
    }
  });
  await expect(chat.modelButton).toHaveText("by-drop.gguf");
  expect((await chat.askFully("Hello")).length).toBeGreaterThan(0);
});

test("loads an address of another host, and gives up on one that does not answer", async ({ chat, page }) => {
  const host = await startModelHost(bundledModel());
  try {
    chat.allowOrigin(host.origin);
    await chat.open();
    await chat.pickAddress(`${host.origin}/stalled.gguf`);
    await expect(chat.verdict).toContainText("stalled.gguf");
    await expect(chat.verdict).toContainText("Reading the beginning of the file");
    await chat.verdict.getByRole("button", { name: "Cancel" }).click();
    await expect(chat.verdict).toBeHidden();
    await expect(chat.modelButton).toHaveText("Shaderloom Tiny");
    // The old model answers until the new one is there.
    expect((await chat.askFully("Hello")).length).toBeGreaterThan(0);
    await chat.loadAddress(`${host.origin}/whole.gguf`);
    await expect(chat.modelButton).toHaveText("whole.gguf");
    await expect(page.locator(".unseen[role=status]")).toHaveText("whole.gguf is ready.");
    expect((await chat.askFully("Hello")).length).toBeGreaterThan(0);
  } finally {
    await host.close();
  }
});

test("says what is wrong with a file or an address and keeps the model it has", async ({ chat, page }) => {
  await chat.open();
  await chat.choose({ name: "picture.gguf", buffer: Buffer.from("PK\u0003\u0004 this is no model, whatever its name says".repeat(50)) });
  await expect(chat.banner).toContainText("This file cannot be read");
  await expect(chat.banner).toContainText("FORMAT");
  await expect(chat.banner).toContainText("picture.gguf was not loaded. Shaderloom Tiny is still loaded.");
  await chat.choose({ name: "half.gguf", buffer: bundledModel().subarray(0, 1_000_000) });
  await expect(chat.banner).toContainText("half.gguf was not loaded");
  await expect(chat.banner).toHaveCount(1);
  await page.getByRole("button", { name: "Dismiss" }).click();
  await expect(chat.banner).toHaveCount(0);
  chat.allowConsole(/404/);
  await chat.pickAddress(new URL("models/absent.gguf", page.url()).href);
  await expect(chat.banner).toContainText("absent.gguf was not loaded");
  await chat.modelButton.click();
  await page.getByLabel("From an address").fill("javascript:alert(1)");
  await page.keyboard.press("Enter");
  await expect(page.getByText("javascript: cannot be read")).toBeVisible();
  await page.keyboard.press("Escape");
  expect((await chat.askFully("Hello")).length).toBeGreaterThan(0);
});

test("a model without a chat template continues a text", async ({ chat, page }) => {
  await chat.open();
  await chat.choose({ name: "plain.gguf", buffer: patchedModel("tokenizer.chat_template", "tokenizer.chat_nothing_") });
  await expect(chat.question).toHaveAttribute("placeholder", /continue/);
  await expect(page.getByText("This model has no chat template")).toBeVisible();
  expect((await chat.askFully("Once upon a time")).length).toBeGreaterThan(0);
});

test("models that cannot be used are named with the reason, and the one in use stays", async ({ chat }) => {
  await chat.open();
  const refused = [
    { name: "future.gguf", buffer: patchedModel("GGUF\u0003", "GGUF\u0009"), says: /FORMAT.*version/ },
    { name: "unknown.gguf", buffer: patchedModel("llama", "klama"), says: /UNSUPPORTED.*klama/ },
  ];
  for (const { says, ...file } of refused) {
    await chat.choose(file);
    await expect(chat.banner).toContainText(`${file.name} was not loaded. Shaderloom Tiny is still loaded.`);
    await expect(chat.banner).toContainText(says);
  }
  expect((await chat.askFully("Hello")).length).toBeGreaterThan(0);
});

test("a hostile template costs an error, not the page", async ({ chat, page }) => {
  await chat.open();
  await chat.choose({ name: "hostile.gguf", buffer: modelWithTemplate("{% for i in range(100000000) %}x{% endfor %}") });
  await expect(chat.modelButton).toHaveText("hostile.gguf");
  await chat.ask("Hello");
  await expect(chat.banner).toContainText("TEMPLATE");
  await expect(chat.answers.first()).toContainText("No answer");
  await chat.modelButton.click();
  await page.getByRole("button", { name: /^Shaderloom Tiny/ }).click();
  await expect(chat.modelButton).toHaveText("Shaderloom Tiny");
  expect((await chat.askFully("Hello")).length).toBeGreaterThan(0);
});

test("a question longer than the context is an error with a way on", async ({ chat, page }) => {
  await chat.open();
  await chat.ask(tooLong);
  await expect(chat.banner).toContainText("CONTEXT");
  await page.getByRole("button", { name: "New chat" }).last().click();
  await expect(chat.banner).toHaveCount(0);
  expect((await chat.askFully("Hello")).length).toBeGreaterThan(0);
});

test("text is never markup", async ({ chat, page }) => {
  await chat.open();
  const hostile = '<img src="https://host.invalid/x" onerror="window.hit=1"><script>window.hit=1</script><b>bold</b>';
  await chat.askFully(`Say this: ${hostile}`);
  await expect(page.locator(".question-text")).toHaveText(`Say this: ${hostile}`);
  expect(await page.locator(".log").locator("img, script, b, iframe").count()).toBe(0);
  expect(await page.evaluate(() => "hit" in window)).toBe(false);
  // Markup from a string and scripts from elsewhere are blocked by the page's own policy.
  chat.allowConsole(/Trusted|TrustedHTML|Content Security Policy/);
  const blocked = await page.evaluate(() => {
    try {
      document.body.insertAdjacentHTML("beforeend", "<i></i>");
      return false;
    } catch {
      return true;
    }
  });
  expect(blocked).toBe(true);
});

test("settings are checked, used and remembered", async ({ chat, page }) => {
  await chat.open();
  const settings = page.getByRole("button", { name: "Settings", exact: true });
  await settings.click();
  await page.getByLabel("Longest answer").fill("4");
  await page.getByLabel("Temperature").fill("9");
  await expect(page.getByLabel("Temperature")).toHaveAttribute("aria-invalid", "true");
  await page.getByLabel("Temperature").fill("0");
  await settings.click();
  await chat.askFully("Tell me a story about a fox.");
  await expect(chat.answers.first()).toContainText("Cut at the longest answer");
  await expect(chat.answers.first()).toContainText(/^.*4 tokens ·/);
  const first = await chat.answerText(0).textContent();
  await page.reload();
  await chat.ready();
  await page.getByRole("button", { name: "New chat" }).click();
  expect(await chat.askFully("Tell me a story about a fox.")).toBe(first);
  await settings.click();
  await page.getByRole("button", { name: "Restore defaults" }).click();
  await expect(page.getByLabel("Longest answer")).toHaveValue("512");
});

test("fits a narrow screen", async ({ chat, page }) => {
  await page.setViewportSize({ width: 380, height: 700 });
  await chat.open();
  await chat.askFully("Hello");
  expect(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth)).toBe(true);
  await expect(chat.question).toBeInViewport();
});
