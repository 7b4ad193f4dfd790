// What a load under way says, from the engine's reports.
import { expect, test } from "vitest";
import type { LoadProgress } from "../index.ts";
import { barValue, bytesLine, phaseLine } from "./load_view.ts";

function report(part: Partial<LoadProgress>): LoadProgress {
  const none = {
    phase: "weights",
    file: "m.gguf",
    loaded: 0,
    total: 0,
    bytesPerSecond: 0,
    fromCache: false,
    progress: 0,
    text: "Reading weights",
  };
  return { ...none, ...part } as LoadProgress;
}

test.each([
  [{}, ""],
  [{ loaded: 5e6 }, "5.0 MB"],
  [{ loaded: 1e8, total: 4e8, bytesPerSecond: 2e6 }, "100 MB of 400 MB · 2.0 MB/s · 3 min left"],
  [{ loaded: 3.9e8, total: 4e8, bytesPerSecond: 1e7 }, "390 MB of 400 MB · 10.0 MB/s"],
  [{ loaded: 4e8, total: 4e8, bytesPerSecond: 1e7, fromCache: true }, "400 MB of 400 MB · from this device"],
])("%j counts as %s", (part, line) => expect(bytesLine(report(part))).toBe(line));

test("a tab that waits shows how far the other one is", () => {
  const waiting = report({ phase: "wait", text: "Another tab is downloading this model", loaded: 41, total: 100, progress: 0.005 });
  expect(phaseLine(waiting, "online")).toBe("Another tab is downloading this model: 41 %");
  expect(barValue(waiting)).toBe(0.41);
  const unknown = report({ phase: "wait", text: "Another tab is downloading this model" });
  expect(phaseLine(unknown, "online")).toBe("Another tab is downloading this model");
  expect(barValue(unknown)).toBeUndefined();
});

test("downloading is told from reading, and being offline is said where it matters", () => {
  const half = { loaded: 1, total: 2 };
  expect(phaseLine(report(half), "online")).toBe("Downloading");
  expect(phaseLine(report(half), "local")).toBe("Reading weights");
  expect(phaseLine(report({ ...half, fromCache: true }), "offline")).toBe("Reading weights");
  expect(phaseLine(report(half), "offline")).toBe("Downloading; waiting for a connection");
  expect(phaseLine(report({ phase: "compile", text: "Preparing the GPU" }), "offline")).toBe("Preparing the GPU");
});

test("the bar follows the load, and only breathes while the whole file is checked", () => {
  expect([-1, 0.4, 2].map((progress) => barValue(report({ progress })))).toEqual([0, 0.4, 1]);
  expect(barValue(report({ phase: "finish", progress: 0.98 }))).toBeUndefined();
});
