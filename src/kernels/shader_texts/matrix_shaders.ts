// Texts of shaders/ for adapters that multiply small matrices in hardware. A lazy chunk, opened by ../shader_files.ts.

/** By their paths from here. */
export const modules: Record<string, string> = import.meta.glob("../../../shaders/gemm_subgroup_matrix.wgsl", {
  query: "?raw",
  import: "default",
  eager: true,
});
