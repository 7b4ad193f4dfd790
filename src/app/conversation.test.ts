import { expect, test } from "vitest";
import { requestMessages, type Turn } from "./conversation.ts";

const done: Turn = { question: "Who?", answer: "Mia.", state: "done" };
const stopped: Turn = { question: "Where?", answer: "In the", state: "stopped" };
const failed: Turn = { question: "When?", answer: "", state: "failed" };
const asked: Turn = { question: "Why?", answer: "", state: "waiting" };

test("roles alternate, partial answers stay, questions without any answer are left out", () => {
  expect(requestMessages([done, failed, stopped, asked], "")).toEqual([
    { role: "user", content: "Who?" },
    { role: "assistant", content: "Mia." },
    { role: "user", content: "Where?" },
    { role: "assistant", content: "In the" },
    { role: "user", content: "Why?" },
  ]);
});

test("a system prompt comes first, unless it is blank", () => {
  expect(requestMessages([asked], "Be brief.")[0]).toEqual({ role: "system", content: "Be brief." });
  expect(requestMessages([asked], "  \n")).toHaveLength(1);
});

test("asking a failed question again sends it once", () => {
  expect(requestMessages([done, failed], "")).toHaveLength(3);
});
