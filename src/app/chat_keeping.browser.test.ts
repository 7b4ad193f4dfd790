// A conversation of an earlier visit on the page: what is shown of it and what the engine is asked for.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { openPage, press, see } from "../testing/app_page.ts";

const turns = [
  { question: "Who are you?", answer: "A tiny model.", state: "done" },
  { question: "And then?", answer: "Nothi", state: "waiting" },
];

beforeEach(async () => {
  await import("./styles/index.css");
  localStorage.clear();
  localStorage.setItem("shaderloom.chat", JSON.stringify(turns));
});

afterEach(() => {
  document.body.replaceChildren();
});

test("is there again with what the model remembers of it, until a new chat", async () => {
  const page = await openPage([], 42);
  await see("The model still has it in mind: 42 tokens need not be read again.");
  expect([...document.querySelectorAll(".question-text")].map((node) => node.textContent)).toEqual(["Who are you?", "And then?"]);
  expect([...document.querySelectorAll(".answer-text")].map((node) => node.textContent)).toEqual(["A tiny model.", "Nothi"]);
  await see("Broken off");
  await see(/Context\n42 of 512/);
  await press("New chat");
  await vi.waitFor(() => expect(page.sessions).toEqual(["load chat", "delete chat"]));
  expect(localStorage.getItem("shaderloom.chat")).toBeNull();
  expect(document.querySelector(".chat-notice")?.checkVisibility()).toBe(false);
});

test("is read again where the model remembers nothing of it", async () => {
  const page = await openPage();
  await see("The model reads it again with your next question.");
  expect(page.sessions).toEqual(["load chat"]);
  expect(document.querySelectorAll(".turn")).toHaveLength(2);
});

test("can be changed from any question on", async () => {
  await openPage();
  const edit = document.querySelectorAll<HTMLButtonElement>(".question .edit")[0];
  edit.focus();
  edit.click();
  const input = document.querySelector<HTMLTextAreaElement>(".question-edit textarea");
  expect(document.activeElement).toBe(input);
  expect(input?.value).toBe("Who are you?");
  await press("Cancel");
  expect(document.activeElement).toBe(edit);
  expect(document.querySelectorAll(".turn")).toHaveLength(2);
});
