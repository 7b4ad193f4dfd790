// What is asked before a download, and what is not.
import { expect, test } from "vitest";
import type { EstimateOptions } from "../index.ts";
import { fakeEstimate } from "../testing/fake_library.ts";
import { ModelChoice, type EstimateFunctions } from "./model_choice.ts";

interface SetUp {
  readonly choice: ModelChoice;
  readonly log: string[];
  readonly asked: EstimateOptions[];
}

function setUp(functions: Partial<EstimateFunctions> = {}): SetUp {
  const log: string[] = [];
  const asked: EstimateOptions[] = [];
  const choice = new ModelChoice(
    {
      estimate: async (options) => {
        asked.push(options);
        return fakeEstimate();
      },
      isStored: async () => false,
      ...functions,
    },
    {
      onLoad: ({ name }) => log.push(`load ${name}`),
      onStep: (_source, step) => log.push(step),
      onEstimate: ({ name }, { downloadBytes }) => log.push(`verdict ${name} ${downloadBytes}`),
      onFail: ({ code }, { name }) => log.push(`fail ${name} ${code}`),
      onCancel: ({ name }) => log.push(`cancel ${name}`),
    },
  );
  return { choice, log, asked };
}

function failure(code: string): Error {
  return Object.assign(new Error("It failed. Do something."), { code, retryable: false, detail: {} });
}

/** An estimate that waits for its signal. */
const stalled = ({ signal }: { signal?: AbortSignal }): Promise<never> =>
  new Promise((_resolve, reject) => signal?.addEventListener("abort", () => reject(failure("AbortError"))));

const remote = { location: "https://host.example/m.gguf", name: "m" };

test("local files, stored models and the page's own model are loaded without asking", async () => {
  const { choice, log } = setUp({ isStored: async ({ name }) => name === "kept" });
  await choice.pick({ location: new File([], "f"), name: "file" });
  await choice.pick({ location: [new File([], "f")], name: "files" });
  await choice.pick({ location: "stored:1", name: "stored" });
  await choice.pick({ location: "https://page.example/tiny.gguf", name: "bundled", bundled: true });
  await choice.pick({ ...remote, name: "kept" });
  expect(log).toEqual(["load file", "load files", "load stored", "load bundled", "load kept"]);
});

test("an address gets a verdict, and the adapter is measured once", async () => {
  const { choice, log, asked } = setUp();
  await choice.pick({ ...remote, token: "t", contextLength: 512 });
  await choice.pick(remote);
  expect(log).toEqual(["first", "verdict m 386400000", "header", "verdict m 386400000"]);
  expect(asked[0]).toMatchObject({ model: remote.location, hub: { token: "t" }, contextLength: 512 });
  expect(asked.map(({ probe }) => probe?.copyBytes)).toEqual([undefined, fakeEstimate().probe?.copyBytes]);
});

test("what turns out to be stored is loaded, unless the verdict was asked for", async () => {
  const { choice, log } = setUp({ estimate: async () => fakeEstimate({ downloadBytes: 0 }) });
  await choice.pick(remote);
  await choice.assess(remote);
  expect(log).toEqual(["first", "load m", "header", "verdict m 0"]);
});

test("without a GPU the file is judged all the same", async () => {
  const { choice, log } = setUp({ estimate: async () => fakeEstimate({ probe: null }) });
  await choice.pick(remote);
  await choice.pick(remote);
  expect(log).toEqual(["first", "verdict m 386400000", "first", "verdict m 386400000"]);
});

test("an estimate can be given up, fails with its reason, and a later pick wins", async () => {
  const slow = setUp({ estimate: stalled });
  const running = slow.choice.pick(remote);
  await Promise.resolve();
  slow.choice.cancel();
  await running;
  expect(slow.log.at(-1)).toBe("cancel m");
  slow.choice.cancel();
  expect(slow.log.filter((line) => line.startsWith("cancel"))).toHaveLength(1);
  const older = slow.choice.pick({ ...remote, name: "older" });
  await slow.choice.pick({ ...remote, name: "file", bundled: true });
  await older;
  expect(slow.log.slice(-1)).toEqual(["load file"]);

  const failing = setUp({ estimate: () => Promise.reject(failure("SOURCE.missing")) });
  await failing.choice.pick(remote);
  expect(failing.log.at(-1)).toBe("fail m SOURCE.missing");
});
