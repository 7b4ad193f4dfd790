// Texts of shaders/ that only CPU drivers use. A lazy chunk, opened by ../shader_files.ts.

/** By their paths from here. */
export const modules: Record<string, string> = import.meta.glob(
  [
    "../../../shaders/*_cpu.wgsl",
    "!../../../shaders/rms_norm_codes_cpu.wgsl",
    "!../../../shaders/neuron_*_cpu.wgsl",
    "../../../shaders/parts/attend/{four,two}.wgsl",
    "../../../shaders/parts/{columns/two,columns/four,columns/eight,queries/store}.wgsl",
  ],
  { query: "?raw", import: "default", eager: true },
);
