// Tests of the type codecs against PostgreSQL.
// Goal: for every supported type our input, output and stored bytes are PostgreSQL's, and what it refuses we
// refuse with the same SQLSTATE and words. Method: the same texts, edges and seeded random ones, go through both;
// the bytes come from heap pages of tables that do not compress.
import type pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { PgError } from '../../src-ts/errors/pg-error.ts'
import { codecFor, datumBytes, parseTypeName, type TypeCodec } from '../../src-ts/types/index.ts'
import { Oracle } from '../support/oracle.ts'
import { Random } from '../support/random.ts'
import { arrayInputs, scalarInputs, type TypeInputs } from './types-inputs.ts'

// The quick run is the same each time; the full one looks further.
const isFull = process.env.PGDATA_TEST_FULL === '1'
const seed = Number(process.env.PGDATA_SEED ?? (isFull ? Math.floor(Math.random() * 2 ** 31) : 18))
const randomInputs = isFull ? 20_000 : 1_500
const storedInputs = 600

let oracle: Oracle
let client: pg.Client

beforeAll(async () => {
  console.log(`types: PGDATA_SEED=${seed}`)
  oracle = await Oracle.initdb()
  await oracle.start({ timezone: 'UTC' })
  client = await oracle.client()
  await client.query('create extension pageinspect')
})

afterAll(async () => {
  await oracle[Symbol.asyncDispose]()
})

function codecOf(type: string): TypeCodec {
  const { oid, typmod } = parseTypeName(type)
  return codecFor(oid, typmod)
}

interface Outcome {
  input: string
  text: string | null
  code: string | null
  message: string | null
  detail?: string | null
}

function ourOutcome(codec: TypeCodec, input: string): Outcome {
  try {
    const text = codec.toText(codec.fromText(input))
    return { input, text, code: null, message: null, detail: null }
  } catch (error) {
    if (!(error instanceof PgError)) throw error
    return {
      input,
      text: null,
      code: error.code,
      message: error.message,
      detail: error.detail ?? null,
    }
  }
}

/** The column `input` as a value of the type, by its input function and with its modifier. */
function inputExpression(type: string, table: string): string {
  // A cast to a type with a modifier would shorten where input refuses, and a cast to regclass is a
  // function of its own; a record's input is neither.
  const needsRecord =
    (codecOf(type).typmod !== -1 && !type.endsWith('[]')) || /^reg[a-z]*$/.test(type)
  if (!needsRecord) return `input::${type}`
  return `(jsonb_populate_record(null::${table}, jsonb_build_object('value', input))).value`
}

/** Runs texts through the server's input and output functions, the modifier given to the input. */
async function serverOutcomes(type: string, texts: readonly string[]): Promise<Outcome[]> {
  await client.query('rollback')
  await client.query('begin')
  await client.query(`create temp table one (value ${type})`)
  const value = inputExpression(type, 'one')
  const result = await client.query<Outcome>({
    text: `select input, (error).sql_error_code as code, (error).message, (error).detail,
              case when (error).message is null then format('%s', ${value}) end as text
         from (select input, pg_input_error_info(input, $2) as error
                 from unnest($1::text[]) with ordinality as inputs (input, place) order by place) as checked`,
    values: [texts, type],
  })
  await client.query('rollback')
  return result.rows
}

function show({ text, code, message }: Outcome): string {
  return code === null ? JSON.stringify(text) : `${code} ${message}`
}

function textsFor(inputs: TypeInputs): string[] {
  const random = new Random(seed)
  return [
    ...inputs.edges,
    ...Array.from({ length: randomInputs }, () => inputs.random(random)),
  ].filter((text) => !text.includes('\0') && !/\p{Surrogate}/u.test(text))
}

for (const inputs of [...scalarInputs, ...arrayInputs]) {
  test(`${inputs.type}: text in and out`, { timeout: 120_000 }, async () => {
    const codec = codecOf(inputs.type)
    const texts = textsFor(inputs)
    const theirs = await serverOutcomes(inputs.type, texts)
    const differences: string[] = []
    let accepted = 0
    theirs.forEach((server, index) => {
      const ours = ourOutcome(codec, texts[index] as string)
      if (server.code === null) accepted++
      if (show(ours) === show(server)) return
      differences.push(`${JSON.stringify(texts[index])}: ${show(ours)}, PostgreSQL ${show(server)}`)
    })
    expect(differences.slice(0, 20).join('\n')).toBe('')
    expect(accepted).toBeGreaterThan(inputs.edges.length / 4)
  })
}

/** The bytes of the one column of each row, without a varlena's header, by ctid. */
async function storedBytes(table: string, typlen: number): Promise<Map<string, Buffer>> {
  const { rows } = await client.query<{ ctid: string; data: Buffer }>(
    `select format('(%s,%s)', block, lp) as ctid, t_data as data
       from generate_series(0, pg_relation_size($1::text::regclass) / 8192 - 1) as block,
            lateral heap_page_items(get_raw_page($1::text, block::int))`,
    [table],
  )
  return new Map(
    rows.map(({ ctid, data }) => {
      if (typlen !== -1) return [ctid, data]
      const first = data[0] as number
      if ((first & 1) === 1) return [ctid, data.subarray(1, first >> 1)]
      return [ctid, data.subarray(4, data.readUInt32LE() >> 2)]
    }),
  )
}

for (const inputs of [...scalarInputs, ...arrayInputs]) {
  test(`${inputs.type}: stored bytes`, { timeout: 120_000 }, async () => {
    const codec = codecOf(inputs.type)
    const texts: string[] = []
    for (const text of textsFor(inputs)) {
      if (texts.length >= storedInputs) break
      // The words for the present differ by when they are read.
      if (/now|today|tomorrow|yesterday/i.test(text)) continue
      const outcome = ourOutcome(codec, text)
      if (outcome.text !== null && datumBytes(codec, codec.fromText(text)).length < 8000)
        texts.push(text)
    }
    await client.query('rollback')
    await client.query('begin')
    await client.query(`create table stored (value ${inputs.type})`)
    if (codec.typlen === -1) {
      await client.query('alter table stored alter value set storage plain')
    }
    const inserted = await client.query<{ ctid: string }>(
      `insert into stored select ${inputExpression(inputs.type, 'stored')}
         from unnest($1::text[]) with ordinality as inputs (input, place) order by place
         returning ctid::text`,
      [texts],
    )
    const theirs = await storedBytes('stored', codec.typlen)
    await client.query('rollback')
    expect(theirs.size).toBe(texts.length)
    const differences: string[] = []
    texts.forEach((text, index) => {
      const bytes = theirs.get((inserted.rows[index] as { ctid: string }).ctid) as Buffer
      const raw = codec.fromText(text)
      const ours = Buffer.from(datumBytes(codec, raw))
      if (!ours.equals(bytes)) {
        differences.push(`${text}: ${ours.toString('hex')}, PostgreSQL ${bytes.toString('hex')}`)
      } else if (codec.lane === 'bytes' && codec.toText(bytes) !== codec.toText(raw)) {
        differences.push(`${text}: read back as ${codec.toText(bytes)}`)
      }
    })
    expect(differences.slice(0, 20).join('\n')).toBe('')
    expect(texts.length).toBeGreaterThan(inputs.edges.length / 4)
  })
}

for (const [type, bits] of [
  ['float4', 32],
  ['float8', 64],
] as const) {
  test(`${type}: any bits print as PostgreSQL prints them`, { timeout: 120_000 }, async () => {
    const random = new Random(seed)
    const codec = codecOf(type)
    const view = new DataView(new ArrayBuffer(8))
    const values: number[] = []
    const read = () => (bits === 32 ? view.getFloat32(0) : view.getFloat64(0))
    // Every power of two with its neighbours: there the distances to the two neighbours differ.
    for (let exponent = -1074; exponent < 1024; exponent++) {
      const power = 2 ** exponent
      if (bits === 32 && Math.fround(power) !== power) continue
      for (const step of [-1, 0, 1]) {
        if (bits === 32) {
          view.setFloat32(0, power)
          view.setUint32(0, view.getUint32(0) + step)
        } else {
          view.setFloat64(0, power)
          view.setBigUint64(0, view.getBigUint64(0) + BigInt(step))
        }
        values.push(read())
      }
    }
    for (let count = randomInputs * 20; count > 0; count--) {
      view.setUint32(0, random.int(0, 0xffffffff))
      view.setUint32(4, random.int(0, 0xffffffff))
      // Half of them whole numbers, where a midpoint between neighbours can be a short decimal.
      if (count % 2 === 0 && bits === 64) view.setUint16(0, random.int(0x4330, 0x4700))
      values.push(read())
    }
    const finite = values.filter((value) => Number.isFinite(value) && value !== 0)
    const { rows } = await client.query<{ ours: string; theirs: string }>({
      text: `select ours, value::text as theirs
               from (select ours, hex, ours::${type} as value
                       from unnest($1::text[], $2::text[]) as inputs (ours, hex)) as read
              where value::text <> ours or encode(${type}send(value), 'hex') <> hex`,
      values: [
        finite.map((value) => codec.toText(value)),
        finite.map((value) => {
          if (bits === 32) view.setFloat32(0, value)
          else view.setFloat64(0, value)
          return Buffer.from(view.buffer, 0, bits / 8).toString('hex')
        }),
      ],
    })
    expect(rows.slice(0, 10)).toEqual([])
    expect(finite.length).toBeGreaterThan(randomInputs)
  })
}
