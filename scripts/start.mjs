// `npm start`: installs what is missing, builds the chat page, serves it on localhost and opens a browser where there is a display.
// `npm start -- --no-open` leaves the browser alone; PORT chooses the port.
import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { serve } from "./serve.mjs";
import { ensurePackages, root } from "./setup.mjs";

function build() {
  const vite = join(root, "node_modules", "vite", "bin", "vite.js");
  const done = spawnSync(process.execPath, [vite, "build", "--logLevel", "warn"], { cwd: root, stdio: "inherit" });
  if (done.status !== 0) throw new Error("the page could not be built");
}

function hasDisplay() {
  if (process.platform !== "linux") return !process.env.SSH_CONNECTION;
  return Boolean(process.env.DISPLAY || process.env.WAYLAND_DISPLAY);
}

/** A missing opener is no failure: the address is printed anyway. */
function openBrowser(address) {
  const openers = { darwin: ["open", [address]], win32: ["cmd", ["/c", "start", "", address]] };
  const [command, args] = openers[process.platform] ?? ["xdg-open", [address]];
  spawn(command, args, { stdio: "ignore", detached: true })
    .on("error", () => console.log("open the address above in a browser with WebGPU"))
    .unref();
}

ensurePackages();
build();
const { address } = await serve({ port: Number(process.env.PORT ?? 4173), tries: 20 });
console.log(`Shaderloom's chat page: ${address}   (Ctrl+C stops it)`);
if (!process.argv.includes("--no-open") && hasDisplay()) openBrowser(address);
