// Tables and queries in the shape of TPC-H's, small and with nulls: joins of many tables, sums of computed values, groups in
// an order, existence and its opposite. Each query is said to us and in SQL, with constants from a seed.
// Modelled on the queries of the TPC-H specification that need no query within another.
import type { Conditions, Expression, Join, Query } from '../../src-ts/index.ts'
import type { GeneratedQuery } from './query-generator.ts'
import type { Random } from './random.ts'

const segments = ['BUILDING', 'AUTOMOBILE', 'MACHINERY', 'HOUSEHOLD', 'FURNITURE']
const shipModes = ['AIR', 'RAIL', 'SHIP', 'TRUCK', 'MAIL', 'FOB', 'REG AIR']
const types = ['PROMO BRUSHED TIN', 'STANDARD TIN', 'PROMO STEEL', 'ECONOMY COPPER', 'MEDIUM STEEL']
const containers = ['SM CASE', 'SM BOX', 'MED BAG', 'MED BOX', 'LG CASE', 'LG BOX']
const brands = ['Brand#11', 'Brand#12', 'Brand#23', 'Brand#34', 'Brand#55']
const nations = 25

function oneOf(values: readonly string[]): string {
  return `(array[${values.map((value) => `'${value}'`).join(', ')}])[1 + floor(random() * ${values.length})::int]`
}

/** The statements that make the tables, with `orders` orders. */
export function tpchSql(seed: number, orders: number): string[] {
  const [customers, parts, suppliers] = [orders / 10, orders / 8, 40].map(Math.ceil)
  const some = (count: number | undefined) => `1 + floor(random() * ${count})::int`
  const orNull = (value: string) => `case when random() < 0.03 then null else ${value} end`
  return [
    `select setseed(${(seed % 1000) / 1000})`,
    `create table region as select i as r_regionkey, 'REGION ' || i as r_name from generate_series(1, 5) i`,
    `create table nation as select i as n_nationkey, 'NATION ' || i as n_name, 1 + i % 5 as n_regionkey
       from generate_series(1, ${nations}) i`,
    `create table supplier as select i as s_suppkey, 'Supplier#' || i as s_name, ${orNull(some(nations))} as s_nationkey,
       (random() * 9000 - 900)::numeric(12,2) as s_acctbal from generate_series(1, ${suppliers}) i where i % 9 <> 0`,
    `create table customer as select i as c_custkey, 'Customer#' || i as c_name, ${orNull(some(nations))} as c_nationkey,
       (random() * 9000 - 900)::numeric(12,2) as c_acctbal, ${oneOf(segments)}::char(10) as c_mktsegment
       from generate_series(1, ${customers}) i`,
    `create table part as select i as p_partkey, 'part ' || i % 90 as p_name, ${oneOf(brands)} as p_brand,
       ${oneOf(types)} as p_type, ${some(50)} as p_size, ${oneOf(containers)} as p_container
       from generate_series(1, ${parts}) i`,
    `create table partsupp as select p as ps_partkey, s as ps_suppkey, ${some(9999)} as ps_availqty,
       (random() * 1000)::numeric(12,2) as ps_supplycost
       from generate_series(1, ${parts}) p, generate_series(1, ${suppliers}) s where (p + s) % 10 = 0`,
    `create table orders as select i as o_orderkey, ${orNull(some(customers))} as o_custkey,
       (random() * 400000)::numeric(12,2) as o_totalprice, date '1992-01-01' + floor(random() * 2400)::int as o_orderdate,
       ${some(5)} || '-PRIORITY' as o_orderpriority, 0 as o_shippriority from generate_series(1, ${orders}) i`,
    `create table lineitem as select o_orderkey as l_orderkey, n as l_linenumber, ${some(parts)} as l_partkey,
       ${some(suppliers)} as l_suppkey, (${some(50)})::numeric(12,2) as l_quantity,
       (900 + random() * 100000)::numeric(12,2) as l_extendedprice, (floor(random() * 11) / 100)::numeric(12,2) as l_discount,
       ${orNull('(floor(random() * 9) / 100)::numeric(12,2)')} as l_tax, ${oneOf(['A', 'N', 'R'])}::char(1) as l_returnflag,
       ${oneOf(['O', 'F'])}::char(1) as l_linestatus, o_orderdate + ${some(121)} as l_shipdate,
       o_orderdate + 30 + ${some(61)} as l_commitdate, o_orderdate + 20 + ${some(121)} as l_receiptdate,
       ${oneOf(shipModes)} as l_shipmode from orders, generate_series(1, 7) n where n <= 1 + o_orderkey % 7`,
    ...[
      ['customer', 'c_custkey'],
      ['part', 'p_partkey'],
      ['partsupp', 'ps_partkey, ps_suppkey'],
      ['orders', 'o_orderkey'],
      ['lineitem', 'l_orderkey, l_linenumber'],
    ].map(([table, key]) => `alter table ${table} add primary key (${key})`),
    'create index on orders (o_custkey)',
    'create index on orders (o_orderdate)',
    'create index on lineitem (l_partkey)',
    'create index on lineitem (l_shipdate)',
    'vacuum analyze',
  ]
}

const discounted: Expression = {
  multiply: ['l_extendedprice', { subtract: [1, 'l_discount'] }],
}
const discountedSql = 'l_extendedprice * (1 - l_discount)'
const revenue = { revenue: { sum: discounted } }
const revenueSql = `sum(${discountedSql}) as revenue`

// `on`: pairs of columns, of which the first is the joined table's.
function joined(
  table: string,
  on: readonly [string, string][],
  type: NonNullable<Join['type']> = 'inner',
  as = table,
): { ours: Join; sql: string } {
  const pairs = on.map(([own, other]) => `${own} = ${other}`).join(' and ')
  return {
    ours: { table, as, type, on: Object.fromEntries(on) },
    sql:
      type === 'semi' || type === 'anti'
        ? `${type === 'anti' ? 'not ' : ''}exists (select from ${table} ${as} where ${pairs})`
        : ` ${type} join ${table} ${as} on ${pairs}`,
  }
}

function day(random: Random): string {
  return new Date(Date.UTC(1992, 0, random.int(1, 2300))).toISOString().slice(0, 10)
}

// A span from a day on.
function span(random: Random, column: string, daysMax: number) {
  const from = day(random)
  const to = new Date(Date.parse(from) + random.int(1, daysMax) * 86_400_000)
  const until = to.toISOString().slice(0, 10)
  return {
    ours: { [column]: { '>=': from, '<': until } },
    sql: `${column} >= date '${from}' and ${column} < date '${until}'`,
  }
}

type Template = (random: Random) => Omit<GeneratedQuery, 'compare'>

const ofCustomer = joined('orders', [['o_custkey', 'c_custkey']])
const ofOrder = joined('lineitem', [['l_orderkey', 'o_orderkey']])

const templates: Template[] = [
  // Q1
  (random) => {
    const until = day(random)
    return {
      query: {
        from: 'lineitem',
        where: { l_shipdate: { '<=': until } },
        groupBy: ['l_returnflag', 'l_linestatus'],
        aggregates: {
          quantity: { sum: 'l_quantity' },
          price: { sum: discounted },
          charge: { sum: { multiply: [discounted, { add: [1, 'l_tax'] }] } },
          average: { avg: 'l_extendedprice' },
          n: { count: '*' },
        },
        orderBy: ['l_returnflag', 'l_linestatus'],
      },
      sql: `select l_returnflag, l_linestatus, sum(l_quantity) as quantity, sum(${discountedSql}) as price,
        sum(${discountedSql} * (1 + l_tax)) as charge, avg(l_extendedprice) as average, count(*) as n
        from lineitem where l_shipdate <= date '${until}' group by 1, 2 order by 1, 2`,
    }
  },
  // Q3
  (random) => {
    const [segment, at] = [random.pick(segments), day(random)]
    return {
      query: {
        from: 'customer',
        join: [ofCustomer.ours, ofOrder.ours],
        where: { c_mktsegment: segment, o_orderdate: { '<': at }, l_shipdate: { '>': at } },
        groupBy: ['l_orderkey', 'o_orderdate', 'o_shippriority'],
        aggregates: revenue,
        orderBy: [{ column: 'revenue', direction: 'desc' }, 'o_orderdate', 'l_orderkey'],
        limit: 10,
      },
      sql: `select l_orderkey, o_orderdate, o_shippriority, ${revenueSql} from customer${ofCustomer.sql}${ofOrder.sql}
        where c_mktsegment = '${segment}' and o_orderdate < date '${at}' and l_shipdate > date '${at}'
        group by 1, 2, 3 order by revenue desc, o_orderdate, l_orderkey limit 10`,
    }
  },
  // Q4
  (random) => {
    const when = span(random, 'o_orderdate', 400)
    const late = joined('lineitem', [['l_orderkey', 'o_orderkey']], random.pick(['semi', 'anti']))
    return {
      query: {
        from: 'orders',
        join: [late.ours],
        where: when.ours,
        groupBy: ['o_orderpriority'],
        aggregates: { n: { count: '*' } },
        orderBy: ['o_orderpriority'],
      },
      sql: `select o_orderpriority, count(*) as n from orders where ${when.sql} and ${late.sql} group by 1 order by 1`,
    }
  },
  // Q5
  (random) => {
    const when = span(random, 'o_orderdate', 900)
    const region = `REGION ${random.int(1, 6)}`
    const joins = [
      joined('nation', [['n_regionkey', 'r_regionkey']]),
      joined('customer', [['c_nationkey', 'n_nationkey']]),
      ofCustomer,
      ofOrder,
      joined('supplier', [
        ['s_suppkey', 'l_suppkey'],
        ['s_nationkey', 'c_nationkey'],
      ]),
    ]
    return {
      query: {
        from: 'region',
        join: joins.map(({ ours }) => ours),
        where: { r_name: region, ...when.ours },
        groupBy: ['n_name'],
        aggregates: revenue,
        orderBy: [{ column: 'revenue', direction: 'desc' }, 'n_name'],
      },
      sql: `select n_name, ${revenueSql} from region${joins.map(({ sql }) => sql).join('')}
        where r_name = '${region}' and ${when.sql} group by 1 order by revenue desc, n_name`,
    }
  },
  // Q6
  (random) => {
    const when = span(random, 'l_shipdate', 700)
    const [low, quantity] = [random.int(0, 8) / 100, random.int(2, 50)]
    return {
      query: {
        from: 'lineitem',
        where: {
          ...when.ours,
          l_discount: { between: [low, low + 0.02] },
          l_quantity: { '<': quantity },
        },
        aggregates: { revenue: { sum: { multiply: ['l_extendedprice', 'l_discount'] } } },
      },
      sql: `select sum(l_extendedprice * l_discount) as revenue from lineitem where ${when.sql}
        and l_discount between ${low} and ${low + 0.02} and l_quantity < ${quantity}`,
    }
  },
  // Q7
  (random) => {
    const [one, other] = [`NATION ${random.int(1, nations)}`, `NATION ${random.int(1, nations)}`]
    const joins = [
      joined('lineitem', [['l_suppkey', 's_suppkey']]),
      joined('orders', [['o_orderkey', 'l_orderkey']]),
      joined('customer', [['c_custkey', 'o_custkey']]),
      joined('nation', [['n1.n_nationkey', 's_nationkey']], 'inner', 'n1'),
      joined('nation', [['n2.n_nationkey', 'c_nationkey']], 'inner', 'n2'),
    ]
    const [both, swapped]: Conditions[] = [
      { 'n1.n_name': one, 'n2.n_name': other },
      { 'n1.n_name': other, 'n2.n_name': one },
    ]
    return {
      query: {
        from: 'supplier',
        join: joins.map(({ ours }) => ours),
        where: { or: [both as Conditions, swapped as Conditions] },
        groupBy: [
          { as: 'supplier_nation', column: 'n1.n_name' },
          { as: 'customer_nation', column: 'n2.n_name' },
        ],
        aggregates: { ...revenue, n: { count: '*' } },
        orderBy: ['supplier_nation', 'customer_nation'],
      },
      sql: `select n1.n_name as supplier_nation, n2.n_name as customer_nation, ${revenueSql}, count(*) as n
        from supplier${joins.map(({ sql }) => sql).join('')}
        where (n1.n_name = '${one}' and n2.n_name = '${other}') or (n1.n_name = '${other}' and n2.n_name = '${one}')
        group by 1, 2 order by 1, 2`,
    }
  },
  // Q10
  (random) => {
    const when = span(random, 'o_orderdate', 500)
    const flag = random.pick(['R', 'A', 'N'])
    const nation = joined(
      'nation',
      [['n_nationkey', 'c_nationkey']],
      random.pick(['inner', 'left']),
    )
    return {
      query: {
        from: 'customer',
        join: [ofCustomer.ours, ofOrder.ours, nation.ours],
        where: { ...when.ours, l_returnflag: flag },
        groupBy: ['c_custkey', 'c_name', 'c_acctbal', 'n_name'],
        aggregates: revenue,
        orderBy: [{ column: 'revenue', direction: 'desc' }, 'c_custkey'],
        limit: 20,
      },
      sql: `select c_custkey, c_name, c_acctbal, n_name, ${revenueSql}
        from customer${ofCustomer.sql}${ofOrder.sql}${nation.sql} where ${when.sql} and l_returnflag = '${flag}'
        group by 1, 2, 3, 4 order by revenue desc, c_custkey limit 20`,
    }
  },
  // Q12
  (random) => {
    const when = span(random, 'l_receiptdate', 800)
    const modes = [random.pick(shipModes), random.pick(shipModes)]
    return {
      query: {
        from: 'orders',
        join: [ofOrder.ours],
        where: {
          l_shipmode: { in: modes },
          l_commitdate: { '<': { column: 'l_receiptdate' } },
          l_shipdate: { '<': { column: 'l_commitdate' } },
          ...when.ours,
        },
        groupBy: ['l_shipmode', 'o_orderpriority'],
        aggregates: { n: { count: '*' }, first: { min: 'l_shipdate' } },
        orderBy: ['l_shipmode', { column: 'o_orderpriority', direction: 'desc' }],
      },
      sql: `select l_shipmode, o_orderpriority, count(*) as n, min(l_shipdate) as first from orders${ofOrder.sql}
        where l_shipmode in ('${modes.join("', '")}') and l_commitdate < l_receiptdate and l_shipdate < l_commitdate
        and ${when.sql} group by 1, 2 order by l_shipmode, o_orderpriority desc`,
    }
  },
  // Q13
  (random) => {
    const orders = joined('orders', [['o_custkey', 'c_custkey']], 'left')
    const limit = random.int(1, 60)
    return {
      query: {
        from: 'customer',
        join: [orders.ours],
        groupBy: ['c_custkey'],
        aggregates: { n: { count: 'o_orderkey' } },
        orderBy: [{ column: 'n', direction: 'desc' }, 'c_custkey'],
        limit,
      },
      sql: `select c_custkey, count(o_orderkey) as n from customer${orders.sql} group by 1
        order by n desc, c_custkey limit ${limit}`,
    }
  },
  // Q14
  (random) => {
    const when = span(random, 'l_shipdate', 400)
    const ofPart = joined('part', [['p_partkey', 'l_partkey']])
    return {
      query: {
        from: 'lineitem',
        join: [ofPart.ours],
        where: { ...when.ours, p_type: { like: 'PROMO%' } },
        aggregates: { ...revenue, n: { count: '*' } },
      },
      sql: `select ${revenueSql}, count(*) as n from lineitem${ofPart.sql} where ${when.sql} and p_type like 'PROMO%'`,
    }
  },
  // Q16
  (random) => {
    const ofPart = joined('part', [['p_partkey', 'ps_partkey']])
    const supplier = joined('supplier', [['s_suppkey', 'ps_suppkey']], 'anti')
    const brand = random.pick(brands)
    const sizes = Array.from({ length: 8 }, () => random.int(1, 50))
    const type = random.pick(['MEDIUM%', '%STEEL', 'PROMO%TIN'])
    return {
      query: {
        from: 'partsupp',
        join: [ofPart.ours, supplier.ours],
        where: {
          p_brand: { '<>': brand },
          p_type: { not: { like: type } },
          p_size: { in: sizes },
        },
        groupBy: ['p_brand', 'p_type', 'p_size'],
        aggregates: { suppliers: { count: 'ps_suppkey' }, cost: { min: 'ps_supplycost' } },
        orderBy: [{ column: 'suppliers', direction: 'desc' }, 'p_brand', 'p_type', 'p_size'],
      },
      sql: `select p_brand, p_type, p_size, count(ps_suppkey) as suppliers, min(ps_supplycost) as cost
        from partsupp${ofPart.sql} where p_brand <> '${brand}' and not (p_type like '${type}')
        and p_size in (${sizes.join(', ')}) and ${supplier.sql} group by 1, 2, 3
        order by suppliers desc, p_brand, p_type, p_size`,
    }
  },
  // Q18
  (random) => {
    const least = random.int(50, 250)
    return {
      query: {
        from: 'lineitem',
        groupBy: ['l_orderkey'],
        aggregates: { quantity: { sum: 'l_quantity' }, n: { count: '*' } },
        having: { quantity: { '>': least } },
        orderBy: [{ column: 'quantity', direction: 'desc' }, 'l_orderkey'],
        limit: 100,
      },
      sql: `select l_orderkey, sum(l_quantity) as quantity, count(*) as n from lineitem group by 1
        having sum(l_quantity) > ${least} order by quantity desc, l_orderkey limit 100`,
    }
  },
  // Q19
  (random) => {
    const ofPart = joined('part', [['p_partkey', 'l_partkey']])
    const cases = Array.from({ length: 3 }, () => {
      const [brand, quantity, size] = [random.pick(brands), random.int(1, 40), random.int(1, 40)]
      const held = [random.pick(containers), random.pick(containers)]
      return {
        ours: {
          p_brand: brand,
          p_container: { in: held },
          l_quantity: { between: [quantity, quantity + 10] },
          p_size: { between: [1, size] },
        },
        sql: `(p_brand = '${brand}' and p_container in ('${held.join("', '")}')
          and l_quantity between ${quantity} and ${quantity + 10} and p_size between 1 and ${size})`,
      }
    })
    return {
      query: {
        from: 'lineitem',
        join: [ofPart.ours],
        where: {
          or: cases.map(({ ours }) => ours),
          l_shipmode: { in: ['AIR', 'REG AIR'] },
        },
        aggregates: { ...revenue, n: { count: '*' } },
      },
      sql: `select ${revenueSql}, count(*) as n from lineitem${ofPart.sql}
        where (${cases.map(({ sql }) => sql).join(' or ')}) and l_shipmode in ('AIR', 'REG AIR')`,
    }
  },
  // Q22
  (random) => {
    const orders = joined('orders', [['o_custkey', 'c_custkey']], 'anti')
    const least = random.int(-500, 5000)
    return {
      query: {
        from: 'customer',
        join: [orders.ours],
        where: { c_acctbal: { '>': least } },
        groupBy: ['c_nationkey'],
        aggregates: { n: { count: '*' }, total: { sum: 'c_acctbal' } },
        orderBy: ['c_nationkey'],
      },
      sql: `select c_nationkey, count(*) as n, sum(c_acctbal) as total from customer where c_acctbal > ${least}
        and ${orders.sql} group by 1 order by 1`,
    }
  },
]

/** So many queries, of each kind in turn. All have an order that leaves nothing open. */
export function tpchQueries(random: Random, count: number): GeneratedQuery[] {
  return Array.from({ length: count }, (_, i) => {
    const { query, sql } = (templates[i % templates.length] as Template)(random)
    return { query: query satisfies Query, sql, compare: 'order' }
  })
}
