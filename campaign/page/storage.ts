// The storage page: hands orders to its worker and reports to the test. Each order gets the same worker, which dies with the tab.

import type { Answer, Order, Report } from "../protocol.ts";

interface FromWorker {
  readonly id?: number;
  readonly answer?: Answer<Order["act"]>;
  readonly report?: Report;
}

declare global {
  interface Window {
    /** Given by the test. */
    report?: (report: Report) => void;
    order: (order: Order) => Promise<Answer<Order["act"]>>;
  }
}

const worker = new Worker(new URL("./storage_worker.ts", import.meta.url), { type: "module" });
const waiting = new Map<number, (answer: Answer<Order["act"]>) => void>();

worker.addEventListener("message", ({ data }: MessageEvent<FromWorker>) => {
  if (data.report !== undefined) window.report?.(data.report);
  if (data.id !== undefined && data.answer !== undefined) waiting.get(data.id)?.(data.answer);
});
worker.addEventListener("error", (event) => {
  window.report?.({ what: "unhandled", message: event.message });
});

window.order = (order) =>
  new Promise((resolve) => {
    const id = waiting.size + 1;
    waiting.set(id, resolve);
    worker.postMessage({ id, order }, []);
  });
