// The engine's behaviour under everything a caller can do, in this thread and behind a message port.
import { afterEach, describe, expect, test } from "vitest";
import { throwIfAborted } from "../base/errors.ts";
import { seededRng } from "../base/rng.ts";
import { FAKE_EOS, byteIds, fakeSession } from "../testing/fake_session.ts";
import type { FakeOptions, FakeSession } from "../testing/fake_session.ts";
import { portEngine } from "../testing/port_engine.ts";
import type { ChatTemplate } from "../text/chat_template.ts";
import { createSessionEngine } from "./session_engine.ts";
import type { Completion, Engine } from "./types.ts";

const open: Engine[] = [];
afterEach(async () => {
  for (const engine of open.splice(0)) await engine.unload();
});

interface Subject {
  readonly engine: Engine;
  readonly session: FakeSession;
}

/** Answers "<prompt's last byte> x 6" and ends. */
const echoLast: FakeOptions["answer"] = ({ promptIds }) => [...Array.from({ length: 6 }, () => promptIds.at(-1) ?? 0), FAKE_EOS];

async function subject(kind: string, options: Partial<FakeOptions> = {}): Promise<Subject> {
  const session = fakeSession({ answer: echoLast, ...options });
  const engine = kind === "here" ? createSessionEngine(session) : (await portEngine(() => session)).engine;
  open.push(engine);
  return { engine, session };
}

const settle = (): Promise<void> => new Promise((resolve) => void setTimeout(resolve, 5));
const prompt = (letter: string) => ({ prompt: letter, max_tokens: 20 });
const textOf = ({ choices }: Completion): string => choices[0].text;

async function readAll(stream: AsyncIterable<Completion>): Promise<string> {
  let text = "";
  for await (const { choices } of stream) text += choices[0].text;
  return text;
}

/** A pause that lasts until the signal: a prefill that never ends by itself. */
const untilAborted = (signal: AbortSignal | undefined): Promise<void> =>
  new Promise((resolve) => {
    signal?.addEventListener("abort", () => resolve());
  });

describe.each(["here", "behind a port"])("an engine %s", (kind) => {
  test("answers concurrent calls in order, each as if alone", async () => {
    const { engine, session } = await subject(kind);
    const letters = "abcdefgh".split("");
    const answers = await Promise.all(letters.map((letter) => engine.completions.create(prompt(letter))));
    expect(answers.map(textOf)).toEqual(letters.map((letter) => letter.repeat(6)));
    expect(session.ran.map(({ promptIds }) => String.fromCharCode(promptIds.at(-1) ?? 0))).toEqual(letters);
  });

  test("tuning waits its turn, tells how far it is, and ends with its signal or the engine", async () => {
    const { engine, session } = await subject(kind);
    const moments: unknown[] = [];
    const answer = engine.completions.create(prompt("a"));
    const report = await engine.tune({ onProgress: (moment) => moments.push(moment) });
    expect(report).toMatchObject({ stored: false, variants: [] });
    expect(moments).toEqual([
      { done: 0, total: 1, class: "x" },
      { done: 1, total: 1, class: "" },
    ]);
    expect(textOf(await answer)).toBe("aaaaaa");
    expect(session.running).toBe(false);
    const stuck = (await subject(kind, { pause: untilAborted })).engine;
    const stop = new AbortController();
    const aborted = stuck.tune({ signal: stop.signal });
    await settle();
    stop.abort();
    await expect(aborted).rejects.toMatchObject({ code: "AbortError" });
    const left = expect(stuck.tune()).rejects.toMatchObject({ code: expect.stringMatching(/AbortError|REQUEST.unloaded/) });
    await settle();
    await stuck.unload();
    await left;
    await expect(engine.tune({ onProgress: "loud" } as never)).rejects.toMatchObject({ code: "REQUEST.onProgress" });
  });

  test("a stream decided at run time gives what was decided", async () => {
    const chatTemplate: ChatTemplate = { source: "", render: () => "a", renderMarked: () => ({ text: "a", untrusted: [] }) };
    const { engine } = await subject(kind, { chatTemplate });
    for (const stream of [true, false, null, undefined]) {
      // A variable, so that only the overload for either kind of answer fits.
      const decided: boolean | null | undefined = stream;
      const answer = await engine.completions.create({ ...prompt("a"), stream: decided });
      expect(Symbol.asyncIterator in answer).toBe(stream === true);
      expect(Symbol.asyncIterator in answer ? await readAll(answer) : textOf(answer)).toBe("aaaaaa");
      const chat = await engine.chat.completions.create({ messages: [{ role: "user", content: "a" }], max_tokens: 2, stream: decided });
      if (!(Symbol.asyncIterator in chat)) expect(chat.object).toBe("chat.completion");
      else for await (const chunk of chat) expect(chunk.object).toBe("chat.completion.chunk");
    }
  });

  test("64 mixed requests, 30% aborted, some broken off: no deadlock, survivors have their text", async () => {
    for (const seed of [1, 2, 3]) {
      const { engine, session } = await subject(kind);
      const rng = seededRng(seed);
      const survivors: string[] = [];
      const jobs = Array.from({ length: 64 }, async (_, n) => {
        const letter = String.fromCharCode(33 + n);
        const controller = new AbortController();
        const aborted = rng.unit() < 0.3;
        const style = rng.below(4);
        const abortAfter = rng.below(120);
        if (aborted) setTimeout(() => controller.abort(), abortAfter);
        try {
          if (style === 0) {
            expect(textOf(await engine.completions.create(prompt(letter), controller))).toBe(letter.repeat(6));
          } else {
            const stream = await engine.completions.create({ ...prompt(letter), stream: true }, controller);
            if (style === 1) return;
            if (style === 2) expect(await readAll(stream)).toBe(letter.repeat(6));
            else for await (const { choices } of stream) if (choices[0].text !== "") break;
          }
          survivors.push(letter);
        } catch (error) {
          if (!aborted) throw error;
          expect(error).toMatchObject({ code: "AbortError", name: "AbortError" });
        }
      });
      await Promise.all(jobs);
      expect(survivors.length, `seed ${seed}`).toBeGreaterThan(15);
      expect(textOf(await engine.completions.create(prompt("z")))).toBe("zzzzzz");
      expect(session.running).toBe(false);
      expect((await engine.stats()).queued).toBe(0);
    }
  });

  test("refuses the 66th call with BUSY: one runs, 64 wait", async () => {
    const gate = new EventTarget();
    const opened = new Promise<void>((resolve) => {
      gate.addEventListener("open", () => resolve());
    });
    const { engine } = await subject(kind, { pause: () => opened });
    const calls = Array.from({ length: 65 }, () => engine.completions.create(prompt("a")));
    await settle();
    expect((await engine.stats()).queued).toBe(64);
    await expect(engine.completions.create(prompt("b"))).rejects.toMatchObject({ code: "BUSY", retryable: true });
    const stream = await engine.completions.create({ ...prompt("b"), stream: true });
    await expect(stream[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: "BUSY" });
    gate.dispatchEvent(new Event("open"));
    expect(new Set((await Promise.all(calls)).map(textOf))).toEqual(new Set(["aaaaaa"]));
  });

  test("is not held by a stream that nobody reads, and says no to bad requests at once", async () => {
    const { engine, session } = await subject(kind);
    for (let i = 0; i < 70; i++) await engine.completions.create({ ...prompt("n"), stream: true });
    expect(textOf(await engine.completions.create(prompt("a")))).toBe("aaaaaa");
    expect(session.ran).toHaveLength(1);
    await expect(engine.completions.create({ ...prompt("a"), stream: true, top_p: 2 })).rejects.toMatchObject({ code: "REQUEST.top_p" });
    await expect(engine.completions.create(undefined as never)).rejects.toMatchObject({ code: "REQUEST.request" });
    await expect(engine.completions.create(prompt("a"), { signal: {} as never })).rejects.toMatchObject({ code: "REQUEST.signal" });
    await expect(engine.completions.create(prompt("a"), null as never)).rejects.toMatchObject({ code: "REQUEST.options" });
    await expect(engine.chat.completions.create({ messages: [] })).rejects.toMatchObject({ code: "REQUEST.messages" });
  });

  test.each(["break", "throw"])("is freed by %s out of a stream", async (how) => {
    const { engine, session } = await subject(kind, { answer: () => byteIds("x".repeat(200)), contextLength: 1000 });
    const leave = async (): Promise<void> => {
      for await (const chunk of await engine.completions.create({ prompt: "a", max_tokens: 200, stream: true })) {
        if (how === "throw") throw new Error("mine");
        if (chunk.choices[0].text !== "") break;
      }
    };
    if (how === "throw") await expect(leave()).rejects.toThrow("mine");
    else await leave();
    await engine.completions.create({ prompt: "b", max_tokens: 1 });
    expect(session.tokensMade).toBeLessThan(30);
  });

  test("pauses for a slow consumer", async () => {
    const { engine, session } = await subject(kind, { answer: () => byteIds("x".repeat(200)), contextLength: 1000 });
    const stream = await engine.completions.create({ prompt: "a", max_tokens: 200, stream: true });
    const iterator = stream[Symbol.asyncIterator]();
    await iterator.next();
    await new Promise((resolve) => void setTimeout(resolve, 60));
    // A window of chunks may be under way, and no more.
    expect(session.tokensMade).toBeLessThanOrEqual(8);
    await iterator.return?.();
  });

  test("aborts before, in prefill, between tokens, while nobody pulls, and after the end", async () => {
    const { engine } = await subject(kind);
    await expect(engine.completions.create(prompt("a"), { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "AbortError" });

    const hanging = await subject(kind, { pause: untilAborted });
    const controller = new AbortController();
    const pending = hanging.engine.completions.create(prompt("a"), controller);
    await settle();
    const start = performance.now();
    controller.abort();
    await expect(pending).rejects.toMatchObject({ code: "AbortError" });
    expect(performance.now() - start).toBeLessThan(100);
    await settle();
    expect(hanging.session.running).toBe(false);

    for (const pulls of [1, 2, 3]) {
      const inStream = new AbortController();
      const iterator = (await engine.completions.create({ ...prompt("b"), stream: true }, inStream))[Symbol.asyncIterator]();
      for (let i = 0; i < pulls; i++) expect((await iterator.next()).done).toBe(false);
      inStream.abort();
      await expect(iterator.next()).rejects.toMatchObject({ code: "AbortError" });
      expect((await iterator.next()).done).toBe(true);
      expect(textOf(await engine.completions.create(prompt("c")))).toBe("cccccc");
    }

    const late = new AbortController();
    expect(await readAll(await engine.completions.create({ ...prompt("d"), stream: true }, late))).toBe("dddddd");
    late.abort();
    expect(textOf(await engine.completions.create(prompt("e"), new AbortController()))).toBe("eeeeee");
  });

  test("lets delivered text stand when it fails, and never says stop", async () => {
    const { engine } = await subject(kind, { failAt: 3 });
    const chunks: Completion[] = [];
    const read = async (): Promise<void> => {
      for await (const chunk of await engine.completions.create({ ...prompt("a"), stream: true })) chunks.push(chunk);
    };
    await expect(read()).rejects.toMatchObject({ code: "GPU.lost", message: expect.stringContaining("Create the engine again") as string });
    expect(chunks.map(textOf).join("")).toBe("aaa");
    expect(chunks.every(({ choices }) => choices[0].finish_reason === null)).toBe(true);
    await expect(engine.completions.create(prompt("a"))).rejects.toMatchObject({ code: "GPU.lost" });
  });

  test("unloads during generation: running and waiting calls end, later ones are refused, twice is once", async () => {
    const { engine, session } = await subject(kind, { pause: async (signal) => (await untilAborted(signal), throwIfAborted(signal)) });
    const calls = ["a", "b", "c"].map((letter) => engine.completions.create(prompt(letter)));
    const outcomes = Promise.allSettled(calls);
    await settle();
    await Promise.all([engine.unload(), engine.unload()]);
    const reason = { code: "AbortError", message: expect.stringContaining("The engine was unloaded") as string };
    for (const outcome of await outcomes) expect(outcome).toMatchObject({ status: "rejected", reason });
    expect(session.destroyed).toBe(true);
    for (const call of [
      () => engine.completions.create(prompt("a")),
      () => engine.tokenize("a"),
      () => engine.info(),
      () => engine.stats(),
    ]) {
      await expect(call()).rejects.toMatchObject({ code: "REQUEST.unloaded" });
    }
    await engine.unload();
  });

  test("unloads from inside the loop that reads its own stream", async () => {
    const { engine, session } = await subject(kind);
    const read = async (): Promise<void> => {
      for await (const chunk of await engine.completions.create({ ...prompt("a"), stream: true })) {
        expect(chunk.choices).toHaveLength(1);
        await engine.unload();
      }
    };
    await expect(read()).rejects.toMatchObject({ code: "AbortError", message: expect.stringContaining("was unloaded") as string });
    expect(session.destroyed).toBe(true);
  });

  test("takes calls made from inside a stream's loop, once the loop ends", async () => {
    const { engine } = await subject(kind);
    let inner: Promise<Completion> | undefined;
    for await (const chunk of await engine.completions.create({ ...prompt("a"), stream: true })) {
      expect(chunk.object).toBe("text_completion");
      inner ??= engine.completions.create(prompt("b"));
    }
    expect(inner === undefined ? "" : textOf(await inner)).toBe("bbbbbb");
  });

  test("tokenizes, detokenizes and tells about itself", async () => {
    const { engine } = await subject(kind);
    expect(await engine.tokenize("hé")).toEqual(byteIds("hé"));
    expect(await engine.detokenize(byteIds("hé"))).toBe("hé");
    await expect(engine.tokenize(5 as never)).rejects.toMatchObject({ code: "REQUEST.text" });
    await expect(engine.detokenize([1e6])).rejects.toMatchObject({ code: "REQUEST.ids" });
    await expect(engine.detokenize("a" as never)).rejects.toMatchObject({ code: "REQUEST.ids" });
    expect(await engine.info()).toMatchObject({
      model: { name: "fake", chatTemplate: false },
      worker: kind !== "here",
      contextLength: 256,
    });
    expect(await engine.stats()).toMatchObject({ queued: 0, tokensGenerated: 0 });
  });
});
