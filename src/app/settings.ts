// The settings of a chat: their bounds, defaults, and where they are remembered. Knows nothing of the form that edits them.

import type { KvOptions, KvPolicy, KvType, SamplingRequest } from "../index.ts";

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
  /** What keys and values are stored as; `auto` leaves that to the engine. */
  readonly kvType: KvType | "auto";
  /** What drops tokens of long chats; `off`: nothing does. */
  readonly evict: KvPolicy | "off";
  /** Tokens that stay of a chat that is longer; where tokens are dropped. */
  readonly keepTokens: number;
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
  kvType: "auto",
  evict: "off",
  keepTokens: 2048,
};

/** A setting that is a number. */
export interface NumberField {
  readonly key: Exclude<keyof Settings, "systemPrompt" | ChoiceField["key"]>;
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
    key: "keepTokens",
    label: "Tokens to remember",
    hint: "of a chat that is too long, where it forgets",
    min: 128,
    max: 1_000_000,
    step: 1,
  },
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

/** A setting that is one of a few. */
export interface ChoiceField {
  readonly key: "kvType" | "evict";
  readonly label: string;
  readonly hint: string;
  readonly choices: ReadonlyArray<readonly [value: string, label: string]>;
}

export const choiceFields: readonly ChoiceField[] = [
  {
    key: "kvType",
    label: "Chat memory",
    hint: "for the next model; fewer bits hold longer chats, and change answers: 8 hardly, 4 a little, 2 a lot",
    choices: [
      ["auto", "as it computes"],
      ["f32", "32 bits (f32)"],
      ["f16", "16 bits (f16)"],
      ["q8_0", "8 bits (q8_0)"],
      ["q4", "4 bits (q4)"],
      ["kivi2", "2 bits (kivi2)"],
    ],
  },
  {
    key: "evict",
    label: "When a chat is too long",
    hint: "for the next model, with a chat memory of 16 or 32 bits; what is forgotten it no longer knows, though you still see it",
    choices: [
      ["off", "stop"],
      ["window", "forget the oldest"],
      ["snapkv", "forget the unasked"],
      ["keyformer", "forget the unused"],
    ],
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
  const choices = choiceFields.map(({ key, choices: known }) => [
    key,
    known.find(([one]) => one === given.get(key))?.[0] ?? defaultSettings[key],
  ]);
  return {
    ...defaultSettings,
    ...Object.fromEntries([...numbers, ...choices]),
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

/** Whether tokens of a chat can be dropped one by one. */
export function canForget({ kvType }: Pick<Settings, "kvType">): boolean {
  return kvType === "auto" || kvType === "f16" || kvType === "f32";
}

/**
 * The settings as the engine's option; undefined when they leave everything to it.
 * @param type  what goes before the setting, of a model for which something else was chosen
 */
export function kvOption({ kvType, evict, keepTokens }: Settings, type: KvType | "auto" = kvType): KvOptions | undefined {
  const options: KvOptions = {
    ...(type === "auto" ? {} : { type }),
    ...(evict === "off" || !canForget({ kvType: type }) ? {} : { evict: { policy: evict, keep: keepTokens } }),
  };
  return Object.keys(options).length > 0 ? options : undefined;
}
