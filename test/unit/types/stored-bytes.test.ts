// Tests of stored bytes that PostgreSQL did not write, or wrote in a form that ours does not write.
// Goal: bytes from disk never do worse than XX001. Method: forms by hand, then every prefix and thousands of seeded
// changes of good values; each read must return or raise a PgError.
import { expect, test } from 'vitest'
import { PgError } from '../../../src-ts/errors/pg-error.ts'
import {
  codecFor,
  DatumReader,
  parseTypeName,
  type TypeCodec,
} from '../../../src-ts/types/index.ts'

const seed = Number(process.env.PGDATA_SEED ?? 20261121)

function codec(name: string): TypeCodec {
  const { oid, typmod } = parseTypeName(name)
  return codecFor(oid, typmod)
}

test('array elements with one-byte headers are read', () => {
  const header = Buffer.alloc(20)
  header.writeInt32LE(1, 0)
  header.writeUInt32LE(25, 8)
  header.writeInt32LE(2, 12)
  header.writeInt32LE(1, 16)
  const short = (text: string) => Buffer.from([((text.length + 1) << 1) | 1, ...Buffer.from(text)])
  const bytes = Buffer.concat([header, short('abc'), short('de')])
  expect(codec('text[]').fromLane(bytes)).toEqual(['abc', 'de'])
  const five = [11, 0x00, 0x80, 5, 0]
  const numerics = Buffer.concat([header, Buffer.from([...five, 0, 0, 0, ...five])])
  expect(codec('numeric[]').fromLane(numerics)).toEqual(['5', '5'])
})

test('a datum reader aligns from the base it is given', () => {
  const bytes = new Uint8Array(16)
  bytes[4] = 1
  bytes[12] = 2
  const reader = new DatumReader(bytes, 4, 4)
  expect(reader.read(codec('int8'))).toBe(1n)
  expect(reader.read(codec('int4'))).toBe(2)
  expect(() => reader.read(codec('int4'))).toThrow('invalid binary value of type int4')
})

const samples: readonly [type: string, text: string][] = [
  ['numeric', '-12345.67890'],
  ['numeric', '1e-100'],
  ['jsonb', '{"a": [1, 2.5, {"b": null}], "cc": "text", "d": [true, false], "é": {}}'],
  ['jsonb', '"scalar"'],
  ['int4[]', '{{1,2},{3,NULL}}'],
  ['text[]', '[0:2]={a,NULL,"long element"}'],
  ['interval[]', '{"1 day",NULL}'],
  ['oidvector', '1 2 3'],
  ['uuid', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
  ['timetz', '10:20:30+01'],
  ['interval', '1 mon 2 days 03:04:05'],
  ['tid', '(1,2)'],
  ['aclitem', '10=r/10'],
]

function readsOrRefuses(it: TypeCodec, bytes: Uint8Array): void {
  for (const read of [it.fromLane, it.toText]) {
    try {
      read.call(it, bytes)
    } catch (error) {
      if (!(error instanceof PgError)) throw error
      expect(['XX001', '54001', '22008']).toContain(error.code)
    }
  }
}

test('damaged bytes are read or refused', () => {
  let state = seed
  const random = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
  for (const [type, text] of samples) {
    const it = codec(type)
    const good = it.fromText(text) as Uint8Array
    expect(it.toText(good)).toBe(it.toText(it.fromText(it.toText(good))))
    for (let length = 0; length < good.length; length++) readsOrRefuses(it, good.slice(0, length))
    for (let round = 0; round < 3000; round++) {
      const bad = Uint8Array.from(good)
      for (let changes = 1 + random(3); changes > 0; changes--) {
        bad[random(bad.length)] =
          random(2) === 0 ? random(256) : ([0, 1, 127, 128, 255][random(5)] as number)
      }
      readsOrRefuses(it, bad)
    }
  }
})
