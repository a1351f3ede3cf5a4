// Tests of values on their way between lanes and JavaScript.
// Goal: each type has the JavaScript form that the room's README promises, in both directions, and refuses what would
// lose something. Method: single values by hand, and every int64 form against bigint arithmetic.
import { expect, test } from 'vitest'
import { PgError } from '../../../src-ts/errors/pg-error.ts'
import {
  type CodecOptions,
  codecFor,
  PgTimestamp,
  parseTypeName,
  type TypeCodec,
} from '../../../src-ts/types/index.ts'

function codec(name: string, options?: CodecOptions): TypeCodec {
  const { oid, typmod } = parseTypeName(name)
  return codecFor(oid, typmod, options)
}

function roundTrip(name: string, value: unknown, options?: CodecOptions): unknown {
  const it = codec(name, options)
  return it.fromLane(it.toLane(value))
}

function refusal(action: () => unknown): string {
  try {
    action()
  } catch (error) {
    if (error instanceof PgError) return error.code
    throw error
  }
  return 'accepted'
}

test('the same arguments give the same codec', () => {
  expect(codec('numeric(5,2)')).toBe(codec('numeric(5,2)'))
  expect(codec('numeric(5,2)')).not.toBe(codec('numeric(5,3)'))
  const options = { int8: 'bigint' } as const
  expect(codec('int8', options)).toBe(codec('int8', options))
  expect(codec('int8', options)).not.toBe(codec('int8'))
})

test('integers are numbers within their range', () => {
  expect(roundTrip('int2', -32768)).toBe(-32768)
  expect(roundTrip('int4', 2147483647n)).toBe(2147483647)
  expect(roundTrip('int4', '0x10')).toBe(16)
  expect(Object.is(roundTrip('int4', -0), 0)).toBe(true)
  expect(roundTrip('oid', 4294967295)).toBe(4294967295)
  expect(refusal(() => codec('int2').toLane(32768))).toBe('22003')
  expect(refusal(() => codec('int4').toLane(2147483648n))).toBe('22003')
  expect(refusal(() => codec('int4').toLane(1.5))).toBe('22P02')
  expect(refusal(() => codec('int4').toLane(Number.NaN))).toBe('22003')
  expect(refusal(() => codec('int4').toLane(true))).toBe('42804')
  expect(refusal(() => codec('int4').toLane({}))).toBe('42804')
  expect(refusal(() => codec('oid').toLane(-1))).toBe('22003')
})

test('int8 never loses digits', () => {
  const big = 9007199254740993n
  expect(roundTrip('int8', 9007199254740991)).toBe(9007199254740991)
  expect(refusal(() => codec('int8').fromLane(big))).toBe('22003')
  expect(refusal(() => codec('int8').fromHalves?.(1, 2097152))).toBe('22003')
  expect(refusal(() => codec('int8').toLane(2 ** 53))).toBe('22003')
  expect(roundTrip('int8', big, { int8: 'bigint' })).toBe(big)
  expect(roundTrip('int8', big, { int8: 'string' })).toBe('9007199254740993')
  expect(roundTrip('int8', 5, { int8: 'bigint' })).toBe(5n)
  expect(roundTrip('int8', '-9223372036854775808', { int8: 'bigint' })).toBe(-(2n ** 63n))
  expect(refusal(() => codec('int8').toLane(2n ** 63n))).toBe('22003')
  expect(roundTrip('xid8', 2n ** 64n - 1n, { int8: 'bigint' })).toBe(2n ** 64n - 1n)
})

test('two halves mean the same as a bigint', () => {
  const int8 = codec('int8', { int8: 'bigint' })
  const out = new Int32Array(4)
  const values = [
    0n,
    1n,
    -1n,
    2n ** 31n,
    -(2n ** 31n),
    2n ** 32n,
    -(2n ** 32n),
    2n ** 53n,
    -(2n ** 53n),
  ]
  for (const base of [...values, 2n ** 63n - 2n, -(2n ** 63n) + 1n]) {
    for (const value of [base - 1n, base, base + 1n]) {
      int8.toHalves?.(value, out, 1)
      const low = out[1] as number
      const high = out[2] as number
      expect((BigInt(high) << 32n) | BigInt(low >>> 0)).toBe(value)
      expect(int8.fromHalves?.(low, high)).toBe(value)
      expect(int8.textFromHalves?.(low, high)).toBe(`${value}`)
    }
  }
  for (const name of ['time', 'timestamp', 'timestamptz', 'pg_lsn', 'xid8']) {
    expect(codec(name).fromHalves).toBeTypeOf('function')
    expect(codec(name).toHalves).toBeTypeOf('function')
  }
})

test('an identity codec returns its lane value', () => {
  for (const name of [
    'int2',
    'int4',
    'oid',
    'float4',
    'float8',
    'text',
    'varchar(3)',
    'name',
    'regclass',
  ]) {
    const it = codec(name)
    const raw = it.lane === 'text' ? 'abc' : 7
    expect(it.isIdentity).toBe(true)
    expect(it.fromLane(raw)).toBe(raw)
  }
  expect(codec('json').isIdentity).toBe(false)
  expect(codec('json', { json: 'text' }).isIdentity).toBe(true)
})

test('floats', () => {
  expect(roundTrip('float8', 0.1)).toBe(0.1)
  expect(roundTrip('float4', 0.1)).toBe(Math.fround(0.1))
  expect(roundTrip('float8', Number.NEGATIVE_INFINITY)).toBe(Number.NEGATIVE_INFINITY)
  expect(roundTrip('float8', 'NaN')).toBeNaN()
  expect(refusal(() => codec('float4').toLane(1e39))).toBe('22003')
  expect(refusal(() => codec('float4').toLane(1e-50))).toBe('22003')
})

test('numerics are strings with all their digits', () => {
  expect(roundTrip('numeric', '001.500')).toBe('1.500')
  expect(roundTrip('numeric', 1e21)).toBe('1000000000000000000000')
  expect(roundTrip('numeric', 12345678901234567890n)).toBe('12345678901234567890')
  expect(roundTrip('numeric', Number.NaN)).toBe('NaN')
  expect(roundTrip('numeric(6,2)', 1.005)).toBe('1.01')
  expect(refusal(() => codec('numeric(4,2)').toLane(100))).toBe('22003')
  expect(refusal(() => codec('numeric').toLane(true))).toBe('42804')
})

test('text', () => {
  expect(roundTrip('text', 'é漢😀')).toBe('é漢😀')
  expect(roundTrip('text', 12)).toBe('12')
  expect(roundTrip('text', true)).toBe('true')
  expect(roundTrip('char(4)', 'é')).toBe('é   ')
  expect(roundTrip('varchar(2)', 'ab  ')).toBe('ab')
  expect(refusal(() => codec('varchar(2)').toLane('abc'))).toBe('22001')
  expect(refusal(() => codec('text').toLane('a\0b'))).toBe('22021')
  expect(refusal(() => codec('text').toLane('\ud800'))).toBe('22021')
  expect(refusal(() => codec('text').toLane({}))).toBe('42804')
  expect(roundTrip('"char"', 'x')).toBe('x')
  expect(roundTrip('"char"', '\\200')).toBe('\\200')
})

test('bytea is a copy', () => {
  const it = codec('bytea')
  const batch = new Uint8Array([1, 2, 3])
  const value = it.fromLane(batch) as Buffer
  expect(Buffer.isBuffer(value)).toBe(true)
  batch[0] = 9
  expect([...value]).toEqual([1, 2, 3])
  expect(it.toLane(new Uint16Array([0x0201]))).toEqual(new Uint8Array([1, 2]))
  expect(it.toLane(new Uint8Array([5]).buffer)).toEqual(new Uint8Array([5]))
  expect(it.toText(it.toLane('\\x00ff'))).toBe('\\x00ff')
})

test('a timestamptz is a Date where a Date holds it', () => {
  const plain = roundTrip('timestamptz', '2024-02-29 12:34:56.789+02') as Date
  expect(plain).toBeInstanceOf(Date)
  expect(plain).not.toBeInstanceOf(PgTimestamp)
  expect(plain.toISOString()).toBe('2024-02-29T10:34:56.789Z')
  expect(roundTrip('timestamptz', plain)).toEqual(plain)
  expect((roundTrip('timestamptz', '1969-12-31 23:59:59.999+00') as Date).getTime()).toBe(-1)
})

test('a timestamptz that a Date would lose is a PgTimestamp', () => {
  const fine = roundTrip('timestamptz', '1969-12-31 23:59:59.999001+00') as PgTimestamp
  expect(fine).toBeInstanceOf(PgTimestamp)
  expect(fine.getTime()).toBe(-1)
  expect(fine.microseconds).toBe(1)
  expect(fine.toPostgres()).toBe('1969-12-31 23:59:59.999001+00')
  expect(codec('timestamptz').toLane(fine)).toBe(fine.instant)

  const infinite = roundTrip('timestamptz', 'infinity') as PgTimestamp
  expect(infinite.isInfinite).toBe(true)
  expect(infinite.getTime()).toBeNaN()
  expect(roundTrip('timestamptz', infinite)).toEqual(infinite)
  expect(codec('timestamptz').toText(codec('timestamptz').toLane(infinite))).toBe('infinity')

  const far = roundTrip('timestamptz', '290000-01-01 00:00:00+00') as PgTimestamp
  expect(far.getTime()).toBeNaN()
  expect(far.toPostgres()).toBe('290000-01-01 00:00:00+00')

  // Changed as a Date, it is what it says now.
  fine.setTime(0)
  expect(codec('timestamptz').toText(codec('timestamptz').toLane(fine))).toBe(
    '1970-01-01 00:00:00+00',
  )
})

test('dates and times are written from Date, number and bigint', () => {
  const date = new Date('1999-12-31T23:59:59.500Z')
  const text = (name: string, value: unknown) => codec(name).toText(codec(name).toLane(value))
  expect(text('timestamp', date)).toBe('1999-12-31 23:59:59.5')
  expect(text('timestamptz', date.getTime())).toBe('1999-12-31 23:59:59.5+00')
  expect(text('timestamptz', -500000n)).toBe('1999-12-31 23:59:59.5+00')
  // Half a second rounds away from 2000-01-01, as PostgreSQL has it.
  expect(text('timestamptz(0)', date)).toBe('1999-12-31 23:59:59+00')
  expect(text('date', date)).toBe('1999-12-31')
  expect(text('timestamptz', Number.POSITIVE_INFINITY)).toBe('infinity')
  expect(text('timestamptz', new Date(8.64e15))).toBe('275760-09-13 00:00:00+00')
  expect(refusal(() => text('timestamptz', new Date(Number.NaN)))).toBe('22008')
  expect(refusal(() => text('date', new Date(Number.NaN)))).toBe('22008')
  expect(refusal(() => text('timestamptz', {}))).toBe('42804')
  expect(roundTrip('timestamp', '2000-01-01T10:00')).toBe('2000-01-01 10:00:00')
  expect(roundTrip('date', '0044-03-15 BC')).toBe('0044-03-15 BC')
  expect(roundTrip('time', '10:20:30.5')).toBe('10:20:30.5')
  expect(roundTrip('timetz', '10:20-03')).toBe('10:20:00-03')
  expect(roundTrip('interval', 'P1Y2DT3S')).toBe('1 year 2 days 00:00:03')
})

test('now is the present', () => {
  const before = Date.now()
  const now = (roundTrip('timestamptz', 'now') as Date).getTime()
  expect(now).toBeGreaterThanOrEqual(before)
  expect(now).toBeLessThanOrEqual(Date.now())
  const day = 86400e3
  const at = (word: string) => (roundTrip('timestamptz', word) as Date).getTime()
  expect(at('tomorrow') - at('today')).toBe(day)
  expect(at('today') - at('yesterday')).toBe(day)
})

test('json and jsonb are values, or text when asked', () => {
  const value = { b: [1, null, true, 'x', { é: 1.5 }], aa: {}, __proto__x: 0 }
  expect(roundTrip('json', value)).toEqual(value)
  expect(roundTrip('jsonb', value)).toEqual(value)
  expect(roundTrip('jsonb', 'a string')).toBe('a string')
  expect(roundTrip('jsonb', 5)).toBe(5)
  expect(roundTrip('jsonb', '{"b": 1, "a": 2.50}', { json: 'text' })).toBe('{"a": 2.50, "b": 1}')
  expect(roundTrip('json', ' [1] ', { json: 'text' })).toBe(' [1] ')
  expect(refusal(() => codec('json', { json: 'text' }).toLane('{'))).toBe('22P02')
  expect(refusal(() => codec('jsonb').toLane(undefined))).toBe('42804')
  const polluted = codec('jsonb').fromLane(codec('jsonb').fromText('{"__proto__": {"x": 1}}'))
  expect(Object.getPrototypeOf(polluted)).toBe(Object.prototype)
  expect(Object.keys(polluted as object)).toEqual(['__proto__'])
})

test('nesting without end is refused, not a broken stack', () => {
  const deep = (levels: number) => '['.repeat(levels) + ']'.repeat(levels)
  const it = codec('jsonb')
  expect(it.toText(it.fromText(deep(10000)))).toBe(deep(10000))
  expect(refusal(() => it.fromText(deep(10001)))).toBe('54001')
  expect(refusal(() => it.fromText(deep(1_000_000)))).toBe('54001')
})

test('arrays are nested arrays', () => {
  expect(roundTrip('int4[]', [1, null, 3])).toEqual([1, null, 3])
  expect(roundTrip('int4[]', [])).toEqual([])
  expect(
    roundTrip('text[]', [
      ['a', 'b'],
      ['c', null],
    ]),
  ).toEqual([
    ['a', 'b'],
    ['c', null],
  ])
  expect(roundTrip('int4[]', '[2:3]={5,6}')).toEqual([5, 6])
  expect(roundTrip('int4[]', new Int32Array([1, 2]))).toEqual([1, 2])
  expect(roundTrip('jsonb[]', [[1, 2], { a: [] }])).toEqual([[1, 2], { a: [] }])
  expect(roundTrip('bytea[]', [Buffer.from([1])])).toEqual([Buffer.from([1])])
  expect(roundTrip('numeric(4,1)[]', [1.25])).toEqual(['1.3'])
  expect(roundTrip('oidvector', [1, 2, 4294967295])).toEqual([1, 2, 4294967295])
  expect(refusal(() => codec('int4[]').toLane([[1], [1, 2]]))).toBe('2202E')
  expect(refusal(() => codec('int4[]').toLane([[1], 2]))).toBe('2202E')
  expect(refusal(() => codec('int4[]').toLane([1, [2]]))).toBe('2202E')
  expect(refusal(() => codec('int4[]').toLane([[[[[[[1]]]]]]]))).toBe('54000')
  expect(refusal(() => codec('int4[]').toLane(5))).toBe('42804')
})

test('the reg types and aclitem use names when there is a resolver', () => {
  const names = {
    nameOf: (typeName: string, oid: number) =>
      typeName === 'regclass' && oid === 1259
        ? 'pg_class'
        : typeName === 'aclitem' && oid === 10
          ? 'my role'
          : undefined,
    oidOf: (_typeName: string, text: string) =>
      text === 'pg_class' ? 1259 : text === 'my role' ? 10 : undefined,
  }
  const regclass = codec('regclass', { names })
  expect(regclass.toText(1259)).toBe('pg_class')
  expect(regclass.toText(99)).toBe('99')
  expect(regclass.fromText('pg_class')).toBe(1259)
  expect(refusal(() => regclass.fromText('nothing'))).toBe('42P01')
  expect(refusal(() => codec('regclass').fromText('pg_class'))).toBe('0A000')
  const acl = codec('aclitem[]', { names })
  const raw = acl.fromText(String.raw`{"=r/\"my role\"","\"my role\"=arw*/\"my role\""}`)
  expect(acl.fromLane(raw)).toEqual(['=r/"my role"', '"my role"=arw*/"my role"'])
  expect(codec('aclitem').toText(codec('aclitem').fromText('10=a*X/10'))).toBe('10=a*X/10')
  expect(refusal(() => codec('aclitem', { names }).fromText('nobody=r/10'))).toBe('42704')
  expect(refusal(() => codec('aclitem').fromText('10=Q/10'))).toBe('22P02')
})

test('a type without codec is refused with its name', () => {
  expect(() => codecFor(869)).toThrow('type inet is not supported')
  expect(() => codecFor(1041)).toThrow('type inet[] is not supported')
  expect(refusal(() => codecFor(869))).toBe('0A000')
  expect(refusal(() => codecFor(987654))).toBe('0A000')
})
