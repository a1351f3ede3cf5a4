// NativeMemory: what native code holds for a while, as a node of the tree of memory contexts. Only shown: its bytes count in
// no limit of a context above, and nothing is allocated from it here.
import { PgError } from '../errors/pg-error.ts'
import { MemoryContext, type MemoryStatistics } from './memory-context.ts'

function refuse(): never {
  throw new PgError('XX000', 'memory of native code cannot be allocated here')
}

export class NativeMemory extends MemoryContext {
  // As what native code has it from gives it back: all at once.
  override readonly type = 'Bump'
  override readonly method = 0
  readonly #held: () => number

  /** `held`: bytes that native code holds now. */
  constructor(parent: MemoryContext, name: string, held: () => number) {
    super(parent, name, {})
    this.#held = held
  }

  override statistics(): MemoryStatistics {
    const bytes = this.#held()
    return {
      nblocks: bytes > 0 ? 1 : 0,
      freechunks: 0,
      totalspace: bytes,
      freespace: 0,
      used: bytes,
    }
  }

  override check(): void {}
  override palloc = refuse
  override tryPalloc = refuse
  override freeChunk = refuse
  override resizeChunk = refuse
  override chunkSpace = refuse
  protected override clear(): void {}
  protected override releaseAll(): void {}
}
