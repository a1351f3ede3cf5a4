// Time zones in date and time input: abbreviations, and names of the IANA database.

import { calendarDate, dayNumber } from './calendar.ts'

// The abbreviations of PostgreSQL 18's default set (timezonesets/Default): hours, or hours:minutes,
// east of Greenwich; a name with a slash is a zone that decides.
const abbreviationList = `
  acdt=10:30 acsst=10:30 acst=9:30 act=-5 acwst=8:45 adt=-3 aedt=11 aesst=11 aest=10 aft=4:30
  akdt=-8 akst=-9 almst=7 almt=6 amt=-4 ast=-4 awsst=9 awst=8 azost=0 azot=-1 bdst=2 bdt=6 bnt=8
  bort=8 bot=-4 bra=-3 brst=-2 brt=-3 bst=1 btt=6 cadt=10:30 cast=9:30 cct=8 cdt=-5 cest=2 cet=1
  cetdst=2 chadt=13:45 chast=12:45 chut=10 clst=-3 cot=-5 cst=-6 cxt=7 ddut=10 eat=3 edt=-4
  eest=3 eet=2 eetdst=3 egst=0 egt=-1 est=-5 fet=3 fjst=13 fjt=12 fnst=-1 fnt=-2 galt=-6 gamt=-9
  gft=-3 gilt=12 gmt=0 hkt=8 hst=-10 ict=7 idt=3 irt=3:30 ist=2 jayt=9 jst=9 kdt=10 kgst=6 kst=9
  lhst=10:30 ligt=10 mart=-9:30 mdt=-6 mest=2 mesz=2 met=1 metdst=2 mez=1 mht=12 mmt=6:30 mpt=10
  msd=4 mst=-7 must=5 mut=4 mvt=5 myt=8 ndt=-2:30 nft=-3:30 npt=5:45 nst=-3:30 nzdt=13 nzst=12
  nzt=12 pdt=-7 pet=-5 pgt=10 pht=8 pkst=6 pkt=5 pmdt=-2 pmst=-3 pont=11 pst=-8 pwt=9 pyst=-3
  ret=4 sadt=10:30 sast=2 sct=4 taht=-10 tft=5 tjt=5 tot=13 trut=10 tvt=12 uct=0 ulast=9 ut=0
  utc=0 uyst=-2 uyt=-3 uzst=6 uzt=5 vut=11 wadt=8 wakt=12 wast=7 wat=1 wdt=9 wet=0 wetdst=1
  wft=12 wgst=-2 wgt=-3 xjt=6 yapt=10 yekst=6 z=0 zulu=0 amst=Asia/Yerevan anast=Asia/Anadyr
  anat=Asia/Anadyr arst=America/Argentina/Buenos_Aires art=America/Argentina/Buenos_Aires
  azst=Asia/Baku azt=Asia/Baku ckt=Pacific/Rarotonga clt=America/Santiago davt=Antarctica/Davis
  easst=Pacific/Easter east=Pacific/Easter fkst=Atlantic/Stanley fkt=Atlantic/Stanley
  gest=Asia/Tbilisi get=Asia/Tbilisi gyt=America/Guyana iot=Indian/Chagos irkst=Asia/Irkutsk
  irkt=Asia/Irkutsk kgt=Asia/Bishkek kost=Pacific/Kosrae krast=Asia/Krasnoyarsk
  krat=Asia/Krasnoyarsk lhdt=Australia/Lord_Howe lint=Pacific/Kiritimati lkt=Asia/Colombo
  magst=Asia/Magadan magt=Asia/Magadan mawt=Antarctica/Mawson msk=Europe/Moscow
  novst=Asia/Novosibirsk novt=Asia/Novosibirsk nut=Pacific/Niue omsst=Asia/Omsk omst=Asia/Omsk
  petst=Asia/Kamchatka pett=Asia/Kamchatka pyt=America/Asuncion sgt=Asia/Singapore
  tkt=Pacific/Fakaofo tmt=Asia/Ashgabat ulat=Asia/Ulaanbaatar vet=America/Caracas
  vlast=Asia/Vladivostok vlat=Asia/Vladivostok volt=Europe/Volgograd yakst=Asia/Yakutsk
  yakt=Asia/Yakutsk yekt=Asia/Yekaterinburg
`

// Those of the abbreviations that mean daylight saving time.
const daylightList = `
  acdt acsst adt aedt aesst akdt almst awsst azost bdst brst bst cadt cdt cest cetdst chadt clst
  edt eest eetdst egst fjst fnst idt kdt kgst mdt mest mesz metdst msd must ndt nzdt pdt pkst
  pmdt pyst sadt ulast uyst uzst wadt wdt wetdst wgst yekst
`

/** What an abbreviation stands for: a fixed offset in seconds east of Greenwich, or a zone's. */
export interface ZoneAbbreviation {
  readonly secondsEast: number
  readonly isDaylight: boolean
  readonly zone: TimeZone | undefined
}

function readAbbreviations(): Map<string, ZoneAbbreviation> {
  const daylight = new Set(daylightList.trim().split(/\s+/))
  const table = new Map<string, ZoneAbbreviation>()
  for (const entry of abbreviationList.trim().split(/\s+/)) {
    const [name = '', meaning = ''] = entry.split('=')
    if (meaning.includes('/')) {
      dynamicZones.set(name, meaning)
      continue
    }
    const [hours = '0', minutes = '0'] = meaning.split(':')
    const size = Math.abs(Number(hours)) * 3600 + Number(minutes) * 60
    const secondsEast = meaning.startsWith('-') ? -size : size
    table.set(name, { secondsEast, isDaylight: daylight.has(name), zone: undefined })
  }
  return table
}

const dynamicZones = new Map<string, string>()
let abbreviations: Map<string, ZoneAbbreviation> | undefined

/** By lower-case name. */
export function zoneAbbreviation(name: string): ZoneAbbreviation | undefined {
  abbreviations ??= readAbbreviations()
  const fixed = abbreviations.get(name)
  if (fixed !== undefined) return fixed
  const zoneName = dynamicZones.get(name)
  if (zoneName === undefined) return undefined
  const zone = name === 'msk' ? moscow : timeZoneNamed(zoneName)
  return { secondsEast: 0, isDaylight: false, zone }
}

/** A time zone by name, which can say its offset at an instant. */
export interface TimeZone {
  /** Seconds east of Greenwich at a Unix time in seconds. */
  secondsEastAt(unixSeconds: number): number
  /** The offset, when it never changes. */
  readonly fixedSecondsEast: number | undefined
  /** The offset for a date beyond what PostgreSQL can reckon with; 0 by default. */
  readonly unreachableSecondsEast?: number
}

const zones = new Map<string, TimeZone | undefined>()
const ZONES_MAX = 1000

/** 'Europe/Paris' in any case, or a POSIX form without daylight saving such as 'GMT-8'. */
export function timeZoneNamed(name: string): TimeZone | undefined {
  const key = name.toLowerCase()
  if (zones.has(key)) return zones.get(key)
  const zone = namedZone(key) ?? posixZone(key)
  if (zones.size < ZONES_MAX) zones.set(key, zone)
  return zone
}

const SECONDS_PER_DAY = 86400
/** 2000-01-01. */
const EPOCH_UNIX_SECONDS = 946684800

/** POSIX allows a week. */
const POSIX_HOURS_MAX = 167

function fixedZone(secondsEast: number): TimeZone {
  return { secondsEastAt: () => secondsEast, fixedSecondsEast: secondsEast }
}

interface PosixPart {
  readonly secondsEast: number | undefined
  readonly rest: string
}

/** A name of anything but digits, signs and commas, and an offset that counts westward. */
function readPosixPart(text: string): PosixPart | undefined {
  const parts = /^(?:[^\d,+<-]+|<[^>]+>)(?:([+-]?)(\d+)(?::(\d+)(?::(\d+))?)?)?/.exec(text)
  if (parts === null) return undefined
  const rest = text.substring(parts[0].length)
  const [, sign, hours, minutes = '0', seconds = '0'] = parts
  if (hours === undefined) return { secondsEast: undefined, rest }
  if (parts[4] === undefined && rest.startsWith(':')) return undefined
  if (Number(hours) > POSIX_HOURS_MAX || Number(minutes) > 59 || Number(seconds) > 60) {
    return undefined
  }
  const west = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)
  return { secondsEast: sign === '-' ? west : 0 - west, rest }
}

/** Standard time, and perhaps daylight saving time by the rule of the United States. */
function posixZone(name: string): TimeZone | undefined {
  const standard = readPosixPart(name)
  if (standard?.secondsEast === undefined) return undefined
  const { secondsEast } = standard
  if (standard.rest === '') return fixedZone(secondsEast)
  const daylight = readPosixPart(standard.rest)
  if (daylight === undefined || daylight.rest !== '') return undefined
  const daylightEast = daylight.secondsEast ?? secondsEast + 3600
  return {
    fixedSecondsEast: undefined,
    secondsEastAt(unixSeconds) {
      const days = Math.floor((unixSeconds + secondsEast - EPOCH_UNIX_SECONDS) / SECONDS_PER_DAY)
      const { year } = calendarDate(days, { year: 0, month: 0, day: 0 })
      const start = sundayOf(year, 3, 2) + 7200 - secondsEast
      const end = sundayOf(year, 11, 1) + 7200 - daylightEast
      return unixSeconds >= start && unixSeconds < end ? daylightEast : secondsEast
    },
  }
}

/** The Unix seconds of midnight of the first or second Sunday of a month. */
function sundayOf(year: number, month: number, which: 1 | 2): number {
  const first = dayNumber(year, month, 1)
  // 2000-01-01, day 0, was a Saturday.
  const weekday = (((first + 6) % 7) + 7) % 7
  const day = first + ((7 - weekday) % 7) + (which - 1) * 7
  return day * SECONDS_PER_DAY + EPOCH_UNIX_SECONDS
}

// MSK was an hour more from 2011-03-27 to 2014-10-26. It is the one abbreviation whose zone has used it for
// different offsets; the others follow their zone.
const moscow: TimeZone = {
  fixedSecondsEast: undefined,
  unreachableSecondsEast: 10800,
  secondsEastAt: (unixSeconds) =>
    unixSeconds >= 1301180400 && unixSeconds < 1414274400 ? 14400 : 10800,
}

function namedZone(name: string): TimeZone | undefined {
  // JavaScript also takes '+01:00' for a name.
  if (!/^[a-z][a-z0-9_+/-]*$/.test(name)) return undefined
  let format: Intl.DateTimeFormat
  try {
    format = new Intl.DateTimeFormat('en-US-u-ca-gregory-nu-latn', {
      timeZone: name,
      era: 'short',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
      hourCycle: 'h23',
    })
  } catch {
    return undefined
  }
  const resolved = format.resolvedOptions().timeZone
  if (resolved === 'UTC' || resolved.startsWith('Etc/')) {
    return fixedZone(offsetOf(format, 0))
  }
  return {
    secondsEastAt: (unixSeconds) => offsetOf(format, unixSeconds),
    fixedSecondsEast: undefined,
  }
}

/** JavaScript's dates reach 100 million days from 1970. */
const UNIX_SECONDS_MAX = 8.64e12
/** The calendar repeats after 400 years, and with it the rules for the future. */
const SECONDS_PER_400_YEARS = 146097 * SECONDS_PER_DAY

function offsetOf(format: Intl.DateTimeFormat, time: number): number {
  const unixSeconds =
    time > UNIX_SECONDS_MAX / 2
      ? (time % SECONDS_PER_400_YEARS) + SECONDS_PER_400_YEARS
      : Math.max(time, -UNIX_SECONDS_MAX / 2)
  const parts: Record<string, number> = {}
  let isBc = false
  for (const { type, value } of format.formatToParts(unixSeconds * 1000)) {
    if (type === 'era') isBc = value.startsWith('B')
    else parts[type] = Number(value)
  }
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts
  const local = new Date(0)
  local.setUTCFullYear(isBc ? 1 - year : year, month - 1, day)
  local.setUTCHours(hour, minute, second)
  return local.getTime() / 1000 - unixSeconds
}

/**
 * The offset in seconds east of Greenwich that a zone has at a local time, given as Unix seconds
 * that ignore the zone. A time that a change of the clocks skips counts with the offset before the
 * change, one that it repeats with the offset after.
 */
export function secondsEastAtLocal(zone: TimeZone, localSeconds: number): number {
  if (zone.fixedSecondsEast !== undefined) return zone.fixedSecondsEast
  let low = localSeconds - SECONDS_PER_DAY
  // POSIX allows offsets of a week: the change may be that much later by the clock of Greenwich.
  let high = localSeconds + 8 * SECONDS_PER_DAY
  const before = zone.secondsEastAt(low)
  const after = zone.secondsEastAt(high)
  if (before === after) return before
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (zone.secondsEastAt(middle) === before) low = middle
    else high = middle
  }
  const boundary = high
  const beforeTime = localSeconds - before
  const afterTime = localSeconds - after
  if (beforeTime < boundary && afterTime < boundary) return before
  if (beforeTime > boundary && afterTime >= boundary) return after
  return beforeTime > afterTime ? before : after
}
