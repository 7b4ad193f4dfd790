// The door to conversations beyond the GPU: what does the work is fetched with the first call, as most sessions never ask.

import type { KeyParts } from "./engine_key.ts";
import type { StoreOptions } from "./session.ts";
import type { Snapshots, SnapshotParts } from "./snapshots.ts";
import type { Conversations } from "./snapshot_types.ts";

/** What a load knows of it. */
export interface SavingParts {
  readonly store: StoreOptions;
  /** See `KeyParts`. */
  readonly origin: readonly string[] | undefined;
}

export interface ConversationParts extends Omit<SnapshotParts, "key" | "openStore"> {
  readonly saving: SavingParts;
  readonly keyParts: Omit<KeyParts, "origin">;
}

/** Conversations of a session, and the end of them. */
export interface OpenConversations extends Conversations {
  /** Closes the store and forgets what is suspended. */
  close(): void;
}

async function openSnapshots({ saving, keyParts, ...parts }: ConversationParts): Promise<Snapshots> {
  const { Snapshots: Opened } = await import("./snapshots.ts");
  return new Opened({
    ...parts,
    key: async () => (await import("./engine_key.ts")).engineKey({ ...keyParts, origin: saving.origin }),
    openStore: async () => (await import("../store/session_store.ts")).openSessionStore(saving.store),
  });
}

export function openConversations(parts: ConversationParts): OpenConversations {
  let opened: Promise<Snapshots> | undefined;
  const open = (): Promise<Snapshots> => {
    const snapshots = opened ?? openSnapshots(parts);
    opened = snapshots;
    // A script that did not come may come the next time.
    snapshots.catch(() => (opened = undefined));
    return snapshots;
  };
  const run = async <T>(use: (snapshots: Snapshots) => Promise<T>): Promise<T> => {
    parts.check();
    return use(await open());
  };
  return {
    save: (options) => run((snapshots) => snapshots.save(options)),
    load: (id, signal) => run((snapshots) => snapshots.load(id, signal)),
    list: () => run((snapshots) => snapshots.list()),
    delete: (id) => run((snapshots) => snapshots.delete(id)),
    suspend: (id, signal) => run((snapshots) => snapshots.suspend(id, signal)),
    resume: (id, signal) => run((snapshots) => snapshots.resume(id, signal)),
    export: (signal) => run((snapshots) => snapshots.export(signal)),
    import: (bytes, signal) => run((snapshots) => snapshots.import(bytes, signal)),
    close: () => {
      opened?.then((snapshots) => snapshots.close()).catch(() => undefined);
    },
  };
}
