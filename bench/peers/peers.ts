// peers: who is compared, in the order in which they take turns. A name is that of the peer's file, which only the
// process that measures it loads.
import type { Peer } from './peer.ts'

export const peerNames = [
  'pgdata',
  'better-sqlite3',
  'lmdb',
  'classic-level',
  'duckdb',
  'pglite',
  'postgres',
]

export async function loadPeer(name: string): Promise<Peer> {
  // Of the bundle that the runner makes.
  const { peer } = (await import(new URL(`./${name}.js`, import.meta.url).href)) as { peer: Peer }
  return peer
}
