// The text of every file in shaders/, by its path below that folder, but for what comes with its user, as a model may never need it:
// the parts of weight formats (formats/format.ts) and the kernel of peaks (peak.ts).

const modules: Record<string, string> = import.meta.glob(
  ["../../shaders/**/*.wgsl", "!../../shaders/parts/weight/*.wgsl", "!../../shaders/peak.wgsl", "!../../shaders/parts/peak/*.wgsl"],
  { query: "?raw", import: "default", eager: true },
);

/** `gemv.wgsl` -> its text. */
export const shaderFiles: ReadonlyMap<string, string> = new Map(
  Object.entries(modules).map(([path, text]) => [path.replace("../../shaders/", ""), text]),
);
