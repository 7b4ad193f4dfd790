// How the page keeps a conversation: over changes of what was asked, over a reload, in fewer bits, and at the end of its room.

import { expect, type Page } from "@playwright/test";
import { type ChatPage, test } from "./chat_page.ts";

/** The same answer each time, and a short one. */
async function beShort(page: Page, tokens = "12"): Promise<void> {
  const settings = page.getByRole("button", { name: "Settings", exact: true });
  await settings.click();
  await page.getByLabel("Temperature").fill("0");
  await page.getByLabel("Longest answer").fill(tokens);
  await settings.click();
}

/** Tokens of an answer's prompt that were there already. */
async function reused(chat: ChatPage, index: number): Promise<number> {
  const text = (await chat.answers.nth(index).locator(".figures").textContent()) ?? "";
  return Number(/prompt [\d,]+ \(([\d,]+) reused\)/.exec(text)?.[1].replaceAll(",", "") ?? 0);
}

test("a changed question is asked anew from where it was, and what is before it is not read again", async ({ chat, page }) => {
  await chat.open();
  await beShort(page);
  for (const question of ["Hello", "Tell me about a fox.", "And about a bear?"]) await chat.askFully(question);
  const before = await reused(chat, 1);
  expect(before).toBeGreaterThan(0);
  await page.getByRole("button", { name: "Edit this question" }).nth(1).click();
  const input = page.getByRole("textbox", { name: "Your question" });
  await expect(input).toBeFocused();
  await input.fill("Tell me about a mouse.");
  await input.press("Enter");
  await expect(chat.answers).toHaveCount(2);
  await expect(chat.answers.nth(1).locator(".figures")).toBeVisible();
  await expect(page.locator(".question-text")).toHaveText(["Hello", "Tell me about a mouse."]);
  // The common prefix goes into the changed question: at least what the first asking of the second one reused.
  expect(await reused(chat, 1)).toBeGreaterThanOrEqual(before);
  // The first question, too; then there is nothing before it but the template's own words.
  await page.getByRole("button", { name: "Edit this question" }).first().click();
  await page.keyboard.press("Escape");
  await expect(chat.answers).toHaveCount(2);
});

test("a conversation is there after a reload, and goes on with the same tokens", async ({ chat, page }) => {
  const talk = async (interrupt: () => Promise<void>): Promise<string[]> => {
    const first = await chat.askFully("Tell me a story about a fox.");
    await interrupt();
    return [first, await chat.askFully("What did the fox do then?")];
  };
  await chat.open();
  await beShort(page, "40");
  const whole = await talk(async () => undefined);
  const cached = await reused(chat, 1);
  await page.getByRole("button", { name: "New chat" }).click();
  const interrupted = await talk(async () => {
    await page.reload();
    await chat.ready();
    await expect(page.locator(".chat-notice")).toContainText("From your last visit");
    await expect(page.locator(".chat-notice")).toContainText(/still has it in mind: \d+ tokens need not be read again/);
    await expect(chat.answers).toHaveCount(1);
    await expect(page.locator(".question-text")).toHaveText(["Tell me a story about a fox."]);
  });
  expect(interrupted).toEqual(whole);
  await expect(page.locator(".chat-notice")).toBeEmpty();
  // What the model had in mind it did not read again.
  expect(await reused(chat, 1)).toBe(cached);
  await page.getByRole("button", { name: "New chat" }).click();
  await page.reload();
  await chat.ready();
  await expect(chat.answers).toHaveCount(0);
});

test("a conversation that is too long is refused with what to do", async ({ chat, page }) => {
  const long = "The fox went to the river and the bear went to the forest. ".repeat(400);
  await chat.open();
  await beShort(page);
  await chat.ask(long);
  await expect(chat.banner).toContainText("The conversation has become too long");
  await expect(chat.banner).toContainText(/there is room for [\d,]+ with the answer\. Start a new chat/);
  await expect(chat.banner.getByRole("button", { name: "New chat" })).toBeVisible();
});

test("keys and values of 8 bits answer, and the page says what they take", async ({ chat, page }) => {
  await chat.open();
  const memory = page.locator(".stats .fact", { hasText: "Chat memory" });
  await expect(memory).toContainText(/f(32|16), [\d.]+ [kM]B per 1,000 tokens/);
  const before = (await memory.textContent()) ?? "";
  await page.getByRole("button", { name: "Settings", exact: true }).click();
  await page.getByLabel("Chat memory").selectOption("q8_0");
  await page.reload();
  await chat.ready();
  await expect(memory).toContainText(/q8_0, [\d.]+ [kM]B per 1,000 tokens/);
  expect((await memory.textContent()) ?? "").not.toBe(before);
  expect((await chat.askFully("Tell me a story about a fox.")).split(/\s+/).length).toBeGreaterThan(8);
  await expect(memory).toContainText(/[1-9]\d* of \d+ pages used/);
});

test("a chat that may forget goes on beyond the context, and says what it forgot", async ({ chat, page }) => {
  await chat.open();
  await beShort(page);
  await page.getByRole("button", { name: "Settings", exact: true }).click();
  await page.getByLabel("When a chat is too long").selectOption("window");
  await page.getByLabel("Tokens to remember").fill("256");
  await chat.visitAgain();
  // More than the 1,024 tokens that the bundled model's context has.
  await chat.askFully("The fox went to the river and the bear went to the forest. ".repeat(100));
  await expect(chat.banner).toHaveCount(0);
  await expect(chat.answers.first()).toContainText(/[1-9][\d,]* tokens forgotten \(window\)/);
  expect((await chat.answerText(0).textContent())?.length).toBeGreaterThan(0);
  const used = /Context:?\s*(\d+) of/.exec((await page.locator(".stats").textContent()) ?? "")?.[1];
  expect(Number(used)).toBeLessThanOrEqual(256);
});
