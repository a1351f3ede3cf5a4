// Random queries with window functions, each as a query object of ours and as SQL.
import type { OrderBy, Query, WindowCall } from '../../src-ts/index.ts'
import { type GeneratedQuery, QueryGenerator } from './query-generator.ts'
import type { QueryTable } from './query-tables.ts'

interface SaidWindow {
  ours: WindowCall
  sql: string
}

const rowFunctions = [
  ['rowNumber', 'row_number()'],
  ['rank', 'rank()'],
  ['denseRank', 'dense_rank()'],
] as const
const frameTexts = {
  range: '',
  rows: ' rows unbounded preceding',
  partition: ' rows between unbounded preceding and unbounded following',
} as const

export class WindowGenerator extends QueryGenerator {
  override next(): GeneratedQuery {
    const { random } = this
    const table = random.pick(this.tables)
    const windows: Record<string, WindowCall> = {}
    const list = ['id']
    for (let i = random.int(1, 3); i > 0; i--) {
      const { ours, sql } = this.#window(table)
      windows[`w${i}`] = ours
      list.push(`${sql} as w${i}`)
    }
    const query: Query = { from: table.name, columns: ['id'], windows }
    let sql = `select ${list.join(', ')} from ${table.name}`
    if (random.chance(0.5)) {
      const where = this.conditions(table, 2)
      query.where = where.ours
      sql += ` where ${where.sql}`
    }
    if (random.chance(0.6)) return { query, sql, compare: 'set' }
    query.orderBy = [{ column: 'w1', direction: 'desc' }, 'id']
    query.limit = random.pick([1, 20, 1000])
    return { query, sql: `${sql} order by w1 desc, id limit ${query.limit}`, compare: 'order' }
  }

  #window(table: QueryTable): SaidWindow {
    const { random } = this
    const [ours, called, isOfOrder] = this.#call(table)
    const frame = random.pick(['range', 'rows', 'partition'] as const)
    const partitionBy = Array.from(
      { length: random.int(0, 2) },
      () => random.pick(table.columns).name,
    )
    const keys = Array.from({ length: random.int(0, 2) }, () => random.pick(table.columns).name)
    // What depends on the order of peers needs one without any.
    if (isOfOrder || frame === 'rows') keys.push('id')
    const order = keys.map((column): { ours: OrderBy; sql: string } => {
      const direction = random.pick(['asc', 'desc'] as const)
      const nulls = random.pick(['first', 'last'] as const)
      return {
        ours: { column, direction, nulls },
        sql: `${column} ${direction} nulls ${nulls}`,
      }
    })
    const parts = [
      ...(partitionBy.length > 0 ? [`partition by ${partitionBy.join(', ')}`] : []),
      ...(order.length > 0 ? [`order by ${order.map(({ sql }) => sql).join(', ')}`] : []),
    ]
    return {
      ours: {
        ...ours,
        ...(partitionBy.length > 0 && { partitionBy }),
        ...(order.length > 0 && { orderBy: order.map((one) => one.ours) }),
        ...(frame !== 'range' && { frame }),
      },
      sql: `${called} over (${parts.join(' ')}${frameTexts[frame]})`,
    }
  }

  // A function, and whether it tells peers apart.
  #call(table: QueryTable): [WindowCall, string, boolean] {
    const { random } = this
    if (random.chance(0.4)) {
      const [name, sql] = random.pick(rowFunctions)
      return [{ [name]: true } as unknown as WindowCall, sql, name === 'rowNumber']
    }
    if (random.chance(0.3)) return [{ count: '*' }, 'count(*)', false]
    if (random.chance(0.3)) {
      const column = random.pick(table.columns).name
      const nth = random.int(1, 9)
      const [ours, sql] = random.pick([
        [{ firstValue: column }, `first_value(${column})`],
        [{ lastValue: column }, `last_value(${column})`],
        [{ nthValue: [column, nth] }, `nth_value(${column}, ${nth})`],
      ] as [WindowCall, string][])
      return [ours, sql, true]
    }
    const exact = table.columns.filter(({ type }) => /^(int|date|timestamp)/.test(type))
    const numbers = exact.filter(({ type }) => type.startsWith('int'))
    const name = random.pick(['count', 'sum', 'avg', 'min', 'max'] as const)
    const isSum = name === 'sum' || name === 'avg'
    const column = random.pick(isSum ? numbers : exact).name
    return [{ [name]: column } as unknown as WindowCall, `${name}(${column})`, false]
  }
}
