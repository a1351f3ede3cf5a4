// Random queries, each as a query object of ours and as SQL.
import type {
  AggregateCall,
  Conditions,
  Expression,
  OrderBy,
  OutputColumn,
  Query,
} from '../../src-ts/index.ts'
import type { QueryColumn, QueryTable } from './query-tables.ts'
import type { Random } from './random.ts'

export interface GeneratedQuery {
  query: Query
  sql: string
  /** How its rows are compared: in order, as a set, or by their number, where LIMIT leaves open which they are. */
  compare: 'order' | 'set' | 'count'
}

/** The same, said to us and in SQL. */
export interface Said<T> {
  ours: T
  sql: string
}

const comparisons = ['=', '<>', '<', '<=', '>', '>='] as const
const arithmetic = [
  ['add', '+'],
  ['subtract', '-'],
  ['multiply', '*'],
  ['divide', '/'],
  ['modulo', '%'],
] as const

function text(value: string): string {
  return `'${value.replaceAll("'", "''")}'`
}

export class QueryGenerator {
  constructor(
    protected readonly random: Random,
    protected readonly tables: readonly QueryTable[],
  ) {}

  next(): GeneratedQuery {
    const kind = this.random.int(0, 9)
    if (kind < 3) return this.grouped()
    if (kind < 5) return this.joined()
    if (kind < 7) return this.sorted()
    return this.plain()
  }

  private sorted(): GeneratedQuery {
    const { random } = this
    const table = random.pick(this.tables)
    const columns = this.outputColumns(table, false)
    const query: Query = { from: table.name, columns: columns.map(({ ours }) => ours) }
    let sql = `from ${table.name}`
    if (random.chance(0.6)) {
      const where = this.conditions(table, 2)
      query.where = where.ours
      sql += ` where ${where.sql}`
    }
    const isDistinct = random.chance(0.3)
    if (isDistinct) query.distinct = true
    const list = columns.map((one) => one.sql).join(', ')
    sql = `select ${isDistinct ? 'distinct ' : ''}${list} ${sql}`
    if (isDistinct) return { query, sql, compare: 'set' }
    const keys = Array.from({ length: random.int(0, 3) }, () => random.pick(table.columns).name)
    const order = [...keys, 'id'].map((column) => this.orderBy(column))
    query.orderBy = order.map(({ ours }) => ours)
    sql += ` order by ${order.map((one) => one.sql).join(', ')}`
    if (random.chance(0.4)) {
      query.limit = random.pick([0, 1, 5, 40, 1500, 100_000])
      sql += ` limit ${query.limit}`
    }
    if (random.chance(0.3)) {
      query.offset = random.pick([1, 10, 900])
      sql += ` offset ${query.offset}`
    }
    return { query, sql, compare: 'order' }
  }

  private orderBy(column: string): Said<OrderBy> {
    const { random } = this
    if (random.chance(0.3)) return { ours: column, sql: column }
    const direction = random.pick(['asc', 'desc'] as const)
    if (random.chance(0.3)) return { ours: { column, direction }, sql: `${column} ${direction}` }
    const nulls = random.pick(['first', 'last'] as const)
    return {
      ours: { column, direction, nulls },
      sql: `${column} ${direction} nulls ${nulls}`,
    }
  }

  private aggregateCalls(table: QueryTable): Said<Record<string, AggregateCall>> {
    const { random } = this
    const ours: Record<string, AggregateCall> = {}
    const sql: string[] = []
    for (let i = random.int(1, 4); i > 0; i--) {
      const name = `a${i}`
      const column = random.pick(table.columns)
      const called = random.pick(['count(*)', 'count', 'sum', 'avg', 'min', 'max'] as const)
      const isExact = column.family === 'number' && !column.type.startsWith('float')
      if (called === 'count(*)') {
        ours[name] = { count: '*' }
        sql.push(`count(*) as ${name}`)
        continue
      }
      // Sums of floating-point numbers depend on the order in which stock's plan adds them up.
      if ((called === 'sum' || called === 'avg') && !isExact) {
        ours[name] = { count: column.name }
        sql.push(`count(${column.name}) as ${name}`)
        continue
      }
      // Of values that are equal and look different, which one it is depends on the order, too.
      const isPlain = isExact ? !column.type.startsWith('numeric') : column.family === 'time'
      const isTold = called === 'count' || called === 'sum' || called === 'avg' || isPlain
      const used = isTold ? called : 'count'
      ours[name] = { [used]: column.name } as unknown as AggregateCall
      sql.push(`${used}(${column.name}) as ${name}`)
    }
    return { ours, sql: sql.join(', ') }
  }

  private grouped(): GeneratedQuery {
    const { random } = this
    const table = random.pick(this.tables)
    const groupable = table.columns.filter(
      ({ name, type }) =>
        name !== 'id' &&
        !type.startsWith('numeric') &&
        !type.startsWith('char') &&
        type !== 'float8',
    )
    const keys = [
      ...new Set(Array.from({ length: random.int(0, 2) }, () => random.pick(groupable).name)),
    ]
    const calls = this.aggregateCalls(table)
    const query: Query = { from: table.name, aggregates: calls.ours }
    let sql = `select ${[...keys, calls.sql].join(', ')} from ${table.name}`
    if (random.chance(0.5)) {
      const where = this.conditions(table, 2)
      query.where = where.ours
      sql += ` where ${where.sql}`
    }
    if (keys.length > 0) {
      query.groupBy = keys
      sql += ` group by ${keys.join(', ')}`
    }
    if (random.chance(0.3)) {
      query.aggregates = { ...calls.ours, n: { count: '*' } }
      query.having = { n: { '>': 3 } }
      sql = sql.replace(calls.sql, `${calls.sql}, count(*) as n`)
      sql += ' having count(*) > 3'
    }
    return { query, sql, compare: 'set' }
  }

  private joined(): GeneratedQuery {
    const { random } = this
    const table = random.pick(this.tables)
    const other = random.pick(this.tables)
    const types = ['inner', 'left', 'right', 'full', 'semi', 'anti', 'cross'] as const
    const type = random.pick(types)
    const isFilter = type === 'semi' || type === 'anti'
    const where = this.joinedWhere(table, other, isFilter)
    const on = type === 'cross' ? undefined : this.on(table, other, type === 'full')
    const query: Query = {
      from: { table: table.name, as: 'l' },
      join: [{ table: other.name, as: 'r', type, ...(on && { on: on.ours }) }],
      columns: [
        'l.id',
        { as: 'k', column: 'l.k' },
        ...(isFilter ? [] : [{ as: 'rid', column: 'r.id' }]),
      ],
      where: { and: where.map(({ ours }) => ours) },
    }
    const list = isFilter ? 'l.id, l.k' : 'l.id, l.k, r.id as rid'
    const conditions = where.map(({ sql }) => sql)
    const from = `${table.name} l`
    // Of all pairs only some: there are millions.
    const isNarrow = !isFilter && (on === undefined || !on.sql.includes('l.id = r.k'))
    if (isNarrow) {
      const low = random.int(0, 2000)
      const few = [`l.id between ${low} and ${low + 30}`, `(r.id < 40 or r.id is null)`]
      conditions.push(...few)
      query.where = {
        and: [
          ...where.map(({ ours }) => ours),
          { 'l.id': { between: [low, low + 30] } },
          { or: [{ 'r.id': { '<': 40 } }, { 'r.id': null }] },
        ],
      }
    }
    const exists = `${type === 'anti' ? 'not ' : ''}exists (select from ${other.name} r where ${on?.sql})`
    const all = isFilter ? [exists, ...conditions] : conditions
    const suffix = all.length === 0 ? '' : ` where ${all.join(' and ')}`
    if (isFilter) return { query, sql: `select ${list} from ${from}${suffix}`, compare: 'set' }
    const joined = `${type} join ${other.name} r${on === undefined ? '' : ` on ${on.sql}`}`
    return { query, sql: `select ${list} from ${from} ${joined}${suffix}`, compare: 'set' }
  }

  private joinedWhere(table: QueryTable, other: QueryTable, isFilter: boolean): Said<Conditions>[] {
    const { random } = this
    const conditions: Said<Conditions>[] = []
    if (random.chance(0.4)) {
      const column = random.pick(['l.k', ...(isFilter ? [] : ['r.k'])])
      conditions.push({ ours: { [column]: { '<': 5 } }, sql: `${column} < 5` })
    }
    if (random.chance(0.2)) {
      const { name } = random.pick(table.columns)
      conditions.push({ ours: { [`l.${name}`]: null }, sql: `l.${name} is null` })
    }
    if (!isFilter && random.chance(0.2)) conditions.push(this.onPair(table, other, false))
    return conditions
  }

  // Conditions of a join: an equality, others, or both; a full join has an equality.
  private on(left: QueryTable, right: QueryTable, needsKey: boolean): Said<Conditions> {
    const { random } = this
    const key = { ours: { 'l.id': 'r.k' }, sql: 'l.id = r.k' }
    if (random.chance(0.4)) return key
    const others = Array.from({ length: random.int(1, 2) }, () => this.onPair(left, right))
    const all = needsKey || random.chance(0.4) ? [key, ...others] : others
    return {
      ours: { and: all.map(({ ours }) => ours) },
      sql: all.map(({ sql }) => sql).join(' and '),
    }
  }

  // In `on` a plain text means a column.
  private onPair(left: QueryTable, right: QueryTable, isOn = true): Said<Conditions> {
    const { random } = this
    const named = (column: string) => (isOn && random.chance(0.5) ? column : { column })
    switch (random.int(0, 5)) {
      case 0:
        return { ours: { 'l.k': named('r.k') }, sql: 'l.k = r.k' }
      case 1:
        return {
          ours: { or: [{ '>': ['r.k', 'l.id'] }, { 'l.k': null }, { 'r.id': named('l.k') }] },
          sql: '(r.k > l.id or l.k is null or r.id = l.k)',
        }
      case 2: {
        const side = random.pick(['l', 'r'])
        return { ours: { [`${side}.k`]: { '<>': 3 } }, sql: `${side}.k <> 3` }
      }
      case 3:
        return {
          ours: { '<=': [{ add: ['l.k', 'r.k'] }, { column: 'l.id' }] },
          sql: 'l.k + r.k <= l.id',
        }
      default: {
        const kinds = (table: QueryTable) =>
          table.columns.filter(({ name, family }) => name !== 'id' && family === 'number')
        const [a, b] = [random.pick(kinds(left)).name, random.pick(kinds(right)).name]
        const operator = random.pick(comparisons)
        return {
          ours: { [operator]: [`l.${a}`, `r.${b}`] },
          sql: `l.${a} ${operator} r.${b}`,
        }
      }
    }
  }

  private plain(): GeneratedQuery {
    const { random } = this
    const table = random.pick(this.tables)
    const query: Query = { from: table.name }
    const clauses: string[] = []
    const hasLimit = random.chance(0.2)
    let list = '*'
    if (random.chance(0.8)) {
      const columns = this.outputColumns(table, !hasLimit)
      query.columns = columns.map(({ ours }) => ours)
      list = columns.map(({ sql }) => sql).join(', ')
    }
    if (random.chance(0.8)) {
      const where = this.conditions(table, 3)
      query.where = where.ours
      clauses.push(`where ${where.sql}`)
    }
    if (hasLimit) {
      query.limit = random.pick([0, 1, 7, 300, 100_000])
      clauses.push(`limit ${query.limit}`)
      if (random.chance(0.5)) {
        query.offset = random.pick([0, 3, 150, 100_000])
        clauses.push(`offset ${query.offset}`)
      }
    }
    const sql = [`select ${list} from ${table.name}`, ...clauses].join(' ')
    return { query, sql, compare: hasLimit ? 'count' : 'set' }
  }

  protected outputColumns(table: QueryTable, mayFail: boolean): Said<OutputColumn>[] {
    const { random } = this
    const columns = table.columns.filter(() => random.chance(0.5))
    const said: Said<OutputColumn>[] = columns.map(({ name }) => ({ ours: name, sql: name }))
    const computed = mayFail ? random.int(0, 2) : 0
    for (let i = 0; i < computed; i++) {
      const expression = this.number(table, 3, true)
      if (typeof expression.ours !== 'object') continue
      said.push({
        ours: { ...expression.ours, as: `e${i}` },
        sql: `${expression.sql} as e${i}`,
      })
    }
    return said.length === 0 ? [{ ours: 'id', sql: 'id' }] : said
  }

  // An expression that is a number. Without `mayFail` its values stay small, and nothing is divided.
  protected number(
    table: QueryTable,
    depth: number,
    mayFail: boolean,
  ): Said<Expression | string | number> {
    const { random } = this
    if (depth > 0 && random.chance(0.6)) {
      const [name, operator] = random.pick(mayFail ? arithmetic : arithmetic.slice(0, 2))
      // A remainder is of whole numbers and numerics only.
      const left = this.number(table, depth - 1, mayFail)
      const right = this.number(table, depth - 1, mayFail)
      return {
        ours: { [name]: [left.ours, right.ours] } as unknown as Expression,
        sql: `(${left.sql} ${operator} ${right.sql})`,
      }
    }
    if (random.chance(0.3)) {
      const literal = random.pick([0, 1, 2, -3, 10, 2.5, 0.125, 70_000])
      return { ours: literal, sql: literal < 0 ? `(${literal})` : String(literal) }
    }
    const { name } = random.pick(table.columns.filter(({ family }) => family === 'number'))
    return { ours: name, sql: name }
  }

  protected literalOf({ family, pool }: QueryColumn): Said<unknown> {
    const { random } = this
    const value = pool.length > 0 && random.chance(0.8) ? random.pick(pool) : undefined
    if (value === undefined && family === 'number') {
      const number = random.int(-60, 3000)
      return { ours: number, sql: String(number) }
    }
    const given = value ?? random.pick(pool)
    return { ours: given, sql: text(given) }
  }

  private onColumn(table: QueryTable, depth: number): Said<Conditions> {
    const { random } = this
    const column = random.pick(table.columns)
    const { name } = column
    switch (random.int(0, 7)) {
      case 0: {
        const isNull = random.chance(0.5)
        return { ours: { [name]: { isNull } }, sql: `${name} is ${isNull ? '' : 'not '}null` }
      }
      case 1:
        return { ours: { [name]: null }, sql: `${name} is null` }
      case 2: {
        const list = Array.from({ length: random.int(1, 6) }, () => this.literalOf(column))
        const hasNull = random.chance(0.15)
        return {
          ours: { [name]: { in: [...list.map(({ ours }) => ours), ...(hasNull ? [null] : [])] } },
          sql: `${name} in (${[...list.map(({ sql }) => sql), ...(hasNull ? ['null'] : [])].join(', ')})`,
        }
      }
      case 3: {
        const [low, high] = [this.literalOf(column), this.literalOf(column)]
        return {
          ours: { [name]: { between: [low.ours, high.ours] } },
          sql: `${name} between ${low.sql} and ${high.sql}`,
        }
      }
      case 4: {
        if (column.family !== 'text') break
        const pattern = random.text(['a', 'b', 'x', 'm', '%', '_', 'ä', ' ', '\\%', '\\_'], 5)
        const like = { ours: { like: pattern }, sql: `${name} like ${text(pattern)}` }
        return random.chance(0.3)
          ? { ours: { [name]: { not: like.ours } }, sql: `not (${like.sql})` }
          : { ours: { [name]: like.ours }, sql: like.sql }
      }
      case 5: {
        if (depth === 0) break
        const left = this.number(table, 2, false)
        const right = this.number(table, 2, false)
        const operator = random.pick(comparisons)
        return {
          ours: { [operator]: [left.ours, right.ours] },
          sql: `${left.sql} ${operator} ${right.sql}`,
        }
      }
      case 6: {
        const others = table.columns.filter(({ type }) => type === column.type)
        const other = random.pick(others).name
        const operator = random.pick(comparisons)
        return {
          ours: { [name]: { [operator]: { column: other } } },
          sql: `${name} ${operator} ${other}`,
        }
      }
    }
    const literal = this.literalOf(column)
    const operator = random.pick(comparisons)
    return {
      ours: { [name]: operator === '=' ? literal.ours : { [operator]: literal.ours } },
      sql: `${name} ${operator} ${literal.sql}`,
    }
  }

  // On columns that have indexes, several of which may find the rows.
  private onIndexes(table: QueryTable): Said<Conditions> {
    const { random } = this
    const compared = (): Said<Conditions> => {
      const name = random.pick(table.indexed)
      const column = table.columns.find((one) => one.name === name) as QueryColumn
      const literal = this.literalOf(column)
      if (random.chance(0.6))
        return { ours: { [name]: literal.ours }, sql: `${name} = ${literal.sql}` }
      const operator = random.pick(['<', '>='] as const)
      return {
        ours: { [name]: { [operator]: literal.ours } },
        sql: `${name} ${operator} ${literal.sql}`,
      }
    }
    const joined = (name: 'and' | 'or', operands: Said<Conditions>[]): Said<Conditions> => ({
      ours: { [name]: operands.map(({ ours }) => ours) },
      sql: `(${operands.map(({ sql }) => sql).join(` ${name} `)})`,
    })
    const operands = Array.from({ length: random.int(2, 4) }, () =>
      random.chance(0.3) ? joined('and', [compared(), this.onColumn(table, 0)]) : compared(),
    )
    const any = joined('or', operands)
    if (random.chance(0.4)) return any
    return joined('and', random.chance(0.5) ? [compared(), any] : [compared(), compared()])
  }

  protected conditions(table: QueryTable, depth: number): Said<Conditions> {
    const { random } = this
    if (random.chance(0.2)) return this.onIndexes(table)
    if (depth === 0 || random.chance(0.4)) return this.onColumn(table, depth)
    if (random.chance(0.2)) {
      const of = this.conditions(table, depth - 1)
      return { ours: { not: of.ours }, sql: `not (${of.sql})` }
    }
    const name = random.pick(['and', 'or'] as const)
    const operands = Array.from({ length: random.int(1, 3) }, () =>
      this.conditions(table, depth - 1),
    )
    return {
      ours: { [name]: operands.map(({ ours }) => ours) },
      sql: `(${operands.map(({ sql }) => sql).join(` ${name} `)})`,
    }
  }
}
