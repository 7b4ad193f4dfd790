// The list of weight formats. A format's code and its shader part are fetched when a file has that type. A GGUF tensor of a
// type that is not here is refused by name.

import type { WeightFormat } from "./format.ts";

interface FormatEntry {
  readonly name: string;
  /** GGML type id. */
  readonly ggufType: number;
  readonly load: () => Promise<WeightFormat>;
}

const entries: readonly FormatEntry[] = [
  { name: "f32", ggufType: 0, load: async () => (await import("./float.ts")).f32 },
  { name: "f16", ggufType: 1, load: async () => (await import("./float.ts")).f16 },
  { name: "q4_0", ggufType: 2, load: async () => (await import("./q4_0.ts")).q4_0 },
  { name: "q4_1", ggufType: 3, load: async () => (await import("./q4_1.ts")).q4_1 },
  { name: "q5_0", ggufType: 6, load: async () => (await import("./q5_0.ts")).q5_0 },
  { name: "q5_1", ggufType: 7, load: async () => (await import("./q5_1.ts")).q5_1 },
  { name: "q8_0", ggufType: 8, load: async () => (await import("./q8_0.ts")).q8_0 },
  { name: "q2_k", ggufType: 10, load: async () => (await import("./q2_k.ts")).q2_k },
  { name: "q3_k", ggufType: 11, load: async () => (await import("./q3_k.ts")).q3_k },
  { name: "q4_k", ggufType: 12, load: async () => (await import("./q4_k.ts")).q4_k },
  { name: "q5_k", ggufType: 13, load: async () => (await import("./q5_k.ts")).q5_k },
  { name: "q6_k", ggufType: 14, load: async () => (await import("./q6_k.ts")).q6_k },
  { name: "iq2_xxs", ggufType: 16, load: async () => (await import("./iq2_xxs.ts")).iq2_xxs },
  { name: "iq2_xs", ggufType: 17, load: async () => (await import("./iq2_xs.ts")).iq2_xs },
  { name: "iq3_xxs", ggufType: 18, load: async () => (await import("./iq3_xxs.ts")).iq3_xxs },
  { name: "iq1_s", ggufType: 19, load: async () => (await import("./iq1_s.ts")).iq1_s },
  { name: "iq4_nl", ggufType: 20, load: async () => (await import("./iq4_nl.ts")).iq4_nl },
  { name: "iq3_s", ggufType: 21, load: async () => (await import("./iq3_s.ts")).iq3_s },
  { name: "iq2_s", ggufType: 22, load: async () => (await import("./iq2_s.ts")).iq2_s },
  { name: "iq4_xs", ggufType: 23, load: async () => (await import("./iq4_xs.ts")).iq4_xs },
  { name: "iq1_m", ggufType: 29, load: async () => (await import("./iq1_m.ts")).iq1_m },
  { name: "bf16", ggufType: 30, load: async () => (await import("./float.ts")).bf16 },
  { name: "tq1_0", ggufType: 34, load: async () => (await import("./tq1_0.ts")).tq1_0 },
  { name: "tq2_0", ggufType: 35, load: async () => (await import("./tq2_0.ts")).tq2_0 },
  { name: "mxfp4", ggufType: 39, load: async () => (await import("./mxfp4.ts")).mxfp4 },
  { name: "nvfp4", ggufType: 40, load: async () => (await import("./nvfp4.ts")).nvfp4 },
  { name: "q1_0", ggufType: 41, load: async () => (await import("./q1_0.ts")).q1_0 },
  { name: "q2_0", ggufType: 42, load: async () => (await import("./q2_0.ts")).q2_0 },
];

/** GGML type ids of all formats. */
export const formatTypes: ReadonlySet<number> = new Set(entries.map(({ ggufType }) => ggufType));

/** Formats by GGML type id. */
export type Formats = ReadonlyMap<number, WeightFormat>;

/** The format's name, without fetching it. */
export function formatName(ggufType: number): string | undefined {
  return entries.find((entry) => entry.ggufType === ggufType)?.name;
}

/** The GGML type id of a format's name. */
export function formatType(name: string): number | undefined {
  return entries.find((entry) => entry.name === name)?.ggufType;
}

/** The formats of the given types; those that are not on the list are left out. */
export async function loadFormats(types: Iterable<number>): Promise<Formats> {
  const wanted = new Set(types);
  const loaded = await Promise.all(entries.filter(({ ggufType }) => wanted.has(ggufType)).map(({ load }) => load()));
  return new Map(loaded.map((format) => [format.ggufType, format]));
}

/** Every format, for tests and benches. */
export async function allFormats(): Promise<readonly WeightFormat[]> {
  return Promise.all(entries.map(({ load }) => load()));
}
