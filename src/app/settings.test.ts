import { expect, test } from "vitest";
import { checkKvOptions } from "../api/kv_option_checks.ts";
import {
  choiceFields,
  defaultSettings,
  kvOption,
  numberFields,
  readSettings,
  recallSettings,
  rememberSettings,
  samplingRequest,
} from "./settings.ts";

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

test("what is said of keys and values becomes the engine's option, and nothing where it says nothing", () => {
  expect(kvOption(defaultSettings)).toBeUndefined();
  expect(kvOption(readSettings({ kvType: "q8_0", keepTokens: 500 }))).toEqual({ type: "q8_0" });
  expect(kvOption(readSettings({ evict: "window", keepTokens: 500 }))).toEqual({ evict: { policy: "window", keep: 500 } });
  const both = readSettings({ kvType: "f16", evict: "snapkv", keepTokens: 1 });
  expect(kvOption(both)).toEqual({ type: "f16", evict: { policy: "snapkv", keep: 128 } });
  // Pages of fewer bits drop no single tokens, whether the settings or the verdict chose them.
  expect(kvOption({ ...both, kvType: "q4" })).toEqual({ type: "q4" });
  expect(kvOption(both, "q8_0")).toEqual({ type: "q8_0" });
  expect(readSettings({ kvType: "q5", evict: 4 })).toEqual(defaultSettings);
  for (const { key, choices } of choiceFields) {
    for (const [value] of choices) expect(readSettings({ [key]: value })).toMatchObject({ [key]: value });
  }
});

test("what the form can say passes the engine's checks", () => {
  const kvTypes = choiceFields[0].choices.map(([value]) => value);
  const policies = choiceFields[1].choices.map(([value]) => value);
  for (const kvType of kvTypes) {
    for (const evict of policies) {
      const kv = kvOption(readSettings({ kvType, evict }));
      if (kv) expect(() => checkKvOptions(kv, {})).not.toThrow();
    }
  }
});

test("a limit for memory is no field of a request, and none unless it is set", () => {
  expect(defaultSettings.gpuGigabytes).toBeNull();
  expect(readSettings({ gpuGigabytes: 0 }).gpuGigabytes).toBe(0.001);
  expect(samplingRequest(readSettings({ gpuGigabytes: 2.5 }))).toEqual(samplingRequest(defaultSettings));
});
