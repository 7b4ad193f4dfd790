import { expect, test } from "vitest";
import type { StepShape, Variant } from "../kernels/kernel.ts";
import { type BoundDispatch, Recording } from "./recording.ts";

type Calls = Array<readonly [string, ...unknown[]]>;

function recordingPass(): { readonly pass: GPUComputePassEncoder; readonly calls: Calls } {
  const calls: Calls = [];
  const pass = {
    setPipeline: (pipeline: unknown) => void calls.push(["pipeline", pipeline]),
    setBindGroup: (index: number, group: unknown) => void calls.push(["group", index, group]),
    dispatchWorkgroups: (...grid: number[]) => void calls.push(["grid", ...grid]),
  };
  return { pass: pass as unknown as GPUComputePassEncoder, calls };
}

function bound(pipeline: string, tensors: string, grid: Variant["grid"]): BoundDispatch {
  return { pipeline, tensors, variant: { grid } } as unknown as BoundDispatch;
}

const dispatches = [
  bound("p", "a", ({ rows }) => [rows, 2, 1]),
  bound("p", "b", ({ contextTokens }) => [1, Math.ceil(contextTokens / 4), 1]),
  bound("q", "c", ({ outputRows }) => [outputRows, 1, 1]),
];

const step: StepShape = { rows: 3, outputRows: 1, contextTokens: 4 };

test("sets the state once, a pipeline where it changes, and the tensors of each dispatch", () => {
  const { pass, calls } = recordingPass();
  const stepState = "state" as unknown as GPUBindGroup;
  new Recording(dispatches, step, stepState).replay(pass, step);
  expect(calls).toEqual([
    ["group", 1, "state"],
    ["pipeline", "p"],
    ["group", 0, "a"],
    ["grid", 3, 2, 1],
    ["group", 0, "b"],
    ["grid", 1, 1, 1],
    ["pipeline", "q"],
    ["group", 0, "c"],
    ["grid", 1, 1, 1],
  ]);
});

test.each([4, 5, 8, 9, 1])("grids follow a context of %i tokens, one recording after the other", (contextTokens) => {
  const recording = new Recording(dispatches, step);
  const replayed = (shape: StepShape): Calls => {
    const { pass, calls } = recordingPass();
    recording.replay(pass, shape);
    return calls.filter(([kind]) => kind === "grid");
  };
  const shape = { ...step, contextTokens };
  expect(replayed(shape)).toEqual(dispatches.map(({ variant }) => ["grid", ...variant.grid(shape)]));
  expect(replayed(step)).toEqual(dispatches.map(({ variant }) => ["grid", ...variant.grid(step)]));
});

test("only grids that ask for the context are found out again", () => {
  const asked: number[] = [];
  const counted = dispatches.map((one, index): BoundDispatch => {
    const grid: Variant["grid"] = (shape) => {
      asked.push(index);
      return one.variant.grid(shape);
    };
    return { ...one, variant: { ...one.variant, grid } };
  });
  const recording = new Recording(counted, step);
  asked.length = 0;
  recording.replay(recordingPass().pass, { ...step, contextTokens: 9 });
  recording.replay(recordingPass().pass, { ...step, contextTokens: 9 });
  expect(asked).toEqual([1]);
});

test("is about steps of its rows and output rows", () => {
  const recording = new Recording(dispatches, step);
  expect(recording.holds({ ...step, contextTokens: 77 })).toBe(true);
  expect(recording.holds({ ...step, rows: 2 })).toBe(false);
  expect(recording.holds({ ...step, outputRows: 2 })).toBe(false);
});
