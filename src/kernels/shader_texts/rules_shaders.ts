// Texts of shaders/ for attention beyond a softmax over the whole past, which few models have. A lazy chunk, opened by ../shader_files.ts.

/** By their paths from here. */
export const modules: Record<string, string> = import.meta.glob(
  [
    "../../../shaders/parts/{mask,ranges}/window.wgsl",
    "../../../shaders/parts/score/{alibi,softcap}.wgsl",
    "../../../shaders/parts/sink/learned.wgsl",
  ],
  { query: "?raw", import: "default", eager: true },
);
