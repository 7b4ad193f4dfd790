import { expect, test } from "vitest";
import { streamingLine } from "./layers_figure.ts";

const streaming = {
  resident: 16,
  streamed: 12,
  bytesPerStep: 1.2e9,
  stallMsPerToken: 35,
  readBytesPerSecond: 1.4e9,
  image: { tier: "opfs", bytes: 2e9 },
} as const;

test("what is read for a token, how fast, and how long it was waited for", () => {
  expect(streamingLine(streaming)).toBe("12 of 28 layers are read for each token: 1.2 GB at 1.4 GB/s, 35 ms of waiting");
  const inMemory = { ...streaming, image: { tier: "memory", bytes: 2e9 }, readBytesPerSecond: 0 } as const;
  expect(streamingLine(inMemory)).toBe("12 of 28 layers are read from this computer's memory for each token: 1.2 GB, 35 ms of waiting");
});
