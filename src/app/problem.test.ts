import { expect, test } from "vitest";
import { answerRemedy, asProblem, detailLines, headingOf, loadRemedies, type Problem, textOf } from "./problem.ts";

function problem(code: string, detail: Problem["detail"] = {}): Problem {
  return { code, message: "It failed. Do something.", retryable: false, detail };
}

function remedies(codes: readonly string[]): string[] {
  return codes.map((code) => answerRemedy(problem(code)));
}

test("an engine's error keeps its code, message and facts", () => {
  const thrown = Object.assign(new Error("Too long. Start a new chat."), { code: "CONTEXT", retryable: true, detail: { have: 9, max: 8 } });
  expect(asProblem(thrown)).toEqual({
    code: "CONTEXT",
    message: "Too long. Start a new chat.",
    retryable: true,
    detail: { have: 9, max: 8 },
  });
});

test("a limit is told in what one types into the setting", () => {
  const text = textOf(problem("GPU.budget", { need: 8_921_472, have: 2_000_000 }));
  expect(text).toContain("8.9 MB");
  expect(text).toContain("Set GPU memory to 0.009 GB or more");
  expect(textOf(problem("GPU.budget"))).toBe("It failed. Do something.");
  expect(textOf(problem("GPU.oom", { need: 1, have: 2 }))).toBe("It failed. Do something.");
});

test("what is too long, or keeps too much, is told in the page's own words", () => {
  const full = textOf(problem("CONTEXT.full", { have: 5000, max: 4096 }));
  expect(full).toContain("The conversation has 5,000 tokens, and there is room for 4,096 with the answer.");
  expect(full).toContain("forgets");
  expect(textOf(problem("REQUEST.kv", { param: "kv.evict.keep", have: 9000, max: 4096 }))).toContain(
    "Set tokens to remember to 4,096 or less",
  );
  for (const code of ["CONTEXT.full", "REQUEST.kv"]) expect(textOf(problem(code))).toBe("It failed. Do something.");
});

test.each([[new TypeError("x is undefined.")], ["text"], [undefined], [{ code: "GPU" }]])(
  "%s, thrown by the page, is told as its fault",
  (thrown) => {
    expect(asProblem(thrown)).toMatchObject({ code: "PAGE", retryable: false });
    expect(asProblem(thrown).message).toContain("report");
  },
);

test("headings follow the room of the code, and unknown rooms have one too", () => {
  expect(headingOf(problem("FORMAT.truncated"))).toBe("This file cannot be read");
  expect(headingOf(problem("GPU.unavailable"))).toBe(headingOf(problem("ENV")));
  expect(headingOf(problem("NEW.kind"))).toBe("Something went wrong");
});

test("the way on fits the error", () => {
  expect(remedies(["GPU.lost", "GPU.error", "WORKER.internal"])).toEqual(["reload", "reload", "reload"]);
  expect(remedies(["CONTEXT", "CONTEXT.full", "GPU.oom"])).toEqual(["new chat", "new chat", "new chat"]);
  expect(remedies(["GPU.numeric", "REQUEST.field"])).toEqual(["retry", "retry"]);
});

test("facts are lines; empty ones are left out", () => {
  expect(detailLines(problem("X", { have: 9, at: 0, names: ["a", "b"], none: null, blank: "" }))).toEqual([
    "have: 9",
    "at: 0",
    "names: a, b",
  ]);
});

test.each([
  ["QUOTA.full", "room"],
  ["STORE.lost", "retry"],
  ["STORE.blocked", "retry"],
  ["STORE.unavailable", "unstored"],
  ["STORE.busy", "retry"],
  ["STORE.missing", "choose"],
  ["STORE.evicted", "retry"],
  ["INTEGRITY.sha256", "retry"],
  ["INTEGRITY.chunk", "retry"],
  ["ENV.insecure", "choose"],
  ["SOURCE.changed", "retry"],
  ["SOURCE.denied", "token"],
  ["MODEL.shards", "choose"],
  ["GPU.oom", "verdict"],
  ["NET.stalled", "retry"],
  ["NEW.kind", "retry"],
])("after a load that ended in %s the first thing to do is %s", (code, kind) => {
  expect(loadRemedies(problem(code), true)[0]?.kind).toBe(kind);
  expect(headingOf(problem(code)).length).toBeGreaterThan(0);
});

test("what is local or stored is neither loaded without the store nor opened with a token", () => {
  for (const code of ["STORE.lost", "STORE.unavailable", "QUOTA.full", "SOURCE.denied"]) {
    const kinds = loadRemedies(problem(code), false).map(({ kind }) => kind);
    expect(kinds.length).toBeGreaterThan(0);
    expect(kinds).not.toContain("unstored");
    expect(kinds).not.toContain("token");
  }
});
