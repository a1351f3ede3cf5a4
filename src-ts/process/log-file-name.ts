// Names of log files: log_filename is a pattern of strftime, in UTC.
//
// Source: logfile_getname and set_next_rotation_time in src/backend/postmaster/syslogger.c, PostgreSQL 18.

const weekdays = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
const months = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
]

const dayMs = 86_400_000

const two = (value: number) => String(value).padStart(2, '0')

function dayOfYear(time: Date): number {
  return Math.floor((time.getTime() - Date.UTC(time.getUTCFullYear(), 0, 1)) / dayMs) + 1
}

// The value of a conversion; undefined when there is none of that letter.
function conversion(letter: string, time: Date): string | undefined {
  const hour = time.getUTCHours()
  switch (letter) {
    case 'Y':
      return String(time.getUTCFullYear())
    case 'y':
      return two(time.getUTCFullYear() % 100)
    case 'm':
      return two(time.getUTCMonth() + 1)
    case 'd':
      return two(time.getUTCDate())
    case 'e':
      return String(time.getUTCDate()).padStart(2)
    case 'j':
      return String(dayOfYear(time)).padStart(3, '0')
    case 'H':
      return two(hour)
    case 'I':
      return two(hour % 12 === 0 ? 12 : hour % 12)
    case 'p':
      return hour < 12 ? 'AM' : 'PM'
    case 'M':
      return two(time.getUTCMinutes())
    case 'S':
      return two(time.getUTCSeconds())
    case 's':
      return String(Math.floor(time.getTime() / 1000))
    case 'a':
      return weekdays[time.getUTCDay()]?.slice(0, 3)
    case 'A':
      return weekdays[time.getUTCDay()]
    case 'u':
      return String(time.getUTCDay() === 0 ? 7 : time.getUTCDay())
    case 'w':
      return String(time.getUTCDay())
    case 'b':
    case 'h':
      return months[time.getUTCMonth()]?.slice(0, 3)
    case 'B':
      return months[time.getUTCMonth()]
    case 'F':
      return time.toISOString().slice(0, 10)
    case 'T':
      return time.toISOString().slice(11, 19)
    case 'R':
      return time.toISOString().slice(11, 16)
    case 'z':
      return '+0000'
    case 'Z':
      return 'UTC'
    case '%':
      return '%'
    default:
      return undefined
  }
}

/** The file that is begun at a time. `extension` ".json" takes the place of ".log", or is added. */
export function logFileName(pattern: string, milliseconds: number, extension?: string): string {
  const time = new Date(milliseconds)
  const name = pattern.replace(
    /%(.)/g,
    (whole, letter: string) => conversion(letter, time) ?? whole,
  )
  return extension === undefined ? name : `${name.replace(/\.log$/, '')}${extension}`
}

/** When log_rotation_age is over: at a multiple of it. Infinity when it is 0. */
export function nextRotation(now: number, ageMs: number): number {
  return ageMs === 0 ? Number.POSITIVE_INFINITY : now - (now % ageMs) + ageMs
}
