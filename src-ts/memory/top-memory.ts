// The roots of this thread's tree of memory contexts. PostgreSQL has one tree for each backend; here a thread has many
// sessions, each of which is a child of the top.
import { AllocSet } from './alloc-set.ts'
import { smallSizes } from './growing-context.ts'

export const topMemoryContext = new AllocSet(undefined, 'TopMemoryContext', smallSizes)

/** What belongs to no session: above all what caches read to fill themselves. */
export const cacheMemoryContext = new AllocSet(topMemoryContext, 'CacheMemoryContext', smallSizes)
