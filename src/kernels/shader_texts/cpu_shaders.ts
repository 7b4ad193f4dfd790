// Texts of shaders/ that only CPU drivers use. A lazy chunk, opened by ../shader_files.ts.

/** By their paths from here. */
export const modules: Record<string, string> = import.meta.glob(
  [
    "../../../shaders/*_cpu.wgsl",
    "../../../shaders/parts/{attend,columns,queries}/*.wgsl",
    "../../../shaders/parts/{codes/thread,rows/blocks}.wgsl",
  ],
  { query: "?raw", import: "default", eager: true },
);
