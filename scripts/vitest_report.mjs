// A Vitest reporter that keeps a tally in the file SHADERLOOM_REPORT names. Rewritten after every test file, so that a run
// that is killed has still counted what it finished.
import { writeFileSync } from "node:fs";

export default class TallyReporter {
  constructor() {
    this.file = process.env.SHADERLOOM_REPORT;
    this.tally = { passed: 0, failed: 0, skipped: 0, skips: [], failures: [] };
    this.save();
  }

  save() {
    writeFileSync(this.file, JSON.stringify(this.tally));
  }

  fail(name) {
    this.tally.failed += 1;
    this.tally.failures.push(name);
  }

  onTestModuleEnd(module) {
    for (const test of module.children.allTests()) {
      const name = `${module.relativeModuleId} > ${test.fullName}`;
      const { state, note } = test.result();
      if (state === "passed") this.tally.passed += 1;
      else if (state === "failed") this.fail(name);
      else {
        this.tally.skipped += 1;
        this.tally.skips.push({ name, reason: note ?? "its title says why" });
      }
    }
    const suites = [...module.children.allSuites()];
    for (const broken of [module, ...suites].filter((at) => at.errors().length > 0)) this.fail(broken.fullName ?? module.relativeModuleId);
    this.save();
  }

  onTestRunEnd(_modules, unhandled) {
    for (const error of unhandled) this.fail(`unhandled error: ${error.message}`);
    this.tally.ended = true;
    this.save();
  }
}
