// Whether this Node can run Vite. Without the question an old Node shows itself by a stack trace from inside Vite.

/** Vite's own bounds: ^20.19 || >=22.12. @returns what to do, or undefined when the version is enough */
export function nodeProblem(version) {
  const [major, minor] = version.split(".").map(Number);
  if ((major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major > 22) return undefined;
  return `Node ${version} is not one that Vite runs on: install Node 20.19, 22.12 or newer.`;
}

/** Ends the process with one sentence when its Node is too old. */
export function requireNode() {
  const problem = nodeProblem(process.versions.node);
  if (problem === undefined) return;
  console.error(problem);
  process.exit(1);
}
