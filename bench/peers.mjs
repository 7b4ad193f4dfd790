// Our engine against onnxruntime-web (WebGPU) on the same weights, in headless Chromium on the same machine, taking turns.
// `node bench/peers.mjs [--rounds=5]`; wants ../shared/peers, Python with numpy, an npm registry the first time, and silence.
import { execFile } from "node:child_process";
import { cpSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { findChromium } from "../scripts/find_chromium.mjs";
import { ensurePeerPackages, onnxruntimePackages, peerScripts, peersFolder } from "../scripts/peer_packages.mjs";
import { runInBrowser } from "./browser.mjs";
import { buildBench } from "./build.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const prefillTokens = 128;
const decodeTokens = 32;
/** From the issue: what our tokens per second must be of the peer's. */
const targets = { prefill: 1.3, decode: 15 };

const { values: flags } = parseArgs({ options: { rounds: { type: "string", default: "5" }, name: { type: "string", default: "peers" } } });

/** Canonical random weights, shape `small`, as GGUF for us and as ONNX for the peer. */
async function prepareModels() {
  const { runnerImport } = await import("vite");
  const { module } = await runnerImport(join(root, "src", "testing", "make_peer_model.ts"));
  const made = await module.makePeerModel(root, { shape: "small", arch: "qwen2", type: "q4_0" });
  if (made.reason) throw new Error(made.reason);
  mkdirSync(peersFolder, { recursive: true });
  const onnx = join(peersFolder, "onnx");
  if (!existsSync(onnx)) cpSync(join(peerScripts, "models", "onnx"), onnx, { recursive: true });
  return { gguf: join(root, ".cache", made.gguf), ref: join(root, ".cache", made.ref) };
}

/** One process: a warm-up run, then the counted one. */
async function runOurs({ gguf }) {
  const options = { sections: ["models"], models: [{ kind: "file", name: "small-qwen2-q4_0.gguf", path: gguf }] };
  const { result, browser } = await runInBrowser({ ...options, prefillTokens, decodeTokens, runs: 1 }, () => undefined);
  const [model] = result.models;
  const adapter = result.adapter.description || result.adapter.architecture;
  return { prefill: model.prefill.tokensPerSecond, decode: model.decode.tokensPerSecond, browser, adapter };
}

/** Likewise; with `ref` the peer also proves that its logits are right. */
async function runPeer({ ref }, prove) {
  const script = join(peerScripts, "ort_web.mjs");
  const args = ["--dir=onnx/small", "--hide=subgroups", `--prefill=${prefillTokens}`, `--decode=${decodeTokens}`, "--runs=2"];
  const env = { ...process.env, PEERS_DIR: peersFolder, CHROME: findChromium() };
  const options = { cwd: peersFolder, env, maxBuffer: 1 << 26, timeout: 900_000 };
  const { stdout } = await promisify(execFile)(process.execPath, [script, ...args, ...(prove ? [`--ref=${ref}`] : [])], options);
  const found = JSON.parse(stdout.split("\n").findLast((line) => line.startsWith("{")));
  if (found.error || !found.dc) throw new Error(`onnxruntime-web: ${found.error ?? stdout}`);
  if (prove && !found.greedyMatch) throw new Error(`onnxruntime-web's tokens are wrong (relative RMS ${found.cmp?.relRms})`);
  return { prefill: found.pf.at(-1), decode: found.dc.at(-1), version: found.version };
}

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

function summarize(rounds) {
  return Object.fromEntries(
    Object.entries(targets).map(([phase, target]) => {
      const [ours, peer] = ["ours", "peer"].map((side) => median(rounds.map((round) => round[side][phase])));
      return [phase, { ours, peer, ratio: ours / peer, target, reached: ours / peer >= target }];
    }),
  );
}

async function main() {
  const reason = ensurePeerPackages(onnxruntimePackages, (line) => console.error(`peers: ${line}`));
  if (reason) throw new Error(reason);
  const models = await prepareModels();
  await buildBench();
  const rounds = [];
  for (let round = 0; round < Number(flags.rounds); round++) {
    const load = loadavg()[0];
    const ours = await runOurs(models);
    const peer = await runPeer(models, round === 0);
    rounds.push({ ours, peer, loadAverage: load });
    const phases = Object.keys(targets).map((phase) => `${phase} ${ours[phase].toFixed(1)} / ${peer[phase].toFixed(2)}`);
    console.log(`round ${round + 1}: ${phases.join(", ")} tokens/s, load average before ${load.toFixed(2)}`);
  }
  const summary = summarize(rounds);
  for (const [phase, { ours, peer, ratio, target, reached }] of Object.entries(summary)) {
    const figures = `${ours.toFixed(1)} against ${peer.toFixed(2)} tokens/s, ratio ${ratio.toFixed(1)}`;
    console.log(`${phase}: ${figures}, wanted ${target}: ${reached ? "reached" : "NOT reached"}`);
  }
  const { browser, adapter } = rounds[0].ours;
  const peer = `onnxruntime-web ${rounds[0].peer.version} (WebGPU, subgroups hidden: with them its logits are wrong on this adapter)`;
  const host = { cores: cpus().length, cpu: cpus()[0]?.model ?? "" };
  const report = { date: new Date().toISOString(), browser, adapter, peer, host, prefillTokens, decodeTokens, summary, rounds };
  const file = join(root, "bench", "results", `${flags.name}.json`);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(report, undefined, 2)}\n`);
  console.log(file);
  return Object.values(summary).every(({ reached }) => reached) ? 0 : 1;
}

process.exit(await main());
