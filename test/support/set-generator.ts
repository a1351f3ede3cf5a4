// Random set operations, each as a query object of ours and as SQL.
import type { Query } from '../../src-ts/index.ts'
import { type GeneratedQuery, QueryGenerator } from './query-generator.ts'
import type { QueryColumn } from './query-tables.ts'

interface Operand {
  query: Query
  sql: string
  /** What equal values of its columns look like is left open. */
  isOpen: boolean
}

const widths = ['int2', 'int4', 'int8', 'float4', 'float8']

// Which of two equal values is given, depends on the plan.
function looksDifferent({ type }: QueryColumn): boolean {
  return type.startsWith('numeric') || type === 'float8'
}

// Whether a column may stand beside all others that may, without a cast that we do not have.
function goesWith(wanted: QueryColumn, { type }: QueryColumn): boolean {
  if (type === wanted.type) return true
  if (widths.includes(wanted.type)) return widths.includes(type)
  const areTexts = [type, wanted.type].every((one) => one === 'text' || one.startsWith('varchar'))
  const isNumeric = wanted.type.startsWith('numeric')
  return areTexts || (isNumeric && (type.startsWith('numeric') || type.startsWith('int')))
}

function isUnlike(wanted: QueryColumn, { type, family }: QueryColumn): boolean {
  return family !== wanted.family || (family === 'other' && type !== wanted.type)
}

export class SetGenerator extends QueryGenerator {
  override next(): GeneratedQuery {
    const { random } = this
    const columns = this.#columns()
    const { query, sql, isOpen } = this.#operation(columns, 2)
    if (isOpen) return { query, sql, compare: 'count' }
    if (!random.chance(0.4)) return { query, sql, compare: 'set' }
    // By all columns, so that only rows that are alike may change places.
    const names = columns.map((_, i) => `n${i}`)
    const limit = random.chance(0.5) ? random.pick([0, 1, 12, 500, 100_000]) : undefined
    const offset = random.chance(0.3) ? random.pick([0, 2, 300]) : 0
    return {
      query: {
        ...query,
        orderBy: names.map((column, i) => ({ column, direction: i % 2 === 0 ? 'asc' : 'desc' })),
        ...(limit !== undefined && { limit }),
        ...(offset > 0 && { offset }),
      },
      sql: `${sql} order by ${names.map((name, i) => `${name}${i % 2 === 0 ? '' : ' desc'}`).join(', ')}${
        limit === undefined ? '' : ` limit ${limit}`
      }${offset > 0 ? ` offset ${offset}` : ''}`,
      compare: columns.some(looksDifferent) ? 'count' : 'order',
    }
  }

  // Of the result: one column of some table each.
  #columns(): QueryColumn[] {
    const table = this.random.pick(this.tables)
    // A text does not become a char(6) with us.
    const columns = table.columns.filter(({ type }) => !type.startsWith('char'))
    return Array.from({ length: this.random.int(1, 3) }, () => this.random.pick(columns))
  }

  #operation(columns: readonly QueryColumn[], depth: number): Operand {
    const { random } = this
    const kind = random.pick(['union', 'union', 'intersect', 'except'] as const)
    const all = random.chance(0.5)
    const operands = Array.from({ length: random.int(2, 3) }, () => this.#operand(columns, depth))
    const queries = operands.map(({ query }) => query)
    const query = { [kind]: queries, ...(all && { all }) } as unknown as Query
    const word = ` ${kind}${all ? ' all' : ''} `
    const isMerged = kind !== 'union' || !all
    return {
      query,
      sql: operands.map(({ sql }) => `(${sql})`).join(word),
      isOpen: operands.some(({ isOpen }) => isOpen) || (isMerged && columns.some(looksDifferent)),
    }
  }

  #operand(columns: readonly QueryColumn[], depth: number): Operand {
    const { random } = this
    if (depth > 0 && random.chance(0.25)) return this.#operation(columns, depth - 1)
    const fit = this.tables.filter((table) =>
      columns.every((wanted) => table.columns.some((one) => goesWith(wanted, one))),
    )
    const table = random.pick(random.chance(0.9) ? fit : this.tables)
    const chosen = columns.map((wanted) => {
      const isWrong = random.chance(0.02)
      const usable = table.columns.filter((column) =>
        (isWrong ? isUnlike : goesWith)(wanted, column),
      )
      return usable.length === 0 || random.chance(0.04) ? undefined : random.pick(usable).name
    })
    const query: Query = {
      from: table.name,
      columns: chosen.map((name, i) =>
        name === undefined ? { as: `n${i}`, value: null } : { as: `n${i}`, column: name },
      ),
    }
    const isDistinct = random.chance(0.15)
    if (isDistinct) query.distinct = true
    const list = chosen.map((name, i) => `${name ?? 'null'} as n${i}`).join(', ')
    let sql = `select ${isDistinct ? 'distinct ' : ''}${list} from ${table.name}`
    if (random.chance(0.6)) {
      const where = this.conditions(table, 2)
      query.where = where.ours
      sql += ` where ${where.sql}`
    }
    const isLimited = !isDistinct && random.chance(0.1)
    if (isLimited) {
      query.orderBy = ['id']
      query.limit = random.int(0, 60)
      sql += ` order by id limit ${query.limit}`
    }
    const isOpen =
      isDistinct &&
      chosen.some((name) => table.columns.some((one) => one.name === name && looksDifferent(one)))
    return { query, sql, isOpen }
  }
}
