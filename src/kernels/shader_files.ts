// The text of every file in shaders/, by its path below that folder, but for the parts of weight formats: those come with
// their format (formats/format.ts).

const modules: Record<string, string> = import.meta.glob(["../../shaders/**/*.wgsl", "!../../shaders/parts/weight/*.wgsl"], {
  query: "?raw",
  import: "default",
  eager: true,
});

/** `gemv.wgsl` -> its text. */
export const shaderFiles: ReadonlyMap<string, string> = new Map(
  Object.entries(modules).map(([path, text]) => [path.replace("../../shaders/", ""), text]),
);
