// A message of the server log, as its destinations have it.
//
// Source: write_jsonlog in src/backend/utils/error/jsonlog.c, send_message_to_server_log and is_log_level_output in
// src/backend/utils/error/elog.c, PostgreSQL 18. Times are UTC.
import type { Settings } from '../config/settings.ts'

/** The values of log_min_messages, in its order: LOG comes before FATAL. */
type LogLevel = Settings['log_min_messages']
export type LogSeverity = 'LOG' | 'WARNING' | 'ERROR' | 'PANIC'

/** What somebody has to tell. */
export interface LogMessage {
  severity: LogSeverity
  /** As in pg_stat_activity. */
  backendType: string
  /** SQLSTATE; 00000 with a LOG that is about no failure. */
  code: string
  message: string
  detail?: string | undefined
  hint?: string | undefined
  context?: string | undefined
  /** Milliseconds since 1970; now, when it is not given. */
  time?: number
}

/** One line of the server log, with the keys of PostgreSQL's jsonlog. */
export interface LogRecord {
  /** Such as "2026-01-31 12:00:00.123 UTC". */
  timestamp: string
  /** Of the operating system. */
  pid: number
  /** The same for all that one process logs while it has the cluster open. */
  session_id: string
  /** Counts the records of a session_id. */
  line_num: number
  session_start: string
  txid: number
  error_severity: LogSeverity
  /** SQLSTATE; not with a LOG that is about no failure. */
  state_code?: string
  message: string
  detail?: string
  hint?: string
  context?: string
  backend_type: string
  query_id: number
}

function formatTime(milliseconds: number, withFraction: boolean): string {
  const text = new Date(milliseconds).toISOString().replace('T', ' ')
  return `${text.slice(0, withFraction ? 23 : 19)} UTC`
}

/** Numbers the messages of this process from when the cluster was opened. */
export class LogRecorder {
  readonly #start = Date.now()
  readonly #sessionId: string
  #lines = 0

  constructor() {
    this.#sessionId = `${Math.floor(this.#start / 1000).toString(16)}.${process.pid.toString(16)}`
  }

  record(message: LogMessage): LogRecord {
    const { severity, backendType, code, detail, hint, context, time } = message
    return {
      timestamp: formatTime(time ?? Date.now(), true),
      pid: process.pid,
      session_id: this.#sessionId,
      line_num: ++this.#lines,
      session_start: formatTime(this.#start, false),
      txid: 0,
      error_severity: severity,
      ...(code !== '00000' && { state_code: code }),
      message: message.message,
      ...(detail !== undefined && { detail }),
      ...(hint !== undefined && { hint }),
      ...(context !== undefined && { context }),
      backend_type: backendType,
      query_id: 0,
    }
  }
}

// Of those that are told of: which levels let them pass.
const leastLevels: Record<LogSeverity, RegExp> = {
  WARNING: /^(debug[1-5]|info|notice|warning)$/,
  ERROR: /^(debug[1-5]|info|notice|warning|error)$/,
  LOG: /^(debug[1-5]|info|notice|warning|error|log)$/,
  PANIC: /./,
}

/** Whether log_min_messages lets a severity pass. */
export function isLogged(severity: LogSeverity, least: LogLevel): boolean {
  return leastLevels[severity].test(least)
}

export function jsonLine(record: LogRecord): string {
  return `${JSON.stringify(record)}\n`
}

/** As a log_line_prefix of '%m [%p] ' has it. */
export function textLines(record: LogRecord): string {
  const prefix = `${record.timestamp} [${record.pid}] `
  const line = (label: string, text: string | undefined) =>
    text === undefined ? '' : `${prefix}${label}:  ${text.replaceAll('\n', '\n\t')}\n`
  return (
    line(record.error_severity, record.message) +
    line('DETAIL', record.detail) +
    line('HINT', record.hint) +
    line('CONTEXT', record.context)
  )
}
