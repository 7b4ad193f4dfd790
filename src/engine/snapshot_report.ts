// What is told of saved, suspended and loaded conversations.

import type { SessionStore, StoredSession } from "../store/session_store.ts";
import { checkTarget, type RecordNames, type SnapshotFacts, type SnapshotTarget } from "./snapshot_facts.ts";
import type { SavedSession, SessionTransfer } from "./snapshot_types.ts";

export function fits(facts: SnapshotFacts, target: SnapshotTarget): boolean {
  try {
    checkTarget(facts, target);
    return true;
  } catch {
    return false;
  }
}

export function described(
  session: StoredSession,
  facts: SnapshotFacts,
  { store, usable }: { store: SessionStore; usable: boolean },
): SavedSession {
  const bytes = session.records.reduce((sum, record) => sum + record.bytes, 0);
  return { id: session.id, model: facts.model, savedAt: session.savedAt, tokens: facts.ids.length, bytes, tier: store.tier, usable };
}

export function transferOf(
  { records }: StoredSession,
  { movedPages }: Pick<SessionTransfer, "movedPages">,
  started: number,
): Omit<SessionTransfer, "tokens"> {
  return { pages: records.length, movedPages, ms: performance.now() - started };
}

export function counted(tokens: number, { pages, rest }: RecordNames, movedPages: number, started: number): SessionTransfer {
  return { tokens, pages: pages.length + (rest === undefined ? 0 : 1), movedPages, ms: performance.now() - started };
}
