import { expect, test } from "vitest";
import { defaultSettings, numberFields, readSettings, recallSettings, rememberSettings, samplingRequest } from "./settings.ts";

function blocked(): never {
  throw new Error("SecurityError");
}

test("every default lies inside its bounds", () => {
  expect(readSettings(JSON.parse(JSON.stringify(defaultSettings)))).toEqual(defaultSettings);
  for (const field of numberFields) expect(field.min).toBeLessThan(field.max);
});

test("bad values become bounds or defaults, unknown keys go", () => {
  const read = readSettings({ temperature: 9, topK: 3.6, topP: "0.5", minP: null, seed: 7.2, systemPrompt: 4, extra: 1 });
  expect(read).toEqual({ ...defaultSettings, temperature: 2, topK: 4, seed: 7 });
  for (const bad of [null, undefined, 3, "text", [], [1]]) expect(readSettings(bad)).toEqual(defaultSettings);
});

test("settings survive storage, and blocked or foreign storage is no error", () => {
  const kept = new Map<string, string>();
  const storage = () => ({
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
  });
  const settings = { ...defaultSettings, temperature: 0, seed: 42, systemPrompt: "Be kind." };
  expect(recallSettings(storage)).toEqual(defaultSettings);
  expect(rememberSettings(storage, settings)).toBe(true);
  expect(recallSettings(storage)).toEqual(settings);
  for (const key of kept.keys()) kept.set(key, "{ not json");
  expect(recallSettings(storage)).toEqual(defaultSettings);
  expect(recallSettings(blocked)).toEqual(defaultSettings);
  expect(rememberSettings(blocked, settings)).toBe(false);
});

test("a request names a seed only when there is one", () => {
  expect(samplingRequest(defaultSettings)).not.toHaveProperty("seed");
  expect(samplingRequest({ ...defaultSettings, seed: 0 })).toMatchObject({ seed: 0, top_p: 0.95, max_tokens: 512 });
});

test("a limit for memory is no field of a request, and none unless it is set", () => {
  expect(defaultSettings.gpuGigabytes).toBeNull();
  expect(readSettings({ gpuGigabytes: 0 }).gpuGigabytes).toBe(0.001);
  expect(samplingRequest(readSettings({ gpuGigabytes: 2.5 }))).toEqual(samplingRequest(defaultSettings));
});
