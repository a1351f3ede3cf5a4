// The memory contexts of sessions, found by their native session: where scans take their batches from.
import type { NativeSession } from '../binding/native.ts'
import { AllocSet } from '../memory/alloc-set.ts'
import { smallSizes } from '../memory/growing-context.ts'
import type { MemoryContext } from '../memory/memory-context.ts'
import { cacheMemoryContext, topMemoryContext } from '../memory/top-memory.ts'

const portals = new WeakMap<NativeSession, MemoryContext>()

/** Makes the contexts of a session: its own, and in it that of its portals. */
export function openSessionMemory(session: NativeSession, ident: string): MemoryContext {
  const context = new AllocSet(topMemoryContext, 'SessionContext', { ...smallSizes, ident })
  portals.set(session, new AllocSet(context, 'TopPortalContext', smallSizes))
  return context
}

/** Deletes the contexts of a session. Scans whose last rows nobody has taken yet keep theirs until then. */
export function closeSessionMemory(session: NativeSession): void {
  const topPortal = portals.get(session)
  if (topPortal === undefined) return
  portals.delete(session)
  for (const portal of [...topPortal.children()]) portal.setParent(cacheMemoryContext)
  topPortal.parent?.delete()
}

/** Where the scans of a session have their contexts; those that caches begin for themselves have no session. */
export function portalParent(session: NativeSession): MemoryContext {
  return portals.get(session) ?? cacheMemoryContext
}
