// Random statements that change rows, each as a request of ours and as SQL.
import type {
  Assignments,
  DeleteRequest,
  InsertRequest,
  Returning,
  UpdateRequest,
} from '../../src-ts/index.ts'
import { QueryGenerator, type Said } from './query-generator.ts'
import type { QueryTable } from './query-tables.ts'

export type GeneratedChange = { table: string; sql: string } & (
  | { kind: 'insert'; rows: Record<string, unknown>[]; request: InsertRequest }
  | { kind: 'update'; request: UpdateRequest }
  | { kind: 'delete'; request: DeleteRequest }
)

export class ChangeGenerator extends QueryGenerator {
  nextChange(): GeneratedChange {
    if (this.random.chance(0.3)) return this.insert()
    return this.random.chance(0.7) ? this.update() : this.delete()
  }

  // Rows of which some are there; at most one has a key of another one, so that it is not chance which of them stays.
  private insert(): GeneratedChange {
    const { random } = this
    const table = random.pick(this.tables)
    const columns = table.columns.filter(({ name }) => name === 'id' || random.chance(0.6))
    const rows: Record<string, unknown>[] = []
    const tuples: string[] = []
    for (let n = random.int(1, 8); n > 0; n--) {
      const given = columns.map(({ name, ...column }) => {
        if (name === 'id') {
          const id = random.int(1, random.pick([30, 1200]))
          return { name, ours: id as unknown, sql: String(id) }
        }
        const value = this.literalOf({ name, ...column })
        return random.chance(0.1) ? { name, ours: null, sql: 'null' } : { name, ...value }
      })
      rows.push(Object.fromEntries(given.map(({ name, ours }) => [name, ours])))
      tuples.push(`(${given.map(({ sql }) => sql).join(', ')})`)
    }
    const request: InsertRequest = {}
    let sql = `insert into ${table.name} as t (${columns.map(({ name }) => name).join(', ')}) values ${tuples.join(', ')}`
    if (random.chance(0.3)) {
      request.onConflict = random.pick(['do nothing', { columns: ['id'] }] as const)
      sql += ` on conflict ${request.onConflict === 'do nothing' ? '' : '(id) '}do nothing`
    } else if (random.chance(0.8)) {
      const set = this.excludedAssignments(table)
      request.onConflict = { columns: ['id'], update: set.ours }
      sql += ` on conflict (id) do update set ${set.sql}`
      if (random.chance(0.4)) {
        request.onConflict.where = { '>=': ['k', { excluded: 'k' }] }
        sql += ' where t.k >= excluded.k'
      }
    }
    return { table: table.name, kind: 'insert', rows, ...this.returning(table, request, sql) }
  }

  private excludedAssignments(table: QueryTable): Said<Assignments> {
    const { random } = this
    const columns = table.columns.filter(({ name }) => name !== 'id')
    const ours: Record<string, unknown> = { k: { add: ['k', { excluded: 'id' }] } }
    const sql = ['k = t.k + excluded.id']
    for (const { name, family } of columns.filter(() => random.chance(0.2))) {
      if (name === 'k') continue
      const adds = family === 'number' && random.chance(0.5)
      ours[name] = adds ? { subtract: [name, { excluded: name }] } : { excluded: name }
      sql.push(`${name} = ${adds ? `t.${name} - excluded.${name}` : `excluded.${name}`}`)
    }
    return { ours, sql: sql.join(', ') }
  }

  private update(): GeneratedChange {
    const table = this.random.pick(this.tables)
    const set = this.assignments(table)
    const request: UpdateRequest = { set: set.ours }
    let sql = `update ${table.name} set ${set.sql}`
    if (this.random.chance(0.9)) {
      const where = this.conditions(table, 2)
      request.where = where.ours
      sql += ` where ${where.sql}`
    }
    return { table: table.name, kind: 'update', ...this.returning(table, request, sql) }
  }

  private delete(): GeneratedChange {
    const table = this.random.pick(this.tables)
    const where = this.conditions(table, 2)
    const sql = `delete from ${table.name} where ${where.sql}`
    return {
      table: table.name,
      kind: 'delete',
      ...this.returning<DeleteRequest>(table, { where: where.ours }, sql),
    }
  }

  private returning<R extends { returning?: Returning }>(
    table: QueryTable,
    request: R,
    sql: string,
  ) {
    if (this.random.chance(0.3)) return { request, sql }
    if (this.random.chance(0.2)) {
      return { request: { ...request, returning: '*' as const }, sql: `${sql} returning *` }
    }
    const columns = this.outputColumns(table, false)
    return {
      request: { ...request, returning: columns.map(({ ours }) => ours) },
      sql: `${sql} returning ${columns.map((one) => one.sql).join(', ')}`,
    }
  }

  // At most one of them is computed: of two that fail, which one is told is chance.
  private assignments(table: QueryTable): Said<Assignments> {
    const { random } = this
    const ours: Record<string, unknown> = {}
    const sql: string[] = []
    let computes = random.chance(0.7)
    const columns = table.columns.filter(({ name }) => name !== 'id')
    for (const column of new Set(Array.from({ length: 3 }, () => random.pick(columns)))) {
      if (computes && column.family === 'number') {
        computes = false
        const { ours: expression, sql: said } = this.number(table, 2, true)
        // A number by itself is a constant, which a whole column takes no fraction of.
        const computed = typeof expression === 'number' ? { add: [expression, 0] } : expression
        ours[column.name] = typeof computed === 'string' ? { column: computed } : computed
        sql.push(`${column.name} = ${typeof expression === 'number' ? `${said} + 0` : said}`)
        continue
      }
      const value = random.chance(0.2) ? { ours: null, sql: 'null' } : this.literalOf(column)
      ours[column.name] = value.ours
      sql.push(`${column.name} = ${value.sql}`)
    }
    // Which of two keys is met first is chance as well.
    const isComputed = Object.values(ours).some((value) => typeof value === 'object' && value)
    if (!isComputed && random.chance(0.25)) {
      const by = random.pick([0, 10_000])
      ours.id = { add: ['id', by] }
      sql.push(`id = id + ${by}`)
    }
    return { ours, sql: sql.join(', ') }
  }
}
