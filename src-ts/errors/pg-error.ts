// PgError: the one error class of the library. A caller may rely on `code`, a SQLSTATE of PostgreSQL's table;
// the message is for people.
import { conditionNames } from './codes.generated.ts'

// What an error carries besides its message, with the names and meanings of PostgreSQL's error fields.
export interface PgErrorFields {
  // A sentence that gives more about the failure.
  detail?: string | undefined
  // A sentence that says what the user may do.
  hint?: string | undefined
  schema?: string | undefined
  table?: string | undefined
  column?: string | undefined
  constraint?: string | undefined
  dataType?: string | undefined
  cause?: unknown
}

// Thrown by every function of the library for every failure that is not a plain misuse of JavaScript
// types. Source of the fields: PostgreSQL 18, "Error and Notice Message Fields".
export class PgError extends Error {
  override readonly name = 'PgError'
  // The SQLSTATE: five characters, such as 23505.
  readonly code: string
  readonly detail: string | undefined
  readonly hint: string | undefined
  readonly schema: string | undefined
  readonly table: string | undefined
  readonly column: string | undefined
  readonly constraint: string | undefined
  readonly dataType: string | undefined

  constructor(code: string, message: string, fields: PgErrorFields = {}) {
    super(message, fields.cause === undefined ? undefined : { cause: fields.cause })
    this.code = code
    this.detail = fields.detail
    this.hint = fields.hint
    this.schema = fields.schema
    this.table = fields.table
    this.column = fields.column
    this.constraint = fields.constraint
    this.dataType = fields.dataType
  }

  // PostgreSQL's name for the code, such as unique_violation; undefined for a code we never raise.
  get condition(): string | undefined {
    return conditionNames[this.code]
  }
}
