// Builds the bench into dist/bench: bench.js, one plain JavaScript file, and the page that runs it. A GPU machine without a
// package registry needs nothing else but Dawn: `node bench/run.mjs --node --no-build`.
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

export const benchFolder = join(root, "dist", "bench");

const page = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Shaderloom bench</title>
<link rel="icon" href="data:,">
<p>Driven by bench/run.mjs.</p>
</html>
`;

export async function buildBench() {
  const { build } = await import("vite");
  await build({ configFile: join(root, "bench", "vite.config.ts") });
  writeFileSync(join(benchFolder, "index.html"), page);
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) await buildBench();
