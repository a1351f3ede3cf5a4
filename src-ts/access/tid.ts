// Tid: the address of a row.

/** A row's block and the number of its line pointer in it, from 1 (PostgreSQL's ctid). */
export interface Tid {
  block: number
  offset: number
}
