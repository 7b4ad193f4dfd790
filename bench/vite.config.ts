// The bench as one plain file, bench.js, that runs in a page and in Node.
import { join } from "node:path";
import type { UserConfig } from "vite";
import { compactShaders, keepWorkerEntry, portableTokenizers } from "../scripts/vite_plugins.ts";

const root = join(import.meta.dirname, "..");

const config: UserConfig = {
  root,
  base: "./",
  logLevel: "warn",
  publicDir: false,
  // The bench runs engines in its own thread, so the worker's address may point nowhere.
  plugins: [compactShaders(), portableTokenizers(), keepWorkerEntry()],
  build: {
    outDir: join(root, "dist", "bench"),
    emptyOutDir: true,
    target: "es2023",
    minify: false,
    chunkSizeWarningLimit: 10_000,
    lib: { entry: { bench: join(root, "bench", "suite.ts") }, formats: ["es"] },
    rolldownOptions: { output: { entryFileNames: "[name].js", codeSplitting: false } },
  },
};

export default config;
