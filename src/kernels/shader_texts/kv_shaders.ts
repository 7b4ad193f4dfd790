// Texts of shaders/ for caches that hold codes instead of numbers. A lazy chunk, opened by ../shader_files.ts.

/** By their paths from here. */
export const modules: Record<string, string> = import.meta.glob(
  [
    "../../../shaders/{kv_quantize,kv_recent,kv_repair,kv_store_blocks,kv_store_pages,regroup}.wgsl",
    "../../../shaders/parts/attend/pages.wgsl",
    "../../../shaders/parts/kv_read/{bfp4,pages,q8_0}.wgsl",
    "../../../shaders/parts/{kv_factors,kv_own,kv_pages,kv_repair,kv_write}/*.wgsl",
  ],
  { query: "?raw", import: "default", eager: true },
);
