// The names of the fusion passes, without the passes: options are checked before any of the runtime is loaded.

/** In the order in which they are applied; index.ts says what each does. */
export const fusionNames = ["qkv", "gate_up", "residual", "norm", "merge", "heads", "output_rows", "pick"] as const;

/** A pass that joins kernel calls. */
export type FusionName = (typeof fusionNames)[number];
