// The settings of a chat: their bounds, defaults, and where they are remembered. Knows nothing of the form that edits them.

import type { SamplingRequest } from "../index.ts";

export interface Settings {
  readonly systemPrompt: string;
  readonly temperature: number;
  readonly topP: number;
  readonly topK: number;
  readonly minP: number;
  readonly repetitionPenalty: number;
  readonly maxTokens: number;
  /** Null draws a new seed for every answer. */
  readonly seed: number | null;
  /** Most gigabytes of GPU memory for a model; null leaves that to the model. */
  readonly gpuGigabytes: number | null;
}

export const defaultSettings: Settings = {
  systemPrompt: "",
  temperature: 0.7,
  topP: 0.95,
  topK: 40,
  minP: 0.05,
  repetitionPenalty: 1,
  maxTokens: 512,
  seed: null,
  gpuGigabytes: null,
};

/** A setting that is a number. */
export interface NumberField {
  readonly key: Exclude<keyof Settings, "systemPrompt">;
  readonly label: string;
  readonly hint: string;
  readonly min: number;
  readonly max: number;
  readonly step: number;
  /** The field may be left empty; it shows this then. */
  readonly empty?: string;
}

export const numberFields: readonly NumberField[] = [
  { key: "temperature", label: "Temperature", hint: "0 always takes the likeliest word", min: 0, max: 2, step: 0.05 },
  { key: "topP", label: "Top-p", hint: "1 keeps every word", min: 0.01, max: 1, step: 0.01 },
  { key: "topK", label: "Top-k", hint: "0 keeps every word", min: 0, max: 1000, step: 1 },
  { key: "minP", label: "Min-p", hint: "0 keeps every word", min: 0, max: 1, step: 0.01 },
  { key: "repetitionPenalty", label: "Repetition penalty", hint: "1 is none", min: 0.5, max: 2, step: 0.05 },
  { key: "maxTokens", label: "Longest answer", hint: "in tokens", min: 1, max: 32_768, step: 1 },
  { key: "seed", label: "Seed", hint: "empty: a new one every time", min: 0, max: 4_294_967_295, step: 1, empty: "random" },
  {
    key: "gpuGigabytes",
    label: "GPU memory",
    hint: "in GB, for the next model with all of its context; layers that do not fit are read from storage for each token",
    min: 0.001,
    max: 1000,
    step: 0.5,
    empty: "no limit",
  },
];

const longestSystemPrompt = 20_000;
const storageKey = "shaderloom.settings";

/** A number inside the field's bounds, whole where the field counts; undefined when `value` is no number. */
export function boundedNumber(field: NumberField, value: unknown): number | undefined {
  if (typeof value !== "number" || !Number.isFinite(value)) return undefined;
  const bounded = Math.min(field.max, Math.max(field.min, value));
  return Number.isInteger(field.step) ? Math.round(bounded) : bounded;
}

/** Settings from anything: unknown keys are dropped, bad values replaced by the default. */
export function readSettings(value: unknown): Settings {
  const given = new Map<string, unknown>(typeof value === "object" && value !== null ? Object.entries(value) : []);
  const prompt = given.get("systemPrompt");
  const numbers = numberFields.map((field) => [field.key, boundedNumber(field, given.get(field.key)) ?? defaultSettings[field.key]]);
  return {
    ...defaultSettings,
    ...Object.fromEntries(numbers),
    systemPrompt: typeof prompt === "string" ? prompt.slice(0, longestSystemPrompt) : defaultSettings.systemPrompt,
  };
}

/** Where settings are kept; `localStorage` fits. */
export type SettingsStorage = Pick<Storage, "getItem" | "setItem">;

/** What was remembered, or the defaults: storage may be blocked, full or hold another version's text. */
export function recallSettings(storage: () => SettingsStorage): Settings {
  try {
    return readSettings(JSON.parse(storage().getItem(storageKey) ?? "{}"));
  } catch {
    return defaultSettings;
  }
}

/** @returns whether they are now remembered */
export function rememberSettings(storage: () => SettingsStorage, settings: Settings): boolean {
  try {
    storage().setItem(storageKey, JSON.stringify(settings));
    return true;
  } catch {
    return false;
  }
}

/** The settings under the field names of a request. */
export function samplingRequest(settings: Settings): SamplingRequest & { readonly max_tokens: number } {
  return {
    temperature: settings.temperature,
    top_p: settings.topP,
    top_k: settings.topK,
    min_p: settings.minP,
    repetition_penalty: settings.repetitionPenalty,
    max_tokens: settings.maxTokens,
    ...(settings.seed === null ? {} : { seed: settings.seed }),
  };
}
