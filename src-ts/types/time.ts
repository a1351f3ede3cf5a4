// time and timetz: microseconds since midnight; in JavaScript their text.
//
// A timetz:
//
//   offset  size  field   meaning
//        0     8  time    microseconds since midnight, 0 to 86400000000
//        8     4  zone    seconds west of Greenwich, signed
//
// Little-endian. Source: src/include/utils/date.h, PostgreSQL 18.

import type { BuiltinType } from './builtin-types.ts'
import { readInt32, writeInt32 } from './byte-text.ts'
import { printTimeOfDay, printZone } from './calendar.ts'
import type { TypeCodec } from './codec.ts'
import { type DateTimeFields, parseTime } from './date-time-parser.ts'
import { type Int64, int64Codec, int64FromHalves, int64ToHalves } from './int64.ts'
import { corrupted, wrongKind } from './refusal.ts'
import { roundMicroseconds } from './timestamp.ts'

const MICROSECONDS_PER_DAY = 86400e6
const TIMETZ_BYTES = 12

function microsecondsOf(fields: DateTimeFields, typmod: number): number {
  const seconds = (fields.hour * 60 + fields.minute) * 60 + fields.second
  return roundMicroseconds(seconds * 1e6 + fields.microsecond, typmod) as number
}

function printTime(value: Int64, typeName: string): string {
  if (typeof value === 'bigint' || value < 0 || value > MICROSECONDS_PER_DAY) {
    throw corrupted(typeName)
  }
  return printTimeOfDay(value)
}

export function timeCodec(type: BuiltinType, typmod: number): TypeCodec<string, bigint> {
  const print = (value: Int64) => printTime(value, 'time')
  const parse = (text: string) => microsecondsOf(parseTime(text, 'time'), typmod)
  return int64Codec(type, typmod, {
    read: print,
    write(value) {
      if (typeof value === 'string') return parse(value)
      throw wrongKind('time without time zone', value)
    },
    print,
    parse,
  })
}

const halves = new Int32Array(2)

export function timetzCodec(type: BuiltinType, typmod: number): TypeCodec<string, Uint8Array> {
  const print = (raw: Uint8Array) => {
    if (raw.length !== TIMETZ_BYTES) throw corrupted('timetz')
    const zone = readInt32(raw, 8)
    const time = int64FromHalves(readInt32(raw, 0), readInt32(raw, 4))
    return printTime(time, 'timetz') + printZone(zone)
  }
  const parse = (text: string) => {
    const fields = parseTime(text, 'time with time zone')
    const bytes = new Uint8Array(TIMETZ_BYTES)
    int64ToHalves(microsecondsOf(fields, typmod), halves, 0)
    writeInt32(bytes, 0, halves[0] as number)
    writeInt32(bytes, 4, halves[1] as number)
    writeInt32(bytes, 8, fields.secondsWest)
    return bytes
  }
  return {
    ...type,
    typmod,
    lane: 'bytes',
    isIdentity: false,
    fromLane: print,
    toLane(value) {
      if (typeof value === 'string') return parse(value)
      throw wrongKind('time with time zone', value)
    },
    toText: print,
    fromText: parse,
  }
}
