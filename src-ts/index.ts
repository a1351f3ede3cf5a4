// The public interface of pgdata: everything that `import 'pgdata'` gives.

export { version } from './binding/addon.ts'
export { PgError, type PgErrorFields } from './errors/pg-error.ts'
