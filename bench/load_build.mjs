// Builds the load bench into dist/bench_load: its page, its worker, and the package's worker for loads by the public door.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

export const loadBenchFolder = join(root, "dist", "bench_load");

const page = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Shaderloom load bench</title>
<link rel="icon" href="data:,">
<p>Driven by bench/load.mjs.</p>
</html>
`;

export async function buildLoadBench() {
  const { build, runnerImport } = await import("vite");
  const { module } = await runnerImport(join(root, "scripts", "vite_plugins.ts"));
  await build({
    configFile: false,
    root,
    base: "./",
    logLevel: "warn",
    publicDir: false,
    plugins: [module.compactShaders(), module.portableTokenizers(), module.keepWorkerEntry()],
    build: {
      outDir: loadBenchFolder,
      emptyOutDir: true,
      target: "es2023",
      minify: false,
      chunkSizeWarningLimit: 10_000,
      lib: {
        entry: {
          load_page: join(root, "bench", "load_page.ts"),
          load_worker: join(root, "bench", "load_worker.ts"),
          worker: join(root, "src", "worker", "entry.ts"),
        },
        formats: ["es"],
      },
      rolldownOptions: { output: { entryFileNames: "[name].js", chunkFileNames: "chunks/[name].js" } },
    },
  });
  mkdirSync(loadBenchFolder, { recursive: true });
  writeFileSync(join(loadBenchFolder, "index.html"), page);
}
