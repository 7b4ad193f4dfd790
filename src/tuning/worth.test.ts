import { expect, test } from "vitest";
import type { Caps } from "../gpu/caps.ts";
import { type KernelCall, kernelCall } from "../graph/call.ts";
import { f16 } from "../formats/float.ts";
import { linear } from "../kernels/linear.ts";
import { plainCaps } from "../testing/plain_caps.ts";
import { collectClasses, type KernelClass } from "./classes.ts";
import { defaultWorth, worthRacing } from "./worth.ts";

const caps: Caps = { ...plainCaps, maxWorkgroupStorageBytes: 32768, maxBindingBytes: 2 ** 30, maxBufferBytes: 2 ** 30 };

function product(n: number, k: number): KernelCall {
  const attributes = { format: f16, k, n, bias: false, outStart: 0, outCols: n, over: "rows", out: "act" } as const;
  const x = { id: 0, name: "x", rows: "rows", cols: k, type: "act" } as const;
  const weights = [{ tensor: "w", ggufType: f16.ggufType, cols: k, rowStart: 0, rows: n }];
  return kernelCall(linear, attributes, { inputs: [x], outputs: [{ ...x, id: 1, cols: n }], weights });
}

function classesOf(calls: readonly KernelCall[]): KernelClass[] {
  const target = { caps, deviceClass: "gpu", precision: "f32" } as const;
  const shared = { calls, maxOutputRows: 8 };
  return collectClasses([
    { ...shared, label: "decode", target: { ...target, maxRows: 1 }, stepRows: 256 },
    { ...shared, label: "prefill", target: { ...target, maxRows: 256 }, stepRows: 256 },
  ]);
}

test("calls of one shape are one class for each tier of rows", () => {
  const classes = classesOf([product(4096, 4096), product(4096, 4096), product(64, 4096)]);
  const decode = classes.filter(({ target }) => target.maxRows === 1);
  expect(decode.map(({ calls }) => calls.length)).toEqual([2, 1]);
  const tiers = new Set(classes.map(({ target }) => target.maxRows));
  expect(tiers.size).toBeGreaterThan(2);
  expect(Math.max(...tiers)).toBe(256);
  expect(new Set(classes.map(({ key }) => key)).size).toBe(classes.length);
});

test("races go to what takes most of a step, single rows first, and not to what is small", () => {
  const layers = Array.from({ length: 16 }, () => [product(8192, 2048), product(2048, 8192), product(8, 2048)]).flat();
  const found = worthRacing(classesOf(layers), defaultWorth);
  expect(found[0].cls.target.maxRows).toBe(1);
  expect(found.every(({ cls }) => cls.key.includes("8192"))).toBe(true);
  const sum = found.reduce((total, { share }) => total + share, 0);
  expect(sum).toBeGreaterThan(0.8);
  expect(sum).toBeLessThanOrEqual(1);
  expect(worthRacing(classesOf([product(256, 256)]), defaultWorth)).toEqual([]);
});
