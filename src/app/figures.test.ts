import { expect, test } from "vitest";
import {
  formatAgo,
  formatBytes,
  formatCount,
  formatDuration,
  formatMilliseconds,
  formatParameters,
  formatRate,
  formatShare,
} from "./figures.ts";

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1000, "1.0 kB"],
  [999_500, "1.0 MB"],
  [99_940_000, "99.9 MB"],
  [99_960_000, "100 MB"],
  [4.5e9, "4.5 GB"],
  [-1, "0 B"],
])("%d bytes read %s", (bytes, text) => expect(formatBytes(bytes)).toBe(text));

test.each([
  [7, "7"],
  [999, "999"],
  [1234, "1,234"],
  [1_234_567, "1,234,567"],
])("%d reads %s", (count, text) => expect(formatCount(count)).toBe(text));

test.each([
  [0.527, "0.53"],
  [9.999, "10.0"],
  [43.21, "43.2"],
  [1204.4, "1,204"],
  [0, "–"],
  [Number.NaN, "–"],
  [Number.POSITIVE_INFINITY, "–"],
])("%d per second reads %s", (rate, text) => expect(formatRate(rate)).toBe(text));

test("times and sizes of models", () => {
  expect([formatMilliseconds(181.6), formatMilliseconds(999.6), formatMilliseconds(12_345)]).toEqual(["182 ms", "1.0 s", "12.3 s"]);
  expect([formatParameters(3_456_789), formatParameters(135e6), formatParameters(1.24e9), formatParameters(262_144)]).toEqual([
    "3.5M",
    "135M",
    "1.2B",
    "262K",
  ]);
});

test("shares never promise more than there is", () => {
  expect([0, 0.414, 0.999, 1, 1.2].map(formatShare)).toEqual(["0 %", "41 %", "99 %", "100 %", "100 %"]);
});

test("waiting and the past, in words", () => {
  expect([0.2, 59, 60, 150, 3600, 5000].map(formatDuration)).toEqual(["1 s", "59 s", "1 min", "3 min", "1 h", "1 h 23 min"]);
  const now = 1e12;
  const ago = (minutes: number): string => formatAgo(now - minutes * 60_000, now);
  expect([-3, 0, 1, 59, 60, 150, 1440, 2880].map(ago)).toEqual([
    "just now",
    "just now",
    "1 minute ago",
    "59 minutes ago",
    "1 hour ago",
    "2 hours ago",
    "yesterday",
    "2 days ago",
  ]);
});
