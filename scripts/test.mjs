// `npm test`: installs what is missing and runs every check. Its last line is `N passed, N failed, N skipped`.
// `node scripts/test.mjs check unit …` runs only the named phases or groups; each static check counts as one test.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { emptyTally, runCheck, runTests } from "./phases.mjs";
import { ensurePackages, ensureTestMachine, root } from "./setup.mjs";

const bin = (name, file) => join("node_modules", name, file);
const vitest = bin("vitest", "vitest.mjs");
const names = process.argv.slice(2);

function vitestPhase(project, seconds, { name = project, files = [], env = {} } = {}) {
  return {
    name,
    run: runTests,
    seconds,
    command: [
      vitest,
      "run",
      "--project",
      project,
      ...files,
      "--reporter=default",
      `--reporter=${join(root, "scripts", "vitest_report.mjs")}`,
    ],
    env: (file) => ({ SHADERLOOM_REPORT: file, ...env }),
    read: (tally) => tally,
  };
}

/** Playwright's JSON holds suites in suites; a test's last result decides. */
function readPlaywright(report) {
  const tally = emptyTally();
  const visit = (suite) => {
    for (const spec of suite.specs ?? []) {
      for (const test of spec.tests) {
        const name = `${spec.file} > ${spec.title}`;
        if (test.status === "skipped") {
          tally.skipped += 1;
          tally.skips.push({ name, reason: test.annotations.find((note) => note.type === "skip")?.description ?? "its title says why" });
        } else if (test.status === "expected") tally.passed += 1;
        else {
          tally.failed += 1;
          tally.failures.push(name);
        }
      }
    }
    for (const inner of suite.suites ?? []) visit(inner);
  };
  for (const suite of report.suites) visit(suite);
  for (const error of report.errors ?? []) {
    tally.failed += 1;
    tally.failures.push(error.message?.split("\n")[0] ?? "error outside a test");
  }
  return tally;
}

function playwrightPhase(name, { seconds, select, env }) {
  return {
    name,
    run: runTests,
    seconds,
    command: [bin("@playwright/test", "cli.js"), "test", ...select, "--reporter=list,json"],
    env: (file) => ({ PLAYWRIGHT_JSON_OUTPUT_NAME: file, ...env }),
    read: readPlaywright,
  };
}

const e2e = playwrightPhase("e2e", { seconds: 720, select: ["--project", "e2e"], env: {} });
/** The full one is `npm run campaign`. */
const campaign = playwrightPhase("campaign", { seconds: 300, select: ["--config", "campaign"], env: { SHADERLOOM_CAMPAIGN: "short" } });

const check = [
  { name: "types", run: runCheck, command: [bin("typescript", "bin/tsc"), "--noEmit"] },
  { name: "lint", run: runCheck, command: [bin("oxlint", "bin/oxlint"), "--type-aware", "--deny-warnings"] },
  { name: "format", run: runCheck, command: [bin("oxfmt", "bin/oxfmt"), "--check"] },
  { name: "knip", run: runCheck, command: [bin("knip", "bin/knip.js")] },
];

const vite = bin("vite", "bin/vite.js");
const build = [
  { name: "page", run: runCheck, command: [vite, "build", "--logLevel", "warn"] },
  { name: "lib", run: runCheck, command: [vite, "build", "--mode", "lib", "--logLevel", "warn"] },
  { name: "declarations", run: runCheck, command: [bin("typescript", "bin/tsc"), "-p", "tsconfig.lib.json"] },
  { name: "publint", run: runCheck, command: [bin("publint", "src/cli.js"), "--strict"] },
  { name: "size", run: runCheck, command: [join("scripts", "size.mjs")], printAlways: true },
];

const unit = vitestPhase("unit", 420);
/** Both wait on one thread for the most part, so on two cores they run beside each other. */
const gpu = [vitestPhase("chromium", 3300), { ...vitestPhase("lavapipe", 3300), beside: true }];
/** Every variant of every weight type, and attention with every combination: hours on adapters that are programs. */
const products = ["chromium", "lavapipe"].map((project) =>
  vitestPhase(project, 6 * 3600, {
    name: `products-${project}`,
    files: ["src/kernels/products.gpu.test.ts", "src/kernels/attention_rules.gpu.test.ts"],
    env: { VITE_SHADERLOOM_PRODUCTS: "full" },
  }),
);

const groups = { check, unit: [unit], gpu, build, e2e: [e2e], campaign: [campaign] };
const onRequest = { products };

function choosePhases(wanted) {
  const all = Object.values(groups).flat();
  const known = [...all, ...Object.values(onRequest).flat()];
  const named = { ...groups, ...onRequest };
  const chosen = wanted.length === 0 ? all : wanted.flatMap((name) => named[name] ?? known.filter((phase) => phase.name === name));
  const specs = existsSync(join(root, "e2e")) ? readdirSync(join(root, "e2e")).filter((file) => /(?<!perf)\.spec\.ts$/.test(file)) : [];
  return chosen.filter((phase) => phase !== e2e || specs.length > 0);
}

const clock = () => new Date().toTimeString().slice(0, 8);

async function runPhase(phase, quiet) {
  const began = Date.now();
  console.log(`[${clock()}] ${phase.name} …`);
  const tally = await phase.run({ ...phase, quiet });
  const seconds = ((Date.now() - began) / 1000).toFixed(1);
  console.log(`[${clock()}] ${phase.name}: ${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped (${seconds} s)`);
  return tally;
}

/** A phase that runs beside the one before it keeps its output until it has ended. */
async function runPhases(phases) {
  const total = emptyTally();
  for (let at = 0; at < phases.length;) {
    const phase = phases[at++];
    const together = [runPhase(phase, false)];
    while (phases[at]?.beside) together.push(runPhase(phases[at++], true));
    for (const [index, tally] of (await Promise.all(together)).entries()) {
      for (const key of ["passed", "failed", "skipped"]) total[key] += tally[key];
      const { name } = phases[at - together.length + index];
      total.skips.push(...tally.skips.map((skip) => ({ ...skip, name: `${name}: ${skip.name}` })));
      total.failures.push(...tally.failures);
    }
  }
  return total;
}

/** Skips of one reason are told together: forty tests without a driver are one fact. */
function printSkips(skips) {
  const byReason = new Map();
  for (const { name, reason } of skips) byReason.set(reason, [...(byReason.get(reason) ?? []), name]);
  for (const [reason, tests] of byReason) {
    console.log(`skipped, ${reason}: ${tests.length} test(s)`);
    for (const name of tests.slice(0, 8)) console.log(`  ${name}`);
    if (tests.length > 8) console.log(`  and ${tests.length - 8} more`);
  }
}

const needsMachine = names.length === 0 || names.some((name) => /^(gpu|chromium|lavapipe|e2e|campaign|products.*)$/.test(name));
if (needsMachine) ensureTestMachine();
else ensurePackages();

const total = await runPhases(choosePhases(names));
printSkips(total.skips);
for (const failure of total.failures) console.log(`failed: ${failure}`);
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed > 0 ? 1 : 0;
