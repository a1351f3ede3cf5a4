// Random queries with window functions, each as a query object of ours and as SQL.
import type { FrameBound, OrderBy, Query, WindowCall, WindowFrame } from '../../src-ts/index.ts'
import { type GeneratedQuery, QueryGenerator } from './query-generator.ts'
import type { QueryTable } from './query-tables.ts'

interface SaidFrame {
  ours: NonNullable<WindowCall['frame']>
  sql: string
  /** It tells peers apart. */
  isOfOrder: boolean
}

interface SaidWindow {
  ours: WindowCall
  sql: string
}

const rowFunctions = [
  ['rowNumber', 'row_number()'],
  ['rank', 'rank()'],
  ['denseRank', 'dense_rank()'],
] as const
const shares = [
  ['percentRank', 'percent_rank()'],
  ['cumeDist', 'cume_dist()'],
] as const
const exclusions = ['current row', 'group', 'ties'] as const
const frameTexts = {
  range: '',
  rows: ' rows unbounded preceding',
  partition: ' rows between unbounded preceding and unbounded following',
} as const

function isOfNumbers({ type }: { type: string }): boolean {
  return /^(int|numeric|float)/.test(type)
}

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
    const partitionBy = Array.from(
      { length: random.int(0, 2) },
      () => random.pick(table.columns).name,
    )
    const distances = random.chance(0.1) ? table.columns.filter(isOfNumbers) : []
    const isOfDistance = distances.length > 0 && !isOfOrder
    const keys = isOfDistance
      ? [random.pick(distances).name]
      : Array.from({ length: random.int(0, 2) }, () => random.pick(table.columns).name)
    const frame = isOfDistance ? this.#range() : this.#frame(keys.length > 0)
    // What depends on the order of peers needs one without any.
    if (isOfOrder || frame.isOfOrder) keys.push('id')
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
        ...(frame.ours !== 'range' && { frame: frame.ours }),
      },
      sql: `${called} over (${parts.join(' ')}${frame.sql})`,
    }
  }

  // Any frame but ranges with distances; `hasOrder`: there are keys.
  #frame(hasOrder: boolean): SaidFrame {
    const { random } = this
    if (random.chance(0.5)) {
      const frame = random.pick(['range', 'rows', 'partition'] as const)
      return { ours: frame, sql: frameTexts[frame], isOfOrder: frame === 'rows' }
    }
    const mode = random.pick(
      hasOrder ? (['rows', 'range', 'groups'] as const) : (['rows'] as const),
    )
    const offsets = mode === 'range' ? [] : [0, 1, 1.5, 2, 7, 40, 3000]
    return this.#between(mode, offsets)
  }

  #range(): SaidFrame {
    return this.#between('range', [0, 1, 5, 100, 1_000_000])
  }

  #between(mode: WindowFrame['mode'], offsets: readonly number[]): SaidFrame {
    const { random } = this
    const bound = (least: number): { ours: FrameBound; sql: string; place: number } => {
      const all = [0, 1, 2, 3].filter((place) => place >= least)
      const place = random.pick(
        offsets.length > 0 ? all : all.filter((one) => one !== 1 && one !== 3),
      )
      const offset = offsets.length > 0 ? random.pick(offsets) : 0
      if (place === 0) return { ours: 'unbounded', sql: 'unbounded', place }
      if (place === 2) return { ours: 'current row', sql: 'current row', place }
      return place === 1
        ? { ours: { preceding: offset }, sql: `${offset} preceding`, place }
        : { ours: { following: offset }, sql: `${offset} following`, place }
    }
    const from = bound(0)
    const isShort = from.place < 3 && random.chance(0.2)
    const isToEnd = random.chance(0.2)
    const to = isToEnd
      ? { ours: 'unbounded' as const, sql: 'unbounded' }
      : bound(Math.max(from.place, 1))
    const start = from.sql === 'unbounded' ? 'unbounded preceding' : from.sql
    const end = to.sql === 'unbounded' ? 'unbounded following' : to.sql
    const exclude = random.chance(0.3) ? random.pick(exclusions) : undefined
    const without = exclude === undefined ? '' : ` exclude ${exclude}`
    const ours: WindowFrame = {
      mode,
      ...((from.ours !== 'unbounded' || random.chance(0.5)) && { from: from.ours }),
      ...(!isShort && { to: to.ours }),
      ...(exclude !== undefined && { exclude }),
    }
    const between = isShort ? start : `between ${start} and ${end}`
    return { ours, sql: ` ${mode} ${between}${without}`, isOfOrder: mode === 'rows' }
  }

  // A function, and whether it tells peers apart.
  #call(table: QueryTable): [WindowCall, string, boolean] {
    const { random } = this
    if (random.chance(0.2)) return this.#placed(table)
    if (random.chance(0.3)) {
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
    const numbers = table.columns.filter(({ type }) => /^(int|numeric)/.test(type))
    const name = random.pick(['count', 'sum', 'avg', 'min', 'max'] as const)
    const isSum = name === 'sum' || name === 'avg'
    const column = random.pick(isSum ? numbers : exact).name
    return [{ [name]: column } as unknown as WindowCall, `${name}(${column})`, false]
  }
  // Functions of the row's place in its partition.
  #placed(table: QueryTable): [WindowCall, string, boolean] {
    const { random } = this
    if (random.chance(0.3)) {
      const [name, sql] = random.pick(shares)
      return [{ [name]: true } as unknown as WindowCall, sql, false]
    }
    if (random.chance(0.3)) {
      const parts = random.pick([1, 2, 7, 1000])
      return [{ ntile: parts }, `ntile(${parts})`, true]
    }
    const name = random.pick(['lag', 'lead'] as const)
    const { name: column, type } = random.pick(table.columns)
    if (random.chance(0.3))
      return [{ [name]: column } as unknown as WindowCall, `${name}(${column})`, true]
    const rows = random.pick([-3, 0, 1, 2, 50])
    const hasFallback = /^int/.test(type) && random.chance(0.5)
    const [ours, fallback] = hasFallback
      ? random.pick([
          [[column, rows, 17], ', 17'],
          [[column, rows, 'id'], ', id'],
          [[column, rows, 0.5], ', 0.5'],
        ] as const)
      : ([[column, rows], ''] as const)
    return [
      { [name]: ours } as unknown as WindowCall,
      `${name}(${column}, ${rows}${fallback})`,
      true,
    ]
  }
}
